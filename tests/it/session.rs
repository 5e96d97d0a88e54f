//! The Rust API against peers that do exactly what they are told.

use std::time::Duration;

use mailexpect::{Regex, Session, Transcript, block_on};

use crate::peer::Peer;

pub(crate) const SHORT: Duration = Duration::from_millis(60);

#[test]
fn replies_are_taken_whole_and_nothing_is_skipped() {
    let peer =
        Peer::parse("S: 220 hi\nC\nS: 250-one\nS: 250-two\nS: 250 three\nC\nS: 221 bye\nclose");
    block_on(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        s.expect(220).await.unwrap();
        s.send("EHLO x").await.unwrap();
        let reply = s.expect(250).await.unwrap();
        assert_eq!(reply.lines(), ["250-one", "250-two", "250 three"]);
        s.send("QUIT").await.unwrap();
        s.expect(221).await.unwrap();
        s.finish().await.unwrap();
    });
    assert_eq!(peer.heard(), b"EHLO x\r\nQUIT\r\n");
}

#[test]
fn a_transcript_is_the_same_whether_the_close_after_quit_has_come_or_not() {
    for end in ["close", "stall"] {
        let peer = Peer::parse(&format!("S: 220 hi\nC\nS: 221 bye\n{end}"));
        let transcript = Transcript::new();
        block_on(async {
            let mut s = Session::options()
                .transcript(transcript.clone())
                .connect(&peer.url("smtp"))
                .await
                .unwrap();
            s.expect(220).await.unwrap();
            s.send("QUIT").await.unwrap();
            s.expect(221).await.unwrap();
            if end == "close" {
                // The peer's thread has ended, so its close has arrived.
                peer.heard();
            }
            s.finish().await.unwrap();
        });
        assert!(
            transcript.to_string().ends_with("S: 221 bye\n*** closed as agreed\n"),
            "{end}: {transcript}"
        );
    }
}

#[test]
fn another_reply_fails_at_once_and_is_shown() {
    let peer = Peer::saying(b"554 5.7.1 no\x1b[31m\r\n");
    let error = block_on(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        s.expect(220).await.unwrap_err()
    });
    assert!(error.is_mismatch());
    assert_eq!((error.expected(), error.got()), (Some("220"), Some("554 5.7.1 no\\e[31m")));
    assert!(
        error.waited().unwrap().elapsed < Duration::from_secs(5),
        "it did not wait for the deadline"
    );
}

#[test]
fn sending_while_a_reply_is_owed_fails_whether_or_not_it_has_arrived() {
    for dialogue in ["stall", "S: 220 hi\nstall"] {
        let peer = Peer::parse(dialogue);
        let error = block_on(async {
            let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
            s.send("EHLO x").await.unwrap_err()
        });
        assert!(error.is_out_of_step());
        assert_eq!(error.message(), "`EHLO x` was about to be sent while a reply is owed");
        assert_eq!(error.expected(), Some("an expect for the greeting, first"));
        assert!(peer.heard().is_empty(), "nothing was sent");
    }
}

#[test]
fn sending_while_input_is_unread_shows_it() {
    let peer = Peer::parse("S: 220 hi\\r\\n250 more\nstall");
    let error = block_on(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        s.expect(220).await.unwrap();
        s.send("EHLO x").await.unwrap_err()
    });
    assert!(error.is_out_of_step());
    assert_eq!(error.got(), Some("unread: 250 more\\r\\n"));
}

#[test]
fn pipelining_is_asked_for_by_name() {
    let peer =
        Peer::parse("S: 220 hi\nC\nC\nC\nS: 250 a\\r\\n250 b\\r\\n354 c\nC\nC\nS: 250 d\nstall");
    block_on(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        s.expect(220).await.unwrap();
        s.pipeline(["MAIL", "RCPT", "DATA"]).await.unwrap();
        assert_eq!(s.owed(), 3);
        for code in [250, 250, 354] {
            s.expect(code).await.unwrap();
        }
        s.send_message("Hi\n").await.unwrap();
        s.expect(250).await.unwrap();
        s.finish().await.unwrap();
    });
}

#[test]
fn the_greeting_may_be_preempted_on_purpose() {
    let peer = Peer::parse("C\nS: 220 hi\nS: 250 early\nstall");
    block_on(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        s.send_raw("EHLO x\r\n").await.unwrap();
        s.expect(220).await.unwrap();
        s.expect(250).await.unwrap();
        s.finish().await.unwrap();
    });
}

