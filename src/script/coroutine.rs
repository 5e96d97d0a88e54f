//! A script runs on a stack of its own, so that a call that must wait can be suspended in the
//! middle of it.
//!
//! Rhai's evaluator is an ordinary recursive function; a word like `expect` is called from deep
//! inside it. [`Coroutine`] is a future: polling it resumes the script. [`wait`], called by a word,
//! suspends the script and hands the word's own future over, which is then polled from outside, on
//! the stack of the thread, until it is ready. So any tokio future can be awaited from a script,
//! many scripts share one thread, and a script that waits holds no more stack than Rhai needs to
//! come this far.
//!
//! This is the only module with `unsafe` in it, in few expressions, which say why they are sound. What
//! they rely on:
//!
//! - A coroutine never leaves its thread: [`Coroutine`] is neither `Send` nor `Sync`, because it
//!   holds an `Rc`.
//! - A suspended stack stays as it is until it is resumed or unwound, and the future that was
//!   handed over is let go of before.
//! - Panics cross to whoever polls: corosensei catches them at the foot of the stack and goes on
//!   unwinding on the other.
//! - Dropping a suspended coroutine unwinds its stack, so that what lives there is dropped. That
//!   needs `panic = "unwind"`.
//! - The stack ends in a guard page. Long before it, [`halt`] tells the engine to give up with an
//!   error.
//!
//! Rules for whoever changes this or calls [`wait`]:
//!
//! - What a script makes never outlives its own stack: a value may be nested as deep as memory goes,
//!   and Rust drops it by recursion, for which a thread's stack is too small. The body returns plain
//!   data.
//! - Once the body is left, by its end, a panic or an unwinding, no pointer to its stack remains:
//!   a guard clears the yielder.
//! - [`wait`] refuses inside of destructors that run because of a panic or an unwinding: nobody
//!   would resume them.
//! - No borrow of a thread-local lives across a wait: other scripts of the thread run meanwhile and
//!   use the same ones.
//!
//! A script may have branches that run at once: coroutines of their own, which one word of the
//! script waits for. They share the script's context and its memory, and are stopped by that word.
//!
//! While a script runs, what its thread takes from the heap is taken to be the script's, if the
//! program counts that: see [`CountingAllocator`].
#![allow(unsafe_code)]

mod allocator;
mod frame;
mod stacks;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use corosensei::stack::DefaultStack;
use corosensei::{CoroutineResult, Yielder};

pub use allocator::CountingAllocator;
pub(crate) use allocator::{held, hold, wipe_what_is_freed};
pub(crate) use frame::Stop;
use frame::{Awaited, Frame};
pub(crate) use stacks::CALLS_SIZE;

/// How long a script may run before others get their turn.
pub(crate) const TURN: Duration = Duration::from_millis(10);
/// A script is looked at each so many times that it asks.
const STEP: u32 = 8;
/// A script is looked at sooner if it has taken so many bytes since it was last looked at.
const GULP: isize = 4 << 20;
/// A script that looked fewer times whether it must halt has not nested a value so deep that
/// dropping it took more than [`KEPT_SIZE`] of the stack. Most scripts are spared a system call.
const MANY_LOOKS: u32 = 64;

type Body<T> = corosensei::Coroutine<(), Awaited, T, DefaultStack>;

thread_local! {
    /// How many times scripts of this thread have asked for a look.
    static ASKED: Cell<u32> = const { Cell::new(0) };
    /// What the thread may hold before the next look.
    static GULPED: Cell<isize> = const { Cell::new(0) };
    static CURRENT: RefCell<Option<Rc<Frame>>> = const { RefCell::new(None) };
}

/// A function that may [`wait`], as a future.
pub(crate) struct Coroutine<T> {
    /// `None` once it has ended and its stack has gone back to the pool.
    body: Option<Body<T>>,
    /// What the body waits for, while it is suspended.
    awaited: Option<Awaited>,
    frame: Rc<Frame>,
}

