//! Tells what each line of a dialogue is: a command, a reply and the command that it answers, a
//! header field.
//!
//! The octets of a server's literal are counted. The text may have been redacted, and shortened,
//! before; so a count is believed only if what follows the octets can stand after a literal.
//! Otherwise, and in what the client sends, lines are told apart by their form; `fixed` is the part
//! of a line that redaction has to leave alone so that the form stays recognisable.

mod content;
mod imap;
mod literal;
mod pop3;
mod reduced;
mod sieve;
mod smtp;
#[cfg(test)]
mod tests;

use std::ops::Range;

use content::Content;
use imap::Imap;
use literal::literal;
use pop3::Pop3;
pub(super) use reduced::Line;
use sieve::Sieve;
use smtp::Smtp;

use super::scope::{Part, Verb};
use crate::proto::imap::announced;
use crate::proto::{Lines, Speech, chomp};

/// The number of bytes of a greeting that are searched for the name of the server software.
const GREETING: usize = 1024;

/// The number of bytes at the start of a line that are used to classify it before its end has come.
const TELLING: usize = 256;

/// Lines that are read as one: usually a single line, or all lines of a folded header field.
#[derive(Debug)]
pub(super) struct Unit {
    /// The range in the event's bytes, line ends included.
    pub(super) span: Range<usize>,
    pub(super) seen: Seen,
    /// The ranges of MIME boundaries in the event's bytes.
    pub(super) boundaries: Vec<Range<usize>>,
}

impl Unit {
    /// A line that belongs to no dialogue.
    pub(super) fn plain(span: Range<usize>, part: Part, fixed: usize) -> Self {
        Self { span, seen: Seen::at(part, Verb::Other, fixed), boundaries: Vec::new() }
    }
}

/// The kind of a line.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) part: Part,
    pub(super) answering: Verb,
    /// The number of bytes at the start of the line that tell its kind and must not change.
    pub(super) fixed: usize,
    /// Whether an earlier line belongs to the same reply.
    pub(super) continues: bool,
    /// The range of a MIME boundary in the line.
    boundary: Option<Range<usize>>,
}

impl Seen {
    fn at(part: Part, answering: Verb, fixed: usize) -> Self {
        Self { part, answering, fixed, continues: false, boundary: None }
    }
}

/// The state of one session's dialogue.
#[derive(Debug)]
pub(super) struct Dialogue {
    tracker: Box<dyn Tracker>,
    client: Lines,
    server: Lines,
    greeting: String,
    /// The octets that are still to come of the literal that the server is sending; `None` if they
    /// are not known.
    to_come: Option<u64>,
}

/// What comes after the content of a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// The rest of the response that has the literal.
    Rest,
    Response,
}

/// Classifies the lines of a dialogue in one protocol.
trait Tracker: std::fmt::Debug {
    fn speech(&self) -> Speech;

    /// The kind of a client line, of which only the beginning may be there.
    fn client(&self, line: &[u8]) -> Seen;

    /// The kind of a server line, of which only the beginning may be there.
    fn server(&self, line: &[u8]) -> Seen;

    /// Takes note of a complete client line.
    fn sent(&mut self, line: &[u8]);

    /// Takes note of a complete server line. Returns whether it ends client octets that were not
    /// lines.
    fn replied(&mut self, line: &[u8]) -> bool;

    /// The part of a line of the greeting or of a reply that is kept at a strictness; `None` if the
    /// line is left out.
    fn reduced(&self, line: &Line<'_>) -> Option<Vec<u8>>;

    /// Whether the protocol is unknown, so that the server's first line may show it.
    fn may_be_guessed(&self) -> bool {
        false
    }

    /// Whether what the server says next is in the content of a literal.
    fn is_in_literal(&self) -> bool {
        false
    }

    /// How many of these bytes, which come after the announced octets of a literal, still belong to
    /// its content; `None` if they cannot stand there.
    fn after_literal(&self, _bytes: &[u8]) -> Option<usize> {
        None
    }

    /// What a line that comes after the content of the literal is, judged by its form and that of
    /// the next line; `None` if it seems to be content.
    fn ends_literal(&self, _line: &[u8], _next: Option<&[u8]>) -> Option<After> {
        None
    }

    /// Whether a line has the form of the result of a command.
    fn is_result(&self, _line: &[u8]) -> bool {
        false
    }

    /// Takes note that the content of a literal has ended.
    fn end_literal(&mut self, _after: After) {}

    /// Whether a server line within content still counts, because it marks where replies go on.
    fn ends_content(&self, _line: &[u8]) -> bool {
        false
    }
}

/// A dialogue in an unknown protocol, or in none.
#[derive(Debug)]
struct Unknown {
    /// Whether the greeting may still show the protocol.
    may_be_guessed: bool,
}

/// The side that sent some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Client,
    Server,
}