#[test]
fn a_green_run_has_left_nothing_open() {
    let finish = |peer: &Peer, commands: &'static [&'static str]| {
        let url = peer.url("smtp");
        block_on(async move {
            let mut s = Session::connect(&url).await.unwrap();
            for command in commands {
                s.expect(2).await.unwrap();
                s.send(command).await.unwrap();
            }
            s.finish().await
        })
    };
    let error = finish(&Peer::saying(b"220 hi\r\n"), &[]).unwrap_err();
    assert_eq!(
        (error.kind().name(), error.message()),
        ("vacuous", "the greeting was never expected")
    );
    let error = finish(&Peer::parse("S: 220 hi\nC\nS: 250 ok\nstall"), &["NOOP"]).unwrap_err();
    assert_eq!(
        (error.kind().name(), error.message()),
        ("vacuous", "the reply to the last command was never expected")
    );
}

#[test]
fn input_left_unread_and_a_close_that_nobody_expected_fail_the_end() {
    let end = |script: &str| {
        let peer = Peer::parse(script);
        block_on(async move {
            let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
            s.expect(220).await.unwrap();
            s.send("NOOP").await.unwrap();
            s.expect(2).await.unwrap();
            // The peer's last text follows the reply directly or in a segment of its own, which has
            // to arrive first.
            let _ = s.expect_silence(SHORT).timeout(SHORT).await;
            s.finish().await
        })
    };
    assert_eq!(
        end("S: 220 hi\nC\nS: 250 ok\\r\\n500 and more\nstall").unwrap_err().message(),
        "something came that was never expected"
    );
    end("S: 220 hi\nC\nS: 250 ok\nstall").unwrap();
}

#[test]
fn a_close_after_the_last_reply_is_no_fault_whatever_the_reply() {
    for reply in ["221 bye", "421 4.3.2 shutting down", "500 what"] {
        let peer = Peer::parse(&format!("S: 220 hi\nC\nS: {reply}\nclose"));
        let finished = block_on(async move {
            let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
            s.expect(220).await.unwrap();
            s.send("QUIT").await.unwrap();
            s.expect_any([2, 4, 5]).await.unwrap();
            peer.heard();
            s.finish().await
        });
        assert!(finished.is_ok(), "{reply}: {finished:?}");
    }
}

#[test]
fn a_surprising_close_says_so_and_shows_what_came() {
    let peer = Peer::parse("S: 220 hi\nC\nS: 250-half\\\nclose");
    let error = block_on(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        s.expect(220).await.unwrap();
        s.send("EHLO x").await.unwrap();
        s.expect(250).await.unwrap_err()
    });
    assert!(error.is_malformed());
    assert!(
        error.message().starts_with("the connection was closed in the middle of a reply"),
        "{error}"
    );
    assert_eq!((error.got(), error.sent()), (Some("250-half"), Some("EHLO x")));
}

#[test]
fn a_peer_that_never_says_a_word_was_not_reached() {
    for script in ["stall", "close", "reset"] {
        let peer = Peer::parse(script);
        let error = block_on(async {
            match Session::options().timeout(SHORT).connect(&peer.url("smtp")).await {
                Ok(mut s) => s.expect(220).await.unwrap_err(),
                // The reset may arrive while connecting.
                Err(error) => error,
            }
        });
        assert!(error.is_unreachable(), "{script}: {error}");
    }
}

#[test]
fn a_deadline_is_that_of_the_operation_and_not_of_each_read() {
    let dripping = Peer::parse(&format!("drip: {}\\\nstall", "220-".repeat(500)));
    let error = block_on(async {
        let mut s = Session::connect(&dripping.url("smtp")).await.unwrap();
        s.expect(220).timeout(SHORT).await.unwrap_err()
    });
    assert!(error.is_timeout(), "{error}");
    let time = error.waited().unwrap();
    assert_eq!(time.allowed, SHORT);
    assert!(time.elapsed >= SHORT);
}

#[test]
fn a_byte_at_a_time_is_as_good_as_one_write() {
    let peer = Peer::parse("drip: 220-a\\r\\n220 b\nC\ndrip: 250 ok\nstall");
    block_on(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        assert_eq!(s.expect(220).await.unwrap().lines().len(), 2);
        s.send("NOOP").await.unwrap();
        s.expect(Regex::new("^250 ok$").unwrap()).await.unwrap();
        s.finish().await.unwrap();
    });
}

#[test]
fn a_gigabyte_without_an_end_stops_at_the_limit() {
    let peer = Peer::parse("S: 220-\\\nflood 1073741824");
    let error = block_on(async {
        let mut s = Session::options().limit(1 << 20).connect(&peer.url("smtp")).await.unwrap();
        s.expect(220).await.unwrap_err()
    });
    // The second line of the flood has no code. The session notices this long before the limit.
    assert!(error.is_malformed(), "{error}");
    let peer = Peer::parse("flood 1073741824");
    let error = block_on(async {
        let mut s = Session::options().limit(1 << 20).connect(&peer.url("tcp")).await.unwrap();
        s.expect("never").await.unwrap_err()
    });
    assert!(error.is_too_long(), "{error}");
    assert!(error.message().contains("1048576 bytes"));
}

