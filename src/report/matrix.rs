//! A table with the verdict on each script for each target.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use anstyle::Style;

use super::style::{BAD, DIM, GOOD, ODD};
use crate::outcome::{Outcome, Verdict};
use crate::visible;

/// The maximum width of the table in columns: all output is made for terminals of this width.
const WIDTH: usize = 80;
/// The minimum width of a target's column: the names of verdicts have to fit, and `500/500`.
const NARROWEST: usize = 7;

/// The verdicts of a run on several targets.
#[derive(Debug)]
pub(super) struct Matrix {
    targets: Vec<Arc<str>>,
    /// The worst verdict for each target, by script.
    rows: BTreeMap<String, Vec<Option<Cell>>>,
}

/// The verdict on one script for one target. If the script ran more than once, the worst counts,
/// which is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cell {
    Skip,
    Pass,
    Flaky,
    Stop,
    Fail,
}

impl Cell {
    pub(super) fn of(outcome: &Outcome) -> Self {
        match outcome.verdict {
            Verdict::Passed if outcome.is_flaky() => Self::Flaky,
            Verdict::Passed => Self::Pass,
            Verdict::Skipped(_) => Self::Skip,
            Verdict::Interrupted(_) => Self::Stop,
            Verdict::Failed(_) | Verdict::Differs(_) => Self::Fail,
        }
    }

    fn shown(self) -> (&'static str, Style) {
        match self {
            Self::Pass => ("PASS", GOOD),
            Self::Flaky => ("FLAKY", ODD),
            Self::Skip => ("SKIP", ODD),
            Self::Stop => ("STOP", ODD),
            Self::Fail => ("FAIL", BAD),
        }
    }
}

impl Matrix {
    /// A table for these targets; `None` if there is at most one.
    pub(super) fn of(targets: &[Arc<str>]) -> Option<Self> {
        (targets.len() > 1).then(|| Self { targets: targets.to_vec(), rows: BTreeMap::new() })
    }

    pub(super) fn add(&mut self, outcome: &Outcome) {
        let at = self.targets.iter().position(|target| Some(target) == outcome.target.as_ref());
        let row = self.rows.entry(outcome.path.to_string_lossy().into_owned());
        let row = row.or_insert_with(|| vec![None; self.targets.len()]);
        if let Some(cell) = at.and_then(|at| row.get_mut(at)) {
            *cell = (*cell).max(Some(Cell::of(outcome)));
        }
    }

    /// The table: the scripts that did not pass on every target, or all scripts if `whole`; then
    /// the number of scripts that passed on each target.
    pub(super) fn table(&self, whole: bool) -> String {
        let passed = |row: &Vec<Option<Cell>>| row.iter().all(|cell| *cell == Some(Cell::Pass));
        let shown: Vec<_> = self.rows.iter().filter(|(_, row)| whole || !passed(row)).collect();
        let width = self.targets.iter().map(|target| target.chars().count());
        let width = width.max().unwrap_or_default().max(NARROWEST);
        let longest = shown.iter().map(|(path, _)| path.chars().count()).max().unwrap_or_default();
        let room = WIDTH.saturating_sub(self.targets.len() * (width + 2)).max(24);
        let first = longest.clamp(24, room);
        let mut text = format!("{:first$}", "");
        for target in &self.targets {
            let name = visible::escape(target.as_bytes());
            let pad = width.saturating_sub(name.chars().count());
            let _ = write!(text, "  {DIM}{name}{DIM:#}{:pad$}", "");
        }
        text = text.trim_end().to_owned() + "\n";
        for (path, row) in &shown {
            let _ = write!(text, "{}", fitted(&visible::escape(path.as_bytes()), first));
            for cell in *row {
                let (word, style) = cell.map_or(("-", DIM), Cell::shown);
                let _ = write!(text, "  {style}{word}{style:#}{:1$}", "", width - word.len());
            }
            text = text.trim_end().to_owned() + "\n";
        }
        let _ = write!(text, "{:first$}", "passed");
        for at in 0..self.targets.len() {
            let column = || self.rows.values().filter_map(|row| row[at]);
            let good = column().filter(|cell| matches!(cell, Cell::Pass | Cell::Flaky)).count();
            let _ = write!(text, "  {:width$}", format!("{good}/{}", column().count()));
        }
        text.trim_end().to_owned() + "\n"
    }
}

/// A path shortened to `width` columns. Its end is kept, which identifies it better than its
/// beginning.
fn fitted(path: &str, width: usize) -> String {
    let length = path.chars().count();
    if length <= width {
        return format!("{path:width$}");
    }
    let end: String = path.chars().skip(length - (width - 3)).collect();
    format!("...{end}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::error::Error;

    fn outcome(path: &str, target: &Arc<str>, verdict: Verdict) -> Outcome {
        let target = Some(Arc::clone(target));
        Outcome { target, ..Outcome::new(Path::new(path), verdict) }
    }

    #[test]
    fn scripts_that_pass_everywhere_are_only_counted() {
        let targets: Vec<Arc<str>> = ["postfix", "exim"].map(Arc::from).to_vec();
        let mut matrix = Matrix::of(&targets).unwrap();
        let long = format!("scripts/{}/relay.rhai", "deep/".repeat(20));
        for target in &targets {
            matrix.add(&outcome("scripts/hello.rhai", target, Verdict::Passed));
        }
        let failed = || Verdict::Failed(Box::new(Error::usage("x").into()));
        matrix.add(&outcome(&long, &targets[0], failed()));
        matrix.add(&outcome(&long, &targets[1], Verdict::Skipped("no TLS".to_owned())));
        matrix.add(&outcome("scripts/cut.rhai", &targets[1], Verdict::Passed));
        let table = |whole| anstream::adapter::strip_str(&matrix.table(whole)).to_string();
        insta::assert_snapshot!(table(false));
        assert!(!table(false).contains("hello") && table(true).contains("hello"));
        assert!(table(true).lines().all(|line| line.len() <= WIDTH), "{}", table(true));
        assert!(Matrix::of(&targets[..1]).is_none());
    }
}
