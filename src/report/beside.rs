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
        let (word, style) = match different {
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
        let mut hidden = 0;
        for (at, row) in rows.iter().enumerate() {
            if !self.whole && row.same && !near(at) {
                hidden += 1;
                continue;
            }
            omitted(text, std::mem::take(&mut hidden));
            self.row(text, row, Style::new());
        }
        omitted(text, hidden);
    }

    /// Writes a line of both sides; each side is broken at the end of its column.
    fn row(self, text: &mut String, row: &Row, style: Style) {
        let column = (self.width.saturating_sub(3) / 2).max(NARROWEST);
        let pieces = |line: &Option<String>| broken(line.as_deref().unwrap_or_default(), column);
        let (left, right) = (pieces(&row.left), pieces(&row.right));
        let (mark, before, after) = match (&row.left, &row.right) {
            _ if row.same => (' ', style, style),
            (Some(_), Some(_)) => ('|', BAD, GOOD),
            (Some(_), None) => ('<', BAD, style),
            (None, _) => ('>', style, GOOD),
        };
        for at in 0..left.len().max(right.len()) {
            let piece = |side: &[String]| side.get(at).cloned().unwrap_or_default();
            let (left, right) = (piece(&left), piece(&right));
            let line = format!(
                "{before}{left:<column$}{before:#} {ODD}{mark}{ODD:#} {after}{right}{after:#}"
            );
            let _ = writeln!(text, "{}", line.trim_end());
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
        let line = Some(visible::printable(change.value().trim_end_matches('\n')));
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

/// A line in pieces of at most `width` characters.
fn broken(line: &str, width: usize) -> Vec<String> {
    let characters: Vec<char> = line.chars().collect();
    if characters.is_empty() {
        return vec![String::new()];
    }
    characters.chunks(width).map(|piece| piece.iter().collect()).collect()
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
    fn two_that_are_the_same_take_a_line() {
        assert!(table(80, false, "S: 220\n", "S: 220\n").starts_with("SAME a.rhai\n"));
        assert!(!table(80, false, "S: 220\n", "S: 220\n").contains("S: 220"));
    }
}
