//! Durations as people write them: `"500ms"`, `"5s"`, `"2m"`.

pub(crate) mod shown;

use std::time::Duration;

pub(crate) use shown::{longer, show};

use crate::error::{Error, Result};

/// The longest duration that is accepted: a day. Longer ones are mistakes in the unit.
const LONGEST: Duration = Duration::from_hours(24);

/// Parses `"500ms"`, `"5s"`, `"2m"`, `"1h"`, or seconds without a unit (`"1.5"`).
///
/// # Errors
/// A usage error that shows the text and the accepted forms.
pub(crate) fn parse(text: &str) -> Result<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit.trim() {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(unreadable(text)),
    };
    let number: f64 = number.parse().map_err(|_| unreadable(text))?;
    from_seconds(number * scale).ok_or_else(|| unreadable(text))
}

/// Seconds as a duration; `None` if they are negative or more than a day.
#[must_use]
pub(crate) fn from_seconds(seconds: f64) -> Option<Duration> {
    let duration = Duration::try_from_secs_f64(seconds).ok()?;
    (duration <= LONGEST).then_some(duration)
}

fn unreadable(text: &str) -> Error {
    Error::usage(format!("`{text}` is not a duration"))
        .hint("write \"500ms\", \"5s\", \"2m\", or seconds as a number; at most 24h")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        for (text, millis) in [
            ("500ms", 500),
            ("5s", 5000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("1.5", 1500),
            ("0", 0),
        ] {
            assert_eq!(parse(text).unwrap(), Duration::from_millis(millis), "{text}");
        }
    }

    #[test]
    fn an_error_about_a_duration_says_what_one_is() {
        for text in ["", "soon", "5 parsecs", "-1s", "1..5s", "25h", "99999999999999999999h"] {
            let error = parse(text).unwrap_err();
            assert!(
                error.is_usage() && error.next_step().unwrap().contains("500ms"),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn durations_are_shown_short() {
        for (millis, shown) in [
            (0, "0 ms"),
            (3, "3 ms"),
            (500, "500 ms"),
            (1500, "1.5 s"),
            (10_000, "10 s"),
            (300_000, "5 min"),
        ] {
            assert_eq!(show(Duration::from_millis(millis)), shown);
        }
        assert_eq!(show(Duration::from_micros(1340)), "1.3 ms");
    }
}
