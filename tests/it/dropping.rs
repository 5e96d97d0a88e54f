//! Sessions of Rust tests that are dropped in the middle of a dialogue, or used on another runtime:
//! the test fails and says so.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mailexpect::server::Listener;
use mailexpect::{ErrorKind, Result, Session, block_on};

use crate::peer::Peer;

/// The message with which a test panics; empty if it does not.
fn panics(test: impl FnOnce()) -> String {
    let panicked = catch_unwind(AssertUnwindSafe(test)).err();
    panicked.map_or(String::new(), |said| *said.downcast::<String>().unwrap())
}

fn greeted(peer: &Peer) -> Session {
    let mut session = block_on(Session::connect(&peer.url("smtp"))).unwrap();
    block_on(session.expect(220)).unwrap();
    session
}

#[test]
fn a_session_that_is_dropped_with_a_reply_owed_fails_the_test() {
    let peer = Peer::parse("S: 220 hi\nC: NOOP\nS: 250 ok");
    let said = panics(|| {
        let mut session = greeted(&peer);
        block_on(session.send("NOOP")).unwrap();
    });
    assert!(said.contains("the reply to the last command was never expected"), "{said}");
    assert!(said.contains("finish()") && said.contains("leave()"), "{said}");
    assert!(said.contains("    C: NOOP"), "the transcript is shown: {said}");
}

#[test]
fn a_session_that_is_dropped_before_its_greeting_fails_the_test() {
    let peer = Peer::parse("S: 220 hi");
    let said = panics(|| drop(block_on(Session::connect(&peer.url("smtp"))).unwrap()));
    assert!(said.contains("the greeting was never expected"), "{said}");
}

#[test]
fn a_session_that_is_dropped_with_something_unread_fails_the_test() {
    let peer = Peer::parse("S: 220 hi\nS: 250 more");
    let said = panics(|| drop(greeted(&peer)));
    assert!(said.contains("something came that was never expected"), "{said}");
    assert!(said.contains("250 more"), "{said}");
}

#[test]
fn a_server_that_is_dropped_before_it_has_answered_fails_the_test() {
    let said = panics(|| {
        let listener = block_on(Listener::bind("smtp")).unwrap();
        let client = std::net::TcpStream::connect((listener.host(), listener.port())).unwrap();
        block_on(async {
            let mut session = listener.accept().await.unwrap();
            session.greet("").await.unwrap();
            (&client).write_all(b"EHLO me\r\n").unwrap();
            session.expect_command("EHLO").await.unwrap();
        });
    });
    assert!(said.contains("the client's last command was never answered"), "{said}");
}

#[test]
fn a_session_that_is_left_on_purpose_is_not_judged() {
    let peer = Peer::parse("S: 220 hi\nC: NOOP\nS: 250 ok");
    let mut session = greeted(&peer);
    block_on(session.send("NOOP")).unwrap();
    session.leave();
    let peer = Peer::parse("S: 220 hi");
    drop(greeted(&peer));
}

#[test]
fn an_error_is_what_a_test_fails_with_and_no_panic_hides_it() {
    fn test(peer: &Peer) -> Result<()> {
        let mut session = greeted(peer);
        block_on(session.send("NOOP"))?;
        block_on(session.expect(250))?;
        Ok(())
    }
    let error = test(&Peer::parse("S: 220 hi\nC: NOOP\nS: 500 no")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch);
    let said = panics(|| {
        let peer = Peer::parse("S: 220 hi\nC: NOOP\nS: 500 no");
        let mut session = greeted(&peer);
        block_on(session.send("NOOP")).unwrap();
        panic!("{}", "on purpose");
    });
    assert_eq!(said, "on purpose");
}

#[test]
fn an_error_shows_its_place_in_the_source_and_the_transcript() {
    let peer = Peer::parse("S: 220 hi\nC: NOOP\nS: 500 no");
    let mut session = greeted(&peer);
    block_on(session.send("NOOP")).unwrap();
    let (error, line) = (block_on(session.expect(250)).unwrap_err(), line!());
    let shown = format!("{error:?}");
    assert!(shown.contains(&format!("at: tests/it/dropping.rs:{line}:")), "{shown}");
    assert!(shown.contains("    C: NOOP\n    S: 500 no"), "{shown}");
    assert!(!error.to_string().contains("at: "), "{error}");
}

#[tokio::test]
async fn an_error_shows_where_it_was_awaited() {
    let peer = Peer::parse("S: 500 no");
    let mut session = Session::connect(&peer.url("smtp")).await.unwrap();
    let (error, line) = (session.expect(220).await.unwrap_err(), line!());
    assert!(
        format!("{error:?}").contains(&format!("at: tests/it/dropping.rs:{line}:")),
        "{error:?}"
    );
}

#[test]
fn a_session_on_another_runtime_says_so_at_once() {
    let peer = Peer::parse("S: 220 hi\nstall");
    let mut session = greeted(&peer);
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = other.block_on(session.send("NOOP").into_future()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert_eq!(error.message(), "the session was opened on another runtime");
}
