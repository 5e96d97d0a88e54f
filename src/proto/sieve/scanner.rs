//! Scanning the words of a line, looking at each byte once: atoms, quoted strings, literals,
//! parentheses (RFC 5804 section 4).

use std::ops::Range;

/// Follows lines through bytes as they come, however the bytes are cut.
#[derive(Clone, Debug, Default)]
pub(super) struct Scanner {
    state: State,
    /// The side that sends the lines.
    side: Side,
    /// The number of octets that the last literal announced.
    announced: u64,
    /// Whether the next word would be directly after the end of another one, without a blank.
    touches: bool,
    /// Whether the word in progress, or the last one, is directly after the end of another one.
    is_glued: bool,
    /// Whether the last byte was CR and the last one of a literal.
    literal_took_cr: bool,
}

/// The side that sends a line. A client's literals have a `+` after their size, and a client's
/// lines are followed even if they are malformed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Side {
    #[default]
    Server,
    Client,
}

/// The kind of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Atom,
    Quoted,
    Literal,
    Open,
    Close,
}

/// The next event in the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A part of a word's content, without its quotes and escapes.
    Content(Sort, Range<usize>),
    /// The end of a word.
    Word(Sort),
    /// The end of the line.
    End,
    /// The line is malformed; the rest of it will be skipped.
    Wrong(&'static str),
}

/// The position of the next byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Between,
    Atom,
    Quoted,
    Escaped,
    /// After the opening brace of a literal: its size so far, and whether the `+` has come.
    Size(Option<u64>, bool),
    /// After the closing brace of a literal.
    Sized(u64, bool),
    /// In a literal, with this number of octets left.
    Literal(u64),
    /// In the rest of a malformed line.
    Wrong,
}

const UNCLOSED: &str = "a quoted string is not closed on its line (RFC 5804, 4)";
const NO_SPECIAL: &str =
    "a backslash in quotes stands before neither a quote nor a backslash (RFC 5804, 4)";
const NO_SIZE: &str = "the size of a literal is no number (RFC 5804, 4)";
const TOO_LONG: &str =
    "a literal is longer than its content: its last octet is the CR of the line end (RFC 5804, 4)";
const NO_LINE_END: &str = "the size of a literal has no line end after it (RFC 5804, 4)";

impl Scanner {
    pub(super) fn new(side: Side) -> Self {
        Self { side, ..Self::default() }
    }

    /// The next event in the bytes from `at` on; moves `at` after it. `None` at the end of the
    /// bytes.
    pub(super) fn next(&mut self, bytes: &[u8], at: &mut usize) -> Option<Event> {
        while *at < bytes.len() {
            let event = match self.state {
                State::Between => self.between(bytes[*at], at),
                State::Atom => Some(self.atom(bytes, at)),
                State::Quoted => self.quoted(bytes, at),
                State::Escaped => Some(self.escaped(bytes[*at], at)),
                State::Size(octets, plus) => self.size(bytes[*at], at, octets, plus),
                State::Sized(octets, plus) => self.sized(bytes[*at], at, octets, plus),
                State::Literal(left) => Some(self.literal(bytes, at, left)),
                State::Wrong => self.wrong(bytes, at),
            };
            if event.is_some() {
                return event;
            }
        }
        None
    }

    fn between(&mut self, byte: u8, at: &mut usize) -> Option<Event> {
        if std::mem::take(&mut self.literal_took_cr) && byte == b'\n' && self.side == Side::Server {
            self.state = State::Wrong;
            return Some(Event::Wrong(TOO_LONG));
        }
        let (place, event) = match byte {
            b' ' | b'\t' | b'\r' => (State::Between, None),
            b'\n' => (State::Between, Some(Event::End)),
            b'"' => (State::Quoted, None),
            b'{' => (State::Size(None, false), None),
            b'(' => (State::Between, Some(Event::Word(Sort::Open))),
            b')' => (State::Between, Some(Event::Word(Sort::Close))),
            _ => {
                self.is_glued = std::mem::replace(&mut self.touches, true);
                self.state = State::Atom;
                return None;
            }
        };
        match byte {
            b' ' | b'\t' | b'\n' => self.touches = false,
            b'\r' => {}
            // Some servers send no blank before parentheses, and there is none inside of them.
            b'(' => (self.is_glued, self.touches) = (false, false),
            b')' => (self.is_glued, self.touches) = (false, true),
            _ => self.is_glued = std::mem::replace(&mut self.touches, true),
        }
        *at += 1;
        self.state = place;
        event
    }

