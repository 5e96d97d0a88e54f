//! Runs a script on a stack of its own, so that the script can be suspended in the middle of a call
//! that has to wait.
//!
//! Rhai's evaluator is an ordinary recursive function, and a word like `expect` is called from deep
//! inside it. [`Coroutine`] is a future: polling it resumes the script. A word calls [`wait`],
//! which suspends the script and hands out the word's own future. Whoever polls the coroutine then
//! polls that future, on the stack of the thread, until it is ready. So a script can await any
//! tokio future, and many scripts share one thread. A script that waits holds no more stack than
//! Rhai needs to come to this point.
//!
//! This module and its submodules have few `unsafe` expressions, and each says why it is sound.
//! They rely on the following:
//!
//! - A coroutine never leaves its thread: [`Coroutine`] is neither `Send` nor `Sync`, because it
//!   holds an `Rc`.
//! - A suspended stack does not change until it is resumed or unwound, and the future that was
//!   handed out is dropped before that.
//! - A panic reaches the caller that polls: corosensei catches the panic at the base of the
//!   coroutine's stack and resumes it on the other stack.
//! - Dropping a suspended coroutine unwinds its stack, so that everything on it is dropped. This
//!   needs `panic = "unwind"`.
//! - The stack ends in a guard page. Long before the end, [`halt`] tells the engine to give up with
//!   an error.
//!
//! Rules for changes to this module and for callers of [`wait`]:
//!
//! - No value of a script outlives the script's own stack. A value may be nested as deeply as
//!   memory allows, and Rust drops it by recursion, for which a thread's stack is too small. The
//!   body returns plain data.
//! - After the body has ended, by its return, a panic or an unwinding, no pointer to its stack
//!   remains: a guard clears the yielder.
//! - [`wait`] refuses to wait within destructors that run because of a panic or an unwinding,
//!   because nobody would resume them.
//! - No borrow of a thread-local lives across a wait, because other scripts of the thread run
//!   during the wait and use the same thread-locals.
//!
//! A script may have branches that run concurrently: coroutines of their own, for which one word of
//! the script waits. They share the script's context and its memory, and that word stops them.
//!
//! If the program counts memory, everything that a thread takes from the heap while a script runs
//! counts as the script's: see [`CountingAllocator`].
#![allow(unsafe_code)]

mod allocator;
mod current;
mod frame;
mod stacks;

use std::any::Any;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use corosensei::stack::DefaultStack;
use corosensei::{CoroutineResult, Yielder};

pub use allocator::CountingAllocator;
pub(crate) use allocator::{held, hold, wipe_what_is_freed};
use current::{CURRENT, look_at_once};
pub(crate) use current::{
    Halt, TURN, branch, context, halt, has_room, hold_elsewhere, is_counted, is_look_due,
    is_turn_over, mark_between_turns, pardon, room, stopped,
};
pub(crate) use frame::Stop;
use frame::{Awaited, Frame};

use crate::runtime;
pub(crate) use stacks::CALLS_SIZE;

/// The number of checks from which the stack of a script is trimmed. A script with fewer checks
/// cannot have nested a value so deeply that dropping it took more than [`KEPT_SIZE`] of the stack.
/// This saves most scripts a system call.
const MANY_LOOKS: u32 = 64;

type Body<T> = corosensei::Coroutine<(), Awaited, T, DefaultStack>;

/// A function that may [`wait`], as a future.
pub(crate) struct Coroutine<T> {
    /// `None` after the body has ended and its stack has gone back to the pool.
    body: Option<Body<T>>,
    /// The future for which the suspended body waits.
    awaited: Option<Awaited>,
    frame: Rc<Frame>,
}

