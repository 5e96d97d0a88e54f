//! Tokens of redaction: a token fits any text, and stands for that text from then on.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::proto::chomp;
use crate::proto::smtp::size_of_chunk;
use crate::redaction;

/// The most bytes of a token. Without a limit, a text of many `[` would take quadratic time.
const LONGEST: usize = 256;

/// The values of tokens in one session.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    values: HashMap<String, Vec<u8>>,
    /// The client's tag for each tag of the recording.
    tags: HashMap<Vec<u8>, Vec<u8>>,
}

/// A part of a recorded line.
#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    Text(&'a [u8]),
    Token(&'a str),
}

impl Tokens {
    /// Whether a line is as recorded. A token fits any text, and an IMAP tag fits any tag.
    pub(super) fn fits(&mut self, wanted: &[u8], got: &[u8], tagged: bool) -> bool {
        let (mut wanted, mut got) = (chomp(wanted), chomp(got));
        if tagged && let (Some(ours), Some(theirs)) = (split(wanted), split(got)) {
            self.tags.insert(ours.0.to_vec(), theirs.0.to_vec());
            (wanted, got) = (ours.1, theirs.1);
        }
        // The size of a chunk is left out, because the client's message may have another size.
        let chunks = size_of_chunk(wanted).zip(size_of_chunk(got));
        if let Some(((_, ours), (_, theirs))) = chunks {
            return ours == theirs;
        }
        let mut parts = parts_of_client(wanted);
        // The size of a literal is left out, because the client's literal may have another size.
        if got.ends_with(b"}") && wanted.ends_with(b"}") {
            got = before_literal(got);
            if let Some(Part::Text(text)) = parts.last_mut() {
                *text = before_literal(text);
            }
        }
        let got = as_cased(wanted, got);
        let Some(values) = matched(&parts, &got) else { return false };
        for (token, value) in values {
            self.values.insert(token.to_owned(), value.to_vec());
        }
        true
    }

    /// What the server sends, with a value in place of each token.
    pub(super) fn filled(&mut self, said: &[u8]) -> Vec<u8> {
        let mut filled = Vec::new();
        // A name in brackets that a client's line gave a value is a token as well.
        let said_before: HashSet<String> = self.values.keys().cloned().collect();
        for line in said.split_inclusive(|byte| *byte == b'\n') {
            let (tag, rest) = match split(line) {
                Some((tag, rest)) if self.tags.contains_key(tag) => (self.tags[tag].clone(), rest),
                _ => (Vec::new(), line),
            };
            if !tag.is_empty() {
                filled.extend(tag);
                filled.push(b' ');
            }
            let parts = parts(rest, |token, _| is_known(token) || said_before.contains(token));
            let start = filled.len();
            for (place, part) in parts.iter().enumerate() {
                match part {
                    Part::Text(text) => filled.extend_from_slice(text),
                    Part::Token(token) => {
                        let around = (filled[start..].to_vec(), text_of(&parts[place + 1..]));
                        filled.extend(self.value(token, &around));
                    }
                }
            }
        }
        filled
    }

    fn value(&mut self, token: &str, around: &(Vec<u8>, Vec<u8>)) -> Vec<u8> {
        let value = self.values.get(token).cloned().unwrap_or_else(|| plausible(token, around));
        self.values.insert(token.to_owned(), value.clone());
        value
    }
}

/// What decides which lines fit a line of a client, without the tag of IMAP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// A chunk of BDAT, whatever its size is, and whether it is the last one.
    Chunk(bool),
    /// The texts between the tokens, without the size of a literal; and whether there is a literal.
    Texts(Vec<Vec<u8>>, bool),
}

impl Form {
    /// The form of a line of the recording.
    pub(super) fn of(wanted: &[u8]) -> Self {
        if let Some((_, is_last)) = size_of_chunk(wanted) {
            return Self::Chunk(is_last);
        }
        let is_literal = wanted.ends_with(b"}");
        let texts = parts_of_client(wanted).into_iter().filter_map(|part| match part {
            Part::Text(text) => Some(text),
            Part::Token(_) => None,
        });
        let mut texts: Vec<_> = texts.collect();
        if is_literal && let Some(last) = texts.last_mut() {
            *last = before_literal(last);
        }
        Self::Texts(texts.into_iter().map(<[u8]>::to_vec).collect(), is_literal)
    }

    /// The text before the first token.
    pub(super) fn text(&self) -> &[u8] {
        match self {
            Self::Chunk(is_last) => Self::text_of_chunk(*is_last),
            Self::Texts(texts, _) => texts.first().map(Vec::as_slice).unwrap_or_default(),
        }
    }

