//! Closures that decide what servers in the background do. A server runs on its own thread and
//! sends questions. The script answers them whenever one of its words waits.
#![expect(deprecated, reason = "Rhai's name for what may change")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use rhai::{Dynamic, Engine, FnPtr, Map, NativeCallContext, NativeCallContextStore, Position};
use tokio::sync::{Mutex, mpsc};

use super::ended::Ended;
use super::raise::{Caught, Raised, raise};
use super::scope::Scope;
use crate::error::Result;
use crate::server::{Asker, Question};

/// The questions of servers, and the closures that answer them.
pub(super) struct Questions {
    asker: Asker,
    /// In an asynchronous lock, because any branch may be the one that waits for questions.
    asked: Mutex<mpsc::UnboundedReceiver<Question>>,
    deciders: RefCell<Vec<Decider>>,
    /// Whether the script has ended, so that its closures must not run any more.
    is_over: Cell<bool>,
}

/// A closure, with the place where it was written.
struct Decider {
    closure: FnPtr,
    stored: NativeCallContextStore,
    reading: Reading,
    /// The scope in which the server was started.
    scope: Rc<Scope>,
}

/// How a closure is called, and how its end is read.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    /// Makes the value that the closure is given.
    pub(super) question: fn(&NativeCallContext<'_>, &Question) -> std::result::Result<Map, Raised>,
    /// Reads what a server has to do as steps.
    pub(super) answer: fn(&Dynamic) -> Result<String>,
    /// Reads an error, unless the script cannot catch it.
    pub(super) failure: fn(Raised, Option<&str>) -> std::result::Result<Caught, Raised>,
}

impl Default for Questions {
    fn default() -> Self {
        let (asker, questions) = mpsc::unbounded_channel();
        let (deciders, is_over) = (RefCell::default(), Cell::default());
        Self { asker, asked: Mutex::new(questions), deciders, is_over }
    }
}

impl Questions {
    /// Adds a closure that decides for a server of this scope. Returns the channel on which the
    /// server asks, and the number of the closure.
    pub(super) fn add(
        &self,
        context: &NativeCallContext<'_>,
        scope: Rc<Scope>,
        closure: FnPtr,
        reading: Reading,
    ) -> (Asker, usize) {
        let stored = context.store_data();
        let mut deciders = self.deciders.borrow_mut();
        deciders.push(Decider { closure, stored, reading, scope });
        (self.asker.clone(), deciders.len() - 1)
    }

    /// Whether questions may come.
    pub(super) fn are_expected(&self) -> bool {
        !self.is_over.get() && !self.deciders.borrow().is_empty()
    }

    /// Waits for the next question.
    pub(super) async fn next(&self) -> Question {
        match self.asked.lock().await.recv().await {
            Some(question) => question,
            // The channel is open until [`Questions::close`], because `self.asker` is one of its
            // senders.
            None => std::future::pending().await,
        }
    }

    /// The scope of the server that asks.
    pub(super) fn scope(&self, question: &Question) -> Option<Rc<Scope>> {
        Some(Rc::clone(&self.deciders.borrow().get(question.decider)?.scope))
    }

    /// Calls the closure that is asked, and passes its decision to the server.
    ///
    /// # Errors
    /// The end of what started the server, if the closure fails or its value is not an answer. The
    /// server then behaves normally. Whatever waits now may have nothing to do with the server, so
    /// it cannot catch that.
    pub(super) fn decide(&self, question: Question, engine: &Arc<Engine>) -> Result<(), Raised> {
        let decider = self
            .deciders
            .borrow()
            .get(question.decider)
            .map(|decider| (decider.closure.clone(), decider.stored.clone(), decider.reading));
        let Some((closure, stored, reading)) = decider else { return Ok(()) };
        let context = stored.create_context(engine);
        let answered = || {
            let said: Dynamic = closure
                .call_within_context(&context, ((reading.question)(&context, &question)?,))?;
            let done = (reading.answer)(&said).and_then(|steps| question.decide(&steps));
            done.map_err(|error| raise(&context, error))
        };
        answered().map_err(|raised: Raised| {
            let failed = (reading.failure)(raised, context.call_source());
            failed.map_or_else(std::convert::identity, |caught| {
                Ended::AnswerFailed(caught).raised(Position::NONE)
            })
        })
    }

    /// Ends the questions, because the script has ended. Servers behave normally from now on, and
    /// so do those that still wait for an answer. Call this on the script's own stack, because the
    /// closures are dropped here.
    pub(super) fn close(&self) {
        self.shut();
        self.deciders.take();
    }

    /// Leaks the closures that were never dropped, as
    /// [`Deferred::forget`](super::deferred::Deferred::forget) does.
    pub(super) fn forget(&self) {
        self.shut();
        std::mem::forget(self.deciders.take());
    }

    /// Accepts no more questions, and drops those that wait.
    fn shut(&self) {
        self.is_over.set(true);
        // The script has ended, so no wait for a question holds the lock.
        if let Ok(mut asked) = self.asked.try_lock() {
            asked.close();
            while asked.try_recv().is_ok() {}
        }
    }
}