impl Dialogue {
    pub(super) fn new(speech: Option<Speech>) -> Self {
        let tracker = match speech {
            None | Some(Speech::Stream) => Box::new(Unknown { may_be_guessed: true }),
            Some(speech) => tracker(speech),
        };
        Self {
            tracker,
            client: Lines::default(),
            server: Lines::default(),
            greeting: String::new(),
            to_come: None,
        }
    }

    pub(super) fn speech(&self) -> Speech {
        self.tracker.speech()
    }

    /// The beginning of the greeting in lower case, with blanks between its words.
    pub(super) fn greeting(&self) -> &str {
        &self.greeting
    }

    /// Takes note that bytes of this side were left out of the transcript here.
    pub(super) fn skip(&mut self, from: From) {
        *self.lines(from) = Lines::default();
        if from == From::Server {
            self.to_come = None;
        }
    }

    fn lines(&mut self, from: From) -> &mut Lines {
        match from {
            From::Client => &mut self.client,
            From::Server => &mut self.server,
        }
    }

    /// Reads bytes that one side sent and splits them into units.
    pub(super) fn follow(&mut self, from: From, bytes: &[u8]) -> Vec<Unit> {
        let mut units = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let content = if from == From::Server { self.content(rest) } else { None };
            let end = at + content.as_ref().map_or(first_line(rest).len(), |found| found.octets);
            for piece in bytes[at..end].split_inclusive(|byte| *byte == b'\n') {
                let span = at..at + piece.len();
                at = span.end;
                if content.is_none() {
                    self.end_literal_by_form(from, piece, &bytes[end..]);
                }
                let (seen, is_first) = self.line(from, piece);
                add(&mut units, bytes, Unit { span, seen, boundaries: Vec::new() }, is_first);
            }
            if let Some(after) = content.and_then(|found| found.after) {
                self.end_literal(after);
            }
        }
        units
    }

    /// Reads a line or a piece of one. Returns its kind, and whether the piece is the start of the
    /// line.
    fn line(&mut self, from: From, piece: &[u8]) -> (Seen, bool) {
        let before = self.lines(from).unfinished().len();
        let mut joined = None;
        self.lines(from).push(piece, |line, _| joined = (before > 0).then(|| line.to_vec()));
        let mut seen = if piece.ends_with(b"\n") {
            self.whole_line(from, chomp(joined.as_deref().unwrap_or(piece)))
        } else if before == 0 {
            self.seen(from, piece)
        } else {
            let unfinished = self.lines(from).unfinished();
            let start = unfinished[..unfinished.len().min(TELLING)].to_vec();
            self.seen(from, &start)
        };
        seen.fixed = seen.fixed.saturating_sub(before);
        (seen, before == 0)
    }

    fn whole_line(&mut self, from: From, line: &[u8]) -> Seen {
        if from == From::Server {
            self.guess(line);
        }
        let seen = self.seen(from, line);
        if seen.part == Part::Greeting && self.greeting.len() < GREETING {
            self.greeting.push(' ');
            self.greeting.extend(line.iter().take(GREETING).map(|byte| match byte {
                byte if byte.is_ascii_alphanumeric() => char::from(byte.to_ascii_lowercase()),
                _ => ' ',
            }));
        }
        let was_in_literal = self.tracker.is_in_literal();
        if self.advance(from, line) {
            self.client = Lines::default();
        }
        if !was_in_literal && self.tracker.is_in_literal() {
            self.to_come = announced(line).map(|(octets, _)| octets);
        }
        seen
    }

    /// Guesses the protocol of a plain stream from the greeting.
    fn guess(&mut self, line: &[u8]) {
        if self.tracker.may_be_guessed() {
            self.tracker = tracker(Speech::of_greeting(line).unwrap_or(Speech::Stream));
        }
    }

    /// The kind of a line, of which only the beginning may be there.
    fn seen(&self, from: From, line: &[u8]) -> Seen {
        match from {
            From::Client => self.tracker.client(line),
            From::Server => self.tracker.server(line),
        }
    }

    /// Takes note of a complete line. Returns whether it ends client octets that were not lines.
    fn advance(&mut self, from: From, line: &[u8]) -> bool {
        match from {
            From::Client => {
                self.tracker.sent(line);
                false
            }
            From::Server => self.tracker.replied(line),
        }
    }
}

