//! Results must not depend on how the stream is cut. If a server makes them depend on it, the run
//! reports this.

use std::time::Duration;

use mailexpect::outcome::{Outcome, Verdict};
use mailexpect::redaction::Redaction;
use mailexpect::script::{Case, reference};
use mailexpect::server::Replay;
use mailexpect::transcript::lines;
use mailexpect::{Segment, Session, Transcript};

use crate::filters::filtered;
use crate::peer::{Peer, serving};
use crate::program::{Ran, folder, project, run};
use crate::real::available;
use crate::servers::{Server, exim, mailserver, sendmail};

/// The script of most tests here.
const QUIT: &str = "// A short dialogue.\nlet s = connect(param(\"smtp\"));\ns.expect(220);\ns.send(\"NOOP\");\ns.expect(250);\n\
                    s.send(\"QUIT\");\ns.expect(221);\n";

/// Runs a script with every way of cutting.
fn compared(script: &str, url: &str) -> Ran {
    let folder = folder(&[("a.rhai", script)]);
    run(
        folder.path(),
        &["run", "--segment", "a.rhai", "--timeout", "400ms", "--set", &format!("smtp={url}")],
    )
}

/// Runs a script with every way of cutting, until bytes that were sent one by one make the
/// difference. The system may join two of them in one read, and then they make none.
fn compared_bytewise(script: &str, url: &str) -> Ran {
    let mut runs = (0..20).map(|_| compared(script, url));
    let found = runs.find(|ran| ran.out.contains("byte by byte"));
    found.unwrap_or_else(|| compared(script, url))
}

fn assert_says(name: &str, ran: &Ran) {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    let filters = [
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"\b\d+(\.\d+)? (ms|s) of ", "TIME of "),
        (r"\(\d+(\.\d+)? (ms|s)\)", "(TIME)"),
        // How much of a line the first read returns depends on the scheduler of the system.
        (r"S: 500 [^\n]* is no command", "S: 500 PIECE is no command"),
        (r"( *unread S: [^\n]*\n)+", ""),
    ];
    let said = format!("exit code {:?}\n{}{}", ran.code, ran.out, ran.err);
    settings.bind(|| insta::assert_snapshot!(name, filtered(&said, &filters)));
}

/// A server that greets, and then calls `answer` for each read, with the bytes that `answer` has kept
/// so far, the new bytes, and the number of the connection.
fn reader(answer: impl Fn(&mut Vec<u8>, &[u8], u32) -> String + Send + Sync + 'static) -> String {
    let address = serving(move |mut client, number| {
        client.say("220 localhost ESMTP\r\n")?;
        let mut kept = Vec::new();
        loop {
            let read = client.read()?;
            let said = answer(&mut kept, &read, number);
            client.say(&said)?;
            if read.is_empty() || said.starts_with("221") {
                return Ok(());
            }
        }
    });
    format!("smtp://{address}")
}

fn reply(line: &[u8]) -> String {
    match line {
        b"NOOP\r\n" => "250 ok\r\n".to_owned(),
        b"QUIT\r\n" => "221 bye\r\n".to_owned(),
        b"" => String::new(),
        other => format!("500 {} is no command\r\n", other.escape_ascii()),
    }
}

/// Takes one line from the front.
fn line(kept: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = kept.iter().position(|byte| *byte == b'\n')?;
    Some(kept.drain(..=end).collect())
}

/// Answers as a correct server does: each complete line once.
fn sound(kept: &mut Vec<u8>, read: &[u8]) -> String {
    kept.extend_from_slice(read);
    std::iter::from_fn(|| line(kept)).map(|line| reply(&line)).collect()
}

#[test]
fn a_server_that_takes_one_read_for_one_line_is_found() {
    assert_says(
        "one_read_for_one_line",
        &compared_bytewise(QUIT, &reader(|_, read, _| reply(read))),
    );
}

#[test]
fn a_server_that_looks_for_crlf_in_one_read_alone_is_found() {
    let url = reader(|kept, read, _| {
        kept.extend_from_slice(read);
        if read.windows(2).any(|pair| pair == b"\r\n") {
            reply(&std::mem::take(kept))
        } else {
            String::new()
        }
    });
    assert_says("crlf_in_one_read", &compared_bytewise(QUIT, &url));
}

#[test]
fn a_server_that_loses_input_after_a_line_is_found_if_the_script_fails_whole() {
    let url = reader(|kept, read, _| {
        kept.extend_from_slice(read);
        let Some(line) = line(kept) else { return String::new() };
        kept.clear();
        reply(&line)
    });
    let script = QUIT
        .replace("s.send(\"NOOP\");", "s.pipeline([\"NOOP\", \"QUIT\"]);")
        .replace("s.send(\"QUIT\");\n", "");
    assert_says("lost_behind_a_line", &compared(&script, &url));
}

#[test]
fn a_reply_that_varies_by_itself_is_not_blamed_on_the_cut() {
    let url = reader(|kept, read, number| {
        sound(kept, read).replace("250 ok", &format!("250 ok, visitor {number}"))
    });
    assert_says("varies_by_itself", &compared(QUIT, &url));
}

#[test]
fn a_server_that_reads_lines_as_it_should_passes_and_one_that_refuses_fails_once() {
    assert_says("sound", &compared(QUIT, &reader(|kept, read, _| sound(kept, read))));
    let url = reader(|kept, read, _| sound(kept, read).replace("250 ok", "502 no"));
    assert_says("refuses", &compared(QUIT, &url));
}

