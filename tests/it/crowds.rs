//! Many hostile clients at once, on the embedded server and on a listener of a test: clients that
//! behave well are served beside them, and memory stays bounded. Also ten thousand harmless
//! clients.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mailexpect::server::{Embedded, Listener};
use mailexpect::{Regex, Result, Session};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::program::folder;
use crate::started::Serving;

/// A name, the first text of a client, the text that it then repeats, and how many bytes are
/// repeated.
type Attack = (&'static str, &'static str, &'static str, usize);

const MIB: usize = 1 << 20;
const TO_DATA: &str = "EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@localhost>\r\nDATA\r\n";

const ATTACKS: [Attack; 13] = [
    ("says nothing", "", "", 0),
    ("slow loris", "E", "", 0),
    ("a line without end", "", "x", 64 * MIB),
    ("a command without end", "MAIL FROM:<", "x", 64 * MIB),
    ("headers without end", TO_DATA, "X-Header: x\r\n", 64 * MIB),
    ("a header without end", TO_DATA, "x", 64 * MIB),
    (
        "recipients without end",
        "EHLO x\r\nMAIL FROM:<a@b.example>\r\n",
        "RCPT TO:<c@localhost>\r\n",
        4 * MIB,
    ),
    (
        "a huge chunk",
        "EHLO x\r\nMAIL FROM:<a@b.example>\r\nBDAT 5000000000 LAST\r\n",
        "x",
        64 * MIB,
    ),
    ("wrong passwords", "EHLO x\r\n", "AUTH PLAIN AGhvZ2UAbm9uZQ==\r\n", MIB),
    ("a response without end", "EHLO x\r\nAUTH PLAIN ", "A", 64 * MIB),
    ("no TLS", "STARTTLS\r\n", "\x16\x03\x01\x7f", MIB),
    ("empty lines", "", "\r\n", MIB),
    ("control characters", "", "\x1b[2J\0\r\n", MIB),
];

/// Clients that attack until they are stopped. They do not wait for answers.
struct Crowd {
    clients: Vec<JoinHandle<()>>,
    over: Arc<AtomicBool>,
}

impl Crowd {
    /// Starts `of_each` clients of each kind of attack.
    fn gather(at: SocketAddr, of_each: usize) -> Self {
        let over = Arc::<AtomicBool>::default();
        let all = std::iter::repeat_n(ATTACKS, of_each).flatten();
        let clients = all.map(|attack| {
            let over = Arc::clone(&over);
            thread::spawn(move || Self::attack(at, attack, &over))
        });
        Self { clients: clients.collect(), over }
    }

    fn attack(at: SocketAddr, (_, first, again, bytes): Attack, over: &AtomicBool) {
        let Ok(mut stream) = TcpStream::connect(at) else { return };
        stream.set_nonblocking(true).unwrap();
        let piece = again.repeat((64 << 10) / again.len().max(1));
        let (mut rest, mut left) = (first.as_bytes(), bytes);
        let mut heard = [0; 4096];
        while !over.load(Ordering::Relaxed) {
            // Replies are read, so that the server is not blocked by a full buffer.
            if stream.read(&mut heard).is_ok_and(|count| count == 0) {
                return;
            }
            if rest.is_empty() && left > 0 {
                rest = &piece.as_bytes()[..piece.len().min(left)];
                left -= rest.len();
            }
            match stream.write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::yield_now(),
                Err(_) => return,
            }
            if rest.is_empty() && left == 0 {
                thread::park_timeout(Duration::from_millis(5));
            }
        }
    }

    fn leave(self) {
        self.over.store(true, Ordering::Relaxed);
        self.clients.into_iter().for_each(|client| client.join().unwrap());
    }
}

/// A client that behaves well, up to QUIT.
async fn behave(url: &str) -> Result<()> {
    let mut session = Session::options().timeout(Duration::from_mins(1)).connect(url).await?;
    session.expect(220).await?;
    session.ehlo("client.example").await?;
    session.mail("kim@example.com").await?;
    session.rcpt("hoge@localhost").await?;
    session.data("Subject: hi\n\nHi.\n").await?;
    session.quit().await?;
    session.finish().await
}

/// The resident memory of this process in MiB; 0 if the system does not tell it.
fn held() -> usize {
    kilobytes("/proc/self/status") / 1024
}

