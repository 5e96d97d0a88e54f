//! The word `metric`: numbers that a script measures, for monitors.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{Dynamic, NativeCallContext, export_module};

use crate::error::{Error, Result};
use crate::outcome::Metric;
use crate::script::raise::{Raised, raise};
use crate::script::run::Run;

pub(super) const INTRO: &str = "A monitor that runs scripts (`--format nagios`, `--format prometheus`) gets the times of the \
whole script, of each step, of connecting and of TLS, and the remaining days of the certificate. A script can report other \
numbers with this word.";

/// The units that the guidelines of monitoring plugins define.
const UNITS: [&str; 5] = ["", "s", "%", "B", "c"];

/// The longest name of a metric, in bytes. Reports repeat it.
const LONGEST: usize = 1000;

fn keep(name: &str, value: &Dynamic, unit: &str) -> Result<()> {
    let number = value.as_float().ok().or_else(|| {
        #[allow(clippy::cast_precision_loss, reason = "a monitor draws a line by it")]
        value.as_int().ok().map(|number| number as f64)
    });
    let Some(number) = number.filter(|number| number.is_finite()) else {
        return Err(Error::usage(format!("the metric `{name}` is no number")));
    };
    if name.trim().is_empty() || name.len() > LONGEST || name.contains(['=', '\'', '\n', '\r']) {
        let error = Error::usage(format!("`{name}` is no name of a metric"));
        return Err(error.hint(
            "a name has letters, digits, blanks, and neither = nor quotes, and at most 1000 bytes",
        ));
    }
    if !UNITS.contains(&unit) {
        let error = Error::usage(format!("`{unit}` is no unit of a metric"));
        return Err(error.hint("a unit is s, %, B, c for a counter, or nothing"));
    }
    Run::current()?.steps.measure(Metric::new(name.to_owned(), number, unit.to_owned()))
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Reports a number to a monitor. Thresholds such as `-w queue=10` can refer to the number by
    /// its name.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// metric("extensions", s.ehlo("client.example").keywords.len());
    /// ```
    #[rhai_fn(return_raw)]
    pub fn metric(ctx: NativeCallContext, name: &str, value: Dynamic) -> Result<(), Raised> {
        keep(name, &value, "").map_err(|error| raise(&ctx, error))
    }

    /// The same with a unit: `"s"`, `"%"`, `"B"`, or `"c"` for a counter, which only grows.
    ///
    /// ```rhai
    /// connect().expect(220);
    /// metric("mailbox", 4096, "B");
    /// ```
    #[rhai_fn(name = "metric", return_raw)]
    pub fn metric_with_unit(
        ctx: NativeCallContext,
        name: &str,
        value: Dynamic,
        unit: &str,
    ) -> Result<(), Raised> {
        keep(name, &value, unit).map_err(|error| raise(&ctx, error))
    }
}
