//! Checks that a search finds the same matches wherever the stream is cut.

use super::*;
use crate::pattern::{Code, IntoPattern};
use proptest::prelude::*;
use std::sync::LazyLock;

/// The place of the match and its alternative, if the stream comes in these pieces and then ends.
fn search(pattern: &Pattern, pieces: &[&[u8]], drop_spare: bool) -> Option<(Range<usize>, usize)> {
    let mut search = Search::new(pattern).unwrap();
    let mut held = Vec::new();
    let mut dropped = 0;
    for (n, piece) in pieces.iter().chain([&&b""[..]]).enumerate() {
        held.extend_from_slice(piece);
        match search.advance(&held, n == pieces.len()).unwrap() {
            Progress::Found(found) => {
                return Some((found.range.start + dropped..found.range.end + dropped, found.index));
            }
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
    assert!(
        matches!(progress("12$", "12"), Progress::Open),
        "only the next byte says whether the line ends"
    );
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
    let pattern = Pattern::any([
        "bc".into_pattern().unwrap(),
        Pattern::regex("abx?").unwrap(),
        Pattern::eof(),
    ])
    .unwrap();
    assert_eq!(search(&pattern, &[b"zabc"], false), Some((1..3, 1)));
    assert_eq!(
        search(&pattern, &[b"zz"], false),
        Some((2..2, 2)),
        "the end of the stream is one of them"
    );
}

#[test]
fn released_bytes_do_not_change_the_match() {
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
    for pattern in
        ["\r\n.\r\n".into_pattern(), Pattern::regex("^A1 (OK|NO)"), Pattern::regex("[a-z]+@[a-z]+")]
    {
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

#[test]
fn a_wide_regex_stops_in_between_and_finds_the_same() {
    let pattern = Pattern::regex("(?s)x.{0,3000}END").unwrap();
    let stream = [&b"y".repeat(5000)[..], b"x", &b"xyz".repeat(700), b"END", b"more"].concat();
    let mut search = Search::new(&pattern).unwrap();
    let mut pauses = 0;
    let found = loop {
        match search.advance_a_while(&stream, true).unwrap() {
            Some(Progress::Found(found)) => break found.range,
            Some(other) => panic!("{other:?}"),
            None => pauses += 1,
        }
    };
    assert_eq!(found, 5000..7104);
    assert!(pauses > 1, "{pauses} pauses");
}

const SOURCES: [&str; 38] = [
    r"a.*\.x",
    r"[ab]+\.x|^x\. ",
    r"[ab ]*x\.[ab]?|\r\nx",
    "^[ab] x?",
    r"^[ab]+\r?$",
    r"^[ab]+x*\r\n|^\.",
    r"[ab]*b\.\r\n",
    r"x\.[ab]{0,9}|\.x",
    r"(b\.|x )[^a]",
    r"^(?:[ab.]*\. x|x\.|[ab]x \.)",
    r"\b[ab]*\.\.\B",
    r"(?i)[A-B]{2,3}x\.",
    r".{0,20} x$",
    r"^[^\r\n]{3,}\n",
    "A1 OK done|OK",
    "$(?:b)?",
    "a(?:$|b?)",
    r"\A|b",
    "[0-9]*",
    r"(?-u:\xff)+",
    r"b?\z",
    r"a\r^",
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

/// Compiled once, because building a DFA takes longer than searching with it.
static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let regex = |source: &str| Pattern::regex(source).unwrap();
    let pairs = SOURCES
        .windows(3)
        .map(|sources| Pattern::any(sources.iter().map(|source| regex(source))).unwrap());
    let literals =
        ["a", "ab", "\r\n", "\r\n.\r\n", "bab"].map(|literal| literal.into_pattern().unwrap());
    let patterns: Vec<_> =
        SOURCES.iter().map(|source| regex(source)).chain(pairs).chain(literals).collect();
    assert!(patterns.iter().all(|pattern| pattern.finder().is_ok()));
    patterns
});

fn streams() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(proptest::sample::select(&b"aabb\r\n. x\x80\xff"[..]), 0..40)
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

#[test]
fn a_candidate_does_not_hide_an_earlier_one_that_is_not_whole_yet() {
    let pattern = Pattern::any([
        "A1 OK done".into_pattern().unwrap(),
        "OK".into_pattern().unwrap(),
        Pattern::eof(),
    ])
    .unwrap();
    assert_eq!(search(&pattern, &[b"A1 OK", b" done"], false), Some((0..10, 0)));
    assert_eq!(search(&pattern, &[b"A1 OK", b" gone"], false), Some((3..5, 1)));
}

#[test]
fn alternatives_of_alternatives_count_as_one() {
    let inner = Pattern::any(["x".into_pattern().unwrap(), "y".into_pattern().unwrap()]).unwrap();
    let pattern = Pattern::any([inner, "z".into_pattern().unwrap()]).unwrap();
    assert_eq!(search(&pattern, &[b"y"], false), Some((0..1, 0)));
    assert_eq!(search(&pattern, &[b"z"], false), Some((0..1, 1)));
    assert_eq!(pattern.matches(b"y").map(|found| found.index), Some(0));
}
