//! How much of what a server says counts.

use std::fmt;
use std::str::FromStr;

use super::scope::Place;
use crate::error::Error;
use crate::pattern::Enhanced;
use crate::proto::{Speech, chomp};

/// How much of a server's replies is kept. What a client says, and what happens, is kept whole in
/// any case.
///
/// | | `text` | `enhanced` | `codes` |
/// | --- | --- | --- | --- |
/// | SMTP, LMTP | `250 2.1.0 Ok` | `250 2.1.0` | `250` |
/// | POP3 | `-ERR [IN-USE] locked` | `-ERR [IN-USE]` | `-ERR` |
/// | IMAP | `a1 NO [TRYCREATE] no such` | `a1 NO [TRYCREATE]` | `a1 NO` |
/// | ManageSieve | `NO (QUOTA/MAXSIZE) "big"` | `NO (QUOTA/MAXSIZE)` | `NO` |
///
/// Below `text`, a reply of several lines is its last one, and what is no status at all is left
/// out: capabilities, untagged responses of IMAP other than the greeting and BYE, lists, messages.
/// A plain stream is always kept whole. A client acts on the code only (RFC 5321 section 4.2), so a
/// golden at `codes` holds for any server.
///
/// ```
/// use mailexpect::redaction::Strictness;
///
/// assert_eq!("enhanced".parse::<Strictness>()?, Strictness::Enhanced);
/// # Ok::<(), mailexpect::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strictness {
    /// The reply code alone, or what is one in other protocols.
    Codes,
    /// The code and the enhanced status code (RFC 3463), or the response code of other protocols.
    Enhanced,
    /// All that is said.
    #[default]
    Text,
}

impl Strictness {
    /// Every one, from the least to the most.
    pub const ALL: [Self; 3] = [Self::Codes, Self::Enhanced, Self::Text];

    /// Its name, as scripts and the command line say it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Codes => "codes",
            Self::Enhanced => "enhanced",
            Self::Text => "text",
        }
    }

    /// A server's line as far as it counts; nothing where none of it does.
    pub(super) fn reduced(self, line: Vec<u8>, place: Place, speech: Speech) -> Option<Vec<u8>> {
        if self == Self::Text || speech == Speech::Stream || !line.ends_with(b"\n") {
            return Some(line);
        }
        let text = chomp(&line);
        let end = &line[text.len()..];
        let reduced = matches!(place, Place::Greeting | Place::Reply)
            .then(|| self.status(text, place, speech))??;
        Some([&reduced, end].concat())
    }

    fn status(self, text: &[u8], place: Place, speech: Speech) -> Option<Vec<u8>> {
        let (status, rest) = match speech {
            Speech::Smtp | Speech::Lmtp => smtp(text)?,
            Speech::Pop3 => leading(text, &["+OK", "-ERR", "+"])?,
            Speech::Imap => imap(text, place)?,
            Speech::Sieve => leading(text, &["OK", "NO", "BYE"])?,
            Speech::Stream => return Some(text.to_vec()),
        };
        let code = match speech {
            Speech::Smtp | Speech::Lmtp => enhanced(rest).map(<[u8]>::to_vec),
            Speech::Sieve => between(rest, b'(', b')'),
            _ => between(rest, b'[', b']'),
        };
        let code = code.filter(|_| self == Self::Enhanced);
        Some(code.map_or_else(|| status.to_vec(), |code| [status, b" ", &code].concat()))
    }
}

/// The code of the last line of a reply, and what follows it (RFC 5321 section 4.2).
fn smtp(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (code, rest) = text.split_at_checked(3)?;
    (code.iter().all(u8::is_ascii_digit) && !rest.starts_with(b"-")).then_some((code, rest))
}

/// An enhanced status code at the start of a reply's text (RFC 2034 section 4).
fn enhanced(rest: &[u8]) -> Option<&[u8]> {
    let word = rest.trim_ascii_start().split(u8::is_ascii_whitespace).next()?;
    std::str::from_utf8(word).ok().and_then(Enhanced::parse).map(|_| word)
}

/// The tag or the mark of an untagged response, and its status (RFC 3501 section 7.1); `+` for a
/// continuation.
fn imap(text: &[u8], place: Place) -> Option<(&[u8], &[u8])> {
    if text.starts_with(b"+") {
        return Some(text.split_at(1));
    }
    let first = text.iter().position(|byte| *byte == b' ')?;
    let statuses: &[&str] = match (&text[..first], place) {
        (b"*", Place::Greeting) => &["OK", "PREAUTH", "BYE"],
        (b"*", _) => &["BYE"],
        _ => &["OK", "NO", "BAD"],
    };
    let (status, rest) = leading(&text[first + 1..], statuses)?;
    Some((&text[..=first + status.len()], rest))
}

