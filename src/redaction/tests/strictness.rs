//! What is left of dialogues at each strictness.

use super::*;
use crate::transcript::{self, read};

fn reduced(strictness: Strictness, text: &str) -> String {
    let redacted = Redaction::none().strictness(strictness).apply(&read(text).0).unwrap();
    let lines = transcript::lines(&redacted.events);
    lines.iter().skip(1).fold(String::new(), |text, line| format!("{text}{line}\n"))
}

/// Asserts what is left of a dialogue at `enhanced` and at `codes`.
fn check(dialogue: &str, at_enhanced: &str, at_codes: &str) {
    let cut = |text: &str| {
        text.lines().fold(String::new(), |text, line| format!("{text}{}\n", line.trim()))
    };
    let (dialogue, at_enhanced, at_codes) = (cut(dialogue), cut(at_enhanced), cut(at_codes));
    let first = dialogue.lines().next().unwrap();
    assert_eq!(reduced(Strictness::Enhanced, &dialogue), at_enhanced);
    assert_eq!(reduced(Strictness::Codes, &dialogue), at_codes);
    for kept in [&dialogue, &format!("{first}\n{at_enhanced}"), &format!("{first}\n{at_codes}")] {
        assert_eq!(reduced(Strictness::Codes, kept), at_codes, "less of less is the same");
    }
    assert_eq!(reduced(Strictness::Text, &dialogue), dialogue[first.len() + 1..]);
}

#[test]
fn of_smtp_codes_and_keywords_are_left() {
    check(
        "*** connecting to smtp://h
        S: 220-mail.example ESMTP
        S: 220 welcome
        C: EHLO x
        S: 250-mail.example at your service
        S: 250-AUTH LOGIN PLAIN
        S: 250-SIZE 1000
        S: 250 STARTTLS
        C: MAIL FROM:<a@b>
        S: 250 2.1.0 Ok
        C: RCPT TO:<a@b>
        S: 550-5.7.1 no
        S: 550-5.7.1 really
        S: 551 5.7.2 not",
        "S: 220
        C: EHLO x
        S: 250-
        S: 250-AUTH LOGIN PLAIN
        S: 250-SIZE 1000
        S: 250 STARTTLS
        C: MAIL FROM:<a@b>
        S: 250 2.1.0
        C: RCPT TO:<a@b>
        S: 550-5.7.1
        S: 551 5.7.2",
        "S: 220
        C: EHLO x
        S: 250-
        S: 250-AUTH LOGIN PLAIN
        S: 250-SIZE
        S: 250 STARTTLS
        C: MAIL FROM:<a@b>
        S: 250
        C: RCPT TO:<a@b>
        S: 550-
        S: 551",
    );
}

#[test]
fn of_pop3_statuses_lists_and_keywords_are_left() {
    check(
        "*** connecting to pop3://h
        S: +OK hi <1@x>
        C: CAPA
        S: +OK here
        S: LOGIN-DELAY 60
        S: SASL PLAIN
        S: .
        C: STAT
        S: +OK 1 120
        C: LIST
        S: +OK 1 messages
        S: 1 120
        S: .
        C: RETR 1
        S: +OK 120 octets
        S: Subject: x
        S: +OK what
        S: .
        C: DELE 2
        S: -ERR [IN-USE] locked",
        "S: +OK
        C: CAPA
        S: +OK
        S: LOGIN-DELAY 60
        S: SASL PLAIN
        S: .
        C: STAT
        S: +OK 1 120
        C: LIST
        S: +OK
        S: 1 120
        S: .
        C: RETR 1
        S: +OK
        S: .
        C: DELE 2
        S: -ERR [IN-USE]",
        "S: +OK
        C: CAPA
        S: +OK
        S: LOGIN-DELAY
        S: SASL PLAIN
        S: .
        C: STAT
        S: +OK
        C: LIST
        S: +OK
        S: 1
        S: .
        C: RETR 1
        S: +OK
        S: .
        C: DELE 2
        S: -ERR",
    );
}

#[test]
fn of_imap_statuses_kinds_of_data_and_keywords_are_left() {
    check(
        "*** connecting to imap://h
        S: * OK [CAPABILITY IDLE IMAP4rev1] hi
        C: a1 SELECT INBOX
        S: * 3 EXISTS
        S: * OK [UIDVALIDITY 3] ok
        S: a1 no [TRYCREATE] x
        C: a2 FETCH 1 BODY[]
        S: * 1 FETCH (BODY[] {2}
        S: Subject: x
        S: )
        S: a2 OK done",
        "S: * OK [CAPABILITY IDLE IMAP4rev1]
        C: a1 SELECT INBOX
        S: * 3 EXISTS
        S: * OK [UIDVALIDITY]
        S: a1 no [TRYCREATE]
        C: a2 FETCH 1 BODY[]
        S: * 1 FETCH (BODY[] {2}
        S: )
        S: a2 OK",
        "S: * OK [CAPABILITY IDLE IMAP4rev1]
        C: a1 SELECT INBOX
        S: * EXISTS
        S: * OK
        S: a1 no
        C: a2 FETCH 1 BODY[]
        S: * FETCH
        S: a2 OK",
    );
}

