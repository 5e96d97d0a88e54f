//! Closures that decide what servers in the background do. A server is on a thread of its own and
//! asks; the script answers whenever one of its words waits.
#![expect(deprecated, reason = "Rhai's name for what may change")]

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use bytes::Bytes;
use rhai::{Array, Dynamic, Engine, FnPtr, Map, NativeCallContext, NativeCallContextStore};
use tokio::sync::{Mutex, mpsc};

use super::raise::{Raised, kind, raise};
use crate::error::{Error, Result};
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
}

impl Default for Questions {
    fn default() -> Self {
        let (asker, questions) = mpsc::unbounded_channel();
        let (deciders, is_over) = (RefCell::default(), Cell::default());
        Self { asker, asked: Mutex::new(questions), deciders, is_over }
    }
}

impl Questions {
    /// Has a closure decide; where the server asks, and by which number.
    pub(super) fn add(&self, context: &NativeCallContext<'_>, closure: FnPtr) -> (Asker, usize) {
        let stored = context.store_data();
        let mut deciders = self.deciders.borrow_mut();
        deciders.push(Decider { closure, stored });
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
            .map(|decider| (decider.closure.clone(), decider.stored.clone()));
        let Some((closure, stored)) = decider else { return Ok(()) };
        let context = stored.create_context(engine);
        let said: Dynamic = closure.call_within_context(&context, (shown(&question),))?;
        let done = steps(&said).and_then(|steps| question.decide(&steps));
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

/// What a server is to do, as steps: a reply code, a reply, steps, or `()` to behave well.
///
/// # Errors
/// Usage for a value of another kind.
pub(super) fn steps(value: &Dynamic) -> Result<String> {
    if let Ok(code) = value.as_int() {
        let class = code / 100;
        if !(2..=5).contains(&class) {
            return Err(Error::usage(format!("{code} is no reply code")).hint("RCPT: 451"));
        }
        return Ok(format!("{code} {class}.0.0 as the script says"));
    }
    if value.is_unit() {
        return Ok(String::new());
    }
    value.as_immutable_string_ref().map(|text| text.to_string()).map_err(|_| {
        let given = kind(value.type_name());
        let error = format!("an answer is a reply code, text or (), and not of type {given}");
        Error::usage(error).hint(
            "a list gives one answer for each time, RCPT: [451, ()]; a closure decides each time, \
             RCPT: |command| if command.number == 1 { 451 }",
        )
    })
}
