//! What a session can be asked to expect: lines, bytes, replies in any order, silence, the close.

use mailexpect::{IntoPattern as _, Pattern, Regex, Session, Transcript, block_on};

use crate::peer::Peer;
use crate::session::SHORT;

#[test]
fn data_that_is_not_kept_has_no_limit() {
    let peer = Peer::parse("flood 20971520\nS: the end\nstall");
    let transcript = Transcript::new();
    block_on(async {
        let options = Session::options().limit(1 << 20).transcript(transcript.clone());
        let mut s = options.connect(&peer.url("tcp")).await.unwrap();
        let reply = s.expect_bytes("the end\r\n").keep(false).await.unwrap();
        assert_eq!(reply.text(), "the end");
        s.finish().await.unwrap();
    });
    let text = transcript.to_string();
    assert!(text.len() < 64 << 10, "{} bytes of transcript", text.len());
    assert!(
        text.contains(" bytes left out, SHA-256 ") && text.contains("xthe end\n"),
        "{}",
        &text[text.len() - 200..]
    );
}

#[test]
fn what_is_not_kept_does_not_depend_on_packets() {
    let patterns = ["MARK".into_pattern(), Regex::new("M(A)RK").unwrap().into_pattern()];
    for pattern in patterns {
        let pattern = pattern.unwrap();
        for dialogue in ["S: xxxMARK\\", "S: xxx\\\nS: MA\\\nS: RK\\"] {
            let peer = Peer::parse(&format!("{dialogue}\nstall"));
            let reply = block_on(async {
                let mut s = Session::connect(&peer.url("tcp")).await.unwrap();
                let reply = s.expect_bytes(pattern.clone()).keep(false).await.unwrap();
                s.leave();
                reply
            });
            assert_eq!((reply.before(), reply.octets()), (&b""[..], 7), "{dialogue}");
            assert!(reply.get(1).is_none_or(|group| group == b"A"), "{dialogue}");
        }
    }
}

#[test]
fn lines_and_bytes_can_be_taken_by_hand_and_the_count_stays_right() {
    let peer = Peer::parse("S: 220-a\\r\\n220 b\nC\nS: 250-one\\r\\n250-two\\r\\n250 three\nstall");
    block_on(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        s.expect_line("220-a").await.unwrap();
        assert_eq!(s.owed(), 1);
        s.expect_line(Regex::new("").unwrap()).await.unwrap();
        assert_eq!(s.owed(), 0);
        s.send("EHLO x").await.unwrap();
        let reply = s.expect_bytes(Regex::new("t(w)o\r\n").unwrap()).await.unwrap();
        assert_eq!((reply.before(), reply.get(1)), (&b"250-one\r\n250-"[..], Some(&b"w"[..])));
        assert_eq!(s.owed(), 1);
        s.expect(250).await.unwrap();
        s.finish().await.unwrap();
    });
}

#[test]
fn replies_come_in_any_order_where_that_is_asked() {
    let peer = Peer::parse("S: 220 hi\nC\nC\nC\nS: 252 b\\r\\n250 c\\r\\n250 a\nstall");
    block_on(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        s.expect(220).await.unwrap();
        s.pipeline(["A", "B", "C"]).await.unwrap();
        let replies = s.expect_unordered(["250 a", "252", "250"]).await.unwrap();
        assert_eq!(
            replies.iter().map(|reply| reply.text().into_owned()).collect::<Vec<_>>(),
            ["250 a", "252 b", "250 c"]
        );
        s.finish().await.unwrap();
    });
}

#[test]
fn pieces_of_a_stream_come_in_any_order_if_there_is_a_way() {
    let peer = Peer::saying(b"one:1 two:2");
    block_on(async {
        let mut s = Session::connect(&peer.url("tcp")).await.unwrap();
        // The first pattern also matches `one:1`, and would leave nothing for the second one.
        let patterns = [Regex::new(r"\w+:\d").unwrap(), Regex::new(r"one:(\d)").unwrap()];
        let replies = s.expect_unordered(patterns).await.unwrap();
        assert_eq!(replies[0].get(0), Some(&b"two:2"[..]));
        assert_eq!(replies[1].get(1), Some(&b"1"[..]));
        s.finish().await.unwrap();
    });
}

