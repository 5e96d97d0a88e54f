//! What is secret in the commands of mail protocols.

use std::ops::{Range, RangeInclusive};

/// The verbs that carry secrets; their places among the words of a line; how many words further the
/// secret is.
const CARRIERS: [(&[u8], RangeInclusive<usize>, usize); 5] = [
    (b"AUTH", 0..=1, 2),
    (b"AUTHENTICATE", 0..=1, 2),
    (b"PASS", 0..=0, 1),
    (b"APOP", 0..=0, 2),
    (b"LOGIN", 1..=1, 2),
];

/// The span of a line that the commands of any mail protocol carry secrets in: AUTH and
/// AUTHENTICATE with a response (behind a tag or not), PASS, the digest of APOP, the password of an
/// IMAP LOGIN.
pub(crate) fn secret_of_command(line: &[u8]) -> Option<Range<usize>> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (place, (_, places, further)) =
        words.by_ref().take(2).enumerate().find_map(|(place, word)| {
            CARRIERS
                .iter()
                .find(|(verb, ..)| word.eq_ignore_ascii_case(verb))
                .map(|carrier| (place, carrier))
        })?;
    let secret = places
        .contains(&place)
        .then(|| words.nth(further - 1))
        .flatten()
        .filter(|word| *word != b"=")?;
    let start = secret.as_ptr().addr() - line.as_ptr().addr();
    Some(start..line.trim_ascii_end().len())
}

/// Whether a parameter of that name holds something that nobody should read over a shoulder.
#[cfg(feature = "script")]
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["pin", "pass", "pwd", "pw"].contains(&name.as_str())
        || ["password", "passwd", "passphrase", "secret", "token", "api_key", "apikey"]
            .iter()
            .any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secrets_of_commands_are_found_in_any_protocol() {
        for (line, secret) in [
            ("AUTH PLAIN AGFi", Some("AGFi")),
            ("a1 AUTHENTICATE PLAIN AGFi", Some("AGFi")),
            ("auth login =", None),
            ("AUTH LOGIN", None),
            ("PASS two words", Some("two words")),
            ("APOP mrose c4c9334bac", Some("c4c9334bac")),
            ("a1 LOGIN user \"pass word\"", Some("\"pass word\"")),
            ("250-AUTH LOGIN PLAIN", None),
            ("NOOP", None),
        ] {
            assert_eq!(
                secret_of_command(line.as_bytes()).map(|span| &line[span]),
                secret,
                "{line}"
            );
        }
    }
}
