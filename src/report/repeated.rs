//! Shows many runs of one script as counts and percentiles.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::explained::at;
use super::style::{BAD, DIM, GOOD, ODD};
use crate::error::{Error, Kind, Result};
use crate::outcome::{Outcome, Verdict};
use crate::{duration, visible};

/// The percentiles that are shown.
const PERCENTILES: [f64; 4] = [50.0, 90.0, 99.0, 99.9];
/// The number of significant digits of a latency.
const DIGITS: u8 = 3;
/// The maximum latency, a day in nanoseconds. Longer ones count as this.
const LONGEST: u64 = 24 * 60 * 60 * 1_000_000_000;

/// The totals of many runs of one script. Outcomes are counted and dropped.
#[derive(Debug)]
pub(crate) struct Repeated {
    script: PathBuf,
    target: Option<Arc<str>>,
    /// The durations of the runs that passed, in nanoseconds.
    latency: Histogram<u64>,
    skipped: u64,
    interrupted: u64,
    failures: BTreeMap<Fault, u64>,
}

/// A fault: failures of the same kind at the same place count as one.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fault {
    kind: &'static str,
    place: Option<String>,
}

/// The time and CPU time of all runs together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// The maximum number of runs at the same time.
    pub(crate) at_once: usize,
    pub(crate) elapsed: Duration,
    pub(crate) cpu: Duration,
}

impl Repeated {
    /// The totals before the first run of a script against a target.
    ///
    /// # Errors
    /// If the histogram cannot be made.
    pub(crate) fn new(script: PathBuf, target: Option<Arc<str>>) -> Result<Self> {
        let latency = Histogram::new_with_max(LONGEST, DIGITS);
        let latency =
            latency.map_err(|error| Error::new(Kind::Io, format!("no histogram: {error}")))?;
        Ok(Self { script, target, latency, skipped: 0, interrupted: 0, failures: BTreeMap::new() })
    }

    /// Counts one more run. Returns whether it failed with a kind or at a place that no run before
    /// it had.
    pub(crate) fn add(&mut self, outcome: &Outcome) -> bool {
        match &outcome.verdict {
            Verdict::Passed => {
                self.latency.saturating_record(
                    u64::try_from(outcome.elapsed.as_nanos()).unwrap_or(u64::MAX),
                );
            }
            Verdict::Skipped(_) => self.skipped += 1,
            Verdict::Interrupted(_) => self.interrupted += 1,
            Verdict::Failed(failure) => {
                return self.fault(failure.error.kind().name(), failure.place.as_ref().map(at));
            }
            Verdict::Differs(_) => return self.fault("golden", None),
        }
        false
    }

    /// Counts a failure. Returns whether it is the first of its kind at its place.
    fn fault(&mut self, kind: &'static str, place: Option<String>) -> bool {
        let count = self.failures.entry(Fault { kind, place }).or_default();
        *count += 1;
        *count == 1
    }

    /// The counts, the rate, the cost and the latencies.
    pub(crate) fn table(&self, cost: Cost) -> String {
        let failed = self.failures.values().sum();
        let counts = [
            (self.latency.len(), "passed", GOOD),
            (failed, "failed", BAD),
            (self.skipped, "skipped", ODD),
            (self.interrupted, "interrupted", ODD),
        ];
        let runs: u64 = counts.iter().map(|(count, ..)| count).sum();
        let target = self.target.as_ref().map(|target| format!(" @{target}")).unwrap_or_default();
        let name = format!("{}{target}", self.script.to_string_lossy());
        let name = visible::escape(name.as_bytes());
        let noun = if runs == 1 { "run" } else { "runs" };
        let mut text = format!(
            "{name}: {runs} {noun}, {} at once {DIM}({}){DIM:#}\n",
            cost.at_once,
            duration::show(cost.elapsed)
        );
        for (count, word, style) in counts.iter().filter(|(count, ..)| *count > 0) {
            let _ = writeln!(text, "  {style}{word:<11}{style:#} {count}");
            for (fault, count) in self.failures.iter().filter(|_| *word == "failed") {
                let place =
                    fault.place.as_ref().map(|place| format!(" at {place}")).unwrap_or_default();
                let _ = writeln!(text, "              {count} {}{place}", fault.kind);
            }
        }
        if runs > 0 {
            self.speed(&mut text, runs, cost);
        }
        text
    }

