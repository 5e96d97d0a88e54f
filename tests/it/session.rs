//! The Rust API against peers that do exactly what they are told.

use std::future::Future;
use std::time::Duration;

use mailexpect::{Family, Pattern, Regex, Session, Transcript, dot_stuff};
use proptest::prelude::*;

use crate::peer::{Peer, closed_port, says};

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

const SHORT: Duration = Duration::from_millis(60);

#[test]
fn replies_are_taken_whole_and_nothing_is_skipped() {
    let peer =
        Peer::parse("S: 220 hi\nC\nS: 250-one\nS: 250-two\nS: 250 three\nC\nS: 221 bye\nclose");
    run(async {
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
fn a_transcript_is_the_same_whether_the_close_behind_quit_has_come_or_not() {
    for end in ["close", "stall"] {
        let peer = Peer::parse(&format!("S: 220 hi\nC\nS: 221 bye\n{end}"));
        let transcript = Transcript::new();
        run(async {
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
    let error = run(async {
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
        let error = run(async {
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
    let error = run(async {
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
    run(async {
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
    run(async {
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
        run(async move {
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
        run(async move {
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
        let finished = run(async move {
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
    let error = run(async {
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
        let error = run(async {
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
    let error = run(async {
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
    run(async {
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
    let error = run(async {
        let mut s = Session::options().limit(1 << 20).connect(&peer.url("smtp")).await.unwrap();
        s.expect(220).await.unwrap_err()
    });
    // The second line of the flood has no code. The session notices this long before the limit.
    assert!(error.is_malformed(), "{error}");
    let peer = Peer::parse("flood 1073741824");
    let error = run(async {
        let mut s = Session::options().limit(1 << 20).connect(&peer.url("tcp")).await.unwrap();
        s.expect("never").await.unwrap_err()
    });
    assert!(error.is_too_long(), "{error}");
    assert!(error.message().contains("1048576 bytes"));
}

#[test]
fn what_is_not_kept_has_no_limit() {
    let peer = Peer::parse("flood 20971520\nS: the end\nstall");
    let transcript = Transcript::new();
    run(async {
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
fn lines_and_bytes_can_be_taken_by_hand_and_the_count_stays_right() {
    let peer = Peer::parse("S: 220-a\\r\\n220 b\nC\nS: 250-one\\r\\n250-two\\r\\n250 three\nstall");
    run(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        s.expect_line("220-a").await.unwrap();
        assert_eq!(s.owed(), 1);
        s.line().await.unwrap();
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
    run(async {
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
    run(async {
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
    let error = run(async {
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
    run(async {
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
        run(async move {
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
fn what_is_refuted_must_not_come() {
    let peer = Peer::parse("S: 220 hi\nC\nS: 503 no\nC\nS: 250 ok\nstall");
    run(async {
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
    run(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        s.expect(220).await.unwrap();
        s.send("JUNK").await.unwrap();
        let reply = s.expect_any([Pattern::regex("^5").unwrap(), Pattern::eof()]).await.unwrap();
        assert_eq!(reply.index(), 1);
        s.finish().await.unwrap();
    });
    let peer = Peer::parse("S: 220 hi\nC\nS: 500 what\nstall");
    let error = run(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        s.expect(220).await.unwrap();
        s.send("JUNK").await.unwrap();
        s.expect_close().await.unwrap_err()
    });
    assert_eq!(error.kind().name(), "unexpected");
}

#[test]
fn a_half_close_still_lets_the_peer_speak() {
    let peer = Peer::parse("S: 220 hi\nC:\neof\nS: 250 late\nclose");
    run(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        s.expect(220).await.unwrap();
        s.send("NOOP").await.unwrap();
        s.shutdown().await.unwrap();
        s.expect(250).await.unwrap();
        s.expect_close().await.unwrap();
        s.finish().await.unwrap();
    });
}

#[test]
fn a_reset_leaves_without_asking_and_a_close_asks() {
    for reset in [true, false] {
        let peer = Peer::parse("S: 220 hi\nC\nstall");
        let url = peer.url("smtp");
        let left = run(async move {
            let mut s = Session::connect(&url).await.unwrap();
            s.expect(220).await.unwrap();
            s.send("NOOP").await.unwrap();
            if reset { s.reset() } else { s.close().await }
        });
        assert_eq!(left.is_ok(), reset, "{left:?}");
    }
}

#[test]
fn each_address_that_was_tried_is_told() {
    let (_held, port) = closed_port();
    let transcript = Transcript::new();
    let error = run(Session::options()
        .transcript(transcript.clone())
        .family(Family::V4)
        .connect(&format!("smtp://localhost:{port}")))
    .unwrap_err();
    assert!(error.is_unreachable());
    assert_eq!(error.got(), Some(format!("127.0.0.1:{port} refused").as_str()));
    assert!(transcript.to_string().contains(&format!("*** 127.0.0.1:{port} refused")));
    // If the name also has an IPv6 address, this address is tried and reported first.
    let peer = Peer::saying(b"220 hi\r\n");
    let url = peer.url("smtp").replace("127.0.0.1", "localhost");
    let transcript = Transcript::new();
    run(Session::options().transcript(transcript.clone()).connect(&url)).unwrap().leave();
    let tried: Vec<_> = transcript
        .to_string()
        .lines()
        .filter(|line| line.ends_with(" refused") || line.ends_with(" connected"))
        .map(str::to_owned)
        .collect();
    assert!(
        tried.last().unwrap().starts_with("*** 127.0.0.1:")
            && tried.last().unwrap().ends_with(" connected"),
        "{tried:?}"
    );
    assert!(
        tried[..tried.len() - 1]
            .iter()
            .all(|line| line.contains("::1") && line.ends_with(" refused")),
        "{tried:?}"
    );
    let error = run(Session::connect("smtp://no-such-host.invalid")).unwrap_err();
    assert!(error.is_unreachable(), "{error}");
}

#[test]
fn the_source_address_can_be_chosen() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let session =
        run(Session::options().source_ip("127.0.0.9".parse().unwrap()).connect(&url)).unwrap();
    assert_eq!(listener.accept().unwrap().1.ip().to_string(), "127.0.0.9");
    session.leave();
}

#[test]
fn ipv6_and_unix_sockets_are_reached() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let unix = std::os::unix::net::UnixListener::bind(&path).unwrap();
    run(async {
        let mut s = Session::connect(&format!("smtp+unix://{}", path.display())).await.unwrap();
        std::io::Write::write_all(&mut unix.accept().unwrap().0, b"220 hi\r\n").unwrap();
        s.expect(220).await.unwrap();
    });
    let Ok(v6) = std::net::TcpListener::bind("[::1]:0") else {
        eprintln!("skipped: this machine has no IPv6 loopback");
        return;
    };
    run(async {
        let mut s =
            Session::connect(&format!("smtp://{}", v6.local_addr().unwrap())).await.unwrap();
        std::io::Write::write_all(&mut v6.accept().unwrap().0, b"220 hi\r\n").unwrap();
        s.expect(220).await.unwrap();
    });
}

#[test]
fn a_child_process_is_spoken_with_on_its_stdin_and_stdout() {
    run(async {
        let command =
            ["sh", "-c", "echo 220 hi; read x; echo \"250 $x\"; cat >/dev/null"].map(str::to_owned);
        let mut s = Session::options().pipe(&command, "smtp").unwrap();
        s.expect(220).await.unwrap();
        s.send("NOOP").await.unwrap();
        s.expect("250 NOOP").await.unwrap();
        s.shutdown().await.unwrap();
        s.expect_close().await.unwrap();
        s.finish().await.unwrap();
        let missing = ["no-such-program-at-all".to_owned()];
        assert!(Session::options().pipe(&missing, "smtp").unwrap_err().is_unreachable());
    });
}

#[test]
fn what_a_child_complains_of_is_in_the_transcript_and_its_group_ends_with_the_session() {
    let transcript = Transcript::new();
    run(async {
        let script = "printf '\\033[31mred\\n' >&2; sleep 1000 & echo 220 $!; while read x; do echo 250 ok; done";
        let command = ["sh", "-c", script].map(str::to_owned);
        let mut s =
            Session::options().transcript(transcript.clone()).pipe(&command, "smtp").unwrap();
        let greeting = s.expect(220).await.unwrap().text().into_owned();
        for _ in 0..3 {
            s.send("NOOP").await.unwrap();
            s.expect(250).await.unwrap();
        }
        s.close().await.unwrap();
        let sleeper = greeting.strip_prefix("220 ").unwrap();
        // The process was killed, but the system may need a moment to report this, and its new
        // parent another moment to reap it.
        let state = || std::fs::read_to_string(format!("/proc/{sleeper}/stat")).unwrap_or_default();
        let started = std::time::Instant::now();
        while !(state().is_empty() || state().contains(") Z ") || state().contains(") X ")) {
            assert!(started.elapsed() < Duration::from_secs(30), "{}", state());
            std::thread::yield_now();
        }
    });
    assert!(transcript.to_string().contains("*** stderr: \\e[31mred\\n"), "{transcript}");
}

#[test]
fn a_stream_is_searched_as_expect_does() {
    let peer = Peer::parse("S: Welcome\nS: login: \\\nC\nS: Password: \\\nstall");
    run(async {
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

#[test]
fn a_peer_that_answers_while_we_write_blocks_nobody() {
    // 4 MiB of commands, each with an answer: more than the socket buffers of either side hold.
    let lines = 100_000;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let echo = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = stream.try_clone().unwrap();
        std::io::copy(&mut reader, &mut stream).unwrap();
    });
    run(async {
        let mut s = Session::connect(&url).await.unwrap();
        let line = "NOOP with something to say for itself ..";
        s.pipeline(std::iter::repeat_n(line, lines)).await.unwrap();
        s.send_raw("END").await.unwrap();
        let reply = s.expect_bytes("END").await.unwrap();
        assert_eq!(reply.before().len(), lines * (line.len() + 2));
    });
    echo.join().unwrap();
}

#[test]
fn a_peer_that_does_not_read_runs_into_the_deadline() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let error = run(async {
        let mut s = Session::connect(&url).await.unwrap();
        s.send_raw(vec![b'x'; 64 << 20]).timeout(SHORT).await.unwrap_err()
    });
    assert!(error.is_timeout());
    assert!(error.message().starts_with("the server does not read: "), "{error}");
}

#[test]
fn a_message_has_its_dots_doubled_and_goes_out_in_one_write() {
    let peer = Peer::parse("S: 220 hi\nC\nS: 354 go\nC\nC\nC\nS: 250 ok\nstall");
    let heard = run(async {
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
    let heard = run(async {
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
    let error = run(async {
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
    run(async {
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
fn a_session_is_not_tied_to_a_thread() {
    fn sendable<T: Send>(_: &T) {}
    let peer = Peer::saying(b"220 hi\r\n");
    run(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        sendable(&s);
        let expecting = s.expect(220);
        sendable(&expecting);
        expecting.await.unwrap();
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_dialogue_is_the_same_however_the_server_cuts_it(cuts in proptest::collection::vec(1usize..40, 0..6)) {
        let stream = b"220-mail\r\n220 hi\r\n250-a\r\n250 b\r\n354 go\r\n250 queued as 1A2B\r\n221 bye\r\n";
        let mut rest = &stream[..];
        let mut dialogue = Vec::new();
        for cut in cuts {
            let (piece, tail) = rest.split_at(cut.min(rest.len()));
            // `flood 0` separates the pieces, so that they are not sent in one write.
            dialogue.extend([says(piece), "flood 0".to_owned()]);
            rest = tail;
        }
        dialogue.extend([says(rest), "stall".to_owned()]);
        let peer = Peer::parse(&dialogue.join("\n"));
        let transcript = Transcript::new();
        run(async {
            let mut s = Session::options().transcript(transcript.clone()).connect(&peer.url("smtp")).await.unwrap();
            s.send_raw(b"EHLO x\r\nDATA\r\n").await.unwrap();
            s.expect(220).await.unwrap();
            s.expect(250).await.unwrap();
            s.expect(354).await.unwrap();
            s.send_raw(dot_stuff(b"x")).await.unwrap();
            let id = s.expect(Regex::new("queued as (?P<id>[0-9A-F]+)").unwrap()).await.unwrap();
            assert_eq!(id.name("id"), Some(&b"1A2B"[..]));
            s.send_raw("QUIT\r\n").await.unwrap();
            s.expect(221).await.unwrap();
            s.finish().await.unwrap();
        });
        let said: String = transcript.to_string().lines().filter(|line| line.starts_with("S:")).collect::<Vec<_>>().join("\n");
        prop_assert_eq!(said.lines().count(), 7);
    }
}

#[test]
fn what_a_call_was_given_reaches_that_call_alone() {
    let peer = Peer::parse("S: 220 hi\nC\nS: 503 no\nC\nS: 250 ok\nC\nS: 221 bye");
    run(async move {
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
