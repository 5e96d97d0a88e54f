//! Reading a peer no faster than at some rate.

use std::time::Duration;

use tokio::time::Instant;

/// A rate, and when the next bytes may be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    bytes_per_second: u32,
    next: Instant,
}

impl Reading {
    pub(super) fn new(bytes_per_second: u32) -> Self {
        Self { bytes_per_second, next: Instant::now() }
    }

    /// When more may be read; never, if the rate is nothing.
    pub(super) fn next(&self) -> Option<Instant> {
        (self.bytes_per_second > 0).then_some(self.next)
    }

    /// How much may be read at once: what comes in a tenth of a second.
    pub(super) fn at_once(&self) -> usize {
        (self.bytes_per_second as usize / 10).max(1)
    }

    /// So much was read.
    pub(super) fn took(&mut self, count: usize) {
        let rate = u64::from(self.bytes_per_second.max(1));
        let nanos = (count as u64).saturating_mul(1_000_000_000) / rate;
        self.next = Instant::now().max(self.next) + Duration::from_nanos(nanos);
    }
}
