//! What is secret in the commands of mail protocols, and in the lines of scripts.

use std::ops::{Range, RangeInclusive};

#[cfg(feature = "script")]
use super::SHORTEST;

/// The verbs that carry secrets; their places among the words of a line; how many words further the secret is.
const CARRIERS: [(&[u8], RangeInclusive<usize>, usize); 5] =
    [(b"AUTH", 0..=1, 2), (b"AUTHENTICATE", 0..=1, 2), (b"PASS", 0..=0, 1), (b"APOP", 0..=0, 2), (b"LOGIN", 1..=1, 2)];

/// The span of a line that the commands of any mail protocol carry secrets in: AUTH and AUTHENTICATE with a response (behind
/// a tag or not), PASS, the digest of APOP, the password of an IMAP LOGIN.
pub(crate) fn secret_of_command(line: &[u8]) -> Option<Range<usize>> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (place, (_, places, further)) = words.by_ref().take(2).enumerate().find_map(|(place, word)| {
        CARRIERS.iter().find(|(verb, ..)| word.eq_ignore_ascii_case(verb)).map(|carrier| (place, carrier))
    })?;
    let secret = places.contains(&place).then(|| words.nth(further - 1)).flatten().filter(|word| *word != b"=")?;
    let start = secret.as_ptr().addr() - line.as_ptr().addr();
    Some(start..line.trim_ascii_end().len())
}

/// Whether a parameter of that name holds something that nobody should read over a shoulder.
#[cfg(feature = "script")]
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "pin" || ["password", "passwd", "secret", "token"].iter().any(|word| name.contains(word))
}

/// Whether it is, or holds, a private key in PEM.
#[cfg(feature = "script")]
fn is_private_key(text: &str) -> bool {
    text.contains("-----BEGIN") && text.contains("PRIVATE KEY-----")
}

/// A line of a script with what is secret in its texts masked: in commands (`s.send("AUTH PLAIN ...")`), behind the first text
/// of a word that takes a password (`s.auth("user", "...")`), and behind a name that says so (`password: "..."`,
/// `param("password", "...")`).
#[cfg(feature = "script")]
pub(crate) fn mask_source(line: &str) -> String {
    let quoted = |c: char| c == '"' || c == '`';
    let mut masked = String::new();
    let mut taker = None;
    for (place, part) in line.split_inclusive(quoted).enumerate() {
        let (text, quote) = part.split_at(part.trim_end_matches(quoted).len());
        let is_text = place % 2 == 1;
        if !is_text {
            taker = taker_of(text, taker);
            masked.push_str(part);
            continue;
        }
        // Line ends are written as escapes here.
        match secret_of_command(text.as_bytes()) {
            _ if matches!(taker, Some(Taker::Now | Taker::Once)) => masked.extend(["[SECRET]", quote]),
            _ if is_private_key(text) => masked.extend(["[SECRET]", quote]),
            Some(span) if span.len() >= SHORTEST => masked.extend([&text[..span.start], "[SECRET]", quote]),
            _ => masked.push_str(part),
        }
        taker = match taker {
            Some(Taker::Next | Taker::Now) => Some(Taker::Now),
            Some(Taker::Param) if is_secret_name(text) => Some(Taker::Once),
            _ => None,
        };
    }
    masked
}

/// What the text that comes next in a line is to a word that may take a secret.
#[cfg(feature = "script")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taker {
    /// The first text of a call in which all others may be secret.
    Next,
    /// Secret, as are those behind it.
    Now,
    /// Secret alone.
    Once,
    /// The name of a parameter.
    Param,
}

/// What the code before a text makes of it, where that before it was such.
#[cfg(feature = "script")]
fn taker_of(code: &str, before: Option<Taker>) -> Option<Taker> {
    let call = code.trim_end();
    let name = |text: &str| text.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default().to_owned();
    if let Some(called) = call.strip_suffix('(') {
        return match name(called).as_str() {
            "auth" | "authenticate" | "login" | "apop" => Some(Taker::Next),
            "param" => Some(Taker::Param),
            _ => before.filter(|_| !code.contains(';')),
        };
    }
    if call.strip_suffix([':', '=']).is_some_and(|named| is_secret_name(&name(named.trim_end()))) {
        return Some(Taker::Once);
    }
    before.filter(|_| !code.contains(';'))
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
            assert_eq!(secret_of_command(line.as_bytes()).map(|span| &line[span]), secret, "{line}");
        }
    }

    #[cfg(feature = "script")]
    #[test]
    fn the_source_of_a_script_is_masked_where_it_says_a_secret() {
        for (line, shown) in [
            ("s.send(\"AUTH PLAIN AGFiAGNk\");", "s.send(\"AUTH PLAIN [SECRET]\");"),
            ("s.expect(250); // nothing here", "s.expect(250); // nothing here"),
            ("s.auth(\"me\", \"pw\");", "s.auth(\"me\", \"[SECRET]\");"),
            ("s.auth(`PLAIN`, user, `pw`, #{x: 1})", "s.auth(`PLAIN`, user, `[SECRET]`, #{x: 1})"),
            ("s.login( \"me\", \"pw\"); s.send(\"NOOP\")", "s.login( \"me\", \"[SECRET]\"); s.send(\"NOOP\")"),
            ("let x = #{password: \"pw\", user: \"me\"};", "let x = #{password: \"[SECRET]\", user: \"me\"};"),
            ("let token = \"abc\"; print(\"x\")", "let token = \"[SECRET]\"; print(\"x\")"),
            ("param(\"password\", \"pw\")", "param(\"password\", \"[SECRET]\")"),
            ("s.starttls(#{key: \"-----BEGIN EC PRIVATE KEY-----\\nMC4C\"});", "s.starttls(#{key: \"[SECRET]\"});"),
            ("param(\"user\", \"me\")", "param(\"user\", \"me\")"),
            ("assert_eq(\"a\", \"b\")", "assert_eq(\"a\", \"b\")"),
        ] {
            assert_eq!(mask_source(line), shown);
        }
    }
}
