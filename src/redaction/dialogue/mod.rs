//! What each line of a dialogue is: a command, the answer to which, a header field.
//!
//! Sizes that were announced are not counted: what is read may be redacted already, and shorter
//! than it was. What is read here is therefore the shape of lines, and `fixed` is the part of a
//! line that redaction has to leave alone for it.

mod content;
mod imap;
mod pop3;
mod sieve;
mod smtp;
#[cfg(test)]
mod tests;

use std::ops::Range;

use content::Content;
use imap::Imap;
use pop3::Pop3;
use sieve::Sieve;
use smtp::Smtp;

use super::scope::{Place, Verb};
use crate::proto::{Lines, Speech, chomp};

/// How much of a greeting is looked at for the name of the server.
const GREETING: usize = 1024;

/// How much of the beginning of a line says what it is, where its end is still to come.
const TELLING: usize = 256;

/// Lines that are read as one: nearly always one line, several where a header field is folded.
#[derive(Debug)]
pub(super) struct Unit {
    /// Where in the bytes of the event, line ends included.
    pub(super) span: Range<usize>,
    pub(super) seen: Seen,
    /// Where in the bytes of the event MIME boundaries stand.
    pub(super) boundaries: Vec<Range<usize>>,
}

impl Unit {
    /// A line of no dialogue.
    pub(super) fn plain(span: Range<usize>, place: Place, fixed: usize) -> Self {
        Self { span, seen: Seen::at(place, Verb::Other, fixed), boundaries: Vec::new() }
    }
}

/// What a line is.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) place: Place,
    pub(super) answering: Verb,
    /// How many bytes at its start say what it is.
    pub(super) fixed: usize,
    /// Whether a line of the same reply came before it.
    pub(super) continues: bool,
    /// Where in the line a MIME boundary stands.
    boundary: Option<Range<usize>>,
}

impl Seen {
    fn at(place: Place, answering: Verb, fixed: usize) -> Self {
        Self { place, answering, fixed, continues: false, boundary: None }
    }
}

/// The state of one session's dialogue.
#[derive(Debug)]
pub(super) struct Dialogue {
    sides: Sides,
    client: Lines,
    server: Lines,
    greeting: String,
}

/// What the protocol makes of the lines.
#[derive(Debug)]
enum Sides {
    Smtp(Smtp),
    Pop3(Pop3),
    Imap(Imap),
    Sieve(Sieve),
    /// Nothing is known yet; a greeting may say it.
    Unknown,
    /// A protocol without anything that is read here.
    Other(Speech),
}

/// Whose bytes they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Client,
    Server,
}

impl Dialogue {
    pub(super) fn new(speech: Option<Speech>) -> Self {
        let sides = match speech {
            None | Some(Speech::Stream) => Sides::Unknown,
            Some(speech) => Sides::speaking(speech),
        };
        Self { sides, client: Lines::default(), server: Lines::default(), greeting: String::new() }
    }

    pub(super) fn speech(&self) -> Speech {
        match &self.sides {
            Sides::Smtp(smtp) => smtp.speech(),
            Sides::Pop3(_) => Speech::Pop3,
            Sides::Imap(_) => Speech::Imap,
            Sides::Sieve(_) => Speech::Sieve,
            Sides::Unknown => Speech::Stream,
            Sides::Other(speech) => *speech,
        }
    }

    /// What the server said first, in lower case, with blanks between its words.
    pub(super) fn greeting(&self) -> &str {
        &self.greeting
    }

    /// Bytes were left out here.
    pub(super) fn skip(&mut self, from: From) {
        *self.lines(from) = Lines::default();
    }

    fn lines(&mut self, from: From) -> &mut Lines {
        match from {
            From::Client => &mut self.client,
            From::Server => &mut self.server,
        }
    }

