//! Finding the end of a response: lines of strings, up to and including the line that says OK, NO
//! or BYE (RFC 5804 section 1.2).

use super::scanner::{Event, Scanner, Sort};
use crate::proto::{Framing, Malformed, missing_of_line, missing_of_literal};

/// The kind of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line of strings. More lines follow, unless it is a challenge.
    Data,
    Ok,
    No,
    Bye,
}

impl Line {
    fn of_word(word: &[u8]) -> Option<Self> {
        const WORDS: [(&[u8], Line); 3] =
            [(b"OK", Line::Ok), (b"NO", Line::No), (b"BYE", Line::Bye)];
        WORDS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known)).map(|(_, line)| *line)
    }
}

/// Follows a server's lines through bytes as they come, however the bytes are cut.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    scanner: Scanner,
    /// The first word of the line, as far as it has come.
    word: Vec<u8>,
    /// The kind of the line, once the first word is known.
    line: Option<Line>,
    /// The part of the line that the words after the first have reached.
    rest: Rest,
    /// The number of words of a line of data.
    words: usize,
    /// Whether the first byte of the line was looked at.
    has_begun: bool,
    is_wrong: bool,
}

/// What may still follow OK, NO or BYE: a code in parentheses, then one string (RFC 5804 section 4,
/// `response-oknobye`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rest {
    #[default]
    Any,
    /// The name of a code.
    Name,
    /// The data of a code, in which this number of parentheses is open. The code of an extension may
    /// have lists of strings, numbers and lists (`extension-data` there).
    Code(usize),
    Text,
    Nothing,
}

impl Rest {
    /// What may follow a word of this kind; `None` if the word is not allowed here.
    fn after(self, word: Sort) -> Option<Self> {
        let is_string = matches!(word, Sort::Quoted | Sort::Literal);
        match (self, word) {
            (Self::Any, Sort::Open) => Some(Self::Name),
            (Self::Name, Sort::Atom) => Some(Self::Code(1)),
            (Self::Code(open), Sort::Open) => Some(Self::Code(open + 1)),
            (Self::Code(1), Sort::Close) => Some(Self::Text),
            (Self::Code(open), Sort::Close) => Some(Self::Code(open - 1)),
            (Self::Code(_), _) => Some(self),
            (Self::Any | Self::Text, _) if is_string => Some(Self::Nothing),
            _ => None,
        }
    }
}

const GLUED: &str = "a word is directly after another one, without a blank (RFC 5804, 4)";
const DATA: &str =
    "a line of data has more than a string and then another one or ACTIVE (RFC 5804, 4)";
const NO_LINE: &str = "a line begins with neither a string nor OK, NO or BYE (RFC 5804, 1.2)";
const BLANK: &str = "a line begins with a blank (RFC 5804, 4)";
const REST: &str =
    "after OK, NO or BYE comes more than a code in parentheses and one string (RFC 5804, 4)";
/// What follows the name of the active script (RFC 5804 section 2.7).
const ACTIVE: &[u8] = b"ACTIVE";
/// The longest word that matters.
const LONGEST: usize = ACTIVE.len();

