//! LMTP: one reply for each recipient.

use std::io::{BufRead as _, BufReader, Write as _};
use std::time::Duration;

use mailexpect::server::Replay;
use mailexpect::{Error, Session, block_on};

use crate::peer::Peer;
use crate::smtp::outcome;

/// The beginning of Dovecot's dialogue: three recipients, of which the second is refused.
const RECIPIENTS: &str = "S: 220 mail.example Dovecot ready.
    C: LHLO client.example
    S: 250-mail.example
    S: 250-CHUNKING
    S: 250 PIPELINING
    C: MAIL FROM:<x@client.example>
    S: 250 2.1.0 OK
    C: RCPT TO:<alice@example.com>
    S: 250 2.1.5 OK
    C: RCPT TO:<nobody@example.com>
    S: 550 5.1.1 <nobody@example.com> User doesn't exist: nobody@example.com
    C: RCPT TO:<full@example.com>
    S: 250 2.1.5 OK
    ";
const MESSAGE: &str = "C: DATA
    S: 354 OK
    C: Hello.
    C: .
    ";
const VERDICTS: &str = "S: 250 2.0.0 <alice@example.com> Saved
    S: 552 5.2.2 <full@example.com> Quota exceeded (mailbox for user is full)
    ";

fn script(rest: &str) -> String {
    format!(
        "let s = connect(); s.expect(220); assert(\"pipelining\" in s.lhlo(\"client.example\")); s.mail(\"x@client.example\");
        s.rcpt(\"alice@example.com\"); s.rcpt(\"nobody@example.com\", #{{expect: 550}}); s.rcpt(\"full@example.com\");
        {rest}"
    )
}

fn passes(dialogue: &str, rest: &str) {
    let server = Replay::start(dialogue).unwrap();
    let outcome = outcome(&script(rest), &server.url("lmtp"));
    assert!(outcome.is_ok(), "{outcome:#?}");
    server.finish().unwrap();
}

fn fails(dialogue: &str, rest: &str) -> Error {
    let server = Replay::start(dialogue).unwrap();
    outcome(&script(rest), &server.url("lmtp")).failure().unwrap().error.clone()
}

#[test]
fn a_message_has_a_reply_for_each_recipient_that_was_accepted() {
    let dialogue = [RECIPIENTS, MESSAGE, VERDICTS].concat();
    let listed = r#"let replies = s.data("Hello.\n", #{expect: [250, re(`Quota exceeded`)]});
        assert_eq(replies.len(), 2);
        assert_eq(replies[1].enhanced, "5.2.2");
        assert_eq(s.owed, 0);"#;
    passes(&dialogue, listed);
    passes(&dialogue, "s.data(\"Hello.\\n\", #{expect: re(`^(250 2|552 5)`)});");
    let by_hand = "s.send(\"DATA\"); s.expect(354); s.send_message(\"Hello.\\n\"); assert_eq(s.owed, 2); s.expect(250); s.expect(552);";
    passes(&dialogue, by_hand);
    let chunked = [RECIPIENTS, "C: BDAT 8 LAST\nC: Hello.\n", VERDICTS].concat();
    passes(&chunked, "assert_eq(s.bdat(\"Hello.\\n\", true, #{expect: [250, 552]}).len(), 2);");
}

#[test]
fn a_reply_that_does_not_fit_says_which_one_it_is() {
    let dialogue = [RECIPIENTS, MESSAGE, VERDICTS].concat();
    let error = fails(&dialogue, "s.data(\"Hello.\\n\");");
    assert_eq!(
        error.expected(),
        Some("250 (reply 2 of 2 to the message: one for each recipient that was accepted)")
    );
    assert_eq!(error.sent(), Some("."));
    for (patterns, counted) in
        [("[250]", "1, as there are patterns"), ("[250, 552, 250]", "3, as there are patterns")]
    {
        let error = fails(&dialogue, &format!("s.data(\"Hello.\\n\", #{{expect: {patterns}}});"));
        assert_eq!(
            (error.is_mismatch(), error.expected(), error.got()),
            (true, Some(counted), Some("2")),
            "{error}"
        );
    }
}

#[test]
fn a_message_for_nobody_is_refused_once() {
    let dialogue =
        [RECIPIENTS, "C: RSET\nS: 250 ok\nC: DATA\nS: 503 5.5.0 No valid recipients\n"].concat();
    passes(&dialogue, "s.rset(); assert_eq(s.data(\"Hello.\\n\", #{expect: 503}).len(), 1);");
    passes(&dialogue, "s.rset(); s.data(\"Hello.\\n\", #{expect: [503]});");
    let error = fails(&dialogue, "s.rset(); s.data(\"Hello.\\n\", #{expect: [503, 503]});");
    assert_eq!(
        (error.expected(), error.got()),
        (Some("354"), Some("503 5.5.0 No valid recipients"))
    );
}

#[test]
fn too_few_replies_are_missed() {
    for (end, kind) in [("stall", "timeout"), ("close", "closed")] {
        let peer = Peer::parse(&format!(
            "S: 220 hi\nC\nS: 250 a\nC\nS: 250 b\nC\nS: 354 go\nC\nC\nS: 250 for a\n{end}"
        ));
        let error = block_on(async {
            let mut s = Session::connect(&peer.url("lmtp")).await.unwrap();
            s.expect(220).await.unwrap();
            s.rcpt("a@b").await.unwrap();
            s.rcpt("b@b").await.unwrap();
            s.data("x").timeout(Duration::from_millis(60)).await.unwrap_err()
        });
        assert_eq!(error.kind().name(), kind, "{error}");
        assert!(error.expected().unwrap().contains("reply 2 of 2"), "{error}");
    }
}

#[test]
fn more_replies_than_recipients_are_left_unread() {
    let peer =
        Peer::parse("S: 220 hi\nC\nS: 250 a\nC\nS: 354 go\nC\nC\nS: 250 a\\r\\n250 b\nstall");
    let error = block_on(async {
        let mut s = Session::connect(&peer.url("lmtp")).await.unwrap();
        s.expect(220).await.unwrap();
        s.rcpt("a@b").await.unwrap();
        assert_eq!(s.data("x").await.unwrap().len(), 1);
        s.finish().await.unwrap_err()
    });
    assert_eq!((error.is_vacuous(), error.got()), (true, Some("250 b\\r\\n")));
}

#[test]
fn a_pipelined_dialogue_is_counted_too() {
    let dialogue = "S: 220 mail.example ready
        C: LHLO client.example
        S: 250 mail.example
        C: MAIL FROM:<x@client.example>
        C: RCPT TO:<alice@example.com>
        C: RCPT TO:<nobody@example.com>
        C: RCPT TO:<bob@example.com>
        C: DATA
        S: 250 2.1.0 OK
        S: 250 2.1.5 OK
        S: 550 5.1.1 who
        S: 250 2.1.5 OK
        S: 354 OK
        C: Hello.
        C: .
        C: QUIT
        S: 250 2.0.0 alice
        S: 452 4.2.2 bob
        S: 221 2.0.0 Bye
        close";
    let server = Replay::start(dialogue).unwrap();
    let script = r#"let s = connect();
        s.expect(220);
        s.lhlo("client.example");
        s.pipeline(["MAIL FROM:<x@client.example>", "RCPT TO:<alice@example.com>", "RCPT TO:<nobody@example.com>",
            "RCPT TO:<bob@example.com>", "DATA"]);
        for code in [250, 250, 550, 250, 354] { s.expect(code); }
        s.send_raw("Hello.\r\n.\r\nQUIT\r\n");
        assert_eq(s.owed, 3);
        s.expect(250, "2.0.0");
        assert_eq(s.owed, 2);
        s.expect(452);
        s.expect(221);
        s.expect_close();"#;
    let outcome = outcome(script, &server.url("lmtp"));
    assert!(outcome.is_ok(), "{outcome:#?}");
    server.finish().unwrap();
}

#[test]
fn a_reply_that_was_never_expected_fails_the_end() {
    let dialogue = [RECIPIENTS, MESSAGE, VERDICTS].concat();
    let error = fails(
        &dialogue,
        "s.send(\"DATA\"); s.expect(354); s.send_message(\"Hello.\\n\"); s.expect(250);",
    );
    assert_eq!(
        (error.is_vacuous(), error.message()),
        (true, "the reply to the last command was never expected")
    );
}

#[test]
fn a_unix_socket_is_spoken_to_by_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"220 ready\r\n").unwrap();
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
        stream.write_all(b"221 bye\r\n").unwrap();
        line
    });
    block_on(async {
        let mut s = Session::connect(&format!("lmtp+unix://{}", path.display())).await.unwrap();
        s.expect(220).await.unwrap();
        s.quit().await.unwrap();
        s.expect_close().await.unwrap();
    });
    assert_eq!(server.join().unwrap(), "QUIT\r\n");
}

#[test]
fn a_verb_of_another_protocol_says_which_one_is_spoken() {
    let peer = Peer::saying(b"hi\r\n");
    let error = block_on(async {
        let mut s = Session::connect(&peer.url("tcp")).await.unwrap();
        s.lhlo("x").await.unwrap_err()
    });
    assert!(
        error.is_usage() && error.message().contains("`lhlo` is a verb of SMTP and LMTP"),
        "{error}"
    );
}
