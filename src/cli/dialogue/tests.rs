//! Tests of scripts that are written of dialogues.

use super::*;
use crate::transcript::Excerpt;

fn script(speech: Speech, sent_and_said: &[(&str, &str)]) -> String {
    let mut script = Script::empty(speech);
    for (sent, said) in sent_and_said {
        if !sent.is_empty() {
            script.sent(sent.as_bytes(), false);
        }
        let said = Excerpt::of(said.as_bytes());
        script.heard_ends(said.head(), said.omitted(), said.tail());
        script.answered();
    }
    script.finish()
}

#[test]
fn replies_of_each_protocol_are_expected_by_what_does_not_vary() {
    let smtp = script(Speech::Smtp, &[("", "220-a\r\n220 b\r\n"), ("NOOP\r\n", "250 ok\r\n")]);
    assert_eq!(smtp, "s.expect(220);\ns.send(\"NOOP\");\ns.expect(250);\n");
    let pop3 = script(Speech::Pop3, &[("", "+OK hi\r\n"), ("LIST\r\n", "+OK\r\n1 9\r\n.\r\n")]);
    assert!(pop3.ends_with("s.expect(\"+OK\");\ns.expect_multiline();\n"), "{pop3}");
    let imap = script(
        Speech::Imap,
        &[("", "* OK hi\r\n"), ("a1 NOOP\r\n", "* 3 EXISTS\r\na1 OK done\r\n")],
    );
    assert!(imap.ends_with("s.send(\"a1 NOOP\");\ns.expect_until(\"a1 OK\");\n"), "{imap}");
    assert!(imap.starts_with("s.expect(\"* OK\");\n"), "{imap}");
    let sieve = script(Speech::Sieve, &[("", "\"SIEVE\" \"fileinto\"\r\nOK \"hi\"\r\n")]);
    assert_eq!(sieve, "s.expect(re(`(?m)^OK`));\n");
}

#[test]
fn a_literal_contains_no_status() {
    let imap = |length: usize| {
        let mail = "x".repeat(length) + "\r\na1 NO\r\nSay NO to drugs.\r\n+ 1\r\n";
        let fetched = format!("* 1 FETCH (BODY[] {{{}}}\r\n{mail})\r\na1 OK\r\n", mail.len());
        script(Speech::Imap, &[("", "* OK hi\r\n"), ("a1 FETCH 1 BODY[]\r\n", &fetched)])
    };
    for length in [0, 100_000] {
        let imap = imap(length);
        let end = "s.send(\"a1 FETCH 1 BODY[]\");\ns.expect_until(\"a1 OK\");\n";
        assert!(imap.ends_with(end), "{imap}");
    }
    // The mask is not as long as the literal that was announced.
    let masked = "* 1 FETCH (BODY[] {20}\r\n[SECRET]\r\nSay NO to it\r\n)\r\na1 OK\r\n";
    let masked = script(Speech::Imap, &[("", "* OK hi\r\n"), ("a1 FETCH 1 BODY[]\r\n", masked)]);
    assert!(masked.ends_with("BODY[]\");\ns.expect_until(\"a1 OK\");\n"), "{masked}");
    let sieve = script(Speech::Sieve, &[("", "{9}\r\nno\r\nnot\r\n\r\nOK\r\n")]);
    assert_eq!(sieve, "s.expect(re(`(?m)^OK`));\n");
    let sieve = script(Speech::Sieve, &[("", "\"NOTIFY\" \"x\"\r\nnothing\r\nOK\r\n")]);
    assert_eq!(sieve, "s.expect(re(`(?m)^OK`));\n");
}

#[test]
fn a_challenge_of_managesieve_is_expected_before_the_response() {
    let begin = |challenge| {
        let list = ("LISTSCRIPTS\r\n", "\"a\"\r\nOK\r\n");
        let response = ("\"[SECRET]\"\r\n", "OK \"in\"\r\n");
        script(Speech::Sieve, &[("AUTHENTICATE \"PLAIN\"\r\n", challenge), response, list])
    };
    for challenge in ["\"\"\r\n", "{4}\r\naGk=\r\n"] {
        let sieve = begin(challenge);
        let lines: Vec<_> = sieve.lines().collect();
        assert_eq!(lines.len(), 6, "{sieve}");
        assert_eq!(lines[1], "s.expect(re(`^[\"{]`));");
        assert_eq!(lines[2], "s.send(\"\\\"\" + param(\"secret\") + \"\\\"\");");
        assert_eq!((lines[3], lines[5]), ("s.expect(re(`(?m)^OK`));", "s.expect(re(`(?m)^OK`));"));
    }
}

#[test]
fn a_secret_becomes_a_parameter() {
    let pop3 = script(Speech::Pop3, &[("PASS [SECRET]\r\n", "+OK\r\n")]);
    assert!(pop3.starts_with("s.send(\"PASS \" + param(\"secret\"));\n"), "{pop3}");
}

#[test]
fn a_listing_may_be_empty_and_begin_like_a_status() {
    let greeted = ("", "+OK hi\r\n");
    let sent = "LIST\r\nRETR 1\r\nNOOP\r\n";
    let pop3 = script(Speech::Pop3, &[greeted, (sent, "+OK\r\n.\r\n+OK\r\n+OK x\r\n.\r\n+OK\r\n")]);
    let (ok, block) = ("s.expect(\"+OK\");\n", "s.expect_multiline();\n");
    assert!(pop3.ends_with(&[ok, block, ok, block, ok].concat()), "{pop3}");
    // The client sends while the listing comes.
    let pop3 = script(
        Speech::Pop3,
        &[greeted, ("LIST\r\n", "+OK\r\n1 9\r\n2"), ("QUIT\r\n", " 9\r\n.\r\n+OK\r\n")],
    );
    let quit = "s.send(\"QUIT\");\n";
    assert!(pop3.ends_with(&[ok, quit, block, ok].concat()), "{pop3}");
}

#[test]
fn a_secret_in_data_that_is_no_text_becomes_a_parameter() {
    let mut script = Script::empty(Speech::Smtp);
    script.sent(b"\xff[SECRET]\xe9x\r\n", false);
    let sent =
        "s.send(base64_bytes(\"/w==\") + param(\"secret\").to_blob() + base64_bytes(\"6Xg=\"));\n";
    assert_eq!(script.finish(), sent);
    let mut script = Script::empty(Speech::Smtp);
    script.sent(b"a [SECRET] \xff\n", false);
    let sent =
        "s.send_raw(\"a \".to_blob() + param(\"secret\").to_blob() + base64_bytes(\"IP8K\"));\n";
    assert_eq!(script.finish(), sent);
}
