//! Thresholds of metrics, as the guidelines of monitoring plugins write them
//! (<https://www.monitoring-plugins.org/doc/guidelines.html>, "Threshold and ranges").

use std::fmt;
use std::str::FromStr;

/// The range in which a metric has to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Threshold {
    pub(super) metric: String,
    /// The range as it was written, for the performance data.
    pub(super) range: String,
    start: f64,
    end: f64,
    /// Whether values inside of the range alert, instead of values outside.
    is_inside: bool,
}

/// The thresholds that the user has set for a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Thresholds {
    pub(crate) warning: Vec<Threshold>,
    pub(crate) critical: Vec<Threshold>,
}

impl Threshold {
    /// Whether the value crosses the threshold, so that it alerts.
    pub(super) fn is_crossed(&self, value: f64) -> bool {
        let is_within = self.start <= value && value <= self.end;
        is_within == self.is_inside
    }
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The metric may be the title of a step, which may contain an equals sign.
        let (metric, range) = text.rsplit_once('=').ok_or_else(|| {
            "a threshold is METRIC=RANGE, such as total=5 or cert_days=14:".to_owned()
        })?;
        let (is_inside, rest) = match range.strip_prefix('@') {
            Some(rest) => (true, rest),
            None => (false, range),
        };
        let (start, end) = match rest.split_once(':') {
            Some((start, end)) => (bound(start, f64::NEG_INFINITY)?, bound(end, f64::INFINITY)?),
            None => (0.0, bound(rest, f64::NAN)?),
        };
        let is_sound = !metric.is_empty() && !end.is_nan() && start <= end;
        let read =
            Self { metric: metric.to_owned(), range: range.to_owned(), start, end, is_inside };
        if is_sound { Ok(read) } else { Err(wrong()) }
    }
}

/// One end of a range. No bound is written as `~` before the colon, and as nothing after the colon.
fn bound(text: &str, unbounded: f64) -> Result<f64, String> {
    match text {
        "~" if unbounded < 0.0 => Ok(unbounded),
        "" if unbounded > 0.0 => Ok(unbounded),
        // Many people write `:10` for `0:10`.
        "" if unbounded < 0.0 => Ok(0.0),
        number => number.parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(wrong),
    }
}

fn wrong() -> String {
    "a range is 10 (from 0 to 10), 10: (at least 10), ~:10 (at most 10), 10:20, or @10:20 (outside), \
     times in seconds"
        .to_owned()
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.metric, self.range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_alerts_as_the_guidelines_have_it() {
        for (range, fine, alerts) in [
            ("10", &[0.0, 10.0][..], &[-0.1, 10.1][..]),
            ("10:", &[10.0, 1e9], &[9.9, -1.0]),
            ("~:10", &[-1e9, 10.0], &[10.1]),
            (":10", &[0.0, 10.0], &[-1.0, 11.0]),
            ("10:20", &[10.0, 20.0], &[9.9, 20.1]),
            ("@10:20", &[9.9, 20.1], &[10.0, 20.0]),
            ("-5:5", &[-5.0, 5.0], &[-5.1]),
        ] {
            let threshold: Threshold = format!("a step=x={range}").parse().unwrap();
            assert_eq!((threshold.metric.as_str(), threshold.range.as_str()), ("a step=x", range));
            for value in fine {
                assert!(!threshold.is_crossed(*value), "{range}: {value}");
            }
            for value in alerts {
                assert!(threshold.is_crossed(*value), "{range}: {value}");
            }
        }
        for wrong in ["total", "total=", "=5", "total=5s", "total=20:10", "total=~", "total=inf"] {
            assert!(wrong.parse::<Threshold>().is_err(), "{wrong}");
        }
    }
}
