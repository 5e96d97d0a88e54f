//! Closures that decide what servers in the background do. A server is on a thread of its own and
//! asks; the script answers whenever one of its words waits.
#![expect(deprecated, reason = "Rhai's name for what may change")]

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use bytes::Bytes;
use rhai::{Array, Dynamic, Engine, FnPtr, Map, NativeCallContext, NativeCallContextStore};
use tokio::sync::{Mutex, mpsc};

use super::raise::{Raised, raise};
use crate::error::Result;
use crate::server::{Asker, Question};
use crate::session::Command;

/// What servers ask, and who answers.
pub(super) struct Questions {
    asker: Asker,
    /// Behind a lock that one branch hands to the next: any of them may be the one that waits.
    asked: Mutex<mpsc::UnboundedReceiver<Question>>,
    deciders: RefCell<Vec<Decider>>,
    /// Whether the script has ended, and no closure of it may run any more.
    is_over: Cell<bool>,
}

/// A closure, and where it was written.
struct Decider {
    closure: FnPtr,
    stored: NativeCallContextStore,
    /// Reads what it gives back, as steps.
    read: Read,
}

/// Reads what a server is to do, as steps.
pub(super) type Read = fn(&Dynamic) -> Result<String>;

impl Default for Questions {
    fn default() -> Self {
        let (asker, questions) = mpsc::unbounded_channel();
        let (deciders, is_over) = (RefCell::default(), Cell::default());
        Self { asker, asked: Mutex::new(questions), deciders, is_over }
    }
}

impl Questions {
    /// Has a closure decide; where the server asks, and by which number.
    pub(super) fn add(
        &self,
        context: &NativeCallContext<'_>,
        closure: FnPtr,
        read: Read,
    ) -> (Asker, usize) {
        let stored = context.store_data();
        let mut deciders = self.deciders.borrow_mut();
        deciders.push(Decider { closure, stored, read });
        (self.asker.clone(), deciders.len() - 1)
    }

    /// Whether any may come.
    pub(super) fn are_expected(&self) -> bool {
        !self.is_over.get() && !self.deciders.borrow().is_empty()
    }

    /// The next one.
    pub(super) async fn next(&self) -> Question {
        match self.asked.lock().await.recv().await {
            Some(question) => question,
            // It cannot come to its end: one of its senders is here.
            None => std::future::pending().await,
        }
    }

    /// Calls the closure that is asked, and has the server do what it says.
    ///
    /// # Errors
    /// What the closure raised, and usage for a value that is no answer; the server behaves well
    /// then.
    pub(super) fn decide(&self, question: Question, engine: &Arc<Engine>) -> Result<(), Raised> {
        let decider = self
            .deciders
            .borrow()
            .get(question.decider)
            .map(|decider| (decider.closure.clone(), decider.stored.clone(), decider.read));
        let Some((closure, stored, read)) = decider else { return Ok(()) };
        let context = stored.create_context(engine);
        let said: Dynamic = closure.call_within_context(&context, (shown(&question),))?;
        let done = read(&said).and_then(|steps| question.decide(&steps));
        done.map_err(|error| raise(&context, error))
    }

    /// The script has ended: who asks from now on is answered well, and so is who still waits. To be
    /// called on the script's own stack, on which its closures are dropped.
    pub(super) fn close(&self) {
        self.shut();
        self.deciders.take();
    }

    /// Leaks what was never closed: as [`Deferred::forget`](super::deferred::Deferred::forget).
    pub(super) fn forget(&self) {
        self.shut();
        std::mem::forget(self.deciders.take());
    }

    /// Takes no more questions, and lets go of those that wait.
    fn shut(&self) {
        self.is_over.set(true);
        // Nobody waits for one any more who would hold the lock.
        if let Ok(mut asked) = self.asked.try_lock() {
            asked.close();
            while asked.try_recv().is_ok() {}
        }
    }
}

/// A command as the closure sees it: what `expect_command` gives, with the number of the connection
/// and the number of the command.
fn shown(question: &Question) -> Map {
    let count = |number: u64| Dynamic::from(i64::try_from(number).unwrap_or(i64::MAX));
    let command = Command::new(Bytes::copy_from_slice(&question.command), question.speech);
    let arguments: Array = command.arguments().into_iter().map(Into::into).collect();
    let parameters = command.parameters().into_iter();
    let parameters: Map =
        parameters.map(|(keyword, value)| (keyword.into(), value.into())).collect();
    let parts: [(&str, Dynamic); 9] = [
        ("text", command.text().into_owned().into()),
        ("verb", command.verb().into()),
        ("argument", command.argument().into_owned().into()),
        ("arguments", arguments.into()),
        ("address", command.address().map_or(Dynamic::UNIT, Into::into)),
        ("parameters", parameters.into()),
        ("bytes", Dynamic::from_blob(question.command.clone())),
        ("connection", count(question.connection)),
        ("number", count(question.number)),
    ];
    parts.into_iter().map(|(name, value)| (name.into(), value)).collect()
}
