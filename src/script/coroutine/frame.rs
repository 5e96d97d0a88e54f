//! What a running script and its words share.

use std::any::Any;
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Instant;

use corosensei::Yielder;
use corosensei::stack::{DefaultStack, Stack as _};

use super::allocator;

/// What a suspended script waits for. It lives on the script's stack.
pub(super) type Awaited = Pin<&'static mut dyn Future<Output = ()>>;

/// Why a script was stopped from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The run's deadline ran out.
    Deadline,
    /// Somebody pressed Ctrl-C.
    Interrupt,
    /// It holds more memory than it may.
    Memory,
    /// It is a branch, and another one of those that run with it has failed.
    Abandoned,
}

/// What a running script and its words share.
pub(super) struct Frame {
    /// Set while the body is running, and not while it is suspended; it lives on the coroutine's
    /// own stack.
    pub(super) yielder: Cell<*const Yielder<(), Awaited>>,
    pub(super) stop: Cell<Option<Stop>>,
    /// The address at which the stack begins; it grows towards lower ones.
    pub(super) base: usize,
    /// How many times [`halt`] was asked.
    pub(super) looks: Cell<u32>,
    /// When the turn that is under way began.
    pub(super) began: Cell<Instant>,
    /// Bytes that the script and its sessions held when it was last suspended.
    pub(super) held: Cell<isize>,
    /// What the thread held when it was resumed.
    pub(super) entered: Cell<isize>,
    /// How much it may hold.
    pub(super) allowance: Cell<usize>,
    pub(super) context: Rc<dyn Any>,
    /// The script that this is a branch of, at the root: all of its branches hold one allowance.
    pub(super) root: Option<Rc<Frame>>,
    /// Which branch of it this is, for its words.
    pub(super) branch: Option<Rc<dyn Any>>,
    /// Whether it is suspended only so that other scripts have their turn.
    pub(super) is_between_turns: Cell<bool>,
}

impl Frame {
    pub(super) fn new(stack: &DefaultStack, context: Rc<dyn Any>) -> Self {
        Self {
            yielder: Cell::new(std::ptr::null()),
            stop: Cell::new(None),
            base: stack.base().get(),
            looks: Cell::new(0),
            began: Cell::new(Instant::now()),
            held: Cell::new(0),
            entered: Cell::new(0),
            allowance: Cell::new(usize::MAX),
            context,
            root: None,
            branch: None,
            is_between_turns: Cell::new(false),
        }
    }

    /// The whole script that this belongs to.
    pub(super) fn whole(&self) -> &Self {
        self.root.as_deref().unwrap_or(self)
    }

    /// What the script holds while it is running.
    pub(super) fn holds(&self) -> usize {
        self.whole().holds_itself()
    }

    fn holds_itself(&self) -> usize {
        let since = allocator::held().wrapping_sub(self.entered.get());
        usize::try_from(self.held.get().saturating_add(since)).unwrap_or(0)
    }

    /// Why it is to stop, if it is: somebody said so, or it holds too much.
    pub(super) fn stopped(&self) -> Option<Stop> {
        let is_too_much = || self.holds() > self.whole().allowance.get();
        self.stop.get().or_else(|| is_too_much().then_some(Stop::Memory))
    }
}
