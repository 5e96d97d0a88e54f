//! How often scripts are run, and when a run is cut short.

use std::time::Duration;

use clap::Args;

use super::options::parse_duration;
use crate::project::{self, FlakyResult};
use crate::workers::{Rules, Times};

/// The arguments.
#[derive(Args, Debug)]
#[command(next_help_heading = "Retries and limits")]
pub(super) struct Attempts {
    /// Run a script that fails up to N times more; if it passes then, it is flaky.
    #[arg(long, value_name = "N", conflicts_with_all = ["repeat", "segment"])]
    retries: Option<u32>,
    /// Whether flaky scripts pass (the default) or fail.
    #[arg(long, value_enum, value_name = "RESULT")]
    flaky_result: Option<FlakyResult>,
    /// Begin no further script after one has failed; those in progress end.
    #[arg(long, conflicts_with_all = ["repeat", "segment"])]
    fail_fast: bool,
    /// Skip a script if one of its parameters has neither a value nor a default.
    #[arg(long)]
    skip_incomplete: bool,
    /// Cancel all scripts after this time: `--global-timeout 10m`.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    #[arg(conflicts_with_all = ["repeat", "segment"])]
    global_timeout: Option<Duration>,
    /// Run all scripts N times, one round after the other, and show what failed.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    #[arg(conflicts_with_all = ["repeat", "segment", "stress_for"])]
    stress_count: Option<u32>,
    /// Run all scripts again and again for this time, and show what failed: `--stress-for 5m`.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    #[arg(conflicts_with_all = ["repeat", "segment"])]
    stress_for: Option<Duration>,
    /// Run all scripts again and again until one fails.
    #[arg(long, conflicts_with_all = ["repeat", "segment"])]
    until_fail: bool,
}

impl Attempts {
    /// The rules of a run. The arguments override the project file. Runs that are measured are
    /// neither retried nor cut short.
    pub(super) fn rules(&self, project: &project::Rules, is_measured: bool) -> Rules {
        if is_measured {
            return Rules { skip_incomplete: self.skip_incomplete, ..Rules::default() };
        }
        let flaky_result = self.flaky_result.or(project.flaky_result).unwrap_or_default();
        Rules {
            retries: self.retries.or(project.retries).unwrap_or_default(),
            flaky_fails: flaky_result == FlakyResult::Fail,
            fail_fast: self.fail_fast || self.until_fail || project.fail_fast.unwrap_or_default(),
            skip_incomplete: self.skip_incomplete,
            time: self.global_timeout.or(project.global_timeout),
        }
    }

    /// How often all scripts are run.
    pub(super) fn times(&self) -> Times {
        match (self.stress_count, self.stress_for) {
            (Some(count), _) => Times::Rounds(count as usize),
            (None, Some(time)) => Times::For(time),
            (None, None) if self.until_fail => Times::Endless,
            (None, None) => Times::Rounds(1),
        }
    }

    /// Whether scripts are run again although nothing failed.
    pub(super) fn is_stress(&self) -> bool {
        self.until_fail || self.stress_count.is_some() || self.stress_for.is_some()
    }
}
