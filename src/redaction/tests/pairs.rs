//! Pairs of dialogues that must have the same golden, because only values that vary from run to run
//! differ, and pairs that must not.

use super::mutations::golden;
use super::*;
use crate::transcript::read;

/// The golden of a dialogue in which `reply` answers the end of a message.
fn taken(reply: &str) -> String {
    golden(
        &Redaction::new(),
        "smtp",
        &format!(
            "S: 220 h ESMTP\nC: EHLO x\nS: 250 h\nC: MAIL FROM:<a@b>\nS: 250 ok\nC: RCPT TO:<a@b>\nS: 250 ok\n\
             C: DATA\nS: 354 go\nC: Subject: x\nC: \nC: x\nC: .\nS: {reply}"
        )
        .lines()
        .map(str::to_owned)
        .collect::<Vec<_>>(),
    )
}

#[test]
fn the_identifier_of_a_message_is_another_one_each_time() {
    for (one, other) in [
        (
            "250 2.0.0 Ok: queued as BT8kq2tEFBnkJZQwZzqyGd",
            "250 2.0.0 Ok: queued as Xy7aQ2tEFBnkJZQwZzq123",
        ),
        (
            "250 Ok: queued as rF8sl5dTqHEVlZPaXnVx8YcxaCVxiR-JKH6kgGLVqmQ=@mailhog.example",
            "250 Ok: queued as AA8sl5dTqHEVlZPaXnVx8YcxaCVxiR-JKH6kgGLVqmQ=@mailhog.example",
        ),
        ("250 Ok: queued as nhIMmON9SFOPcT0ii4nt2A", "250 Ok: queued as ahIMmON9SFOPcT0ii4nt2B"),
        (
            "250 2.0.0 Ok: queued on smtp3m.example.test as 1430081058-6ltgNFKSir-iHEKdOrm",
            "250 2.0.0 Ok: queued on smtp2o.example.test as 1430081999-7ltgNFKSir-iHEKdOrn",
        ),
        (
            "250 Mail OK queued as smtp14,EsCowECpdV1WQ0FUuRf2BQ--.1381S2 1413563633",
            "250 Mail OK queued as smtp14,EsCowECpdV1WQ0FUuRf2BR--.1399S2 1413563699",
        ),
        (
            "250 2.0.0 OK: queued 2K6C7TNVWUIRJYGYXJ6K4TYT",
            "250 2.0.0 OK: queued 3K6C7TNVWUIRJYGYXJ6K4TYT",
        ),
        (
            "250 queued as d98ae19ee87f0741ac9ba90d7046f0c5",
            "250 queued as a98ae19ee87f0741ac9ba90d7046f0c5",
        ),
        ("250 2.0.0 Ok: queued as 4711", "250 2.0.0 Ok: queued as 4720"),
        ("250 Ok: queued as <4711.8@mx.example>", "250 Ok: queued as <4811.9@mx.example>"),
        (
            "250 OK 123e4567-e89b-12d3-a456-426614174000",
            "250 OK 223e4567-e89b-12d3-a456-426614174111",
        ),
        (
            "250 2.0.0 2xyz3abcde-1 Message accepted for delivery",
            "250 2.0.0 4xyz3abcde-1 Message accepted for delivery",
        ),
        (
            "250 2.6.0 message received {\"id\": \"5f8a01\"}",
            "250 2.6.0 message received {\"id\": \"6f8a01\"}",
        ),
        ("250 Queued (4.512 seconds)", "250 Queued (0.141 seconds)"),
        ("250 ok:  Message 12345678 accepted", "250 ok:  Message 12345999 accepted"),
        ("250 OK id=1xUzo8-0004zI-1P", "250 OK id=1yUzo8-0004zI-1P"),
        ("250 OK id=1xUzo8-000000004zI-1P2q", "250 OK id=1yUzo8-000000004zI-1P2q"),
        ("250 ok 1068203214 qp 12345", "250 ok 1068203999 qp 321"),
        (
            "250 2.0.0 OK  1690517236 x6-20020a05610223c600b004451f8ccf1csm418782vsr.11 - gsmtp",
            "250 2.0.0 OK  1690517999 y6-20020a05610223c600b004451f8ccf1csm418782vsr.12 - gsmtp",
        ),
    ] {
        assert_eq!(taken(one), taken(other));
    }
}

