mod challenges;
mod identifiers;
mod mutations;
mod pairs;
mod stability;
mod strictness;

use std::fmt::Write as _;

use bytes::Bytes;

use super::*;
use crate::transcript::{Excerpt, SessionId, What, lines};

/// The events of a dialogue, written as `C:` and `S:` lines. Consecutive lines of one side become
/// one event, with CRLF after each line.
fn dialogue(session: u32, url: &str, text: &str) -> Vec<Event> {
    let mut turns: Vec<(bool, String)> = Vec::new();
    for line in text.lines() {
        let (mark, said) = line.split_at_checked(2).unwrap();
        let said = said.strip_prefix(' ').unwrap_or(said);
        match turns.last_mut().filter(|(is_server, _)| *is_server == (mark == "S:")) {
            Some((_, turn)) => write!(turn, "{said}\r\n").unwrap(),
            None => turns.push((mark == "S:", format!("{said}\r\n"))),
        }
    }
    let said = turns.into_iter().map(|(is_server, turn)| {
        let bytes = Excerpt::from(Bytes::from(turn));
        if is_server { What::Server(bytes) } else { What::Client(bytes) }
    });
    let session = Some(SessionId::of(session));
    std::iter::once(What::Connecting(url.into()))
        .chain(said)
        .map(|what| Event::new(session, what))
        .collect()
}

fn shown(events: &[Event]) -> String {
    lines(events).iter().fold(String::new(), |text, line| format!("{text}{line}\n"))
}

fn redacted(redaction: &Redaction, events: &[Event]) -> String {
    let once = redaction.apply(events).unwrap();
    let twice = redaction.apply(&once.events).unwrap();
    assert_eq!(twice.changes, [], "redacting again changes nothing");
    shown(&once.events)
}

#[test]
fn every_preset_finds_its_samples_and_nothing_else() {
    let mut names = BTreeSet::new();
    for preset in presets() {
        let rule = Rule::of(preset).unwrap();
        assert!(!preset.samples().is_empty(), "{}", preset.name());
        for (line, value) in preset.samples() {
            let found = rule.spans(line.as_bytes()).next();
            assert_eq!(found.map(|span| &line[span]), Some(*value), "{} in {line}", preset.name());
        }
        for line in preset.others() {
            assert_eq!(rule.spans(line.as_bytes()).next(), None, "{} in {line}", preset.name());
        }
        assert!(names.insert(preset.name()), "{} is there twice", preset.name());
        assert!(tokens::is_name(preset.token()), "{}", preset.token());
    }
    assert!(names.len() >= 88);
}

/// A dialogue that submits a message and then reads it over POP3.
fn submitted_and_read() -> Vec<Event> {
    let submitted = dialogue(
        1,
        "submission://mail.example:587",
        "S: 220 mail.example ESMTP\n\
         C: EHLO client.test\n\
         S: 250-mail.example\nS: 250-SIZE 10240000\nS: 250-AUTH PLAIN LOGIN\nS: 250 8BITMIME\n\
         C: DATA\n\
         S: 354 go\n\
         C: Date: Sun, 22 Nov 2026 05:08:00 +0000\nC: \nC: queued as 200809A4001\nC: .\n\
         S: 250 2.0.0 Ok: queued as 200809A4001\n\
         C: QUIT\n\
         S: 221 2.0.0 Bye",
    );
    let read = dialogue(
        2,
        "pop3://mail.example:110",
        "S: +OK Dovecot ready. <2a5e.2a.6b0278b0.1medX0AxC8gv@vm>\n\
         C: UIDL\n\
         S: +OK\nS: 1 000000016b0277a9\nS: .\n\
         C: RETR 1\n\
         S: +OK 811 octets\nS: Received: from client.test (unknown [127.0.0.1])\nS: \tby mail.example (Postfix) with ESMTPSA id 200809A4001\n\
         S: \tfor <a@b>; Sun, 22 Nov 2026 05:08:00 +0000 (UTC)\nS: \nS: queued as 200809A4001\nS: .",
    );
    [submitted, read].concat()
}