    fn speed(&self, text: &mut String, runs: u64, cost: Cost) {
        #[allow(clippy::cast_precision_loss, reason = "for a person's eyes")]
        let runs = runs as f64;
        let _ = writeln!(text, "  rate        {:.1} runs/s", runs / cost.elapsed.as_secs_f64());
        let _ = writeln!(text, "  CPU         {:.1} µs a run", cost.cpu.as_secs_f64() * 1e6 / runs);
        if self.latency.is_empty() {
            return;
        }
        let percentiles = PERCENTILES.map(|percentile| {
            format!("{percentile}% {}", latency(self.latency.value_at_percentile(percentile)))
        });
        let (least, most) = (latency(self.latency.min()), latency(self.latency.max()));
        let _ =
            writeln!(text, "  latency     least {least}, {}, most {most}", percentiles.join(", "));
    }
}

/// A duration given in nanoseconds, with three digits.
fn latency(nanoseconds: u64) -> String {
    let seconds = Duration::from_nanos(nanoseconds).as_secs_f64();
    match seconds {
        ..0.001 => format!("{:.0} µs", seconds * 1e6),
        ..0.01 => format!("{:.2} ms", seconds * 1e3),
        ..0.1 => format!("{:.1} ms", seconds * 1e3),
        ..1.0 => format!("{:.0} ms", seconds * 1e3),
        _ => format!("{seconds:.2} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::outcome::{Failure, Place};

    fn outcome(verdict: Verdict, millis: u64) -> Outcome {
        let elapsed = Duration::from_millis(millis);
        Outcome { elapsed, ..Outcome::new(std::path::Path::new("x.rhai"), verdict) }
    }

    fn failed(kind: Kind, line: usize) -> Verdict {
        let place = Place { file: "x.rhai".to_owned(), line, column: 3, source: None, caret: 3 };
        Verdict::Failed(Box::new(Failure { place: Some(place), ..Error::new(kind, "x").into() }))
    }

    #[test]
    fn runs_are_counted_by_what_became_of_them() {
        let mut repeated = Repeated::new("x.rhai".into(), None).unwrap();
        for millis in 1..=1000 {
            assert!(!repeated.add(&outcome(Verdict::Passed, millis)));
        }
        assert!(!repeated.add(&outcome(Verdict::Skipped("no TLS".to_owned()), 1)));
        assert!(repeated.add(&outcome(failed(Kind::Timeout, 4), 10_000)), "the first of its kind");
        assert!(!repeated.add(&outcome(failed(Kind::Timeout, 4), 10_000)), "the same again");
        assert!(repeated.add(&outcome(failed(Kind::Timeout, 5), 10_000)), "at another place");
        assert!(repeated.add(&outcome(failed(Kind::Mismatch, 5), 10_000)), "of another kind");
        let cost = Cost {
            at_once: 50,
            elapsed: Duration::from_secs(2),
            cpu: Duration::from_micros(1005 * 120),
        };
        insta::assert_snapshot!(anstream::adapter::strip_str(&repeated.table(cost)).to_string(), @r"
        x.rhai: 1005 runs, 50 at once (2 s)
          passed      1000
          failed      4
                      1 mismatch at x.rhai:5:3
                      2 timeout at x.rhai:4:3
                      1 timeout at x.rhai:5:3
          skipped     1
          rate        502.5 runs/s
          CPU         120.0 µs a run
          latency     least 1000 µs, 50% 500 ms, 90% 900 ms, 99% 990 ms, 99.9% 1.00 s, most 1.00 s
        ");
    }

    #[test]
    fn latencies_have_three_digits() {
        let shown =
            [5_000, 312_400, 1_234_000, 12_340_000, 123_400_000, 12_345_000_000].map(latency);
        assert_eq!(shown, ["5 µs", "312 µs", "1.23 ms", "12.3 ms", "123 ms", "12.35 s"]);
    }
}
