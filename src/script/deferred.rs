//! What a script defers to its end: closures that run whatever happened, the last one first.

use std::cell::{Cell, RefCell};

use rhai::FnPtr;

use super::raise::Spot;
use crate::error::Error;

/// More are a loop that has gone wrong.
const MOST: usize = 10_000;

/// The closures that are to run at the end.
#[derive(Default)]
pub(super) struct Deferred {
    closures: RefCell<Vec<(FnPtr, Spot)>>,
    /// A script that was stopped may go on for what it deferred, once.
    pardoned: Cell<bool>,
}

impl Deferred {
    /// Adds a closure, to run before those that are there.
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

    /// The last of them, if there are more than so many.
    pub(super) fn pop(&self, from: usize) -> Option<(FnPtr, Spot)> {
        let mut closures = self.closures.borrow_mut();
        if closures.len() > from { closures.pop() } else { None }
    }

    /// Whether the script may go on after it was stopped; only once.
    pub(super) fn is_pardoned(&self) -> bool {
        !self.pardoned.replace(true)
    }

    /// Leaks what was never run: a value of a script may be nested too deep to be dropped on
    /// another stack than the script's own.
    pub(super) fn forget(&self) {
        std::mem::forget(self.closures.take());
    }
}