/// The tracker for a protocol.
fn tracker(speech: Speech) -> Box<dyn Tracker> {
    match speech {
        Speech::Smtp | Speech::Lmtp => Box::new(Smtp::new(speech)),
        Speech::Pop3 => Box::new(Pop3::default()),
        Speech::Imap => Box::new(Imap::default()),
        Speech::Sieve => Box::new(Sieve::default()),
        Speech::Stream => Box::new(Unknown { may_be_guessed: false }),
    }
}

/// The part of a complete server line that is kept at a strictness; `None` if the line is left out.
pub(super) fn reduced(speech: Speech, line: &Line<'_>) -> Option<Vec<u8>> {
    let tracker = tracker(speech);
    if matches!(line.seen.part, Part::Greeting | Part::Reply) {
        return tracker.reduced(line);
    }
    tracker.ends_content(line.text).then(|| line.text.to_vec())
}

impl Tracker for Unknown {
    fn speech(&self) -> Speech {
        Speech::Stream
    }

    fn may_be_guessed(&self) -> bool {
        self.may_be_guessed
    }

    fn client(&self, line: &[u8]) -> Seen {
        Seen::at(Part::Command, Verb::Other, word(line).len())
    }

    fn server(&self, _: &[u8]) -> Seen {
        if self.may_be_guessed {
            // The beginning of the line, which is all that the guess of the protocol uses.
            return Seen::at(Part::Greeting, Verb::Greeting, 9);
        }
        Seen::at(Part::Reply, Verb::Other, 0)
    }

    fn sent(&mut self, _: &[u8]) {}

    fn replied(&mut self, _: &[u8]) -> bool {
        false
    }

    fn reduced(&self, line: &Line<'_>) -> Option<Vec<u8>> {
        Some(line.text.to_vec())
    }
}

/// Adds a unit, or joins it to the header field that it is a line of.
fn add(units: &mut Vec<Unit>, bytes: &[u8], mut unit: Unit, is_first: bool) {
    let boundary = unit.seen.boundary.clone().filter(|_| is_first);
    let start = unit.span.start;
    unit.boundaries.extend(boundary.map(|span| start + span.start..start + span.end));
    let is_folded =
        unit.seen.part == Part::Header && is_first && matches!(bytes[start], b' ' | b'\t');
    match units.last_mut().filter(|last| is_folded && last.seen.part == Part::Header) {
        Some(last) => {
            last.span.end = unit.span.end;
            last.boundaries.append(&mut unit.boundaries);
        }
        None => units.push(unit),
    }
}

/// The bytes up to the end of their first line.
fn first_line(bytes: &[u8]) -> &[u8] {
    memchr::memchr(b'\n', bytes).map_or(bytes, |at| &bytes[..=at])
}

/// The first word of a line.
fn word(line: &[u8]) -> &[u8] {
    line.split(u8::is_ascii_whitespace).next().unwrap_or_default()
}

/// Whether the word is one of `words`, in any case.
fn is_one_of(word: &[u8], words: &[&str]) -> bool {
    words.iter().any(|other| word.eq_ignore_ascii_case(other.as_bytes()))
}
