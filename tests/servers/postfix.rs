//! A real Postfix to test against, thrown away afterwards.
//!
//! It needs root and the Debian packages `postfix` and `dovecot-core` (Dovecot 2.3), but neither
//! systemd nor any of the machine's own mail configuration: everything lives in one temporary
//! folder, and both servers end with the value that started them.

use std::env;
use std::error::Error;
use std::fmt;
use std::fs::{self, File, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;

/// Nobody is trusted for where they connect from, and there is no way out: every transport
/// discards, no name is looked up, and `master.cf` has no client that could connect anywhere.
const MAIN_CF: &str = "\
compatibility_level = 3.6
queue_directory = @home@/queue
data_directory = @home@/data
maillog_file = @home@/maillog
maillog_file_prefixes = @home@
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.example.com
mydestination =
mynetworks =
local_recipient_maps =
virtual_mailbox_domains = example.com
virtual_mailbox_maps = inline:{@user@=discarded}
local_transport = discard:
virtual_transport = discard:
relay_transport = discard:
default_transport = discard:
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_tls_security_level = none
smtpd_sasl_type = dovecot
smtpd_sasl_path = @home@/auth
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0
default_process_limit = 200
message_size_limit = 10240000
";

/// Only the services that a message meets on its way from a client into `discard`.
const MASTER_CF: &str = "\
127.0.0.1:@smtp@ inet n - n - - smtpd
127.0.0.1:@submission@ inet n - n - - smtpd
  -o syslog_name=postfix/submission
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_delay_reject=no
  -o { smtpd_sender_restrictions = permit_sasl_authenticated,
       check_sender_access static:{530 5.7.0 Authentication required} }
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
postlog unix-dgram n - n - 1 postlogd
";

/// No mail protocol, only the password check.
///
/// Of the waits after a wrong password, the delay is a setting, the penalty for earlier failures
/// goes with its socket, and the half second that remains is taken away by `nodelay`. A passdb
/// that refuses the password is not listened to about that, hence the other one in front of it,
/// which leaves the decision to the next.
const DOVECOT_CONF: &str = "\
base_dir = @home@/run
state_dir = @home@/run
log_path = @home@/maillog
protocols = none
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
passdb {
  driver = static
  args = noauthenticate nodelay
}
passdb {
  driver = passwd-file
  args = username_format=%u @home@/etc/passwd
}
service auth {
  unix_listener @home@/auth {
    mode = 0666
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
";

/// Where the servers leave their process numbers, below the folder.
const POSTFIX_PID: &str = "queue/pid/master.pid";
const DOVECOT_PID: &str = "run/master.pid";

/// How long anything may take here. Only a broken machine needs more than a fraction of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ports are chosen before Postfix binds them, so somebody else may be quicker this many times.
const ATTEMPTS: usize = 3;

/// Why a real Postfix could not be started, in words for a skip message.
#[derive(Debug)]
pub(crate) struct Unavailable(pub(crate) String);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A running Postfix on two loopback ports, with Dovecot to check passwords.
///
/// Dropping it stops both servers. A `static` is never dropped: keep it out of those.
#[derive(Debug)]
pub(crate) struct Postfix {
    home: TempDir,
    smtp: u16,
    submission: u16,
    user: &'static str,
    password: &'static str,
}

impl Postfix {
    /// Starts one, or says why this machine cannot.
    ///
    /// # Errors
    ///
    /// When a server is not installed, or a Dovecot other than 2.3, or we are not root.
    ///
    /// # Panics
    ///
    /// When everything needed is there and yet Postfix does not come up: that is a defect of this
    /// fixture, and must not pass for a skipped test. The message ends with the log.
    pub(crate) fn start() -> Result<Postfix, Unavailable> {
        let dovecot = find("dovecot", "dovecot-core")?;
        let postfix = find("postfix", "postfix")?;
        find("postconf", "postfix")?;
        let version = Command::new(&dovecot).arg("--version").output();
        if !version.is_ok_and(|output| output.stdout.starts_with(b"2.3.")) {
            let reason = "needs Dovecot 2.3: another version reads another configuration";
            return Err(Unavailable(reason.into()));
        }
        let mut attempt = 1;
        loop {
            let server = Postfix::choose().expect("a folder in /tmp and two free ports");
            if fs::metadata(server.home.path()).map_or(true, |folder| folder.uid() != 0) {
                return Err(Unavailable("a throw-away Postfix needs root".into()));
            }
            let Err(error) = server.launch(&dovecot, &postfix) else {
                return Ok(server);
            };
            let log = server.log();
            let retry = attempt < ATTEMPTS && log.contains("Address already in use");
            assert!(retry, "Postfix does not start: {error}\n{log}");
            attempt += 1;
        }
    }

    /// Like port 25: no AUTH, mail for the local user is taken, relaying is refused.
    #[must_use]
    pub(crate) fn smtp(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.smtp)
    }

    /// Like port 587 without its TLS: nothing before AUTH PLAIN or LOGIN, everything after it.
    #[must_use]
    pub(crate) fn submission(&self) -> String {
        format!("submission://127.0.0.1:{}", self.submission)
    }

    /// The one user, who is also the one local address.
    #[must_use]
    pub(crate) fn user(&self) -> &str {
        self.user
    }

    /// The password of [`user`](Postfix::user).
    #[must_use]
    pub(crate) fn password(&self) -> &str {
        self.password
    }

    /// What both servers have logged so far, for failure messages.
    #[must_use]
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.path("maillog")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Takes a folder and two ports; nothing runs yet.
    fn choose() -> io::Result<Postfix> {
        // Not in `$TMPDIR`, which may be too deep for the name of a Unix socket (107 bytes).
        let home = TempDir::with_prefix_in("postfix-", "/tmp")?;
        // Both listeners are held until both ports are known, so that they differ.
        let held = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let [smtp, submission] = held.map(|listener| listener?.local_addr());
        Ok(Postfix { home, smtp: smtp?.port(), submission: submission?.port(), user: "hoge@example.com", password: "pppwww" })
    }

    fn launch(&self, dovecot: &Path, postfix: &Path) -> Result<(), Box<dyn Error>> {
        self.configure()?;

        // Dovecot first: an smtpd asks for the mechanisms before it greets. Dovecot listens before
        // it goes into the background, but only then writes the pid file by which it is stopped.
        let conf = self.path("etc/dovecot.conf");
        self.run(Command::new(dovecot).arg("-c").arg(conf))?;
        let pid_file = self.path(DOVECOT_PID);
        if !wait_until(|| read_pid(&pid_file).is_some()) {
            return Err("dovecot wrote no pid file".into());
        }

        // Returns when the master process listens, or has failed to.
        let etc = self.path("etc");
        self.run(Command::new(postfix).arg("-c").arg(etc).arg("start"))?;
        for port in [self.smtp, self.submission] {
            let greeting = greeting(port)?;
            if !greeting.starts_with("220 ") {
                return Err(format!("port {port} greets with {greeting:?}").into());
            }
        }
        Ok(())
    }

    /// Writes the configurations. The modes are set by hand because the servers' own users have to
    /// get at some of it, whatever our umask is.
    fn configure(&self) -> io::Result<()> {
        for folder in ["", "etc", "queue", "run"].map(|name| self.path(name)) {
            fs::create_dir_all(&folder)?;
            fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
        }
        let long_ago = SystemTime::now() - Duration::from_mins(1);
        for (name, template) in [
            ("etc/main.cf", MAIN_CF),
            ("etc/master.cf", MASTER_CF),
            ("etc/dovecot.conf", DOVECOT_CONF),
            ("etc/passwd", "@user@:{PLAIN}@password@\n"),
            ("maillog", ""),
        ] {
            let text = template
                .replace("@home@", &self.home.path().to_string_lossy())
                .replace("@smtp@", &self.smtp.to_string())
                .replace("@submission@", &self.submission.to_string())
                .replace("@user@", self.user)
                .replace("@password@", self.password);
            let mut file = File::create(self.path(name))?;
            file.write_all(text.as_bytes())?;
            file.set_permissions(Permissions::from_mode(0o644))?;
            // Postfix reads a file younger than two seconds again and again until it is older, lest
            // an editor is still at it. That would be most of the time a start takes.
            file.set_modified(long_ago)?;
        }
        Ok(())
    }

    /// Runs a command to its end. It speaks into the log, as the servers do, and not into a pipe
    /// that a daemon might keep open.
    fn run(&self, command: &mut Command) -> Result<(), Box<dyn Error>> {
        let log = File::options().append(true).open(self.path("maillog"))?;
        let status = command.stdout(log.try_clone()?).stderr(log).status()?;
        status.success().then_some(()).ok_or_else(|| format!("{command:?}: {status}").into())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }
}

impl Drop for Postfix {
    /// Postfix goes first, so that it never misses the Dovecot it is connected to.
    fn drop(&mut self) {
        stop(&self.path(POSTFIX_PID));
        stop(&self.path(DOVECOT_PID));
    }
}

/// Looks where a login shell of root would, which is more than `PATH` holds for most users.
fn find(program: &str, package: &str) -> Result<PathBuf, Unavailable> {
    env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .ok_or_else(|| Unavailable(format!("no {program} here: install the package {package}")))
}

/// Reads the greeting and takes leave, which makes sure that an `smtpd` really serves the port.
fn greeting(port: u16) -> io::Result<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    (&stream).write_all(b"QUIT\r\n")?;
    reader.read_to_end(&mut Vec::new())?;
    Ok(line)
}

fn read_pid(file: &Path) -> Option<u32> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// Ends the daemon of a pid file with all its children: each daemon here leads a process group.
///
/// The signal goes to the whole group. Dovecot's master alone would leave its auth process behind,
/// half a minute long if somebody is connected to it.
fn stop(pid_file: &Path) {
    let Some(group) = read_pid(pid_file) else {
        return;
    };
    for signal in ["TERM", "KILL"] {
        // The shell's own `kill`, because the program is one package more.
        let kill = format!("kill -s {signal} -- -{group}");
        let _ = Command::new("sh").args(["-c", &kill]).output();
        if wait_until(|| !is_running(group)) {
            return;
        }
    }
}

/// Whether anything of a process group still runs. A zombie does not: when it goes depends on the
/// machine's init, and in a container there may be none that cares.
fn is_running(group: u32) -> bool {
    let group = group.to_string();
    let Ok(processes) = fs::read_dir("/proc") else {
        return false;
    };
    processes.flatten().any(|process| {
        let stat = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        // pid (name) state parent group ...; the name can hold anything, even a parenthesis.
        let fields = stat.rsplit(") ").next().unwrap_or_default();
        let mut fields = fields.split(' ');
        !matches!(fields.next(), Some("Z" | "X")) && fields.nth(1) == Some(&group)
    })
}

/// Asks until the answer is yes, or for too long. The pause in between is a receive that nobody
/// will ever send to.
fn wait_until(mut done: impl FnMut() -> bool) -> bool {
    let (_sender, pause) = mpsc::channel::<()>();
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        if Instant::now() >= deadline {
            return false;
        }
        let _ = pause.recv_timeout(Duration::from_millis(2));
    }
    true
}
