//! The peers that mailexpect is compared with: their programs, and how to make them hold many
//! sessions.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The load of one measurement.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) port: u16,
    pub(crate) sessions: usize,
    pub(crate) at_once: usize,
}

/// How a peer holds many sessions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Processes {
    /// One process holds all sessions.
    One,
    /// Each session has its own process. As many processes run at once as sessions should be open
    /// at once.
    OneEach,
}

/// A program that can hold the session.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) program: &'static str,
    /// The Debian package of the program.
    pub(crate) package: &'static str,
    pub(crate) processes: Processes,
    /// The number of sessions in a measurement: one at a time, and many at once. Quick peers need
    /// many sessions, so that the start of the process hardly counts.
    pub(crate) sessions: [usize; 2],
    arguments: fn(Load) -> Vec<String>,
}

/// The name of the peer that the others are compared with.
pub(crate) const REFERENCE: &str = "smtp-source";
/// The name of our own program.
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
    /// The path of the peer's program, if it is installed.
    pub(crate) fn find(&self) -> Option<PathBuf> {
        let found = find(self.program)?;
        if self.program == "python3" { interpreter(&found) } else { Some(found) }
    }

    /// The arguments for each process of the peer.
    pub(crate) fn arguments(&self, load: Load) -> Vec<String> {
        (self.arguments)(load)
    }
}

/// The path of a program, if it is installed. Postfix's programs are in `sbin`, which is not in
/// every user's PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin"));
    let folders =
        env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The real Python interpreter. A version manager's wrapper would add its own start to the
/// measurement.
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

/// Without `-d`, smtp-source opens a connection for each message. It makes the message itself: one
/// KiB and four lines of header, like ours.
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
