//! Patterns for `expect`: a literal, a reply code, a regex, bytes, alternatives, the end of the
//! stream.
//!
//! On a session that speaks a protocol, a pattern is matched against a whole reply
//! ([`Pattern::matches`]); on a plain stream, the stream is searched for it ([`Search`]).

mod captures;
mod code;
mod finder;
mod into;
mod regex;
mod search;
mod skip;

use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use memchr::memmem;

pub(crate) use captures::Captures;
pub use code::{Code, Enhanced};
pub(crate) use finder::Finder;
pub use into::IntoPattern;
pub use regex::Regex;
pub(crate) use search::{Found, Progress, Search};

use crate::error::{Error, Result};
use crate::visible;

/// The size in bytes of a simple regex in its compiled form.
const SIMPLE: usize = 16 << 10;

/// A pattern to match against a reply, or to search for in a stream.
///
/// ```
/// use mailexpect::{IntoPattern, Pattern};
///
/// assert_eq!(250.into_pattern()?.to_string(), "250");
/// assert_eq!("250 ok".into_pattern()?.to_string(), "\"250 ok\"");
/// assert_eq!(Pattern::regex("^25.")?.to_string(), "re(`^25.`)");
/// assert_eq!(Pattern::any([Pattern::regex("a")?, "b".into_pattern()?])?.to_string(), "re(`a`) or \"b\"");
/// # Ok::<(), mailexpect::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pattern {
    kind: Kind,
    /// How to search a stream for the pattern. It is built on first use, because sessions with
    /// framing never need it.
    stream: OnceLock<Finder>,
}

#[derive(Clone, Debug)]
enum Kind {
    Literal(Vec<u8>),
    Code(Code),
    Regex(Regex),
    Any(Vec<Pattern>),
    Eof,
}

/// How a pattern matched a whole reply.
#[derive(Clone, Debug, Default)]
pub(crate) struct Match {
    /// The alternative that matched; 0 for a pattern without alternatives.
    pub(crate) index: usize,
    pub(crate) captures: Option<Captures>,
}

/// The part of a reply that states success or failure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The offset of the line that states it. A literal may match there as well as at the reply's
    /// beginning.
    pub(crate) line: usize,
    /// The place of the protocol's keywords, in which letters match in either case.
    pub(crate) words: Range<usize>,
}

impl Verdict {
    /// A verdict in the first word of the reply, which has this length.
    pub(crate) fn first_word(length: usize) -> Self {
        Self { line: 0, words: 0..length }
    }

    /// Whether the literal stands at this offset of a reply.
    fn has(&self, reply: &[u8], at: usize, literal: &[u8]) -> bool {
        let Some(there) = reply.get(at..at + literal.len()) else { return false };
        let is_alike = |(offset, (there, literal)): (usize, (&u8, &u8))| {
            there == literal
                || (self.words.contains(&(at + offset)) && there.eq_ignore_ascii_case(literal))
        };
        there.iter().zip(literal).enumerate().all(is_alike)
    }
}

