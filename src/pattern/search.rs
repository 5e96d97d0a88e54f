//! Searching a growing stream: each byte is looked at once, and the matches are the same however the stream was cut.

use std::ops::Range;

use regex_automata::Span;
use regex_automata::dfa::{Automaton as _, dense};
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa as lazy;
use regex_automata::util::prefilter::Prefilter;
use regex_automata::util::primitives::StateID;

use super::regex::{Captures, Forward, StreamRegex, start};
use super::{Finder, Pattern};
use crate::error::{Error, Result};

/// A search for one pattern in what a session holds unread, from where that begins to the first match.
pub(crate) struct Search<'p> {
    finder: &'p Finder,
    eof: Option<usize>,
    state: State,
    cursor: Cursor,
    /// The end of the match as it stands, while it could still grow.
    open: Option<usize>,
}

/// What a search remembers between reads.
enum State {
    Literal,
    Dense(StateID),
    Lazy(LazyStateID, Box<lazy::Cache>),
    Nothing,
}

/// How far the bytes have been looked at, as offsets into what is held.
#[derive(Clone, Copy, Default)]
struct Cursor {
    at: usize,
    /// No match begins before this.
    keep: usize,
    /// The end of the longest match that the bytes so far have proved.
    last: Option<usize>,
}

/// How far a search has come.
#[derive(Debug)]
pub(crate) enum Progress {
    /// No match yet.
    More,
    /// A match that more bytes could still lengthen or unmake.
    Open,
    /// A match that no further byte can change.
    Found(Found),
    /// The stream has ended without one.
    Absent,
}

/// A match in what is held.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) range: Range<usize>,
    /// Which alternative it is; 0 without alternatives.
    pub(crate) index: usize,
    pub(crate) captures: Option<Captures>,
}

impl<'p> Search<'p> {
    pub(crate) fn new(pattern: &'p Pattern) -> Result<Self> {
        let finder = pattern.finder()?;
        let state = match finder {
            Finder::Literal(_) => State::Literal,
            Finder::Nothing => State::Nothing,
            Finder::Regex(regex) => match regex.forward() {
                Forward::Dense(dfa) => State::Dense(dfa.start_state(&start(None)).map_err(|_| astray())?),
                Forward::Lazy(dfa) => {
                    let mut cache = Box::new(dfa.create_cache());
                    State::Lazy(dfa.start_state(&mut cache, &start(None)).map_err(|_| astray())?, cache)
                }
            },
        };
        Ok(Self { finder, eof: pattern.eof_index(), state, cursor: Cursor::default(), open: None })
    }

    /// Looks at what has come since the last call. `ended` says that nothing more will come.
    ///
    /// # Errors
    /// Only where the regex engine gives up, which the limits rule out.
    pub(crate) fn advance(&mut self, held: &[u8], ended: bool) -> Result<Progress> {
        let progress = match self.finder {
            Finder::Literal(finder) => self.find_literal(finder, held),
            Finder::Regex(regex) => self.find_regex(regex, held, ended)?,
            Finder::Nothing => Progress::More,
        };
        if !ended || !matches!(progress, Progress::More) {
            return Ok(progress);
        }
        Ok(self
            .eof
            .map_or(Progress::Absent, |index| Progress::Found(Found { range: held.len()..held.len(), index, captures: None })))
    }

    /// The match as it stands, once the peer has been quiet for long enough.
    pub(crate) fn settle(&self, held: &[u8]) -> Option<Found> {
        let Finder::Regex(regex) = self.finder else { return None };
        self.open.and_then(|end| self.found(regex, held, end))
    }

    /// How many bytes at the start of what is held are of no more use: they are no part of a match, nor the byte before one.
    pub(crate) fn spare(&self) -> usize {
        self.cursor.keep.saturating_sub(1)
    }

    /// Tells the search that what is held has lost its first `count` bytes, at most [`Search::spare`] of them.
    pub(crate) fn dropped(&mut self, count: usize) {
        self.cursor.at -= count;
        self.cursor.keep -= count;
        self.cursor.last = self.cursor.last.map(|end| end - count);
        self.open = self.open.map(|end| end - count);
    }

    fn find_literal(&mut self, finder: &memchr::memmem::Finder<'static>, held: &[u8]) -> Progress {
        let length = finder.needle().len();
        let from = self.cursor.at.saturating_sub(length - 1);
        self.cursor.at = held.len();
        self.cursor.keep = held.len().saturating_sub(length - 1);
        match finder.find(&held[from..]) {
            Some(offset) => {
                let range = from + offset..from + offset + length;
                Progress::Found(Found { range, index: 0, captures: None })
            }
            None => Progress::More,
        }
    }