    fn atom(&mut self, bytes: &[u8], at: &mut usize) -> Event {
        let ends = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'"' | b'(' | b')');
        let end = bytes[*at..].iter().position(ends).map_or(bytes.len(), |place| *at + place);
        if end == *at {
            self.state = State::Between;
            return Event::Word(Sort::Atom);
        }
        Event::Content(Sort::Atom, std::mem::replace(at, end)..end)
    }

    fn quoted(&mut self, bytes: &[u8], at: &mut usize) -> Option<Event> {
        let end = memchr::memchr3(b'"', b'\\', b'\n', &bytes[*at..])
            .map_or(bytes.len(), |place| *at + place);
        if end > *at {
            return Some(Event::Content(Sort::Quoted, std::mem::replace(at, end)..end));
        }
        *at += 1;
        match bytes[end] {
            b'"' => {
                self.state = State::Between;
                Some(Event::Word(Sort::Quoted))
            }
            b'\\' => {
                self.state = State::Escaped;
                None
            }
            _ => Some(self.unclosed()),
        }
    }

    fn escaped(&mut self, byte: u8, at: &mut usize) -> Event {
        let from = *at;
        *at += 1;
        if byte == b'\n' {
            return self.unclosed();
        }
        if self.side == Side::Server && !matches!(byte, b'"' | b'\\') {
            self.state = State::Wrong;
            return Event::Wrong(NO_SPECIAL);
        }
        self.state = State::Quoted;
        Event::Content(Sort::Quoted, from..*at)
    }

    /// Handles a line that has ended inside of a quoted string.
    fn unclosed(&mut self) -> Event {
        (self.state, self.touches) = (State::Between, false);
        if self.side == Side::Client { Event::End } else { Event::Wrong(UNCLOSED) }
    }

    fn size(&mut self, byte: u8, at: &mut usize, octets: Option<u64>, plus: bool) -> Option<Event> {
        let place = match (byte, octets) {
            (b'0'..=b'9', _) if !plus => {
                let more = octets
                    .unwrap_or(0)
                    .checked_mul(10)
                    .and_then(|octets| octets.checked_add(u64::from(byte - b'0')));
                more.map(|octets| State::Size(Some(octets), false))
            }
            (b'+', Some(_)) if !plus => Some(State::Size(octets, true)),
            (b'}', Some(octets)) => Some(State::Sized(octets, plus)),
            _ => None,
        };
        match place {
            Some(place) => {
                *at += 1;
                self.state = place;
                None
            }
            None => self.no_literal(NO_SIZE),
        }
    }

    fn sized(&mut self, byte: u8, at: &mut usize, octets: u64, plus: bool) -> Option<Event> {
        match byte {
            b'\r' => *at += 1,
            b'\n' => {
                *at += 1;
                self.announced = octets;
                // A client's literal without a plus ends the line, because the server answers it
                // there.
                let is_line = self.side == Side::Client && !plus;
                self.state = if is_line { State::Between } else { State::Literal(octets) };
                self.touches = !is_line;
                return is_line.then_some(Event::End);
            }
            _ => return self.no_literal(NO_LINE_END),
        }
        None
    }

    /// Handles text that looked like a literal and is none.
    fn no_literal(&mut self, why: &'static str) -> Option<Event> {
        if self.side == Side::Client {
            self.state = State::Atom;
            return None;
        }
        self.state = State::Wrong;
        Some(Event::Wrong(why))
    }

    fn literal(&mut self, bytes: &[u8], at: &mut usize, left: u64) -> Event {
        if left == 0 {
            self.state = State::Between;
            return Event::Word(Sort::Literal);
        }
        let some = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - *at);
        self.state = State::Literal(left - some as u64);
        *at += some;
        self.literal_took_cr = left == some as u64 && bytes[*at - 1] == b'\r';
        Event::Content(Sort::Literal, *at - some..*at)
    }

    fn wrong(&mut self, bytes: &[u8], at: &mut usize) -> Option<Event> {
        let end = memchr::memchr(b'\n', &bytes[*at..]);
        *at = end.map_or(bytes.len(), |place| *at + place + 1);
        end.is_some().then(|| {
            (self.state, self.touches) = (State::Between, false);
            Event::End
        })
    }

    /// Skips the rest of the line.
    pub(super) fn give_up(&mut self) {
        self.state = State::Wrong;
    }

    /// The number of octets that the last literal announced.
    pub(super) fn announced(&self) -> u64 {
        self.announced
    }

    /// The number of octets of a literal that are still to come.
    pub(super) fn left(&self) -> u64 {
        if let State::Literal(left) = self.state { left } else { 0 }
    }

    /// Whether the last word, or the word in progress, is directly after another one, without a
    /// blank between them.
    pub(super) fn is_glued(&self) -> bool {
        self.is_glued
    }

    /// Whether a word has begun, and not ended.
    pub(super) fn is_within_word(&self) -> bool {
        self.state != State::Between
    }

    /// Whether the scan is in the rest of a malformed line.
    pub(super) fn has_given_up(&self) -> bool {
        self.state == State::Wrong
    }
}
