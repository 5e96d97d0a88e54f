//! Mistakes in scripts of people who are used to telnet, and what to write instead.

use crate::pattern::Pattern;
use crate::proto::{Speech, chomp};

/// Text between backticks that was meant as an escape.
const UNESCAPED: [&str; 2] = ["\\r\\n", "\\n"];

/// The hint for a reply that is not the expected one, if a mistake in the script is the likely
/// reason.
pub(super) fn of_mismatch(
    speech: Speech,
    pattern: &Pattern,
    sent: Option<&str>,
    reply: &[u8],
) -> Option<String> {
    let text = pattern.literal().map(String::from_utf8_lossy);
    let of_pattern = text.and_then(|text| {
        if let Some(escape) = UNESCAPED.iter().find(|escape| text.contains(**escape)) {
            return Some(in_backticks(escape));
        }
        class(&text).or_else(|| further_down(&text, reply))
    });
    of_pattern.or_else(|| of_sent(speech, sent?, reply))
}

/// The hint about the line that was sent last, if it is the likely reason for the reply.
fn of_sent(speech: Speech, sent: &str, reply: &[u8]) -> Option<String> {
    // The line as errors show it has the backslashes of the script doubled.
    let sent = sent.replace("\\\\", "\\");
    if let Some(escape) = UNESCAPED.iter().find(|escape| sent.ends_with(**escape)) {
        return Some(in_backticks(escape));
    }
    let first = sent.split(' ').next().unwrap_or_default().to_ascii_uppercase();
    let is_refused = reply.to_ascii_uppercase().windows(4).any(|word| word == b"BAD ");
    // `DONE` ends an IDLE, and is the only command without a tag.
    let lacks_tag =
        speech.facts().has_tags && speech.facts().has_command(&first) && first != "DONE";
    (is_refused && lacks_tag).then(|| {
        format!("an IMAP command begins with a tag: \"a1 {sent}\"; or command(\"{sent}\"), which adds one")
    })
}

/// Returns the hint for a line that was sent, if its end was probably meant as an escape.
pub(super) fn of_line(sent: &[u8]) -> Option<String> {
    UNESCAPED
        .iter()
        .find(|escape| sent.ends_with(escape.as_bytes()))
        .map(|escape| in_backticks(escape))
}

/// The hint if an empty line was sent and an operation fails.
pub(super) const EMPTY_LINE: &str =
    "an empty line was sent: send adds the line end by itself, so leave `\\r\\n` out";

/// The hint if a part of a reply was taken and an operation fails over the rest.
pub(super) const PART: &str = "expect_bytes(...) and expect_line(...) take a part of a reply: take the rest too, as up to a line end with expect_bytes(\"\\n\"), or take the whole reply with expect(...)";

fn in_backticks(escape: &str) -> String {
    format!("`{escape}` between backticks is no line end: write \"...\" for the escapes to hold")
}

/// The hint for text that is a class of codes, such as `25x`.
fn class(text: &str) -> Option<String> {
    let digits = text.trim_end_matches(['x', 'X']);
    let is_class = text.len() == 3 && !digits.is_empty() && digits.len() < 3;
    (is_class && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| {
        format!("text is how the reply begins; a class of codes is {digits}, or code(\"{text}\")")
    })
}

/// The hint for text that begins a later line of the reply: `250 PIPELINING` for `250-PIPELINING`.
fn further_down(text: &str, reply: &[u8]) -> Option<String> {
    let same = |line: &[u8]| {
        let line = chomp(line);
        let begins = |rest: &str| line.get(4..).is_some_and(|l| l.starts_with(rest.as_bytes()));
        line.starts_with(text.as_bytes())
            || text.split_at_checked(4).is_some_and(|(code, rest)| {
                code.ends_with(' ') && line.starts_with(&code.as_bytes()[..3]) && begins(rest)
            })
    };
    let is_there = reply.split_inclusive(|byte| *byte == b'\n').skip(1).any(same);
    is_there.then(|| {
        let word = text.get(4..).filter(|word| !word.is_empty()).unwrap_or(text);
        format!("text is how the whole reply begins, and this is further down: expect(250), then `\"{word}\" in` the capabilities; or expect(re(`{word}`))")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::IntoPattern as _;

    fn slip(speech: Speech, text: &str, sent: &str, reply: &str) -> Option<String> {
        of_mismatch(speech, &text.into_pattern().unwrap(), Some(sent), reply.as_bytes())
    }

    #[test]
    fn a_hint_corrects_patterns_as_users_of_telnet_write_them() {
        let ehlo = "250-mail.example\r\n250-PIPELINING\r\n250 HELP\r\n";
        for (text, sent, reply, word) in [
            ("25x", "NOOP", "250 ok\r\n", "class of codes is 25"),
            ("5xx", "NOOP", "250 ok\r\n", "class of codes is 5"),
            ("250 PIPELINING", "EHLO a", ehlo, "further down"),
            ("250-PIPELINING", "EHLO a", ehlo, "further down"),
            ("250 ok\\r\\n", "NOOP", "250 ok\r\n", "backticks"),
            ("250", "EHLO a\\r\\n", "501 no\r\n", "backticks"),
        ] {
            let hint = slip(Speech::Smtp, text, sent, reply);
            assert!(hint.as_ref().is_some_and(|hint| hint.contains(word)), "{text}: {hint:?}");
        }
        let hint = slip(Speech::Imap, "a1 OK", "NOOP", "NOOP BAD no command\r\n");
        assert!(hint.is_some_and(|hint| hint.contains("begins with a tag")));
    }

    #[test]
    fn an_honest_mismatch_has_no_such_advice() {
        for (speech, text, sent, reply) in [
            (Speech::Smtp, "250 2.1.0", "MAIL FROM:<a@b>", "550 5.1.1 no\r\n"),
            (Speech::Smtp, "250 PIPELINING", "EHLO a", "250-mail\r\n250 HELP\r\n"),
            (Speech::Imap, "a1 OK", "a1 NOOP", "a1 BAD no\r\n"),
            (Speech::Imap, "a1 OK", "DONE", "a1 BAD no\r\n"),
            (Speech::Imap, "a1 OK", "", "a1 NO no\r\n"),
        ] {
            assert_eq!(slip(speech, text, sent, reply), None, "{text}");
        }
    }
}
