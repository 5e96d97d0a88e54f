//! Patterns that are matched against whole replies, or searched for in a stream that arrives in
//! pieces.

use divan::{Bencher, black_box};
use mailexpect::bench::{Search, holds};
use mailexpect::{Code, IntoPattern as _, Pattern};

use crate::recording::{self, LAST_LINE, Side};

const KINDS: [&str; 5] = ["code", "enhanced", "literal", "regex", "any"];

/// A pattern of each kind, to match against the replies of Postfix's recording. Most replies do not
/// match.
fn of_kind(kind: &str) -> Pattern {
    match kind {
        "code" => 250.into_pattern(),
        "enhanced" => (250, "2.1.5").into_pattern(),
        "literal" => "250 2.1.0 Ok".into_pattern(),
        "regex" => Pattern::regex(r"^250 2\.1\.[05] (Ok)$"),
        _ => Pattern::any([
            550.into_pattern().unwrap(),
            (250, "2.1.5").into_pattern().unwrap(),
            2.into_pattern().unwrap(),
        ]),
    }
    .unwrap()
}

#[divan::bench(args = KINDS)]
fn replies_of_a_session(bencher: Bencher<'_, '_>, kind: &str) {
    let pattern = of_kind(kind);
    let turns = recording::postfix();
    let replies: Vec<_> =
        recording::said(&turns, Side::Server).map(<[u8]>::trim_ascii_end).collect();
    bencher.bench(|| replies.iter().filter(|reply| holds(&pattern, black_box(reply))).count());
}

#[divan::bench(args = KINDS)]
fn one_ehlo_reply(bencher: Bencher<'_, '_>, kind: &str) {
    let pattern = of_kind(kind);
    let turns = recording::postfix();
    let reply = recording::said(&turns, Side::Server).nth(1).unwrap().trim_ascii_end();
    bencher.bench_local(|| holds(&pattern, black_box(reply)));
}

/// The cost of making a pattern for each `expect`, before anything is compared.
#[divan::bench]
fn pattern_from_an_integer() -> Pattern {
    black_box(250).into_pattern().unwrap()
}

#[divan::bench]
fn pattern_from_a_code_and_an_enhanced_code() -> Pattern {
    (black_box(250), "2.1.0").into_pattern().unwrap()
}

#[divan::bench]
fn pattern_from_a_regex() -> Pattern {
    Pattern::regex(black_box(r"^250 2\.1\.[05] (Ok)$")).unwrap()
}

#[divan::bench]
fn enhanced_code_of_text() -> Code {
    Code::parse(black_box("5xx")).unwrap().with_enhanced("5.7.1").unwrap()
}

mod stream {
    use mailexpect::IntoPattern as _;

    use super::{Bencher, LAST_LINE, Pattern, Search, black_box, recording};

    fn search(bencher: Bencher<'_, '_>, pattern: &Pattern, piece: usize) {
        let stream = recording::stream();
        // Build the automaton before the measurement. It is built once for each pattern, so that a
        // loop with one pattern pays only for the search.
        Search::new(pattern).unwrap();
        bencher.counter(divan::counter::BytesCount::new(stream.len())).bench(|| {
            let mut search = Search::new(pattern).unwrap();
            let mut ends = (piece..stream.len()).step_by(piece).chain([stream.len()]);
            let end = ends.find_map(|end| search.advance(black_box(&stream[..end])).unwrap());
            assert!(stream[..end.unwrap()].ends_with(LAST_LINE.as_bytes()));
        });
    }

    #[divan::bench(consts = [1, 64, 4096])]
    fn literal<const PIECE: usize>(bencher: Bencher<'_, '_>) {
        search(bencher, &LAST_LINE.into_pattern().unwrap(), PIECE);
    }

    #[divan::bench(consts = [1, 64, 4096])]
    fn regex_with_a_literal_start<const PIECE: usize>(bencher: Bencher<'_, '_>) {
        search(bencher, &Pattern::regex(r"^\+OK Logging [a-z]+, .*\r\n").unwrap(), PIECE);
    }

    #[divan::bench(consts = [1, 64, 4096])]
    fn regex_without<const PIECE: usize>(bencher: Bencher<'_, '_>) {
        search(
            bencher,
            &Pattern::regex(r"[a-z]+, [a-z]+ (deleted|expunged)\.\r\n").unwrap(),
            PIECE,
        );
    }

    #[divan::bench(consts = [1, 64, 4096])]
    fn regex_too_wide_for_a_whole_dfa<const PIECE: usize>(bencher: Bencher<'_, '_>) {
        search(bencher, &Pattern::regex(r"[a-z].{0,60}messages [a-z]{0,20}\.\r\n").unwrap(), PIECE);
    }

    #[divan::bench(consts = [1, 64, 4096])]
    fn alternatives<const PIECE: usize>(bencher: Bencher<'_, '_>) {
        let patterns = [
            "-ERR Internal".into_pattern().unwrap(),
            Pattern::regex("messages (deleted|kept)\\.\r\n").unwrap(),
        ];
        search(bencher, &Pattern::any(patterns).unwrap(), PIECE);
    }

    #[divan::bench]
    fn automaton_of_a_regex() {
        let pattern =
            Pattern::regex(black_box(r"[a-z]+, [a-z]+ (deleted|expunged)\.\r\n")).unwrap();
        Search::new(&pattern).unwrap();
    }
}
