//! Tests: whose turn it is, and what is secret.

use proptest::prelude::*;

use super::*;
use crate::proto::LINE_HEAD;

fn owed_after(steps: &[(&str, &str)]) -> usize {
    owed_by(Smtp::new("smtp"), steps)
}

fn owed_by(mut smtp: Smtp, steps: &[(&str, &str)]) -> usize {
    let mut secrets = Secrets::default();
    for (who, bytes) in steps {
        match *who {
            "C" => drop(smtp.sent(bytes.as_bytes(), &mut secrets)),
            _ => smtp.received(bytes.as_bytes()),
        }
    }
    smtp.owed()
}

#[test]
fn a_reply_is_owed_after_connecting_and_after_each_command() {
    assert_eq!(owed_after(&[]), 1);
    assert_eq!(owed_after(&[("S", "220 hi\r\n")]), 0);
    assert_eq!(owed_after(&[("S", "220 hi\r\n"), ("C", "EHLO x\r\n")]), 1);
    assert_eq!(owed_after(&[("S", "220 hi\r\n"), ("C", "EHLO x\r\n"), ("S", "250-a\r\n")]), 1);
    assert_eq!(
        owed_after(&[("S", "220 hi\r\n"), ("C", "EHLO x\r\n"), ("S", "250-a\r\n250 b\r\n")]),
        0
    );
    assert_eq!(
        owed_after(&[("S", "220 hi\r\n"), ("C", "EH"), ("C", "LO x")]),
        0,
        "half a line asks for nothing"
    );
    assert_eq!(
        owed_after(&[
            ("S", "220 hi\r\n"),
            ("C", "MAIL\r\nRCPT\r\nDATA\r\n"),
            ("S", "250 a\r\n250")
        ]),
        2
    );
}

#[test]
fn the_lines_of_a_message_ask_for_no_reply_until_the_dot() {
    let start = [("S", "220 hi\r\n"), ("C", "DATA\r\n"), ("S", "354 go\r\n")];
    let with = |more: &[(&'static str, &'static str)]| owed_after(&[&start, more].concat());
    assert_eq!(with(&[("C", "Subject: x\r\n"), ("C", "\r\n"), ("C", "QUIT\r\n")]), 0);
    assert_eq!(
        with(&[("C", "Hi\n.\n"), ("C", "Hi\n.\r\n"), ("C", "Hi\r\n.\n")]),
        0,
        "a bare LF ends no message"
    );
    assert_eq!(with(&[("C", "Hi\r\n."), ("C", "\r\n")]), 1);
    assert_eq!(with(&[("C", "Hi\r\n.\r\n"), ("S", "250 ok\r\n"), ("C", "QUIT\r\n")]), 1);
    assert_eq!(
        owed_after(&[
            ("S", "220 hi\r\n"),
            ("C", "DATA\r\n"),
            ("S", "503 no\r\n"),
            ("C", "RSET\r\n")
        ]),
        1
    );
}

proptest! {
    #[test]
    fn a_message_ends_at_its_dot_however_it_is_cut(
        message in proptest::collection::vec(proptest::sample::select(&b".\r\nab"[..]), 0..20),
        cut in 0usize..25,
    ) {
        let stream = [&message[..], b"\r\n.\r\nNOOP\r\nNOOP\r\n"].concat();
        let owed = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let mut smtp = Smtp::new("smtp");
            smtp.received(b"220 hi\r\n");
            smtp.sent(b"DATA\r\n", &mut Secrets::default());
            smtp.received(b"354 go\r\n");
            pieces.for_each(|piece| drop(smtp.sent(piece, &mut Secrets::default())));
            smtp.owed()
        };
        // The lines after the first lone dot are commands.
        let with_start = [b"\r\n", &stream[..]].concat();
        let end = memchr::memmem::find(&with_start, b"\r\n.\r\n").unwrap() + 3;
        let commands = memchr::memchr_iter(b'\n', &stream[end..]).count();
        let (head, tail) = stream.split_at(cut.min(stream.len()));
        prop_assert_eq!(owed(&mut [&stream[..]].into_iter()), 1 + commands);
        prop_assert_eq!(owed(&mut [head, tail].into_iter()), 1 + commands);
        prop_assert_eq!(owed(&mut stream.chunks(1)), 1 + commands);
    }
}

