//! Tests of whole dialogues, without a socket.

mod bounds;

use super::*;
use crate::proto::Framing as _;
use crate::proto::Speech;
use crate::proto::smtp::Replies;
use crate::server::budget::Budget;
use crate::server::dialogue::LARGEST;
use crate::server::imap::Imap;
use crate::server::site::Site;
use crate::server::smtp::{Role, Smtp};
use crate::transcript::{Transcript, What};
use proptest::prelude::*;

const TOKEN: &str = "AGhvZ2VAZXhhbXBsZS5jb20AcHBwd3d3";
const TRANSACTION: &str = "MAIL FROM:<hoge@example.com>\r\nRCPT TO:<a@localhost>\r\nDATA\r\n";

fn conversation(role: Role, transcript: Option<&Transcript>) -> Conversation {
    let (site, peer) = (Arc::<Site>::default(), ([127, 0, 0, 1], 40_000).into());
    let recorder = transcript.map(|transcript| {
        Recorder::open(transcript.clone(), Speech::Smtp, peer, &Budget::default())
    });
    let spool = Arc::clone(&site.spool);
    let smtp = Box::new(Smtp::new(role, site, peer));
    let mut conversation = Conversation::new(smtp, spool, recorder);
    conversation.greet();
    // What one read is answered with does not depend on the clock.
    conversation.turn = Duration::MAX;
    conversation
}

/// The codes of the replies, in order; panics if the bytes are not replies.
fn codes(mut replies: &[u8]) -> Vec<String> {
    let mut codes = Vec::new();
    while !replies.is_empty() {
        let length = Replies::default().frame(replies).expect("well-formed").expect("whole");
        codes.push(String::from_utf8_lossy(&replies[..3]).into_owned());
        replies = &replies[length..];
    }
    codes
}

/// The replies to this stream in pieces of this size, whether the server closed, and the accepted
/// mail; without ids and dates.
fn said(role: Role, stream: &[u8], piece: usize) -> (Vec<u8>, bool, Vec<Vec<u8>>) {
    let mut conversation = conversation(role, None);
    let mut said = Outgoing::default();
    for bytes in stream.chunks(piece) {
        let outgoing = conversation.receive(bytes);
        said.replies.extend(outgoing.replies);
        said.last = said.last.or(outgoing.last);
        if said.last == Some(Next::Close) {
            break;
        }
    }
    let without_ids: Vec<_> = said
        .replies
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| !is_accepted(line))
        .collect();
    let bodies =
        conversation.spool.list().into_iter().map(|mail| body(&mail.data).to_vec()).collect();
    (without_ids.concat(), said.last == Some(Next::Close), bodies)
}

fn is_accepted(line: &[u8]) -> bool {
    line.ends_with(b"Message accepted for delivery\r\n")
}

/// The message without the three lines of its Received field.
fn body(data: &[u8]) -> &[u8] {
    let end = data.split_inclusive(|byte| *byte == b'\n').take(3).map(<[u8]>::len).sum();
    &data[end..]
}

#[test]
fn a_whole_transaction_in_one_read_is_answered_at_once() {
    let stream = format!("EHLO x\r\n{TRANSACTION}Hi\r\n.\r\nQUIT\r\nNOOP\r\n");
    let outgoing = conversation(Role::Smtp, None).receive(stream.as_bytes());
    assert_eq!(codes(&outgoing.replies), ["250", "250", "250", "354", "250", "221"]);
    assert_eq!(outgoing.last, Some(Next::Close));
}

#[test]
fn a_transaction_byte_by_byte_is_answered_alike() {
    let stream = format!("EHLO x\r\n{TRANSACTION}..Hi\r\nthere\r\n.\r\nNOOP\r\nXYZZY\r\nQUIT\r\n");
    let whole = said(Role::Smtp, stream.as_bytes(), 1 << 20);
    assert_eq!(said(Role::Smtp, stream.as_bytes(), 1), whole);
    assert_eq!(whole.2, [b".Hi\r\nthere\r\n"]);
}

