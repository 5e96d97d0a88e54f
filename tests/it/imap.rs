//! IMAP against peers that do exactly what they are told.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use mailexpect::imap::{Argument, Literals, Status};
use mailexpect::{Error, Regex, Session, Untagged, block_on};

use crate::filters::filtered;
use crate::peer::Peer;

const SHORT: Duration = Duration::from_millis(60);

/// Replacements for text that differs from run to run.
const FILTERS: [(&str, &str); 2] =
    [("waited: .*", "waited: [TIME]"), (r"127\.0\.0\.1:\d+", "127.0.0.1:[PORT]")];

async fn greeted(peer: &Peer) -> Session {
    let mut session = Session::connect(&peer.url("imap")).await.unwrap();
    session.expect("* OK").await.unwrap();
    session
}

#[test]
fn responses_are_taken_whole_with_their_literals() {
    let peer = Peer::parse(
        "S: * OK hi\nC\nS: * 1 FETCH (BODY[] {8}\nS: a\\r\\n)\nS: a)\\\nS: \nS: a1 OK done\nstall",
    );
    block_on(async {
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
    let error = block_on(async {
        Session::connect(&peer.url("imap")).await.unwrap().expect(250).await.unwrap_err()
    });
    assert!(error.is_usage());
    assert_eq!(error.message(), "IMAP has no reply codes: nothing can ever match 250");
    assert!(error.next_step().unwrap().contains("expect(\"* OK\")"));
}

#[test]
fn a_literal_that_cannot_be_held_fails_at_its_announcement() {
    for count in ["40000000", "18446744073709551615"] {
        let peer =
            Peer::saying(format!("* OK hi\r\n* 1 FETCH (BODY[] {{{count}}}\r\nx").as_bytes());
        let error = block_on(async { greeted(&peer).await.expect("* 1 FETCH").await.unwrap_err() });
        assert!(error.is_too_long(), "{error}");
        assert!(
            error.waited().unwrap().elapsed < Duration::from_secs(5),
            "it did not wait for the deadline"
        );
    }
}

#[test]
fn a_literal_that_is_never_finished_is_cut() {
    let peer = Peer::parse("S: * OK hi\nS: * 1 FETCH (BODY[] {10}\nS: abc\\\nclose");
    let error = block_on(async { greeted(&peer).await.expect("* 1 FETCH").await.unwrap_err() });
    assert!(error.is_malformed());
    assert_eq!(
        error.message(),
        "the connection was closed in the middle of a reply; it lacks 7 octets of a literal, of 10 that it announces"
    );
    assert_eq!(error.got(), Some("* 1 FETCH (BODY[] {10}\\r\\nabc"));
}

#[test]
fn lines_of_another_protocol_are_no_responses() {
    let peer = Peer::saying(b"220 mail.example ESMTP\r\n");
    let error = block_on(async {
        Session::connect(&peer.url("imap")).await.unwrap().expect("* OK").await.unwrap_err()
    });
    assert!(error.is_malformed());
    assert_eq!(error.got(), Some("220 mail.example ESMTP\\r\\n"));
}

/// The error of a verb, if the server sends `said` after its greeting and the command.
fn failing<T>(said: &str, verb: impl AsyncFnOnce(&mut Session) -> mailexpect::Result<T>) -> Error {
    let peer = Peer::parse(&format!("S: * OK hi\nC\n{said}"));
    block_on(async { verb(&mut greeted(&peer).await).await.err().unwrap() })
}

#[test]
fn a_refused_command_shows_the_line_that_says_so() {
    let error =
        failing("S: a1 NO [AUTHENTICATIONFAILED] Authentication failed.\nstall", async |s| {
            s.login("alice", "wonder-land1").await
        });
    assert!(error.is_mismatch());
    insta::assert_snapshot!(filtered(&error, &FILTERS), @r#"
    the reply is not the one that was expected
      expected: "OK"
      got: NO [AUTHENTICATIONFAILED] Authentication failed.
      after: a1 LOGIN alice [SECRET]
      waited: [TIME]
      session: s1, imap://127.0.0.1:[PORT]
      hint: wrong credentials; if the user is name@domain, try only the name, or the other way round
    "#);
}

#[test]
fn a_refusal_can_be_what_is_expected() {
    let peer = Peer::parse("S: * OK hi\nC\nS: a1 NO [TRYCREATE] no\nC\nS: a2 BAD what\nstall");
    block_on(async {
        let mut s = greeted(&peer).await;
        let refused = s
            .append("nosuch", "", "hi")
            .expect(Regex::new("^NO .TRYCREATE. no$").unwrap())
            .await
            .unwrap();
        assert_eq!(
            (refused.status(), refused.code().unwrap().name),
            (Some(Status::No), "TRYCREATE".to_owned())
        );
        s.command("FROB", &[]).expect("BAD").await.unwrap();
        s.finish().await.unwrap();
    });
    assert_eq!(peer.heard(), b"a1 APPEND nosuch {2}\r\na2 FROB\r\n");
}

#[test]
fn literals_wait_to_be_asked_for_and_untagged_responses_may_come_meanwhile() {
    let peer = Peer::parse(
        "S: * OK hi\nC\nS: * 4 EXISTS\nS: + go on\nC\nS: + and on\nC\nS: * 5 EXISTS\nS: a1 OK in\nstall",
    );
    block_on(async {
        let mut s = greeted(&peer).await;
        let arguments = ["al\r\nice".into(), Argument::literal("pw")];
        let answer = s.command("LOGIN", &arguments).await.unwrap();
        assert_eq!((answer.exists(), answer.untagged().len()), (Some(5), 2));
    });
    assert_eq!(peer.heard(), b"a1 LOGIN {7}\r\nal\r\nice {2}\r\npw\r\n");
}

#[test]
fn literals_with_a_plus_go_out_at_once() {
    let peer = Peer::parse("S: * OK hi\nC\nC\nS: a1 OK in\nC\nC\nS: a2 OK in\nstall");
    block_on(async {
        let mut s = greeted(&peer).await;
        s.append("Lab", "", b"\0\xff".as_slice()).literals(Literals::Plus).await.unwrap();
        s.append("Lab", "(\\Seen)", "x").literals(Literals::Minus).await.unwrap();
    });
    assert_eq!(
        peer.heard(),
        b"a1 APPEND Lab {2+}\r\n\0\xff\r\na2 APPEND Lab (\\Seen) {1+}\r\nx\r\n"
    );
}

#[test]
fn the_tag_of_another_command_is_no_answer() {
    let error = failing("S: a7 OK done\nstall", async |s| s.noop().await);
    assert!(error.is_mismatch());
    assert_eq!(error.message(), "the tagged response ends another command");
    assert_eq!((error.expected(), error.got()), (Some("a1 \"OK\""), Some("a7 OK done")));
}

#[test]
fn a_goodbye_in_the_middle_is_shown_with_the_close() {
    let error = failing("S: * BYE too busy\nclose", async |s| s.select("INBOX").await);
    assert!(error.is_closed());
    assert_eq!(error.got(), Some("* BYE too busy"));
}

#[test]
fn silence_after_untagged_responses_shows_them() {
    let error = failing("S: * 3 EXISTS\nS: * 0 RECENT\nstall", async |s| {
        s.select("INBOX").timeout(SHORT).await
    });
    assert!(error.is_timeout());
    assert_eq!(error.got(), Some("* 3 EXISTS\n* 0 RECENT"));
}

#[test]
fn a_flood_of_untagged_responses_ends_at_the_limit() {
    let flood = "S: * 3 EXISTS\\r\\n* 3 EXISTS\\r\\n* 3 EXISTS\\r\\n* 3 EXISTS\n".repeat(300);
    let peer = Peer::parse(&format!("S: * OK hi\nC\n{flood}stall"));
    let error = block_on(async {
        let options = Session::options().limit(10_000);
        let mut s = options.connect(&peer.url("imap")).await.unwrap();
        s.expect("* OK").await.unwrap();
        s.noop().await.unwrap_err()
    });
    assert!(error.is_too_long());
    assert!(error.message().starts_with("untagged responses of more than 10000 bytes"), "{error}");
    assert!(error.next_step().unwrap().contains("limit"));
}

#[test]
fn bytes_that_nobody_should_send_are_taken_for_what_they_are() {
    let peer = Peer::parse(
        "S: * OK hi\nC\nS: * LIST () \"/\" a\\0b\nS: * 1 FETCH (BODY[] {3}\nS: \\0\\xff\\n)\\\nS: \nS: a1 OK \\0\nstall",
    );
    block_on(async {
        let answer = greeted(&peer).await.command("X", &[]).await.unwrap();
        assert_eq!(answer.mailboxes().unwrap()[0].name, "a\0b");
        assert_eq!(answer.fetched().unwrap()[0].content("BODY[]").unwrap(), b"\0\xff\n");
    });
}

#[test]
fn a_response_that_cannot_be_read_is_malformed_and_shown() {
    for (said, why) in [
        ("* 1 FETCH (FLAGS", "a list is not closed in a response"),
        ("* 1 FETCH x", "the FETCH response is malformed"),
        ("* 99999999999999999999 EXISTS", "the EXISTS response is malformed"),
    ] {
        let error = failing(&format!("S: {said}\nS: a1 OK done\nstall"), async |s| {
            s.fetch("1", "FLAGS").await
        });
        assert!(error.is_malformed());
        assert!(error.session().is_some_and(|session| session.contains("imap://")), "{error}");
        assert_eq!(
            (error.message(), error.got().map(|came| came.starts_with(said))),
            (why, Some(true))
        );
    }
    let deep = "(".repeat(100_000);
    let error = failing(&format!("S: * 1 FETCH {deep}\nS: a1 OK done\nstall"), async |s| {
        s.fetch("1", "FLAGS").await
    });
    assert_eq!(error.message(), "lists are nested too deep in a response");
}

#[test]
fn a_required_response_that_did_not_come_is_named_with_all_that_came() {
    let error = failing("S: * 3 EXISTS\nS: * 0 RECENT\nS: a1 OK done\nstall", async |s| {
        let untagged = Untagged::new()
            .require("* FLAGS")
            .require("* 3 EXISTS")
            .require(Regex::new("UIDNEXT").unwrap());
        s.select("INBOX").untagged(untagged).await
    });
    insta::assert_snapshot!(filtered(&error, &FILTERS), @r#"
    required untagged responses did not come
      expected: "* FLAGS"
        re(`UIDNEXT`)
      got: * 3 EXISTS
        * 0 RECENT
        a1 OK done
      after: a1 SELECT INBOX
      waited: [TIME]
      session: s1, imap://127.0.0.1:[PORT]
    "#);
}

#[test]
fn a_forbidden_response_fails_at_once() {
    let error = failing("S: * 1 EXPUNGE\nstall", async |s| {
        s.noop().untagged(Untagged::new().forbid(Regex::new("EXPUNGE").unwrap())).await
    });
    assert_eq!(error.kind().name(), "unexpected");
    assert_eq!(
        (error.expected(), error.got()),
        (Some("anything but re(`EXPUNGE`)"), Some("* 1 EXPUNGE"))
    );
}

#[test]
fn nothing_else_may_come_where_that_is_said() {
    let only = || Untagged::new().require("* 3 EXISTS").allow("* 0 RECENT").only();
    let peer = Peer::parse("S: * OK hi\nC\nS: * 0 RECENT\nS: * 3 EXISTS\nS: a1 OK done\nstall");
    block_on(async { greeted(&peer).await.noop().untagged(only()).await.unwrap() });
    let error =
        failing("S: * 3 EXISTS\nS: * 1 RECENT\nstall", async |s| s.noop().untagged(only()).await);
    assert_eq!(error.message(), "an untagged response is neither required nor allowed");
    assert_eq!(error.got(), Some("* 1 RECENT"));
}

#[test]
fn idle_hands_out_what_is_pushed_and_done_ends_it_whatever_is_unread() {
    let peer = Peer::parse(
        "S: * OK hi\nC\nS: + idling\nS: * 4 EXISTS\\r\\n* 1 RECENT\nC\nS: * 5 EXISTS\nS: a1 OK done\nC\nS: a2 BAD no\nstall",
    );
    block_on(async {
        let mut s = greeted(&peer).await;
        s.idle().await.unwrap();
        s.expect("* 4 EXISTS").await.unwrap();
        let answer = s.done().await.unwrap();
        assert_eq!((answer.recent(), answer.exists()), (Some(1), Some(5)));
        let refused = s.idle().await.unwrap_err();
        assert_eq!((refused.expected(), refused.got()), (Some("\"+\""), Some("BAD no")));
    });
    assert_eq!(peer.heard(), b"a1 IDLE\r\nDONE\r\na2 IDLE\r\n");
}

/// What comes before DONE, and nobody takes, stands where it would stand if it came a moment later.
#[test]
fn news_that_nobody_took_stands_behind_done() {
    let peer = Peer::parse(
        "S: * OK hi\nC\nS: + idling\nS: * 4 EXISTS\\r\\n* 1 RECENT\nC\nS: a1 OK done\nstall",
    );
    let shown = block_on(async {
        let mut s = greeted(&peer).await;
        s.idle().await.unwrap();
        s.expect("* 4 EXISTS").await.unwrap();
        s.done().await.unwrap();
        s.transcript().to_string()
    });
    let place = |line: &str| shown.find(line).unwrap_or_else(|| panic!("{line}: {shown}"));
    assert!(place("* 4 EXISTS") < place("C: DONE") && place("C: DONE") < place("* 1 RECENT"));
}

/// The news comes after the server has told the client to go on, and is more than one read takes.
#[test]
fn an_end_of_idle_behind_much_news_is_seen_before_done() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("imap://{}", listener.local_addr().unwrap());
    let (begun, begins) = std::sync::mpsc::channel();
    let (sent, sends) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || {
        let mut client = listener.accept().unwrap().0;
        client.set_nodelay(true).unwrap();
        client.write_all(b"* OK hi\r\n").unwrap();
        client.read_exact(&mut [0; 9]).unwrap();
        client.write_all(b"+ idling\r\n").unwrap();
        begins.recv().unwrap();
        let news = "* 1 EXISTS\r\n".repeat(500);
        client.write_all(format!("{news}a1 OK over\r\n").as_bytes()).unwrap();
        sent.send(()).unwrap();
        client.read_to_end(&mut Vec::new()).unwrap_or_default()
    });
    let error = block_on(async {
        let mut s = Session::connect(&url).await.unwrap();
        s.expect("* OK").await.unwrap();
        s.idle().await.unwrap();
        begun.send(()).unwrap();
        sends.recv().unwrap();
        s.done().await.unwrap_err()
    });
    assert_eq!(error.message(), "the server ended the IDLE before DONE");
    assert_eq!(server.join().unwrap(), 0, "nothing was sent");
}

#[test]
fn a_command_in_idle_is_told_how_to_end_it() {
    let peer = Peer::parse("S: * OK hi\nC\nS: + idling\nstall");
    block_on(async {
        let mut s = greeted(&peer).await;
        s.idle().await.unwrap();
        let error = s.noop().await.unwrap_err();
        assert_eq!(error.message(), "`noop` cannot be used while an IDLE is in progress");
        assert_eq!(error.expected(), Some("done(), first"));
    });
    assert_eq!(peer.heard(), b"a1 IDLE\r\n");
}

#[test]
fn done_without_an_idle_sends_nothing() {
    let peer = Peer::parse("S: * OK hi\nC\nS: + idling\nC\nS: a1 OK done\nstall");
    block_on(async {
        let mut s = greeted(&peer).await;
        let error = s.done().await.unwrap_err();
        assert_eq!(error.message(), "there is no IDLE for `done` to end");
        assert_eq!(error.expected(), Some("idle(), first"));
        s.idle().await.unwrap();
        s.done().await.unwrap();
        assert!(s.done().await.is_err());
    });
    assert_eq!(peer.heard(), b"a1 IDLE\r\nDONE\r\n");
}

#[test]
fn a_command_that_goes_on_is_not_waited_for() {
    let error = failing("S: + \nstall", async |s| s.command("AUTHENTICATE PLAIN", &[]).await);
    assert_eq!(error.kind().name(), "unexpected");
    assert_eq!(error.message(), "the server asks for more after the end of the command");
}

#[test]
fn unique_identifiers_are_asked_for_where_there_is_such_a_form() {
    let peer = Peer::parse("S: * OK hi\nC\nS: a1 OK done\nC\nS: a2 OK done\nstall");
    block_on(async {
        let mut s = greeted(&peer).await;
        assert!(s.noop().by_uid().await.unwrap_err().is_usage());
        s.store("7", "+FLAGS.SILENT (\\Seen)").by_uid().await.unwrap();
        assert!(s.expunge("7").await.unwrap_err().is_usage());
        s.expunge("7").by_uid().await.unwrap();
        s.finish().await.unwrap();
    });
    assert_eq!(peer.heard(), b"a1 UID STORE 7 +FLAGS.SILENT (\\Seen)\r\na2 UID EXPUNGE 7\r\n");
}

#[test]
fn capabilities_are_remembered_from_each_place_that_announces_them() {
    let peer = Peer::parse(
        "S: * OK [CAPABILITY IMAP4rev1 STARTTLS] hi\nC\nS: a1 OK [CAPABILITY IMAP4rev1 IDLE] in\nC\nS: * CAPABILITY MOVE\nS: a2 OK\nstall",
    );
    block_on(async {
        let mut s = greeted(&peer).await;
        assert!(s.capabilities().unwrap().has("STARTTLS"));
        s.login("alice", "pw").await.unwrap();
        assert!(
            s.capabilities().unwrap().has("IDLE") && !s.capabilities().unwrap().has("STARTTLS")
        );
        assert!(s.capability().await.unwrap().has("MOVE"));
        assert!(s.capabilities().unwrap().has("MOVE"));
    });
}

#[test]
fn a_verb_of_imap_is_refused_where_another_protocol_is_spoken() {
    let peer = Peer::saying(b"220 hi\r\n");
    let error = block_on(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        s.expect(220).await.unwrap();
        s.select("INBOX").await.unwrap_err()
    });
    assert_eq!(error.message(), "`select` is a verb of IMAP, and this session speaks SMTP");
}

#[test]
fn passwords_are_nowhere_in_the_transcript() {
    let peer = Peer::parse(
        "S: * OK hi\nC\nS: a1 NO not wonder \"land\nC\nS: + go\nC\nS: a2 NO not Gr\\xc3\\xbc\\xc3\\x9fe\nstall",
    );
    let transcript = block_on(async {
        let mut s = greeted(&peer).await;
        s.login("alice", "wonder \"land").expect("NO").await.unwrap();
        s.login("alice", "Gr\u{fc}\u{df}e").expect("NO").await.unwrap();
        s.transcript().to_string()
    });
    assert!(!transcript.contains("wonder") && !transcript.contains("Gr"), "{transcript}");
    assert_eq!(transcript.matches("[SECRET]").count(), 4, "{transcript}");
}
