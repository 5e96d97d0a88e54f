//! Reduces a server's lines to what counts at a strictness.

use super::Strictness;
use super::dialogue::{self, Line, Unit};
use crate::proto::{Speech, chomp};

/// The server's lines, in order, reduced to what counts. An incomplete line is kept whole, because
/// what it would have become is unknown.
pub(super) fn lines(
    strictness: Strictness,
    speech: Speech,
    lines: Vec<Vec<u8>>,
    units: &[Unit],
) -> Vec<Vec<u8>> {
    if strictness == Strictness::Text || speech == Speech::Stream {
        return lines;
    }
    let reduced = lines.iter().zip(units).enumerate().filter_map(|(at, (line, unit))| {
        // A piece of a line that another follows is the end of a literal.
        if !line.ends_with(b"\n") && at + 1 == lines.len() {
            return Some(line.clone());
        }
        let next = lines.get(at + 1).map(|next| chomp(next));
        let text = chomp(line);
        let line_of = Line { strictness, text, seen: &unit.seen, next };
        let reduced = dialogue::reduced(speech, &line_of)?;
        Some([&reduced, &line[text.len()..]].concat())
    });
    reduced.collect()
}
