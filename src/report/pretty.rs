//! The report for people at a terminal: each outcome in the order of the scripts, then a list of
//! failures.

use std::collections::BTreeMap;

use super::{Human, InOrder, Matrix, Planned, Report, Summary};
use crate::outcome::{ExitCode, Outcome};

/// Writes outcomes in the wording of [`Human`], and at the end a line for each failure.
#[derive(Debug)]
pub(crate) struct Pretty {
    human: Human,
    /// Whether only failures are shown.
    quiet: bool,
    /// Whether only failures and the last line are shown.
    brief: bool,
    in_order: InOrder,
    /// A line for each failure, by the number of its script.
    failures: BTreeMap<usize, String>,
    /// The verdict on each script for each target, if there are several targets.
    matrix: Option<Matrix>,
}

impl Pretty {
    pub(crate) fn new(human: Human, quiet: bool, brief: bool) -> Self {
        Self {
            human,
            quiet,
            brief,
            in_order: InOrder::default(),
            failures: BTreeMap::new(),
            matrix: None,
        }
    }
}

impl Report for Pretty {
    fn run_started(&mut self, planned: &Planned) -> String {
        self.matrix = Matrix::of(&planned.targets);
        String::new()
    }

    fn script_ended(&mut self, number: usize, outcome: &Outcome) -> String {
        if !outcome.is_ok() {
            self.failures.insert(number, Human::failure(outcome));
        }
        if let Some(matrix) = &mut self.matrix {
            matrix.add(outcome);
        }
        let is_shown = !(self.quiet || self.brief) || !outcome.is_ok();
        let text = if is_shown { self.human.outcome(outcome) } else { String::new() };
        self.in_order.next(number, text)
    }

    fn run_ended(&mut self, summary: &Summary) -> String {
        let mut text = self.in_order.rest();
        // For a single script, the list would only repeat the outcome above.
        if summary.scripts > 1 && !self.failures.is_empty() {
            text.push_str("failures:\n");
            text.extend(self.failures.values().map(String::as_str));
        }
        if !self.quiet || summary.exit_code() != ExitCode::Passed {
            if let Some(matrix) = &self.matrix {
                text.push_str(&matrix.table(self.human.verbose));
            }
            text.push_str(&summary.line());
        }
        text
    }
}
