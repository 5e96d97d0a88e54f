//! Whether an identifier is redacted depends on its place and its form, and never on the letters and
//! digits that it happens to consist of.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fastrand::Rng;

use super::mutations::golden;
use super::*;

const DIGITS: &str = "0123456789";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The forms of identifiers that servers and their libraries use: what each starts with, the
/// characters of the rest, and their number.
fn forms() -> Vec<(&'static str, String, usize)> {
    let (hex, upper_hex) = (format!("{DIGITS}abcdef"), format!("{DIGITS}ABCDEF"));
    let base32 = format!("{UPPER}234567");
    let base36 = format!("{DIGITS}{LOWER}");
    let upper_base36 = format!("{DIGITS}{UPPER}");
    let base62 = format!("{DIGITS}{LOWER}{UPPER}");
    let (base64, url) = (format!("{base62}+/"), format!("{base62}-_"));
    let mut forms = vec![
        ("c", format!("{DIGITS}abcdefghijklmnopqrstuv"), 19), // xid
        ("c", base36.clone(), 24),                            // cuid
        ("01", "0123456789ABCDEFGHJKMNPQRSTVWXYZ".into(), 24), // ULID
        ("2", base62.clone(), 26),                            // KSUID
        ("", url.clone(), 21),                                // nanoid
        ("", base64, 22),
        ("", format!("abcdefghijklmnopqrstuv{DIGITS}"), 40), // SES
    ];
    for length in [8, 9, 10, 12, 16, 20, 32, 40] {
        for letters in [&hex, &upper_hex, &base32, &base36, &upper_base36, &base62, &url] {
            forms.push(("", letters.clone(), length));
        }
        forms.push(("", DIGITS.into(), length.min(19)));
    }
    forms
}

/// Replies in which any word of at least eight characters is an identifier.
const REPLIES: &[&str] = &[
    "250 {}",
    "250 2.0.0 {}",
    "250 OK {}",
    "250 OK: {}",
    "250 OK - {}",
    "250 2.0.0 OK {}",
    "250 2.0.0 OK: queued {}",
    "250 OK {} queued",
    "250 Accepted ({})",
    "250 Accepted [{}]",
    "250 Ok: Message received <{}>.",
    "250 2.0.0 Message accepted for delivery ({})",
    "250 2.0.0 {} Message accepted for delivery",
    "250 Great success {}",
    "250 Message accepted: {}",
];

/// Replies in which any word is an identifier.
const NAMED: &[&str] = &[
    "250 OK id={}",
    "250 2.0.0 Ok: queued as {}",
    "250 2.0.0 Ok: 91 bytes queued as {}.",
    "250 Queued mail for delivery as <{}>",
    "250 Message {} accepted",
    "250 Message queued with id {}",
    "250 Ok, message id {}",
    "250 {\"id\": \"{}\"}",
];

fn random(rng: &mut Rng, (start, letters, length): &(&str, String, usize)) -> String {
    let letters: Vec<char> = letters.chars().collect();
    let rest: String = (0..*length).map(|_| letters[rng.usize(..letters.len())]).collect();
    format!("{start}{rest}")
}

/// The replies to messages with these identifiers after redaction, without the numbers of tokens,
/// and how many identifiers have each.
fn redacted_replies(reply: &str, ids: &[String]) -> BTreeMap<String, usize> {
    let mut text = "S: 220 h\n".to_owned();
    for id in ids {
        writeln!(text, "C: DATA\nS: 354 go\nC: x\nC: .\nS: {}", reply.replace("{}", id)).unwrap();
    }
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    let golden = golden(&Redaction::new(), "smtp", &lines);
    let mut found = BTreeMap::new();
    for line in golden.lines().filter(|line| line.starts_with("S: 250")) {
        let (before, after) = line.split_once('#').unwrap_or((line, ""));
        let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
        *found.entry(format!("{before}{after}")).or_default() += 1;
    }
    found
}

/// `MAILEXPECT_IDS=600` tries more identifiers of each form.
fn count() -> usize {
    std::env::var("MAILEXPECT_IDS").ok().and_then(|count| count.parse().ok()).unwrap_or(5)
}

#[test]
fn all_identifiers_of_one_form_are_redacted_in_one_place() {
    let mut rng = Rng::with_seed(4711);
    let short = [4, 5, 6, 7].into_iter().flat_map(|length| {
        [format!("{DIGITS}abcdef"), format!("{DIGITS}{LOWER}"), format!("{DIGITS}{UPPER}{LOWER}")]
            .map(|letters| ("", letters, length))
    });
    let (long, short) = (forms(), short.collect::<Vec<_>>());
    let pairs = REPLIES.iter().flat_map(|reply| long.iter().map(move |form| (reply, form)));
    let named =
        NAMED.iter().flat_map(|reply| long.iter().chain(&short).map(move |form| (reply, form)));
    for (reply, form) in pairs.chain(named) {
        let ids: Vec<_> = (0..count()).map(|_| random(&mut rng, form)).collect();
        let found = redacted_replies(reply, &ids);
        let expected = format!("S: {}", reply.replace("{}", "[QUEUE_ID]"));
        let expected = BTreeMap::from([(expected, ids.len())]);
        assert_eq!(found, expected, "{reply} with {form:?}");
    }
}

#[test]
fn identifiers_without_digits_and_without_letters_are_identifiers() {
    for id in ["deadbeef", "FACEBEEF", "13572468", "GtHnqWWoElKH8LIa", "ethsjgjvlbgd", "RcMBRpCU"] {
        for reply in REPLIES.iter().chain(NAMED) {
            let found = redacted_replies(reply, &[id.to_owned()]);
            assert!(found.keys().all(|line| line.contains("[QUEUE_ID]")), "{found:?}");
        }
    }
}

