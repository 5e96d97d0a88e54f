//! The state that a running script and its words share.

use std::any::Any;
use std::cell::{Cell, OnceCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use corosensei::Yielder;
use corosensei::stack::{DefaultStack, Stack as _};

use super::allocator;

/// The future for which a suspended script waits. It lives on the script's stack.
pub(super) type Awaited = Pin<&'static mut dyn Future<Output = ()>>;

/// The reason for which a script was stopped from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The deadline of the run passed.
    Deadline,
    /// The user pressed Ctrl-C.
    Interrupt,
    /// The script holds more memory than it may.
    Memory,
    /// The script is a branch, and another branch of the same `together` has failed.
    Abandoned,
}

/// The state that a running script and its words share.
pub(super) struct Frame {
    /// Set only while the body is running, null while it is suspended. The yielder lives on the
    /// coroutine's own stack.
    pub(super) yielder: Cell<*const Yielder<(), Awaited>>,
    pub(super) stop: Cell<Option<Stop>>,
    /// When the script has to end; `None` if it may run on, for what it has to clean up.
    pub(super) end: Cell<Option<Instant>>,
    /// The address at which the stack begins. The stack grows towards lower addresses.
    pub(super) base: usize,
    /// How many times [`halt`](super::halt) was called.
    pub(super) looks: Cell<u32>,
    /// When the current turn began.
    pub(super) began: Cell<Instant>,
    /// Bytes that the script and its sessions held when it was last suspended.
    pub(super) held: Cell<isize>,
    /// The bytes that the thread held when the script was last resumed.
    pub(super) entered: Cell<isize>,
    /// How many bytes the script may hold.
    pub(super) allowance: Cell<usize>,
    /// How many bytes other threads hold for the script, if they count them.
    pub(super) elsewhere: OnceCell<Arc<AtomicUsize>>,
    pub(super) context: Rc<dyn Any>,
    /// For a branch, the frame of its script, whose allowance all of its branches share.
    pub(super) root: Option<Rc<Frame>>,
    /// The branch of the script, for its words, if this is a branch.
    pub(super) branch: Option<Rc<dyn Any>>,
    /// Whether the script is suspended only so that other scripts have their turn.
    pub(super) is_between_turns: Cell<bool>,
}

impl Frame {
    pub(super) fn new(stack: &DefaultStack, context: Rc<dyn Any>) -> Self {
        Self {
            yielder: Cell::new(std::ptr::null()),
            stop: Cell::new(None),
            end: Cell::new(None),
            base: stack.base().get(),
            looks: Cell::new(0),
            began: Cell::new(Instant::now()),
            held: Cell::new(0),
            entered: Cell::new(0),
            allowance: Cell::new(usize::MAX),
            elsewhere: OnceCell::new(),
            context,
            root: None,
            branch: None,
            is_between_turns: Cell::new(false),
        }
    }

    /// Returns the frame of the whole script.
    pub(super) fn whole(&self) -> &Self {
        self.root.as_deref().unwrap_or(self)
    }

    /// Returns the bytes that the script holds while it is running.
    pub(super) fn holds(&self) -> usize {
        self.whole().holds_itself()
    }

    fn holds_itself(&self) -> usize {
        let since = allocator::held().wrapping_sub(self.entered.get());
        let here = usize::try_from(self.held.get().saturating_add(since)).unwrap_or(0);
        let elsewhere = self.elsewhere.get().map_or(0, |bytes| bytes.load(Ordering::Relaxed));
        here.saturating_add(elsewhere)
    }

    /// Returns why the script has to stop, if it has to: it was stopped, or it holds too much
    /// memory.
    pub(super) fn stopped(&self) -> Option<Stop> {
        let is_too_much = || self.holds() > self.whole().allowance.get();
        self.stop.get().or_else(|| is_too_much().then_some(Stop::Memory))
    }
}