    fn find_regex(&mut self, regex: &StreamRegex, held: &[u8], ended: bool) -> Result<Progress> {
        let end = match (&mut self.state, regex.forward()) {
            (State::Dense(id), Forward::Dense(dfa)) => self.cursor.scan(&mut DenseRun { dfa, id }, regex, held)?,
            (State::Lazy(id, cache), Forward::Lazy(dfa)) => {
                self.cursor.scan(&mut LazyRun { dfa, id, cache, lost: false }, regex, held)?
            }
            _ => End::None,
        };
        let (settled, open) = match end {
            End::Settled(end) => (Some(end), None),
            End::Open(end) if ended => (Some(end), None),
            End::Open(end) => (None, Some(end)),
            End::None => (None, None),
        };
        self.open = open;
        Ok(match settled {
            Some(end) => Progress::Found(self.found(regex, held, end).ok_or_else(astray)?),
            None if open.is_some() => Progress::Open,
            None => Progress::More,
        })
    }

    fn found(&self, regex: &StreamRegex, held: &[u8], end: usize) -> Option<Found> {
        let (index, captures) = regex.resolve(held, self.cursor.keep, end)?;
        let range = captures.get(0)?;
        Some(Found { range, index, captures: Some(captures) })
    }
}

fn astray() -> Error {
    Error::usage("the regex engine gave up on this pattern").hint("say it with a simpler regex")
}

/// Where a match ends, as far as the bytes so far can say.
enum End {
    None,
    Open(usize),
    Settled(usize),
}

impl Cursor {
    /// Runs the automaton over the bytes that it has not seen yet.
    fn scan(&mut self, run: &mut impl Run, regex: &StreamRegex, held: &[u8]) -> Result<End> {
        let mut jumped = false;
        while self.at < held.len() {
            match run.mark() {
                Mark::Dead => break,
                Mark::Start if self.last.is_none() => {
                    self.keep = self.at;
                    if let (Some(prefilter), false) = (regex.prefilter(), jumped) {
                        jumped = !self.jump(run, prefilter, held)?;
                    }
                }
                _ => {}
            }
            self.at += run.run(&held[self.at..])?;
            if run.mark() == Mark::Match {
                // The automaton reports a match one byte late, so that it can look ahead.
                self.last = Some(self.at - 1);
            }
        }
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

    /// Goes to the next place where a match can begin; `false` if there is none in what is held, and then to where one could
    /// begin that the next bytes complete.
    fn jump(&mut self, run: &mut impl Run, prefilter: &Prefilter, held: &[u8]) -> Result<bool> {
        let candidate = prefilter.find(held, Span { start: self.at, end: held.len() });
        let to = match &candidate {
            Some(span) => span.start,
            None => held.len().saturating_sub(prefilter.max_needle_len().saturating_sub(1)).max(self.at),
        };
        if to > self.at {
            run.restart(Some(held[to - 1]))?;
            (self.at, self.keep) = (to, to);
        }
        Ok(candidate.is_some())
    }
}

/// What is special about an automaton's state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Plain,
    /// No match is under way.
    Start,
    Match,
    /// No match can come any more.
    Dead,
}

/// An automaton under way; the same for those built whole and those built lazily.
trait Run {
    /// Consumes bytes up to and with the first one that leads to a marked state; how many.
    fn run(&mut self, bytes: &[u8]) -> Result<usize>;
    fn mark(&self) -> Mark;
    /// Begins anew behind that byte, or at the start of the stream.
    fn restart(&mut self, behind: Option<u8>) -> Result<()>;
    /// Whether there would be a match up to here if the stream ended here.
    fn matches_at_end(&mut self) -> Result<bool>;
    /// Whether there is a match up to here and none longer, whatever byte comes next.
    fn ends_here(&self) -> bool;
    /// Whether no further match is possible, whatever byte comes next.
    fn is_over(&self) -> bool;
    /// Whether a question has cost the automaton its place.
    fn is_lost(&self) -> bool {
        false
    }
}

struct DenseRun<'a> {
    dfa: &'a dense::DFA<Vec<u32>>,
    id: &'a mut StateID,
}

impl DenseRun<'_> {
    /// Every state that one more byte can lead to.
    fn next(&self, id: StateID) -> impl Iterator<Item = StateID> {
        let bytes = self.dfa.byte_classes().representatives(0..=255).filter_map(regex_automata::util::alphabet::Unit::as_u8);
        bytes.map(move |byte| self.dfa.next_state(id, byte))
    }
}

