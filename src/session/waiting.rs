//! The deadline of an operation, and what the one under way waits for.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::Waited;

/// The time an operation has.
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
        // A deadline beyond what the clock can say is none that anybody will live to see.
        self.started
            .checked_add(self.allowed)
            .unwrap_or(self.started + Duration::from_hours(24 * 365))
    }

    pub(super) fn waited(self) -> Waited {
        Waited { elapsed: self.started.elapsed(), allowed: self.allowed }
    }
}

/// What the operation under way waits for.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// In words, whose room the next operation uses again.
    pub(super) wanted: String,
    /// `None` while nothing is waited for.
    pub(super) since: Option<Wait>,
    /// The last read began after its deadline.
    pub(super) overdue: bool,
}