#[test]
fn nothing_is_smuggled_after_a_dot_on_a_line_of_bare_lf() {
    let inner = "\n.\nMAIL FROM:<evil@example.com>\r\nRCPT TO:<a@localhost>\r\nDATA\r\nevil";
    for smuggled in
        [inner.to_owned(), inner.replace("\n.\n", "\n.\r\n"), inner.replace("\n.\n", "\r.\r")]
    {
        let stream = format!("EHLO x\r\n{TRANSACTION}Hi{smuggled}\r\n.\r\nNOOP\r\n");
        let outgoing = conversation(Role::Smtp, None).receive(stream.as_bytes());
        assert_eq!(codes(&outgoing.replies), ["250", "250", "250", "354", "250", "250"]);
        assert_eq!(
            said(Role::Smtp, stream.as_bytes(), 7).2,
            [format!("Hi{smuggled}\r\n").into_bytes()]
        );
    }
}

#[test]
fn a_line_that_is_none_gets_one_error_when_it_has_ended() {
    let mut conversation = conversation(Role::Smtp, None);
    for line in [&b"NOOP\n"[..], b"NO\0OP\r\n", b"NO\rOP\r\n"] {
        assert!(
            conversation.receive(line).replies.starts_with(b"500 5.5.2 "),
            "{}",
            line.escape_ascii()
        );
    }
    for _ in 0..100 {
        assert_eq!(conversation.receive(&[b'x'; 1000]), Outgoing::default());
    }
    assert_eq!(codes(&conversation.receive(b"\r\nNOOP\r\n").replies), ["500", "250"]);
}

/// The transcript of a connection with these reads, closed by the client.
fn transcript(role: Role, reads: &[&[u8]]) -> String {
    let transcript = Transcript::new();
    let mut conversation = conversation(role, Some(&transcript));
    for bytes in reads {
        conversation.receive(bytes);
    }
    conversation.closed(Close::ByClient);
    transcript.to_string()
}

