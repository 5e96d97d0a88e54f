//! The end of a dialogue: text after the last expectation is judged, whenever it arrives.

use std::time::{Duration, Instant};

use mailexpect::script::Case;
use mailexpect::{Error, Session, Transcript, block_on};

use crate::peer::{Peer, serving};
use crate::program::{folder, run};
use crate::sandbox;
use crate::session::SHORT;

/// The result of a dialogue with one command, if the peer goes on with `rest`.
fn end(scheme: &str, rest: &str) -> (Result<(), Error>, String) {
    let greeting = if scheme == "imap" { "* OK hi" } else { "220 hi" };
    let (answer, wanted) = if scheme == "imap" { ("a1 OK", "a1") } else { ("250 ok", "250 ok") };
    let line_end = if scheme == "tcp" { "\r\n" } else { "" };
    let peer = Peer::parse(&format!("S: {greeting}\nC\nS: {answer}\n{rest}"));
    let transcript = Transcript::new();
    let ended = block_on(async {
        let options = Session::options().transcript(transcript.clone());
        let mut session = options.connect(&peer.url(scheme)).await.unwrap();
        session.expect(format!("{greeting}{line_end}")).await.unwrap();
        session.send("a1 NOOP").await.unwrap();
        session.expect(format!("{wanted}{line_end}")).await.unwrap();
        session.finish().await
    });
    (ended, transcript.to_string())
}

#[test]
fn a_reply_that_comes_after_our_side_was_closed_is_found_and_shown() {
    for (scheme, rest, shown) in [
        ("smtp", "eof\nS: 500 extra\nclose", "500 extra"),
        ("smtp", "eof\nS: 500 ext\\\nclose", "500 ext"),
        ("smtp", "eof\nS: no reply\nclose", "no reply"),
        ("smtp", "eof\nS: 250 x\nreset", "250 x"),
        ("lmtp", "eof\nS: 250 x\nclose", "250 x"),
        ("tcp", "eof\nS: more\nclose", "more"),
        ("imap", "eof\nS: a1 OK again\nclose", "a1 OK again"),
    ] {
        for _ in 0..20 {
            let (ended, _) = end(scheme, rest);
            let error = ended.expect_err(rest);
            assert!(error.is_vacuous(), "{scheme} {rest}: {error}");
            assert!(error.got().unwrap().contains(shown), "{scheme} {rest}: {error}");
        }
    }
}

#[test]
fn a_close_is_no_fault_whenever_it_comes_and_reads_the_same() {
    for rest in ["close", "stall", "eof\nclose", "reset"] {
        let (ended, transcript) = end("smtp", rest);
        ended.unwrap_or_else(|error| panic!("{rest}: {error}"));
        assert!(transcript.ends_with("*** closed by the client\n"), "{rest}: {transcript}");
    }
}

#[test]
fn a_server_that_does_not_close_after_quit_is_not_said_to_have_closed() {
    let server = serving(|mut client, _| {
        client.say("220 hi\r\n")?;
        client.line()?;
        client.say("221 bye\r\n")?;
        loop {
            std::thread::park();
        }
    });
    let ended = |expects: bool, grace: Duration| {
        let transcript = Transcript::new();
        block_on(async {
            let options = Session::options().transcript(transcript.clone()).grace(grace);
            let mut s = options.connect(&format!("smtp://{server}")).await.unwrap();
            s.expect(220).await.unwrap();
            s.quit().await.unwrap();
            if expects {
                let late = s.expect_close().timeout(SHORT).await.unwrap_err();
                let hint = late.next_step().unwrap();
                assert!(late.is_timeout() && hint.starts_with("give the server longer"), "{late}");
                s.leave();
            } else {
                s.finish().await.unwrap();
            }
        });
        transcript.to_string()
    };
    for (expects, grace) in [(true, SHORT), (false, SHORT)] {
        let transcript = ended(expects, grace);
        assert!(transcript.ends_with("\n*** closed by the client\n"), "{expects}: {transcript}");
    }
    let transcript = ended(false, Duration::ZERO);
    assert!(transcript.ends_with("\n*** closed as agreed\n"), "not waited for: {transcript}");
}

#[test]
fn the_rest_of_a_reply_is_named_as_what_was_never_expected() {
    for (script, message) in [
        ("s.expect_bytes(\"220\");", "the rest of the greeting was never expected"),
        (
            "s.expect_bytes(\"220\"); s.send(\"NOOP\");",
            "an expect for the rest of the greeting, first",
        ),
        (
            "s.expect(220); s.send(\"EHLO a\"); s.expect_line(\"250-\");",
            "the rest of the reply to the last command was never expected",
        ),
    ] {
        let (_, error) = sandbox::message(&format!("let s = connect(); {script}"));
        assert!(error.contains(message), "{script}: {error}");
        assert!(error.contains("take a part of a reply"), "{script}: {error}");
    }
    let (_, error) = sandbox::message(
        "let s = connect(); s.expect_bytes(\"220\"); s.expect_bytes(\"\\n\"); s.send(\"\");",
    );
    assert!(error.starts_with("the reply to the last command was never expected"), "{error}");
    assert!(error.contains("an empty line was sent"), "{error}");
}