#[test]
fn the_octets_of_a_chunk_are_no_commands() {
    let steps =
        [("S", "220 hi\r\n"), ("C", "BDAT 6 LAST\r\n"), ("C", "a\r\nb"), ("C", "\r\nQUIT\r\n")];
    assert_eq!(owed_after(&steps[..3]), 1);
    assert_eq!(owed_after(&steps), 2);
    let refused =
        [("S", "220 hi\r\n"), ("C", "BDAT 6 LAST\r\n"), ("S", "500 what\r\n"), ("C", "QUIT\r\n")];
    assert_eq!(owed_after(&refused), 1);
}

#[test]
fn a_chunk_has_a_number_and_last_or_nothing() {
    for (line, announced) in [
        ("BDAT 5\r\n", Some((5, false))),
        ("bdat 0 last\r\n", Some((0, true))),
        ("BDAT  7  LAST ", Some((7, true))),
        ("BDAT", None),
        ("BDAT +5 LAST", None),
        ("BDAT 5x", None),
        ("BDAT 5 FIRST", None),
        ("BDAT 5 LAST LAST", None),
        ("BDAT 99999999999999999999", None),
        ("XBDAT 5", None),
    ] {
        assert_eq!(super::size_of_chunk(line.as_bytes()), announced, "{line}");
    }
}

#[test]
fn a_message_sent_ahead_of_the_354_owes_one_reply() {
    let start = [("S", "220 hi\r\n"), ("C", "DATA\r\nSubject: x\r\n\r\nHi\r\n.\r\n")];
    let with = |more: &[(&'static str, &'static str)]| owed_after(&[&start, more].concat());
    assert_eq!(with(&[]), 2);
    assert_eq!(with(&[("S", "354 go\r\n"), ("S", "250 ok\r\n"), ("C", "QUIT\r\n")]), 1);
    assert_eq!(
        owed_after(&[
            ("S", "220 hi\r\n"),
            ("C", "DATA\r\nHi\r\n"),
            ("S", "503 no\r\n"),
            ("C", "QUIT\r\n")
        ]),
        1
    );
}

const RECIPIENTS: [(&str, &str); 5] = [
    ("S", "220 hi\r\n"),
    ("C", "LHLO x\r\nMAIL FROM:<a@b> PRDR\r\nRCPT TO:<a@b>\r\nRCPT TO:<b@b>\r\nRCPT TO:<c@b>\r\n"),
    ("S", "250 ok\r\n250 ok\r\n250 ok\r\n550 no\r\n251 ok\r\n"),
    ("C", "DATA\r\n"),
    ("S", "354 go\r\n"),
];

#[test]
fn in_lmtp_a_message_owes_one_reply_for_each_recipient_that_was_accepted() {
    let with = |more: &[(&'static str, &'static str)]| {
        owed_by(Smtp::lmtp("lmtp"), &[&RECIPIENTS, more].concat())
    };
    let sent = ("C", "Hi\r\n.\r\n");
    assert_eq!(with(&[sent]), 2);
    assert_eq!(with(&[sent, ("S", "250-a\r\n250 a\r\n")]), 1);
    assert_eq!(with(&[sent, ("S", "250 a\r\n452 b\r\n")]), 0);
    assert_eq!(with(&[("C", "Hi\r\n.\r\nQUIT\r\n"), ("S", "250 a\r\n452 b\r\n")]), 1);
    let again = ("C", "MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nBDAT 4 LAST\r\nHi\r\n");
    assert_eq!(
        with(&[sent, ("S", "250 a\r\n452 b\r\n"), again, ("S", "250 ok\r\n250 ok\r\n")]),
        1,
        "counted anew"
    );
    let reset = [("C", "RSET\r\nDATA\r\n"), ("S", "250 ok\r\n354 go\r\n"), sent];
    assert_eq!(
        owed_by(Smtp::lmtp("lmtp"), &[&RECIPIENTS[..3], &reset].concat()),
        1,
        "nobody is left, and something has to come"
    );
}