    pub(super) fn text_of_chunk(is_last: bool) -> &'static [u8] {
        if is_last { b"BDAT LAST" } else { b"BDAT" }
    }

    /// The texts before the first token and after the last one; `None` without tokens.
    pub(super) fn around(&self) -> Option<(&[u8], &[u8])> {
        match self {
            Self::Texts(texts, _) => match &texts[..] {
                [first, .., last] => Some((first, last)),
                _ => None,
            },
            Self::Chunk(_) => None,
        }
    }
}

/// The part of a line before the last brace, where the size of a literal begins.
pub(super) fn before_literal(line: &[u8]) -> &[u8] {
    &line[..memchr::memrchr(b'{', line).unwrap_or(line.len())]
}

/// Whether a line of the recording consists of tokens alone, so that any line fits it.
pub(super) fn fits_any(wanted: &[u8], tagged: bool) -> bool {
    let wanted = chomp(wanted);
    let wanted = split(wanted).filter(|_| tagged).map_or(wanted, |(_, command)| command);
    let parts = parts_of_client(wanted);
    parts.len() > 1 && text_of(&parts).trim_ascii().is_empty()
}

/// The texts of these parts, without the tokens.
fn text_of(parts: &[Part<'_>]) -> Vec<u8> {
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(*text),
        Part::Token(_) => None,
    });
    chomp(&texts.collect::<Vec<_>>().concat()).to_vec()
}

/// A client's line, with its verb and FROM or TO in the case of the recording, because their case
/// has no meaning (RFC 5321 section 2.4).
fn as_cased<'a>(wanted: &[u8], got: &'a [u8]) -> Cow<'a, [u8]> {
    let verb = wanted.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let word =
        wanted[verb..].iter().take_while(|byte| **byte == b' ' || byte.is_ascii_alphabetic());
    let word = verb + word.count();
    let length = if wanted.get(word) == Some(&b':') { word } else { verb };
    match got.get(..length) {
        Some(start)
            if start != &wanted[..length] && start.eq_ignore_ascii_case(&wanted[..length]) =>
        {
            [&wanted[..length], &got[length..]].concat().into()
        }
        _ => got.into(),
    }
}

/// A line split at its first space.
pub(super) fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let blank = memchr::memchr(b' ', line)?;
    Some((&line[..blank], &line[blank + 1..]))
}

/// The tokens of a client's line, and the texts between them.
fn parts_of_client(line: &[u8]) -> Vec<Part<'_>> {
    parts(line, |token, before| {
        // `BODY[TEXT]` is a section, not a token.
        token.contains('#') || !before.is_some_and(|byte| byte.is_ascii_alphanumeric())
    })
}

/// The tokens of a line, such as `[DATE]` and `[QUEUE_ID#1]`, and the texts between them.
fn parts(line: &[u8], is_token: impl Fn(&str, Option<u8>) -> bool) -> Vec<Part<'_>> {
    let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
    while let Some(open) = memchr::memchr(b'[', &line[at..]).map(|open| at + open) {
        at = open + 1;
        let name = &line[at..line.len().min(at + LONGEST)];
        let Some(close) = memchr::memchr(b']', name).map(|close| at + close) else { continue };
        let Ok(token) = std::str::from_utf8(&line[at..close]) else { continue };
        let before = open.checked_sub(1).map(|before| line[before]);
        if !is_name(token) || !is_token(token, before) {
            continue;
        }
        parts.push(Part::Text(&line[start..open]));
        parts.push(Part::Token(token));
        start = close + 1;
        at = start;
    }
    parts.push(Part::Text(&line[start..]));
    parts
}

/// The spans of the tokens in a text.
pub(super) fn spans(text: &[u8]) -> Vec<Range<usize>> {
    let parts = parts(text, |token, _| is_known(token));
    let spans = parts.into_iter().filter_map(|part| match part {
        Part::Token(token) => {
            let start = token.as_ptr().addr() - text.as_ptr().addr();
            Some(start - 1..start + token.len() + 1)
        }
        Part::Text(_) => None,
    });
    spans.collect()
}

fn is_name(token: &str) -> bool {
    let (name, number) = token.split_once('#').unwrap_or((token, "1"));
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a name in brackets is a token in a server's text: `[ALERT]`, for example, is not.
fn is_known(token: &str) -> bool {
    let name = token.split('#').next().unwrap_or(token);
    token.contains('#') || name == "SECRET" || redaction::is_token(name)
}

/// The value of each token, if the line fits; each token takes as little text as possible.
fn matched<'a>(parts: &[Part<'a>], line: &'a [u8]) -> Option<Vec<(&'a str, &'a [u8])>> {
    let (mut values, mut rest, mut open) = (Vec::new(), line, None);
    for (place, part) in parts.iter().enumerate() {
        match part {
            Part::Token(token) => open = Some(*token),
            Part::Text(text) => {
                let is_last = place + 1 == parts.len();
                let at = match open {
                    None => rest.starts_with(text).then_some(0)?,
                    Some(_) if is_last => rest.len().checked_sub(text.len())?,
                    Some(_) => memchr::memmem::find(rest, text)?,
                };
                if !rest[at..].starts_with(text) {
                    return None;
                }
                if let Some(token) = open.take() {
                    values.push((token, &rest[..at]));
                }
                rest = &rest[at + text.len()..];
            }
        }
    }
    rest.is_empty().then_some(values)
}

