//! The deadline of an operation, and what the operation in progress waits for.

use std::time::Duration;

use tokio::time::Instant;

use crate::duration;
use crate::error::Waited;

/// The time that an operation has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    pub(super) started: Instant,
    pub(super) allowed: Duration,
}

impl Wait {
    pub(super) fn new(allowed: Duration) -> Self {
        Self { started: Instant::now(), allowed }
    }

    pub(super) fn deadline(self) -> Instant {
        // If the clock cannot represent the deadline, a year is long enough to stand for it.
        self.started
            .checked_add(self.allowed)
            .unwrap_or(self.started + Duration::from_hours(24 * 365))
    }

    /// A timeout that gives the peer longer, as scripts and `--timeout` take it.
    pub(super) fn longer(self) -> String {
        duration::longer(self.allowed)
    }

    pub(super) fn waited(self) -> Waited {
        Waited { elapsed: self.started.elapsed(), allowed: self.allowed }
    }
}

/// What the operation in progress waits for.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// A description of what is wanted. The next operation reuses its allocation.
    pub(super) wanted: String,
    /// When the wait began; `None` while nothing is waited for.
    pub(super) since: Option<Wait>,
    /// Whether the last read began after its deadline.
    pub(super) overdue: bool,
    /// When the runtime last had a turn; at first, when the operation began.
    pub(super) turn: Option<Instant>,
}
