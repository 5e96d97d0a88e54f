//! Regexes on bytes, for whole replies and for streams.

use std::fmt;
use std::sync::{Arc, OnceLock};

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::hybrid::dfa as lazy;
use regex_automata::meta;
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, util};
use regex_syntax::hir::{Hir, HirKind};

use super::captures::Captures;
use super::skip::Skip;
use crate::error::{Error, Result};
use crate::visible;

/// The longest regex, in bytes; for a stream, the longest of all alternatives together. A longer one
/// is an error. Reading it takes a hundred times its length, and time in which no deadline holds.
const LONGEST: usize = 64 << 10;
/// The largest size in memory of a compiled regex; a larger one is an error. In the worst case, each
/// byte of a search is compared with all of it.
const COMPILED_LIMIT: usize = 1 << 20;
/// How many bytes a search keeps for the next one. It is what the library has unless told otherwise.
const CACHE: usize = 2 << 20;
/// The largest size of the automaton for which a whole DFA is built. A larger one would exceed the
/// limits in the end, after seconds in which no deadline holds.
const MOST_FOR_DENSE: usize = 32 << 10;

/// A regex on bytes, compiled once.
///
/// The syntax is that of the `regex` crate, on bytes and without Unicode tables: `.` is any byte
/// except CR and LF; `\w`, `\d` and `(?i)` are ASCII; `^` and `$` match at the start and end of
/// each line (CRLF or LF); `\A` and `\z` match at the start and end of the reply or stream. The
/// last line end of a reply is not part of it.
///
/// In a stream, a match that the next byte could still extend is held back until that byte has
/// come, the stream has ended, or the peer has sent nothing for the session's settle time. So the
/// match does not depend on how the bytes were cut into packets. `re("[0-9]+")` on `12` waits for
/// the byte after the 2; `re("[0-9]+\r\n")` has nothing to wait for.
#[derive(Clone, Debug)]
pub struct Regex(Arc<Whole>);

/// A regex for whole replies, and for streams once a stream is searched.
#[derive(Debug)]
struct Whole {
    source: Box<str>,
    meta: meta::Regex,
    stream: OnceLock<StreamRegex>,
}

impl Regex {
    /// Compiles a regex.
    ///
    /// # Errors
    /// A usage error that shows where the regex is wrong, or says that it is too large.
    pub fn new(source: &str) -> Result<Self> {
        Self::searching_in(source, CACHE)
    }

    /// Compiles a regex whose searches keep at most this many bytes, in each direction, for the next
    /// search.
    ///
    /// # Errors
    /// Those of [`Regex::new`].
    pub(crate) fn searching_in(source: &str, cache: usize) -> Result<Self> {
        check_length(source.len())?;
        let meta = build_meta(&[source], cache)?;
        Ok(Self(Arc::new(Whole { source: source.into(), meta, stream: OnceLock::new() })))
    }

    /// The regex as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The size in bytes of the compiled regex.
    pub(crate) fn size(&self) -> usize {
        self.0.meta.memory_usage()
    }

    pub(super) fn captures(&self, haystack: &[u8]) -> Option<Captures> {
        Captures::find(&self.0.meta, &Input::new(haystack)).map(|(_, captures)| captures)
    }

    /// The leftmost match from `at` on. Assertions at its start still see the bytes before `at`.
    pub(crate) fn captures_from(&self, haystack: &[u8], at: usize) -> Option<Captures> {
        let input = Input::new(haystack).range(at..);
        self.0
            .meta
            .is_match(input.clone())
            .then(|| Captures::find(&self.0.meta, &input))
            .flatten()
            .map(|(_, captures)| captures)
    }

    /// The regex for streams, compiled once for all clones.
    pub(super) fn stream(&self) -> Result<StreamRegex> {
        if let Some(stream) = self.0.stream.get() {
            return Ok(stream.clone());
        }
        let stream = StreamRegex::of(&[self.source()], self.0.meta.clone(), vec![0])?;
        Ok(self.0.stream.get_or_init(|| stream).clone())
    }
}

/// Checks the length of regexes before they are read.
pub(super) fn check_length(length: usize) -> Result<()> {
    if length <= LONGEST {
        return Ok(());
    }
    let error = Error::usage(format!("the regex is too long: {length} bytes"));
    let error = error.with_expected(format!("at most {LONGEST} bytes"));
    Err(error.hint("text that is no regex is searched for as it stands, whatever its length"))
}

