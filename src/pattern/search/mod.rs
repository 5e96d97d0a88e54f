//! Searching a growing stream. Each byte is looked at once, and the matches are the same wherever
//! the stream is cut.

mod automaton;
#[cfg(test)]
mod tests;

use std::ops::Range;

use regex_automata::dfa::Automaton as _;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa as lazy;
use regex_automata::util::primitives::StateID;

use automaton::{DenseRun, LazyRun, Mark, Run};

use super::captures::Captures;
use super::regex::{Forward, StreamRegex, start};
use super::skip::{Jump, Skip};
use super::{Finder, Pattern};
use crate::error::{Error, Result};

/// How many bytes an automaton that is built while searching takes in one go. In the worst case it
/// builds a state for each byte, which takes 50 µs; an automaton that was built in advance takes
/// megabytes in that time.
const PIECE: usize = 1 << 10;

/// A search for one pattern in the unread bytes of a session, from their beginning to the first
/// match.
pub(crate) struct Search<'p> {
    finder: &'p Finder,
    eof: Option<usize>,
    state: State,
    cursor: Cursor,
    /// The end of the present match, while more bytes could still change it.
    open: Option<usize>,
    /// How many bytes were dropped from the front of the unread bytes.
    gone: u64,
}

/// The state of the automaton between reads.
enum State {
    Literal,
    Dense(StateID),
    Lazy(LazyStateID, Box<lazy::Cache>),
    Nothing,
}

/// How far the search has looked, as offsets into the unread bytes.
#[derive(Clone, Copy, Default)]
struct Cursor {
    at: usize,
    /// No match begins before this offset.
    keep: usize,
    /// The end of the longest match that the bytes so far prove.
    last: Option<usize>,
    /// No literal that a match must contain begins before this offset.
    probed: usize,
}

/// The progress of a search.
#[derive(Debug)]
pub(crate) enum Progress {
    /// No match yet.
    More,
    /// A match that more bytes could still extend or undo.
    Open,
    /// A match that no further byte can change.
    Found(Found),
    /// The stream has ended without a match.
    Absent,
}

/// A match in the unread bytes.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) range: Range<usize>,
    /// The alternative that matched; 0 without alternatives.
    pub(crate) index: usize,
    pub(crate) captures: Option<Captures>,
    /// Whether the match is the end of the stream, as one of the alternatives.
    pub(crate) is_eof: bool,
}

impl Found {
    /// The same match, after the bytes before it were dropped.
    pub(crate) fn without_before(self) -> Self {
        let before = self.range.start;
        let captures = self.captures.map(|captures| captures.without_first(before));
        Self { range: 0..self.range.end - before, captures, ..self }
    }
}

impl<'p> Search<'p> {
    pub(crate) fn new(pattern: &'p Pattern) -> Result<Self> {
        let finder = pattern.finder()?;
        let state = match finder {
            Finder::Literal(_) => State::Literal,
            Finder::Nothing => State::Nothing,
            Finder::Regex(regex) => match regex.forward() {
                Forward::Dense(dfa) => {
                    State::Dense(dfa.start_state(&start(None)).map_err(|_| astray())?)
                }
                Forward::Lazy(dfa) => {
                    let mut cache = Box::new(dfa.create_cache());
                    State::Lazy(
                        dfa.start_state(&mut cache, &start(None)).map_err(|_| astray())?,
                        cache,
                    )
                }
            },
        };
        Ok(Self {
            finder,
            eof: pattern.eof_index(),
            state,
            cursor: Cursor::default(),
            open: None,
            gone: 0,
        })
    }

    /// Searches the bytes that have come since the last call. `ended` says that no more will come.
    ///
    /// # Errors
    /// If the regex engine gives up, which the configured limits rule out.
    pub(crate) fn advance(&mut self, held: &[u8], ended: bool) -> Result<Progress> {
        loop {
            if let Some(progress) = self.advance_a_while(held, ended)? {
                return Ok(progress);
            }
        }
    }

    /// Does a part of what [`Search::advance`] does, which takes 100 ms at most. Returns `None` if
    /// more is left to do, so that the caller can look at its deadline in between.
    ///
    /// # Errors
    /// See [`Search::advance`].
    pub(crate) fn advance_a_while(&mut self, held: &[u8], ended: bool) -> Result<Option<Progress>> {
        let progress = match self.finder {
            Finder::Literal(finder) => self.find_literal(finder, held),
            Finder::Regex(regex) => match self.find_regex(regex, held, ended)? {
                Some(progress) => progress,
                None => return Ok(None),
            },
            Finder::Nothing => Progress::More,
        };
        if !ended || !matches!(progress, Progress::More) {
            return Ok(Some(progress));
        }
        Ok(Some(self.eof.map_or(Progress::Absent, |index| {
            Progress::Found(Found {
                range: held.len()..held.len(),
                index,
                captures: None,
                is_eof: true,
            })
        })))
    }

    /// Returns the present match, for a peer that has sent nothing for long enough.
    pub(crate) fn settle(&self, held: &[u8]) -> Option<Found> {
        let Finder::Regex(regex) = self.finder else { return None };
        self.open.and_then(|end| self.found(regex, held, end))
    }

    /// How many bytes at the start of the unread bytes are not needed any more: they are neither
    /// part of a match nor the byte before one.
    pub(crate) fn spare(&self) -> usize {
        self.cursor.keep.saturating_sub(1)
    }

    /// Tells the search that the first `count` of the unread bytes were dropped. `count` is at most
    /// [`Search::spare`].
    pub(crate) fn dropped(&mut self, count: usize) {
        self.gone += count as u64;
        self.cursor.at -= count;
        self.cursor.keep -= count;
        self.cursor.probed = self.cursor.probed.saturating_sub(count);
        self.cursor.last = self.cursor.last.map(|end| end - count);
        self.open = self.open.map(|end| end - count);
    }

