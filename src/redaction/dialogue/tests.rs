use super::*;

/// The kinds of the lines of `text`, each given to the dialogue on its own. A line of `text` begins
/// with `C: ` or `S: `.
fn parts(speech: Speech, text: &str) -> Vec<(Part, Verb)> {
    let mut dialogue = Dialogue::new(Some(speech));
    let mut parts = Vec::new();
    for line in text.lines() {
        let (mark, said) = line.split_at(3);
        let from = if mark == "S: " { From::Server } else { From::Client };
        let units = dialogue.follow(from, format!("{said}\r\n").as_bytes());
        parts.extend(units.iter().map(|unit| (unit.seen.part, unit.seen.answering)));
    }
    parts
}

const COMMAND: (Part, Verb) = (Part::Command, Verb::Other);
const HEADER: (Part, Verb) = (Part::Header, Verb::Other);
const BODY: (Part, Verb) = (Part::Body, Verb::Other);

fn reply(verb: Verb) -> (Part, Verb) {
    (Part::Reply, verb)
}

#[test]
fn over_lmtp_each_recipient_is_answered_for() {
    let found = parts(
        Speech::Lmtp,
        "S: 220 hi\nC: LHLO x\nS: 250-hi\nS: 250 DSN\nC: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<a@b>\nS: 250 ok\nC: RCPT TO:<c@d>\n\
         S: 250 ok\nC: RCPT TO:<e@f>\nS: 550 no\nC: DATA\nS: 354 go\nC: a: b\nC: \nC: c: d\nC: .\nS: 250 one\nS: 250 two\nC: LHLO x\nS: 250 hi",
    );
    let wanted = [
        &[
            (Part::Greeting, Verb::Greeting),
            COMMAND,
            reply(Verb::Ehlo),
            reply(Verb::Ehlo),
            COMMAND,
            reply(Verb::Mail),
        ][..],
        &[
            COMMAND,
            reply(Verb::Rcpt),
            COMMAND,
            reply(Verb::Rcpt),
            COMMAND,
            reply(Verb::Rcpt),
            COMMAND,
            reply(Verb::Data),
        ],
        &[
            HEADER,
            HEADER,
            BODY,
            BODY,
            reply(Verb::Message),
            reply(Verb::Message),
            COMMAND,
            reply(Verb::Ehlo),
        ],
    ];
    assert_eq!(found, wanted.concat());
}

#[test]
fn a_chunk_goes_on_until_the_server_speaks() {
    let found = parts(
        Speech::Smtp,
        "S: 220 hi\nC: BDAT 9\nC: a: b\nC: BDAT 9 LAST\nC: c: d\nC: \nC: QUIT\nS: 250 ok\nC: QUIT\nS: 221 bye",
    );
    let wanted = [
        COMMAND,
        HEADER,
        COMMAND,
        HEADER,
        HEADER,
        BODY,
        reply(Verb::Bdat),
        COMMAND,
        reply(Verb::Bdat),
    ];
    assert_eq!(found[1..], wanted);
}

#[test]
fn responses_to_challenges_are_no_commands() {
    let found = parts(
        Speech::Pop3,
        "S: +OK hi\nC: AUTH LOGIN\nS: + VXNlcg==\nC: STAT\nS: +OK 1 2\nC: STAT\nS: +OK 1 2",
    );
    let wanted =
        [COMMAND, reply(Verb::Auth), COMMAND, reply(Verb::Auth), COMMAND, reply(Verb::Stat)];
    assert_eq!(found[1..], wanted);
    let found = parts(
        Speech::Smtp,
        "S: 220 hi\nC: AUTH LOGIN\nS: 334 VXNlcg==\nC: DATA\nS: 535 no\nC: NOOP\nS: 250 ok",
    );
    assert_eq!(
        found[1..],
        [COMMAND, reply(Verb::Auth), COMMAND, reply(Verb::Auth), COMMAND, reply(Verb::Other)]
    );
}

#[test]
fn a_message_is_appended_until_the_command_is_answered() {
    let found = parts(
        Speech::Imap,
        "S: * OK hi\nC: a1 APPEND INBOX {99}\nS: + go\nC: a: b\nC: \nC: c\nS: a1 OK done\nC: a2 NOOP\nS: * 1 FETCH (BODY[1] {6}\nS: x: y\n\
         S: )\nS: a2 OK done",
    );
    let wanted = [
        COMMAND,
        reply(Verb::Other),
        HEADER,
        HEADER,
        BODY,
        reply(Verb::Other),
        COMMAND,
        reply(Verb::Other),
        BODY,
    ];
    assert_eq!(found[1..], [&wanted[..], &[reply(Verb::Other), reply(Verb::Other)]].concat());
}

#[test]
fn a_line_in_pieces_is_one_line() {
    let mut dialogue = Dialogue::new(Some(Speech::Smtp));
    dialogue.follow(From::Server, b"220 hi\r\n");
    for piece in ["EH", "LO x", "\r\n"] {
        assert_eq!(dialogue.follow(From::Client, piece.as_bytes())[0].seen.part, Part::Command);
    }
    let fixed = ["2", "50", "-hi\r\n250 DSN\r\n"]
        .map(|piece| dialogue.follow(From::Server, piece.as_bytes())[0].seen.fixed);
    assert_eq!(fixed, [0, 2, 1], "of `250-`, what is known of it by then");
}

#[test]
fn the_octets_of_a_literal_are_counted_however_they_are_cut() {
    let said = b"* 1 FETCH (BODY[] {26}\r\na: b\r\n\r\n* 1 EXISTS\r\n)\r\nc\r\n FLAGS () UID 7)\r\n\
                 * 2 FETCH (BODY[1] {0}\r\n UID 8)\r\n* 3 FETCH (BODY[1] {1}\r\n) UID 9)\r\na1 OK done\r\n";
    let parts = |events: &[&[u8]]| {
        let mut dialogue = Dialogue::new(Some(Speech::Imap));
        dialogue.follow(From::Server, b"* OK hi\r\n");
        dialogue.follow(From::Client, b"a1 FETCH 1:3 (BODY[] FLAGS)\r\n");
        let mut parts = Vec::new();
        for event in events {
            for unit in dialogue.follow(From::Server, event) {
                parts.extend(std::iter::repeat_n(unit.seen.part, unit.span.len()));
            }
        }
        parts
    };
    let whole = parts(&[said]);
    let of = |text: &[u8]| whole[memchr::memmem::find(said, text).unwrap()];
    assert_eq!(
        [&b"a: b"[..], b"* 1 EX", b")\r\nc", b" FLAGS () UID 7", b" UID 8", b") UID 9", b" UID 9"]
            .map(of),
        [Part::Header, Part::Body, Part::Body, Part::Reply, Part::Reply, Part::Body, Part::Reply]
    );
    let lines: Vec<&[u8]> = said.split_inclusive(|byte| *byte == b'\n').collect();
    assert_eq!(parts(&lines), whole);
    for at in memchr::memchr_iter(b'\n', said) {
        assert_eq!(parts(&[&said[..=at], &said[at + 1..]]), whole, "cut at {at}");
    }
}
