//! The program as a server that a test has started.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;

use serde_json::Value;

/// A server process and its stdout. Dropping this kills the process.
pub(crate) struct Serving {
    pub(crate) child: Child,
    /// `None` once a thread reads the rest and discards it.
    lines: Option<BufReader<ChildStdout>>,
}

impl Serving {
    pub(crate) fn of(command: &mut Command) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let lines = child.stdout.take().map(BufReader::new);
        Self { child, lines }
    }

    /// The next line as JSON; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = self.lines.as_mut().unwrap().read_line(&mut line).unwrap();
        (read > 0)
            .then(|| serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
    }

    /// The port of the listener that the next line reports.
    pub(crate) fn port(&mut self) -> u16 {
        port(&self.next().expect("it listens"))
    }

    /// Lets a thread read the rest and discard it, because a process that writes events waits for a
    /// reader.
    pub(crate) fn read_on(&mut self) {
        let mut lines = self.lines.take().unwrap();
        thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    }

    /// Waits for the end of the process. Returns all further lines, the exit code, and stderr.
    pub(crate) fn end(mut self) -> (Vec<Value>, Option<i32>, String) {
        let events = std::iter::from_fn(|| self.next()).collect();
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (events, self.child.wait().unwrap().code(), said)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // This fails if the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The port in a line that reports a listener.
pub(crate) fn port(listening: &Value) -> u16 {
    assert_eq!(listening["event"], "listening", "{listening}");
    listening["port"].as_u64().unwrap().try_into().unwrap()
}

/// A connection to a port of loopback.
pub(crate) fn connect(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).unwrap()
}
