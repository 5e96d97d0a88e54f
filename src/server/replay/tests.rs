//! Tests of dialogues, played to clients that keep to them and to clients that depart from them.

use std::io::{Read as _, Write as _};

use super::*;

/// The departure of a client that sends these bytes and closes, as text, and the bytes that the
/// client received.
fn departure(dialogue: &str, sent: &[u8]) -> (String, Vec<u8>) {
    let server = Replay::start(dialogue).unwrap();
    let mut said = Vec::new();
    let mut client = TcpStream::connect(server.address).unwrap();
    client.write_all(sent).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    client.read_to_end(&mut said).unwrap();
    let departure = server.finish().err().map(|departure| departure.to_string());
    assert_eq!(server.heard(), sent);
    (departure.unwrap_or_default(), said)
}

#[test]
fn a_client_that_says_something_else_is_told_of() {
    let (told, _) = departure("S: 220 hi\nC: NOOP\nS: 250 ok", b"QUIT\r\n");
    assert_eq!(told, "the client had to send `NOOP` and sent `QUIT`");
}

#[test]
fn a_client_that_goes_early_or_says_more_is_told_of() {
    let (told, _) = departure("C: NOOP\nS: 250 ok\nC: QUIT", b"NOOP\r\n");
    assert_eq!(told, "the client had to send `QUIT` and closed");
    let (told, _) = departure("C:\nS: 250 ok", b"NOOP\r\nQUIT\r\n");
    assert_eq!(told, "the client had to close and sent `QUIT`");
    let (told, _) = departure("C: QUIT\nS: 221 bye\nclose", b"QUIT\r\n");
    assert_eq!(told, "");
}

#[test]
fn bytes_are_said_and_heard_as_a_transcript_shows_them() {
    let dialogue = "S: one\\\nS: \\xff\\0\ndrip: a\nC: x\\e\\\nS: \\\nclose";
    assert_eq!(departure(dialogue, b"x\x1b"), (String::new(), b"one\xff\0\r\na\r\n".to_vec()));
}

#[test]
#[should_panic(expected = "had to send `QUIT` and sent `NOOP`")]
fn a_departure_that_nobody_asks_for_fails_when_the_server_is_dropped() {
    let server = Replay::start("C: QUIT").unwrap();
    TcpStream::connect(server.address).unwrap().write_all(b"NOOP\r\n").unwrap();
}

#[test]
fn a_server_that_nobody_connects_to_ends() {
    for server in [Replay::start("S: 220 hi").unwrap(), Replay::repeat("S: 220 hi").unwrap()] {
        assert!(matches!(server.finish(), Err(Departure::Nobody)));
    }
    Replay::start("S: 220 hi").unwrap().leave();
    let wrong = Replay::start("S: 220 hi\n220 hi").unwrap_err();
    assert!(wrong.to_string().contains("`220 hi` is no line of a dialogue"), "{wrong}");
}

#[test]
fn lines_are_matched_messages_are_taken_whole_and_dialogues_come_in_turn() {
    let (told, said) = departure("re: ^EHLO \\S+$\nS: 250 ok\nclose", b"EHLO x\r\n");
    assert_eq!((told.as_str(), &said[..]), ("", &b"250 ok\r\n"[..]));
    let (told, _) = departure("re: ^EHLO", b"HELO x\r\n");
    assert_eq!(told, "the client had to send `^EHLO` and sent `HELO x`");
    let taken = b"a\r\n..b\r\n.\r\nQUIT\r\n";
    assert_eq!(departure("message\nS: 250 ok\nC: QUIT\nclose", taken).0, "");
    assert_eq!(departure("message", b"a\r\n").0, "the client had to send `.` and closed");
    assert!(step::parse("re: (").is_err() && Replay::in_turn([]).is_err());
    let server = Replay::in_turn(["S: one\nclose", "S: two\nclose", "S: three"]).unwrap();
    for wanted in ["one\r\n", "two\r\n"] {
        let mut said = String::new();
        TcpStream::connect(server.address).unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, wanted);
    }
    let fewer = server.finish().unwrap_err();
    assert_eq!(fewer.to_string(), "3 clients had to connect, and 2 did");
}

#[test]
fn a_client_that_does_not_begin_tls_is_told_of_and_secrets_are_masked() {
    let server = Replay::start("S: 220 hi\ntls\nC: QUIT").unwrap();
    let mut client = TcpStream::connect(server.address).unwrap();
    client.write_all(b"QUIT QUIT QUIT\r\n").unwrap();
    drop(client.read_to_end(&mut Vec::new()));
    let told = server.finish().unwrap_err().to_string();
    assert!(told.starts_with("the client did not go through with TLS: "), "{told}");
    let server = Replay::start("S: 220 hi\nC:\nclose").unwrap();
    let mut client = TcpStream::connect(server.address).unwrap();
    client.write_all(b"AUTH PLAIN AGhvZ2UAcHBwd3d3\r\n").unwrap();
    drop(client.read_to_end(&mut Vec::new()));
    server.finish().unwrap();
    let said = server.transcript().to_string();
    assert!(said.contains("C: AUTH PLAIN [SECRET]") && !said.contains("AGhv"), "{said}");
}

#[test]
fn a_departure_shows_no_secret_and_shows_a_bare_lf() {
    let (told, _) = departure("S: +OK hi\nC: PASS a1b2c3\nS: +OK", b"PASS Zq7Xy9Kw2Lm\r\n");
    assert_eq!(told, "the client had to send `PASS [SECRET]` and sent `PASS [SECRET]`");
    let (told, _) = departure("S: 220 hi\nC: QUIT\nS: 221 bye", b"QUIT\n");
    assert_eq!(told, "the client had to send `QUIT` and sent `QUIT\\n`");
}

#[test]
fn any_number_of_clients_are_played_to_and_each_is_held_to_the_dialogue() {
    let server = Replay::repeat("S: 220 hi\nC: QUIT\nS: 221 bye\nclose").unwrap();
    let say = |line: &[u8]| {
        let mut client = TcpStream::connect(server.address).unwrap();
        client.write_all(line).unwrap();
        drop(client.read_to_end(&mut Vec::new()));
    };
    say(b"QUIT\r\n");
    say(b"NOOP\r\n");
    say(b"QUIT\r\n");
    let departure = server.finish().unwrap_err();
    assert_eq!(departure.to_string(), "the client had to send `QUIT` and sent `NOOP`");
}