impl Lines {
    /// The next whole line in the bytes from `at` on, or why it is malformed; moves `at` after it.
    /// The rest of a malformed line is skipped.
    pub(super) fn next(
        &mut self,
        bytes: &[u8],
        at: &mut usize,
    ) -> Option<Result<Line, &'static str>> {
        loop {
            if !self.has_begun
                && !self.is_wrong
                && let Some(first) = bytes.get(*at)
            {
                self.has_begun = true;
                if matches!(first, b' ' | b'\t') {
                    return Some(self.refuse(BLANK));
                }
            }
            let event = self.scanner.next(bytes, at)?;
            let is_word = matches!(event, Event::Word(_));
            match event {
                Event::Wrong(why) => return Some(Err(self.give_up(why))),
                Event::End if std::mem::take(&mut self.is_wrong) => self.begin(),
                Event::End => {
                    let is_open = matches!(self.rest, Rest::Name | Rest::Code(_));
                    let line = if is_open { Err(REST) } else { self.line.ok_or(NO_LINE) };
                    self.begin();
                    return Some(line);
                }
                Event::Content(..) | Event::Word(_) if self.scanner.is_glued() => {
                    return Some(self.refuse(GLUED));
                }
                Event::Content(Sort::Atom, range) if self.line == Some(Line::Data) => {
                    // One byte more than the longest word shows that a word is longer.
                    let room = (LONGEST + 1).saturating_sub(self.word.len());
                    self.word.extend(bytes[range].iter().take(room));
                }
                Event::Content(..) if self.line.is_some() => {}
                Event::Word(sort) if self.line == Some(Line::Data) => {
                    self.words += 1;
                    if !self.fits(sort) {
                        return Some(self.refuse(DATA));
                    }
                }
                Event::Word(sort) if self.line.is_some() => {
                    let Some(rest) = self.rest.after(sort) else { return Some(self.refuse(REST)) };
                    self.rest = rest;
                }
                Event::Content(Sort::Quoted | Sort::Literal, _)
                | Event::Word(Sort::Quoted | Sort::Literal) => {
                    self.line = Some(Line::Data);
                    self.words = usize::from(is_word);
                }
                Event::Content(_, range) if self.word.len() + range.len() <= LONGEST => {
                    self.word.extend_from_slice(&bytes[range]);
                }
                Event::Word(Sort::Atom) if Line::of_word(&self.word).is_some() => {
                    self.line = Line::of_word(&self.word);
                }
                Event::Content(..) | Event::Word(_) => return Some(self.refuse(NO_LINE)),
            }
        }
    }

    /// Whether a line of data may have this word where it stands: first a string, then another one
    /// (a capability) or ACTIVE (a script).
    fn fits(&self, sort: Sort) -> bool {
        match (self.words, sort) {
            (1 | 2, Sort::Quoted | Sort::Literal) => true,
            (2, Sort::Atom) => self.word.eq_ignore_ascii_case(ACTIVE),
            _ => false,
        }
    }

    fn begin(&mut self) {
        self.word.clear();
        (self.line, self.rest, self.has_begun, self.words) = (None, Rest::Any, false, 0);
    }

    /// Makes the error for a malformed line, and skips the rest of it.
    fn refuse(&mut self, why: &'static str) -> Result<Line, &'static str> {
        self.scanner.give_up();
        Err(self.give_up(why))
    }

    fn give_up(&mut self, why: &'static str) -> &'static str {
        self.begin();
        self.is_wrong = self.scanner.has_given_up();
        why
    }
}

/// The framing of responses.
#[derive(Clone, Debug, Default)]
pub(super) struct Responses {
    lines: Lines,
    /// The offset up to which the buffer was scanned, and the offset of the line in progress.
    at: usize,
    line: usize,
    /// Whether each line of data is a response of its own: in AUTHENTICATE, such a line is a
    /// challenge (RFC 5804 section 2.1).
    pub(super) are_challenges: bool,
}

impl Framing for Responses {
    fn frame(&mut self, held: &[u8]) -> Result<Option<usize>, Malformed> {
        while let Some(line) = self.lines.next(held, &mut self.at) {
            let range = self.line..self.at;
            match line {
                Ok(Line::Data) if !self.are_challenges => self.line = range.end,
                Ok(_) => {
                    self.restart();
                    return Ok(Some(range.end));
                }
                Err(why) => {
                    self.restart();
                    let end = memchr::memchr(b'\n', &held[range.start..])
                        .map_or(held.len(), |at| range.start + at + 1);
                    return Err(Malformed {
                        why: why.to_owned(),
                        line: range.start..end.max(range.end),
                    });
                }
            }
        }
        Ok(None)
    }

    fn missing(&self, held: &[u8]) -> Option<String> {
        let scanner = &self.lines.scanner;
        if scanner.left() > 0 {
            return Some(missing_of_literal(scanner.left(), scanner.announced()));
        }
        let rest = held.get(self.line..)?;
        let last_line = || "its last line, which says OK, NO or BYE (RFC 5804, 1.2)".to_owned();
        missing_of_line(rest).or_else(|| (self.line > 0).then(last_line))
    }

    fn at_least(&self) -> u64 {
        (self.at as u64).saturating_add(self.lines.scanner.left())
    }

    fn restart(&mut self) {
        *self = Self { are_challenges: self.are_challenges, ..Self::default() };
    }
}
