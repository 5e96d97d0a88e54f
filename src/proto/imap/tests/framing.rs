//! Tests that responses of real servers are framed correctly, wherever they are cut.

use proptest::prelude::*;

use super::soup;
use crate::proto::imap::Responses;
use crate::proto::{Framing as _, Malformed};

/// Responses as recorded from Dovecot 2.3, one for each frame.
const DOVECOT: [&[u8]; 24] = [
    b"* OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ AUTH=PLAIN] Dovecot (Debian) ready.\r\n",
    b"+ OK\r\n",
    b"+ \r\n",
    b"b1 OK [CAPABILITY IMAP4rev1 SASL-IR IDLE SORT=DISPLAY] Logged in\r\n",
    b"b2 OK [APPENDUID 1795323820 1] Append completed (0.002 + 0.001 + 0.001 secs).\r\n",
    b"b4 NO [TRYCREATE] Mailbox doesn't exist: NoSuchBox (0.001 + 0.000 secs).\r\n",
    b"0123456789 BAD Error in IMAP command: Invalid command name (0.001 + 0.000 secs).\r\n",
    b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n",
    b"* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] Flags permitted.\r\n",
    b"* 2 EXISTS\r\n",
    b"* 1 FETCH (FLAGS (\\Flagged \\Seen \\Recent) BODY[HEADER.FIELDS (SUBJECT)] {23}\r\nSubject: lab append\r\n\r\n BODY[TEXT] {13}\r\nGr\xc3\xbc\xc3\x9fe \xe2\x82\xac\r\n)\r\n",
    b"* 1 FETCH (BODY[]<0> {20}\r\nFrom: <alice@example)\r\n",
    b"* 1 FETCH (UID 1 BODYSTRUCTURE (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 13 1 NIL NIL NIL NIL))\r\n",
    b"* LIST (\\HasNoChildren) \"/\" \"lab box {5}\"\r\n",
    b"* SEARCH 1 2\r\n",
    b"* SEARCH\r\n",
    b"* BAD Error in IMAP tag: Invalid tag (0.001 + 0.000 secs).\r\n",
    b"* 1 EXPUNGE\r\n",
    b"+ idling\r\n",
    b"e2 BAD Expected DONE (0.001 + 0.001 secs).\r\n",
    b"* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n",
    b"* ID (\"name\" \"Dovecot\")\r\n",
    b"* BYE Logging out\r\n",
    b"a32 OK Logout completed (0.001 + 0.000 secs).\r\n",
];

/// Responses that are valid but rare.
const RARE: [&[u8]; 18] = [
    b"+\r\n",
    b"* LIST () \"/\" {3}\r\n{9}\r\n",
    b"* LIST () \"/\" {0}\r\n\r\n",
    b"* 1 FETCH (BINARY[1] ~{4}\r\n\0\r\n{ BODY[2] {2+}\r\n\r\n X {1}\r\n\n)\r\n",
    b"* 1 FETCH (ENVELOPE (NIL \"a \\\" {3}\" {3}\r\nabc))\r\n",
    b"* 1 FETCH (ENVELOPE (NIL \"a \\\\\" {3}\r\nabc))\r\n",
    b"* LIST () \"/\" box{5}\r\n",
    b"* LIST () \"/\" \"never closed {5}\r\n",
    b"* OK the text of a status is for people {5}\r\n",
    b"* OK [ALERT] and so is this {5}\r\n",
    b"a1 NO [BADCHARSET ({5}\r\nUTF-8 \"]\" {4}\r\na] b)] not that one {5}\r\n",
    b"+ go on {5}\r\n",
    b"* preauth welcome\r\n",
    b"*  OK  [BADCHARSET ({5}\r\nUTF-8)] two blanks {5}\r\n",
    b"a1  ok\r\n",
    b"a1 ok\r\n",
    b"* X-TENSION {\r\n",
    b"* 1 EXISTS\n",
];