impl<T: 'static> Coroutine<T> {
    /// Makes a coroutine of a function. `context` is the value that [`context`] returns to its
    /// words.
    ///
    /// # Errors
    /// The error of the system, if it gives no stack.
    pub(crate) fn new(
        context: Rc<dyn Any>,
        function: impl FnOnce() -> T + 'static,
    ) -> std::io::Result<Self> {
        let stack = stacks::idle()?;
        let frame = Frame::new(&stack, context);
        Ok(Self::of(stack, frame, function))
    }

    /// Makes a branch of the running script. The branch has a stack of its own, and the memory that
    /// it holds counts as the script's. `branch` is the value that [`branch`] returns to its words.
    ///
    /// # Errors
    /// The error of the system, if it gives no stack.
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

    /// Sets how many bytes the coroutine may hold, together with everything for which it waits. If
    /// the program counts memory, the coroutine is stopped when it holds more.
    pub(crate) fn allow(self, bytes: usize) -> Self {
        self.frame.allowance.set(bytes);
        self
    }

    /// Sets when the coroutine has to end.
    pub(crate) fn until(self, end: Instant) -> Self {
        self.frame.end.set(Some(end));
        self
    }

    /// Makes the script's next wait or next check fail with this reason.
    pub(crate) fn stop(&self, stop: Stop) {
        self.frame.stop.set(Some(stop));
    }

    /// Whether the body has not ended yet.
    pub(crate) fn is_running(&self) -> bool {
        self.body.is_some()
    }

    /// Whether the body is suspended in the middle of its work, so that other scripts have their
    /// turn. It may then hold locks, although it is not in a wait of its own.
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
                    // The future for which the script waits takes too much memory, so the wait
                    // ends.
                    Some(stop) => self.stop(stop),
                    None => return Poll::Pending,
                }
            }
            if self.awaited.take().is_some() && self.frame.began.get().elapsed() >= TURN {
                // `yield_now` wakes us after the runtime has had its turn. A task that wakes itself
                // directly would be polled before that.
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

/// Marks that the body of a frame runs. When dropped, also by a panic, clears the yielder, so that
/// no yielder outlives its stack.
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

/// Makes a frame the current one until dropped, also by a panic.
struct Entered {
    frame: Rc<Frame>,
    before: Option<Rc<Frame>>,
}

impl Entered {
    fn new(frame: &Rc<Frame>) -> Self {
        frame.entered.set(allocator::held());
        let frame = Rc::clone(frame);
        // At the end of a thread, the thread-local may be gone already.
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
/// The reason, if the script has to stop.
///
/// # Panics
/// Panics outside of a coroutine, because there is nothing to suspend; and inside of a future for
/// which the coroutine waits already.
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
        // SAFETY: only the lifetime changes. The future lives in this block, which ends when the
        // coroutine is resumed or unwound. `Coroutine` drops its reference to the future before it
        // resumes or unwinds the stack. If a coroutine is leaked, its stack is leaked too.
        let awaited =
            unsafe { std::mem::transmute::<Pin<&mut dyn Future<Output = ()>>, Awaited>(awaited) };
        // SAFETY: the pointer was made from the reference that corosensei passed to the body of the
        // coroutine of this frame, and that reference lives as long as the body. This code runs on
        // the body's stack: a frame is current only while its coroutine is polled or unwound on
        // this thread, and the pointer is set only while the body itself runs. A body that is
        // suspended, has returned or has panicked has set the pointer to null. While a body is
        // unwound, `stop` is set, and this line is not reached.
        unsafe { &*yielder }.suspend(awaited);
    }
    frame.yielder.set(yielder);
    output.ok_or_else(|| frame.stop.get().unwrap_or(Stop::Interrupt))
}

/// Suspends the running script in the middle of its work, so that other scripts have their turn.
///
/// # Errors
/// The reason, if the script has to stop.
pub(crate) fn take_turns() -> Result<(), Stop> {
    mark_between_turns(true);
    let turned = wait(tokio::task::yield_now());
    mark_between_turns(false);
    turned.inspect_err(|_| look_at_once())
}

/// Returns why the running script has to end, if it has to. In the middle of a word's own work,
/// other scripts have their turn if this script's is over. A future for which a script waits cannot
/// be suspended for that, so it looks at the clock and at the signals.
pub(crate) fn has_to_end() -> Option<Stop> {
    let frame = CURRENT.with_borrow(Clone::clone)?;
    if frame.began.get().elapsed() < TURN {
        return None;
    }
    if !frame.yielder.get().is_null() {
        return take_turns().err();
    }
    let end = frame.whole().end.get()?;
    if runtime::interrupted_at().is_some() {
        return Some(Stop::Interrupt);
    }
    (Instant::now() >= end).then_some(Stop::Deadline)
}

#[cfg(test)]
mod tests;
