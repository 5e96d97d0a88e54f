//! Counts the scripts that passed, failed and were skipped, and determines the exit code.

use std::fmt::Write as _;
use std::time::Duration;

use super::style::{BAD, DIM, GOOD, ODD};
use crate::duration;
use crate::outcome::{ExitCode, Outcome, Verdict};

/// Counts of outcomes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
    /// The number of passed scripts that passed only after a failed attempt.
    pub(super) flaky: usize,
    /// The number of scripts of the run; the other counts count each row of a script separately.
    scripts: usize,
    worst: Option<ExitCode>,
}

impl Tally {
    /// Counts one more script of the run.
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.scripts += 1;
        self.add_beside(outcome);
    }

    /// Counts an outcome that is no script of the run, such as a teardown that failed.
    pub(crate) fn add_beside(&mut self, outcome: &Outcome) {
        for outcome in outcome.reported() {
            match outcome.verdict {
                Verdict::Passed => {
                    self.passed += 1;
                    self.flaky += usize::from(outcome.is_flaky());
                }
                Verdict::Skipped(_) => self.skipped += 1,
                Verdict::Failed(_) | Verdict::Differs(_) | Verdict::Interrupted(_) => {
                    self.failed += 1;
                }
            }
        }
        self.worst = self.worst.max(Some(outcome.exit_code()));
    }

    /// The number of scripts of the run that were counted.
    #[cfg(feature = "cli")]
    pub(crate) fn total(&self) -> usize {
        self.scripts
    }

    /// The worst exit code of all outcomes.
    #[must_use]
    pub(crate) fn exit_code(&self) -> ExitCode {
        self.worst.unwrap_or(ExitCode::Passed)
    }

    /// The last line of a run.
    #[must_use]
    pub(crate) fn line(&self, elapsed: Duration) -> String {
        let counts = [
            (self.passed, "passed", GOOD),
            (self.failed, "failed", BAD),
            (self.skipped, "skipped", ODD),
        ];
        let counts = counts.iter().filter(|(count, ..)| *count > 0);
        let mut counts: Vec<_> =
            counts.map(|(count, word, style)| format!("{style}{count} {word}{style:#}")).collect();
        if self.flaky > 0 {
            let _ = write!(counts[0], " ({ODD}{} flaky{ODD:#})", self.flaky);
        }
        let counts = if counts.is_empty() { "no scripts".to_owned() } else { counts.join(", ") };
        format!("{counts} {DIM}({}){DIM:#}\n", duration::show(elapsed))
    }
}
