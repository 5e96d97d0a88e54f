//! How much memory the process adds while a script runs.

use std::cell::Cell;

use crate::script::{coroutine, memory};

/// How many checks lie between two reads of the memory of the process, because a system call takes
/// longer than a few operations of a script.
const LOOKS: u32 = 32;

/// The limit on the memory that the process adds while a script runs.
pub(in crate::script) struct Growth {
    /// The resident memory at the first check, when the script had only just begun.
    began: Cell<Option<usize>>,
    /// How many bytes the process may hold beyond its memory at the first check.
    allowance: usize,
    /// How many times the memory was checked.
    looks: Cell<u32>,
}

impl Growth {
    pub(super) fn up_to(allowance: usize) -> Self {
        Self { began: Cell::default(), allowance, looks: Cell::default() }
    }

    /// Whether the process has added more memory than it may since this run began. This is called
    /// every few operations, but reads the memory only at some of the calls. Always false if the
    /// memory of each script is counted.
    pub(in crate::script) fn is_too_much(&self) -> bool {
        let looks = self.looks.get().wrapping_add(1);
        self.looks.set(looks);
        if coroutine::is_counted() || !looks.is_multiple_of(LOOKS) {
            return false;
        }
        let Some(now) = memory::resident() else { return false };
        let began = self.began.get().unwrap_or(now);
        self.began.set(Some(began));
        now > began.saturating_add(self.allowance)
    }
}
