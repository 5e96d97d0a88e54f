//! Running automata, with one interface for automata that were built completely in advance and for
//! those that are built while searching.

use regex_automata::dfa::{Automaton as _, dense};
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa as lazy;
use regex_automata::util::primitives::StateID;

use super::astray;
use crate::error::Result;
use crate::pattern::regex::start;

/// What is special about a state of the automaton.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Plain,
    /// No match has begun.
    Start,
    Match,
    /// No match can come any more.
    Dead,
}

/// How far a run went.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ran {
    pub(super) used: usize,
    /// How many bytes had been consumed when the run was last in a start state.
    pub(super) idle: Option<usize>,
}

/// An automaton that is run over a stream.
pub(super) trait Run {
    /// Consumes bytes up to and including the first that leads to a match or after which no match
    /// is possible. With `stop_at_start`, also stops at a state in which no match has begun.
    fn run(&mut self, bytes: &[u8], stop_at_start: bool) -> Result<Ran>;
    fn mark(&self) -> Mark;
    /// Starts over after this byte, or at the start of the stream.
    fn restart(&mut self, behind: Option<u8>) -> Result<()>;
    /// Whether there is a match up to here if the stream ends here.
    fn matches_at_end(&mut self) -> Result<bool>;
    /// Whether there is a match up to here that no further byte can extend.
    fn ends_here(&self) -> bool;
    /// Whether no further match is possible, whatever byte comes next.
    fn is_over(&self) -> bool;
    /// Whether asking the automaton has lost its state.
    fn is_lost(&self) -> bool {
        false
    }
}

pub(super) struct DenseRun<'a> {
    pub(super) dfa: &'a dense::DFA<Vec<u32>>,
    pub(super) id: &'a mut StateID,
}

impl DenseRun<'_> {
    /// Every state that the next byte can lead to.
    fn next(&self, id: StateID) -> impl Iterator<Item = StateID> {
        let bytes = self
            .dfa
            .byte_classes()
            .representatives(0..=255)
            .filter_map(regex_automata::util::alphabet::Unit::as_u8);
        bytes.map(move |byte| self.dfa.next_state(id, byte))
    }
}

impl Run for DenseRun<'_> {
    fn run(&mut self, bytes: &[u8], stop_at_start: bool) -> Result<Ran> {
        let mut id = *self.id;
        let mut ran = Ran { used: bytes.len(), idle: None };
        for (n, byte) in bytes.iter().enumerate() {
            id = self.dfa.next_state(id, *byte);
            if !self.dfa.is_special_state(id) {
                continue;
            }
            let is_start = self.dfa.is_start_state(id);
            if is_start {
                ran.idle = Some(n + 1);
            }
            if stop_at_start || !is_start {
                ran.used = n + 1;
                break;
            }
        }
        *self.id = id;
        if self.dfa.is_quit_state(id) { Err(astray()) } else { Ok(ran) }
    }

    fn mark(&self) -> Mark {
        mark(self.dfa, *self.id)
    }

    fn restart(&mut self, behind: Option<u8>) -> Result<()> {
        *self.id = self.dfa.start_state(&start(behind)).map_err(|_| astray())?;
        Ok(())
    }

    fn matches_at_end(&mut self) -> Result<bool> {
        Ok(self.dfa.is_match_state(self.dfa.next_eoi_state(*self.id)))
    }

    fn ends_here(&self) -> bool {
        self.next(*self.id).all(|id| {
            self.dfa.is_match_state(id) && self.next(id).all(|id| self.dfa.is_dead_state(id))
        })
    }

    fn is_over(&self) -> bool {
        self.next(*self.id).all(|id| self.dfa.is_dead_state(id))
    }
}

fn mark(dfa: &dense::DFA<Vec<u32>>, id: StateID) -> Mark {
    if !dfa.is_special_state(id) {
        Mark::Plain
    } else if dfa.is_match_state(id) {
        Mark::Match
    } else if dfa.is_dead_state(id) {
        Mark::Dead
    } else if dfa.is_start_state(id) {
        Mark::Start
    } else {
        Mark::Plain
    }
}

pub(super) struct LazyRun<'a> {
    pub(super) dfa: &'a lazy::DFA,
    pub(super) id: &'a mut LazyStateID,
    pub(super) cache: &'a mut lazy::Cache,
    /// Whether asking the automaton has emptied the cache, and with it the present state.
    pub(super) lost: bool,
}

impl Run for LazyRun<'_> {
    fn run(&mut self, bytes: &[u8], stop_at_start: bool) -> Result<Ran> {
        let mut ran = Ran { used: bytes.len(), idle: None };
        for (n, byte) in bytes.iter().enumerate() {
            *self.id = self.dfa.next_state(self.cache, *self.id, *byte).map_err(|_| astray())?;
            if !self.id.is_tagged() {
                continue;
            }
            if self.id.is_start() {
                ran.idle = Some(n + 1);
            }
            if !self.id.is_start() || stop_at_start {
                ran.used = n + 1;
                break;
            }
        }
        if self.id.is_quit() { Err(astray()) } else { Ok(ran) }
    }

    fn mark(&self) -> Mark {
        match *self.id {
            id if id.is_match() => Mark::Match,
            id if id.is_dead() => Mark::Dead,
            id if id.is_start() => Mark::Start,
            _ => Mark::Plain,
        }
    }

    fn restart(&mut self, behind: Option<u8>) -> Result<()> {
        *self.id = self.dfa.start_state(self.cache, &start(behind)).map_err(|_| astray())?;
        Ok(())
    }

    fn matches_at_end(&mut self) -> Result<bool> {
        let cleared = self.cache.clear_count();
        let end = self.dfa.next_eoi_state(self.cache, *self.id).map_err(|_| astray())?;
        self.lost = self.cache.clear_count() != cleared;
        Ok(end.is_match())
    }

    // Looking ahead would build states, which could evict the present one. The next byte decides
    // instead.
    fn ends_here(&self) -> bool {
        false
    }

    fn is_over(&self) -> bool {
        false
    }

    fn is_lost(&self) -> bool {
        self.lost
    }
}
