//! Why a script has to end, and what it still does then.

use std::cell::RefCell;

use crate::script::coroutine::Stop;
use crate::script::deferred::Deferred;
use crate::script::ended::Ended;

/// Why a script has to end, if it has to, and its deferred closures.
#[derive(Default)]
pub(in crate::script) struct Ending {
    reason: RefCell<Option<Ended>>,
    /// The closures that run at the end of the script.
    pub(in crate::script) deferred: Deferred,
}

impl Ending {
    /// Remembers why the script has to end. Only the first reason is kept.
    pub(in crate::script) fn end(&self, ended: Ended) {
        // This ends only one branch; the script may go on.
        if matches!(ended, Ended::Stopped(Stop::Abandoned, _)) {
            return;
        }
        self.reason.borrow_mut().get_or_insert(ended);
    }

    /// Sets why the script has to end; `None` if it does not have to.
    pub(in crate::script) fn set(&self, ended: Option<Ended>) {
        self.reason.replace(ended);
    }

    /// Returns why the script has to end, if it has to.
    pub(in crate::script) fn reason(&self) -> Option<Ended> {
        self.reason.borrow().clone()
    }
}
