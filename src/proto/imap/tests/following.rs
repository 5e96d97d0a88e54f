//! Tests: whose turn it is, and which bytes of clients are secret, however the bytes are cut.

use proptest::prelude::*;

use super::soup;
use crate::proto::Protocol as _;
use crate::proto::imap::Imap;
use crate::secrets::Secrets;

/// Plays a dialogue: `C: ` lines are sent with CRLF, `S: ` lines are received. The number after the
/// bar is how many replies are owed then.
fn follow(dialogue: &str) {
    let mut imap = Imap::new("imap");
    let mut secrets = Secrets::default();
    for step in dialogue.lines() {
        let (step, owed) = step.rsplit_once('|').unwrap();
        let (who, text) =
            step.trim().split_once(": ").unwrap_or((step.trim().trim_end_matches(':'), ""));
        let bytes = [text.as_bytes(), b"\r\n"].concat();
        match who {
            "C" => drop(imap.sent(&bytes, &mut secrets)),
            // These lines are sent at once; `^` stands for CRLF.
            "C^" => drop(imap.sent(text.replace('^', "\r\n").as_bytes(), &mut secrets)),
            _ => imap.received(&bytes),
        }
        assert_eq!(imap.owed().to_string(), owed.trim(), "{step}");
    }
}

#[test]
fn a_reply_is_owed_until_the_tagged_one_has_come() {
    follow(
        "S: * OK hi                     | 0
         C: a1 SELECT INBOX             | 1
         S: * 3 EXISTS                  | 1
         S: * OK [UNSEEN 2] First.      | 1
         S: a2 OK not that one          | 1
         S: a1 OK [READ-WRITE] done     | 0
         C^: a3 NOOP^a4 NOOP^           | 2
         S: a4 OK in any order          | 1
         S: a3 OK                       | 0
         C^: a5 NOOP^a5 NOOP^           | 2
         S: a5 OK of the first          | 1
         S: a5 OK of the second         | 0
         C^: a6 IDLE^DONE^              | 2
         S: a6 BAD no                   | 0",
    );
}

#[test]
fn a_greeting_may_be_a_goodbye() {
    let mut imap = Imap::new("imap");
    imap.received(b"* BYE too busy\r\n");
    assert!(imap.is_closing() && imap.owed() == 0);
}

#[test]
fn a_literal_is_asked_for_before_it_is_sent_unless_it_has_a_plus() {
    follow(
        "S: * OK hi                     | 0
         C: b1 LOGIN {5}                | 1
         S: + OK                        | 0
         C: alice {12}                  | 1
         S: + OK                        | 0
         C: wonder-land1                | 1
         S: b1 OK Logged in             | 0
         C: b2 APPEND Lab {6+}          | 0
         C: a^b^                        | 0
         S: * 1 EXISTS                  | 0
         C:                             | 1
         S: b2 OK [APPENDUID 1 1] done  | 0
         C^: b3 SEARCH CHARSET UTF-8 BODY {2+}^ab TO {2+}^^^  | 1
         S: b3 OK                       | 0
         C^: b4 LOGIN {1}^a {1}^b^      | 3
         S: + go                        | 2
         S: + go                        | 1
         S: b4 NO                       | 0",
    );
}

#[test]
fn a_literal_that_was_refused_arrives_as_a_command() {
    follow(
        "S: * OK hi                     | 0
         C: b4 APPEND NoSuchBox {10}    | 1
         S: b4 NO [TRYCREATE] no        | 0
         C: 0123456789                  | 1
         S: 0123456789 BAD Error        | 0",
    );
}

#[test]
fn a_refused_literal_of_no_octets_ends_its_command() {
    follow(
        "S: * OK hi                     | 0
         C: a1 APPEND INBOX {0}         | 1
         S: a1 NO no empty messages     | 0
         C: a2 NOOP                     | 1
         S: a2 OK                       | 0
         C: a3 LOGIN {0}                | 1
         S: a3 BAD no                   | 0
         C: a4 LOGIN {5}                | 1
         S: +                           | 0
         C: alice {0}                   | 1
         S: a4 BAD no                   | 0
         C:                             | 1
         S: * BAD Invalid tag           | 0
         C: a5 APPEND INBOX {0}         | 1
         S: +                           | 0
         C:                             | 1
         S: a5 OK                       | 0
         C: a6 NOOP                     | 1
         S: a6 OK                       | 0",
    );
}

