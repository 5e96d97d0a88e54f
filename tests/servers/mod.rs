//! Real servers to test against, thrown away afterwards.
//!
//! They need root and the packages that `docs/servers.md` names, but neither systemd nor any of the
//! machine's own mail configuration: everything lives in one temporary folder, listens on free
//! ports of the loopback, has no way to deliver off the machine, and ends with the [`Server`] that
//! stands for it.

pub(crate) mod authority;
pub(crate) mod daemon;
pub(crate) mod exim;
pub(crate) mod home;
pub(crate) mod mailserver;
pub(crate) mod ports;
pub(crate) mod sendmail;

use std::env;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use daemon::Daemon;
use home::Home;

/// The one domain that is local to every server.
pub(crate) const DOMAIN: &str = "example.com";
/// The user that the shipped scripts know, who is also an address.
pub(crate) const USER: &str = "hoge@example.com";
pub(crate) const PASSWORD: &str = "pppwww";
/// Another user, whose password has to be quoted where there are quotes.
pub(crate) const OTHER_USER: &str = "fuga@example.com";
pub(crate) const OTHER_PASSWORD: &str = r#"build3r "pass\"#;
/// What OAUTHBEARER and XOAUTH2 take for [`USER`] until the year 2100.
pub(crate) const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJob2dlQGV4YW1wbGUuY29tIiwiaWF0IjoxNzAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDB9.pUfG1O1D8IbX_o1snGb7mK5ZC8bvDMyo3USSUPBhKe8";

/// The folder into which packages were unpacked that cannot be installed side by side.
const UNPACKED: &str = "MAILEXPECT_SERVERS";

/// Why a server could not be started, in words for a skip message.
#[derive(Debug)]
pub(crate) struct Unavailable(pub(crate) String);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Servers that run.
///
/// Dropping it stops them. A `static` is never dropped: keep it out of those.
#[derive(Debug)]
pub(crate) struct Server {
    /// Stopped in this order, before the folder goes.
    _daemons: Vec<Daemon>,
    home: Home,
}

impl Server {
    fn new(home: Home, daemons: Vec<Daemon>) -> Self {
        Self { _daemons: daemons, home }
    }

    /// What its scripts are told: each listener's URL by its name, the users, the certificates'
    /// files.
    pub(crate) fn parameters(&self) -> Vec<(String, String)> {
        let mut parameters = self.home.urls();
        let texts = [("user", USER), ("password", PASSWORD), ("token", TOKEN)];
        let others = [("other_user", OTHER_USER), ("other_password", OTHER_PASSWORD)];
        parameters.extend(
            texts.into_iter().chain(others).map(|(name, text)| (name.to_owned(), text.to_owned())),
        );
        let pem = |name: &str| {
            (name.to_owned(), self.path(&format!("tls/{name}.pem")).display().to_string())
        };
        parameters.extend(["ca", "client_certificate", "client_key"].map(pem));
        parameters
    }

    /// One of the [`parameters`](Self::parameters), such as `smtp` or `ca`.
    pub(crate) fn parameter(&self, name: &str) -> String {
        let found = self.parameters().into_iter().find(|(known, _)| known == name);
        found.unwrap_or_else(|| panic!("no parameter is called {name}")).1
    }

    /// A file or folder of the servers.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path(name)
    }

    /// What the servers have logged so far, for failure messages.
    pub(crate) fn log(&self) -> String {
        self.home.log()
    }
}

/// The first of these paths that is there: below the folder of unpacked packages, or installed.
fn find(paths: &[&str], package: &str) -> Result<PathBuf, Unavailable> {
    let unpacked = env::var_os(UNPACKED).map(PathBuf::from);
    let roots = unpacked.into_iter().chain([PathBuf::from("/")]);
    let mut found = roots
        .flat_map(|root| paths.iter().map(move |path| root.join(path)))
        .filter(|path| path.exists());
    found.next().ok_or_else(|| {
        let path = paths[0];
        Unavailable(format!("no /{path} here: install the package {package}, or unpack it into a folder that {UNPACKED} names"))
    })
}

/// The servers change to users of their own and so want to be started by root.
fn need_root(server: &str) -> Result<(), Unavailable> {
    let root = rustix::process::geteuid().is_root();
    root.then_some(()).ok_or_else(|| Unavailable(format!("a throw-away {server} needs root")))
}

/// A user that the package makes where it is installed rather than unpacked.
fn need_user(user: &str, package: &str) -> Result<(), Unavailable> {
    account(user).map(drop).map_err(|_| {
        Unavailable(format!("no user {user} here: install the package {package}, or add that user"))
    })
}

/// The ids of a user and of that user's group.
fn account(user: &str) -> io::Result<(u32, u32)> {
    let id = |option| {
        let output = Command::new("id").args([option, user]).output()?;
        let printed = String::from_utf8_lossy(&output.stdout).trim().parse();
        printed.map_err(|_| io::Error::new(io::ErrorKind::NotFound, format!("no user {user}")))
    };
    Ok((id("-u")?, id("-g")?))
}
