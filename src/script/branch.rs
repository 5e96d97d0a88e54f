//! A branch of a script, as its words see it.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use super::coroutine;
use super::scope::Scope;
use crate::error::{Error, Result};

/// The state of a branch that its words use.
pub(super) struct Branch {
    /// The number of the branch, from 1.
    pub(super) number: usize,
    /// The step that the branch is in, if it began one.
    pub(super) step: RefCell<Option<Arc<str>>>,
    /// The scope in which the branch is.
    pub(super) scope: RefCell<Rc<Scope>>,
    barrier: Rc<Barrier>,
    /// Whether the branch waits at the barrier.
    pub(super) is_at_barrier: Cell<bool>,
}

/// A barrier, at which branches wait for each other.
#[derive(Default)]
pub(super) struct Barrier {
    /// How many times all branches have passed the barrier.
    pub(super) passed: Cell<u64>,
    /// The number of a branch that has ended, if one has. Then the barrier never opens again, and a
    /// branch that comes to it fails.
    pub(super) ended: Cell<Option<usize>>,
}

impl Branch {
    pub(super) fn new(number: usize, barrier: &Rc<Barrier>, scope: Rc<Scope>) -> Self {
        Self {
            number,
            step: RefCell::default(),
            scope: RefCell::new(scope),
            barrier: Rc::clone(barrier),
            is_at_barrier: Cell::new(false),
        }
    }

    /// Returns the branch that is running, if one is.
    pub(super) fn current() -> Option<Rc<Self>> {
        coroutine::branch()
    }

    /// Waits until all branches have come to the barrier.
    pub(super) async fn meet(&self) -> Result<()> {
        let passed = self.barrier.passed.get();
        self.is_at_barrier.set(true);
        let ended =
            poll_fn(|_| match (self.barrier.passed.get() != passed, self.barrier.ended.get()) {
                (true, _) => Poll::Ready(None),
                (false, Some(ended)) => Poll::Ready(Some(ended)),
                // No waker is needed, because the code that polls the branches knows which of them
                // wait here.
                (false, None) => Poll::Pending,
            });
        let ended = ended.await;
        self.is_at_barrier.set(false);
        ended.map_or(Ok(()), |ended| {
            let error = Error::usage(format!(
                "branch {} waits at a barrier that branch {ended} never reaches: it has ended",
                self.number
            ));
            Err(error.hint("each branch calls barrier() as often as the others"))
        })
    }
}
