//! Postfix with Dovecot behind it: from submission to IMAP, POP3 and ManageSieve.

use std::io;
use std::path::PathBuf;
use std::process::Command;

use super::daemon::Daemon;
use super::home::{Home, Listener};
use super::{Server, Unavailable, find, need_root};

const LISTENERS: &[Listener] = &[
    // Like port 25: no AUTH, STARTTLS, mail for the users is taken, relaying is refused.
    ("smtp", "smtp"),
    // The same behind a proxy that says who the client is, and for a client that may say so itself.
    ("proxied", "smtp"),
    ("xclient", "smtp"),
    // Behind postscreen, which makes a client wait a second for the end of its greeting.
    ("postscreen", "smtp"),
    // Like port 587, where a password may also go in clear; as it should be, with nothing before
    // TLS; and like port 465.
    ("submission", "submission"),
    ("submission_tls", "submission"),
    ("submissions", "submissions"),
    // Like port 465 for clients with a certificate alone.
    ("submissions_certified", "submissions"),
    ("lmtp", "lmtp"),
    ("pop3", "pop3"),
    ("pop3s", "pop3s"),
    ("imap", "imap"),
    ("imaps", "imaps"),
    ("sieve", "sieve"),
];

/// Dovecot's protocols and its Sieve are packages of their own.
const PARTS: [(&str, &str); 5] = [
    ("usr/lib/dovecot/imap", "dovecot-imapd"),
    ("usr/lib/dovecot/pop3", "dovecot-pop3d"),
    ("usr/lib/dovecot/lmtp", "dovecot-lmtpd"),
    ("usr/lib/dovecot/managesieve", "dovecot-managesieved"),
    ("usr/lib/dovecot/modules/lib90_sieve_plugin.so", "dovecot-sieve"),
];

/// What [`TOKEN`](super::TOKEN) is signed with, `a key for nothing but these tests`, as Dovecot
/// wants it.
const OAUTH_KEY: &str = "YSBrZXkgZm9yIG5vdGhpbmcgYnV0IHRoZXNlIHRlc3Rz";

/// Starts one, or says why this machine cannot.
///
/// # Panics
/// When everything needed is there and yet a server does not come up: that is a defect of this
/// fixture, and must not pass for a skipped test. The message ends with the log.
pub(crate) fn start() -> Result<Server, Unavailable> {
    let (home, master, dovecot) = configured()?;
    // Dovecot first, because an smtpd asks it for the mechanisms before it greets.
    let daemons = start_dovecot(&home, Command::new(dovecot))
        .and_then(|dovecot| Ok(vec![start_postfix(&home, Command::new(master))?, dovecot]));
    let daemons = daemons
        .unwrap_or_else(|error| panic!("the mail server does not start: {error}\n{}", home.log()));
    Ok(Server::new(home, daemons))
}

/// The folder with the configuration of both, which do not run yet, and the programs to run:
/// Postfix's master, and `dovecot`.
pub(crate) fn configured() -> Result<(Home, PathBuf, PathBuf), Unavailable> {
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
    let home = Home::new("mailserver", LISTENERS).expect("a folder in /tmp and free ports");
    let checked =
        |()| home.run(Command::new(postfix).arg("-c").arg(home.path("postfix")).arg("check"));
    let configured = configure(&home).and_then(checked);
    configured.unwrap_or_else(|error| {
        panic!("the mail server cannot be configured: {error}\n{}", home.log())
    });
    Ok((home, master, dovecot))
}

fn start_dovecot(home: &Home, mut dovecot: Command) -> io::Result<Daemon> {
    let mut daemon =
        home.start(dovecot.arg("-F").arg("-c").arg(home.path("dovecot/dovecot.conf")))?;
    home.wait_for(&mut daemon, "imap", "* OK ")?;
    Ok(daemon)
}

/// The program `postfix`, which would be asked for this, leaves its master in a session that nobody
/// could find.
fn start_postfix(home: &Home, mut master: Command) -> io::Result<Daemon> {
    let mut daemon = home.start(master.arg("-c").arg(home.path("postfix")).arg("-s"))?;
    home.wait_for(&mut daemon, "smtp", "220 ")?;
    Ok(daemon)
}

fn configure(home: &Home) -> io::Result<()> {
    for folder in ["postfix", "queue", "dovecot", "run", "keys/default/HS256"] {
        home.make_folder(folder, 0o755)?;
    }
    // Dovecot delivers as a user of its own.
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