#[test]
fn in_lmtp_what_was_sent_ahead_is_counted_once_its_recipients_are_known() {
    let ahead = "LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nRCPT TO:<b@b>\r\nDATA\r\nHi\r\n.\r\nQUIT\r\n";
    let start = [("S", "220 hi\r\n"), ("C", ahead), ("S", "250 ok\r\n250 ok\r\n")];
    let with = |more: &[(&'static str, &'static str)]| {
        owed_by(Smtp::lmtp("lmtp"), &[&start, more].concat())
    };
    assert_eq!(with(&[("S", "250 ok\r\n250 ok\r\n354 go\r\n")]), 3);
    assert_eq!(with(&[("S", "250 ok\r\n250 ok\r\n354 go\r\n250 a\r\n250 b\r\n221 bye\r\n")]), 0);
    assert_eq!(with(&[("S", "250 ok\r\n450 no\r\n354 go\r\n250 a\r\n")]), 1);
}

#[test]
fn a_message_with_prdr_owes_a_reply_for_each_recipient_after_a_353_and_one_more() {
    let with = |more: &[(&'static str, &'static str)]| owed_after(&[&RECIPIENTS, more].concat());
    let sent = ("C", "Hi\r\n.\r\n");
    assert_eq!(with(&[sent]), 1);
    assert_eq!(with(&[sent, ("S", "250 ok\r\n")]), 0, "the server need not make use of it");
    assert_eq!(with(&[sent, ("S", "353 go\r\n")]), 3);
    assert_eq!(with(&[sent, ("S", "353 go\r\n250 a\r\n550 b\r\n250 ok\r\n")]), 0);
    let plain = [
        ("S", "220 hi\r\n"),
        ("C", "MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n"),
        ("S", "250 a\r\n250 b\r\n354 c\r\n"),
    ];
    assert_eq!(
        owed_after(&[&plain[..], &[sent, ("S", "353 go\r\n")]].concat()),
        0,
        "nobody asked for it"
    );
}

#[test]
fn a_message_that_the_server_holds_to_be_over_is_over() {
    let smuggled = [
        ("S", "220 hi\r\n"),
        ("C", "DATA\r\n"),
        ("S", "354 go\r\n"),
        ("C", "Hi\n.\n"),
        ("S", "250 ok\r\n"),
        ("C", "MAIL\r\n"),
    ];
    assert_eq!(owed_after(&smuggled), 1);
}

#[test]
fn a_line_that_is_no_reply_pays_for_none() {
    assert_eq!(owed_after(&[("S", "hello\r\n")]), 1);
}

#[test]
fn the_close_is_expected_after_quit_and_after_421() {
    for (command, reply, closing) in [
        ("QUIT", "221 bye", true),
        ("NOOP", "421 going down", true),
        ("NOOP", "250 ok", false),
        ("QUIT", "500 no", false),
    ] {
        let mut smtp = Smtp::new("smtp");
        smtp.received(b"220 hi\r\n");
        smtp.sent(format!("{command}\r\n").as_bytes(), &mut Secrets::default());
        smtp.received(format!("{reply}\r\n").as_bytes());
        assert_eq!(smtp.is_closing(), closing, "{command} {reply}");
    }
}

/// The lines as they look after the secret spans are masked.
fn masked(steps: &[(&str, &str)]) -> String {
    let mut smtp = Smtp::new("submission");
    let mut secrets = Secrets::default();
    smtp.received(b"220 hi\r\n");
    let mut shown = Vec::new();
    for (who, bytes) in steps {
        if *who == "C" {
            let spans = smtp.sent(bytes.as_bytes(), &mut secrets);
            shown.extend_from_slice(&secrets.mask(bytes.as_bytes(), &spans));
        } else {
            smtp.received(bytes.as_bytes());
        }
    }
    String::from_utf8(shown).unwrap()
}

