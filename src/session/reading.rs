//! Limits how fast the peer's bytes are read.

use std::time::Duration;

use tokio::time::Instant;

/// The most bytes that are read in a second, and when the next ones may be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    bytes_per_second: u32,
    next: Instant,
}

impl Reading {
    pub(super) fn new(bytes_per_second: u32) -> Self {
        Self { bytes_per_second, next: Instant::now() }
    }

    /// When more may be read; `None` if the rate is 0, so that nothing is ever read.
    pub(super) fn next(&self) -> Option<Instant> {
        (self.bytes_per_second > 0).then_some(self.next)
    }

    /// How many bytes one read may take: those of a tenth of a second.
    pub(super) fn at_once(&self) -> usize {
        (self.bytes_per_second as usize / 10).max(1)
    }

    /// Records that this number of bytes was read.
    pub(super) fn took(&mut self, count: usize) {
        let rate = u64::from(self.bytes_per_second.max(1));
        let nanos = (count as u64).saturating_mul(1_000_000_000) / rate;
        self.next = Instant::now().max(self.next) + Duration::from_nanos(nanos);
    }
}