#[test]
fn words_and_sizes_are_no_identifiers_and_no_times() {
    for (one, other) in [
        ("250 ok Sendmail 8.17.1.9/8.17.1.9", "250 ok Sendmail 8.18.2.4/8.18.2.4"),
        ("250 2.0.0 ok (unauthenticated)", "250 2.0.0 ok (blacklisted)"),
        ("250 2.0.0 ok (10485760)", "250 2.0.0 ok (1048576)"),
        ("250 2.0.0 limit is 1073741824 bytes", "250 2.0.0 limit is 1999999999 bytes"),
        ("250 2.0.0 next try in 300 seconds", "250 2.0.0 next try in 86400 seconds"),
        ("250 2.0.0 user id 12345678 is known", "250 2.0.0 user id 87654321 is known"),
        ("250 2.0.0 Ok: queued as mail", "250 2.0.0 Ok: queued as spam"),
        ("250 ok, Dovecot 2.3.19.1 took it", "250 ok, Dovecot 2.4.0.1 took it"),
        ("250 ok (Postfix 3.7.11.1)", "250 ok (Postfix 3.8.11.1)"),
        ("250 ok, version=1.2.3.4", "250 ok, version=1.2.3.5"),
        ("250 ok, quota 2147483648 of 3221225472", "250 ok, quota 2147483648 of 1073741824"),
        ("250 keep alive for 600 secs", "250 keep alive for 60 secs"),
        ("250 ok, at most 1000000000 octets", "250 ok, at most 2000000000 octets"),
    ] {
        assert_ne!(taken(one), taken(other));
    }
}

/// Asserts that two dialogues have the same golden, with the presets in `redact` on.
fn is_same(redact: &str, scheme: &str, one: &str, other: &str) {
    let redaction =
        Redaction::new().select(redact).unwrap().regex(r"ticket (?P<v>\d+)", "TICKET").unwrap();
    let lines = |text: &str| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
    assert_eq!(golden(&redaction, scheme, &lines(one)), golden(&redaction, scheme, &lines(other)));
}

#[test]
fn a_value_that_a_client_repeats_varies_with_the_server_s() {
    let imap = |validity: &str, uid: &str, ticket: &str, size: &str| {
        format!(
            "S: * OK hi
            C: a1 SELECT INBOX
            S: * OK [UIDVALIDITY {validity}] ok
            S: a1 OK [READ-WRITE] Your ticket {ticket}
            C: a2 APPEND INBOX {{{size}}}
            S: + go
            C: Subject: ticket {ticket}
            C:
            C: {validity}
            S: a2 OK [APPENDUID {validity} {uid}] Append completed
            C: a3 UID FETCH {uid} (FLAGS)
            S: * 4 FETCH (UID {uid} FLAGS (\\Seen))
            S: a3 OK done
            C: a4 SELECT INBOX (QRESYNC ({validity} 7))
            S: a4 OK done
            C: a5 SEARCH TEXT {{12}}
            S: + go
            C: ticket {ticket}
            S: a5 OK done
            C: a6 URLFETCH \"imap://h/INBOX;uidvalidity={validity}/;uid={uid}\"
            S: a6 OK {ticket} again
            C: a7 X {ticket}"
        )
        .replace("S: a6 OK 31415 again", "S: a6 OK again")
        .replace("S: a6 OK 27182 again", "S: a6 OK again")
        .replace(&format!(";uid={uid}\""), "\"")
    };
    is_same(
        "imap,sizes",
        "imap",
        &imap("1795324010", "5", "31415", "20"),
        &imap("1795329999", "6", "27182", "21"),
    );
}

