//! Near misses: a reply that the expectation would have taken if the pattern were written a little
//! differently, or stood at another place of the script.

use bytes::Bytes;

use crate::pattern::Pattern;
use crate::proto::chomp;

/// The longest reply that is kept for a hint. After a longer one, that hint is left out.
const KEPT: usize = 4096;
/// How many characters of an earlier reply a hint shows.
const SHOWN: usize = 60;
/// The least number of letters in a pattern that identifies a reply: `250 ok` has two, and fits
/// most replies.
const LETTERS: usize = 4;

/// The reply that was taken last.
#[derive(Debug)]
pub(super) struct Before {
    reply: Bytes,
    /// The pattern that the reply was matched against.
    pattern: Pattern,
}

impl Before {
    pub(super) fn of(reply: &Bytes, pattern: &Pattern) -> Self {
        let reply = if reply.len() > KEPT { Bytes::new() } else { reply.clone() };
        Self { reply, pattern: pattern.clone() }
    }
}

/// What the session knows about replies, for the hints.
pub(super) struct Told<'a> {
    /// Whether the expected pattern matches these bytes.
    pub(super) fits: &'a dyn Fn(&[u8]) -> bool,
    /// The bytes as an error shows them, secrets masked.
    pub(super) shown: &'a dyn Fn(&[u8]) -> String,
}

/// The hint for a reply that is not the expected one, if it is a near miss.
pub(super) fn of_mismatch(
    pattern: &Pattern,
    reply: &[u8],
    before: Option<&Before>,
    told: &Told<'_>,
) -> Option<String> {
    let of_literal = pattern.literal().and_then(|text| literal(text, chomp(reply), told));
    of_literal.or_else(|| {
        let before = before.filter(|before| !before.reply.is_empty())?;
        left_over(before, reply, told).or_else(|| one_behind(pattern, before, reply, told))
    })
}

/// The hint if the text differs from the reply only in case, or ends with a line end. Replies are
/// matched without their line end.
fn literal(text: &[u8], reply: &[u8], told: &Told<'_>) -> Option<String> {
    let bare = chomp(text);
    if bare.len() < text.len() && reply.starts_with(bare) {
        let advice = "a reply is compared with text without its line end: leave `\\r\\n` out";
        return Some(advice.to_owned());
    }
    let begins = reply.get(..text.len())?;
    (begins != text && begins.eq_ignore_ascii_case(text)).then(|| {
        let shown = (told.shown)(begins);
        format!(
            "upper and lower case differ, and the server says `{shown}`; re(`(?i)...`) takes any case"
        )
    })
}

/// The hint if the reply is the rest of a reply of several lines, of which an earlier operation
/// took only some.
fn left_over(before: &Before, reply: &[u8], told: &Told<'_>) -> Option<String> {
    let last = chomp(&before.reply).rsplit(|byte| *byte == b'\n').next()?;
    let goes_on = last.get(3) == Some(&b'-') && last[..3].iter().all(u8::is_ascii_digit);
    (goes_on && reply.starts_with(&last[..3])).then(|| {
        let shown = beginning((told.shown)(last));
        format!("this is the rest of the reply that began with `{shown}`: expect(...) takes all lines of a reply, expect_line(...) only one")
    })
}

/// The hint if the reply before this one is what is expected now, so that the script is one reply
/// behind. There is no hint if the reply before was expected with the same pattern, as for one of
/// many recipients; nor if the server refuses now, because expecting elsewhere would not help; nor
/// if the pattern fits most replies.
fn one_behind(pattern: &Pattern, before: &Before, reply: &[u8], told: &Told<'_>) -> Option<String> {
    let (wanted, wanted_before) = (pattern.to_string(), before.pattern.to_string());
    let says_enough = wanted.bytes().filter(u8::is_ascii_alphabetic).count() >= LETTERS;
    let is_ok = |word: Option<&[u8]>| word.is_some_and(|word| word.eq_ignore_ascii_case(b"OK"));
    let mut words = reply.split(u8::is_ascii_whitespace);
    let is_success = matches!(reply.first(), Some(b'2' | b'3'))
        || reply.starts_with(b"+OK")
        || is_ok(words.next())
        || is_ok(words.next());
    let is_behind = says_enough && is_success && wanted != wanted_before;
    (is_behind && (told.fits)(&before.reply)).then(|| {
        let shown = beginning((told.shown)(&before.reply));
        format!("the reply before it, `{shown}`, would match here, but was taken already: the script may be one reply late")
    })
}

/// The first line of `shown`, cut if it is too long.
fn beginning(shown: String) -> String {
    let line = shown.lines().next().unwrap_or_default();
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} ...", &line[..end]),
        None if line.len() < shown.len() => format!("{line} ..."),
        None => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::IntoPattern as _;

    /// The hint for a pattern and a reply, after an earlier reply was taken with another pattern.
    fn near(text: &str, reply: &str, (wanted, before): (&str, &str)) -> Option<String> {
        let pattern = text.into_pattern().unwrap();
        let before = Bytes::copy_from_slice(before.as_bytes());
        let before = Before::of(&before, &wanted.into_pattern().unwrap());
        let told = Told {
            fits: &|bytes| bytes.starts_with(text.as_bytes()),
            shown: &|bytes| crate::visible::escape(chomp(bytes)),
        };
        of_mismatch(&pattern, reply.as_bytes(), Some(&before), &told)
    }

    #[test]
    fn a_hint_tells_that_a_reply_is_nearly_right() {
        let nothing = ("250", "");
        for (text, reply, before, word) in [
            ("250 OK", "250 ok\r\n", nothing, "upper and lower case differ"),
            ("250 ok\r\n", "250 ok\r\n", nothing, "leave `\\r\\n` out"),
            ("250 done", "250 HELP\r\n", ("250", "250-mail.example\r\n"), "the rest of the"),
            ("250 queued as", "221 bye\r\n", ("250", "250 queued as 4711\r\n"), "one reply late"),
            ("+OK 2 messages", "+OK bye\r\n", ("+OK", "+OK 2 messages\r\n"), "one reply late"),
            ("a1 OK Selected", "a2 OK bye\r\n", ("a1 OK", "a1 OK Selected\r\n"), "one reply late"),
        ] {
            let hint = near(text, reply, before);
            assert!(hint.as_ref().is_some_and(|hint| hint.contains(word)), "{text}: {hint:?}");
        }
    }

    #[test]
    fn an_honest_mismatch_is_no_near_miss() {
        for (text, reply, before) in [
            ("250 ok", "550 no\r\n", ("250", "250 sender\r\n")),
            ("250", "550 no\r\n", ("250", "250 ok\r\n")),
            ("250 ok", "550 no\r\n", ("550", "550-no\r\n550 no\r\n")),
            // The reply to the second of two recipients.
            ("250 Accepted", "550 no\r\n", ("250", "250 Accepted\r\n")),
            ("250 Accepted", "251 will do\r\n", ("250 Accepted", "250 Accepted\r\n")),
        ] {
            assert_eq!(near(text, reply, before), None, "{text}");
        }
    }
}
