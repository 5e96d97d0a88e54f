//! The closures that a script defers to its end. They run in any event, the last one first.

use std::cell::{Cell, RefCell};

use rhai::FnPtr;

use super::raise::Spot;
use crate::error::Error;

/// The most closures. A script that defers more has a loop that does not end.
const MOST: usize = 10_000;

/// The closures that run at the end of the script.
#[derive(Default)]
pub(super) struct Deferred {
    closures: RefCell<Vec<(FnPtr, Spot)>>,
    /// Whether the script was already allowed to go on after a stop. It may do so once, for its
    /// deferred closures.
    pardoned: Cell<bool>,
}

impl Deferred {
    /// Adds a closure. It runs before those that were added earlier.
    pub(super) fn push(&self, closure: FnPtr, spot: Spot) -> Result<(), Error> {
        let mut closures = self.closures.borrow_mut();
        if closures.len() >= MOST {
            return Err(Error::usage(format!("more than {MOST} closures are deferred")));
        }
        closures.push((closure, spot));
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.closures.borrow().len()
    }

    /// Takes the closure that was added last, if there are more than `from`.
    pub(super) fn pop(&self, from: usize) -> Option<(FnPtr, Spot)> {
        let mut closures = self.closures.borrow_mut();
        if closures.len() > from { closures.pop() } else { None }
    }

    /// Whether the script may go on after it was stopped. True only for the first call.
    pub(super) fn is_pardoned(&self) -> bool {
        !self.pardoned.replace(true)
    }

    /// Leaks the closures that never ran. A value of a script may be nested too deeply to be
    /// dropped on another stack than the script's own.
    pub(super) fn forget(&self) {
        std::mem::forget(self.closures.take());
    }
}