#[test]
fn ordinary_words_sizes_and_names_are_no_identifiers() {
    for reply in [
        "250 2.0.0 Requested mail action okay, completed",
        "250 OK thanks",
        "250 Delivered",
        "250 2.0.0 Message successfully accepted",
        "250 Message queued as requested",
        "250 2.6.0 Message received by mailserver",
        "250 2.0.0 ok (10485760)",
        "250 2.0.0 Ok: 12345678 bytes",
        "250 2.0.0 mx1.example.test took it with AES256-SHA384",
        "250 Accepted (unauthenticated)",
        "250 Message accepted for delivery to postmaster",
        "250 2.1.5 <postmaster@example.test> delivered",
        "250 2.0.0 relayed by mail-relay-01",
        "554 5.7.1 rejected: blacklisted",
        "554 5.7.1 Message-ID header is invalid",
    ] {
        let found = redacted_replies(reply, &[String::new()]);
        assert!(found.keys().all(|line| *line == format!("S: {reply}")), "{found:?}");
    }
}

#[test]
fn an_identifier_without_digits_is_recognised_when_a_client_and_a_field_repeat_it() {
    let lines = |id: &str| {
        format!(
            "S: 220 h\nC: DATA\nS: 354 go\nC: x\nC: .\nS: 250 OK id={id}\nC: NOOP {id}\nS: 250 ok\n\
             C: DATA\nS: 354 go\nC: Received: from a by b with HTTP id {id}; now\nC: \nC: .\nS: 250 ok"
        )
        .lines()
        .map(str::to_owned)
        .collect::<Vec<_>>()
    };
    let one = golden(&Redaction::new(), "smtp", &lines("ethsjgjvlbgd"));
    assert_eq!(one, golden(&Redaction::new(), "smtp", &lines("3ths7gjv1bgd")));
    assert_eq!(one.matches("[QUEUE_ID#1]").count(), 3, "{one}");
}

/// Whether two greetings, or two answers to RCPT, have the same golden.
fn are_same(scheme: &str, greetings: [&str; 2], answers: [&str; 2]) -> bool {
    let [one, other] = [0, 1].map(|n| {
        let lines = [greetings[n], "C: RCPT TO:<a@b>", answers[n]].map(str::to_owned);
        golden(&Redaction::new(), scheme, &lines)
    });
    one == other
}

#[test]
fn identifiers_of_large_providers_vary_and_words_in_their_places_do_not() {
    for (one, other, is_same) in [
        (
            "550 5.4.1 no [h.test 2024-12-01T12:00:00.123Z 08DD11FF00AA22BB]",
            "550 5.4.1 no [h.test 2025-01-09T23:59:59.999Z ABCDEFABCDEFABCD]",
            true,
        ),
        ("550 5.4.1 no [h.test]", "550 5.4.1 no [i.test]", false),
        ("451 Greylisting, come back in 00:04:59", "451 Greylisting, come back in 00:01:12", true),
        ("451 Greylisted for 300 seconds", "451 Greylisted for 600 seconds", false),
    ] {
        let answers = [format!("S: {one}"), format!("S: {other}")];
        let answers = [0, 1].map(|n| answers[n].as_str());
        assert_eq!(are_same("smtp", ["S: 220 h"; 2], answers), is_same, "{one}");
    }
    for (scheme, one, other, is_same) in [
        (
            "smtp",
            "S: 220 h Microsoft ESMTP MAIL Service ready at Sun, 1 Dec 2024 12:00:00 +0000 [08DD11FF00AA22BB]",
            "S: 220 h Microsoft ESMTP MAIL Service ready at Mon, 2 Dec 2024 12:00:00 +0000 [9999999999999999]",
            true,
        ),
        (
            "imap",
            "S: * OK The Microsoft Exchange IMAP4 service is ready. [QQBNADAAUABSADAAMQA=]",
            "S: * OK The Microsoft Exchange IMAP4 service is ready. [RABNADYAUABSADAAMQA=]",
            true,
        ),
        (
            "imap",
            "S: * OK Gimap ready for requests from 192.0.2.7 d2e1a72fcca58mb123456pfb",
            "S: * OK Gimap ready for requests from 198.51.100.7 abcdefghijklmnopqrst",
            true,
        ),
        ("imap", "S: * OK Gimap ready", "S: * OK Gimap ready no longer", false),
    ] {
        assert_eq!(are_same(scheme, [one, other], ["S: 250 ok"; 2]), is_same, "{one}");
    }
}

#[test]
fn identifiers_with_a_time_in_them_are_those_of_messages() {
    for (reply, ids) in [
        (
            "250 2.0.0 Ok: queued on mx1.example.test {}",
            ["1733000000-aBcDeFgHiK-x1Y2z3W4", "1733000001-abcdefghik-xyzzyxzz"],
        ),
        (
            "250 ok 1733000000 {}",
            ["s-1.example.test!1733000000!1234567!1", "s-2.example.test!1733000009!7!12"],
        ),
        ("250 Queued! {} <kim@example.test>", ["1733000000 qp 1234", "1733000099 qp 5"]),
    ] {
        let found = redacted_replies(reply, &ids.map(str::to_owned));
        for line in found.keys() {
            let has_rest = ids.iter().any(|id| line.contains(&id[id.len() - 4..]));
            assert!(line.contains("[QUEUE_ID") && !has_rest, "{line}");
        }
    }
}
