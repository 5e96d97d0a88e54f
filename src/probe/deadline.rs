//! What is left of the time of one port.

use std::time::{Duration, Instant};

/// How long the next operation may take.
pub(super) fn left(deadline: Instant) -> Duration {
    // An operation without any time would say nothing of what it waited for.
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}
