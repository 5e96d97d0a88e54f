//! A branch of a script, as its words see it.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use super::coroutine;
use crate::error::{Error, Result};

/// What the words of a branch know of it.
pub(super) struct Branch {
    /// Its number, from 1.
    pub(super) number: usize,
    /// The step that it is in, if it began one.
    pub(super) step: RefCell<Option<Arc<str>>>,
    barrier: Rc<Barrier>,
    /// Whether it waits at the barrier.
    pub(super) is_at_barrier: Cell<bool>,
}

/// Where branches wait for each other.
#[derive(Default)]
pub(super) struct Barrier {
    /// How many times all have been there.
    pub(super) passed: Cell<u64>,
    /// The first branch that has ended: who comes now waits in vain.
    pub(super) ended: Cell<Option<usize>>,
}

impl Branch {
    pub(super) fn new(number: usize, barrier: &Rc<Barrier>) -> Self {
        Self {
            number,
            step: RefCell::default(),
            barrier: Rc::clone(barrier),
            is_at_barrier: Cell::new(false),
        }
    }

    /// The one that is running, if one is.
    pub(super) fn current() -> Option<Rc<Self>> {
        coroutine::branch()
    }

    /// Waits until all branches have come here.
    pub(super) async fn meet(&self) -> Result<()> {
        let passed = self.barrier.passed.get();
        self.is_at_barrier.set(true);
        let ended =
            poll_fn(|_| match (self.barrier.passed.get() != passed, self.barrier.ended.get()) {
                (true, _) => Poll::Ready(None),
                (false, Some(ended)) => Poll::Ready(Some(ended)),
                // Who polls the branches knows who waits here.
                (false, None) => Poll::Pending,
            });
        let ended = ended.await;
        self.is_at_barrier.set(false);
        ended.map_or(Ok(()), |ended| {
            let error = Error::usage(format!(
                "branch {} waits at a barrier that branch {ended} never comes to: it has ended",
                self.number
            ));
            Err(error.hint("each branch calls barrier() as often as the others"))
        })
    }
}