    /// Follows bytes of one side; they are given back in units.
    pub(super) fn follow(&mut self, from: From, bytes: &[u8]) -> Vec<Unit> {
        let mut units: Vec<Unit> = Vec::new();
        let mut start = 0;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let span = start..start + piece.len();
            start = span.end;
            let (seen, is_first) = self.line(from, piece);
            let boundary = seen.boundary.clone().filter(|_| is_first);
            let boundary =
                boundary.map(|inside| span.start + inside.start..span.start + inside.end);
            let is_folded =
                seen.place == Place::Header && is_first && matches!(piece[0], b' ' | b'\t');
            match units.last_mut().filter(|unit| is_folded && unit.seen.place == Place::Header) {
                Some(unit) => {
                    unit.span.end = span.end;
                    unit.boundaries.extend(boundary);
                }
                None => units.push(Unit { span, seen, boundaries: boundary.into_iter().collect() }),
            }
        }
        units
    }

    /// Follows a line or a piece of one; says what it is, and whether it is the line's start.
    fn line(&mut self, from: From, piece: &[u8]) -> (Seen, bool) {
        let before = self.lines(from).unfinished().len();
        let mut joined = None;
        self.lines(from).push(piece, |line, _| joined = (before > 0).then(|| line.to_vec()));
        let mut seen = if piece.ends_with(b"\n") {
            self.whole_line(from, chomp(joined.as_deref().unwrap_or(piece)))
        } else if before == 0 {
            self.sides.seen(from, piece)
        } else {
            let unfinished = self.lines(from).unfinished();
            let start = unfinished[..unfinished.len().min(TELLING)].to_vec();
            self.sides.seen(from, &start)
        };
        seen.fixed = seen.fixed.saturating_sub(before);
        (seen, before == 0)
    }

    fn whole_line(&mut self, from: From, line: &[u8]) -> Seen {
        if from == From::Server {
            self.sides.guess(line);
        }
        let seen = self.sides.seen(from, line);
        if seen.place == Place::Greeting && self.greeting.len() < GREETING {
            self.greeting.push(' ');
            self.greeting.extend(line.iter().take(GREETING).map(|byte| match byte {
                byte if byte.is_ascii_alphanumeric() => char::from(byte.to_ascii_lowercase()),
                _ => ' ',
            }));
        }
        if self.sides.advance(from, line) {
            self.client = Lines::default();
        }
        seen
    }
}

impl Sides {
    fn speaking(speech: Speech) -> Self {
        match speech {
            Speech::Smtp | Speech::Lmtp => Self::Smtp(Smtp::new(speech)),
            Speech::Pop3 => Self::Pop3(Pop3::default()),
            Speech::Imap => Self::Imap(Imap::default()),
            Speech::Sieve => Self::Sieve(Sieve::default()),
            Speech::Stream => Self::Other(speech),
        }
    }

    /// On a stream, the greeting may show what is spoken.
    fn guess(&mut self, line: &[u8]) {
        if !matches!(self, Self::Unknown) {
            return;
        }
        let speech = Speech::of_greeting(line);
        *self = Self::speaking(speech.unwrap_or(Speech::Stream));
    }

    /// What a line is, or the beginning of one.
    fn seen(&self, from: From, line: &[u8]) -> Seen {
        match (self, from) {
            (Self::Smtp(smtp), From::Client) => smtp.client(line),
            (Self::Smtp(smtp), From::Server) => smtp.server(line),
            (Self::Pop3(_) | Self::Unknown | Self::Other(_), From::Client) => {
                Seen::at(Place::Command, Verb::Other, word(line).len())
            }
            (Self::Pop3(pop3), From::Server) => pop3.server(line),
            (Self::Imap(imap), From::Client) => imap.client(line),
            (Self::Imap(imap), From::Server) => imap.server(line),
            (Self::Sieve(sieve), From::Client) => sieve.client(line),
            (Self::Sieve(sieve), From::Server) => sieve.server(line),
            // So much of it as a guess goes by.
            (Self::Unknown, From::Server) => Seen::at(Place::Greeting, Verb::Greeting, 9),
            (Self::Other(_), From::Server) => Seen::at(Place::Reply, Verb::Other, 0),
        }
    }

    /// The line is over. Whether octets of the client that were no lines ended with it.
    fn advance(&mut self, from: From, line: &[u8]) -> bool {
        match (self, from) {
            (Self::Smtp(smtp), From::Client) => smtp.sent(line),
            (Self::Smtp(smtp), From::Server) => return smtp.replied(line),
            (Self::Pop3(pop3), From::Client) => pop3.sent(line),
            (Self::Pop3(pop3), From::Server) => pop3.replied(line),
            (Self::Imap(imap), From::Client) => imap.sent(line),
            (Self::Imap(imap), From::Server) => return imap.replied(line),
            (Self::Sieve(sieve), From::Client) => sieve.sent(line),
            (Self::Sieve(sieve), From::Server) => sieve.replied(line),
            (Self::Unknown | Self::Other(_), _) => {}
        }
        false
    }
}

/// What stands before the literal that a line ends with. Its size may be redacted.
fn literal(line: &[u8]) -> Option<&[u8]> {
    let inside = line.strip_suffix(b"}")?;
    let open = memchr::memrchr(b'{', inside)?;
    let size = &inside[open + 1..];
    let size = size.strip_suffix(b"+").or_else(|| size.strip_suffix(b"-")).unwrap_or(size);
    let is_token = size.starts_with(b"[") && size.ends_with(b"]");
    (is_token || (!size.is_empty() && size.iter().all(u8::is_ascii_digit))).then_some(&line[..open])
}

/// The first word of a line.
fn word(line: &[u8]) -> &[u8] {
    line.split(u8::is_ascii_whitespace).next().unwrap_or_default()
}

/// Whether the word is one of these, in any case.
fn is_one_of(word: &[u8], words: &[&str]) -> bool {
    words.iter().any(|other| word.eq_ignore_ascii_case(other.as_bytes()))
}