#[test]
fn it_is_the_turn_of_the_client_in_idle_and_in_authenticate() {
    follow(
        "S: * OK hi                     | 0
         C: d1 AUTHENTICATE PLAIN       | 1
         S: +                           | 0
         C: AGFsaWNlAHdvbmRlcg==        | 1
         S: d1 OK Logged in             | 0
         C: d2 AUTHENTICATE PLAIN AGFsaWNlAHdvbmRlcg== | 1
         S: d2 BAD already              | 0
         C: e1 IDLE                     | 1
         S: + idling                    | 0
         S: * 4 EXISTS                  | 0
         C: DONE                        | 1
         S: e1 OK done                  | 0
         C: e2 IDLE                     | 1
         S: + idling                    | 0
         C: a38 NOOP                    | 1
         S: e2 BAD Expected DONE        | 0
         C^: e3 IDLE^DONE^              | 2
         S: + idling                    | 1
         S: e3 OK                       | 0
         C: d3 AUTHENTICATE LOGIN       | 1
         S: + VXNlcm5hbWU6              | 0
         C: *                           | 1
         S: d3 BAD cancelled            | 0
         C: a1 LOGOUT                   | 1",
    );
}

#[test]
fn a_line_without_a_tag_is_answered_without_one() {
    follow(
        "S: * OK hi                     | 0
         C: * OK hi                     | 1
         S: * BAD Invalid tag           | 0
         C:                             | 1
         S: * BAD Invalid tag           | 0
         C: noTagHere                   | 1
         S: noTagHere BAD no command    | 0
         C: a1 NOOP                     | 1
         S: * BAD of nobody knows what  | 1",
    );
}

#[test]
fn a_server_that_leaves_of_itself_owes_nothing_more() {
    follow(
        "S: * OK hi                     | 0
         C: a1 NOOP                     | 1
         S: * BYE shutting down         | 0
         C: a2 LOGOUT                   | 1
         S: * BYE Logging out           | 1
         S: a2 OK done                  | 0",
    );
}

#[test]
fn the_close_is_expected_after_logout() {
    let mut imap = Imap::new("imap");
    imap.received(b"* OK hi\r\n");
    imap.sent(b"a1 LOGOUT\r\n", &mut Secrets::default());
    assert!(!imap.is_closing());
    imap.received(b"a1 OK bye\r\n");
    assert!(imap.is_closing());
}

/// The transcript of what is sent. `<` marks text that is received.
fn shown(steps: &[&str], chunk: usize) -> String {
    let mut imap = Imap::new("imap");
    let mut secrets = Secrets::default();
    let mut shown = Vec::new();
    for step in steps {
        if let Some(text) = step.strip_prefix('<') {
            imap.received(text.as_bytes());
            continue;
        }
        for bytes in step.as_bytes().chunks(chunk) {
            let spans = imap.sent(bytes, &mut secrets);
            shown.extend_from_slice(&secrets.mask(bytes, &spans));
        }
    }
    String::from_utf8(shown).unwrap()
}

