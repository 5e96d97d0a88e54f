//! The bytes that clients have sent.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The bytes that clients have sent so far, and a signal for each change.
#[derive(Debug, Default)]
pub(super) struct Heard {
    bytes: Mutex<Vec<u8>>,
    more: Condvar,
}

impl Heard {
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.lock().clone()
    }

    pub(super) fn wait_until(&self, done: impl Fn(&[u8]) -> bool) {
        let heard = self.more.wait_while(self.lock(), |heard| !done(heard));
        drop(heard.unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn push(&self, bytes: &[u8]) {
        self.lock().extend_from_slice(bytes);
        self.more.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
