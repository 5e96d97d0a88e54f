//! Sessions, as scripts hold them.

use std::sync::{Arc, Mutex, PoisonError};

use rhai::NativeCallContext;

use super::raise::Spot;
use crate::error::{Error, Kind, Result};
use crate::session::Session;

/// A session, as scripts hold it. An operation takes the session out of the handle, so that a
/// second operation at the same time is an error and not a deadlock.
#[derive(Clone, Debug)]
pub(super) struct Handle(Arc<Mutex<Slot>>);

/// The content of a handle.
#[derive(Debug)]
struct Slot {
    /// `None` while an operation has the session.
    session: Option<Box<Session>>,
    /// The position of the last operation in the script, for an error that turns up at the end.
    last: Option<Spot>,
    /// The step of the last operation.
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

    /// Takes the session out of the handle until the guard is dropped.
    pub(super) fn take(&self) -> Result<Taken> {
        let session = self.slot().session.take();
        let session = session.ok_or_else(|| {
            Error::new(Kind::Busy, "the session is in the middle of another operation").hint(
                "open a session in the branch that uses it, or let barrier() order the branches",
            )
        })?;
        Ok(Taken { session: Some(session), handle: self.clone() })
    }

    /// Records the position and the step of an operation that begins.
    pub(super) fn note(&self, context: &NativeCallContext<'_>, step: Option<Arc<str>>) {
        let mut slot = self.slot();
        match &mut slot.last {
            Some(last) => last.renew(context),
            last => *last = Some(Spot::of(context)),
        }
        slot.step = step;
    }

    /// Returns the step of the last operation.
    pub(super) fn step(&self) -> Option<String> {
        self.slot().step.as_deref().map(str::to_owned)
    }

    /// Returns the position of the last operation.
    pub(super) fn last(&self) -> Option<Spot> {
        self.slot().last.clone()
    }

    /// Whether the session is over, and nothing else can use it: the script holds no other handle.
    pub(super) fn is_over(&self) -> bool {
        let session = || self.slot().session.as_deref().is_some_and(Session::is_over);
        Arc::strong_count(&self.0) == 1 && session()
    }

    /// Calls `look` with the session, unless an operation has it.
    pub(super) fn look(&self, look: impl FnOnce(&Session)) {
        if let Some(session) = &self.slot().session {
            look(session);
        }
    }
}

/// A session that was taken out of its handle. Dropping this puts the session back, whatever the
/// result of the operation.
pub(super) struct Taken {
    session: Option<Box<Session>>,
    handle: Handle,
}

impl Taken {
    pub(super) fn session(&mut self) -> Result<&mut Session> {
        self.session.as_deref_mut().ok_or_else(|| Error::new(Kind::Io, "the session is gone"))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.handle.slot().session = self.session.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_in_the_middle_of_an_operation_says_so_and_comes_back() {
        let runtime = crate::runtime::current_thread().unwrap();
        let _entered = runtime.enter();
        let handle = Handle::new(Session::options().pipe(&["cat".to_owned()], "tcp").unwrap());
        let taken = handle.take().unwrap();
        assert_eq!(handle.take().err().map(|error| error.kind().name()), Some("busy"));
        drop(taken);
        assert!(handle.take().is_ok());
    }
}
