//! What a run came to.

use std::time::Duration;

use super::Tally;
use super::style::ODD;
use crate::outcome::ExitCode;

/// What all scripts came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary {
    /// How many scripts were to run, or did if that was not known before.
    pub(crate) scripts: usize,
    /// How many did not, because the run was stopped before.
    pub(crate) not_run: usize,
    /// Whether that is a failure: the time of the run was up.
    pub(crate) timed_out: bool,
    pub(crate) tally: Tally,
    /// The exit code that a report wants in place of the usual one.
    pub(crate) wanted: Option<ExitCode>,
    pub(crate) elapsed: Duration,
}

impl Summary {
    /// The exit code of the run.
    pub(crate) fn exit_code(&self) -> ExitCode {
        let cut = if self.timed_out { ExitCode::Failed } else { ExitCode::Passed };
        match (self.tally.exit_code().max(cut), self.wanted) {
            // Who stopped it is told so, whatever the report is for.
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
