//! IMAP against peers that do exactly what they are told.

use std::future::Future;
use std::time::Duration;

use mailexpect::{Regex, Session};

use crate::peer::{Peer, Step};

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

async fn greeted(peer: &Peer) -> Session {
    let mut session = Session::connect(&peer.url("imap")).await.unwrap();
    session.expect("* OK").await.unwrap();
    session
}

#[test]
fn responses_are_taken_whole_with_their_literals() {
    let peer = Peer::parse("S: * OK hi\nC\nS: * 1 FETCH (BODY[] {8}\nS: a\\r\\n)\nS- a)\nS: \nS: a1 OK done\nstall");
    run(async {
        let mut s = greeted(&peer).await;
        s.send("a1 FETCH 1 BODY[]").await.unwrap();
        let fetched = s.expect(Regex::new("BODY").unwrap()).await.unwrap();
        assert_eq!(fetched.bytes(), b"* 1 FETCH (BODY[] {8}\r\na\r\n)\r\na)\r\n");
        s.expect("a1 OK").await.unwrap();
        s.finish().await.unwrap();
    });
}

#[test]
fn a_code_is_refused_where_there_are_none() {
    let peer = Peer::saying(b"* OK hi\r\n");
    let error = run(async { Session::connect(&peer.url("imap")).await.unwrap().expect(250).await.unwrap_err() });
    assert!(error.is_usage());
    assert_eq!(error.message(), "IMAP has no reply codes: nothing can ever match 250");
    assert!(error.next_step().unwrap().contains("expect(\"* OK\")"));
}

#[test]
fn a_literal_that_cannot_be_held_fails_at_its_announcement() {
    for count in ["40000000", "18446744073709551615"] {
        let peer = Peer::saying(format!("* OK hi\r\n* 1 FETCH (BODY[] {{{count}}}\r\nx").as_bytes());
        let error = run(async { greeted(&peer).await.expect("* 1 FETCH").await.unwrap_err() });
        assert!(error.is_too_long(), "{error}");
        assert!(error.time().unwrap().elapsed < Duration::from_secs(5), "it did not wait for the deadline");
    }
}

#[test]
fn a_literal_that_is_never_finished_is_cut() {
    let peer = Peer::new([Step::Say(b"* OK hi\r\n* 1 FETCH (BODY[] {10}\r\nabc".to_vec()), Step::Close]);
    let error = run(async { greeted(&peer).await.expect("* 1 FETCH").await.unwrap_err() });
    assert!(error.is_malformed());
    assert_eq!(error.message(), "the connection closed in the middle of a reply");
    assert_eq!(error.came(), Some("* 1 FETCH (BODY[] {10}\\r\\nabc"));
}

#[test]
fn what_another_protocol_says_is_no_response() {
    let peer = Peer::saying(b"220 mail.example ESMTP\r\n");
    let error = run(async { Session::connect(&peer.url("imap")).await.unwrap().expect("* OK").await.unwrap_err() });
    assert!(error.is_malformed());
    assert_eq!(error.came(), Some("220 mail.example ESMTP\\r\\n"));
}
