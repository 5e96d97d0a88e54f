//! Tests of the server over real sockets.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use super::*;
use crate::transcript::{Close, Event, Transcript, What};

/// Long enough for any machine; a test that passes never waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

struct Client(TcpStream);

impl Client {
    fn connect(url: &str) -> Self {
        let stream = TcpStream::connect(address(url)).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        Self(stream)
    }

    fn greeted(url: &str) -> Self {
        let mut client = Self::connect(url);
        assert_eq!(client.reply(), "220 localhost ESMTP mailexpect embedded test server\r\n");
        client
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).expect("the server reads");
    }

    /// One reply with all its lines.
    fn reply(&mut self) -> String {
        let mut reply = Vec::new();
        loop {
            let start = reply.len();
            while reply[start..].last() != Some(&b'\n') {
                let mut byte = [0];
                self.0.read_exact(&mut byte).expect("the reply is whole");
                reply.push(byte[0]);
            }
            if reply.get(start + 3) != Some(&b'-') {
                return String::from_utf8(reply).expect("a reply is text");
            }
        }
    }

    fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n"));
        self.reply()
    }

    /// All bytes until the server closes.
    fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).expect("the server closes and does not reset");
        rest
    }
}

fn address(url: &str) -> SocketAddr {
    url.rsplit('/')
        .next()
        .and_then(|address| address.parse().ok())
        .expect("an address stands in the URL")
}

fn start() -> Embedded {
    Embedded::start().expect("the server starts")
}

fn recorded() -> (Embedded, Transcript) {
    let transcript = Transcript::new();
    (
        Embedded::options().transcript(transcript.clone()).start().expect("the server starts"),
        transcript,
    )
}

/// Closes the connection by a reset: with `SO_LINGER` at zero.
fn reset(client: Client) {
    let socket = socket2::Socket::from(client.0);
    socket.set_linger(Some(Duration::ZERO)).expect("linger can be set");
}

fn closes(events: &[Event]) -> Vec<Close> {
    let close =
        |event: &Event| if let What::Closed(close) = event.what { Some(close) } else { None };
    events.iter().filter_map(close).collect()
}

#[test]
fn a_message_is_there_before_its_client_knows() {
    let server = start();
    let mut client = Client::greeted(&server.smtp());
    assert!(client.ask("EHLO client.example").ends_with("250 ENHANCEDSTATUSCODES\r\n"));
    assert_eq!(client.ask("MAIL FROM:<a@b.example>"), "250 2.1.0 <a@b.example>... Sender ok\r\n");
    assert_eq!(
        client.ask("RCPT TO:<hoge@example.com>"),
        "250 2.1.5 <hoge@example.com>... Recipient ok\r\n"
    );
    assert_eq!(client.ask("DATA"), "354 End data with <CR><LF>.<CR><LF>\r\n");
    let accepted = client.ask("Subject: x\r\n\r\n..dot\n.\nend\r\n.");
    let id = accepted
        .strip_prefix("250 2.0.0 ")
        .and_then(|rest| rest.strip_suffix(" Message accepted for delivery\r\n"));
    let mail = server.mails().pop().expect("the mail was accepted");
    let start = format!(
        "Received: from client.example ([127.0.0.1])\r\n\tby localhost with ESMTP id {};",
        id.expect("an id")
    );
    let data = String::from_utf8_lossy(&mail.data).into_owned();
    assert!(
        data.starts_with(&start) && data.ends_with(" +0000\r\nSubject: x\r\n\r\n.dot\n.\nend\r\n"),
        "{data}"
    );
    assert_eq!(
        (mail.from.as_str(), &mail.to[..], mail.authenticated),
        ("a@b.example", &["hoge@example.com".to_owned()][..], None)
    );
    assert_eq!(client.ask("QUIT"), "221 2.0.0 localhost closing connection\r\n");
    assert_eq!(client.rest(), "");
}

