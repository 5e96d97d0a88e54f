//! Postfix, which delivers to Dovecot: submission, IMAP, POP3 and ManageSieve.

use std::io;
use std::path::Path;
use std::process::Command;

use mailexpect::server::Spawn;

use super::home::{Home, Listener};
use super::{Server, Unavailable, find, need_root};

const LISTENERS: &[Listener] = &[
    // Like port 25: no AUTH, STARTTLS; mail for the users is accepted, relaying is refused.
    ("smtp", "smtp"),
    // The same for connections that begin with a PROXY header, and for clients that may use
    // XCLIENT.
    ("proxied", "smtp"),
    ("xclient", "smtp"),
    // Served by postscreen, which makes a client wait one second for the last line of the greeting.
    ("postscreen", "smtp"),
    // Like port 587, but a password may also be sent in clear; the same with AUTH only after TLS,
    // as it should be; and like port 465.
    ("submission", "submission"),
    ("submission_tls", "submission"),
    ("submissions", "submissions"),
    // Like port 465, but only for clients with a certificate.
    ("submissions_certified", "submissions"),
    ("lmtp", "lmtp"),
    ("pop3", "pop3"),
    ("pop3s", "pop3s"),
    ("imap", "imap"),
    ("imaps", "imaps"),
    ("sieve", "sieve"),
];

/// Dovecot's protocols and its Sieve plugin are in separate packages.
const PARTS: [(&str, &str); 5] = [
    ("usr/lib/dovecot/imap", "dovecot-imapd"),
    ("usr/lib/dovecot/pop3", "dovecot-pop3d"),
    ("usr/lib/dovecot/lmtp", "dovecot-lmtpd"),
    ("usr/lib/dovecot/managesieve", "dovecot-managesieved"),
    ("usr/lib/dovecot/modules/lib90_sieve_plugin.so", "dovecot-sieve"),
];

/// The key that [`TOKEN`](super::TOKEN) is signed with, in base64 as Dovecot reads it.
const OAUTH_KEY: &str = "YSBrZXkgZm9yIG5vdGhpbmcgYnV0IHRoZXNlIHRlc3Rz";

/// Starts both servers, or returns why this machine cannot.
///
/// # Panics
/// If everything is installed and a server does not start. This is a defect of the
/// fixture, and must not count as a skipped test. The message ends with the log.
pub(crate) fn start() -> Result<Server, Unavailable> {
    need_root("Postfix")?;
    let postfix = find(&["usr/sbin/postfix"], "postfix")?;
    let master = find(&["usr/lib/postfix/sbin/master"], "postfix")?;
    let dovecot = find(&["usr/sbin/dovecot"], "dovecot-core")?;
    for (path, package) in PARTS {
        find(&[path], package)?;
    }
    let version = Command::new(&dovecot).arg("--version").output();
    if !version.is_ok_and(|output| output.stdout.starts_with(b"2.3.")) {
        let reason = "needs Dovecot 2.3: another version reads another configuration";
        return Err(Unavailable(reason.into()));
    }
    let command = |folder: &Path| {
        let mut command = Command::new(dovecot);
        command.arg("-F").arg("-c").arg(folder.join("dovecot/dovecot.conf"));
        command
    };
    let (home, dovecot) =
        Home::new("mailserver", LISTENERS, command).expect("a folder in /tmp and free ports");
    let processes = run(&home, dovecot, &postfix, &master)
        .unwrap_or_else(|error| panic!("the mail server does not start: {error}\n{}", home.log()));
    Ok(Server::new(home, processes))
}

/// Configures and starts both, Dovecot first, because an smtpd asks it for the mechanisms before it
/// greets.
fn run(
    home: &Home,
    dovecot: Spawn,
    postfix: &Path,
    master: &Path,
) -> super::Result<Vec<mailexpect::Server>> {
    configure(home)?;
    home.run(Command::new(postfix).arg("-c").arg(home.path("postfix")).arg("check"))?;
    let dovecot = dovecot.wait_ready(&home.url("imap"))?;
    // The usual program `postfix` is not used, because it starts the master in a new session, in
    // which the test could not find it.
    let mut command = Command::new(master);
    command.arg("-c").arg(home.path("postfix")).arg("-s");
    let postfix = mailexpect::Server::spawn(command).wait_ready(&home.url("smtp"))?;
    Ok(vec![postfix, dovecot])
}

fn configure(home: &Home) -> io::Result<()> {
    for folder in ["postfix", "queue", "dovecot", "run", "keys/default/HS256"] {
        home.make_folder(folder, 0o755)?;
    }
    // Dovecot delivers mail as its own user.
    home.make_folder("mail", 0o777)?;
    home.write("postfix/main.cf", include_str!("mailserver/main.cf"))?;
    home.write("postfix/master.cf", include_str!("mailserver/master.cf"))?;
    home.write("dovecot/dovecot.conf", include_str!("mailserver/dovecot.conf"))?;
    home.write("dovecot/oauth2.conf", include_str!("mailserver/oauth2.conf"))?;
    home.write(
        "dovecot/passwd",
        "@user@:{PLAIN}@password@::::::\n@other-user@:{PLAIN}@other-password@::::::\nguest@@domain@:!::::::\n",
    )?;
    home.write("keys/default/HS256/default", OAUTH_KEY)
}
