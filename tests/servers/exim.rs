//! Exim, with its own defaults and not with Debian's configuration.

use std::io;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use super::home::{Home, Listener};
use super::{Server, Unavailable, account, find, need_root, need_user};

const PACKAGE: &str = "exim4-daemon-light or exim4-daemon-heavy";
/// The user as which Debian's Exim was built to run.
const ACCOUNT: &str = "Debian-exim";

const LISTENERS: &[Listener] = &[
    // Like port 25: no AUTH, STARTTLS; mail for the users is accepted, relaying is refused.
    ("smtp", "smtp"),
    // Like port 587, but a password may also be sent in clear; and like port 465.
    ("submission", "submission"),
    ("submissions", "submissions"),
];

/// Starts Exim, or returns why this machine cannot.
///
/// # Panics
/// If Exim is installed and does not start.
pub(crate) fn start() -> Result<Server, Unavailable> {
    need_root("Exim")?;
    let exim = find(&["usr/sbin/exim4"], PACKAGE)?;
    need_user(ACCOUNT, PACKAGE)?;
    let command = |folder: &Path| {
        let mut command = Command::new(exim);
        command.arg("-C").arg(folder.join("exim.conf")).arg("-bdf");
        command
    };
    let (home, spawn) =
        Home::new("exim", LISTENERS, command).expect("a folder in /tmp and free ports");
    configure(&home)
        .unwrap_or_else(|error| panic!("Exim cannot be configured: {error}\n{}", home.log()));
    let started = spawn.wait_ready(&home.url("smtp"));
    let exim =
        started.unwrap_or_else(|error| panic!("Exim does not start: {error}\n{}", home.log()));
    Ok(Server::new(home, vec![exim]))
}

fn configure(home: &Home) -> io::Result<()> {
    home.write("exim.conf", include_str!("exim/exim.conf"))?;
    home.write("users", "@user@: @password@\n@other-user@: @other-password@\n")?;
    home.make_folder("mail", 0o755)?;
    home.make_folder("spool", 0o750)?;
    // Exim gives up root's rights before it reads its key, writes its logs or stores mail.
    let (user, group) = account(ACCOUNT)?;
    for name in ["", "mail", "spool", "tls/server_key.pem"] {
        chown(home.path(name), Some(user), Some(group))?;
    }
    Ok(())
}
