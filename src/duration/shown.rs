//! Durations as people read them.

use std::time::Duration;

/// A duration in two or three digits for people: `3 ms`, `1.5 s`, `2 min`.
#[must_use]
pub(crate) fn show(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 0.0095 && !duration.subsec_micros().is_multiple_of(1000) {
        format!("{:.1} ms", seconds * 1e3)
    } else if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 120.0 {
        let text = format!("{seconds:.1}");
        format!("{} s", text.strip_suffix(".0").unwrap_or(&text))
    } else {
        format!("{:.0} min", seconds / 60.0)
    }
}

/// A timeout to try after one that was too short, in the notation of options: twice as long, and at
/// least half a minute.
#[must_use]
pub(crate) fn longer(timeout: Duration) -> String {
    let seconds = timeout.as_secs().saturating_mul(2).max(30);
    if seconds.is_multiple_of(60) { format!("{}m", seconds / 60) } else { format!("{seconds}s") }
}
