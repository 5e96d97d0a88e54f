//! Exim, as it is rather than as Debian configures it.

use std::io;
use std::os::unix::fs::chown;
use std::process::Command;

use super::home::{Home, Listener};
use super::{Server, Unavailable, account, find, need_root, need_user};

const PACKAGE: &str = "exim4-daemon-light or exim4-daemon-heavy";
/// The user that the program was built to run as.
const ACCOUNT: &str = "Debian-exim";

const LISTENERS: &[Listener] = &[
    // Like port 25: no AUTH, STARTTLS, mail for the users is taken, relaying is refused.
    ("smtp", "smtp"),
    // Like port 587, where a password may also go in clear; and like port 465.
    ("submission", "submission"),
    ("submissions", "submissions"),
];

/// Starts one, or says why this machine cannot.
///
/// # Panics
/// When Exim is there and yet does not come up, as every fixture here.
pub(crate) fn start() -> Result<Server, Unavailable> {
    need_root("Exim")?;
    let exim = find(&["usr/sbin/exim4"], PACKAGE)?;
    need_user(ACCOUNT, PACKAGE)?;
    let home = Home::new("exim", LISTENERS).expect("a folder in /tmp and free ports");
    let daemon = configure(&home).and_then(|()| {
        let mut daemon =
            home.start(Command::new(exim).arg("-C").arg(home.path("exim.conf")).arg("-bdf"))?;
        home.wait_for(&mut daemon, "smtp", "220")?;
        Ok(daemon)
    });
    let daemon =
        daemon.unwrap_or_else(|error| panic!("Exim does not start: {error}\n{}", home.log()));
    Ok(Server::new(home, vec![daemon]))
}

fn configure(home: &Home) -> io::Result<()> {
    home.write("exim.conf", include_str!("exim/exim.conf"))?;
    home.write("users", "@user@: @password@\n@other-user@: @other-password@\n")?;
    home.make_folder("mail", 0o755)?;
    home.make_folder("spool", 0o750)?;
    // Exim gives root's rights away before it reads its key, writes its logs or keeps mail.
    let (user, group) = account(ACCOUNT)?;
    for name in ["", "mail", "spool", "tls/server_key.pem"] {
        chown(home.path(name), Some(user), Some(group))?;
    }
    Ok(())
}
