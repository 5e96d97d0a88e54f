//! The verbs of SMTP, from Rust and from scripts, with peers that do exactly what they are told.

use mailexpect::outcome::Outcome;
use mailexpect::script::Case;
use mailexpect::server::{Embedded, Replay};
use mailexpect::{Error, Session, block_on};

use crate::peer::{Peer, says};
use crate::program::folder;

/// The outcome of a script with the server at this URL.
pub(crate) fn outcome(script: &str, url: &str) -> Outcome {
    let folder = folder(&[("script.rhai", script)]);
    Case::new(folder.path().join("script.rhai")).set("smtp", url).run()
}

fn passes(script: &str, dialogue: &str) {
    let server = Replay::start(dialogue).unwrap();
    let outcome = outcome(script, &server.url("smtp"));
    assert!(outcome.is_ok(), "{outcome:#?}");
    server.finish().unwrap();
}

/// A session whose greeting was read.
async fn greeted(url: &str) -> Session {
    let mut session = Session::connect(url).await.unwrap();
    session.expect(220).await.unwrap();
    session
}

#[test]
fn every_verb_sends_what_it_says_and_takes_its_reply() {
    passes(
        r#"// All verbs.
        let s = connect(param("smtp"));
        s.expect(220);
        s.helo("client.example");
        s.ehlo("client.example");
        s.mail("");
        s.mail("<hoge@example.com> SIZE=1000 BODY=8BITMIME RET=HDRS ENVID=a+2Bb");
        s.rcpt("alice@example.com");
        s.rcpt("<bob@example.com> NOTIFY=NEVER");
        s.rset();
        s.noop();
        s.vrfy("alice");
        s.expn("staff");
        s.help();
        s.help("MAIL");
        s.etrn("example.com");
        s.xclient(#{NAME: "a b", ADDR: "IPV6:2001:db8::1"});
        s.lhlo("client.example", #{expect: 500});
        s.quit();"#,
        "S: 220 mx.example ESMTP
        C: HELO client.example
        S: 250 mx.example
        C: EHLO client.example
        S: 250 mx.example
        C: MAIL FROM:<>
        S: 250 2.1.0 ok
        C: MAIL FROM:<hoge@example.com> SIZE=1000 BODY=8BITMIME RET=HDRS ENVID=a+2Bb
        S: 250 2.1.0 ok
        C: RCPT TO:<alice@example.com>
        S: 250 2.1.5 ok
        C: RCPT TO:<bob@example.com> NOTIFY=NEVER
        S: 251 will forward
        C: RSET
        S: 250 ok
        C: NOOP
        S: 250 ok
        C: VRFY alice
        S: 252 who knows
        C: EXPN staff
        S: 250-<alice@example.com>
        S: 250 <bob@example.com>
        C: HELP
        S: 214 see the book
        C: HELP MAIL
        S: 214 see the book
        C: ETRN example.com
        S: 253 2 messages pending
        C: XCLIENT ADDR=IPV6:2001:db8::1 NAME=a+20b
        S: 220 mx.example ESMTP
        C: LHLO client.example
        S: 500 5.5.1 this is no LMTP
        C: QUIT
        S: 221 bye
        close",
    );
}

#[test]
fn the_capabilities_of_the_last_greeting_are_remembered_until_something_makes_them_void() {
    passes(
        r#"// Capabilities.
        let s = connect(param("smtp"));
        s.expect(220);
        assert_eq(s.capabilities, ());
        let caps = s.ehlo("client.example");
        assert_eq(caps.keywords, ["X-EXPS", "SIZE", "AUTH", "AUTH", "8bitmime"]);
        assert_eq(caps.auth, ["GSSAPI", "LOGIN"]);
        assert("starttls" in caps == false && "x-exps ntlm" in caps);
        assert_eq(caps.reply.lines.len(), 6);
        s.send("HELO client.example");
        s.expect(250);
        assert_eq(s.capabilities, ());
        s.pipeline(["ehlo client.example", "NOOP"]);
        s.expect(250);
        s.expect(250);
        assert("STARTTLS" in s.capabilities);
        s.ehlo("client.example", #{expect: 503});
        assert("STARTTLS" in s.capabilities);
        s.send("STARTTLS");
        s.expect(220);
        assert_eq(s.capabilities, ());"#,
        "S: 220 mx.example ESMTP
        C: EHLO client.example
        S: 250-mx.example Hello
        S: 250-X-EXPS GSSAPI NTLM
        S: 250-SIZE
        S: 250-AUTH GSSAPI
        S: 250-AUTH=LOGIN gssapi
        S: 250 8bitmime
        C: HELO client.example
        S: 250 mx.example
        C: ehlo client.example
        C: NOOP
        S: 250-mx.example
        S: 250 STARTTLS
        S: 250 ok
        C: EHLO client.example
        S: 503 too often
        C: STARTTLS
        S: 220 go",
    );
}

#[test]
fn a_script_is_skipped_where_the_server_lacks_what_it_requires() {
    let server = Embedded::start().unwrap();
    let script = |capability: &str| {
        format!(
            "let s = connect(); s.expect(220); s.ehlo(\"c.example\"); s.require_capability(\"{capability}\"); s.quit();"
        )
    };
    assert!(outcome(&script("pipelining"), &server.smtp()).is_ok());
    let Outcome { verdict, .. } = outcome(&script("SMTPUTF8"), &server.smtp());
    let reason = format!("{verdict:?}");
    assert!(reason.contains("does not offer SMTPUTF8"), "{reason}");
    let error = failure(
        "let s = connect(); s.expect(220); s.require_capability(\"SMTPUTF8\");",
        &server.smtp(),
    );
    assert!(error.is_usage() && error.next_step().unwrap().contains("ehlo("), "{error}");
}

fn failure(script: &str, url: &str) -> Error {
    outcome(script, url).failure().unwrap().error.clone()
}

#[test]
fn a_message_goes_out_in_one_write_with_its_dots_doubled() {
    let peer = Peer::parse("S: 220 hi\nC\nS: 354 go\nC\nC\nC\nC\nS: 250 2.0.0 queued\nstall");
    block_on(async {
        let mut s = greeted(&peer.url("smtp")).await;
        let replies = s.data("Subject: x\n\n.dot").await.unwrap();
        assert_eq!((replies.len(), replies[0].text().as_ref()), (1, "250 2.0.0 queued"));
        assert_eq!(s.owed(), 0);
        s.finish().await.unwrap();
    });
    assert_eq!(peer.heard(), b"DATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\n");
}

#[test]
fn the_pattern_is_compared_with_the_refusal_of_data() {
    let script = "S: 220 hi\nC\nS: 503 5.5.1 RCPT first\nC\nS: 250 ok\nstall";
    let peer = Peer::parse(script);
    block_on(async {
        let mut s = greeted(&peer.url("smtp")).await;
        let replies = s.data("x").expect((503, "5.5.1")).await.unwrap();
        assert_eq!(replies[0].code(), Some(503));
        s.noop().await.unwrap();
    });
    assert_eq!(peer.heard(), b"DATA\r\nNOOP\r\n", "no message behind a refusal");
    let peer = Peer::parse(script);
    let error = block_on(async { greeted(&peer.url("smtp")).await.data("x").await.unwrap_err() });
    assert!(error.is_mismatch());
    assert_eq!(
        (error.expected(), error.got(), error.sent()),
        (Some("354"), Some("503 5.5.1 RCPT first"), Some("DATA"))
    );
}

#[test]
fn a_250_in_place_of_the_354_is_no_success() {
    for (expecting, answer) in [(250, "250 ok"), (250, "220 hello"), (3, "334 go")] {
        let peer = Peer::parse(&format!("S: 220 hi\nC\nS: {answer}\nstall"));
        let error = block_on(async {
            greeted(&peer.url("smtp")).await.data("x").expect(expecting).await.unwrap_err()
        });
        assert!(error.is_mismatch(), "{error}");
        assert_eq!((error.expected(), error.got()), (Some("354"), Some(answer)));
        assert_eq!(peer.heard(), b"DATA\r\n");
    }
}

#[test]
fn a_reply_ahead_of_the_dot_keeps_the_message_back() {
    let peer = Peer::parse("S: 220 hi\nC\nS: 354 go\\r\\n250 queued already\nstall");
    let error = block_on(async {
        greeted(&peer.url("smtp")).await.data("Subject: x\n").await.unwrap_err()
    });
    assert!(error.is_out_of_step(), "{error}");
    assert_eq!(error.got(), Some("unread: 250 queued already\\r\\n"));
    assert_eq!(peer.heard(), b"DATA\r\n", "nothing of it was sent");
}

#[test]
fn chunks_are_sent_as_they_are_and_answered_one_by_one() {
    let peer = Peer::parse(
        "S: 220 hi\nC\nC\nS: 250 3 octets\nC\nC\nS: 250 queued\nC\nS: 503 5.5.1 no\nC\nS: 221 bye\nstall",
    );
    block_on(async {
        let mut s = greeted(&peer.url("smtp")).await;
        s.bdat(&b".\r\n"[..], false).await.unwrap();
        assert_eq!(s.bdat("\n", true).await.unwrap().len(), 1);
        let error = s.bdat(&b""[..], true).await.unwrap_err();
        assert_eq!((error.sent(), error.got()), (Some("BDAT 0 LAST"), Some("503 5.5.1 no")));
        s.quit().await.unwrap();
    });
    assert_eq!(peer.heard(), b"BDAT 3\r\n.\r\nBDAT 2 LAST\r\n\r\nBDAT 0 LAST\r\nQUIT\r\n");
}

#[test]
fn a_chunk_that_was_refused_is_named_and_what_follows_are_commands() {
    let peer = Peer::parse("S: 220 hi\nC\nC\nS: 500 what\nC\nS: 250 ok\nstall");
    block_on(async {
        let mut s = greeted(&peer.url("smtp")).await;
        let error = s.bdat("Subject: x\n", false).await.unwrap_err();
        assert_eq!((error.sent(), error.got()), (Some("BDAT 12"), Some("500 what")));
        s.noop().await.unwrap();
    });
}

#[test]
fn prdr_gives_a_reply_for_each_recipient_and_one_for_all() {
    let dialogue = "S: 220 exim.example ESMTP
        C: MAIL FROM:<x@client.example> PRDR
        S: 250 OK, PRDR Requested
        C: RCPT TO:<alice@example.com>
        S: 250 Accepted
        C: RCPT TO:<bob@example.com>
        S: 250 Accepted
        C: DATA
        S: 354 go
        C: Hello.
        C: .
        S: 353 PRDR content analysis beginning
        S: 250 PRDR R=<alice@example.com> acceptance
        S: 550 bob does not want this one
        S: 250 id=1xUzo9-0004zQ-29 message accepted for some recipients";
    let script = |data: &str| {
        format!(
            "let s = connect(); s.expect(220); s.mail(\"<x@client.example> PRDR\");
            for to in [\"alice\", \"bob\"] {{ s.rcpt(`${{to}}@example.com`); }}
            {data}"
        )
    };
    passes(
        &script(
            "assert(s.data(\"Hello.\\n\", #{expect: [250, 550, 250]})[2].text.contains(\"id=\"));",
        ),
        dialogue,
    );
    passes(
        &script(
            "s.send(\"DATA\"); s.expect(354); s.send_message(\"Hello.\\n\"); s.expect(353); assert_eq(s.owed, 3); s.expect(250); s.expect(550); s.expect(250);",
        ),
        dialogue,
    );
    let server = Replay::start(dialogue).unwrap();
    let error = failure(&script("s.data(\"Hello.\\n\");"), &server.url("smtp"));
    assert_eq!(
        error.expected(),
        Some("250 (reply 2 of 3 to the message: one for each recipient that was accepted)")
    );
    assert_eq!(error.got(), Some("550 bob does not want this one"));
}

#[test]
fn a_353_that_nobody_asked_for_is_no_success() {
    let peer = Peer::parse("S: 220 hi\nC\nS: 354 go\nC\nC\nS: 353 go\\r\\n250 ok\nstall");
    let error = block_on(async { greeted(&peer.url("smtp")).await.data("x").await.unwrap_err() });
    assert_eq!((error.is_mismatch(), error.got()), (true, Some("353 go")));
}

#[test]
fn an_ehlo_reply_of_ten_megabytes_is_taken_and_searched() {
    let mut reply = b"250-AUTH PLAIN\r\n".repeat(650_000);
    reply.extend_from_slice(b"250 \xff\0\x1b[31m \xfe\r\n");
    let peer = Peer::parse(&format!("S: 220 hi\nC\n{}\nstall", says(&reply)));
    block_on(async {
        let mut s = greeted(&peer.url("smtp")).await;
        let capabilities = s.ehlo("x").await.unwrap();
        assert_eq!(capabilities.auth(), ["PLAIN"]);
        assert_eq!(capabilities.get("\u{fffd}"), None);
        assert!(!capabilities.has("STARTTLS") && !capabilities.has("AUTH PLAIN LOGIN"));
        assert_eq!(capabilities.keywords().last().unwrap(), "\u{fffd}\0\x1b[31m");
        assert!(s.capabilities().unwrap().has("auth plain"));
    });
    let endless = [b"220 hi\r\n".to_vec(), b"250-X\r\n".repeat(300_000)].concat();
    let endless = Peer::saying(&endless);
    let error = block_on(async {
        let mut s = Session::options().limit(1 << 20).connect(&endless.url("smtp")).await.unwrap();
        s.expect(220).await.unwrap();
        s.send_raw("EHLO x\r\n").await.unwrap();
        s.expect(250).await.unwrap_err()
    });
    assert!(error.is_too_long(), "{error}");
}

#[test]
fn a_list_of_patterns_is_for_messages_alone() {
    let server = Embedded::start().unwrap();
    let error =
        failure("let s = connect(); s.expect(220); s.noop(#{expect: [250, 550]});", &server.smtp());
    assert!(error.is_usage() && error.message().contains("`noop`, which has one reply"), "{error}");
}

#[test]
fn an_enhanced_code_that_contradicts_its_reply_is_malformed() {
    for (words, answer) in [
        (r#"s.mail("a@b")"#, "250 5.1.0 refused"),
        (r#"s.rcpt("a@b", #{expect: 550})"#, "550 2.1.5 ok"),
        ("s.noop()", "250-2.0.0 a\nS: 250 2.0.1 b"),
        (r#"s.data("x")"#, "354 go\nC\nC\nS: 250 4.2.0 queued"),
        (r#"s.send("X"); s.expect(250, "5.1")"#, "250 5.1.0 refused"),
        (r#"s.send("X"); s.expect_until(code(250, "2.1"))"#, "250-2.1.5 x\nS: 250 5.1.1 no"),
        (r#"s.send("X"); s.expect_unordered([code(250, "2.1")])"#, "250-2.1.5 x\nS: 250 5.1.1 no"),
    ] {
        let peer = Peer::parse(&format!("S: 220 hi\nC\nS: {answer}\nstall"));
        let script = format!("let s = connect(param(\"smtp\"));\ns.expect(220);\n{words};\n");
        let error = failure(&script, &peer.url("smtp"));
        assert!(error.is_malformed(), "{words}: {error}");
    }
    for (words, answer) in [
        (r#"s.ehlo("a")"#, "250-5.1.1 is my name\nS: 250 4.2.2"),
        (r#"s.rcpt("a@b")"#, "250 2 recipients"),
        (r#"s.send("X"); s.expect(250)"#, "250 5.1.0 refused"),
        (r#"s.mail("a@b", #{expect: 550})"#, "550-5.7.1 no\nS: 550 see the web"),
    ] {
        let peer = Peer::parse(&format!("S: 220 hi\nC\nS: {answer}\nstall"));
        let script = format!("let s = connect(param(\"smtp\"));\ns.expect(220);\n{words};\n");
        let outcome = outcome(&script, &peer.url("smtp"));
        assert!(outcome.is_ok(), "{words}: {outcome:#}");
    }
}
