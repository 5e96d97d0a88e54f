//! Tokens of goldens in an imported text. They stand for values that differ in each run.

use super::literal::escaped;

/// Whether a line contains a token of a golden.
pub(super) fn has_token(line: &str) -> bool {
    tokens(line).next().is_some()
}

/// The tokens of a golden: `[QUEUE_ID#1]`, `[DATE]`.
fn tokens(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices('[').filter_map(|(at, _)| {
        let end = line[at..].find(']')?;
        let inside = &line[at + 1..at + end];
        let (name, number) = inside.split_once('#').unwrap_or((inside, "1"));
        let is_name = name.len() > 2
            && name
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
            && name.bytes().any(|byte| byte.is_ascii_uppercase());
        let known = is_name && number.bytes().all(|byte| byte.is_ascii_digit());
        (known && KNOWN.contains(&name)).then(|| &line[at..=at + end])
    })
}

/// The names of tokens. None of them can be a response code of IMAP.
const KNOWN: [&str; 26] = [
    "QUEUE_ID",
    "DATE",
    "MESSAGE_ID",
    "MESSAGE_IDS",
    "IPV4",
    "IPV6",
    "PORT",
    "HOST",
    "SECRET",
    "SASL_CHALLENGE",
    "SESSION_ID",
    "DELIVERY_ID",
    "UUID",
    "CID",
    "GSMTP_ID",
    "INTERNAL_ID",
    "TIMESTAMP",
    "CTIME",
    "EPOCH",
    "TLS",
    "RECEIVED",
    "APOP",
    "SOFTWARE",
    "THROUGHPUT",
    "DURATION",
    "DELAY",
];

/// Replaces the tokens in an escaped regex by `.+`.
pub(super) fn without_tokens(pattern: &str) -> String {
    let mut text = pattern.to_owned();
    let plain =
        pattern.replace("\\[", "[").replace("\\]", "]").replace("\\#", "#").replace("\\_", "_");
    for token in tokens(&plain) {
        text = text.replace(&escaped(token), ".+");
    }
    text
}
