//! A DFA as one flat table, for patterns that give nothing to skip by, so that every byte has to go
//! through the automaton.
//!
//! Start states come first and states that stop a run last, so that one comparison tells the kind
//! of a state. A row has an entry for each byte. A state is named by the offset of its row, so that
//! a step is one addition and one look-up.

use std::collections::BTreeMap;

use regex_automata::Anchored;
use regex_automata::dfa::{Automaton as _, dense};
use regex_automata::util::primitives::StateID;

/// The most states of a table. A larger table would not stay in the processor's cache, which is its
/// only purpose.
const STATES: usize = 512;
/// The length of a row: one entry for each byte.
const ROW: usize = 256;
/// How many stretches of lines are searched at once. Each step waits for a look-up in memory, and
/// the look-ups of the other stretches fill that time.
const LANES: usize = 4;
/// The shortest stretch that is worth it. Lower in tests, to cover this case.
const SHORTEST_LANE: usize = if cfg!(test) { 3 } else { 2 << 10 };

/// The states of a DFA, as rows that give the next state for each byte.
pub(super) struct Table {
    /// All rows, one after the other.
    next: Vec<u32>,
    /// The states, in the order of their rows.
    ids: Vec<StateID>,
    /// The offset of the row of each state.
    rows: BTreeMap<StateID, u32>,
    /// Rows before this offset belong to start states, in which no match has begun.
    moving: u32,
    /// Rows from this offset on belong to states with a match, and to states after which no match
    /// is possible.
    stopping: u32,
    /// The row of the state at the start of a line.
    line: u32,
}

/// How far a run went.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ran {
    pub(super) used: usize,
    /// How many bytes had been consumed when the run was last in a start state.
    pub(super) idle: Option<usize>,
}

impl Table {
    pub(super) fn new(dfa: &dense::DFA<Vec<u32>>) -> Option<Self> {
        let mut ids = states(dfa)?;
        let stops =
            |id: StateID| dfa.is_match_state(id) || dfa.is_dead_state(id) || dfa.is_quit_state(id);
        ids.sort_by_key(|id| (stops(*id), !dfa.is_start_state(*id)));
        let rows: BTreeMap<_, _> = ids.iter().copied().zip((0..).step_by(ROW)).collect();
        let mut next = Vec::with_capacity(ids.len() * ROW);
        for id in &ids {
            for byte in 0..=u8::MAX {
                next.push(*rows.get(&dfa.next_state(*id, byte))?);
            }
        }
        let resting = ids.iter().filter(|id| dfa.is_start_state(**id)).count();
        let running = ids.iter().filter(|id| !stops(**id)).count();
        Some(Self {
            moving: u32::try_from(resting * ROW).ok()?,
            stopping: u32::try_from(running * ROW).ok()?,
            line: *rows.get(&dfa.start_state(&start(Some(b'\n'))).ok()?)?,
            next,
            ids,
            rows,
        })
    }

    /// Runs up to and including the first byte that leads to a match, or after which no match is
    /// possible.
    ///
    /// `of_lines` says that no match goes beyond its line, and that each line begins in a start
    /// state. Returns `None` for a state that the table does not have.
    pub(super) fn run(&self, id: &mut StateID, bytes: &[u8], of_lines: bool) -> Option<Ran> {
        let from = *self.rows.get(id)?;
        let abreast = if of_lines { self.walk_abreast(from, bytes) } else { None };
        let (row, ran) = abreast.unwrap_or_else(|| self.walk(from, bytes));
        *id = self.ids[row as usize / ROW];
        Some(ran)
    }

    fn step(&self, row: u32, byte: u8) -> u32 {
        self.next[row as usize + usize::from(byte)]
    }

    fn walk(&self, mut row: u32, bytes: &[u8]) -> (u32, Ran) {
        let mut idle = 0;
        for (n, byte) in bytes.iter().enumerate() {
            row = self.step(row, *byte);
            if row >= self.stopping {
                return (row, Ran { used: n + 1, idle: (idle > 0).then_some(idle) });
            }
            idle = if row < self.moving { n + 1 } else { idle };
        }
        (row, Ran { used: bytes.len(), idle: (idle > 0).then_some(idle) })
    }

