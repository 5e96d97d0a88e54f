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
    /// The failures of closures that decide for servers, each with the scope in which its server was
    /// started, until that part of the script ends.
    failed_answers: RefCell<Vec<(Rc<Scope>, Caught)>>,
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

    /// Keeps the failure of a closure that decides for a server of this scope.
    pub(in crate::script) fn note_failed_answer(&self, scope: Rc<Scope>, failed: Caught) {
        self.failed_answers.borrow_mut().push((scope, failed));
    }

    /// Returns the failure of a closure that ends this scope, because the server was started here or
    /// around here.
    pub(in crate::script) fn failed_answer(&self, scope: &Scope) -> Option<Caught> {
        let failed = self.failed_answers.borrow();
        failed.iter().find(|(server, _)| server.has(scope)).map(|(_, failed)| failed.clone())
    }

    /// Takes the first failure of a closure for a server that was started in this part.
    pub(in crate::script) fn take_failed_answer(&self, part: &Scope) -> Option<Caught> {
        let mut all = self.failed_answers.borrow_mut();
        let first =
            all.iter().find(|(server, _)| part.has(server)).map(|(_, failed)| failed.clone());
        all.retain(|(server, _)| !part.has(server));
        first
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
        match token.clone().try_cast::<Ended>()? {
            Ended::AttemptCut(caught) if is_over() => Some(caught),
            Ended::AnswerFailed(_) => self.take_failed_answer(part),
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
