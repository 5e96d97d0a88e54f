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
//! This is the only module with `unsafe` in it: three expressions, which say why they are sound. What
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
//! While a script runs, what its thread takes from the heap is taken to be the script's, if the
//! program counts that: see [`CountingAllocator`].
#![allow(unsafe_code)]

mod allocator;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use corosensei::stack::{DefaultStack, Stack as _};
use corosensei::{CoroutineResult, Yielder};

pub use allocator::CountingAllocator;

/// How much address space a stack reserves; only what is touched takes memory. Script functions are
/// stopped after the first [`CALLS_SIZE`] of it. The rest is for what cannot be stopped: Rhai drops
/// a value that is nested deep by recursion. A level of closures takes 160 bytes of the heap or
/// more, and a script may hold 256 MiB; a level takes up to 1200 bytes of the stack to drop in a
/// program that is not optimised, and 200 in one that is.
const STACK_SIZE: usize = if cfg!(target_pointer_width = "64") { 2 << 30 } else { 64 << 20 };
/// How much of its stack a script's own calls may take.
pub(crate) const CALLS_SIZE: usize = 32 << 20;
/// How much of its stack stays resident when another script gets it.
const KEPT_SIZE: usize = 256 << 10;
/// How long a script may run before others get their turn.
const TURN: Duration = Duration::from_millis(10);
/// A script is looked at each so many times that it asks.
const STEP: u32 = 8;
/// A script is looked at sooner if it has taken so many bytes since it was last looked at.
const GULP: isize = 4 << 20;
/// A script that looked fewer times whether it must halt has not nested a value so deep that
/// dropping it took more than [`KEPT_SIZE`] of the stack. Most scripts are spared a system call.
const MANY_LOOKS: u32 = 64;
/// How many idle stacks a thread keeps.
const POOL: usize = 64;

type Body<T> = corosensei::Coroutine<(), Awaited, T, DefaultStack>;

/// What a suspended script waits for. It lives on the script's stack.
type Awaited = Pin<&'static mut dyn Future<Output = ()>>;

/// Why a script was stopped from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The run's deadline ran out.
    Deadline,
    /// Somebody pressed Ctrl-C.
    Interrupt,
    /// It holds more memory than it may.
    Memory,
}

/// What a running script and its words share.
struct Frame {
    /// Set while the body is running, and not while it is suspended; it lives on the coroutine's
    /// own stack.
    yielder: Cell<*const Yielder<(), Awaited>>,
    stop: Cell<Option<Stop>>,
    /// The address at which the stack begins; it grows towards lower ones.
    base: usize,
    /// How many times [`halt`] was asked.
    looks: Cell<u32>,
    /// When the turn that is under way began.
    began: Cell<Instant>,
    /// Bytes that the script and its sessions held when it was last suspended.
    held: Cell<isize>,
    /// What the thread held when it was resumed.
    entered: Cell<isize>,
    /// How much it may hold.
    allowance: Cell<usize>,
    context: Rc<dyn Any>,
}

impl Frame {
    fn new(stack: &DefaultStack, context: Rc<dyn Any>) -> Self {
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
        }
    }

    /// What it holds while it is running.
    fn holds(&self) -> usize {
        let since = allocator::held().wrapping_sub(self.entered.get());
        usize::try_from(self.held.get().saturating_add(since)).unwrap_or(0)
    }

    /// Why it is to stop, if it is: somebody said so, or it holds too much.
    fn stopped(&self) -> Option<Stop> {
        let is_too_much = || self.holds() > self.allowance.get();
        self.stop.get().or_else(|| is_too_much().then_some(Stop::Memory))
    }
}

thread_local! {
    /// How many times scripts of this thread have asked for a look.
    static ASKED: Cell<u32> = const { Cell::new(0) };
    /// What the thread may hold before the next look.
    static GULPED: Cell<isize> = const { Cell::new(0) };
    static CURRENT: RefCell<Option<Rc<Frame>>> = const { RefCell::new(None) };
    static STACKS: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
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
        let stack = match STACKS.with_borrow_mut(Vec::pop) {
            Some(stack) => stack,
            None => new_stack()?,
        };
        let frame = Rc::new(Frame::new(&stack, context));
        let inside = Rc::clone(&frame);
        let body = Body::with_stack(stack, move |yielder, ()| {
            let _running = Running::new(&inside, yielder);
            function()
        });
        Ok(Self { body: Some(body), awaited: None, frame })
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
            let stack = body.into_stack();
            if self.frame.looks.get() >= MANY_LOOKS {
                trim(&stack);
            }
            // At the end of a thread the pool may be gone already; then so is the need for it.
            let _ = STACKS.try_with(|stacks| {
                let mut stacks = stacks.borrow_mut();
                if stacks.len() < POOL {
                    stacks.push(stack);
                }
            });
        }
    }
}

/// A new stack; a smaller one if the system does not give so much address space, by `ulimit -v` or
/// a strict policy on overcommitting.
fn new_stack() -> std::io::Result<DefaultStack> {
    DefaultStack::new(STACK_SIZE).or_else(|_| DefaultStack::new(2 * CALLS_SIZE))
}

#[cfg(not(target_os = "linux"))]
fn trim(_: &DefaultStack) {}

/// Gives the memory of an idle stack back to the system, except its first part.
#[cfg(target_os = "linux")]
fn trim(stack: &DefaultStack) {
    let page = rustix::param::page_size();
    let lowest = stack.limit().get() + page;
    let length = (stack.base().get() - KEPT_SIZE).saturating_sub(lowest) / page * page;
    let start = std::ptr::with_exposed_provenance_mut(lowest);
    // SAFETY: the range lies within the mapping of the stack, above its guard page and on page
    // boundaries. The stack is idle: nothing lives in it, and its pages read as zeros afterwards.
    // A failure leaves the pages as they are.
    let _ = unsafe { rustix::mm::madvise(start, length, rustix::mm::Advice::LinuxDontNeed) };
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
/// Outside of a coroutine, where there is nothing to suspend; and inside of a future that the
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

/// What the running script was started with, where it is of that type.
pub(crate) fn context<C: 'static>() -> Option<Rc<C>> {
    let context = CURRENT.with_borrow(|frame| Some(Rc::clone(&frame.as_ref()?.context)))?;
    context.downcast().ok()
}

/// Why a script must not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    Stopped(Stop),
    StackShort,
}

/// Whether it is time for [`halt`]: it is not asked for each operation of a script, but when a
/// script has taken much since.
pub(crate) fn is_look_due() -> bool {
    let asked = ASKED.get().wrapping_add(1);
    ASKED.set(asked);
    asked.is_multiple_of(STEP) || allocator::held().wrapping_sub(GULPED.get()) > 0
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
        short.or_else(|| frame.stopped().map(Halt::Stopped))
    })
}

/// Whether the running script may take so many bytes more; true if nobody counts.
pub(crate) fn has_room(bytes: usize) -> bool {
    CURRENT.with_borrow(|frame| {
        let may_hold = |frame: &Rc<Frame>| {
            !is_counted() || frame.holds().saturating_add(bytes) <= frame.allowance.get()
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