fn build_meta(sources: &[&str], cache: usize) -> Result<meta::Regex> {
    let config = meta::Config::new()
        .utf8_empty(false)
        .nfa_size_limit(Some(COMPILED_LIMIT))
        .hybrid_cache_capacity(cache);
    meta::Builder::new()
        .configure(config)
        .syntax(dialect())
        .build_many(sources)
        .map_err(|error| wrong(&sources.join(" or "), &error))
}

/// A regex that matches exactly these bytes.
pub(super) fn escape(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut source, byte| {
        use fmt::Write as _;
        let _ = if byte.is_ascii_alphanumeric() {
            write!(source, "{}", *byte as char)
        } else {
            write!(source, "\\x{byte:02x}")
        };
        source
    })
}

fn dialect() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false).multi_line(true).crlf(true)
}

pub(super) fn parse(sources: &[&str]) -> Result<Vec<Hir>> {
    syntax::parse_many_with(sources, &dialect()).map_err(|error| Error::usage(error.to_string()))
}

fn wrong(source: &str, error: &meta::BuildError) -> Error {
    let why = match error.syntax_error() {
        Some(syntax) => syntax.to_string(),
        None if error.size_limit().is_some() => {
            format!("it takes more than {} MiB when compiled", COMPILED_LIMIT >> 20)
        }
        None => error.to_string(),
    };
    let error =
        Error::usage(format!("the regex is wrong: {}", visible::quoted(source))).with_got(why);
    error.hint(
        "write regexes between backticks, where a backslash is a backslash: re(`^550 5\\.7\\.1`)",
    )
}

/// One or more regexes to search for in a stream, byte for byte as it comes.
///
/// A DFA goes forward over each byte once. If it stays small, it is built in advance, otherwise
/// lazily while searching. The start of the match and its groups are then found by one more search,
/// from a place before which the match cannot begin.
#[derive(Clone)]
pub(crate) struct StreamRegex(Arc<Compiled>);

struct Compiled {
    forward: Forward,
    meta: meta::Regex,
    skip: Option<Skip>,
    /// Whether an assertion needs the byte after a match.
    looks_ahead: bool,
    /// The alternative that each regex belongs to.
    indices: Vec<usize>,
}

pub(super) enum Forward {
    Dense(dense::DFA<Vec<u32>>),
    Lazy(lazy::DFA),
}

impl StreamRegex {
    pub(super) fn new(sources: &[(usize, String)]) -> Result<Self> {
        let regexes: Vec<&str> = sources.iter().map(|(_, source)| source.as_str()).collect();
        let indices = sources.iter().map(|(index, _)| *index).collect();
        Self::of(&regexes, build_meta(&regexes, CACHE)?, indices)
    }

    fn of(regexes: &[&str], meta: meta::Regex, indices: Vec<usize>) -> Result<Self> {
        let hirs = parse(regexes)?;
        let forward = Forward::new(regexes)?;
        let skip = Skip::new(&hirs, || forward.leads_on());
        Ok(Self(Arc::new(Compiled {
            meta,
            looks_ahead: hirs.iter().any(looks_beyond_its_end),
            skip,
            forward,
            indices,
        })))
    }

    pub(super) fn forward(&self) -> &Forward {
        &self.0.forward
    }

    pub(super) fn skip(&self) -> Option<&Skip> {
        self.0.skip.as_ref()
    }

    pub(super) fn looks_ahead(&self) -> bool {
        self.0.looks_ahead
    }

    /// The match that ends at `end` and does not begin before `from`: its alternative and its
    /// groups.
    pub(super) fn resolve(
        &self,
        haystack: &[u8],
        from: usize,
        end: usize,
    ) -> Option<(usize, Captures)> {
        let (pattern, captures) =
            Captures::find(&self.0.meta, &Input::new(haystack).range(from..end))?;
        Some((self.0.indices[pattern], captures))
    }
}

impl fmt::Debug for StreamRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamRegex").field("indices", &self.0.indices).finish_non_exhaustive()
    }
}

impl Forward {
    fn new(regexes: &[&str]) -> Result<Self> {
        let unsearchable = |error: &dyn fmt::Display| {
            Error::usage(format!("the regex cannot be searched for in a stream: {error}"))
        };
        let config = thompson::Config::new().utf8(false).nfa_size_limit(Some(COMPILED_LIMIT));
        let nfa = thompson::Compiler::new()
            .configure(config)
            .syntax(dialect())
            .build_many(regexes)
            .map_err(|error| unsearchable(&error))?;
        if nfa.memory_usage() <= MOST_FOR_DENSE {
            let config = dense::Config::new()
                .start_kind(StartKind::Unanchored)
                .specialize_start_states(true)
                .accelerate(false)
                .dfa_size_limit(Some(1 << 20))
                .determinize_size_limit(Some(4 << 20));
            if let Ok(dfa) = dense::Builder::new().configure(config).build_from_nfa(&nfa) {
                return Ok(Self::Dense(dfa));
            }
        }
        let config =
            lazy::Config::new().specialize_start_states(true).skip_cache_capacity_check(true);
        let lazy = lazy::Builder::new().configure(config).build_from_nfa(nfa);
        lazy.map(Self::Lazy).map_err(|error| unsearchable(&error))
    }