#[test]
fn sasl_payloads_are_secret() {
    assert_eq!(
        masked(&[("C", "AUTH PLAIN AHNhbXBsZQBwYXNzd29yZA==\r\n")]),
        "AUTH PLAIN [SECRET]\r\n"
    );
    assert_eq!(masked(&[("C", "auth  login  aG9nZQ==\r\n")]), "auth  login  [SECRET]\r\n");
    assert_eq!(masked(&[("C", "AUTH LOGIN\r\n")]), "AUTH LOGIN\r\n");
    let login = [
        ("C", "AUTH LOGIN\r\n"),
        ("S", "334 VXNlcm5hbWU6\r\n"),
        ("C", "aG9nZQ==\r\n"),
        ("S", "334 UGFzc3dvcmQ6\r\n"),
        ("C", "cHBwd3d3\r\n"),
        ("S", "235 ok\r\n"),
        ("C", "NOOP cHBwd3d3 pppwww\r\n"),
    ];
    assert_eq!(masked(&login), "AUTH LOGIN\r\n[SECRET]\r\n[SECRET]\r\nNOOP [SECRET] [SECRET]\r\n");
    assert_eq!(
        masked(&[("C", "AUTH LOGIN\r\n"), ("S", "334 \r\n"), ("C", "*\r\n")]),
        "AUTH LOGIN\r\n*\r\n"
    );
}

#[test]
fn secrets_sent_ahead_or_in_pieces_are_masked_too() {
    assert_eq!(
        masked(&[("C", "AUTH LOGIN\r\naG9nZQ==\r\ncHBwd3d3\r\nQUIT\r\n")]),
        "AUTH LOGIN\r\n[SECRET]\r\n[SECRET]\r\nQUIT\r\n"
    );
    assert_eq!(
        masked(&[("C", "AUTH PLAIN AHNh"), ("C", "bXBsZQBwYXNz\r\n")]),
        "AUTH PLAIN [SECRET][SECRET]\r\n"
    );
    let refused = [
        ("C", "AUTH LOGIN\r\n"),
        ("S", "503 no\r\n"),
        ("C", "cHBwd3d3\r\n"),
        ("S", "500 what\r\n"),
        ("C", "NOOP\r\n"),
    ];
    assert_eq!(
        masked(&refused),
        "AUTH LOGIN\r\ncHBwd3d3\r\nNOOP\r\n".replace("cHBwd3d3", "[SECRET]")
    );
    let at_once = [("C", "AUTH LOGIN\r\n"), ("S", "235 ok\r\n"), ("C", "cHBwd3d3\r\n")];
    assert_eq!(masked(&at_once), "AUTH LOGIN\r\n[SECRET]\r\n");
    let unasked = [("C", "AG1lAHdvbmRlcjEy\r\n"), ("S", "500\r\n"), ("C", "NOOP wonder12\r\n")];
    assert_eq!(masked(&unasked), "[SECRET]\r\nNOOP [SECRET]\r\n");
    let as_user = [("C", "AUTH LOGIN\r\n"), ("S", "334 VXNlcm5hbWU6\r\n")];
    let as_user = [as_user[0], as_user[1], ("C", "AG1lAHdvbmRlcjEy\r\nNOOP wonder12\r\n")];
    assert_eq!(masked(&as_user), "AUTH LOGIN\r\n[SECRET]\r\nNOOP [SECRET]\r\n");
    assert_eq!(
        masked(&[
            ("C", "AUTH LOGIN aG9nZQ==\r\n"),
            ("S", "334 \r\n"),
            ("C", "cHBwd3d3\r\n"),
            ("S", "535 no\r\n"),
            ("C", "NOOP pppwww\r\n")
        ]),
        "AUTH LOGIN [SECRET]\r\n[SECRET]\r\nNOOP [SECRET]\r\n"
    );
    assert_eq!(
        masked(&[("C", "AUTH LOGIN\r\nsecret pass phrase\r\nMAIL FROM:<a@b>\r\n")]),
        "AUTH LOGIN\r\n[SECRET]\r\nMAIL FROM:<a@b>\r\n"
    );
    let (head, tail) = ("x".repeat(LINE_HEAD), "y".repeat(100));
    let long =
        [("C", format!("AUTH PLAIN {head}")), ("C", tail.clone()), ("C", format!("{tail}\r\n"))];
    let long: Vec<_> = long.iter().map(|(who, bytes)| (*who, bytes.as_str())).collect();
    assert_eq!(masked(&long), "AUTH PLAIN [SECRET][SECRET][SECRET]\r\n");
}