impl<T: 'static> Coroutine<T> {
    /// Makes one of a function; `context` is what [`context`] gives its words.
    ///
    /// # Errors
    /// What the system says where no stack is to be had.
    pub(crate) fn new(
        context: Rc<dyn Any>,
        function: impl FnOnce() -> T + 'static,
    ) -> std::io::Result<Self> {
        let stack = stacks::idle()?;
        let frame = Frame::new(&stack, context);
        Ok(Self::of(stack, frame, function))
    }

    /// Makes a branch of the script that is running: it has a stack of its own, and the memory that
    /// it holds is the script's. `branch` is what [`branch`] gives its words.
    ///
    /// # Errors
    /// What the system says if it gives no stack.
    pub(crate) fn branch(
        branch: Rc<dyn Any>,
        function: impl FnOnce() -> T + 'static,
    ) -> std::io::Result<Self> {
        let Some(parent) = CURRENT.with_borrow(Clone::clone) else {
            unreachable!("branches are made by words of running scripts only")
        };
        let stack = stacks::idle()?;
        let mut frame = Frame::new(&stack, Rc::clone(&parent.context));
        frame.root = Some(parent.root.clone().unwrap_or(parent));
        frame.branch = Some(branch);
        Ok(Self::of(stack, frame, function))
    }

    fn of(stack: DefaultStack, frame: Frame, function: impl FnOnce() -> T + 'static) -> Self {
        let frame = Rc::new(frame);
        let inside = Rc::clone(&frame);
        let body = Body::with_stack(stack, move |yielder, ()| {
            let _running = Running::new(&inside, yielder);
            function()
        });
        Self { body: Some(body), awaited: None, frame }
    }

    /// Says how many bytes it may hold, with everything that it waits for. It is stopped once it
    /// holds more, if the program counts.
    pub(crate) fn allow(self, bytes: usize) -> Self {
        self.frame.allowance.set(bytes);
        self
    }

    /// Makes the script's next wait, or its next progress report, fail with this.
    pub(crate) fn stop(&self, stop: Stop) {
        self.frame.stop.set(Some(stop));
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&self) -> bool {
        self.body.is_some()
    }

    /// Whether it is suspended in the middle of its work, so that other scripts have their turn.
    /// What it has locked just then is locked by no wait of its own.
    pub(crate) fn is_between_turns(&self) -> bool {
        self.frame.is_between_turns.get()
    }
}

impl<T: 'static> Future for Coroutine<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let entered = Entered::new(&self.frame);
        self.frame.began.set(Instant::now());
        loop {
            let stopped = self.frame.stop.get().is_some();
            if let Some(awaited) = self.awaited.as_mut().filter(|_| !stopped)
                && awaited.as_mut().poll(cx).is_pending()
            {
                match self.frame.stopped() {
                    // What it waits for takes too much: the wait is over.
                    Some(stop) => self.stop(stop),
                    None => return Poll::Pending,
                }
            }
            if self.awaited.take().is_some() && self.frame.began.get().elapsed() >= TURN {
                // It wakes us once the runtime has had its turn; who wakes himself comes before
                // that.
                let _ = pin!(tokio::task::yield_now()).poll(cx);
                return Poll::Pending;
            }
            let Some(body) = &mut self.body else { return Poll::Pending };
            match body.resume(()) {
                CoroutineResult::Yield(awaited) => self.awaited = Some(awaited),
                CoroutineResult::Return(result) => {
                    drop(entered);
                    self.retire();
                    return Poll::Ready(result);
                }
            }
        }
    }
}

impl<T> Coroutine<T> {
    fn retire(&mut self) {
        if let Some(body) = self.body.take_if(|body| body.done()) {
            stacks::keep(body.into_stack(), self.frame.looks.get() >= MANY_LOOKS);
        }
    }
}

impl<T> Drop for Coroutine<T> {
    fn drop(&mut self) {
        self.awaited = None;
        if let Some(body) = &mut self.body {
            // A destructor that waits must not suspend: nobody would resume it.
            self.frame.stop.set(Some(Stop::Interrupt));
            let _entered = Entered::new(&self.frame);
            body.force_unwind();
        }
        self.retire();
    }
}

/// A frame whose body runs, until dropped, a panic included: no yielder outlives its stack.
struct Running<'a>(&'a Frame);

impl<'a> Running<'a> {
    fn new(frame: &'a Frame, yielder: &Yielder<(), Awaited>) -> Self {
        frame.yielder.set(yielder);
        Self(frame)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.yielder.set(std::ptr::null());
    }
}

/// Makes a frame the current one until dropped, a panic included.
struct Entered {
    frame: Rc<Frame>,
    before: Option<Rc<Frame>>,
}

impl Entered {
    fn new(frame: &Rc<Frame>) -> Self {
        frame.entered.set(allocator::held());
        let frame = Rc::clone(frame);
        // At the end of a thread there may be nothing current any more.
        let before = CURRENT.try_with(|current| current.replace(Some(Rc::clone(&frame))));
        Self { frame, before: before.ok().flatten() }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let _ = CURRENT.try_with(|current| current.replace(self.before.take()));
        let since = allocator::held().wrapping_sub(self.frame.entered.get());
        self.frame.held.set(self.frame.held.get().saturating_add(since));
    }
}

