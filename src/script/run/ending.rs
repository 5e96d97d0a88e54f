//! Why a script has to end, and what it still does then.

use std::cell::RefCell;
use std::rc::Rc;

use rhai::EvalAltResult;
use tokio::time::Instant;

use crate::script::coroutine::Stop;
use crate::script::deferred::Deferred;
use crate::script::ended::Ended;
use crate::script::raise::Caught;
use crate::script::scope::Scope;

/// Why a script has to end, if it has to, and its deferred closures.
#[derive(Default)]
pub(in crate::script) struct Ending {
    reason: RefCell<Option<Ended>>,
    /// The scope of the server whose closure has failed.
    failed_answer: RefCell<Option<Rc<Scope>>>,
    /// The closures that run at the end of the script.
    pub(in crate::script) deferred: Deferred,
}

impl Ending {
    /// Remembers why the script has to end. Only the first reason is kept.
    pub(in crate::script) fn end(&self, ended: Ended) {
        // The others may end only a branch, an attempt or a case; the script may go on.
        let is_of_all = match ended {
            Ended::Stopped(stop, _) => stop != Stop::Abandoned,
            Ended::AttemptCut(_) | Ended::AnswerFailed(_) => false,
            Ended::Skipped(_) | Ended::StackShort => true,
        };
        if !is_of_all {
            return;
        }
        self.reason.borrow_mut().get_or_insert(ended);
    }

    /// Notes in which scope a server was started whose closure has failed.
    pub(in crate::script) fn note_failed_answer(&self, scope: Rc<Scope>) {
        self.failed_answer.replace(Some(scope));
    }

    /// Returns the error of an attempt or a case, if only that has ended, and not the script. `until`
    /// is when the time of the attempt is up.
    pub(in crate::script) fn of_part(
        &self,
        raised: &EvalAltResult,
        part: &Scope,
        until: Option<Instant>,
    ) -> Option<Caught> {
        let EvalAltResult::ErrorTerminated(token, _) = raised.unwrap_inner() else { return None };
        let is_over = || until.is_some_and(|until| Instant::now() >= until);
        let is_its_own = |scope: &Rc<Scope>| part.has(scope);
        match token.clone().try_cast::<Ended>()? {
            Ended::AttemptCut(caught) if is_over() => Some(caught),
            Ended::AnswerFailed(caught) => {
                self.failed_answer.borrow().as_ref().is_some_and(is_its_own).then_some(caught)
            }
            _ => None,
        }
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
