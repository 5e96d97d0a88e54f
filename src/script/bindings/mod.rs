//! The words of the language, a file for each noun. A binding converts, calls, and maps the error.
//!
//! The doc comments here are the reference manual: `mailexpect reference` prints them.

mod argument;
mod auth;
mod capabilities;
mod caught;
mod expect;
mod golden;
mod imap;
mod message;
mod pattern;
mod pop3;
mod reply;
mod send;
mod session;
mod shared;
mod sieve;
mod smtp;
mod standard;
mod test;
mod tls;
mod verb;

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use rhai::{Module, NativeCallContext, Shared};
use verb::{Manual, words_of};

use super::coroutine;
use super::engine::Ended;
use super::raise::{self, Raised, Spot};
use super::run::Run;
use crate::error::{Error, Kind, Result};
use crate::session::Session;

/// Words that belong together, with their place in the reference.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) intro: &'static str,
    pub(super) module: Shared<Module>,
}

/// All words, in the order of the reference.
pub(super) fn groups() -> &'static [Group] {
    static GROUPS: LazyLock<Vec<Group>> = LazyLock::new(|| {
        let group =
            |(title, intro, module): (_, _, Module)| Group { title, intro, module: module.into() };
        chapters(Manual::Wanted).map(group).collect()
    });
    &GROUPS
}

/// All words in one module: a call looks through modules one after the other.
pub(super) fn vocabulary() -> Shared<Module> {
    static VOCABULARY: LazyLock<Shared<Module>> = LazyLock::new(|| {
        let mut all = Module::new();
        for (_, _, module) in chapters(Manual::LeftOut) {
            all.combine(module);
        }
        all.into()
    });
    Shared::clone(&VOCABULARY)
}

/// The words by what they are about: a title, what is to be said of them all, and they themselves.
fn chapters(manual: Manual) -> impl Iterator<Item = (&'static str, &'static str, Module)> {
    [
        ("Sessions", session::INTRO, words_of!(session::words, manual)),
        ("Sending", send::INTRO, words_of!(send::words, manual)),
        ("Expecting", expect::INTRO, words_of!(expect::words, manual)),
        ("Patterns and bytes", pattern::INTRO, words_of!(pattern::words, manual)),
        ("Replies", reply::INTRO, words_of!(reply::words, manual)),
        ("TLS", tls::INTRO, words_of!(tls::words, manual)),
        ("Verbs", shared::INTRO, shared::words(manual)),
        ("Verbs of SMTP", smtp::INTRO, smtp::words(manual)),
        ("Verbs of IMAP", imap::INTRO, imap::words(manual)),
        ("Mailboxes of IMAP", imap::MAILBOXES, imap::mailboxes(manual)),
        ("Messages of IMAP", imap::MESSAGES, imap::messages(manual)),
        ("Answers of IMAP", imap::ANSWERS, words_of!(imap::answers::words, manual)),
        ("Authentication", auth::INTRO, auth::all_words(manual)),
        ("Capabilities", capabilities::INTRO, words_of!(capabilities::words, manual)),
        ("Messages", message::INTRO, words_of!(message::words, manual)),
        ("Verbs of POP3", pop3::INTRO, pop3::words(manual)),
        ("Verbs of ManageSieve", sieve::INTRO, sieve::words(manual)),
        ("Tests", test::INTRO, words_of!(test::words, manual)),
        ("Golden transcripts", golden::INTRO, words_of!(golden::words, manual)),
        ("Lists and text", standard::INTRO, words_of!(standard::words, manual)),
        ("Caught errors", caught::INTRO, words_of!(caught::words, manual)),
    ]
    .into_iter()
}

/// A session as scripts hold it. Its insides are taken out for the length of an operation, so that
/// a second one meanwhile is an error and not a deadlock.
#[derive(Clone, Debug)]
pub(super) struct Handle(Arc<Mutex<Slot>>);