#[test]
fn a_message_has_its_dots_doubled_and_goes_out_in_one_write() {
    let peer = Peer::parse("S: 220 hi\nC\nS: 354 go\nC\nC\nC\nS: 250 ok\nstall");
    let heard = block_on(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        s.expect(220).await.unwrap();
        s.send("DATA").await.unwrap();
        s.expect(354).await.unwrap();
        s.send_message("a\n.b").await.unwrap();
        s.expect(250).await.unwrap();
        s.finish().await.unwrap();
        drop(s);
        peer.heard()
    });
    assert_eq!(heard, b"DATA\r\na\r\n..b\r\n.\r\n");
}

#[test]
fn bytes_go_out_and_come_in_exactly() {
    let peer = Peer::parse("S: 220 hi\nC\nS: 250 \\xff\\0\nstall");
    let transcript = Transcript::new();
    let heard = block_on(async {
        let mut s = Session::options()
            .transcript(transcript.clone())
            .connect(&peer.url("smtp"))
            .await
            .unwrap();
        s.expect(220).await.unwrap();
        s.send_raw(b"NO\xfe\0OP\rx\n").await.unwrap();
        let reply = s.expect(&b"250 \xff\0"[..]).await.unwrap();
        assert_eq!(reply.bytes(), b"250 \xff\0\r\n");
        s.finish().await.unwrap();
        drop(s);
        peer.heard()
    });
    assert_eq!(heard, b"NO\xfe\0OP\rx\n");
    let text = transcript.to_string();
    assert!(
        text.contains("C: NO\\xfe\\0OP\\rx\\n\n") && text.contains("S: 250 \\xff\\0\n"),
        "{text}"
    );
}

#[test]
fn secrets_are_in_no_transcript_and_no_error() {
    let peer = Peer::parse(
        "S: 220 hi\nC\nS: 334 VXNlcm5hbWU6\nC\nS: 334 UGFzc3dvcmQ6\nC\nS: 535 5.7.8 cHBwd3d3 or pppwww is wrong\nstall",
    );
    let transcript = Transcript::new();
    let error = block_on(async {
        let mut s = Session::options()
            .transcript(transcript.clone())
            .connect(&peer.url("submission"))
            .await
            .unwrap();
        s.expect(220).await.unwrap();
        s.send("AUTH LOGIN").await.unwrap();
        s.expect(334).await.unwrap();
        s.send("aG9nZQ==").await.unwrap();
        let early = s.send("cHBwd3d3").await.unwrap_err();
        assert!(!early.to_string().contains("cHBwd3d3"), "{early}");
        s.expect(334).await.unwrap();
        s.send("cHBwd3d3").await.unwrap();
        s.expect(235).await.unwrap_err()
    });
    for text in [transcript.to_string(), error.to_string()] {
        assert!(
            text.contains("[SECRET]") && !text.contains("cHBwd3d3") && !text.contains("pppwww"),
            "{text}"
        );
    }
}

#[test]
fn many_sessions_share_one_transcript_in_order() {
    let (a, b) = (Peer::saying(b"220 a\r\n"), Peer::saying(b"220 b\r\n"));
    let transcript = Transcript::new();
    block_on(async {
        let options = Session::options().transcript(transcript.clone());
        let mut first = options.clone().connect(&a.url("smtp")).await.unwrap();
        let mut second = options.connect(&b.url("smtp")).await.unwrap();
        second.expect(220).await.unwrap();
        first.expect(220).await.unwrap();
    });
    let text = transcript.to_string();
    let order: Vec<_> = text.lines().filter(|line| line.contains("S:")).collect();
    assert_eq!(order, ["s2 S: 220 b", "s1 S: 220 a"]);
}

#[test]
fn options_of_a_call_apply_to_that_call_alone() {
    let peer = Peer::parse("S: 220 hi\nC\nS: 503 no\nC\nS: 250 ok\nC\nS: 221 bye");
    block_on(async move {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        let refused = s.expect(220).expect(550).await.unwrap_err();
        assert_eq!(refused.message(), "`expect` has no option `expect`");
        // An operation that is never awaited has no effect on the next one.
        drop(s.noop().expect(421).timeout(Duration::ZERO));
        s.expect(220).await.unwrap();
        s.mail("a@example.com").expect(503).await.unwrap();
        let misused = s.rset().keep(false).expect(503).await.unwrap_err();
        assert_eq!(
            (misused.kind().name(), misused.message()),
            ("usage", "`rset` has no option `keep`")
        );
        s.rset().await.unwrap();
        s.quit().await.unwrap();
        s.finish().await.unwrap();
    });
}
