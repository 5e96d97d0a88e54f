//! Shows two transcripts side by side.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anstyle::Style;
use similar::{ChangeTag, TextDiff};

use super::Human;
use super::style::{BAD, DIM, GOOD, ODD};
use crate::outcome::{ExitCode, Outcome, Verdict};
use crate::visible;

/// The minimum width of a column of text. A narrower one would not be readable.
const NARROWEST: usize = 20;
/// The number of equal lines shown around each difference.
const AROUND: usize = 2;
/// The number of rows after which no further one is shown.
const SHOWN: usize = 10_000;
/// The number of bytes of a line after which the rest of it is not shown.
const LONG: usize = 64 << 10;
/// The time limit of the search for the smallest diff. After it, the diff is correct but may be
/// longer than necessary.
const LONGEST: Duration = Duration::from_millis(500);

/// The result of one server.
pub(crate) struct Side {
    pub(crate) name: String,
    pub(crate) verdict: String,
    /// The redacted transcript.
    pub(crate) text: String,
    pub(crate) code: ExitCode,
    /// Whether the script opened a session.
    pub(crate) has_session: bool,
}

/// Writes two results side by side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beside {
    /// The width of a line in columns.
    pub(crate) width: usize,
    /// Whether all equal lines are shown.
    pub(crate) whole: bool,
}

/// A line on both sides, and whether both are equal.
struct Row {
    left: Option<String>,
    right: Option<String>,
    same: bool,
}

impl Beside {
    /// The verdict on a run, in one line.
    pub(crate) fn verdict(outcome: &Outcome) -> String {
        match &outcome.verdict {
            Verdict::Passed => "passed".to_owned(),
            Verdict::Skipped(reason) => {
                format!("skipped: {}", visible::escape(reason.as_bytes()))
            }
            _ => {
                let (place, message) = Human::fault(outcome);
                format!("failed at {place}: {message}")
            }
        }
    }

    /// The script, both sides with their verdicts, and the lines.
    pub(crate) fn table(self, script: &Path, left: &Side, right: &Side) -> String {
        let path = visible::escape(script.to_string_lossy().as_bytes());
        let rows = rows(&left.text, &right.text);
        let different = rows.iter().filter(|row| !row.same).count();
        let has_session = left.has_session || right.has_session;
        let (word, style) = match different {
            0 if !has_session => ("NOTHING COMPARED".to_owned(), ODD),
            0 => ("SAME".to_owned(), GOOD),
            1 => ("DIFFERS in 1 line".to_owned(), BAD),
            count => (format!("DIFFERS in {count} lines"), BAD),
        };
        let mut text = format!("{style}{word}{style:#} {path}\n");
        for side in [left, right] {
            let name = visible::escape(side.name.as_bytes());
            let _ = writeln!(text, "     {DIM}{name} {}{DIM:#}", side.verdict);
        }
        if different > 0 || self.whole {
            let names = Row {
                left: Some(format!("--- {}", left.name)),
                right: Some(format!("--- {}", right.name)),
                same: true,
            };
            self.row(&mut text, &names, DIM);
            self.rows(&mut text, &rows);
        }
        text
    }

    fn rows(self, text: &mut String, rows: &[Row]) {
        let near = |at: usize| {
            let from = at.saturating_sub(AROUND);
            rows[from..rows.len().min(at + AROUND + 1)].iter().any(|row| !row.same)
        };
        let (mut hidden, mut shown) = (0, 0);
        for (at, row) in rows.iter().enumerate() {
            if !self.whole && row.same && !near(at) {
                hidden += 1;
                continue;
            }
            if shown == SHOWN {
                let more = rows.len() - at;
                let _ = writeln!(text, "{DIM}    ... {more} more lines{DIM:#}");
                return;
            }
            shown += 1;
            omitted(text, std::mem::take(&mut hidden));
            self.row(text, row, Style::new());
        }
        omitted(text, hidden);
    }

    /// Writes a line of both sides; each side is broken at the end of its column.
    fn row(self, text: &mut String, row: &Row, style: Style) {
        let column = (self.width.saturating_sub(3) / 2).max(NARROWEST);
        let mut left = row.left.as_deref().unwrap_or_default();
        let mut right = row.right.as_deref().unwrap_or_default();
        let (mark, before, after) = match (&row.left, &row.right) {
            _ if row.same => (' ', style, style),
            (Some(_), Some(_)) => ('|', BAD, GOOD),
            (Some(_), None) => ('<', BAD, style),
            (None, _) => ('>', style, GOOD),
        };
        loop {
            let (one, other) = (piece(&mut left, column), piece(&mut right, column));
            let line = format!(
                "{before}{one:<column$}{before:#} {ODD}{mark}{ODD:#} {after}{other}{after:#}"
            );
            let _ = writeln!(text, "{}", line.trim_end());
            if left.is_empty() && right.is_empty() {
                return;
            }
        }
    }
}

