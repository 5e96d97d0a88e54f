//! Redacting twice gives the same as redacting once, whatever the events are.

use std::path::Path;

use proptest::prelude::*;

use super::*;

/// Checks the recorded dialogues of real servers, with one event for each turn.
#[test]
fn real_dialogues_are_redacted_once_and_for_all() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let redaction = Redaction::new().preset("all").unwrap();
    let mut seen = 0;
    for protocol in ["smtp", "lmtp"] {
        for file in std::fs::read_dir(folder.join(protocol)).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let said = |line: &&str| line.starts_with("S: ") || line.starts_with("C: ");
            let text: Vec<_> = text.lines().filter(said).collect();
            let events = dialogue(1, &format!("{protocol}://localhost"), &text.join("\n"));
            let once = redaction.apply(&events).unwrap();
            assert_eq!(redaction.apply(&once.events).unwrap().changes, []);
            seen += once.changes.len();
        }
    }
    assert!(seen > 100, "{seen} changes");
}

/// Pieces of dialogues, and text that looks like tokens.
const WORDS: &[&str] = &[
    "250-",
    "250 ",
    "220 ",
    "354 go",
    "334 ",
    "+OK ",
    "-ERR ",
    "* ",
    "a1 ",
    "OK ",
    "FETCH (",
    "BODY[] {9}",
    "EHLO x",
    "DATA",
    "BDAT 9",
    "UIDL",
    "STAT",
    "LIST",
    "RETR 1",
    "AUTH PLAIN ",
    "PASS ",
    "a1 APPEND x {9+}",
    ".",
    "\r\n",
    "\n",
    "\r\n ",
    "\r",
    "Received: from a by b id ",
    "DKIM-Signature: ",
    "b=",
    "t=",
    "; ",
    "boundary=",
    "--",
    "ab",
    "queued as ",
    "DEADBEEF12",
    "10HmaX-0005vi-00",
    " 1692480217",
    "[DATE]",
    "[QUEUE_ID#1]",
    "[SECRET]",
    "]: ",
    "[",
    "]",
    "192.0.2.7",
    "12 secs",
    "\u{e9}",
    "Thu, 13 Oct 2011 14:44:27 +0900",
    "UIDNEXT 5",
    "FLAGS (\\Seen \\A)",
    "SIZE 10",
    "1 0000002a52e3f1c0",
    "mail.example",
    "0",
];

fn piece() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![8 => proptest::sample::select(WORDS).prop_map(str::to_owned), 1 => ".{0,4}"],
        0..12,
    )
    .prop_map(|pieces| pieces.concat())
}

fn happening() -> impl Strategy<Value = Event> {
    (0u8..10, piece(), 1u32..3).prop_map(|(kind, text, session)| {
        let bytes = |text: String| Excerpt::from(Bytes::from(text));
        let what = match kind {
            0..4 => What::Server(bytes(text + "\r\n")),
            4 => What::Server(bytes(text)),
            5 | 6 => What::Client(bytes(text + "\r\n")),
            7 => What::Client(bytes(text)),
            8 => What::Complaint(bytes(text)),
            _ => What::Printed(text),
        };
        Event::new(Some(SessionId::of(session)), what)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn redacting_twice_is_redacting_once(
        scheme in proptest::sample::select(vec!["smtp", "lmtp", "pop3", "imap", "tcp"]),
        happened in proptest::collection::vec(happening(), 0..12),
    ) {
        let connecting = [1, 2].map(|session| {
            Event::new(Some(SessionId::of(session)), What::Connecting(format!("{scheme}://mail.example")))
        });
        let events: Vec<_> = connecting.into_iter().chain(happened).collect();
        let redaction = Redaction::new().preset("all").and_then(|all| all.known("mail.example", "HOST")).unwrap();
        let once = redaction.apply(&events).unwrap();
        let twice = redaction.apply(&once.events).unwrap();
        prop_assert_eq!(twice.changes, []);
        prop_assert_eq!(shown(&twice.events), shown(&once.events));
    }
}