#[test]
fn two_runs_against_one_server_have_one_golden() {
    is_same(
        "pop3",
        "pop3",
        "S: +OK ready <1.1692480217@h>\nC: UIDL\nS: +OK\nS: 1 1692480217\nS: 2 000000016b0277a9\nS: .",
        "S: +OK ready <2.1692480999@h>\nC: UIDL\nS: +OK\nS: 1 1692489999\nS: 2 000000016b0288b1\nS: .",
    );
    is_same(
        "",
        "smtp",
        "S: 220 h ESMTP Sendmail; Thu, 13 Oct 2011 14:44:27 +0900\nC: NOOP\nS: 250 up since 2040-01-02 03:04:05.678 UTC, at 2208988800\nC: QUIT\nS: 221 Tue Mar  2 09:44:33 CET 1999, to 192.0.2.7",
        "S: 220 h ESMTP Sendmail; Fri, 14 Oct 2011 4:44:27.5 CEST\nC: NOOP\nS: 250 up since 2026-01-02 03:04:05.1 UTC, at 1692480217\nC: QUIT\nS: 221 Wed Mar  3 09:44:33 JST 2026, to 192.0.2.99",
    );
    is_same(
        "",
        "sieve",
        "S: OK \"hi\"\nC: AUTHENTICATE \"X\"\nS: {84}\nS: x\nC: {12+}\nC: y\nS: OK",
        "S: OK \"hi\"\nC: AUTHENTICATE \"X\"\nS: {86}\nS: x\nC: {14+}\nC: y\nS: OK",
    );
    is_same(
        "",
        "smtp",
        "S: 220 h\nC: DATA\nS: 354 go\nC: Message-ID: <0123456789abcdef.mailexpect@x>\nC:\nC: x\nC: .\nS: 250 ok",
        "S: 220 h\nC: DATA\nS: 354 go\nC: Message-ID: <fedcba9876543210.mailexpect@x>\nC:\nC: x\nC: .\nS: 250 ok",
    );
    is_same(
        "",
        "imap",
        "S: * OK [CAPABILITY IDLE IMAP4rev1] hi\nC: a CAPABILITY\nS: * CAPABILITY IDLE IMAP4rev1\nS: a OK",
        "S: * OK [CAPABILITY IMAP4rev1 IDLE] hi\nC: a CAPABILITY\nS: * CAPABILITY IMAP4rev1 IDLE\nS: a OK",
    );
}

/// Asserts that two answers to a command have the same golden, or not.
#[track_caller]
fn compare(redact: &str, scheme: &str, command: &str, answers: [&str; 2], is_same: bool) {
    let greeting = if scheme == "imap" { "* OK hi" } else { "+OK hi" };
    let [one, other] = answers.map(|answer| {
        let answer = answer.replace('\n', "\nS: ");
        let text = format!("S: {greeting}\nC: {command}\nS: {answer}");
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        golden(&Redaction::new().select(redact).unwrap(), scheme, &lines)
    });
    assert_eq!(one == other, is_same, "{one}{other}");
}

#[test]
fn uids_of_searches_vary_and_numbers_of_messages_do_not() {
    for (command, one, other, has_uids) in [
        ("a UID SEARCH ALL", "* SEARCH 5 6", "* SEARCH 55 66", true),
        ("a SEARCH ALL", "* SEARCH 5 6", "* SEARCH 55 66", false),
        ("a UID SEARCH ALL", "* SEARCH 5 6", "* SEARCH 55", false),
        ("a UID SEARCH ALL", "* SEARCH 5", "* SEARCH", false),
        ("a UID SORT (DATE) UTF-8 ALL", "* SORT 6 5", "* SORT 66 55", true),
        ("a UID THREAD REFS UTF-8 ALL", "* THREAD (5)(6 7)", "* THREAD (55)(66 77)", true),
        ("a THREAD REFS UTF-8 ALL", "* THREAD (5)(6 7)", "* THREAD (55)(66 77)", false),
        (
            "a UID SEARCH RETURN () ALL",
            "* ESEARCH (TAG \"a\") UID MIN 5 MAX 6 ALL 5:6",
            "* ESEARCH (TAG \"a\") UID MIN 55 MAX 56 ALL 55:56",
            true,
        ),
        (
            "a UID SEARCH RETURN (COUNT) ALL",
            "* ESEARCH (TAG \"a\") UID COUNT 5",
            "* ESEARCH (TAG \"a\") UID COUNT 6",
            false,
        ),
        (
            "a SEARCH RETURN () ALL",
            "* ESEARCH (TAG \"a\") ALL 5:6",
            "* ESEARCH (TAG \"a\") ALL 55:56",
            false,
        ),
        ("a NOOP", "* VANISHED 5", "* VANISHED 55", true),
    ] {
        compare("imap", "imap", command, [one, other], has_uids);
    }
    // The same UID has the same token everywhere.
    let lines = "S: * OK hi\nC: a UID SEARCH ALL\nS: * SEARCH 7 5\nS: a OK\nC: b UID FETCH 5 FLAGS\n\
                 S: * 2 FETCH (FLAGS () UID 5)";
    let lines: Vec<_> = lines.lines().map(str::to_owned).collect();
    let golden = golden(&Redaction::new().select("imap").unwrap(), "imap", &lines);
    assert_eq!(golden.matches("[UID#2]").count(), 3, "{golden}");
}