/// What a handle holds.
#[derive(Debug)]
struct Slot {
    /// `None` while an operation has it.
    session: Option<Box<Session>>,
    /// Where the last operation is written, for what turns out at the end.
    last: Option<Spot>,
    /// The step in which it was.
    step: Option<Arc<str>>,
}

impl Handle {
    pub(super) fn new(session: Session) -> Self {
        Self(Arc::new(Mutex::new(Slot {
            session: Some(Box::new(session)),
            last: None,
            step: None,
        })))
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the session out until the guard is dropped.
    pub(super) fn take(&self) -> Result<Taken> {
        let session = self.slot().session.take();
        let session = session.ok_or_else(|| {
            Error::new(Kind::Busy, "the session is in the middle of another operation")
                .hint("use a session from one place at a time")
        })?;
        Ok(Taken { session: Some(session), handle: self.clone() })
    }

    fn note_place(&self, context: &NativeCallContext<'_>) {
        let mut slot = self.slot();
        match &mut slot.last {
            Some(last) => last.renew(context),
            last => *last = Some(Spot::of(context)),
        }
        slot.step = Run::current().ok().and_then(|run| run.step());
    }

    /// The step in which the last operation was.
    pub(super) fn step(&self) -> Option<String> {
        self.slot().step.as_deref().map(str::to_owned)
    }

    /// Where the last operation is written.
    pub(super) fn last(&self) -> Option<Spot> {
        self.slot().last.clone()
    }

    /// Looks at the session, unless an operation has it.
    pub(super) fn look(&self, look: impl FnOnce(&Session)) {
        if let Some(session) = &self.slot().session {
            look(session);
        }
    }

    /// Reads or sets something that takes no waiting.
    fn with<T>(
        &self,
        context: &NativeCallContext<'_>,
        read: impl FnOnce(&mut Session) -> T,
    ) -> Result<T, Raised> {
        let mut taken = self.take().map_err(|error| raise::raise(context, error))?;
        taken.session().map(read).map_err(|error| raise::raise(context, error))
    }

    /// Runs an operation to its end, suspending the script while it waits.
    fn operate<T>(
        &self,
        context: &NativeCallContext<'_>,
        operation: impl AsyncFnOnce(&mut Session) -> Result<T>,
    ) -> Result<T, Raised> {
        let mut taken = self.take().map_err(|error| raise::raise(context, error))?;
        self.note_place(context);
        // In a box: a script that waits shall hold little of its stack.
        let outcome = match coroutine::wait(Box::pin(async { operation(taken.session()?).await })) {
            Ok(outcome) => outcome,
            Err(stop) => {
                let waiting =
                    taken.session().ok().and_then(|session| session.cut_off()).map(Box::new);
                return Err(raise::end(context, Ended::Stopped(stop, waiting)));
            }
        };
        outcome.map_err(|error| raise::raise(context, error))
    }
}

/// A session out of its handle; dropping this puts it back, whatever became of the operation.
pub(super) struct Taken {
    session: Option<Box<Session>>,
    handle: Handle,
}

impl Taken {
    pub(super) fn session(&mut self) -> Result<&mut Session> {
        self.session.as_deref_mut().ok_or_else(|| Error::usage("the session is gone"))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.handle.slot().session = self.session.take();
    }
}

/// Waits for a future; where the script is to stop meanwhile, ends it.
fn wait<F: Future>(context: &NativeCallContext<'_>, future: F) -> Result<F::Output, Raised> {
    coroutine::wait(future).map_err(|stop| raise::end(context, Ended::Stopped(stop, None)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_in_the_middle_of_an_operation_says_so_and_comes_back() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _entered = runtime.enter();
        let handle = Handle::new(Session::options().pipe(&["cat".to_owned()], "tcp").unwrap());
        let taken = handle.take().unwrap();
        assert_eq!(handle.take().err().map(|error| error.kind()), Some("busy"));
        drop(taken);
        assert!(handle.take().is_ok());
    }
}