#[test]
fn passwords_and_responses_are_masked_in_every_form_they_take() {
    for (steps, masked) in [
        (&["a1 LOGIN alice wonder-land1\r\n"][..], "a1 LOGIN alice [SECRET]\r\n"),
        (&["a1 LOGIN \"al ice\" \"wonder \\\"land\"\r\n"], "a1 LOGIN \"al ice\" [SECRET]\r\n"),
        (
            &["a1 login {5+}\r\nalice {12+}\r\nwonder-land1\r\n"],
            "a1 login {5+}\r\nalice {12+}\r\n[SECRET]\r\n",
        ),
        (
            &["a1 LOGIN alice {14}\r\n", "<+ go\r\n", "wonder\r\n land1\r\n"],
            "a1 LOGIN alice {14}\r\n[SECRET]\r\n",
        ),
        (&["a1 LOGIN alice two words\r\na2 NOOP\r\n"], "a1 LOGIN alice [SECRET]\r\na2 NOOP\r\n"),
        (&["LOGIN alice wonder-land1\r\n"], "LOGIN alice [SECRET]\r\n"),
        (&["a1 AUTHENTICATE PLAIN AGFsaWNl\r\n"], "a1 AUTHENTICATE PLAIN [SECRET]\r\n"),
        (&["a1 AUTHENTICATE EXTERNAL =\r\n"], "a1 AUTHENTICATE EXTERNAL =\r\n"),
        (
            &["a1 AUTHENTICATE PLAIN\r\n", "<+ \r\n", "AGFsaWNl\r\n"],
            "a1 AUTHENTICATE PLAIN\r\n[SECRET]\r\n",
        ),
        (
            &["a1 AUTHENTICATE PLAIN\r\n", "<+ \r\n", "what is this\r\n"],
            "a1 AUTHENTICATE PLAIN\r\n[SECRET]\r\n",
        ),
        (&["a1 AUTHENTICATE PLAIN\r\n", "<+ \r\n", "*\r\n"], "a1 AUTHENTICATE PLAIN\r\n*\r\n"),
        (
            &["a1 APPEND x {12}\r\n", "<+ \r\n", "LOGIN a bcde\r\n"],
            "a1 APPEND x {12}\r\nLOGIN a bcde\r\n",
        ),
    ] {
        assert_eq!(shown(steps, usize::MAX), masked);
        let bytewise = shown(steps, 1);
        let mut once = bytewise.clone();
        while once.contains("[SECRET][SECRET]") {
            once = once.replace("[SECRET][SECRET]", "[SECRET]");
        }
        assert_eq!(once, masked, "byte by byte");
    }
}

#[test]
fn secrets_sent_ahead_or_after_a_refusal_are_masked_too() {
    for (steps, masked) in [
        (
            &["a1 AUTHENTICATE LOGIN\r\naG9nZQ==\r\ncHBwd3d3\r\na2 NOOP\r\n"][..],
            "a1 AUTHENTICATE LOGIN\r\n[SECRET]\r\n[SECRET]\r\na2 NOOP\r\n",
        ),
        (
            &["a1 AUTHENTICATE X\r\n", "<a1 NO\r\n", "aG9nZWhvZ2U=\r\n"],
            "a1 AUTHENTICATE X\r\n[SECRET]\r\n",
        ),
        (
            &["a1 AUTHENTICATE X\r\n", "<a1 OK\r\n", "aG9nZWhvZ2U=\r\n"],
            "a1 AUTHENTICATE X\r\n[SECRET]\r\n",
        ),
        (&["AG1lAHdvbmRlcjEy\r\na2 NOOP\r\n"], "[SECRET]\r\na2 NOOP\r\n"),
        (
            &["a1 LOGIN alice {12}\r\n", "<a1 NO\r\n", "wonder-land1\r\n"],
            "a1 LOGIN alice {12}\r\n[SECRET]\r\n",
        ),
        (
            &["a1 LOGIN {5}\r\n", "<a1 NO\r\n", "alice {12}\r\n", "wonder-land1\r\n"],
            "a1 LOGIN {5}\r\nalice {12}\r\n[SECRET]\r\n",
        ),
        (
            &["a1 LOGIN alice {12}\r\n", "<a1 NO\r\n", "a2 LOGOUT\r\n"],
            "a1 LOGIN alice {12}\r\na2 LOGOUT\r\n",
        ),
        // The first literal is too long, or has a wrong form.
        (
            &["a1 LOGIN {6+}\r\nalice {12+}\r\nwonder-land1\r\na2 NOOP\r\n"],
            "a1 LOGIN {6+}\r\nalice {12+}\r\n[SECRET]\r\na2 NOOP\r\n",
        ),
        (
            &["a1 LOGIN {5 +}\r\nalice {12+}\r\nwonder-land1\r\na2 NOOP\r\na3 CHECK\r\n"],
            "a1 LOGIN {5 [SECRET]\r\n[SECRET]\r\n[SECRET]\r\na2 NOOP\r\na3 CHECK\r\n",
        ),
        (
            &["a1 LOGIN {99999999999+}\r\nalice {12+}\r\nwonder-land1\r\n"],
            "a1 LOGIN {99999999999+}\r\n[SECRET]",
        ),
        (
            &["a1 LOGIN {99999999999999999999+}\r\nalice {12+}\r\nwonder-land1\r\n"],
            "a1 LOGIN {99999999999999999999+}\r\n[SECRET]\r\n[SECRET]\r\n",
        ),
    ] {
        assert_eq!(shown(steps, usize::MAX), masked);
    }
}

