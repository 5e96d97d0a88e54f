//! Real mail servers for tests, which leave nothing behind.
//!
//! They need root and the packages that `docs/servers.md` names, but neither systemd nor the
//! machine's own mail configuration. All files are in one temporary folder, the servers listen on
//! free ports of loopback, and they cannot deliver to other machines. They end when their
//! [`Server`] is dropped.

pub(crate) mod authority;
pub(crate) mod exim;
pub(crate) mod home;
pub(crate) mod mailserver;
pub(crate) mod sendmail;

use std::env;
use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use home::Home;

/// The only domain that is local to each server.
pub(crate) const DOMAIN: &str = "example.com";
/// The user of the shipped scripts, which is also a mail address.
pub(crate) const USER: &str = "hoge@example.com";
pub(crate) const PASSWORD: &str = "pppwww";
/// Another user, whose password needs escapes in every protocol that has quoted strings.
pub(crate) const OTHER_USER: &str = "fuga@example.com";
pub(crate) const OTHER_PASSWORD: &str = r#"build3r "pass\"#;
/// The token of [`USER`] for OAUTHBEARER and XOAUTH2, valid until the year 2100.
pub(crate) const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJob2dlQGV4YW1wbGUuY29tIiwiaWF0IjoxNzAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDB9.pUfG1O1D8IbX_o1snGb7mK5ZC8bvDMyo3USSUPBhKe8";

/// The environment variable with the folder of unpacked packages, which cannot be installed side by
/// side.
const UNPACKED: &str = "MAILEXPECT_SERVERS";

/// Why a server could not be started, for the message of a skipped test.
#[derive(Debug)]
pub(crate) struct Unavailable(pub(crate) String);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The result of a step of starting a server.
type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Running servers. Dropping this ends them.
#[derive(Debug)]
pub(crate) struct Server {
    /// Ended in this order, before the folder is removed.
    processes: Vec<mailexpect::Server>,
    home: Home,
}

impl Server {
    fn new(home: Home, processes: Vec<mailexpect::Server>) -> Self {
        Self { processes, home }
    }

    /// The parameters of scripts for these servers: the URL of each listener by its name, the
    /// users, and the files of the certificates.
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

    /// The value of one of the [`parameters`](Self::parameters), such as `smtp` or `ca`.
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
        let printed = self.processes.iter().map(mailexpect::Server::log);
        printed.chain([self.home.log()]).collect()
    }
}

/// The first of these paths that exists, in the folder of unpacked packages or installed.
fn find(paths: &[&str], package: &str) -> std::result::Result<PathBuf, Unavailable> {
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

/// Fails unless the test runs as root, which the servers need to change to their own users.
fn need_root(server: &str) -> std::result::Result<(), Unavailable> {
    let root = rustix::process::geteuid().is_root();
    root.then_some(()).ok_or_else(|| Unavailable(format!("a throw-away {server} needs root")))
}

/// Fails if the user does not exist. Installing the package creates it, unpacking the package does
/// not.
fn need_user(user: &str, package: &str) -> std::result::Result<(), Unavailable> {
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
