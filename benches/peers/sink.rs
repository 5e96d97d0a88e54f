//! The server of all peers: Postfix's smtp-sink, on a free port of the loopback.

use std::error::Error;
use std::fs::File;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

/// The timeout of all operations here. Only a broken machine needs more than a fraction of it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a port is tried. The port is free when it is chosen, but another program may take it
/// first.
const ATTEMPTS: usize = 5;
/// How many connections may wait to be accepted, so that connecting never blocks. The kernel limits
/// this to `somaxconn`.
const BACKLOG: &str = "4096";

/// A running smtp-sink, which is killed on drop.
pub(crate) struct Sink {
    process: Child,
    pub(crate) port: u16,
    counters: Option<NamedTempFile>,
}

impl Sink {
    /// Starts an smtp-sink that only answers.
    pub(crate) fn start(program: &Path) -> Result<Sink, Box<dyn Error>> {
        Sink::start_with(program, false)
    }

    /// Starts an smtp-sink that also counts, which makes it slower.
    pub(crate) fn start_counting(program: &Path) -> Result<Sink, Box<dyn Error>> {
        Sink::start_with(program, true)
    }

    fn start_with(program: &Path, counting: bool) -> Result<Sink, Box<dyn Error>> {
        let mut attempt = 1;
        loop {
            match Sink::launch(program, counting) {
                Err(error) if attempt == ATTEMPTS => return Err(error),
                Err(_) => attempt += 1,
                Ok(sink) => return Ok(sink),
            }
        }
    }

    fn launch(program: &Path, counting: bool) -> Result<Sink, Box<dyn Error>> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let counters = if counting { Some(NamedTempFile::new()?) } else { None };
        let mut command = Command::new(program);
        // smtp-sink refuses to run as root.
        if rustix::process::geteuid().is_root() {
            command.args(["-u", "nobody"]);
        }
        if let Some(file) = &counters {
            command.arg("-c").stdout(file.reopen()?);
        } else {
            command.stdout(Stdio::null());
        }
        let process =
            command.arg(format!("127.0.0.1:{port}")).arg(BACKLOG).stdin(Stdio::null()).spawn()?;
        let mut sink = Sink { process, port, counters };
        sink.wait_for_greeting()?;
        Ok(sink)
    }

    fn wait_for_greeting(&mut self) -> Result<(), Box<dyn Error>> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.process.try_wait()? {
                return Err(format!("smtp-sink ended at once: {status}").into());
            }
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                let mut greeting = [0; 4];
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.read_exact(&mut greeting)?;
                return if &greeting == b"220 " {
                    Ok(())
                } else {
                    Err("somebody else answers on the port".into())
                };
            }
            thread::sleep(Duration::from_millis(5));
        }
        Err("smtp-sink does not answer".into())
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
        let file = self.counters.as_ref().expect("a sink that counts");
        let mut text = String::new();
        File::open(file.path())
            .and_then(|mut file| file.read_to_string(&mut text))
            .expect("the counters can be read");
        text.rsplit('\r').find_map(Counters::parse).unwrap_or_default()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The counters that `smtp-sink -c` prints repeatedly, as `sess=3 quit=3 mesg=3` and a CR.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    quits: usize,
    messages: usize,
}

impl Counters {
    fn parse(line: &str) -> Option<Counters> {
        let (quits, messages) = line.split_once("quit=")?.1.split_once(" mesg=")?;
        Some(Counters { quits: quits.parse().ok()?, messages: messages.parse().ok()? })
    }
}