#[test]
fn an_id_has_one_number_in_the_reply_in_received_and_over_pop3() {
    let events = submitted_and_read();
    let redaction = Redaction::new().preset("pop3").unwrap().known("mail.example", "HOST").unwrap();
    insta::assert_snapshot!(redacted(&redaction, &events), @r"
    s1 *** connecting to submission://[HOST]:587
    s1 S: 220 [HOST] ESMTP
    s1 C: EHLO client.test
    s1 S: 250-[HOST]
    s1 S: 250-8BITMIME
    s1 S: 250-AUTH LOGIN PLAIN
    s1 S: 250 SIZE 10240000
    s1 C: DATA
    s1 S: 354 go
    s1 C: Date: [DATE]
    s1 C: 
    s1 C: queued as 200809A4001
    s1 C: .
    s1 S: 250 2.0.0 Ok: queued as [QUEUE_ID#1]
    s1 C: QUIT
    s1 S: 221 2.0.0 Bye
    s2 *** connecting to pop3://[HOST]:110
    s2 S: +OK Dovecot ready. [APOP#1]
    s2 C: UIDL
    s2 S: +OK
    s2 S: 1 [UIDL#1]
    s2 S: .
    s2 C: RETR 1
    s2 S: +OK 811 octets
    s2 S: Received: from client.test (unknown [[IPV4#1]])
    s2 S: \tby [HOST] (Postfix) with ESMTPSA id [QUEUE_ID#1]
    s2 S: \tfor <a@b>; [DATE]
    s2 S: 
    s2 S: queued as 200809A4001
    s2 S: .
    ");
    insta::assert_snapshot!(redacted(&redaction.preset("headers").unwrap(), &events[10..]), @"
    s2 *** connecting to pop3://[HOST]:110
    s2 S: +OK Dovecot ready. [APOP#1]
    s2 C: UIDL
    s2 S: +OK
    s2 S: 1 [UIDL#1]
    s2 S: .
    s2 C: RETR 1
    s2 S: +OK 811 octets
    s2 S: Received: from [HOST] by [HOST] with ESMTPSA id [QUEUE_ID#1]; [DATE]
    s2 S: 
    s2 S: queued as 200809A4001
    s2 S: .
    ");
}

#[test]
fn imap_is_redacted_response_by_response() {
    let events = dialogue(
        1,
        "imap://localhost",
        "S: * OK [CAPABILITY IMAP4rev1] Dovecot ready.\n\
         C: a1 LOGIN carol \"c@rol-99\"\n\
         S: a1 OK Logged in\n\
         C: a2 SELECT INBOX\n\
         S: * FLAGS (\\Seen \\Answered)\nS: * OK [UIDVALIDITY 1795324010] UIDs valid\nS: * OK [UIDNEXT 5] Predicted\n\
         S: a2 OK [READ-WRITE] Select completed (0.001 + 0.000 secs).\n\
         C: a3 FETCH 4 BODY[]\n\
         S: * 4 FETCH (UID 9 FLAGS (\\Seen \\Recent) BODY[] {311}\nS: Message-ID: <72b3d2ec@client.test>\n\
         S: DKIM-Signature: v=1; d=client.test; t=1700000000;\nS:  b=abc\n\
         S: Content-Type: multipart/mixed;\nS:  boundary=\"b1\"\nS: \n\
         S: --b1\nS: Message-ID: <72b3d2ec@client.test>\nS: \nS: UIDNEXT 5\nS: --b1--\nS: )\n\
         S: a3 OK Fetch completed.",
    );
    let redaction = Redaction::new().select("imap headers").unwrap();
    insta::assert_snapshot!(redacted(&redaction, &events), @r#"
    *** connecting to imap://localhost
    S: * OK [CAPABILITY IMAP4rev1] Dovecot ready.
    C: a1 LOGIN carol [SECRET]
    S: a1 OK Logged in
    C: a2 SELECT INBOX
    S: * FLAGS (\Answered \Seen)
    S: * OK [UIDVALIDITY [UIDVALIDITY#1]] UIDs valid
    S: * OK [UIDNEXT [UIDNEXT#1]] Predicted
    S: a2 OK [READ-WRITE] Select completed ([DURATION]).
    C: a3 FETCH 4 BODY[]
    S: * 4 FETCH (FLAGS (\Recent \Seen) UID [UID#1] BODY[] {311}
    S: Message-ID: [MESSAGE_ID#1]
    S: DKIM-Signature: d=client.test; v=1
    S: Content-Type: multipart/mixed;
    S:  boundary="[BOUNDARY#1]"
    S: 
    S: --[BOUNDARY#1]
    S: Message-ID: [MESSAGE_ID#1]
    S: 
    S: UIDNEXT 5
    S: --[BOUNDARY#1]--
    S: )
    S: a3 OK Fetch completed.
    "#);
}

#[test]
fn the_answer_to_another_command_is_left_alone() {
    let redaction = Redaction::new().select("pop3,sizes,sasl").unwrap();
    let events = dialogue(
        1,
        "pop3://localhost",
        "S: +OK ready\nC: STAT\nS: +OK 2 1795\nC: LIST\nS: +OK 2 messages:\nS: 1 1795\nS: .\nC: UIDL 1\nS: +OK 1 0000002a52e3f1c0\n\
         C: LIST 1\nS: +OK 1 1795\nC: NOOP\nS: +OK 1 0000002a52e3f1c0",
    );
    insta::assert_snapshot!(redacted(&redaction, &events), @"
    *** connecting to pop3://localhost
    S: +OK ready
    C: STAT
    S: +OK [COUNT_OCTETS]
    C: LIST
    S: +OK 2 messages:
    S: 1 [OCTETS]
    S: .
    C: UIDL 1
    S: +OK 1 [UIDL#1]
    C: LIST 1
    S: +OK 1 [OCTETS]
    C: NOOP
    S: +OK 1 0000002a52e3f1c0
    ");
    let events = dialogue(
        2,
        "smtp://localhost",
        "S: 220 1 0000002a52e3f1c0\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: aG9nZQ==\nS: 235 ok",
    );
    insta::assert_snapshot!(redacted(&redaction, &events), @"
    s2 *** connecting to smtp://localhost
    s2 S: 220 1 0000002a52e3f1c0
    s2 C: AUTH LOGIN
    s2 S: 334 VXNlcm5hbWU6
    s2 C: aG9nZQ==
    s2 S: 235 ok
    ");
}

#[test]
fn a_stream_is_known_by_its_greeting() {
    let redaction = Redaction::new().preset("pop3").unwrap();
    let events =
        dialogue(1, "tcp://localhost:110", "S: +OK <1.2@vm>\nC: UIDL 1\nS: +OK 1 0000002a52e3f1c0");
    insta::assert_snapshot!(redacted(&redaction, &events), @"
    *** connecting to tcp://localhost:110
    S: +OK [APOP#1]
    C: UIDL 1
    S: +OK 1 [UIDL#1]
    ");
}

#[test]
fn a_change_says_which_rule_put_what_where() {
    let events = dialogue(
        1,
        "smtp://h",
        "S: 220 h\nC: EHLO x\nS: 250-h at [192.0.2.7]\nS: 250-SIZE 1\nS: 250 DSN",
    );
    let redacted = Redaction::new().apply(&events).unwrap();
    let shown: Vec<_> = redacted.changes.iter().map(ToString::to_string).collect();
    assert_eq!(shown[0], "event 3, bytes 10..19: net.ipv4: 192.0.2.7 -> [IPV4#1]");
    assert!(
        shown[1].starts_with("event 3, bytes 0..43: ehlo: 250-h at [[IPV4#1]]\\r\\n250-SIZE"),
        "{}",
        shown[1]
    );
    assert_eq!(shown.len(), 2);
}

#[test]
fn known_values_come_before_regexes_and_secrets_before_them() {
    let redaction = Redaction::new()
        .known("192.0.2.7", "SERVER")
        .and_then(|redaction| redaction.known("2525", "PORT"))
        .and_then(|redaction| redaction.known("alice", "USER"))
        .and_then(|redaction| redaction.regex_without_numbers(r"in (?P<v>\d+) s", "SECONDS"))
        .unwrap();
    let events = dialogue(
        1,
        "smtp://192.0.2.7:2525",
        "S: 220 hi\nC: VRFY al\nS: 252 alice, 192.0.2.7, 192.0.2.8, in 5 s\nC: PASS alice",
    );
    insta::assert_snapshot!(redacted(&redaction, &events), @"
    *** connecting to smtp://[SERVER]:[PORT]
    S: 220 hi
    C: VRFY al
    S: 252 [USER], [SERVER], [IPV4#1], in [SECONDS] s
    C: PASS [SECRET]
    ");
}

#[test]
fn the_ends_of_a_long_run_are_redacted_both() {
    let long = format!("220 a [192.0.2.7]\r\n{}\r\n220 z [192.0.2.7]\r\n", "x".repeat(50_000));
    let session = Some(SessionId::of(1));
    let events = [Event::new(session, What::Server(Excerpt::from(Bytes::from(long))))];
    let redacted = Redaction::new().apply(&events).unwrap();
    let What::Server(bytes) = &redacted.events[0].what else { panic!("{:?}", redacted.events) };
    assert!(
        bytes.head().starts_with(b"220 a [[IPV4#1]]\r\n")
            && bytes.tail().ends_with(b"\r\n220 z [[IPV4#1]]\r\n")
    );
    let What::Server(before) = &events[0].what else { unreachable!() };
    let kept = [before.head(), before.tail()].concat();
    let places: Vec<_> = redacted.changes.iter().map(|change| &kept[change.span.clone()]).collect();
    assert_eq!(places, [b"192.0.2.7", b"192.0.2.7"]);
}

#[test]
fn a_preset_that_does_not_exist_says_so() {
    let redaction = Redaction::new;
    for (result, why) in [
        (redaction().preset("imap.uidvaliditi"), "no preset or group `imap.uidvaliditi`"),
        (redaction().without("nonsense"), "the groups are banner, dates, headers,"),
        (redaction().without("secrets"), "always on"),
        (redaction().without("secret.pop3_pass"), "always on"),
        (redaction().known("", "HOST"), "no line can hold"),
        (redaction().known("x", "host"), "`host` cannot be a token"),
        (redaction().regex("x", "SECRET"), "SECRET is taken"),
        (redaction().regex("(", "X"), "the regex is wrong"),
        (redaction().select("imap -imap +nope"), "`nope`"),
    ] {
        let error = result.unwrap_err();
        assert!(error.is_usage() && error.to_string().contains(why), "{error}");
    }
}

#[test]
fn names_and_groups_are_taken_out_and_in() {
    let on = |list: &str, name: &str| Redaction::none().select(list).unwrap().is_on(name);
    assert!(on("default", "ehlo") && !on("default", "imap.uidnext") && on("all", "imap.uidnext"));
    assert!(!on("default -ids", "exim.id.new") && on("default -ids exim.id.new", "exim.id.new"));
    assert!(on("all -all", "secret.pop3_pass") && !on("all,-all", "epoch"));
}

#[test]
fn a_word_of_the_servers_own_is_no_value_of_ours() {
    let redaction = Redaction::new()
        .known("test", "USER")
        .and_then(|redaction| redaction.known("SIZE", "WORD"))
        .unwrap();
    let events = dialogue(
        1,
        "smtp://h",
        "S: 220 h test server\nC: EHLO x\nS: 250-h\nS: 250 SIZE 100\nC: VRFY test\nS: 252 test",
    );
    let shown = redacted(&redaction, &events);
    assert!(
        shown.contains("S: 220 h test server\n") && shown.contains("250 SIZE 100\n"),
        "{shown}"
    );
    assert!(shown.contains("C: VRFY [USER]\nS: 252 [USER]\n"), "{shown}");
}

#[test]
fn a_size_is_no_time() {
    let events = dialogue(
        1,
        "smtp://h",
        "S: 220 h\nC: EHLO x\nS: 250-h\nS: 250 SIZE 1073741824\nC: MAIL FROM:<> SIZE=1500000000\nS: 250 at 1692480217",
    );
    let shown = redacted(&Redaction::new(), &events);
    assert!(
        shown.contains("SIZE 1073741824")
            && shown.contains("SIZE=1500000000")
            && shown.contains("at [EPOCH]"),
        "{shown}"
    );
}

#[test]
fn a_set_of_numbers_keeps_its_form() {
    let events = dialogue(
        1,
        "imap://mail.example:143",
        "S: * OK hi\nC: a1 COPY 1:2 Lab\nS: a1 OK [COPYUID 5 1:2 7:8,9] done\n",
    );
    let redacted = redacted(&Redaction::new().preset("imap").unwrap(), &events);
    assert!(redacted.contains("[UID#1]:[UID#2] [UID#3]:[UID#4],[UID#5]]"), "{redacted}");
}

/// Quadratic work would take minutes here.
#[test]
fn many_values_in_a_line_are_found_in_linear_time() {
    let preset = presets().find(|preset| preset.name() == "tls.params").unwrap();
    let line = "X=TLS1.3:TLS_AES_256_GCM_SHA384:2".repeat(16 << 10);
    assert_eq!(Rule::of(preset).unwrap().spans(line.as_bytes()).count(), 16 << 10);
}
