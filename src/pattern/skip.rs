//! Finding the place at which the next match can begin, without running an automaton over every
//! byte.
//!
//! Most patterns have something that every match must contain: literals at its start; literals
//! somewhere inside, while the match stays within a line; or the start of a line. The rarest of
//! these is searched for, and the automaton only runs from there.

use memchr::{memchr2, memmem, memrchr};
use regex_automata::util::prefilter::Prefilter;
use regex_automata::{MatchKind, Span};
use regex_syntax::hir::literal::{Extractor, Seq, rank};
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// How long an incomplete line may become while it is held for a literal that may still come. A
/// longer line is given to the automaton, which drops it byte by byte. Lower in tests, to cover
/// this case.
const LONGEST_LINE: usize = if cfg!(test) { 8 } else { 4 << 10 };
/// How many parts of a concatenation are tried as the part to search for.
const PARTS: usize = 32;
/// How many literals are searched for at once; the vectorized search takes no more.
const LITERALS: usize = 64;
/// The highest rate, in finds for each byte, at which searching for a literal is worth it.
const OFTEN: f64 = 1.0 / 100.0;
/// Literals at the start of a match that are rarer than this are preferred to literals inside, even
/// if those are rarer, because the automaton can run from a literal at the start.
const SELDOM: f64 = 1.0 / 1000.0;

/// What to search for instead of running the automaton over every byte.
pub(super) enum Skip {
    /// Every match begins with one of these literals.
    Start(Literals),
    /// Every match contains one of these literals, and contains a line end only as its own end.
    Inside(Literals),
    /// Every match begins at the start of a line, and its first two bytes are marked in the two
    /// tables.
    Line(Box<[[bool; 256]; 2]>),
}

/// What to do if no match has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Jump {
    /// No match begins before `to`. The automaton runs from there, and does not jump again before
    /// `through`.
    Run { to: usize, through: usize },
    /// No match begins before `to`, and more bytes are needed to find one.
    Pause { to: usize },
}

impl Skip {
    /// `leads_on` returns tables of the first and the second bytes that a match at the start of a
    /// line can have, if these are known.
    pub(super) fn new(
        hirs: &[Hir],
        leads_on: impl FnOnce() -> Option<Box<[[bool; 256]; 2]>>,
    ) -> Option<Self> {
        let start = Wanted::all(hirs, Wanted::at_start);
        let inside =
            hirs.iter().all(stays_in_line).then(|| Wanted::all(hirs, Wanted::inside)).flatten();
        let rate = |wanted: &Option<Wanted>| wanted.as_ref().map_or(OFTEN, |wanted| wanted.rate);
        let literals = if rate(&start) >= SELDOM && rate(&inside) < rate(&start) {
            inside.as_ref().and_then(Literals::new).map(Self::Inside)
        } else {
            start.as_ref().and_then(Literals::new).map(Self::Start)
        };
        let begins_line = |hir: &Hir| {
            hir.properties().look_set_prefix().contains(Look::StartCRLF)
                && hir.properties().minimum_len() > Some(0)
        };
        literals.or_else(|| {
            if hirs.iter().all(begins_line) { leads_on().map(Self::Line) } else { None }
        })
    }

    /// What to do at `at`, if no match has begun. Up to `probed`, earlier calls have searched for
    /// literals inside.
    pub(super) fn jump(&self, held: &[u8], at: usize, probed: &mut usize) -> Jump {
        match self {
            Self::Start(literals) => to_start(literals, held, at),
            Self::Inside(literals) => to_line_with(literals, held, at, probed),
            Self::Line(leads) => to_line(leads, held, at),
        }
    }
}

fn to_start(literals: &Literals, held: &[u8], at: usize) -> Jump {
    let tail = literals.tail(held).max(at);
    match literals.find(held, at) {
        Some(found) if found < tail => Jump::Run { to: found, through: found + 1 },
        // In the tail, a longer literal may begin earlier and be incomplete yet.
        Some(_) => Jump::Run { to: tail, through: held.len() },
        None => Jump::Pause { to: tail },
    }
}

fn to_line_with(literals: &Literals, held: &[u8], at: usize, probed: &mut usize) -> Jump {
    let line_of = |place: usize| memrchr(b'\n', &held[at..place]).map_or(at, |end| at + end + 1);
    let tail = literals.tail(held).max(at);
    if let Some(found) = literals.find(held, at.max(*probed)) {
        // If the automaton returns to a start state before the literal, the same literal has to be
        // found again.
        *probed = found;
        return Jump::Run { to: line_of(found.min(tail)), through: found + 1 };
    }
    *probed = tail;
    match line_of(tail) {
        to if held.len() - to > LONGEST_LINE => Jump::Run { to, through: held.len() },
        to => Jump::Pause { to },
    }
}

