//! The server of all peers: Postfix's smtp-sink, on a free port of the loopback.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use mailexpect::Server;

/// How many connections may wait to be accepted, so that connecting never blocks. The kernel limits
/// this to `somaxconn`.
const BACKLOG: &str = "4096";

/// A running smtp-sink, which ends on drop.
pub(crate) struct Sink(Server);

impl Sink {
    /// Starts an smtp-sink that only answers.
    pub(crate) fn start(program: &Path) -> mailexpect::Result<Sink> {
        Sink::start_with(program, &[])
    }

    /// Starts an smtp-sink that also counts, which makes it slower.
    pub(crate) fn start_counting(program: &Path) -> mailexpect::Result<Sink> {
        Sink::start_with(program, &["-c"])
    }

    fn start_with(program: &Path, options: &[&str]) -> mailexpect::Result<Sink> {
        let mut command = Command::new(program);
        // smtp-sink refuses to run as root.
        if rustix::process::geteuid().is_root() {
            command.args(["-u", "nobody"]);
        }
        command.args(options).args(["127.0.0.1:{port}", BACKLOG]);
        Server::spawn(command).wait_ready("smtp://127.0.0.1:{port}").map(Sink)
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.port()
    }

    /// Waits until the sink has counted this many more sessions than `before`, each with a message
    /// and a QUIT. If it does not, the error holds its counts.
    pub(crate) fn saw(&self, before: Counters, sessions: usize) -> Result<(), String> {
        let wanted =
            Counters { quits: before.quits + sessions, messages: before.messages + sessions };
        let deadline = Instant::now() + Duration::from_secs(2);
        while self.counters() != wanted {
            if Instant::now() > deadline {
                let Counters { quits, messages } = self.counters();
                let (quits, messages) = (quits - before.quits, messages - before.messages);
                return Err(format!(
                    "of {sessions} sessions the server saw {messages} messages and {quits} QUITs"
                ));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// The counts up to now.
    pub(crate) fn counters(&self) -> Counters {
        self.0.log().rsplit("\\r").find_map(Counters::parse).unwrap_or_default()
    }
}

/// The counters that `smtp-sink -c` prints repeatedly, as `sess=3 quit=3 mesg=3` and a CR, which the
/// log of a server shows as `\r`.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    quits: usize,
    messages: usize,
}

impl Counters {
    fn parse(line: &str) -> Option<Counters> {
        let (quits, messages) = line.split_once("quit=")?.1.split_once(" mesg=")?;
        Some(Counters { quits: quits.parse().ok()?, messages: messages.trim().parse().ok()? })
    }
}
