//! The memory that servers may hold together: those of one script count against its limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A limit on the bytes that servers hold together. The default has no limit.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    limit: usize,
    held: Arc<AtomicUsize>,
}

impl Default for Budget {
    fn default() -> Self {
        Self::of(usize::MAX)
    }
}

impl Budget {
    pub(crate) fn of(limit: usize) -> Self {
        Self { limit, held: Arc::default() }
    }

    /// The count of the bytes that are held.
    #[cfg(feature = "script")]
    pub(crate) fn count(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.held)
    }

    /// A limit for a part of what is held: this many bytes, or a quarter of the whole limit if that
    /// is less. The rest is left for other parts.
    pub(super) fn at_most(&self, bytes: usize) -> usize {
        bytes.min(self.limit / 4)
    }

    /// How many more bytes may be held.
    pub(super) fn left(&self) -> usize {
        self.limit.saturating_sub(self.held.load(Ordering::Relaxed))
    }

    /// Counts this many more bytes if the limit holds then. Returns whether it does.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let before = self.held.fetch_add(bytes, Ordering::Relaxed);
        let is_within = before.saturating_add(bytes) <= self.limit;
        if !is_within {
            self.give(bytes);
        }
        is_within
    }

    /// Counts this many more bytes, whatever the limit is.
    pub(super) fn add(&self, bytes: usize) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts this many bytes no more.
    pub(super) fn give(&self, bytes: usize) {
        let less = |held: usize| Some(held.saturating_sub(bytes));
        // The function always returns a number, so that this cannot fail.
        let _ = self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

/// Bytes that count against a budget until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    budget: Budget,
    bytes: usize,
}

impl Held {
    pub(super) fn new(budget: &Budget, bytes: usize) -> Self {
        budget.add(bytes);
        Self { budget: budget.clone(), bytes }
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Sets how many bytes are held, whatever the limit is.
    pub(super) fn set(&mut self, bytes: usize) {
        self.budget.add(bytes);
        self.budget.give(self.bytes);
        self.bytes = bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.give(self.bytes);
    }
}