fn to_line([first, second]: &[[bool; 256]; 2], held: &[u8], at: usize) -> Jump {
    let mut from = at;
    if at > 0 && !matches!(held[at - 1], b'\r' | b'\n') {
        from = next_line(held, at);
    }
    while from < held.len() {
        // No line begins between a CR and its LF.
        let inside_end = held[from] == b'\n' && from > 0 && held[from - 1] == b'\r';
        let leads = first[usize::from(held[from])]
            && held.get(from + 1).is_none_or(|byte| second[usize::from(*byte)]);
        if leads && !inside_end {
            return Jump::Run { to: from, through: from + 1 };
        }
        from = next_line(held, from);
    }
    Jump::Pause { to: held.len() }
}

/// The offset after the next line end, or the end of the bytes.
fn next_line(held: &[u8], from: usize) -> usize {
    match memchr2(b'\r', b'\n', &held[from..]).map(|end| from + end) {
        Some(end) if held[end] == b'\r' && held.get(end + 1) == Some(&b'\n') => end + 2,
        Some(end) => end + 1,
        None => held.len(),
    }
}

/// Literals of which every match contains at least one, and an estimate of how often they occur
/// without a match.
struct Wanted {
    literals: Vec<Vec<u8>>,
    rate: f64,
}

impl Wanted {
    fn new(literals: Vec<Vec<u8>>) -> Self {
        let rate = literals.iter().map(|literal| rate(literal)).sum();
        Self { literals, rate }
    }

    /// The literals of all regexes together.
    fn all(hirs: &[Hir], each: impl Fn(&Hir) -> Option<Self>) -> Option<Self> {
        let mut literals = Vec::new();
        for hir in hirs {
            literals.extend(each(hir)?.literals);
        }
        literals.sort_unstable();
        literals.dedup();
        Some(Self::new(literals))
            .filter(|wanted| wanted.rate < OFTEN && wanted.literals.len() <= LITERALS)
    }

    fn at_start(hir: &Hir) -> Option<Self> {
        let mut seq: Seq = Extractor::new().extract(hir);
        seq.dedup();
        if seq.len()? > LITERALS / 4 {
            seq.keep_first_bytes(4);
            seq.dedup();
        }
        let literals: Vec<_> =
            seq.literals()?.iter().map(|literal| literal.as_bytes().to_vec()).collect();
        let is_some = !literals.is_empty() && literals.iter().all(|literal| !literal.is_empty());
        is_some.then(|| Self::new(literals))
    }

    fn inside(hir: &Hir) -> Option<Self> {
        match hir.kind() {
            HirKind::Capture(capture) => Self::inside(&capture.sub),
            HirKind::Repetition(repetition) if repetition.min > 0 => Self::inside(&repetition.sub),
            HirKind::Alternation(branches) => Self::all(branches, Self::inside),
            HirKind::Concat(parts) => {
                let from = |place| Self::at_start(&Hir::concat(parts[place..].to_vec()));
                let places = 0..parts.len().min(PARTS);
                let found =
                    places.flat_map(|place| [from(place), Self::inside(&parts[place])]).flatten();
                found.min_by(|one, other| one.rate.total_cmp(&other.rate))
            }
            _ => Self::at_start(hir),
        }
    }
}

/// An estimate of how often a literal occurs by chance, from how often its bytes occur in text and
/// base64.
fn rate(literal: &[u8]) -> f64 {
    literal.iter().map(|byte| (f64::from(rank(*byte)) + 1.0) / 256.0 / 16.0).product()
}

/// A search for any of several literals.
pub(super) struct Literals {
    search: Finding,
    longest: usize,
}

enum Finding {
    One(Box<memmem::Finder<'static>>),
    Many(Prefilter),
}

impl Literals {
    fn new(wanted: &Wanted) -> Option<Self> {
        let common = common_start(&wanted.literals);
        if wanted.literals.len() == 1 || (common.len() > 1 && rate(common) < SELDOM) {
            // A search for one literal is far faster than a search for several, and their common
            // start is rare enough.
            let search = Finding::One(Box::new(memmem::Finder::new(common).into_owned()));
            return Some(Self { search, longest: common.len() });
        }
        let longest = wanted.literals.iter().map(Vec::len).max()?;
        let prefilter = Prefilter::new(MatchKind::LeftmostFirst, &wanted.literals)?;
        Some(Self { search: Finding::Many(prefilter), longest })
    }