#[test]
fn a_whole_transaction_may_come_in_one_write_or_byte_by_byte() {
    let server = start();
    let stream = "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@localhost>\r\nDATA\r\nHi\r\n.\r\nQUIT\r\n";
    for piece in [1, 1000] {
        let mut client = Client::connect(&server.smtp());
        client.0.set_nodelay(true).expect("the option exists");
        stream.as_bytes().chunks(piece).for_each(|bytes| client.send(bytes));
        let said = client.rest();
        let codes: Vec<_> =
            said.lines().filter(|line| line.as_bytes()[3] == b' ').map(|line| &line[..3]).collect();
        assert_eq!(codes, ["220", "250", "250", "250", "354", "250", "221"]);
    }
    assert_eq!(server.mails().len(), 2);
}

#[test]
fn submission_takes_mail_for_anywhere_from_its_user() {
    let (server, transcript) = recorded();
    for exchange in [
        &["AUTH PLAIN AGhvZ2VAZXhhbXBsZS5jb20AcHBwd3d3"][..],
        &["AUTH PLAIN", "AGhvZ2VAZXhhbXBsZS5jb20AcHBwd3d3"],
        &["AUTH LOGIN", "aG9nZUBleGFtcGxlLmNvbQ==", "cHBwd3d3"],
        &["AUTH LOGIN aG9nZUBleGFtcGxlLmNvbQ==", "cHBwd3d3"],
    ] {
        let mut client = Client::greeted(&server.submission());
        client.ask("EHLO x");
        assert_eq!(client.ask("MAIL FROM:<a@b>"), "530 5.7.0 Authentication required\r\n");
        let replies: Vec<_> = exchange.iter().map(|line| client.ask(line)).collect();
        assert_eq!(
            replies.last().map(String::as_str),
            Some("235 2.7.0 Authentication successful\r\n")
        );
        for line in ["MAIL FROM:<a@b>", "RCPT TO:<c@elsewhere.example>", "DATA", "Hi\r\n.", "QUIT"]
        {
            assert!(matches!(client.ask(line).as_bytes()[0], b'2' | b'3'), "{line}");
        }
    }
    let users: Vec<_> = server.mails().into_iter().map(|mail| mail.authenticated).collect();
    assert_eq!(users, vec![Some(Embedded::USER.to_owned()); 4]);
    drop(server);
    let shown = transcript.to_string();
    for secret in
        ["pppwww", "cHBwd3d3", "AGhvZ2VAZXhhbXBsZS5jb20AcHBwd3d3", "aG9nZUBleGFtcGxlLmNvbQ=="]
    {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("C: AUTH PLAIN [SECRET] → \\0hoge@example.com\\0[SECRET]\n"), "{shown}");
}

#[test]
fn after_too_many_errors_the_close_does_not_swallow_the_replies() {
    let server = start();
    let mut client = Client::connect(&server.smtp());
    client.send("XYZZY\r\n".repeat(10_000));
    let said = client.rest();
    assert_eq!(said.matches("500 5.5.2 ").count(), 20);
    assert!(said.ends_with("421 4.7.0 Too many errors\r\n"), "{said}");
}

#[test]
fn an_idle_client_is_told_and_closed() {
    let server =
        Embedded::options().idle(Duration::from_millis(20)).start().expect("the server starts");
    let mut client = Client::greeted(&server.smtp());
    assert_eq!(client.rest(), "421 4.4.2 Idle for too long\r\n");
}

