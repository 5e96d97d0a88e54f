//! Many clients at once on `mailexpect serve`, and a client beside them that behaves well.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::program::program;
use crate::started::{Serving, connect};

/// The limit for the program's address space. Threads reserve most of it without using it.
const ADDRESS_SPACE: u64 = 4 << 30;
/// How long a client that behaves well may wait. The aim is one second, but the machine may be
/// busy.
const SERVED: Duration = Duration::from_secs(10);

/// A server of the program and its port. Its output is read or not.
struct Loaded {
    serving: Serving,
    port: u16,
}

impl Loaded {
    fn start(is_read: bool) -> Self {
        // The server writes its ports to stdout, before it writes any events.
        let mut serving = Serving::of(program().args(["serve", "--ready-fd", "1"]));
        let bound =
            rustix::process::Rlimit { current: Some(ADDRESS_SPACE), maximum: Some(ADDRESS_SPACE) };
        let pid = Pid::from_child(&serving.child);
        rustix::process::prlimit(Some(pid), rustix::process::Resource::As, bound).unwrap();
        let port = serving.port();
        if is_read {
            serving.read_on();
        }
        Self { serving, port }
    }

    fn connect(&self) -> TcpStream {
        connect(self.port)
    }

    /// A client that behaves well sends a message, and is served soon.
    fn serves_soon(&self) {
        let began = Instant::now();
        let said = delivered(self.connect(), 1);
        assert!(said.starts_with("250"), "{said}");
        assert!(began.elapsed() < SERVED, "{:?}", began.elapsed());
    }

    fn ends(mut self, signal: Signal) {
        let began = Instant::now();
        kill_process(Pid::from_child(&self.serving.child), signal).unwrap();
        let status = self.serving.child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{status}");
        assert!(began.elapsed() < SERVED, "{:?}", began.elapsed());
    }
}

/// Sends a message of this many lines of 72 octets. Returns the reply.
fn delivered(mut stream: TcpStream, lines: usize) -> String {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut said = String::new();
    reader.read_line(&mut said).unwrap();
    for command in ["HELO a", "MAIL FROM:<a@example.com>", "RCPT TO:<b@example.com>", "DATA"] {
        stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        said.clear();
        reader.read_line(&mut said).unwrap();
    }
    let line = format!("{}\r\n", "x".repeat(70)).repeat(100);
    // A message that is refused early is sent to its end all the same.
    for _ in 0..lines.div_ceil(100) {
        stream.write_all(line.as_bytes()).unwrap();
    }
    stream.write_all(b".\r\n").unwrap();
    said.clear();
    reader.read_line(&mut said).unwrap();
    said
}

fn large_messages_at_once(clients: usize, octets: usize) {
    let serving = Loaded::start(true);
    thread::scope(|scope| {
        let sending = (0..clients)
            .map(|_| scope.spawn(|| delivered(serving.connect(), octets / 72)))
            .collect::<Vec<_>>();
        for _ in 0..3 {
            serving.serves_soon();
        }
        for client in sending {
            let said = client.join().unwrap();
            // The server accepts as many messages as it has room for, and defers the others.
            assert!(said.starts_with("250") || said.starts_with("452"), "{said}");
        }
    });
    serving.ends(Signal::INT);
}

fn clients_that_say_nothing(clients: usize) {
    let serving = Loaded::start(false);
    let connected: Vec<_> = (0..clients).map(|_| serving.connect()).collect();
    serving.serves_soon();
    serving.ends(Signal::TERM);
    drop(connected);
}

/// Clients that send commands without end. Every other client does not read the replies.
fn floods(clients: usize) {
    let serving = Loaded::start(false);
    let commands = "NOOP\r\nRSET\r\nEHLO a\r\nMAIL FROM:<a@b.example>\r\nWHAT\r\n".repeat(500);
    thread::scope(|scope| {
        for number in 0..clients {
            let stream = serving.connect();
            if number % 2 == 0 {
                let mut reader = stream.try_clone().unwrap();
                scope
                    .spawn(move || while reader.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {});
            }
            scope.spawn(|| {
                let mut stream = stream;
                while stream.write_all(commands.as_bytes()).is_ok() {}
            });
        }
        for _ in 0..3 {
            serving.serves_soon();
        }
        serving.ends(Signal::INT);
    });
}

#[test]
fn large_messages_that_come_at_once_hold_no_other_client_up() {
    large_messages_at_once(12, 1 << 20);
}

#[test]
#[ignore = "takes minutes"]
fn sixty_messages_of_nine_mebibytes_at_once_hold_no_other_client_up() {
    large_messages_at_once(60, 9 << 20);
}

#[test]
fn many_connections_hold_no_other_client_up() {
    clients_that_say_nothing(300);
}

#[test]
#[ignore = "takes as many descriptors"]
fn five_thousand_connections_hold_no_other_client_up() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
    clients_that_say_nothing(5000);
}

#[test]
fn floods_of_commands_hold_no_other_client_up() {
    floods(6);
}