#[test]
fn the_transcript_tells_all_and_masks_the_secrets() {
    let message = "Subject: x\r\n\r\nmy password is pppwww\n.\r\n..\r\n.\r\n";
    let reads = format!(
        "EHLO x\r\nAUTH PLAIN {TOKEN}\r\n{TRANSACTION}{message}RCPT TO:<pppwww@localhost>\r\nQU"
    );
    let transcript = transcript(Role::Submission, &[reads.as_bytes()]);
    let id = regex::Regex::new("[0-9]{14}").unwrap();
    insta::assert_snapshot!(id.replace_all(&transcript, "[ID]"), @r"
    *** accepted from smtp://127.0.0.1:40000
    S: 220 localhost ESMTP mailexpect embedded test server
    C: EHLO x
    S: 250-localhost
    S: 250-PIPELINING
    S: 250-SIZE 10485760
    S: 250-8BITMIME
    S: 250-STARTTLS
    S: 250-AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256
    S: 250 ENHANCEDSTATUSCODES
    C: AUTH PLAIN [SECRET] → \0hoge@example.com\0[SECRET]
    S: 235 2.7.0 Authentication successful
    C: MAIL FROM:<hoge@example.com>
    S: 250 2.1.0 <hoge@example.com>... Sender ok
    C: RCPT TO:<a@localhost>
    S: 250 2.1.5 <a@localhost>... Recipient ok
    C: DATA
    S: 354 End data with <CR><LF>.<CR><LF>
    C: Subject: x
    C: 
    C: my password is [SECRET]\n
    C: .
    C: ..
    C: .
    S: 250 2.0.0 [ID] Message accepted for delivery
    C: RCPT TO:<[SECRET]@localhost>
    S: 503 5.5.1 MAIL first
    C: QU\
    *** closed by the client
    ");
}

#[test]
fn login_is_masked_however_it_is_sent() {
    for (reads, shown) in [
        (&["AUTH LOGIN\r\n", "aG9nZUBleGFtcGxlLmNvbQ==\r\n", "cHBwd3d3\r\n"][..], 2),
        (&["AUTH LOGIN\r\naG9nZUBleGFtcGxlLmNvbQ==\r\ncHBwd3d3\r\n"], 2),
        (&["AUTH LOGIN aG9nZUBleGFtcGxlLmNvbQ==\r\ncHBw", "d3d3\r\n"], 2),
    ] {
        let reads: Vec<_> =
            ["EHLO x\r\n"].iter().chain(reads).map(|read| read.as_bytes()).collect();
        let shown_in = transcript(Role::Submission, &reads);
        assert!(shown_in.contains("235 2.7.0 "), "{shown_in}");
        assert!(!shown_in.contains("aG9nZ") && !shown_in.contains("cHBwd3d3"), "{shown_in}");
        assert_eq!(shown_in.matches("[SECRET]").count(), shown, "{shown_in}");
    }
}

#[test]
fn secrets_that_the_server_did_not_ask_for_are_masked_too() {
    for (role, stream) in [
        (Role::Smtp, format!("AUTH PLAIN {TOKEN}\r\n")),
        (Role::Smtp, format!("AUTH PLAIN\r\n{TOKEN}\r\n")),
        (Role::Smtp, "AUTH LOGIN\r\naG9nZUBleGFtcGxlLmNvbQ==\r\ncHBwd3d3\r\n".to_owned()),
        (Role::Submission, format!("AUTH CRAM-MD5\r\n{TOKEN}\r\n")),
        (Role::Submission, format!("BDAT 1000\r\nAUTH PLAIN {TOKEN}\r\n")),
        (Role::Submission, format!("AUTH\tPLAIN\t{TOKEN}\r\n")),
        (Role::Submission, format!(" AUTH  PLAIN  {TOKEN}\r\n")),
        (Role::Submission, format!("AUTH PLAIN {TOKEN}\n")),
        (Role::Submission, format!("AUTH PLAIN {TOKEN}")),
        (Role::Submission, format!("AUTH PLAIN\r\n{TOKEN}\n{TOKEN}\r\n")),
        (Role::Submission, format!("AUTH PLAIN {}\r\nNOOP {TOKEN}\r\n", TOKEN.repeat(1000))),
        (
            Role::Smtp,
            format!("{TRANSACTION}a\n.\r\nDATA\r\nRSET\r\n.\r\nAUTH PLAIN\r\n{TOKEN}\r\n"),
        ),
    ] {
        for piece in [1, 5000, 100_000] {
            let stream = format!("EHLO x\r\n{stream}");
            let shown = transcript(role, &stream.as_bytes().chunks(piece).collect::<Vec<_>>());
            let bare = shown.replace(&format!("NOOP {TOKEN}"), "");
            assert!(
                !bare.contains(TOKEN) && !bare.contains("cHBwd3d3") && !bare.contains("pppwww"),
                "{shown}"
            );
        }
    }
}

#[test]
fn an_unknown_command_after_auth_is_not_taken_for_a_secret() {
    let shown = transcript(
        Role::Submission,
        &[format!("EHLO x\r\nAUTH PLAIN {TOKEN}\r\nABCD\r\nAUTH X\r\nXYZZY 1\r\n").as_bytes()],
    );
    assert!(shown.contains("C: ABCD\n") && shown.contains("C: XYZZY 1\n"), "{shown}");
}

#[test]
fn a_secret_in_a_large_message_is_found_wherever_the_message_is_cut() {
    for offset in [60_000, 65_530, 65_534, 65_540, 70_000] {
        let text = format!("{}pppwww{}", "x".repeat(offset), "x".repeat(100_000 - offset));
        let transcript = Transcript::new();
        let mut conversation = conversation(Role::Submission, Some(&transcript));
        conversation.receive(format!("EHLO x\r\nAUTH PLAIN {TOKEN}\r\n").as_bytes());
        let recorder = conversation.recorder.as_mut().expect("a transcript was given");
        text.as_bytes().chunks(1000).for_each(|bytes| recorder.content(bytes));
        recorder.message();
        let events = transcript.events();
        let Some(What::Client(message)) = events.last().map(|event| &event.what) else {
            panic!("{transcript}")
        };
        let total = message.head().len() as u64 + message.omitted() + message.tail().len() as u64;
        assert_eq!(total, 100_000 + "[SECRET]".len() as u64, "cut around {offset}");
    }
}

#[test]
fn an_overlong_line_is_recorded_by_its_start() {
    let line = [&[b'x'; 10_000][..], b"\r\n"].concat();
    let shown = transcript(Role::Smtp, &[&line]);
    assert!(shown.contains("xxx\\\nC: ... 5906 bytes left out ...\nS: 500 "), "{shown}");
}

#[test]
fn a_conversation_that_is_dropped_was_closed_by_the_server() {
    let transcript = Transcript::new();
    let mut dropped = conversation(Role::Smtp, Some(&transcript));
    dropped.receive(format!("EHLO x\r\n{TRANSACTION}half a mess").as_bytes());
    drop(dropped);
    assert!(
        transcript.to_string().ends_with("C: half a mess\\\n*** closed by the server\n"),
        "{transcript}"
    );
}

/// Random lines: many of them are valid commands or responses.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let known = proptest::sample::select(
        &[
            "EHLO x",
            "HELO y",
            "MAIL FROM:<a@b>",
            "MAIL FROM:<>",
            "MAIL FROM:<a@b> SIZE=1",
            "RCPT TO:<a@localhost>",
            "RCPT TO:<a@b>",
            "DATA",
            "RSET",
            "NOOP",
            "QUIT",
            "AUTH PLAIN",
            "AUTH LOGIN",
            "*",
            "=",
            "aG9nZUBleGFtcGxlLmNvbQ==",
            "cHBwd3d3",
            "AUTH PLAIN AGhvZ2VAZXhhbXBsZS5jb20AcHBwd3d3",
            "VRFY x",
            "STARTTLS now",
            "BDAT 3",
            ".",
            "",
            "Subject: x",
            "..",
        ][..],
    );
    prop_oneof![
        6 => known.prop_map(|line| line.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>().prop_filter("no line end", |byte| *byte != b'\n'), 0..40),
        1 => "(MAIL|RCPT|AUTH|mail|EHLO) ?[A-Za-z:<>@\" .\\\\=]{0,30}".prop_map(String::into_bytes),
    ]
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Smtp), Just(Role::Submission)]
}