impl Run for DenseRun<'_> {
    fn run(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut id = *self.id;
        let mut used = bytes.len();
        for (n, byte) in bytes.iter().enumerate() {
            id = self.dfa.next_state(id, *byte);
            if self.dfa.is_special_state(id) && (!self.dfa.is_accel_state(id) || mark(self.dfa, id) != Mark::Plain) {
                used = n + 1;
                break;
            }
        }
        *self.id = id;
        if self.dfa.is_quit_state(id) { Err(astray()) } else { Ok(used) }
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
        self.next(*self.id).all(|id| self.dfa.is_match_state(id) && self.next(id).all(|id| self.dfa.is_dead_state(id)))
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

struct LazyRun<'a> {
    dfa: &'a lazy::DFA,
    id: &'a mut LazyStateID,
    cache: &'a mut lazy::Cache,
    /// The cache was emptied by a question, and the state went with it.
    lost: bool,
}

impl Run for LazyRun<'_> {
    fn run(&mut self, bytes: &[u8]) -> Result<usize> {
        for (n, byte) in bytes.iter().enumerate() {
            *self.id = self.dfa.next_state(self.cache, *self.id, *byte).map_err(|_| astray())?;
            if self.id.is_tagged() {
                return if self.id.is_quit() { Err(astray()) } else { Ok(n + 1) };
            }
        }
        Ok(bytes.len())
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

    // Looking ahead would build states, and could cost the one we are in: the next byte will tell.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{Code, IntoPattern};
    use proptest::prelude::*;
    use std::sync::LazyLock;

    /// Where the pattern is found, and which alternative, when the stream comes in these pieces and then ends.
    fn search(pattern: &Pattern, pieces: &[&[u8]], drop_spare: bool) -> Option<(Range<usize>, usize)> {
        let mut search = Search::new(pattern).unwrap();
        let mut held = Vec::new();
        let mut dropped = 0;
        for (n, piece) in pieces.iter().chain([&&b""[..]]).enumerate() {
            held.extend_from_slice(piece);
            match search.advance(&held, n == pieces.len()).unwrap() {
                Progress::Found(found) => return Some((found.range.start + dropped..found.range.end + dropped, found.index)),
                Progress::Absent => return None,
                Progress::More | Progress::Open => {}
            }
            if drop_spare {
                let spare = search.spare();
                held.drain(..spare);
                search.dropped(spare);
                dropped += spare;
            }
        }
        unreachable!("the last piece ends the stream")
    }

    fn whole(pattern: impl IntoPattern, stream: &str) -> Option<(Range<usize>, usize)> {
        search(&pattern.into_pattern().unwrap(), &[stream.as_bytes()], false)
    }

    fn progress(pattern: &str, held: &str) -> Progress {
        let pattern = Pattern::regex(pattern).unwrap();
        Search::new(&pattern).unwrap().advance(held.as_bytes(), false).unwrap()
    }

    #[test]
    fn a_match_that_could_grow_is_held_back_until_the_next_byte() {
        assert!(matches!(progress("[0-9]+", "12"), Progress::Open));
        assert!(matches!(progress("[0-9]+", "12 "), Progress::Found(found) if found.range == (0..2)));
        assert!(matches!(progress(r"[0-9]+\r\n", "12\r\n"), Progress::Found(_)));
        assert!(matches!(progress("12$", "12"), Progress::Open), "only the next byte says whether the line ends");
        assert!(
            matches!(progress("ab|abcd", "ab"), Progress::Found(found) if found.range == (0..2)),
            "the first alternative wins"
        );
        assert!(matches!(progress("abcd|ab", "ab"), Progress::Open));
    }

    #[test]
    fn an_open_match_can_be_taken_as_it_stands() {
        let pattern = Pattern::regex("[0-9]+").unwrap();
        let mut search = Search::new(&pattern).unwrap();
        assert!(matches!(search.advance(b"abc 12", false).unwrap(), Progress::Open));
        assert_eq!(search.settle(b"abc 12").unwrap().range, 4..6);
    }

    #[test]
    fn a_code_is_a_whole_reply_from_the_start_of_a_line() {
        assert_eq!(whole(220, "noise 220 no\r\n220-a\r\n220 b\r\nrest"), Some((14..28, 0)));
        assert_eq!(whole(250, "250-a\r\n250-b\r\n"), None, "the last line has not come");
        let denied = Code::new(55).unwrap().with_enhanced("5.7.1").unwrap();
        assert_eq!(whole(denied, "550 5.1.1 no\r\n554 5.7.1 denied\r\n"), Some((14..32, 0)));
    }

    #[test]
    fn alternatives_in_a_stream_are_decided_by_which_begins_first() {
        let pattern = Pattern::any(["bc".into_pattern().unwrap(), Pattern::regex("abx?").unwrap(), Pattern::eof()]).unwrap();
        assert_eq!(search(&pattern, &[b"zabc"], false), Some((1..3, 1)));
        assert_eq!(search(&pattern, &[b"zz"], false), Some((2..2, 2)), "the end of the stream is one of them");
    }

    #[test]
    fn what_is_let_go_of_does_not_change_the_match() {
        for (source, stream) in [
            (r"\r\n\.\r\n", "a\r\n..\r\nb\r\n.\r\n+OK"),
            ("^A1 (OK|NO) .*$", "* A1 OK\r\nA1 OK done\r\n"),
            (r"\bfoo\b", "xfoo foox foo "),
        ] {
            let pattern = Pattern::regex(source).unwrap();
            let bytes: Vec<_> = stream.as_bytes().chunks(1).collect();
            let at_once = search(&pattern, &[stream.as_bytes()], false);
            assert!(at_once.is_some(), "{source}");
            assert_eq!(search(&pattern, &bytes, true), at_once, "{source}");
        }
    }

    #[test]
    fn little_is_held_while_nothing_is_under_way() {
        for pattern in ["\r\n.\r\n".into_pattern(), Pattern::regex("^A1 (OK|NO)"), Pattern::regex("[a-z]+@[a-z]+")] {
            let pattern = pattern.unwrap();
            let mut search = Search::new(&pattern).unwrap();
            let mut held = Vec::new();
            for _ in 0..1000 {
                held.extend_from_slice(b"0123456789+/0123456789\r\n");
                search.advance(&held, false).unwrap();
                let spare = search.spare();
                held.drain(..spare);
                search.dropped(spare);
                assert!(held.len() < 64, "{pattern}: {} bytes held", held.len());
            }
        }
    }

    const SOURCES: [&str; 16] = [
        "ab",
        "a+",
        "a*b",
        "(?s)a.*b",
        "ab|abab|b",
        "a$",
        "^b+",
        r"\ba",
        r"\Ba",
        r"b\b",
        "a{2,3}",
        r"(a|b)+\r\n",
        "^$",
        r"\r\n\.\r\n",
        "a.{0,40}b",
        r"(?s:.)b\z",
    ];

    /// Compiled once: building a DFA takes longer than searching with it.
    static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
        let regex = |source: &str| Pattern::regex(source).unwrap();
        let pairs = SOURCES.windows(3).map(|sources| Pattern::any(sources.iter().map(|source| regex(source))).unwrap());
        let literals = ["a", "ab", "\r\n", "\r\n.\r\n", "bab"].map(|literal| literal.into_pattern().unwrap());
        let patterns: Vec<_> = SOURCES.iter().map(|source| regex(source)).chain(pairs).chain(literals).collect();
        assert!(patterns.iter().all(|pattern| pattern.finder().is_ok()));
        patterns
    });

    fn streams() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(proptest::sample::select(&b"aabb\r\n. x"[..]), 0..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn the_match_is_the_same_however_the_stream_is_cut(
            pattern in 0..PATTERNS.len(),
            stream in streams(),
            cuts in proptest::collection::vec(0usize..40, 0..8),
            drop_spare: bool,
        ) {
            let pattern = &PATTERNS[pattern];
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(stream.len())).chain([0, stream.len()]).collect();
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
            let bytewise: Vec<_> = stream.chunks(1).collect();
            let at_once = search(pattern, &[&stream], false);
            prop_assert_eq!(search(pattern, &pieces, drop_spare), at_once.clone(), "{}", pattern);
            prop_assert_eq!(search(pattern, &bytewise, drop_spare), at_once, "{}", pattern);
        }

        #[test]
        fn a_stream_match_is_the_leftmost_match_of_the_whole(stream in streams()) {
            for (source, pattern) in SOURCES.iter().zip(PATTERNS.iter()) {
                let expected = pattern.matches(&stream).and_then(|found| found.captures?.get(0));
                let found = search(pattern, &[&stream], false).map(|(range, _)| range);
                prop_assert_eq!(found, expected, "{}", source);
            }
        }
    }
}
