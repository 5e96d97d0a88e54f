//! Turns outcomes into text, with a file for each format. No other module words outcomes.
//!
//! A run reports what happens through the trait [`Report`]. `formats.rs` lists the formats of
//! `--format`, and says how to add one. A report with an option of its own, as `--junit` has, is
//! also opened in `cli/reporting.rs`.

#[cfg(feature = "cli")]
mod beside;
mod difference;
#[cfg(feature = "cli")]
mod events;
#[cfg(feature = "cli")]
mod examined;
mod explained;
mod failed;
#[cfg(feature = "cli")]
mod formats;
#[cfg(feature = "cli")]
mod github;
#[cfg(feature = "cli")]
mod html;
mod human;
#[cfg(feature = "cli")]
mod imported;
#[cfg(feature = "cli")]
mod in_order;
#[cfg(feature = "cli")]
mod json;
#[cfg(feature = "cli")]
mod junit;
#[cfg(feature = "cli")]
mod matrix;
#[cfg(feature = "cli")]
mod nagios;
mod notices;
#[cfg(feature = "cli")]
mod plain;
#[cfg(feature = "cli")]
mod pretty;
#[cfg(feature = "cli")]
mod probed;
#[cfg(feature = "cli")]
mod prometheus;
#[cfg(feature = "cli")]
mod recorded;
#[cfg(feature = "cli")]
mod redacting;
#[cfg(feature = "cli")]
mod repeated;
#[cfg(feature = "cli")]
mod replayed;
#[cfg(feature = "cli")]
mod review;
#[cfg(feature = "cli")]
mod served;
pub(crate) mod style;
#[cfg(feature = "cli")]
mod summary;
mod tally;
#[cfg(feature = "cli")]
mod tap;
#[cfg(feature = "cli")]
mod terminal;
#[cfg(feature = "cli")]
mod threshold;
#[cfg(feature = "cli")]
mod trace;
#[cfg(feature = "cli")]
mod unique;
#[cfg(feature = "cli")]
mod watched;
#[cfg(feature = "cli")]
mod wrapped;

use std::fmt;
#[cfg(feature = "cli")]
use std::path::Path;
#[cfg(feature = "cli")]
use std::sync::Arc;

#[cfg(feature = "cli")]
use crate::outcome::ExitCode;
use crate::outcome::Outcome;

#[cfg(feature = "cli")]
pub(crate) use beside::{Beside, Side};
#[cfg(feature = "cli")]
pub(crate) use events::Events;
#[cfg(feature = "cli")]
pub(crate) use examined::{Diagnosis, Language};
#[cfg(feature = "cli")]
pub(crate) use formats::{FORMATS, Format, Setup};
#[cfg(feature = "cli")]
pub(crate) use github::Github;
#[cfg(feature = "cli")]
pub(crate) use html::Html;
pub(crate) use human::Human;
#[cfg(feature = "cli")]
use in_order::InOrder;
#[cfg(feature = "cli")]
pub(crate) use json::Json;
#[cfg(feature = "cli")]
pub(crate) use junit::Junit;
#[cfg(feature = "cli")]
use matrix::Matrix;
#[cfg(feature = "cli")]
pub(crate) use nagios::{Nagios, unknown};
#[cfg(feature = "cli")]
pub(crate) use plain::Plain;
#[cfg(feature = "cli")]
pub(crate) use pretty::Pretty;
#[cfg(feature = "cli")]
pub(crate) use probed::{Probed, Unexpected};
#[cfg(feature = "cli")]
pub(crate) use prometheus::Prometheus;
#[cfg(feature = "cli")]
pub(crate) use redacting::Redacting;
#[cfg(feature = "cli")]
pub(crate) use repeated::{Cost, Repeated};
#[cfg(feature = "cli")]
pub(crate) use replayed::Replayed;
#[cfg(feature = "cli")]
pub(crate) use review::Review;
#[cfg(feature = "cli")]
pub(crate) use served::Served;
#[cfg(feature = "cli")]
pub(crate) use summary::Summary;
pub(crate) use tally::Tally;
#[cfg(feature = "cli")]
pub(crate) use tap::Tap;
#[cfg(feature = "cli")]
pub(crate) use threshold::{Threshold, Thresholds};
#[cfg(feature = "cli")]
pub(crate) use trace::Trace;
#[cfg(feature = "cli")]
pub(crate) use watched::Watched;

/// The scripts and targets of a run.
#[cfg(feature = "cli")]
#[derive(Clone, Debug, Default)]
pub(crate) struct Planned {
    /// The number of scripts, counted once for each target; `None` if they are repeated until
    /// something ends the run.
    pub(crate) scripts: Option<usize>,
    /// The targets that were named.
    pub(crate) targets: Vec<Arc<str>>,
}

/// The text that the program prints for an outcome, without colours: one line if it passed,
/// everything if it failed. With `{:#}`, the whole transcript is included, also if it passed.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let human = Human { verbose: f.alternate(), timed: false };
        write!(f, "{}", anstream::adapter::strip_str(&human.outcome(self)))
    }
}

/// A report, told what happens in a run as it happens. Each method returns text to write at once.
/// Scripts are numbered from 0 in the order of the run, and may end in any order.
#[cfg(feature = "cli")]
pub(crate) trait Report: Send {
    /// The run begins.
    fn run_started(&mut self, _planned: &Planned) -> String {
        String::new()
    }

    /// A script begins, against a target if one was named.
    fn script_started(&mut self, _number: usize, _script: &Path, _target: Option<&str>) -> String {
        String::new()
    }

    /// A script has ended.
    fn script_ended(&mut self, number: usize, outcome: &Outcome) -> String;

    /// All scripts that were to run have ended.
    fn run_ended(&mut self, summary: &Summary) -> String;

    /// The exit code that readers of the report expect, if it is not the usual one. Called after
    /// the run has ended.
    fn exit_code(&self) -> Option<ExitCode> {
        None
    }
}