    /// The bytes that can begin a match at the start of a line, and those that can be its second
    /// byte, each judged by itself. If the automaton is built lazily, that is every byte.
    fn leads_on(&self) -> Option<Box<[[bool; 256]; 2]>> {
        let Self::Dense(dfa) = self else { return Some(Box::new([[true; 256]; 2])) };
        let mut leads = Box::new([[false; 256]; 2]);
        for behind in [None, Some(b'\n'), Some(b'\r')] {
            let begin = dfa.start_state(&start(behind)).ok()?;
            let mut states: Vec<_> = leads_from(dfa, begin, &mut leads[0]).collect();
            states.sort_unstable();
            states.dedup();
            for state in states {
                leads_from(dfa, state, &mut leads[1]).for_each(drop);
            }
        }
        Some(leads)
    }
}

/// The states that one byte leads to, except start states. Marks the bytes that lead to them.
fn leads_from(
    dfa: &dense::DFA<Vec<u32>>,
    from: StateID,
    leads: &mut [bool; 256],
) -> impl Iterator<Item = StateID> {
    (0..=u8::MAX).zip(leads).filter_map(move |(byte, leads)| {
        let to = dfa.next_state(from, byte);
        let is_rest = dfa.is_start_state(to);
        *leads |= !is_rest;
        (!is_rest).then_some(to)
    })
}

/// The configuration of a search that begins after this byte, or at the start of the text.
pub(super) fn start(look_behind: Option<u8>) -> util::start::Config {
    util::start::Config::new().anchored(Anchored::No).look_behind(look_behind)
}

/// Whether an assertion can stand at the end of a match, so that only the next byte decides it.
fn looks_beyond_its_end(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) => false,
        HirKind::Look(_) => true,
        HirKind::Repetition(repetition) => looks_beyond_its_end(&repetition.sub),
        HirKind::Capture(capture) => looks_beyond_its_end(&capture.sub),
        HirKind::Alternation(parts) => parts.iter().any(looks_beyond_its_end),
        HirKind::Concat(parts) => {
            // Looks at the parts from the end, up to the last part that cannot be empty.
            let can_be_empty = |part: &Hir| part.properties().minimum_len() == Some(0);
            let last = parts.iter().rposition(|part| !can_be_empty(part)).unwrap_or(0);
            parts[last..].iter().any(looks_beyond_its_end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_regex_shows_where() {
        let error = Regex::new("^550 (5").unwrap_err();
        assert!(error.is_usage());
        assert!(error.got().unwrap().contains("unclosed group"), "{error}");
    }

    #[test]
    fn a_regex_of_any_length_is_refused_before_it_is_read() {
        let error = Regex::new(&"(a|b)".repeat(1_000_000)).unwrap_err();
        insta::assert_snapshot!(error, @r"
        the regex is too long: 5000000 bytes
          expected: at most 65536 bytes
          hint: text that is no regex is searched for as it stands, whatever its length
        ");
        assert!(Regex::new(&"a".repeat(10_000)).is_ok());
    }

    #[test]
    fn groups_are_found_by_number_and_by_name() {
        let captures = Regex::new(r"queued as (?P<id>[0-9A-F]+)( x)?")
            .unwrap()
            .captures(b"250 Ok: queued as 5A6")
            .unwrap();
        assert_eq!(captures.get(1), Some(18..21));
        assert_eq!(captures.named("id"), Some(18..21));
        assert_eq!(captures.get(2), None);
        assert_eq!(captures.named("nobody"), None);
        assert_eq!((captures.len(), captures.names()), (3, vec!["id"]));
    }

    #[test]
    fn a_regex_too_wide_for_a_whole_dfa_is_built_while_searching() {
        let wide = StreamRegex::new(&[(0, "x.{0,60}y".to_owned())]).unwrap();
        assert!(matches!(wide.forward(), Forward::Lazy(_)));
        let small = StreamRegex::new(&[(0, "A1 (OK|NO)".to_owned())]).unwrap();
        assert!(matches!(small.forward(), Forward::Dense(_)));
    }
}