/// Waits for a future from inside a coroutine.
///
/// # Errors
/// The reason, once the script is to stop.
///
/// # Panics
/// Outside of a coroutine, if there is nothing to suspend; and inside of a future that the
/// coroutine waits for already.
pub(crate) fn wait<F: Future>(future: F) -> Result<F::Output, Stop> {
    let Some(frame) = CURRENT.with_borrow(Clone::clone) else {
        unreachable!("wait is called by words of running scripts only")
    };
    if let Some(stop) = frame.stop.get() {
        return Err(stop);
    }
    if std::thread::panicking() {
        return Err(Stop::Interrupt);
    }
    let yielder = frame.yielder.replace(std::ptr::null());
    assert!(!yielder.is_null(), "a future that a script waits for cannot wait in its turn");
    let mut output = None;
    {
        let mut future = pin!(future);
        let awaited: Pin<&mut dyn Future<Output = ()>> =
            pin!(poll_fn(|cx| future.as_mut().poll(cx).map(|ready| output = Some(ready))));
        // SAFETY: only the lifetime changes. The future lives in this block, which is left when the
        // coroutine is resumed or unwound; `Coroutine` lets go of it before it does either, and a
        // coroutine that is leaked leaks its stack with it.
        let awaited =
            unsafe { std::mem::transmute::<Pin<&mut dyn Future<Output = ()>>, Awaited>(awaited) };
        // SAFETY: the pointer was made from the reference that corosensei handed to the body of the
        // coroutine whose frame this is, and that reference lives as long as the body. We are on
        // the body's stack: its frame is current only while its coroutine is polled or unwound on
        // this thread, and then the pointer is set only while the body itself runs: a suspended
        // body has put null there, and so has one that has returned or panicked. While it is being
        // unwound, `stop` is set, and this is not reached.
        unsafe { &*yielder }.suspend(awaited);
    }
    frame.yielder.set(yielder);
    output.ok_or_else(|| frame.stop.get().unwrap_or(Stop::Interrupt))
}

/// Lets the running script wait again after it was stopped, for what it still has to clean up.
/// Whoever stopped it bounds that.
pub(crate) fn pardon() {
    CURRENT.with_borrow(|frame| {
        if let Some(frame) = frame {
            frame.stop.set(None);
        }
    });
}

/// What the running script was started with, if it is of that type.
pub(crate) fn context<C: 'static>() -> Option<Rc<C>> {
    let context = CURRENT.with_borrow(|frame| Some(Rc::clone(&frame.as_ref()?.context)))?;
    context.downcast().ok()
}

/// Which branch is running, if one of that type is.
pub(crate) fn branch<B: 'static>() -> Option<Rc<B>> {
    let branch = CURRENT.with_borrow(|frame| frame.as_ref()?.branch.clone())?;
    branch.downcast().ok()
}

/// Lets other scripts have their turn, in the middle of the running one's work.
///
/// # Errors
/// The reason, once the script is to stop.
pub(crate) fn take_turns() -> Result<(), Stop> {
    mark_between_turns(true);
    let turned = wait(tokio::task::yield_now());
    mark_between_turns(false);
    turned.inspect_err(|_| look_at_once())
}

/// Says whether the running script is suspended for no reason but other scripts' turns, if it is
/// going to be.
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

/// Whether it is time for [`halt`]: every few operations, or when much was taken since.
pub(crate) fn is_look_due() -> bool {
    let asked = ASKED.get().wrapping_add(1);
    ASKED.set(asked);
    asked.is_multiple_of(STEP) || allocator::held().wrapping_sub(GULPED.get()) > 0
}

/// Makes a look due with the next operation: some of Rhai's functions swallow the end of a script.
fn look_at_once() {
    ASKED.set(STEP - 1);
}

/// Why the running script must not go on, if it must not: it is to stop, it holds too much, or it
/// has used more than `most` bytes of its stack.
pub(crate) fn halt(most: usize) -> Option<Halt> {
    let here = 0_u8;
    let address = (&raw const here).addr();
    GULPED.set(allocator::held().wrapping_add(GULP));
    CURRENT.with_borrow(|frame| {
        let frame = frame.as_ref()?;
        frame.looks.set(frame.looks.get().saturating_add(1));
        // First, because a script that is to stop may still go on for a few operations.
        let short = (frame.base.saturating_sub(address) > most).then_some(Halt::StackShort);
        let halt = short.or_else(|| frame.stopped().map(Halt::Stopped))?;
        look_at_once();
        Some(halt)
    })
}

/// Whether it may take so many bytes more; true if nobody counts.
pub(crate) fn has_room(bytes: usize) -> bool {
    CURRENT.with_borrow(|frame| {
        let may_hold = |frame: &Rc<Frame>| {
            !is_counted() || frame.holds().saturating_add(bytes) <= frame.whole().allowance.get()
        };
        frame.as_ref().is_none_or(may_hold)
    })
}

/// Whether what scripts hold is counted in this program.
pub(crate) fn is_counted() -> bool {
    allocator::is_installed()
}

/// Whether others are to have their turn now.
pub(crate) fn is_turn_over() -> bool {
    let is_over = |frame: &Rc<Frame>| frame.began.get().elapsed() >= TURN;
    CURRENT.with_borrow(|frame| frame.as_ref().is_some_and(is_over))
}

#[cfg(test)]
mod tests;
