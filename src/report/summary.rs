//! The totals of a run.

use std::time::Duration;

use super::Tally;
use super::style::ODD;
use crate::outcome::ExitCode;

/// The totals of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Summary {
    /// The number of scripts to run, or of those that ran if the number was not known before.
    pub(crate) scripts: usize,
    /// The number of scripts that did not run, because the run was stopped.
    pub(crate) not_run: usize,
    /// Whether the run was stopped because its time was up, which is a failure.
    pub(crate) timed_out: bool,
    pub(crate) tally: Tally,
    /// The exit code that a report asks for in place of the usual one.
    pub(crate) wanted: Option<ExitCode>,
    pub(crate) elapsed: Duration,
}

impl Summary {
    /// The exit code of the run.
    pub(crate) fn exit_code(&self) -> ExitCode {
        let cut = if self.timed_out { ExitCode::Failed } else { ExitCode::Passed };
        match (self.tally.exit_code().max(cut), self.wanted) {
            // A person who stopped the run gets the exit code for that, whatever the report asks
            // for.
            (ExitCode::Interrupted, _) => ExitCode::Interrupted,
            (_, Some(wanted)) => wanted,
            (usual, None) => usual,
        }
    }

    /// The last line of a run.
    pub(crate) fn line(&self) -> String {
        let line = self.tally.line(self.elapsed);
        if self.not_run == 0 {
            return line;
        }
        format!("{ODD}{} not run{ODD:#}, {line}", self.not_run)
    }
}