#[test]
fn no_word_uses_a_session_that_the_script_has_closed() {
    let closed = |before: &str, word: &str| {
        let opened = "let l = listen(\"smtp\"); let c = connect(l.url); let s = l.accept(); s.greet(); c.expect(220);";
        let (code, error) = sandbox::message(&format!("{opened} {before} {word};"));
        assert!(code == 2 && error.starts_with("the session is closed"), "{word}: {code} {error}");
        error
    };
    for word in [
        "expect(250)",
        "expect_line(\"x\")",
        "expect_bytes(\"x\")",
        "expect_until(250)",
        "expect_octets(1)",
        "expect_multiline()",
        "expect_unordered([1, 2])",
        "refute(250)",
        "expect_silence(\"1ms\")",
        "expect_close()",
        "expect_exit(0)",
        "noop()",
        "send(\"NOOP\")",
    ] {
        closed("c.close();", &format!("c.{word}"));
    }
    for word in ["greet()", "expect_command()", "expect_quit()", "expect_close()", "discard()"] {
        let error = closed("c.shutdown(); s.close();", &format!("s.{word}"));
        assert!(error.contains("accept() takes the next client"), "{error}");
    }
    closed("s.close(); c.expect_close();", "c.expect(250)");
}

#[test]
fn unasked_data_of_a_server_is_recorded_and_no_fault() {
    for (scheme, said) in [
        ("smtp", "421 4.3.2 shutting down"),
        ("imap", "* 4 EXISTS"),
        ("imap", "* BYE idle for too long"),
    ] {
        for rest in [format!("S: {said}\nclose"), format!("eof\nS: {said}\nclose")] {
            let (ended, transcript) = end(scheme, &rest);
            ended.unwrap_or_else(|error| panic!("{rest}: {error}"));
            assert!(transcript.contains(&format!("S: {said}\n")), "{rest}: {transcript}");
        }
    }
}

#[test]
fn close_judges_as_finish_does_and_reset_judges_nothing() {
    let peer = || Peer::parse("S: 220 hi\nC\nS: 221 bye\neof\nS: 500 extra\nclose");
    let quit = async |peer: &Peer| {
        let mut session = Session::connect(&peer.url("smtp")).await.unwrap();
        session.expect(220).await.unwrap();
        session.quit().await.unwrap();
        session
    };
    block_on(async {
        let behind_quit = peer();
        assert!(quit(&behind_quit).await.finish().await.unwrap_err().is_vacuous());
        let left = peer();
        quit(&left).await.reset().unwrap();
    });
}

#[test]
fn the_grace_bounds_a_server_that_never_closes() {
    // A `Replay` does not fit, because it closes after the client has closed its side.
    let server = serving(|mut client, _| {
        client.say("220 hi\r\n")?;
        loop {
            std::thread::park();
        }
    });
    let text = "// Ten.\nfor n in 0..10 { let s = connect(param(\"url\"), #{grace: \"2s\"}); s.expect(220); }";
    let folder = folder(&[("ten.rhai", text)]);
    let began = Instant::now();
    let outcome =
        Case::new(folder.path().join("ten.rhai")).set("url", format!("smtp://{server}")).run();
    assert!(outcome.is_ok(), "{outcome:#?}");
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(2), "the grace was not given: {took:?}");
    assert!(took < Duration::from_secs(10), "one grace for all of them: {took:?}");
}

#[test]
fn the_deadline_bounds_the_end_of_a_script_too() {
    let server = serving(|mut client, _| {
        client.say("220 hi\r\n")?;
        loop {
            std::thread::park();
        }
    });
    for script in [
        "let s = connect(param(\"url\"), #{grace: \"1m\"}); s.expect(220);",
        "let s = connect(param(\"url\"), #{grace: \"1m\"}); s.expect(220); s.close();",
        "let s = connect(param(\"url\")); s.expect(220); s.reset(); start(\"sleep 1000\");",
    ] {
        let began = Instant::now();
        let outcome = sandbox::outcome(script, |case| {
            let case = case.allow_run().options(Session::options().grace(Duration::from_mins(1)));
            case.deadline(Duration::from_millis(500)).set("url", format!("smtp://{server}"))
        });
        let failure = outcome.failure().unwrap_or_else(|| panic!("{script}: {outcome:#}"));
        assert_eq!(failure.error.message(), "the deadline of the whole script ran out", "{script}");
        assert!(failure.place.is_some() && outcome.exit_code() as u8 == 1, "{script}: {outcome:#}");
        assert!(began.elapsed() < Duration::from_secs(20), "{script}: {:?}", began.elapsed());
    }
}