/// A value that a server could have sent here; each number of a token gives another value.
fn plausible(token: &str, (before, after): &(Vec<u8>, Vec<u8>)) -> Vec<u8> {
    let (name, number) = token.split_once('#').unwrap_or((token, "1"));
    let number: usize = number.parse().unwrap_or(1);
    let in_line = |value: &str| [before, value.as_bytes(), after].concat();
    let sample = redaction::sample(name, in_line).unwrap_or("localhost");
    let mut value = sample.as_bytes().to_vec();
    let mut left = number.saturating_sub(1);
    for byte in value.iter_mut().rev().filter(|byte| byte.is_ascii_digit()) {
        let sum = usize::from(*byte - b'0') + left;
        *byte = b'0' + u8::try_from(sum % 10).unwrap_or(0);
        left = sum / 10;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_fits_a_token_and_is_said_again() {
        let mut tokens = Tokens::default();
        assert!(tokens.fits(b"EHLO [CLIENT]", b"EHLO me.example", false));
        assert!(tokens.fits(b"AUTH PLAIN [SECRET]", b"AUTH PLAIN AGE=", false));
        assert!(tokens.fits(b"MAIL FROM:<[FROM#1]>", b"MAIL FROM:<a@b>", false));
        assert!(!tokens.fits(b"MAIL FROM:<[FROM#1]>", b"MAIL FROM:<a@b> SIZE=1", false));
        assert!(!tokens.fits(b"NOOP", b"NOOP x", false));
        assert_eq!(tokens.filled(b"250 <[FROM#1]> ok\r\n"), b"250 <a@b> ok\r\n");
        assert_eq!(tokens.filled(b"250 hello [CLIENT]\r\n"), b"250 hello me.example\r\n");
        assert_eq!(tokens.filled(b"* OK [ALERT] x\r\n"), b"* OK [ALERT] x\r\n");
    }

    #[test]
    fn values_are_plausible_and_differ_by_number() {
        let mut tokens = Tokens::default();
        let said = tokens.filled(b"[QUEUE_ID#1] [QUEUE_ID#2] [QUEUE_ID#1]");
        let said = String::from_utf8(said).unwrap();
        let ids: Vec<_> = said.split(' ').collect();
        assert_eq!(ids[0], ids[2]);
        assert_ne!(ids[0], ids[1]);
        assert!(!said.contains('['), "{said}");
    }

    #[test]
    fn a_token_is_filled_with_a_value_that_is_redacted_again() {
        let said = b"250 2.0.0 [QUEUE_ID#1] Message accepted for delivery\r\n";
        let said = Tokens::default().filled(said);
        assert_eq!(said, b"250 2.0.0 10HmaX-0005vi-00 Message accepted for delivery\r\n");
        let said = Tokens::default().filled(b"250 2.0.0 Ok: queued as [QUEUE_ID#1]\r\n");
        assert_eq!(said, b"250 2.0.0 Ok: queued as 526562BE062\r\n");
    }

    #[test]
    fn the_case_of_verbs_says_nothing() {
        let mut tokens = Tokens::default();
        assert!(tokens.fits(b"EHLO [CLIENT]", b"ehlo me.example", false));
        assert!(tokens.fits(b"MAIL FROM:<a@b>", b"mail from:<a@b>", false));
        assert!(!tokens.fits(b"MAIL FROM:<a@b>", b"MAIL FROM:<A@b>", false));
        assert!(tokens.fits(b"a1 SELECT INBOX", b"x select INBOX", true));
        assert!(!tokens.fits(b"NOOP", b"no", false));
    }

    #[test]
    fn tags_of_imap_are_the_clients() {
        let mut tokens = Tokens::default();
        assert!(tokens.fits(b"a1 FETCH 1 BODY[TEXT]", b"X9 FETCH 1 BODY[TEXT]", true));
        assert!(!tokens.fits(b"a1 FETCH 1 BODY[TEXT]", b"X9 FETCH 1 BODY[MIME]", true));
        assert!(tokens.fits(b"a2 APPEND INBOX {310+}", b"X10 APPEND INBOX {7}", true));
        assert_eq!(
            tokens.filled(b"* 1 FETCH ()\r\na1 OK done\r\n"),
            b"* 1 FETCH ()\r\nX9 OK done\r\n"
        );
    }
}
