//! Whom we are measured against: how each is called, and how it is told to run so many sessions.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How much is asked of a peer in one go.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) port: u16,
    pub(crate) sessions: usize,
    pub(crate) at_once: usize,
}

/// How a peer comes to many sessions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Processes {
    /// One process has them all.
    One,
    /// Each session is a process; as many of them run at once as there are to be sessions at once.
    OneEach,
}

/// A program that can have the session.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) program: &'static str,
    /// The Debian package that it comes in.
    pub(crate) package: &'static str,
    pub(crate) processes: Processes,
    /// How many sessions make a measurement: one at a time, and many at once. The quick ones need
    /// many, so that what their start takes is little of it.
    pub(crate) sessions: [usize; 2],
    arguments: fn(Load) -> Vec<String>,
}

/// The name of the peer that the others are held against.
pub(crate) const REFERENCE: &str = "smtp-source";
/// Our own.
pub(crate) const OURS: &str = "mailexpect";

pub(crate) const PEERS: [Peer; 7] = [
    Peer {
        name: OURS,
        program: env!("CARGO_BIN_EXE_mailexpect"),
        package: "mailexpect",
        processes: Processes::One,
        sessions: [1500, 5000],
        arguments: mailexpect,
    },
    Peer {
        name: REFERENCE,
        program: "smtp-source",
        package: "postfix",
        processes: Processes::One,
        sessions: [1500, 5000],
        arguments: smtp_source,
    },
    Peer {
        name: "Python, sockets and a regex",
        program: "python3",
        package: "python3",
        processes: Processes::One,
        sessions: [1000, 2500],
        arguments: |load| script("sockets.py", load),
    },
    Peer {
        name: "Python, smtplib",
        program: "python3",
        package: "python3",
        processes: Processes::One,
        sessions: [1000, 2500],
        arguments: |load| script("smtp_library.py", load),
    },
    Peer {
        name: "expect, gets on a Tcl socket",
        program: "expect",
        package: "expect",
        processes: Processes::One,
        sessions: [1000, 2500],
        arguments: |load| script("gets.tcl", load),
    },
    Peer {
        name: "expect, expect on a Tcl socket",
        program: "expect",
        package: "expect",
        processes: Processes::One,
        sessions: [1000, 2500],
        arguments: |load| script("expect.tcl", load),
    },
    Peer {
        name: "swaks",
        program: "swaks",
        package: "swaks",
        processes: Processes::OneEach,
        sessions: [10, 50],
        arguments: swaks,
    },
];

impl Peer {
    /// Where its program is, if it is installed.
    pub(crate) fn find(&self) -> Option<PathBuf> {
        let found = find(self.program)?;
        if self.program == "python3" { interpreter(&found) } else { Some(found) }
    }

    /// What its program is told, for each process.
    pub(crate) fn arguments(&self, load: Load) -> Vec<String> {
        (self.arguments)(load)
    }
}

/// Where a program is, if it is installed. Postfix's are in `sbin`, which is not on everybody's
/// path.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin"));
    let folders =
        env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The Python behind a version manager's wrapper, whose own start is not to be measured.
fn interpreter(python: &Path) -> Option<PathBuf> {
    let output =
        Command::new(python).args(["-c", "import sys; print(sys.executable)"]).output().ok()?;
    let printed = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(printed.trim_end()))
}

fn beside(name: &str) -> String {
    format!("{}/benches/peers/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn mailexpect(load: Load) -> Vec<String> {
    vec![
        "run".to_owned(),
        format!("--repeat={}", load.sessions),
        format!("-j{}", load.at_once),
        format!("--set=smtp=smtp://127.0.0.1:{}", load.port),
        format!("--set=message={}", include_str!("message.eml")),
        beside("session.rhai"),
    ]
}

/// A connection for each message, which is what it does without `-d`. It makes the message itself:
/// a KiB and four lines of header, as ours.
fn smtp_source(load: Load) -> Vec<String> {
    let Load { port, sessions, at_once } = load;
    [
        "-s",
        &at_once.to_string(),
        "-l",
        "1024",
        "-m",
        &sessions.to_string(),
        &format!("127.0.0.1:{port}"),
    ]
    .map(ToOwned::to_owned)
    .to_vec()
}

fn script(name: &str, load: Load) -> Vec<String> {
    let Load { port, sessions, at_once } = load;
    vec![
        beside(name),
        port.to_string(),
        sessions.to_string(),
        at_once.to_string(),
        beside("message.eml"),
    ]
}

fn swaks(load: Load) -> Vec<String> {
    let (port, message) = (load.port.to_string(), format!("@{}", beside("message.eml")));
    let address = "hoge@example.com";
    [
        "--server",
        "127.0.0.1",
        "--port",
        &port,
        "--ehlo",
        "client.example",
        "--from",
        address,
        "--to",
        address,
    ]
    .into_iter()
    .chain(["--data", &message, "--timeout", "10", "--silent", "3"])
    .map(ToOwned::to_owned)
    .collect()
}