#[test]
fn a_reply_that_fits_none_of_the_open_ones_fails_at_once() {
    let peer = Peer::parse("S: 220 hi\nC\nC\nS: 250 a\\r\\n250 a\nstall");
    let error = block_on(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        s.expect(220).await.unwrap();
        s.pipeline(["A", "B"]).await.unwrap();
        s.expect_unordered(["250 a", "252"]).await.unwrap_err()
    });
    assert_eq!((error.kind().name(), error.expected()), ("mismatch", Some("\"252\"")));
}

#[test]
fn one_command_may_have_several_replies() {
    // Exim's PRDR: a 353, one reply for each recipient, and a final reply.
    let peer = Peer::parse(
        "S: 220 hi\nC\nS: 354 go\nC\nC\nS: 353 PRDR\\r\\n250 R=<a>\\r\\n550 not b\\r\\n250 done\nstall",
    );
    block_on(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        s.expect(220).await.unwrap();
        s.send("DATA").await.unwrap();
        s.expect(354).await.unwrap();
        s.send_message("x").await.unwrap();
        s.expect(353).await.unwrap();
        assert_eq!(s.expect_until("250 done").await.unwrap().code(), Some(250));
        s.finish().await.unwrap();
    });
}

#[test]
fn silence_is_held_and_broken_by_bytes_and_by_the_close() {
    let silence = |script: &str| {
        let peer = Peer::parse(script);
        block_on(async move {
            let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
            s.expect(220).await.unwrap();
            s.send("XYZZY").await.unwrap();
            let silent = s.expect_silence(SHORT).await;
            if silent.is_ok() {
                assert_eq!(s.owed(), 0, "what never came is no longer owed");
                s.finish().await.unwrap();
            }
            silent
        })
    };
    silence("S: 220 hi\nC\nstall").unwrap();
    assert_eq!(
        silence("S: 220 hi\nC\nS: 500 what\nstall").unwrap_err().kind().name(),
        "unexpected"
    );
    assert!(silence("S: 220 hi\nC\nclose").unwrap_err().is_closed());
}

#[test]
fn a_refuted_line_must_not_come() {
    let peer = Peer::parse("S: 220 hi\nC\nS: 503 no\nC\nS: 250 ok\nstall");
    block_on(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        s.expect(220).await.unwrap();
        s.send("RCPT").await.unwrap();
        assert_eq!(s.refute(2).await.unwrap().code(), Some(503));
        s.send("RCPT").await.unwrap();
        let error = s.refute(2).await.unwrap_err();
        assert_eq!(
            (error.kind().name(), error.expected()),
            ("unexpected", Some("anything but 2xx"))
        );
    });
}

#[test]
fn the_close_can_be_waited_for_and_be_one_of_several() {
    let peer = Peer::parse("S: 220 hi\nC\nclose");
    block_on(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        s.expect(220).await.unwrap();
        s.send("JUNK").await.unwrap();
        let reply = s.expect_any([Pattern::regex("^5").unwrap(), Pattern::eof()]).await.unwrap();
        assert_eq!(reply.index(), 1);
        s.finish().await.unwrap();
    });
    let peer = Peer::parse("S: 220 hi\nC\nS: 500 what\nstall");
    let error = block_on(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        s.expect(220).await.unwrap();
        s.send("JUNK").await.unwrap();
        s.expect_close().await.unwrap_err()
    });
    assert_eq!(error.kind().name(), "unexpected");
}

#[test]
fn a_stream_is_searched_as_expect_does() {
    let peer = Peer::parse("S: Welcome\nS: login: \\\nC\nS: Password: \\\nstall");
    block_on(async {
        let mut s = Session::connect(&peer.url("tcp")).await.unwrap();
        let reply = s.expect("login: ").await.unwrap();
        assert_eq!(reply.before(), b"Welcome\r\n");
        s.send("me").await.unwrap();
        let error = s.send("too soon").await.unwrap_err();
        assert!(error.is_out_of_step());
        s.expect(Regex::new("[Pp]assword: $").unwrap()).await.unwrap();
        s.finish().await.unwrap();
    });
}