#[test]
fn the_grace_bounds_a_server_that_never_stops_talking() {
    let peer = talkative("S: * OK still here", "* OK still here");
    let grace = Duration::from_millis(200);
    let began = Instant::now();
    block_on(async {
        let mut session = Session::options().grace(grace).connect(&peer.url("imap")).await.unwrap();
        session.expect("* OK").await.unwrap();
        session.finish().await.unwrap();
    });
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// A peer that goes on sending until the client has gone.
fn talkative(greeting: &str, more: &str) -> Peer {
    Peer::parse(&format!("{greeting}\nflood {} {more}", usize::MAX))
}

#[test]
fn a_peer_that_always_has_data_does_not_outlive_a_deadline() {
    let short = Duration::from_millis(200);
    for segment in [mailexpect::Segment::Whole, mailexpect::Segment::Bytes] {
        let began = Instant::now();
        let peer = talkative("S: +OK hi\nS: +OK", "..");
        block_on(async {
            let options = Session::options().segment(segment);
            let mut session = options.connect(&peer.url("pop3")).await.unwrap();
            session.expect("+OK").await.unwrap();
            // The status line has arrived already, so `send_raw` sends the command before the line
            // is expected.
            session.send_raw("RETR 1\r\n").await.unwrap();
            session.expect("+OK").await.unwrap();
            let late = session.expect_multiline().keep(false).timeout(short).await.unwrap_err();
            assert!(late.is_timeout(), "{late}");
            session.reset().unwrap();
        });
        assert!(began.elapsed() < Duration::from_secs(5), "{segment:?}: {:?}", began.elapsed());
    }
}

#[test]
fn a_flood_of_replies_ends_at_the_deadline_shows_what_was_taken_and_keeps_a_bounded_transcript() {
    let peer = talkative("S: 220 hi", "250 flood");
    let transcript = Transcript::new();
    block_on(async {
        let options = Session::options().transcript(transcript.clone());
        let mut session = options.connect(&peer.url("smtp")).await.unwrap();
        session.expect(220).await.unwrap();
        let until = session.expect_until(252).timeout(Duration::from_millis(500));
        let late = until.await.unwrap_err();
        assert!(late.got().unwrap().starts_with("250 flood\n250 flood\n"), "{late}");
        session.reset().unwrap();
    });
    assert!(transcript.events().len() < 30_000);
}

#[test]
fn a_session_that_was_left_fails_with_its_step_its_place_and_its_last_lines() {
    let begun = "let a = connect();\nlet b = connect();\nstep(\"one\");\na.expect(220);\na.send(\"NOOP\");\n\
                 step(\"two\");\nb.expect(220);\n";
    for rest in ["b.quit();\n", "for n in 0..20 {\n    b.noop();\n}\nb.quit();\nstep(\"three\");\n"]
    {
        let folder = folder(&[("a.rhai", &format!("{begun}{rest}"))]);
        let ran = run(folder.path(), &["run", "a.rhai"]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.out.contains("step: one") && ran.out.contains("session: s1"), "{}", ran.out);
        assert!(ran.out.contains("a.rhai:5:"), "{}", ran.out);
        let (_, shown) = ran.out.split_once("transcript").unwrap();
        let shown = shown.split("\n\n").next().unwrap();
        assert!(shown.contains("C: NOOP") && !shown.contains("C: QUIT"), "{}", ran.out);
        let ran = run(folder.path(), &["run", "a.rhai", "--format", "nagios"]);
        assert!(ran.out.contains("C: NOOP") && !ran.out.contains("C: QUIT"), "{}", ran.out);
        let ran = run(folder.path(), &["run", "a.rhai", "-v"]);
        assert!(ran.out.contains("s2 S: 221"), "{}", ran.out);
    }
}

#[test]
fn a_command_that_failed_unseen_names_the_step_in_which_it_was_started() {
    let script = "let s = connect();\nstep(\"one\");\nlet c = start(\"false\");\nstep(\"two\");\n\
                  s.expect(220);\ns.quit();\n";
    let folder = folder(&[("a.rhai", script)]);
    let ran = run(folder.path(), &["run", "a.rhai", "--allow-run"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("step: one") && ran.out.contains("a.rhai:3:"), "{}", ran.out);
}