    /// Searches several stretches of whole lines at once. Returns `None` if there is a match in one
    /// of them, or if they are too short.
    fn walk_abreast(&self, from: u32, bytes: &[u8]) -> Option<(u32, Ran)> {
        let lanes = lanes(bytes)?;
        let shortest = lanes.iter().map(|lane| lane.len()).min()?;
        let [a, b, c, d] = lanes.map(|lane| &lane[..shortest]);
        let mut at = [from, self.line, self.line, self.line];
        let mut idle = 0;
        for n in 0..shortest {
            at = [
                self.step(at[0], a[n]),
                self.step(at[1], b[n]),
                self.step(at[2], c[n]),
                self.step(at[3], d[n]),
            ];
            if at[0].max(at[1]).max(at[2].max(at[3])) >= self.stopping {
                return None;
            }
            idle = if at[LANES - 1] < self.moving { n + 1 } else { idle };
        }
        let mut rest = Ran::default();
        for (at, lane) in at.iter_mut().zip(lanes) {
            (*at, rest) = self.walk(*at, &lane[shortest..]);
            if *at >= self.stopping {
                return None;
            }
        }
        idle = rest.idle.map_or(idle, |more| shortest + more);
        // The last stretch begins with a line, so its run is in a start state there if nothing has
        // matched.
        Some((
            at[LANES - 1],
            Ran { used: bytes.len(), idle: Some(bytes.len() - lanes[LANES - 1].len() + idle) },
        ))
    }
}

/// Every state that can be reached, unless there are too many.
fn states(dfa: &dense::DFA<Vec<u32>>) -> Option<Vec<StateID>> {
    let behind = (0..=u8::MAX).map(Some).chain([None]);
    let mut found: Vec<_> =
        behind.filter_map(|behind| dfa.start_state(&start(behind)).ok()).collect();
    found.sort_unstable();
    found.dedup();
    let mut known: std::collections::BTreeSet<_> = found.iter().copied().collect();
    let mut next = 0;
    while let Some(id) = found.get(next).copied() {
        next += 1;
        let new = (0..=u8::MAX).map(|byte| dfa.next_state(id, byte)).filter(|to| known.insert(*to));
        found.extend(new);
        if found.len() > STATES {
            return None;
        }
    }
    Some(found)
}

/// Splits the bytes into stretches of whole lines of about the same length. Each includes the first
/// byte of the next, because an automaton reports a match one byte late.
fn lanes(bytes: &[u8]) -> Option<[&[u8]; LANES]> {
    let length = bytes.len() / LANES;
    if length < SHORTEST_LANE {
        return None;
    }
    let mut starts = [0; LANES];
    for (n, begin) in starts.iter_mut().enumerate().skip(1) {
        *begin = n * length + memchr::memchr(b'\n', &bytes[n * length..][..length])? + 1;
    }
    let end = |n: usize| starts.get(n + 1).map_or(bytes.len(), |next| next + 1);
    (starts[LANES - 1] < bytes.len()).then(|| std::array::from_fn(|n| &bytes[starts[n]..end(n)]))
}

/// The configuration of a search that begins after this byte, or at the start of the text.
pub(super) fn start(look_behind: Option<u8>) -> regex_automata::util::start::Config {
    regex_automata::util::start::Config::new().anchored(Anchored::No).look_behind(look_behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_whole_lines_and_a_byte() {
        assert_eq!(
            lanes(b"aa\naa\naa\naa\na"),
            Some([&b"aa\naa\na"[..], b"aa\na", b"aa\na", b"a"])
        );
        assert_eq!(lanes(b"aa\naa\naa\naa\n"), None, "the last would be empty");
        assert_eq!(lanes(b"aaaaaaaaaaaa\na"), None);
        assert_eq!(lanes(b"a\na\na\n"), None, "too short");
    }
}
