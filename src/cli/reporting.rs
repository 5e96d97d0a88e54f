//! Which reports a run has, and where each is written.

use std::path::Path;
use std::time::Duration;

use super::screen::Screen;
use crate::outcome::Outcome;
use crate::report::{Report, Summary, Tally};
use crate::workers::Audience;

/// The reports of one run. All hear the same, in the same order.
pub(super) struct Reports {
    screen: Screen,
    all: Vec<Box<dyn Report>>,
    scripts: usize,
    ended: usize,
    tally: Tally,
}

impl Reports {
    /// Begins a run of so many scripts.
    pub(super) fn start(all: Vec<Box<dyn Report>>, scripts: usize, screen: Screen) -> Self {
        let mut reports = Self { screen, all, scripts, ended: 0, tally: Tally::default() };
        reports.tell(|report| report.run_started(scripts));
        reports
    }

    /// Ends it; what it came to.
    pub(super) fn end(mut self, elapsed: Duration) -> Summary {
        let not_run = self.scripts - self.ended;
        let summary = Summary { scripts: self.scripts, not_run, tally: self.tally, elapsed };
        self.tell(|report| report.run_ended(&summary));
        summary
    }

    fn tell(&mut self, what: impl Fn(&mut dyn Report) -> String) {
        for report in &mut self.all {
            self.screen.show(&what(&mut **report));
        }
    }
}

impl Audience for Reports {
    fn started(&mut self, number: usize, script: &Path) {
        self.tell(|report| report.script_started(number, script));
    }

    fn ended(&mut self, number: usize, outcome: Outcome) {
        self.ended += 1;
        self.tally.add(&outcome);
        self.tell(|report| report.script_ended(number, &outcome));
    }
}