proptest! {
    #[test]
    fn each_line_gets_one_reply_and_each_message_one(role in role(), lines in proptest::collection::vec(line(), 0..60), recorded in any::<bool>()) {
        let transcript = Transcript::new();
        let mut conversation = conversation(role, recorded.then_some(&transcript));
        for mut line in lines {
            line.extend_from_slice(b"\r\n");
            let in_message = conversation.incoming.is_some();
            let outgoing = conversation.receive(&line);
            let ends_message = in_message && conversation.incoming.is_none();
            let expected = usize::from(!in_message || ends_message);
            prop_assert_eq!(codes(&outgoing.replies).len(), expected, "{}", line.escape_ascii());
            prop_assert!(!ends_message || line == b".\r\n");
            if outgoing.last == Some(Next::Close) {
                break;
            }
        }
    }

    #[test]
    fn the_replies_do_not_depend_on_how_the_stream_is_cut(role in role(), lines in proptest::collection::vec((line(), "\r?\n"), 0..40), piece in 1usize..40) {
        let stream: Vec<u8> = lines.into_iter().flat_map(|(line, end)| [line, end.into_bytes()].concat()).collect();
        prop_assert_eq!(said(role, &stream, piece), said(role, &stream, 1 << 20));
    }

    #[test]
    fn nothing_panics_on_garbage(role in role(), stream in proptest::collection::vec(any::<u8>(), 0..3000), piece in 1usize..3000) {
        let transcript = Transcript::new();
        let mut conversation = conversation(role, Some(&transcript));
        for bytes in stream.chunks(piece) {
            codes(&conversation.receive(bytes).replies);
        }
    }
}

#[test]
fn a_password_that_is_cut_in_a_literal_is_masked_all_the_same() {
    let transcript = Transcript::new();
    let (site, peer) = (Arc::<Site>::default(), ([127, 0, 0, 1], 40_000).into());
    let recorder = Recorder::open(transcript.clone(), Speech::Imap, peer, &Budget::default());
    let spool = Arc::clone(&site.spool);
    let mut conversation = Conversation::new(Box::new(Imap::new(site)), spool, Some(recorder));
    conversation.greet();
    for piece in [
        "a LOGIN hoge@example.com pppwww\r\n",
        "b APPEND INBOX {29+}\r\nmy password is ppp",
        "www.\r\nBye.\r\n\r\nc LOGIN {16+}\r\nhoge@example.com {6+}\r\nppp",
        "www\r\n",
    ] {
        conversation.receive(piece.as_bytes());
    }
    drop(conversation);
    let shown = transcript.to_string();
    assert!(shown.contains("C: my password is [SECRET]."), "{shown}");
    assert!(!shown.contains("ppp") && !shown.contains("www"), "{shown}");
}
