//! ManageSieve against peers that do exactly what they are told.

use std::time::Duration;

use mailexpect::{Error, Regex, Session, block_on};

use crate::peer::Peer;

const GREETING: &str = r#"S: "IMPLEMENTATION" "Example 1"\r\n"SIEVE" "fileinto vacation"\r\n"SASL" "PLAIN"\r\n"STARTTLS"\r\nOK {7}\r\nwelcome"#;

/// A peer that greets first.
fn peer(steps: &str) -> Peer {
    Peer::parse(&format!("{GREETING}\n{steps}"))
}

/// A session whose greeting was read.
async fn greeted(peer: &Peer) -> Session {
    let mut s = Session::connect(&peer.url("sieve")).await.unwrap();
    s.expect("OK").await.unwrap();
    s
}

/// The text of an error, without what differs from run to run.
fn shown(error: &Error, peer: &Peer) -> String {
    let text = error.to_string().replace(&peer.url("sieve"), "sieve://PEER");
    text.lines().filter(|line| !line.starts_with("  waited: ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_response_is_whole_and_text_fits_its_beginning_or_its_verdict() {
    let peer = peer(
        "C\nS: \"lab\" ACTIVE\\r\\n{3}\\r\\nOK\\n\\r\\nOK \"done\"\nC\nC\nS: NO {4}\\r\\nno\\r\\n\\r\\n\nC\nS: OK\nclose",
    );
    block_on(async {
        let mut s = Session::connect(&peer.url("sieve")).await.unwrap();
        let greeting = s.expect("OK {7}").await.unwrap();
        assert_eq!(greeting.lines().len(), 6);
        assert!(
            s.capabilities().unwrap().has("SIEVE vacation")
                && s.capabilities().unwrap().has("starttls")
        );
        s.send("LISTSCRIPTS").await.unwrap();
        s.expect("\"lab\" ACTIVE").await.unwrap();
        s.send("CHECKSCRIPT {2+}\r\nxy").await.unwrap();
        s.expect(Regex::new("^NO .*\r\n^no").unwrap()).await.unwrap();
        s.send("LOGOUT").await.unwrap();
        s.expect_any(["NO", "OK"]).await.unwrap();
        s.finish().await.unwrap();
    });
}

#[test]
fn a_response_that_comes_byte_by_byte_is_the_same() {
    let peer = Peer::parse("drip: \"A\" {4}\\r\\nOK\\r\\n\\r\\nOK (TAG \"x\") \"hi\"\nstall");
    block_on(async {
        let mut s = Session::connect(&peer.url("sieve")).await.unwrap();
        let reply = s.expect("OK").await.unwrap();
        assert_eq!(reply.bytes(), b"\"A\" {4}\r\nOK\r\n\r\nOK (TAG \"x\") \"hi\"\r\n");
        assert_eq!(reply.response_code().as_deref(), Some("TAG \"x\""));
        s.finish().await.unwrap();
    });
}

#[test]
fn refuting_and_mismatching_look_at_the_verdict_too() {
    let peer = peer("C\nS: \"a\"\\r\\nOK\nC\nS: \"a\"\\r\\nOK\nstall");
    block_on(async {
        let mut s = greeted(&peer).await;
        s.send("LISTSCRIPTS").await.unwrap();
        assert_eq!(s.refute("OK").await.unwrap_err().kind().name(), "unexpected");
        s.send("LISTSCRIPTS").await.unwrap();
        let error = s.expect("NO").await.unwrap_err();
        assert!(error.is_mismatch() && error.got() == Some("\"a\"\nOK"), "{error}");
    });
}

#[test]
fn a_challenge_is_answered_by_hand_and_the_answer_is_masked() {
    let peer = peer(
        "C\nS: \"VXNlcm5hbWU6\"\nC\nS: {12}\\r\\nUGFzc3dvcmQ6\nC\nC\nS: NO \"pppwww is wrong\"\nstall",
    );
    let transcript = block_on(async {
        let mut s = greeted(&peer).await;
        s.send("AUTHENTICATE \"LOGIN\"").await.unwrap();
        s.expect("\"VXNlcm5hbWU6\"").await.unwrap();
        s.send("\"aG9nZQ==\"").await.unwrap();
        s.expect("{12}").await.unwrap();
        s.send("{8+}\r\ncHBwd3d3").await.unwrap();
        s.expect("NO").await.unwrap();
        s.finish().await.unwrap();
        s.transcript().to_string()
    });
    assert!(!transcript.contains("cHBwd3d3") && !transcript.contains("pppwww"), "{transcript}");
    assert!(
        transcript.contains("C: \"[SECRET]\" → hoge\n")
            && transcript.contains("NO \"[SECRET] is wrong\""),
        "{transcript}"
    );
}

#[test]
fn verbs_say_their_arguments_as_they_must_be_said() {
    let hear = |lines: usize, reply: &str| format!("{}S: {reply}\n", "C\n".repeat(lines));
    let steps = [
        hear(4, "OK (WARNINGS) \"x\""),
        hear(1, "OK"),
        hear(1, "OK"),
        hear(1, "NO (QUOTA/MAXSIZE) \"x\""),
        hear(2, "OK"),
        hear(1, "OK"),
        "stall".to_owned(),
    ];
    let peer = peer(&steps.concat());
    block_on(async {
        let mut s = greeted(&peer).await;
        s.putscript("a \"b\"", "keep;\nstop;\n").await.unwrap();
        s.setactive("").await.unwrap();
        s.renamescript("a", "b\\").await.unwrap();
        let refusal = s.havespace("x", -1).expect("NO").await.unwrap();
        assert_eq!(refusal.response_code().as_deref(), Some("QUOTA/MAXSIZE"));
        s.checkscript(&b"\0\x80"[..]).await.unwrap();
        s.noop().await.unwrap();
        s.finish().await.unwrap();
    });
    let heard = peer.heard();
    let expected: &[u8] =
        b"PUTSCRIPT \"a \\\"b\\\"\" {14+}\r\nkeep;\r\nstop;\r\n\r\nSETACTIVE \"\"\r\nRENAMESCRIPT \"a\" \"b\\\\\"\r\n\
        HAVESPACE \"x\" -1\r\nCHECKSCRIPT {2+}\r\n\0\x80\r\nNOOP\r\n";
    assert_eq!(String::from_utf8_lossy(&heard), String::from_utf8_lossy(expected));
}

#[test]
fn verbs_read_what_responses_say() {
    let steps = "C\nS: \"a\\\"\"\\r\\n{4}\\r\\nb\\r\\nc active\\r\\nOK\nC\nS: {6}\\r\\nkeep;\\n\\r\\nOK\nC\nS: NO (NONEXISTENT) \"none\"\nC\nS: OK \"nothing\"\n\
        C\nS: \"SIEVE\" {8}\\r\\nfileinto\\r\\n\"SASL\" \"plain X\"\\r\\nOK\nC\nS: OK\nclose";
    let peer = peer(steps);
    block_on(async {
        let mut s = greeted(&peer).await;
        let scripts: Vec<_> = s
            .listscripts()
            .await
            .unwrap()
            .into_iter()
            .map(|script| (script.name, script.active))
            .collect();
        assert_eq!(scripts, [("a\"".to_owned(), false), ("b\r\nc".to_owned(), true)]);
        let script = s.getscript("a").await.unwrap();
        assert_eq!((script.bytes(), script.octets()), (&b"keep;\n"[..], 6));
        let refusal = s.getscript("b").expect("NO").await.unwrap();
        assert_eq!(refusal.response_code().as_deref(), Some("NONEXISTENT"));
        let error = s.getscript("c").await.unwrap_err();
        assert!(error.is_malformed() && error.got() == Some("OK \"nothing\""), "{error}");
        let capabilities = s.capability().await.unwrap();
        assert_eq!(
            (capabilities.get("sieve").as_deref(), capabilities.auth()),
            (Some("fileinto"), vec!["PLAIN".into(), "X".into()])
        );
        assert!(!s.capabilities().unwrap().has("STARTTLS"), "what was said last holds");
        s.quit().await.unwrap();
        s.finish().await.unwrap();
    });
}

#[test]
fn a_refusal_names_the_command_and_the_next_step() {
    let peer = peer("C\nC\nC\nS: NO (QUOTA/MAXSCRIPTS) {9}\\r\\ntoo\\r\\nmany\nstall");
    let error =
        block_on(async { greeted(&peer).await.putscript("a", "keep;\n").await.unwrap_err() });
    insta::assert_snapshot!(shown(&error, &peer), @r#"
    the reply is not the one that was expected
      expected: "OK"
      got: NO (QUOTA/MAXSCRIPTS) {9}
        too
        many
      after: PUTSCRIPT "a" {7+}
      session: s1, sieve://PEER
      hint: the user has as many scripts as may be: deletescript(name) makes room
    "#);
}

#[test]
fn a_reply_code_is_refused_with_what_there_is_instead() {
    let peer = peer("stall");
    let error = block_on(async {
        Session::connect(&peer.url("sieve")).await.unwrap().expect(220).await.unwrap_err()
    });
    assert!(error.is_usage() && error.next_step().unwrap().contains("expect(\"OK\")"), "{error}");
}

#[test]
fn nothing_is_sent_before_the_whole_greeting_was_taken() {
    let peer = Peer::parse("S: \"SIEVE\" \"\"\\r\\nOK\nstall");
    let error = block_on(async {
        let mut s = Session::connect(&peer.url("sieve")).await.unwrap();
        s.expect_line("\"SIEVE\"").await.unwrap();
        s.send("NOOP").await.unwrap_err()
    });
    assert_eq!(error.message(), "`NOOP` was about to be sent while a reply is owed");
}

#[test]
fn hostile_responses_fail_in_words_and_hold_no_more_than_the_limit() {
    for (said, why) in [
        (&b"+OK pop3\r\n"[..], "neither a string nor OK, NO or BYE"),
        (b"\0\r\n", "neither a string nor OK"),
        (b"OK \"\x1b[2J\r\n", "not closed on its line"),
        (b"{99999999999999999999}\r\n", "is no number"),
    ] {
        let peer = Peer::saying(said);
        let error = block_on(async {
            Session::connect(&peer.url("sieve")).await.unwrap().expect("OK").await.unwrap_err()
        });
        assert!(error.is_malformed() && error.message().contains(why), "{error}");
    }
    let peer = Peer::saying(b"\"A\" {1000000}\r\nshort\r\nOK\r\n");
    let error = block_on(async {
        let mut s = Session::connect(&peer.url("sieve")).await.unwrap();
        s.expect("OK").timeout(Duration::from_millis(50)).await.unwrap_err()
    });
    assert!(error.is_timeout() && error.got().unwrap().contains("short"), "{error}");
    let peer = Peer::parse("S: {18446744073709551615}\nflood 4194304\nstall");
    let error = block_on(async {
        let mut s = Session::options().limit(1 << 20).connect(&peer.url("sieve")).await.unwrap();
        s.expect("OK").await.unwrap_err()
    });
    assert!(error.is_too_long(), "{error}");
    let peer = Peer::parse("S: \"A\" {9}\\r\\nshort\nclose");
    let error = block_on(async {
        Session::connect(&peer.url("sieve")).await.unwrap().expect("OK").await.unwrap_err()
    });
    assert!(
        error.is_malformed() && error.message().contains("in the middle of a reply"),
        "{error}"
    );
}

#[test]
fn a_server_that_says_bye_may_close() {
    let peer = peer("C\nS: BYE (TRYLATER) \"later\"\nclose");
    block_on(async {
        let mut s = greeted(&peer).await;
        let bye = s.noop().expect("BYE").await.unwrap();
        assert_eq!(bye.response_code().as_deref(), Some("TRYLATER"));
        s.finish().await.unwrap();
    });
}