/// The word that the text begins with, in any case, and what follows it.
fn leading<'a>(text: &'a [u8], words: &[&str]) -> Option<(&'a [u8], &'a [u8])> {
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    words.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes())).then_some((word, rest))
}

/// The name of a response code, in its brackets: what follows it there differs from server to
/// server.
fn between(rest: &[u8], open: u8, close: u8) -> Option<Vec<u8>> {
    let inside = rest.trim_ascii_start().strip_prefix(&[open])?;
    let name =
        inside.iter().position(|byte| *byte == close || *byte == b' ').map(|end| &inside[..end])?;
    Some([&[open], name, &[close]].concat())
}

impl fmt::Display for Strictness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Strictness {
    type Err = Error;

    /// # Errors
    /// Usage, where there is none of that name.
    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|strictness| strictness.name() == text);
        found.ok_or_else(|| {
            let error = Error::usage(format!(
                "there is no strictness `{}`",
                crate::visible::escape(text.as_bytes())
            ));
            error.hint("the strictnesses are text, enhanced and codes")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reduced(strictness: Strictness, speech: Speech, lines: &[&str]) -> String {
        let place = |n| if n == 0 { Place::Greeting } else { Place::Reply };
        let lines = lines.iter().enumerate().filter_map(|(n, line)| {
            let line = strictness.reduced(format!("{line}\r\n").into_bytes(), place(n), speech)?;
            Some(String::from_utf8(line).unwrap().trim_end().to_owned())
        });
        lines.collect::<Vec<_>>().join("|")
    }

    #[test]
    fn each_protocol_has_its_own_status() {
        let smtp = [
            "220 mail.example ESMTP",
            "250-mail.example",
            "250 SIZE",
            "250 2.1.0 Ok",
            "354 go",
            "550 5.7.1",
        ];
        assert_eq!(reduced(Strictness::Codes, Speech::Smtp, &smtp), "220|250|250|354|550");
        assert_eq!(
            reduced(Strictness::Enhanced, Speech::Smtp, &smtp),
            "220|250|250 2.1.0|354|550 5.7.1"
        );
        let pop3 = ["+OK hi <1@x>", "+OK 1 120", "1 120", ".", "-ERR [IN-USE] locked", "+ abc"];
        assert_eq!(reduced(Strictness::Codes, Speech::Pop3, &pop3), "+OK|+OK|-ERR|+");
        assert_eq!(reduced(Strictness::Enhanced, Speech::Pop3, &pop3), "+OK|+OK|-ERR [IN-USE]|+");
        let imap = [
            "* OK [CAPABILITY IMAP4rev1] hi",
            "* 3 EXISTS",
            "* OK [UIDVALIDITY 3] ok",
            "a1 no [TRYCREATE] x",
            "+ go",
            "* BYE bye",
        ];
        assert_eq!(reduced(Strictness::Codes, Speech::Imap, &imap), "* OK|a1 no|+|* BYE");
        assert_eq!(
            reduced(Strictness::Enhanced, Speech::Imap, &imap),
            "* OK [CAPABILITY]|a1 no [TRYCREATE]|+|* BYE"
        );
        let sieve = ["\"IMPLEMENTATION\" \"x\"", "OK \"ready\"", "NO (QUOTA/MAXSIZE) \"big\""];
        assert_eq!(reduced(Strictness::Codes, Speech::Sieve, &sieve), "OK|NO");
        assert_eq!(reduced(Strictness::Enhanced, Speech::Sieve, &sieve), "OK|NO (QUOTA/MAXSIZE)");
    }

    #[test]
    fn text_and_streams_are_kept_whole() {
        let lines = ["220 a", "250-b", "250 2.1.0 c"];
        assert_eq!(reduced(Strictness::Text, Speech::Smtp, &lines), lines.join("|"));
        assert_eq!(reduced(Strictness::Codes, Speech::Stream, &lines), lines.join("|"));
    }

    #[test]
    fn messages_are_left_out_and_half_lines_are_not() {
        assert_eq!(
            Strictness::Codes.reduced(b"+OK what\r\n".to_vec(), Place::Body, Speech::Pop3),
            None
        );
        assert_eq!(
            Strictness::Codes.reduced(b"250 hal".to_vec(), Place::Reply, Speech::Smtp).as_deref(),
            Some(&b"250 hal"[..])
        );
    }
}
