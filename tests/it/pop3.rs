//! POP3 against peers that do exactly what they are told.

use std::time::Duration;

use mailexpect::{Regex, Session};

use crate::peer::{Peer, Step};

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

/// A session whose greeting was taken.
async fn greeted(peer: &Peer) -> Session {
    let mut s = Session::connect(&peer.url("pop3")).await.unwrap();
    s.expect("+OK").await.unwrap();
    s
}

#[test]
fn a_dialogue_can_be_written_out_by_hand() {
    let peer = Peer::parse(
        "S: +OK hi\nC\nS: +OK 2 messages\\r\\n1 10\\r\\n2 20\\r\\n.\nC\nS: +OK\\r\\n..dot\\r\\n.\nC\nS: -ERR no such\nC\nS: +OK bye\nclose",
    );
    run(async {
        let mut s = greeted(&peer).await;
        s.send("LIST").await.unwrap();
        s.expect("+OK 2").await.unwrap();
        assert_eq!(s.expect_multiline().await.unwrap().lines(), ["1 10", "2 20"]);
        s.send("RETR 1").await.unwrap();
        s.expect("+OK").await.unwrap();
        assert_eq!(s.skip_multiline().await.unwrap().octets(), 6);
        s.send("RETR 9").await.unwrap();
        s.expect(Regex::new("^-ERR .*no such").unwrap()).await.unwrap();
        s.send("QUIT").await.unwrap();
        s.expect("+OK").await.unwrap();
        s.finish().await.unwrap();
    });
}

#[test]
fn nothing_is_sent_while_a_block_is_owed_whether_or_not_it_has_arrived() {
    for block in ["", "1 10\\r\\n.\\r\\n"] {
        let peer = Peer::parse(&format!("S: +OK hi\nC\nS- +OK\\r\\n{block}\nstall"));
        let (sent, expected, left) = run(async {
            let mut s = greeted(&peer).await;
            s.send("LIST").await.unwrap();
            s.expect("+OK").await.unwrap();
            (s.send("STAT").await.unwrap_err(), s.expect("+OK").await.unwrap_err(), s.finish().await.unwrap_err())
        });
        assert!(sent.is_out_of_step() && expected.is_out_of_step() && left.is_vacuous());
        assert_eq!(sent.message(), "`STAT` was about to be sent while the block of lines behind the +OK is owed");
        assert_eq!(sent.wanted(), Some("expect_multiline() for it, first"));
        assert_eq!(expected.message(), "\"+OK\" was about to be expected while the block of lines behind the +OK is owed");
        assert_eq!(left.message(), "the block of lines behind the +OK was never taken");
        assert_eq!(left.last_sent(), Some("LIST"));
    }
}

#[test]
fn a_block_may_be_taken_line_by_line_or_skipped_to_its_end() {
    let peer = Peer::parse("S: +OK hi\nC\nC\nS: +OK\\r\\n1 a\\r\\n+OK 2\\r\\n.\\r\\n+OK\\r\\n3 c\\r\\n.\nstall");
    run(async {
        let mut s = greeted(&peer).await;
        s.pipeline(["UIDL", "LIST"]).await.unwrap();
        s.expect("+OK").await.unwrap();
        s.expect_line("1 a").await.unwrap();
        assert_eq!(s.owed(), 2);
        s.expect_line("+OK 2").await.unwrap();
        s.expect_line(".").await.unwrap();
        assert_eq!(s.owed(), 1);
        s.expect("+OK").await.unwrap();
        s.expect_bytes("\r\n.\r\n").await.unwrap();
        s.finish().await.unwrap();
    });
}

#[test]
fn another_status_is_a_mismatch_that_names_the_command() {
    let peer = Peer::parse("S: +OK hi\nC\nS: +OK 0 messages\\r\\n.\nstall");
    let error = run(async {
        let mut s = greeted(&peer).await;
        s.send("LIST").await.unwrap();
        s.expect("-ERR").await.unwrap_err()
    });
    assert!(error.is_mismatch());
    assert_eq!((error.came(), error.last_sent()), (Some("+OK 0 messages"), Some("LIST")));
}

#[test]
fn hostile_answers_fail_in_words_and_hold_no_more_than_the_limit() {
    let error = run(async {
        let peer = Peer::saying(b"220 smtp here\r\n");
        Session::connect(&peer.url("pop3")).await.unwrap().expect("+OK").await.unwrap_err()
    });
    assert!(error.is_malformed() && error.message().contains("does not begin with +OK"), "{error}");
    let error = run(async {
        let peer = Peer::saying(b"+OK\0\x1b[2J\r\n");
        Session::connect(&peer.url("pop3")).await.unwrap().expect("+OK").await.unwrap_err()
    });
    assert!(error.is_malformed() && error.came() == Some("+OK\\0\\e[2J\\r\\n"), "{error}");
    let peer = Peer::new([
        Step::Say(b"+OK\r\n".to_vec()),
        Step::Hear,
        Step::Say(b"+OK\r\n".to_vec()),
        Step::Flood(4 << 20),
        Step::Stall,
    ]);
    let error = run(async {
        let mut s = greeted(&peer).await;
        s.set_limit(1 << 20);
        s.send("RETR 1").await.unwrap();
        s.expect("+OK").await.unwrap();
        s.expect_multiline().await.unwrap_err()
    });
    assert!(error.is_too_long(), "{error}");
    let peer = Peer::parse("S: +OK hi\nC\nS: +OK\\r\\nnever ends\nstall");
    let error = run(async {
        let mut s = greeted(&peer).await;
        s.send("TOP 1 0").await.unwrap();
        s.expect("+OK").await.unwrap();
        s.within(Duration::from_millis(50)).expect_multiline().await.unwrap_err()
    });
    assert!(error.is_timeout() && error.came() == Some("never ends\\r\\n"), "{error}");
}