#[test]
fn the_shipped_scripts_do_not_depend_on_the_cut_and_each_way_can_be_run_alone() {
    let ran = run(&project(), &["run", "--segment", "scripts"]);
    assert!(
        ran.code == Some(0) && ran.out.matches("the same in one piece, byte by byte").count() == 3,
        "{ran:?}"
    );
    for way in ["whole", "bytes", "lines", "crlf"] {
        let ran = run(&project(), &["run", &format!("--segment={way}"), "scripts"]);
        assert!(ran.code == Some(0) && ran.out.contains("3 passed"), "{ran:?}");
    }
    for args in [["--segment=byte", "-v"], ["--segment", "--repeat=2"]] {
        let ran = run(&project(), &["run", "scripts", args[0], args[1]]);
        assert!(ran.code == Some(2) && ran.err.contains("bytes"), "{ran:?}");
    }
}

fn holds_in_every_way(server: &Server) {
    let set = server
        .parameters()
        .into_iter()
        .flat_map(|(name, value)| ["--set".to_owned(), format!("{name}={value}")]);
    let known: Vec<_> = set.collect();
    for script in ["smoke", "relay", "submission"] {
        // The copy is without its golden, which belongs to another server.
        let text =
            std::fs::read_to_string(project().join(format!("scripts/{script}.rhai"))).unwrap();
        let folder = folder(&[("a.rhai", &text)]);
        let listed = run(folder.path(), &["list"]);
        // A parameter that the script does not take would be an error.
        let has = |set: &&[String]| {
            listed.out.contains(&format!("--set {}=", set[1].split('=').next().unwrap()))
        };
        let mut args = vec!["run", "--segment"];
        args.extend(known.chunks(2).filter(has).flatten().map(String::as_str));
        let ran = run(folder.path(), &args);
        assert!(
            ran.code == Some(0) && ran.out.contains("the same in one piece"),
            "{ran:?}\n{}",
            server.log()
        );
    }
}

#[test]
fn postfix_does_not_depend_on_the_cut() {
    let Some(server) = available(mailserver::start()) else { return };
    holds_in_every_way(&server);
}

#[test]
fn exim_does_not_depend_on_the_cut() {
    let Some(server) = available(exim::start()) else { return };
    holds_in_every_way(&server);
}

#[test]
fn sendmail_does_not_depend_on_the_cut() {
    let Some(server) = available(sendmail::start()) else { return };
    holds_in_every_way(&server);
}

/// The result of a run, without what varies.
fn result(outcome: &Outcome) -> Vec<String> {
    let redaction = Redaction::new()
        .preset("all")
        .unwrap()
        .regex_without_numbers(r"127\.0\.0\.1:\d+", "ADDRESS")
        .unwrap();
    let redaction =
        redaction.regex_without_numbers(r#"\b(?:r|nonce|cnonce)="?[^", ]+"#, "NONCE").unwrap();
    let verdict = match &outcome.verdict {
        Verdict::Passed => "passed".to_owned(),
        Verdict::Failed(failure) => format!("failed: {}", failure.error.message()),
        other => format!("{other:?}"),
    };
    let events = redaction.apply(&outcome.transcript).unwrap().events;
    lines(&events).iter().map(ToString::to_string).chain([verdict]).collect()
}

#[test]
fn the_examples_of_the_manual_give_the_same_in_every_way() {
    for example in reference::examples() {
        let folder = folder(&[("example.rhai", &example.script)]);
        let path = folder.path().join("example.rhai");
        let mut whole = None;
        for way in [Segment::Whole, Segment::Bytes, Segment::Crlf] {
            let mut case = Case::new(&path)
                .embedded()
                .options(Session::options().segment(way).timeout(Duration::from_secs(5)));
            let replay = example
                .dialogue
                .as_ref()
                .map(|(scheme, dialogue)| (scheme, Replay::start(dialogue).unwrap()));
            if let Some((scheme, replay)) = &replay {
                case = case.set(*scheme, replay.url(scheme));
            }
            let cut = result(&case.run());
            let whole = whole.get_or_insert_with(|| cut.clone());
            assert_eq!(whole.join("\n"), cut.join("\n"), "`{}` {way}", example.word);
        }
    }
}

#[test]
fn scripts_with_peers_give_the_same_in_every_way() {
    let passing = project().join("tests/scripts/passing");
    for entry in std::fs::read_dir(&passing).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rhai") {
            continue;
        }
        // Scripts without a peer open their own listeners.
        let Ok(text) = std::fs::read_to_string(path.with_extension("peer")) else { continue };
        let scheme = if path.ends_with("stream-login.rhai") { "tcp" } else { "smtp" };
        let run = |way| {
            let peer = Peer::parse(&text);
            let options = Session::options().segment(way).timeout(Duration::from_secs(5));
            result(&Case::new(&path).options(options).set("smtp", peer.url(scheme)).run())
        };
        let whole = run(Segment::Whole);
        for way in Segment::CUTS {
            assert_eq!(whole.join("\n"), run(way).join("\n"), "{} {way}", path.display());
        }
    }
}

#[tokio::test]
async fn unread_bytes_are_shown_whole_however_they_are_cut() {
    for way in [Segment::Whole, Segment::Bytes, Segment::Lines, Segment::Crlf] {
        let peer = Peer::parse("S: 220 hi\nC\nS: 250 one\nS: 250 two\nstall");
        let transcript = Transcript::new();
        let options = Session::options().segment(way).transcript(transcript.clone());
        let mut session = options.connect(&peer.url("smtp")).await.unwrap();
        session.expect(220).await.unwrap();
        session.send("NOOP").await.unwrap();
        session.expect(250).await.unwrap();
        let error = session.send("NOOP").await.unwrap_err();
        assert_eq!(error.got(), Some("unread: 250 two\\r\\n"), "{way}");
        session.reset().unwrap();
        assert!(transcript.to_string().contains("\nunread S: 250 two\n"), "{way}: {transcript}");
    }
}
