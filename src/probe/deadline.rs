//! The time left until the deadline of a port.

use std::time::{Duration, Instant};

/// How much later than its deadline a dialogue may end: its last operation, and the farewell.
pub(crate) const GOODBYE: Duration = Duration::from_millis(400);

/// The timeout for the next operation.
pub(super) fn left(deadline: Instant) -> Duration {
    // An operation without any time could not say what it had waited for.
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}
