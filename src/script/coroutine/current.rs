//! The script that runs on this thread now: what it was started with, its turn, its memory, and
//! whether it has to stop.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::allocator;
use super::frame::{Frame, Stop};
use crate::room::Room;

/// How long a script may run before other scripts get their turn.
pub(crate) const TURN: Duration = Duration::from_millis(10);
/// How many operations of a script lie between two checks.
const STEP: u32 = 8;
/// How many bytes a script may take before it is checked sooner than that.
const GULP: isize = 4 << 20;

thread_local! {
    /// How many times scripts of this thread have asked whether a check is due.
    static ASKED: Cell<u32> = const { Cell::new(0) };
    /// How many bytes the thread may hold before the next check is due.
    static GULPED: Cell<isize> = const { Cell::new(0) };
    /// The frame of the script; `None` between scripts.
    pub(super) static CURRENT: RefCell<Option<Rc<Frame>>> = const { RefCell::new(None) };
}

/// Lets the running script, and the script of which it is a branch, wait again after they were
/// stopped, for what they have to clean up. The caller that stopped the script has to bound the time
/// that this takes.
pub(crate) fn pardon() {
    CURRENT.with_borrow(|frame| {
        if let Some(frame) = frame {
            frame.stop.set(None);
            frame.whole().stop.set(None);
            frame.whole().end.set(None);
        }
    });
}

/// Returns why the running script was stopped, if it was.
pub(crate) fn stopped() -> Option<Stop> {
    CURRENT.with_borrow(|frame| frame.as_ref()?.stop.get())
}

/// Returns the context that the running script was started with, if it is of this type.
pub(crate) fn context<C: 'static>() -> Option<Rc<C>> {
    let context = CURRENT.with_borrow(|frame| Some(Rc::clone(&frame.as_ref()?.context)))?;
    context.downcast().ok()
}

/// Returns the branch that is running, if one is and it is of this type.
pub(crate) fn branch<B: 'static>() -> Option<Rc<B>> {
    let branch = CURRENT.with_borrow(|frame| frame.as_ref()?.branch.clone())?;
    branch.downcast().ok()
}

/// Records whether the running script, if it is suspended now, waits only for other scripts to have
/// their turn.
pub(crate) fn mark_between_turns(is_between: bool) {
    CURRENT.with_borrow(|frame| {
        if let Some(frame) = frame {
            frame.is_between_turns.set(is_between);
        }
    });
}

/// Why a script must not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    Stopped(Stop),
    StackShort,
}

/// Whether [`halt`] is due: every few operations, or if much memory was taken since the last time.
pub(crate) fn is_look_due() -> bool {
    let asked = ASKED.get().wrapping_add(1);
    ASKED.set(asked);
    asked.is_multiple_of(STEP) || allocator::held().wrapping_sub(GULPED.get()) > 0
}

/// Makes a check due at the next operation, because some of Rhai's functions swallow the end of a
/// script.
pub(super) fn look_at_once() {
    ASKED.set(STEP - 1);
}

/// Returns why the running script must not go on, if so: it has to stop, it holds too much memory,
/// or it has used more than `most` bytes of its stack.
pub(crate) fn halt(most: usize) -> Option<Halt> {
    let here = 0_u8;
    let address = (&raw const here).addr();
    GULPED.set(allocator::held().wrapping_add(GULP));
    CURRENT.with_borrow(|frame| {
        let frame = frame.as_ref()?;
        frame.looks.set(frame.looks.get().saturating_add(1));
        // The stack is checked first, because a script that has to stop may still go on for a few
        // operations.
        let short = (frame.base.saturating_sub(address) > most).then_some(Halt::StackShort);
        let halt = short.or_else(|| frame.stopped().map(Halt::Stopped))?;
        look_at_once();
        Some(halt)
    })
}

/// Whether the running script may take `bytes` more bytes; true if memory is not counted.
pub(crate) fn has_room(bytes: usize) -> bool {
    room().is_none_or(|room| bytes <= room.left)
}

/// The room of the running script; `None` if memory is not counted.
pub(crate) fn room() -> Option<Room> {
    let of = |frame: &Rc<Frame>| {
        let (held, allowed) = (frame.holds(), frame.whole().allowance.get());
        Room { held, allowed, left: allowed.saturating_sub(held) }
    };
    CURRENT.with_borrow(|frame| frame.as_ref().filter(|_| is_counted()).map(of))
}

/// Counts what other threads hold for the running script as its own. A script has one such count.
pub(crate) fn hold_elsewhere(bytes: Arc<AtomicUsize>) {
    CURRENT.with_borrow(|frame| {
        if let Some(frame) = frame {
            frame.whole().elsewhere.get_or_init(|| bytes);
        }
    });
}

/// Whether this program counts the memory that scripts hold.
pub(crate) fn is_counted() -> bool {
    allocator::is_installed()
}

/// Whether the turn of the running script is over.
pub(crate) fn is_turn_over() -> bool {
    let is_over = |frame: &Rc<Frame>| frame.began.get().elapsed() >= TURN;
    CURRENT.with_borrow(|frame| frame.as_ref().is_some_and(is_over))
}