    /// How many bytes were dropped since the search began.
    pub(crate) fn gone(&self) -> u64 {
        self.gone
    }

    fn find_literal(&mut self, finder: &memchr::memmem::Finder<'static>, held: &[u8]) -> Progress {
        let length = finder.needle().len();
        let from = self.cursor.at.saturating_sub(length - 1);
        self.cursor.at = held.len();
        self.cursor.keep = held.len().saturating_sub(length - 1);
        match finder.find(&held[from..]) {
            Some(offset) => {
                let range = from + offset..from + offset + length;
                Progress::Found(Found { range, index: 0, captures: None, is_eof: false })
            }
            None => Progress::More,
        }
    }

    fn find_regex(
        &mut self,
        regex: &StreamRegex,
        held: &[u8],
        ended: bool,
    ) -> Result<Option<Progress>> {
        let end = match (&mut self.state, regex.forward()) {
            (State::Dense(id), Forward::Dense(dfa)) => {
                self.cursor.scan(&mut DenseRun { dfa, id }, regex, held, held.len())?
            }
            (State::Lazy(id, cache), Forward::Lazy(dfa)) => {
                let until = held.len().min(self.cursor.at.saturating_add(PIECE));
                self.cursor.scan(
                    &mut LazyRun { dfa, id, cache, lost: false },
                    regex,
                    held,
                    until,
                )?
            }
            _ => End::None,
        };
        let (settled, open) = match end {
            End::Settled(end) => (Some(end), None),
            End::Open(end) if ended => (Some(end), None),
            End::Open(end) => (None, Some(end)),
            End::None => (None, None),
            End::Unknown => return Ok(None),
        };
        self.open = open;
        Ok(Some(match settled {
            Some(end) => Progress::Found(self.found(regex, held, end).ok_or_else(astray)?),
            None if open.is_some() => Progress::Open,
            None => Progress::More,
        }))
    }

    fn found(&self, regex: &StreamRegex, held: &[u8], end: usize) -> Option<Found> {
        let (index, captures) = regex.resolve(held, self.cursor.keep, end)?;
        let range = captures.get(0)?;
        Some(Found { range, index, captures: Some(captures), is_eof: false })
    }
}

fn astray() -> Error {
    Error::usage("the regex engine gave up on this pattern").hint("say it with a simpler regex")
}

/// Where a match ends, as far as the bytes so far tell.
enum End {
    None,
    Open(usize),
    Settled(usize),
    /// Not all bytes were looked at yet.
    Unknown,
}

impl Cursor {
    /// Runs the automaton over the bytes before `until` that it has not seen yet, and skips bytes
    /// that cannot be part of a match.
    fn scan(
        &mut self,
        run: &mut impl Run,
        regex: &StreamRegex,
        held: &[u8],
        until: usize,
    ) -> Result<End> {
        // Up to this offset, the automaton runs without trying to skip.
        let mut through = 0;
        while self.at < until {
            match run.mark() {
                Mark::Dead => break,
                Mark::Start if self.last.is_none() => {
                    self.keep = self.at;
                    if let (Some(skip), true) = (regex.skip(), self.at >= through) {
                        match self.jump(run, skip, held)? {
                            Some(_) if self.at >= until => break,
                            Some(place) => through = place,
                            None => return Ok(End::None),
                        }
                    }
                }
                _ => {}
            }
            let ran = if self.at < through {
                run.run(&held[self.at..through.min(until)], false)?
            } else {
                run.run(&held[self.at..until], regex.skip().is_some())?
            };
            if let (Some(idle), None) = (ran.idle, self.last) {
                self.keep = self.at + idle;
            }
            self.at += ran.used;
            if run.mark() == Mark::Match {
                // The automaton reports a match one byte late, because it looks ahead by one byte.
                self.last = Some(self.at - 1);
            }
        }
        if self.at < held.len() && run.mark() != Mark::Dead {
            return Ok(End::Unknown);
        }
        self.end(run, regex, held)
    }

    /// Where a match ends, after the automaton has seen all bytes.
    fn end(&mut self, run: &mut impl Run, regex: &StreamRegex, held: &[u8]) -> Result<End> {
        if run.mark() == Mark::Dead {
            return Ok(self.last.map_or(End::None, End::Settled));
        }
        let end = match (run.matches_at_end()?, self.last) {
            (true, _) if !regex.looks_ahead() && run.ends_here() => End::Settled(held.len()),
            (true, _) => End::Open(held.len()),
            (false, Some(last)) if run.is_over() => End::Settled(last),
            (false, Some(last)) => End::Open(last),
            (false, None) => End::None,
        };
        if run.is_lost() {
            run.restart(self.keep.checked_sub(1).map(|behind| held[behind]))?;
            (self.at, self.last) = (self.keep, None);
        }
        Ok(end)
    }

    /// Jumps to the place where the next match can begin. Returns the offset up to which the
    /// automaton has to run from there; `None` if it has to wait for more bytes.
    fn jump(&mut self, run: &mut impl Run, skip: &Skip, held: &[u8]) -> Result<Option<usize>> {
        let (to, through) = match skip.jump(held, self.at, &mut self.probed) {
            Jump::Run { to, through } => (to, Some(through)),
            Jump::Pause { to } => (to, None),
        };
        if to > self.at {
            run.restart(Some(held[to - 1]))?;
            (self.at, self.keep) = (to, to);
        }
        Ok(through)
    }
}