#[test]
fn a_learned_secret_is_masked_where_it_comes_back() {
    let mut imap = Imap::new("imap");
    let mut secrets = Secrets::default();
    imap.sent(
        b"a1 LOGIN alice \"wonder \\\"land\"\r\na2 LOGIN bob {10+}\r\nbuild3r pw\r\n",
        &mut secrets,
    );
    imap.sent(b"a3 AUTHENTICATE PLAIN AGNhcm9sAHNlc2FtZQ==\r\n", &mut secrets);
    let echoed = secrets.mask(b"* OK wonder \"land, build3r pw, sesame, wonder \\\"land", &[]);
    assert_eq!(String::from_utf8_lossy(&echoed), "* OK [SECRET], [SECRET], [SECRET], [SECRET]");
}

#[test]
fn a_login_in_a_wrong_form_or_place_is_secret() {
    for (before, line, secret) in [
        ("", "a UID LOGIN alice wonder-land1\r\n", "wonder-land1"),
        ("", "a UID AUTHENTICATE PLAIN AGNhcm9sAHNlc2FtZQ==\r\n", "AGNhcm9sAHNlc2FtZQ=="),
        ("a IDLE\r\n", "b LOGIN alice wonder-land1\r\n", "wonder-land1"),
        ("a IDLE\r\n", "DONE\r\n", ""),
        ("", "a UID FETCH 1 FLAGS\r\n", ""),
    ] {
        let (mut imap, mut secrets) = (Imap::new("imap"), Secrets::default());
        imap.received(b"* OK hi\r\n");
        if !before.is_empty() {
            imap.sent(before.as_bytes(), &mut secrets);
            imap.received(b"+ idling\r\n");
        }
        let spans = imap.sent(line.as_bytes(), &mut secrets);
        let secrets: String = spans.into_iter().map(|span| &line[span]).collect();
        assert_eq!(secrets, secret, "{line}");
    }
}

#[test]
fn a_secret_is_known_before_it_is_sent() {
    let imap = Imap::new("imap");
    let line = b"a1 LOGIN alice wonder-land1\r\n";
    let spans: Vec<_> = imap.secrets(line).into_iter().map(|span| &line[span]).collect();
    assert_eq!(spans, [b"wonder-land1"]);
}

#[test]
fn a_large_literal_costs_what_its_announcement_does() {
    let mut imap = Imap::new("imap");
    let mut secrets = Secrets::default();
    imap.sent(
        b"a1 LOGIN alice {99999999999999999999999}\r\na2 LOGIN alice {18446744073709551615}\r\n",
        &mut secrets,
    );
    for _ in 0..1000 {
        imap.sent(&[b'x'; 10_000], &mut secrets);
    }
    let kept = format!("{imap:?}").len();
    assert!(kept < 200_000, "{kept} bytes of debug");
}

proptest! {
    #[test]
    fn any_bytes_are_followed_alike_however_they_come(bytes in soup(), size in 1_usize..7) {
        let mut whole = Imap::new("imap");
        whole.received(&bytes);
        let mut cut = Imap::new("imap");
        bytes.chunks(size).for_each(|piece| cut.received(piece));
        prop_assert_eq!((whole.owed(), whole.is_closing()), (cut.owed(), cut.is_closing()));
        let mut secrets = Secrets::default();
        whole.sent(&bytes, &mut secrets);
        bytes.chunks(size).for_each(|piece| drop(cut.sent(piece, &mut secrets)));
        prop_assert!(whole.owed() <= bytes.len() + 1 && cut.owed() <= bytes.len() + 1);
    }
}
