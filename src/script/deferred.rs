//! The closures that a script defers to its end. They run in any event, the last one first.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rhai::FnPtr;

use super::order::InOrder;
use super::raise::Spot;
use super::scope::Scope;
use crate::error::Error;

/// The most closures. A script that defers more has a loop that does not end.
const MOST: usize = 10_000;

/// The closures that run at the end of the script, or of the scope that deferred them.
#[derive(Default)]
pub(super) struct Deferred {
    closures: RefCell<InOrder<(Rc<Scope>, FnPtr, Spot)>>,
    /// Whether the script was already allowed to go on after a stop. It may do so once, for its
    /// deferred closures.
    pardoned: Cell<bool>,
}

impl Deferred {
    /// Adds a closure. It runs before those that were added earlier, and before those of earlier
    /// branches.
    pub(super) fn push(&self, scope: Rc<Scope>, closure: FnPtr, spot: Spot) -> Result<(), Error> {
        let mut closures = self.closures.borrow_mut();
        if closures.len() >= MOST {
            return Err(Error::usage(format!("more than {MOST} closures are deferred")));
        }
        closures.add(scope.order(), (scope, closure, spot));
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.closures.borrow().is_empty()
    }

    /// Takes the last closure of a scope.
    pub(super) fn pop(&self, scope: &Scope) -> Option<(FnPtr, Spot)> {
        let mut closures = self.closures.borrow_mut();
        let place = closures.iter().rposition(|(of, ..)| scope.has(of))?;
        let (_, closure, spot) = closures.remove(place);
        Some((closure, spot))
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