fn kilobytes(status: &str) -> usize {
    let status = std::fs::read_to_string(status).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// How many MiB the server, its clients and the test may hold: the server keeps mail up to 64 MiB,
/// and a message up to 10.
const BOUND: usize = 400;

#[tokio::test]
async fn a_server_serves_who_behaves_beside_a_crowd_that_does_not() {
    let transcript = mailexpect::Transcript::new();
    let server = Embedded::options().transcript(transcript).start().unwrap();
    let before = held();
    for scheme in ["smtp", "submissions"] {
        let crowd = Crowd::gather(server.addr(scheme).unwrap(), 2);
        for _ in 0..5 {
            behave(&server.smtp()).await.unwrap();
        }
        let after = held();
        assert!(after < before + BOUND, "{scheme}: {before} MiB before, {after} MiB after");
        crowd.leave();
    }
    assert!(server.mails().len() >= 10);
}

/// The server's side of a session, which answers all commands.
async fn attend(mut server: Session) -> Result<()> {
    server.greet("220 localhost").await?;
    let any = Regex::new("(?s)^")?;
    loop {
        let command = server.expect_command(any.clone()).await?;
        match command.verb().as_str() {
            "EHLO" | "MAIL" | "RCPT" => server.reply(250).await?,
            "DATA" => {
                server.reply(354).await?;
                server.expect_message().keep(false).await?;
                server.reply(250).await?;
            }
            "QUIT" => {
                server.reply(221).await?;
                return server.finish().await;
            }
            _ => server.reply(500).await?,
        }
    }
}

#[tokio::test]
async fn a_listener_serves_who_behaves_beside_a_crowd_that_does_not() {
    let before = held();
    for scheme in ["smtp", "smtps"] {
        // Each accepted session has its own transcript, which is dropped with the session.
        let options = Session::options().timeout(Duration::from_secs(5));
        let listener = Listener::options().session(options).bind(scheme).await.unwrap();
        let listener = Arc::new(listener);
        let (url, ca) = (listener.url(), listener.ca().unwrap());
        let at = (listener.host().parse::<std::net::IpAddr>().unwrap(), listener.port()).into();
        let attending = tokio::spawn(async move {
            loop {
                match listener.accept_within(Duration::from_mins(5)).await {
                    // Errors of the crowd's sessions must not fail the test.
                    Ok(session) => drop(tokio::spawn(attend(session))),
                    Err(error) if error.is_tls() || error.is_timeout() => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
        let crowd = Crowd::gather(at, 2);
        for _ in 0..5 {
            let trusting = mailexpect::tls::Options::new().ca(ca.clone());
            let options = Session::options().timeout(Duration::from_mins(1)).tls(trusting);
            let mut session = options.connect(&url).await.unwrap();
            session.expect(220).await.unwrap();
            session.ehlo("client.example").await.unwrap();
            session.mail("kim@example.com").await.unwrap();
            session.rcpt("hoge@localhost").await.unwrap();
            session.data("Subject: hi\n\nHi.\n").await.unwrap();
            session.quit().await.unwrap();
            session.finish().await.unwrap();
        }
        let after = held();
        assert!(after < before + BOUND, "{scheme}: {before} MiB before, {after} MiB after");
        crowd.leave();
        attending.abort();
    }
}

/// The program as a server, and its port.
fn start(command: &mut Command) -> (Serving, u16) {
    let mut serving = Serving::of(command);
    let port = serving.port();
    serving.read_on();
    (serving, port)
}

fn greeted(port: u16) -> std::io::Result<BufReader<TcpStream>> {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port))?);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    if line.starts_with("220") { Ok(stream) } else { Err(ErrorKind::InvalidData.into()) }
}

const SERVES: &str = "// Serves.\nserve(\"smtp\").expect_message(#{timeout: \"1h\"});\n";

#[tokio::test]
async fn silent_clients_make_room_for_others_if_no_descriptor_is_left() {
    let folder = folder(&[("serves.rhai", SERVES)]);
    let program = env!("CARGO_BIN_EXE_mailexpect");
    let limited = format!("ulimit -n 40 && exec {program} serve --script serves.rhai");
    let (_server, port) = start(Command::new("sh").args(["-c", &limited]).current_dir(&folder));
    let at = SocketAddr::from(([127, 0, 0, 1], port));
    let _silent: Vec<_> = (0..60).map(|_| TcpStream::connect(at).unwrap()).collect();
    behave(&format!("smtp://{at}")).await.unwrap();
}

/// Whether this process can have this many descriptors. Raises its limit if necessary.
fn descriptors(wanted: u64) -> bool {
    let limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|maximum| maximum < wanted) {
        return false;
    }
    let enough = Rlimit { current: Some(wanted), maximum: limit.maximum };
    limit.current.is_none_or(|current| current >= wanted)
        || setrlimit(Resource::Nofile, enough).is_ok()
}

const MANY: usize = 10_000;
/// How many KiB each connection may take.
const KIB_EACH: usize = 20;

fn ten_thousand(script: &str) {
    // The program gets the same limit as this process. A few more descriptors are for its own use.
    if !descriptors(MANY as u64 + 200) {
        eprintln!("skipped: {MANY} connections need {} descriptors (ulimit -n)", MANY + 200);
        return;
    }
    let folder = folder(&[("serves.rhai", script)]);
    let mut command = crate::program::program();
    let (server, port) = start(command.current_dir(&folder).args([
        "serve",
        "--script",
        "serves.rhai",
        "--timeout",
        "10m",
    ]));
    let status = format!("/proc/{}/status", server.child.id());
    let first = greeted(port).unwrap();
    let before = kilobytes(&status);
    let all: Vec<_> = (1..MANY).map(|_| greeted(port).unwrap().into_inner()).collect();
    let octets = (kilobytes(&status) - before) * 1024 / all.len();
    eprintln!("{MANY} connections: {octets} bytes each");
    assert!(octets <= KIB_EACH * 1024, "{octets} bytes each");
    drop((first, all));
}

#[test]
#[ignore = "ten thousand connections at once"]
fn ten_thousand_connections_to_a_server_take_little_each() {
    ten_thousand(SERVES);
}

#[test]
#[ignore = "ten thousand connections at once"]
fn ten_thousand_connections_to_a_scripted_listener_take_little_each() {
    ten_thousand(&format!(
        "// Greets.\nlet l = listen(\"smtp\");\nlet all = [];\nfor n in 0..{MANY} {{ let s = l.accept(); s.greet(); all.push(s); }}\nl.expect_none(\"1h\");\n"
    ));
}