#[test]
fn ids_and_sizes_of_pop3_vary_however_they_are_written() {
    for (command, one, other, varies) in [
        ("UIDL", "+OK\n1 12\n2 abc\n.", "+OK\n1 212\n2 xyz9\n.", true),
        ("UIDL", "+OK 2 messages\n1 12\n.", "+OK 2 many\n1 12\n.", false),
        ("UIDL 1", "+OK 1 a", "+OK 1 xyz9", true),
        ("UIDL 1", "+OK 1 a", "+OK 2 a", false),
        ("RETR 1", "+OK 300 octets", "+OK 310 octets", true),
        (
            "LIST",
            "+OK 2 messages (300 octets)\n1 1\n.",
            "+OK 2 messages (310 octets)\n1 2\n.",
            true,
        ),
        ("LIST", "+OK 2 messages (300 octets)", "+OK 3 messages (300 octets)", false),
        (
            "PASS x",
            "+OK maildrop has 2 messages (300 octets)",
            "+OK maildrop has 2 messages (31 octets)",
            true,
        ),
        ("STAT", "+OK 2 300 octets", "+OK 2 310 octets", true),
    ] {
        compare("pop3,sizes", "pop3", command, [one, other], varies);
    }
}

#[test]
fn the_version_of_tls_stays_and_the_host_does_not() {
    let tls = |words: &str| {
        let events = read(&format!("*** connecting to smtp://h\n*** TLS {words}\n")).0;
        shown(&Redaction::new().known("localhost", "HERE").unwrap().apply(&events).unwrap().events)
    };
    let one = tls("1.3 with TLS_AES_256_GCM_SHA384, certificate verified for localhost");
    assert_eq!(one, tls("1.3 with TLS_AES_128_GCM_SHA256, certificate verified for mail.example"));
    assert_ne!(one, tls("1.2 with TLS_AES_256_GCM_SHA384, certificate verified for localhost"));
}

#[test]
fn a_starttls_that_is_gone_is_noticed_at_every_strictness() {
    for (scheme, dialogue) in [
        ("smtp", "S: 220 h\nC: EHLO x\nS: 250-h\nS: 250-STARTTLS\nS: 250 DSN"),
        ("pop3", "S: +OK\nC: CAPA\nS: +OK\nS: STARTTLS\nS: UIDL\nS: ."),
        ("imap", "S: * OK [CAPABILITY IMAP4rev1 STARTTLS] hi"),
        ("imap", "S: * OK hi\nC: a CAPABILITY\nS: * CAPABILITY IMAP4rev1 STARTTLS\nS: a OK"),
        ("sieve", "S: \"SIEVE\" \"x\"\nS: \"STARTTLS\"\nS: OK"),
    ] {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let gone = dialogue
            .replace("S: 250-STARTTLS\n", "")
            .replace("S: STARTTLS\n", "")
            .replace("S: \"STARTTLS\"\n", "")
            .replace(" STARTTLS", "");
        for strictness in Strictness::ALL {
            let redaction = Redaction::new().strictness(strictness);
            assert_ne!(
                golden(&redaction, scheme, &lines(dialogue)),
                golden(&redaction, scheme, &lines(&gone)),
                "{scheme} at {strictness}"
            );
        }
    }
}
