//! Where the columns of a source are. Rhai counts characters, and a source may be one line of 2 MiB,
//! so that the characters of a line are not counted anew for each place in it.

use std::sync::OnceLock;

/// How many characters lie between two places that are remembered.
const STEP: usize = 64;

/// The bytes at which each 64th character of a text begins.
#[derive(Default)]
pub(super) struct Columns(OnceLock<Vec<usize>>);

impl Columns {
    /// Returns the byte of a column, from 1, of the line that begins at `start`; the length of the
    /// text if the text ends before.
    pub(super) fn byte_at(&self, text: &str, start: usize, column: usize) -> usize {
        let places =
            self.0.get_or_init(|| text.char_indices().step_by(STEP).map(|(at, _)| at).collect());
        // The first place is byte 0, unless there is no text.
        let before = places.partition_point(|at| *at <= start).saturating_sub(1);
        let known = places.get(before).copied().unwrap_or_default();
        let more = text.get(known..start).map_or(0, |between| between.chars().count());
        let wanted = before * STEP + more + column.saturating_sub(1);
        let Some(near) = places.get(wanted / STEP) else { return text.len() };
        let mut rest = text[*near..].char_indices();
        rest.nth(wanted % STEP).map_or(text.len(), |(at, _)| near + at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_found_wherever_its_line_begins() {
        let text = "a\u{e4}\u{20ac}\u{1f600}\nxyz\n".repeat(40);
        let columns = Columns::default();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            for (column, (at, _)) in line.char_indices().enumerate() {
                assert_eq!(
                    columns.byte_at(&text, start, column + 1),
                    start + at,
                    "{start} {column}"
                );
            }
            start += line.len();
        }
        assert_eq!(columns.byte_at(&text, 0, 1000), text.len());
        assert_eq!(Columns::default().byte_at("", 0, 1), 0);
    }
}