    fn find(&self, held: &[u8], from: usize) -> Option<usize> {
        match &self.search {
            Finding::One(finder) => finder.find(&held[from..]).map(|at| from + at),
            Finding::Many(prefilter) => {
                prefilter.find(held, Span { start: from, end: held.len() }).map(|span| span.start)
            }
        }
    }

    /// The offset from which a literal may begin that is not complete yet.
    fn tail(&self, held: &[u8]) -> usize {
        held.len().saturating_sub(self.longest - 1)
    }
}

fn common_start(literals: &[Vec<u8>]) -> &[u8] {
    let Some((first, rest)) = literals.split_first() else { return &[] };
    let shared =
        |other: &Vec<u8>| first.iter().zip(other).take_while(|(one, other)| one == other).count();
    &first[..rest.iter().map(shared).min().unwrap_or(first.len())]
}

/// Whether a match can contain an LF only as its last byte.
fn stays_in_line(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(_) => true,
        HirKind::Literal(literal) => !literal.0[..literal.0.len() - 1].contains(&b'\n'),
        HirKind::Repetition(repetition) => {
            !has_newline(&repetition.sub)
                || (repetition.max == Some(1) && stays_in_line(&repetition.sub))
        }
        HirKind::Capture(capture) => stays_in_line(&capture.sub),
        HirKind::Alternation(branches) => branches.iter().all(stays_in_line),
        HirKind::Concat(parts) => {
            let ending = parts.iter().position(has_newline).unwrap_or(parts.len() - 1);
            let is_width = |part: &Hir| part.properties().maximum_len() != Some(0);
            stays_in_line(&parts[ending]) && !parts[ending + 1..].iter().any(is_width)
        }
    }
}

fn has_newline(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.contains(&b'\n'),
        HirKind::Class(Class::Bytes(class)) => {
            class.ranges().iter().any(|range| range.start() <= b'\n' && range.end() >= b'\n')
        }
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().iter().any(|range| range.start() <= '\n' && range.end() >= '\n')
        }
        HirKind::Repetition(repetition) => has_newline(&repetition.sub),
        HirKind::Capture(capture) => has_newline(&capture.sub),
        HirKind::Alternation(parts) | HirKind::Concat(parts) => parts.iter().any(has_newline),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::regex::parse;

    fn kind(source: &str) -> &'static str {
        match Skip::new(&parse(&[source]).unwrap(), || Some(Box::new([[true; 256]; 2]))) {
            Some(Skip::Start(Literals { search: Finding::One(_), .. })) => "a literal at the start",
            Some(Skip::Start(_)) => "literals at the start",
            Some(Skip::Inside(Literals { search: Finding::One(_), .. })) => "a literal inside",
            Some(Skip::Inside(_)) => "literals inside",
            Some(Skip::Line(_)) => "lines",
            None => "nothing",
        }
    }

    #[test]
    fn the_rarest_part_of_a_pattern_is_looked_for() {
        for (source, wanted) in [
            (r"^A1 (OK|NO|BAD) [^\r\n]*\r\n", "a literal at the start"),
            (r"\r\n\.\r\n", "a literal at the start"),
            ("(?i)a1 ok", "literals at the start"),
            (r"^[+-](OK|ERR)", "literals at the start"),
            (r"^[2-5][0-9][0-9] ", "lines"),
            (r"^A[0-9] .{0,60}done", "a literal inside"),
            (r"[a-z]+@[a-z]+\.example|^[A-Z]1 OK", "literals inside"),
            (r"(?s)[a-z]+.*done", "nothing"),
            ("[a-z]+[0-9]", "nothing"),
            ("^$", "nothing"),
        ] {
            assert_eq!(kind(source), wanted, "{source}");
        }
    }

    #[test]
    fn a_line_end_may_only_be_the_last_of_a_match() {
        let stays = |source: &str| stays_in_line(&parse(&[source]).unwrap()[0]);
        for source in [r"a.*\r\n", r"(a|b\n)$", r"a[^x]", r"(?:ab\n)?", r"a\n$"] {
            assert!(stays(source), "{source}");
        }
        for source in [r"a\nb", r"[^x]a", r"(?s).*", r"(a\n)+", r"a\s\w?", r"(a|b\n)c"] {
            assert!(!stays(source), "{source}");
        }
    }
}