fn omitted(text: &mut String, lines: usize) {
    if lines > 0 {
        let noun = if lines == 1 { "line" } else { "lines" };
        let _ = writeln!(text, "{DIM}    ... {lines} {noun} the same (--all shows them){DIM:#}");
    }
}

/// The lines of both sides. Lines that are equal or that replace each other are in the same row.
fn rows(left: &str, right: &str) -> Vec<Row> {
    let diff = TextDiff::configure().timeout(LONGEST).diff_lines(left, right);
    let mut rows: Vec<Row> = Vec::new();
    // The row for the next line of the right side: the first one that has only a left side yet.
    let mut open = 0;
    for change in diff.iter_all_changes() {
        let line = Some(shown(change.value()));
        match change.tag() {
            ChangeTag::Equal => {
                rows.push(Row { left: line.clone(), right: line, same: true });
                open = rows.len();
            }
            ChangeTag::Delete => rows.push(Row { left: line, right: None, same: false }),
            ChangeTag::Insert => {
                match rows.get_mut(open) {
                    Some(row) => row.right = line,
                    None => rows.push(Row { left: None, right: line, same: false }),
                }
                open += 1;
            }
        }
    }
    rows
}

/// Takes at most `width` characters from the beginning of a line.
fn piece<'a>(line: &mut &'a str, width: usize) -> &'a str {
    let end = line.char_indices().nth(width).map_or(line.len(), |(end, _)| end);
    let (piece, rest) = line.split_at(end);
    *line = rest;
    piece
}

/// A line as it is shown. Of a very long one, only the beginning is shown.
fn shown(line: &str) -> String {
    let line = line.trim_end_matches('\n');
    if line.len() <= LONG {
        return visible::printable(line);
    }
    let end = line.floor_char_boundary(LONG);
    format!("{} ... and {} bytes more", visible::printable(&line[..end]), line.len() - end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(name: &str, text: &str) -> Side {
        Side {
            name: name.to_owned(),
            verdict: "passed".to_owned(),
            text: text.to_owned(),
            code: ExitCode::Passed,
            has_session: true,
        }
    }

    fn table(width: usize, whole: bool, left: &str, right: &str) -> String {
        let beside = Beside { width, whole };
        let text = beside.table(Path::new("a.rhai"), &side("postfix", left), &side("exim", right));
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn lines_that_take_each_others_place_stand_side_by_side() {
        let same = (0..9).map(|n| format!("S: 250-{n}\n")).collect::<Vec<_>>().concat();
        let left = format!("{same}S: 250 2.1.5 Ok\nS: only here\nC: QUIT\n");
        let right = format!(
            "{same}S: 250 Accepted, and a long line that has to be broken\nC: QUIT\nS: 221\n"
        );
        insta::assert_snapshot!(table(60, false, &left, &right));
    }

    #[test]
    fn no_line_is_wider_than_the_screen_and_nothing_drives_it() {
        let (left, right) = ("S: \u{1b}[2J\u{202e}\n".repeat(3), "x".repeat(500));
        let shown = table(80, true, &left, &right);
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown}");
    }

    #[test]
    fn of_much_that_differs_the_beginning_is_shown() {
        let (left, right) = ("S: a\n".repeat(SHOWN + 5), "S: b\n".repeat(SHOWN + 5));
        let shown = table(80, false, &left, &right);
        assert!(shown.ends_with("    ... 5 more lines\n"), "{}", &shown[shown.len() - 200..]);
        let shown = table(80, false, "a\n", &"é".repeat(LONG));
        assert!(shown.lines().count() < 2 * LONG / 38, "{}", shown.lines().count());
        assert!(shown.contains("... and 65536 bytes more"), "{}", &shown[shown.len() - 200..]);
    }

    #[test]
    fn two_that_are_the_same_take_a_line() {
        assert!(table(80, false, "S: 220\n", "S: 220\n").starts_with("SAME a.rhai\n"));
        assert!(!table(80, false, "S: 220\n", "S: 220\n").contains("S: 220"));
    }
}