#[test]
fn of_managesieve_statuses_and_keywords_are_left() {
    check(
        "*** connecting to sieve://h
        S: \"IMPLEMENTATION\" \"x 1\"
        S: \"SASL\" \"PLAIN\"
        S: OK \"ready\"
        C: GETSCRIPT \"a\"
        S: {4}
        S: stop
        S: OK
        C: PUTSCRIPT \"a\" {4+}
        C: stop
        S: NO (QUOTA/MAXSIZE) {3}
        S: big",
        "S: \"IMPLEMENTATION\" \"x 1\"
        S: \"SASL\" \"PLAIN\"
        S: OK
        C: GETSCRIPT \"a\"
        S: {4}
        S: OK
        C: PUTSCRIPT \"a\" {4+}
        C: stop
        S: NO (QUOTA/MAXSIZE)",
        "S: \"IMPLEMENTATION\"
        S: \"SASL\" \"PLAIN\"
        S: OK
        C: GETSCRIPT \"a\"
        S: {4}
        S: OK
        C: PUTSCRIPT \"a\" {4+}
        C: stop
        S: NO",
    );
}

#[test]
fn streams_and_half_lines_are_kept_whole() {
    let text = "*** connecting to tcp://h\nS: hello\nC: x\nS: you\n";
    assert!(text.ends_with(&reduced(Strictness::Codes, text)));
    let half = "*** connecting to smtp://h\nS: 220 hal\\\n";
    assert!(half.ends_with(&reduced(Strictness::Codes, half)));
}

/// A mail with lines that look like responses, and what follows it in the same response.
const FETCHED: &str = "*** connecting to imap://h
S: * OK hi
C: a1 FETCH 1:2 (BODY[] FLAGS UID)
S: * 1 FETCH (BODY[] {48}
S: Subject: x
S: 
S: * bread
S: * 2 EXISTS
S: a1 OK no
S: )
S:  FLAGS (\\Seen) UID 7)
S: * 2 FETCH (BODY[] {2}
S: ab FLAGS () UID 8)
S: a1 OK done
";

#[test]
fn what_follows_a_literal_counts_as_what_precedes_it() {
    let (first, _) = FETCHED.split_once('\n').unwrap();
    let enhanced = "S: * OK
C: a1 FETCH 1:2 (BODY[] FLAGS UID)
S: * 1 FETCH (BODY[] {48}
S:  FLAGS (\\Seen) UID 7)
S: * 2 FETCH (BODY[] {2}
S:  FLAGS () UID 8)
S: a1 OK
";
    let codes = "S: * OK\nC: a1 FETCH 1:2 (BODY[] FLAGS UID)\nS: * FETCH\nS: * FETCH\nS: a1 OK\n";
    assert_eq!(reduced(Strictness::Enhanced, FETCHED), enhanced);
    assert_eq!(reduced(Strictness::Codes, FETCHED), codes);
    let again = format!("{first}\n{enhanced}");
    assert_eq!(reduced(Strictness::Enhanced, &again), enhanced);
    assert_eq!(reduced(Strictness::Codes, &again), codes);
}

#[test]
fn a_literal_that_was_redacted_ends_by_its_form() {
    for size in ["{1000}", "{7}", "{[LITERAL#1]}"] {
        let said = format!(
            "*** connecting to imap://h
S: * OK hi
C: a1 FETCH 1 (BODY[] FLAGS)
S: * 1 FETCH (BODY[] {size}
S: Message-ID: [MESSAGE_ID#1]
S: 
S: * bread
S: )
S: f)
S:  FLAGS (\\Seen))
S: * 3 EXISTS
S: a1 OK done
"
        );
        let kept = reduced(Strictness::Enhanced, &said);
        let wanted = format!(
            "S: * OK\nC: a1 FETCH 1 (BODY[] FLAGS)\nS: * 1 FETCH (BODY[] {size}\nS:  FLAGS (\\Seen))\nS: * 3 EXISTS\nS: a1 OK\n"
        );
        assert_eq!(kept, wanted);
    }
}

#[test]
fn scripts_are_listed_with_and_without_literals() {
    let listed = "*** connecting to sieve://h
S: OK
C: LISTSCRIPTS
S: \"one\"
S: {3}
S: a b
S: {4}
S: OK x ACTIVE
S: \"two\"
S: OK \"done\"
C: GETSCRIPT \"one\"
S: {14}
S: OK
S: NO (ACL)
S: 
S: OK
";
    let (first, _) = listed.split_once('\n').unwrap();
    let enhanced = "S: OK
C: LISTSCRIPTS
S: \"one\"
S: {3}
S: {4}
S:  ACTIVE
S: \"two\"
S: OK
C: GETSCRIPT \"one\"
S: {14}
S: OK
";
    assert_eq!(reduced(Strictness::Enhanced, listed), enhanced);
    assert_eq!(reduced(Strictness::Enhanced, &format!("{first}\n{enhanced}")), enhanced);
}