impl Pattern {
    /// Exactly these bytes, at the beginning of a reply or anywhere in a stream.
    ///
    /// # Errors
    /// A usage error for empty bytes, which would match anything.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Result<Self> {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return Err(matches_anything());
        }
        Ok(Kind::Literal(bytes).into())
    }

    /// A reply code or class of codes. On a stream without framing: a whole reply with this code,
    /// which has to begin at the start of a line.
    #[must_use]
    pub fn code(code: Code) -> Self {
        Kind::Code(code).into()
    }

    /// A regex on bytes that may match anywhere in a reply or stream; see [`Regex`] for the syntax.
    ///
    /// # Errors
    /// A usage error that shows where the regex is wrong.
    pub fn regex(source: &str) -> Result<Self> {
        if source.is_empty() {
            return Err(matches_anything());
        }
        Regex::new(source).map(Into::into)
    }

    /// The source of a regex.
    #[cfg(feature = "script")]
    pub(crate) fn regex_source(&self) -> Option<&str> {
        match &self.kind {
            Kind::Regex(regex) => Some(regex.source()),
            _ => None,
        }
    }

    /// The bytes of a literal.
    pub(crate) fn literal(&self) -> Option<&[u8]> {
        match &self.kind {
            Kind::Literal(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Any of the patterns. In a reply, the first pattern in the given order that matches. In a
    /// stream, the pattern whose match begins first; if two begin together, the one that was given
    /// first.
    ///
    /// # Errors
    /// A usage error for an empty list.
    pub fn any(patterns: impl IntoIterator<Item = Pattern>) -> Result<Self> {
        let patterns: Vec<_> = patterns.into_iter().collect();
        if patterns.is_empty() {
            return Err(Error::usage("no pattern to choose from").hint("give at least one"));
        }
        Ok(Kind::Any(patterns).into())
    }

    /// The close of the connection by the peer.
    #[must_use]
    pub fn eof() -> Self {
        Kind::Eof.into()
    }

    /// Matches the pattern against a whole reply, without the reply's last line end.
    pub(crate) fn matches(&self, reply: &[u8]) -> Option<Match> {
        self.matches_with(reply, &Verdict::default())
    }

    /// Matches the pattern against a whole reply, without the reply's last line end. `verdict` is
    /// the place at which the reply states success or failure.
    pub(crate) fn matches_with(&self, reply: &[u8], verdict: &Verdict) -> Option<Match> {
        match &self.kind {
            Kind::Literal(bytes) => (verdict.has(reply, 0, bytes)
                || verdict.has(reply, verdict.line, bytes))
            .then(Match::default),
            Kind::Code(code) => code.matches(reply).then(Match::default),
            Kind::Regex(regex) => {
                regex.captures(reply).map(|captures| Match { index: 0, captures: Some(captures) })
            }
            Kind::Any(patterns) => patterns.iter().enumerate().find_map(|(index, pattern)| {
                pattern
                    .matches_with(reply, verdict)
                    .map(|found| Match { index, captures: found.captures })
            }),
            Kind::Eof => None,
        }
    }

    /// An estimate of the work to search this many bytes, as the number of bytes that a simple
    /// regex could search in the same time. In the worst case, each byte is compared with each
    /// state of the regex, so the work grows with its size.
    pub(crate) fn effort(&self, bytes: usize) -> usize {
        match &self.kind {
            Kind::Regex(regex) => bytes.saturating_mul(regex.size() / SIMPLE + 1),
            Kind::Any(patterns) => {
                patterns.iter().fold(0, |all, one| all.saturating_add(one.effort(bytes)))
            }
            _ => bytes,
        }
    }

    /// Matches the pattern anywhere in a line that is no reply. A code and the close match no such
    /// line.
    #[cfg(feature = "script")]
    pub(crate) fn within(&self, line: &[u8]) -> Option<Match> {
        match &self.kind {
            Kind::Literal(bytes) => memmem::find(line, bytes).map(|_| Match::default()),
            Kind::Regex(regex) => {
                regex.captures(line).map(|captures| Match { index: 0, captures: Some(captures) })
            }
            Kind::Any(patterns) => patterns.iter().enumerate().find_map(|(index, pattern)| {
                pattern.within(line).map(|found| Match { index, captures: found.captures })
            }),
            Kind::Code(_) | Kind::Eof => None,
        }
    }

    /// The place of the close among the alternatives; `None` if the pattern does not have it.
    pub(crate) fn eof_index(&self) -> Option<usize> {
        match &self.kind {
            Kind::Eof => Some(0),
            Kind::Any(patterns) => {
                patterns.iter().position(|pattern| pattern.eof_index().is_some())
            }
            _ => None,
        }
    }

    /// Whether the pattern has an enhanced status code, also among its alternatives.
    pub(crate) fn has_enhanced(&self) -> bool {
        match &self.kind {
            Kind::Code(code) => code.has_enhanced(),
            Kind::Any(patterns) => patterns.iter().any(Self::has_enhanced),
            _ => false,
        }
    }

    /// Whether the pattern is a reply code or has one among its alternatives.
    pub(crate) fn has_code(&self) -> bool {
        match &self.kind {
            Kind::Code(_) => true,
            Kind::Any(patterns) => patterns.iter().any(Self::has_code),
            _ => false,
        }
    }
}

impl From<Kind> for Pattern {
    fn from(kind: Kind) -> Self {
        Self { kind, stream: OnceLock::new() }
    }
}

impl From<Regex> for Pattern {
    fn from(regex: Regex) -> Self {
        Kind::Regex(regex).into()
    }
}

impl From<Code> for Pattern {
    fn from(code: Code) -> Self {
        Self::code(code)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Literal(bytes) => write!(f, "\"{}\"", visible::shortened_bytes(bytes)),
            Kind::Code(code) => code.fmt(f),
            // The source of the regex as the user wrote it: its backslashes are not doubled.
            Kind::Regex(regex) => write!(f, "re(`{}`)", visible::printable(regex.source())),
            Kind::Any(patterns) => {
                for (n, pattern) in patterns.iter().enumerate() {
                    let before = if n == 0 { "" } else { " or " };
                    write!(f, "{before}{pattern}")?;
                }
                Ok(())
            }
            Kind::Eof => f.write_str("the close"),
        }
    }
}

fn matches_anything() -> Error {
    Error::usage("an empty pattern would match anything").hint("say what has to come")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(pattern: impl IntoPattern, reply: &str) -> bool {
        pattern.into_pattern().unwrap().matches(reply.as_bytes()).is_some()
    }

    #[test]
    fn a_literal_is_how_a_reply_begins_and_never_a_regex() {
        assert!(holds("250 2.1.0", "250 2.1.0 Ok"));
        assert!(!holds("2.1.0", "250 2.1.0 Ok"));
        assert!(!holds("250 .*", "250 2.1.0 Ok"));
        assert!(b"\xff\0".into_pattern().unwrap().matches(b"\xff\0\r\n").is_some());
    }

    #[test]
    fn a_regex_is_found_anywhere_and_its_anchors_are_line_ends() {
        let reply = "250-mail.example\r\n250-SIZE 100\r\n250 HELP";
        assert!(holds(Regex::new("SIZE ([0-9]+)$").unwrap(), reply));
        assert!(holds(Regex::new("^250 HELP$").unwrap(), reply));
        assert!(!holds(Regex::new(r"\A250 HELP").unwrap(), reply));
        assert!(
            !holds(Regex::new("mail.example.*SIZE").unwrap(), reply),
            "a dot stops at the line end"
        );
    }

    #[test]
    fn the_first_alternative_in_the_order_given_wins_in_a_reply() {
        let pattern =
            Pattern::any([550.into_pattern().unwrap(), 5.into_pattern().unwrap()]).unwrap();
        assert_eq!(pattern.matches(b"550 no").unwrap().index, 0);
        assert_eq!(pattern.matches(b"554 no").unwrap().index, 1);
        assert!(pattern.matches(b"250 ok").is_none());
    }

    #[test]
    fn letters_of_either_case_are_the_same_in_words_of_the_protocol_alone() {
        let verdict = Verdict { line: 0, words: 2..4 };
        let holds = |literal: &str, reply: &str| {
            let pattern = literal.into_pattern().unwrap();
            pattern.matches_with(reply.as_bytes(), &verdict).is_some()
        };
        assert!(holds("* OK", "* ok hi") && holds("* ok", "* OK hi") && holds("* OK h", "* Ok hi"));
        assert!(!holds("* OK H", "* ok hi") && !holds("* OK hi there", "* OK hi"));
        let regex = Pattern::regex("OK").unwrap();
        assert!(regex.matches_with(b"* ok hi", &verdict).is_none(), "a regex says (?i) itself");
    }

    #[test]
    fn an_empty_pattern_is_refused() {
        assert!("".into_pattern().unwrap_err().is_usage());
        assert!(Pattern::any([]).unwrap_err().is_usage());
    }
}
