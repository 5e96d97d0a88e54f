//! POP3 against peers that do exactly what they are told.

use std::time::Duration;

use mailexpect::{Error, Regex, Session, block_on};

use crate::peer::Peer;

/// A session whose greeting was read.
async fn greeted(peer: &Peer) -> Session {
    let mut s = Session::connect(&peer.url("pop3")).await.unwrap();
    s.expect("+OK").await.unwrap();
    s
}

/// The text of an error, without what differs from run to run.
fn shown(error: &Error, peer: &Peer) -> String {
    let text = error.to_string().replace(&peer.url("pop3"), "pop3://PEER");
    text.lines().filter(|line| !line.starts_with("  waited: ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_dialogue_can_be_written_out_by_hand() {
    let peer = Peer::parse(
        "S: +OK hi\nC\nS: +OK 2 messages\\r\\n1 10\\r\\n2 20\\r\\n.\nC\nS: +OK\\r\\n..dot\\r\\n.\nC\nS: -ERR no such\nC\nS: +OK bye\nclose",
    );
    block_on(async {
        let mut s = greeted(&peer).await;
        s.send("LIST").await.unwrap();
        s.expect("+OK 2").await.unwrap();
        assert_eq!(s.expect_multiline().await.unwrap().lines(), ["1 10", "2 20"]);
        s.send("RETR 1").await.unwrap();
        s.expect("+OK").await.unwrap();
        assert_eq!(s.expect_multiline().keep(false).await.unwrap().octets(), 6);
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
        let peer = Peer::parse(&format!("S: +OK hi\nC\nS: +OK\\r\\n{block}\\\nstall"));
        let (sent, expected, left) = block_on(async {
            let mut s = greeted(&peer).await;
            s.send("LIST").await.unwrap();
            s.expect("+OK").await.unwrap();
            (
                s.send("STAT").await.unwrap_err(),
                s.expect("+OK").await.unwrap_err(),
                s.finish().await.unwrap_err(),
            )
        });
        assert!(sent.is_out_of_step() && expected.is_out_of_step() && left.is_vacuous());
        assert_eq!(
            sent.message(),
            "`STAT` was about to be sent while the block of lines after the +OK is owed"
        );
        assert_eq!(sent.expected(), Some("expect_multiline() for it, first"));
        assert_eq!(
            expected.message(),
            "\"+OK\" was about to be expected while the block of lines after the +OK is owed"
        );
        assert_eq!(left.message(), "the block of lines after the +OK was never taken");
        assert_eq!(left.sent(), Some("LIST"));
    }
}

#[test]
fn no_block_is_taken_before_the_status_line_that_announces_it() {
    let peer = Peer::parse("S: +OK hi\nC\nS: -ERR no\nstall");
    let error = block_on(async {
        let mut s = greeted(&peer).await;
        s.send("RETR 1").await.unwrap();
        s.expect_multiline().await.unwrap_err()
    });
    assert!(error.is_out_of_step(), "{error}");
    assert_eq!(
        error.message(),
        "a block of lines up to a lone dot was about to be expected while a reply is owed"
    );
}

#[test]
fn a_block_may_be_taken_line_by_line_or_skipped_to_its_end() {
    let peer = Peer::parse(
        "S: +OK hi\nC\nC\nS: +OK\\r\\n1 a\\r\\n+OK 2\\r\\n.\\r\\n+OK\\r\\n3 c\\r\\n.\nstall",
    );
    block_on(async {
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
    let error = block_on(async {
        let mut s = greeted(&peer).await;
        s.send("LIST").await.unwrap();
        s.expect("-ERR").await.unwrap_err()
    });
    assert!(error.is_mismatch());
    assert_eq!((error.got(), error.sent()), (Some("+OK 0 messages"), Some("LIST")));
}

#[test]
fn hostile_answers_fail_in_words_and_hold_no_more_than_the_limit() {
    let error = block_on(async {
        let peer = Peer::saying(b"220 smtp here\r\n");
        Session::connect(&peer.url("pop3")).await.unwrap().expect("+OK").await.unwrap_err()
    });
    assert!(error.is_malformed() && error.message().contains("does not begin with +OK"), "{error}");
    let error = block_on(async {
        let peer = Peer::saying(b"+OK\0\x1b[2J\r\n");
        Session::connect(&peer.url("pop3")).await.unwrap().expect("+OK").await.unwrap_err()
    });
    assert!(error.is_malformed() && error.got() == Some("+OK\\0\\e[2J\\r\\n"), "{error}");
    let peer = Peer::parse("S: +OK\nC\nS: +OK\nflood 4194304\nstall");
    let error = block_on(async {
        let options = Session::options().limit(1 << 20);
        let mut s = options.connect(&peer.url("pop3")).await.unwrap();
        s.expect("+OK").await.unwrap();
        s.send("RETR 1").await.unwrap();
        s.expect("+OK").await.unwrap();
        s.expect_multiline().await.unwrap_err()
    });
    assert!(error.is_too_long(), "{error}");
    let peer = Peer::parse("S: +OK hi\nC\nS: +OK\\r\\nnever ends\nstall");
    let error = block_on(async {
        let mut s = greeted(&peer).await;
        s.send("TOP 1 0").await.unwrap();
        s.expect("+OK").await.unwrap();
        s.expect_multiline().timeout(Duration::from_millis(50)).await.unwrap_err()
    });
    assert!(error.is_timeout() && error.got() == Some("never ends\\r\\n"), "{error}");
}

#[test]
fn a_reply_code_is_refused_with_what_there_is_instead() {
    let peer = Peer::saying(b"+OK hi\r\n");
    let errors = block_on(async {
        let mut s = Session::connect(&peer.url("pop3")).await.unwrap();
        [
            s.expect(220).await.unwrap_err(),
            s.expect_any([250, 2]).await.unwrap_err(),
            s.refute(5).await.unwrap_err(),
            s.noop().expect(2).await.unwrap_err(),
        ]
    });
    for error in &errors {
        assert!(error.is_usage(), "{error}");
        assert_eq!(
            error.next_step(),
            Some("say how the reply begins, as in expect(\"+OK\"), or look into it with re(...)")
        );
    }
    assert_eq!(errors[0].message(), "POP3 has no reply codes: nothing can ever match 220");
}

#[test]
fn apop_wants_the_timestamp_of_a_greeting_that_was_taken() {
    let peer =
        Peer::parse("S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\nC\nS: +OK\nstall");
    block_on(async {
        let mut s = Session::connect(&peer.url("pop3")).await.unwrap();
        let early = s.apop("mrose", "tanstaaf").await.unwrap_err();
        assert_eq!(early.message(), "`APOP mrose` was about to be sent while a reply is owed");
        s.expect("+OK").await.unwrap();
        s.apop("mrose", "tanstaaf").await.unwrap();
        assert!(
            s.transcript().to_string().contains("C: APOP mrose [SECRET]\n"),
            "{}",
            s.transcript()
        );
    });
    assert_eq!(peer.heard(), b"APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n");
    let peer = Peer::parse("S: +OK hi there\nstall");
    let error =
        block_on(async { greeted(&peer).await.apop("mrose", "tanstaaf").await.unwrap_err() });
    insta::assert_snapshot!(shown(&error, &peer), @r"
    the greeting has no timestamp: the server does not offer APOP
      expected: a greeting with a timestamp, such as <1896.697170952@mail.example> (RFC 1939, 7)
      got: +OK hi there
      session: s1, pop3://PEER
      hint: log in with login(user, password), or send(...) an APOP line of your own
    ");
    let peer = Peer::saying(b"+OK <hi> ready <there>\r\n");
    let error =
        block_on(async { greeted(&peer).await.apop("mrose", "tanstaaf").await.unwrap_err() });
    assert_eq!(error.message(), "<hi> in the greeting is no timestamp for APOP: it has no @");
    let peer = Peer::parse("S: +OK <hi> ready <1896.697170952@dbc.mtview.ca.us>\nC\nS: +OK\nstall");
    block_on(async { greeted(&peer).await.apop("mrose", "tanstaaf").await.unwrap() });
    assert_eq!(peer.heard(), b"APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n");
}

#[test]
fn a_login_that_is_refused_hides_the_password_and_says_what_to_try() {
    let peer = Peer::parse(
        "S: +OK hi\nC\nS: +OK\nC\nS: -ERR [AUTH] no hunter 22 here\nC\nS: -ERR who\nstall",
    );
    let (error, transcript) = block_on(async {
        let mut s = greeted(&peer).await;
        let error = s.login("me", "hunter 22").await.unwrap_err();
        let refusal = s.login("nobody", "x").expect("-ERR").await.unwrap();
        assert_eq!(
            (refusal.text().as_ref(), refusal.response_code()),
            ("-ERR who", None),
            "PASS is not sent"
        );
        (error, s.transcript().to_string())
    });
    assert!(!transcript.contains("hunter"), "{transcript}");
    insta::assert_snapshot!(shown(&error, &peer), @r#"
    the reply is not the one that was expected
      expected: "+OK"
      got: -ERR [AUTH] no [SECRET] here
      after: PASS [SECRET]
      session: s1, pop3://PEER
      hint: wrong credentials; if the user is name@domain, try only the name, or the other way round
    "#);
}

#[test]
fn verbs_read_what_their_replies_say() {
    let peer = Peer::parse(
        "S: +OK hi\nC\nS: +OK 3 2407 and more\nC\nS: +OK\\r\\n1 10\\r\\n2 20 more\\r\\n.\nC\nS: +OK 2 20\nC\nS: -ERR no\nC\nS: +OK\\r\\n1 a\\r\\n.\n\
         C\nS: +OK\\r\\n..x\\r\\n.\nC\nS: +OK\\r\\nabc\\r\\n.\nC\nS: -ERR no\nC\nS: +OK\nC\nS: +OK\\r\\nSASL PLAIN\\r\\nSTLS\\r\\n.\nC\nS: +OK bye\nclose",
    );
    block_on(async {
        let mut s = greeted(&peer).await;
        let maildrop = s.stat().await.unwrap();
        assert_eq!((maildrop.messages, maildrop.octets), (3, 2407));
        let sizes: Vec<_> = s
            .list_messages(None)
            .await
            .unwrap()
            .iter()
            .map(|scan| (scan.message, scan.octets))
            .collect();
        assert_eq!(sizes, [(1, 10), (2, 20)]);
        assert_eq!(s.list_messages(2).await.unwrap()[0].octets, 20);
        assert!(s.list_messages(9).expect("-ERR").await.unwrap().is_empty());
        assert_eq!(s.uidl(None).await.unwrap()[0].id, "a");
        assert_eq!(s.retr(1).await.unwrap().bytes(), b".x\r\n");
        let skipped = s.top(1, 0).keep(false).await.unwrap();
        assert_eq!((skipped.octets(), skipped.bytes()), (5, &b""[..]));
        assert_eq!(s.retr(9).expect("-ERR").await.unwrap().text(), "-ERR no");
        s.dele(1).await.unwrap();
        let capabilities = s.capability().await.unwrap();
        assert_eq!(
            (capabilities.auth(), capabilities.has("stls")),
            (vec!["PLAIN".to_owned()], true)
        );
        assert!(s.capabilities().unwrap().has("SASL PLAIN"));
        s.quit().await.unwrap();
        s.finish().await.unwrap();
    });
    let heard = String::from_utf8(peer.heard()).unwrap();
    assert_eq!(heard.lines().collect::<Vec<_>>()[..4], ["STAT", "LIST", "LIST 2", "LIST 9"]);
}

#[test]
fn a_peer_that_refuses_everything_or_talks_nonsense_fails_each_verb_in_words() {
    let peer = Peer::parse(&format!("S: +OK hi\n{}stall", "C\nS: -ERR no\n".repeat(4)));
    block_on(async {
        let mut s = greeted(&peer).await;
        assert!(s.capability().await.unwrap_err().is_mismatch());
        assert!(s.retr(1).await.unwrap_err().is_mismatch());
        assert!(s.list_messages(None).await.unwrap_err().is_mismatch());
        assert!(s.quit().await.unwrap_err().is_mismatch());
    });
    let peer = Peer::parse(
        "S: +OK hi\nC\nS: +OK many\nC\nS: +OK\\r\\n1 99999999999999999999\\r\\n.\nC\nS: +OK\\r\\n1\\r\\n.\nstall",
    );
    block_on(async {
        let mut s = greeted(&peer).await;
        let error = s.stat().await.unwrap_err();
        assert!(error.is_malformed() && error.got() == Some("+OK many"), "{error}");
        let error = s.list_messages(None).await.unwrap_err();
        assert!(error.is_malformed() && error.got() == Some("1 99999999999999999999"), "{error}");
        assert!(s.uidl(None).await.unwrap_err().is_malformed());
        s.finish().await.unwrap();
    });
}

#[test]
fn a_bare_ok_where_a_block_has_to_follow_is_named_and_can_be_written_out() {
    let peer = Peer::parse("S: +OK hi\nC\nS: +OK\nC\nS: +OK\nC\nS: +OK bye\nclose");
    block_on(async {
        let mut s = greeted(&peer).await;
        let error = s.capability().timeout(Duration::from_millis(50)).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert_eq!(error.message(), "nothing came after the +OK in time");
        assert!(error.to_string().contains("expect_silence(...)"), "{error}");
        s.expect_silence(Duration::from_millis(1)).await.unwrap();
        s.send("CAPA").await.unwrap();
        s.expect("+OK").await.unwrap();
        s.expect_silence(Duration::from_millis(1)).await.unwrap();
        s.quit().await.unwrap();
        s.finish().await.unwrap();
    });
}

#[test]
fn a_verb_of_another_protocol_says_which_is_spoken() {
    let peer = Peer::saying(b"+OK hi\r\n");
    let error = block_on(async {
        Session::connect(&peer.url("pop3")).await.unwrap().mail("a@b").await.unwrap_err()
    });
    assert_eq!(error.message(), "`mail` is a verb of SMTP and LMTP, and this session speaks POP3");
}