/// The frames that are found if the stream comes in these pieces, or the error.
fn frames(pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>, Malformed> {
    let mut responses = Responses::default();
    let mut held = Vec::new();
    let mut frames = Vec::new();
    for piece in pieces {
        held.extend_from_slice(piece);
        while let Some(length) = responses.frame(&held)? {
            frames.push(held.drain(..length).collect());
        }
    }
    Ok(frames)
}

#[test]
fn responses_are_framed_alike_wherever_they_are_cut() {
    let all: Vec<&[u8]> = DOVECOT.iter().chain(&RARE).copied().collect();
    let stream = all.concat();
    assert_eq!(frames(&[&stream]).unwrap(), all);
    let bytes: Vec<_> = stream.chunks(1).collect();
    assert_eq!(frames(&bytes).unwrap(), all);
    for cut in 0..stream.len() {
        let (head, tail) = stream.split_at(cut);
        assert_eq!(frames(&[head, tail]).unwrap(), all, "cut at {cut}");
    }
}

#[test]
fn a_response_is_not_over_before_its_last_byte() {
    for response in DOVECOT.iter().chain(&RARE) {
        for cut in 0..response.len() {
            assert_eq!(frames(&[&response[..cut]]).unwrap(), Vec::<Vec<u8>>::new());
        }
    }
}

#[test]
fn a_line_that_is_no_response_is_named() {
    for (line, why) in [
        ("220 mail.example ESMTP\r\n", "begins with neither"),
        ("+OK POP3 ready\r\n", "begins with neither"),
        ("\r\n", "begins with neither"),
        (" OK hi\r\n", "begins with neither"),
        ("a1 BYE\r\n", "begins with neither"),
        ("a1 FETCH (FLAGS)\r\n", "begins with neither"),
        ("*\r\n", "begins with neither"),
        ("* 1 FETCH (BODY[] {99999999999999999999}\r\n", "can be counted"),
        ("* 1 FETCH (BODY[] {18446744073709551616}\r\n", "can be counted"),
        ("* 1 FETCH (BODY[] {00000000000000000000000000000000000001}\r\n", "can be counted"),
    ] {
        for pieces in [vec![line.as_bytes()], line.as_bytes().chunks(1).collect()] {
            let malformed = frames(&pieces).unwrap_err();
            assert!(malformed.why.contains(why), "{line}: {malformed:?}");
            assert_eq!(malformed.line, 0..line.len());
        }
    }
    let late = b"* 1 FETCH (A {1}\r\nx B {99999999999999999999}\r\n";
    assert_eq!(frames(&[late]).unwrap_err().line, 18..late.len());
}

#[test]
fn a_huge_literal_is_known_from_its_announcement() {
    let mut responses = Responses::default();
    assert_eq!(responses.frame(b"* 1 FETCH (BODY[] {18446744073709551615}\r\nab"), Ok(None));
    assert_eq!(responses.at_least(), u64::MAX);
    responses.restart();
    assert_eq!(responses.frame(b"* 1 FETCH (BODY[] {100}\r\nab"), Ok(None));
    assert_eq!(responses.at_least(), 125);
}

proptest! {
    #[test]
    fn any_bytes_are_framed_alike_however_they_come(bytes in soup(), size in 1_usize..7) {
        let whole = frames(&[&bytes]);
        let pieces: Vec<_> = bytes.chunks(size).collect();
        prop_assert_eq!(frames(&pieces), whole);
    }
}

#[test]
fn an_incomplete_response_says_what_is_missing() {
    for (held, missing) in [
        (&b""[..], None),
        (b"a1 OK done", Some("its line end, CR LF")),
        (
            b"* 2 FETCH (BODY[] {40}\r\nSubject: x\r\n\r\nhi\r\n)\r\na1 OK completed\r\n",
            Some("2 octets of a literal, of 40 that it announces"),
        ),
        (b"* 1 FETCH (BODY[] {2}\r\nhi", Some("what follows the literal, up to CR LF")),
        (b"* 1 FETCH (BODY[] {2}\r\nhi)", Some("its line end, CR LF")),
    ] {
        let mut responses = Responses::default();
        assert_eq!(responses.frame(held), Ok(None));
        assert_eq!(responses.missing(held).as_deref(), missing);
    }
}
