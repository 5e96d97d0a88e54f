//! The report for people at a terminal: each outcome in the order of the scripts, then what failed.

use std::collections::BTreeMap;

use super::{Human, InOrder, Report, Summary};
use crate::outcome::{ExitCode, Outcome};

/// Outcomes as [`Human`] words them, and at the end a line for each failure.
#[derive(Debug)]
pub(crate) struct Pretty {
    human: Human,
    /// Whether only failures are shown.
    quiet: bool,
    in_order: InOrder,
    /// A line for each failure, by the number of its script.
    failures: BTreeMap<usize, String>,
}

impl Pretty {
    pub(crate) fn new(human: Human, quiet: bool) -> Self {
        Self { human, quiet, in_order: InOrder::default(), failures: BTreeMap::new() }
    }
}

impl Report for Pretty {
    fn script_ended(&mut self, number: usize, outcome: &Outcome) -> String {
        if !outcome.is_ok() {
            self.failures.insert(number, Human::failure(outcome));
        }
        let is_shown = !self.quiet || !outcome.is_ok();
        let text = if is_shown { self.human.outcome(outcome) } else { String::new() };
        self.in_order.next(number, text)
    }

    fn run_ended(&mut self, summary: &Summary) -> String {
        let mut text = self.in_order.rest();
        // Of a single script everything has just been said.
        if summary.scripts > 1 && !self.failures.is_empty() {
            text.push_str("failures:\n");
            text.extend(self.failures.values().map(String::as_str));
        }
        if !self.quiet || summary.exit_code() != ExitCode::Passed {
            text.push_str(&summary.line());
        }
        text
    }
}