#[test]
fn a_client_that_does_not_read_is_given_up() {
    let server =
        Embedded::options().idle(Duration::from_millis(100)).start().expect("the server starts");
    let mut greedy = Client::greeted(&server.smtp());
    greedy.0.set_write_timeout(Some(PATIENCE)).expect("a timeout can be set");
    let commands = "EHLO x\r\n".repeat(10_000);
    let error = (0..10_000)
        .find_map(|_| greedy.0.write_all(commands.as_bytes()).err())
        .expect("the server closes");
    assert!(!matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
}

#[test]
fn a_client_that_vanishes_disturbs_nobody() {
    let (server, transcript) = recorded();
    let mut steady = Client::greeted(&server.smtp());
    steady.ask("EHLO steady");
    for stop in [
        "",
        "EHLO x\r\nMAIL FROM",
        "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@localhost>\r\nDATA\r\nhalf a mess",
    ] {
        let mut closing = Client::greeted(&server.smtp());
        closing.send(stop);
        drop(closing);
        let mut resetting = Client::greeted(&server.smtp());
        resetting.send(stop);
        reset(resetting);
    }
    assert_eq!(steady.ask("NOOP"), "250 2.0.0 Ok\r\n");
    drop(Client::greeted(&server.smtp()));
    steady.ask("QUIT");
    assert_eq!(steady.rest(), "");
    assert_eq!(server.mails(), []);
    drop(server);
    assert_eq!(closes(&transcript.events()).len(), 8);
}

#[test]
fn the_transcript_says_who_closed() {
    let transcript = Transcript::new();
    let (tell, told) = sync_channel(10);
    let observed = Transcript::observed(move |event| {
        transcript.note(event.what.clone());
        if let What::Closed(close) = event.what {
            let _ = tell.send(close);
        }
    });
    let server = Embedded::options().transcript(observed).start().expect("the server starts");
    drop(Client::greeted(&server.smtp()));
    assert_eq!(told.recv_timeout(PATIENCE), Ok(Close::ByClient));
    reset(Client::greeted(&server.smtp()));
    assert_eq!(told.recv_timeout(PATIENCE), Ok(Close::ResetByClient));
    Client::greeted(&server.smtp()).ask("QUIT");
    assert_eq!(told.recv_timeout(PATIENCE), Ok(Close::ByServer));
    let client = Client::greeted(&server.submission());
    drop(server);
    assert_eq!(told.recv_timeout(PATIENCE), Ok(Close::ByServer));
    drop(client);
}

#[test]
fn a_drop_closes_connections_and_ports() {
    let server = start();
    let (smtp, submission) = (server.smtp(), server.submission());
    let mut open = [Client::greeted(&smtp), Client::greeted(&submission)];
    drop(server);
    for client in &mut open {
        let mut byte = [0];
        assert!(matches!(client.0.read(&mut byte), Ok(0) | Err(_)));
    }
    for url in [smtp, submission] {
        assert_eq!(
            TcpStream::connect(address(&url)).expect_err("nobody listens").kind(),
            ErrorKind::ConnectionRefused
        );
    }
}

#[test]
fn fifty_clients_are_served_at_once() {
    let (server, transcript) = recorded();
    let mut clients: Vec<_> = (0..50).map(|_| Client::greeted(&server.smtp())).collect();
    for line in ["EHLO x", "MAIL FROM:<>", "RCPT TO:<a@localhost>", "DATA", "Hi\r\n.", "QUIT"] {
        for client in &mut clients {
            client.send(format!("{line}\r\n"));
        }
        for client in &mut clients {
            assert!(matches!(client.reply().as_bytes()[0], b'2' | b'3'), "{line}");
        }
    }
    assert_eq!(server.mails().len(), 50);
    drop(server);
    let events = transcript.events();
    let accepted = events.iter().filter(|event| matches!(event.what, What::Accepted(_)));
    let sessions: std::collections::BTreeSet<_> =
        accepted.filter_map(|event| event.session).collect();
    assert_eq!(sessions.len(), 50);
    assert_eq!(closes(&events), [Close::ByServer; 50]);
}

#[test]
fn it_starts_and_stops_inside_another_runtime() {
    let runtime = crate::runtime::current_thread().unwrap();
    runtime.block_on(async {
        let server = start();
        assert!(Client::greeted(&server.smtp()).ask("NOOP").starts_with("250 "));
    });
}

#[test]
fn an_address_in_use_is_an_error() {
    let taken = TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (at, _listener) = taken.expect("a free port");
    let error: io::Error =
        Embedded::options().submission_at(at).start().expect_err("the port is taken");
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[test]
fn it_can_be_used_from_many_threads() {
    let server = start();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| Client::greeted(&server.smtp()).ask("QUIT"));
        }
    });
    assert_eq!(server.mails(), []);
}
