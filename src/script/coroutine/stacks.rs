//! The stacks of scripts, which are used again.

use std::cell::RefCell;

use corosensei::stack::{DefaultStack, Stack as _};

/// How much address space a stack reserves; only what is touched takes memory. Script functions are
/// stopped after the first [`CALLS_SIZE`] of it. The rest is for what cannot be stopped: Rhai drops
/// a value that is nested deep by recursion. A level of closures takes 160 bytes of the heap or
/// more, and a script may hold 256 MiB; a level takes up to 1200 bytes of the stack to drop in a
/// program that is not optimised, and 200 in one that is.
pub(super) const STACK_SIZE: usize =
    if cfg!(target_pointer_width = "64") { 2 << 30 } else { 64 << 20 };
/// How much of its stack a script's own calls may take.
pub(crate) const CALLS_SIZE: usize = 32 << 20;
/// How much of its stack stays resident when another script gets it.
pub(super) const KEPT_SIZE: usize = 256 << 10;
/// How many idle stacks a thread keeps.
const POOL: usize = 64;

thread_local! {
    pub(super) static STACKS: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
}

/// The stack of a script that has ended, or a new one.
pub(super) fn idle() -> std::io::Result<DefaultStack> {
    STACKS.with_borrow_mut(Vec::pop).map_or_else(new, Ok)
}

/// A new stack; a smaller one if the system does not give so much address space, by `ulimit -v` or
/// a strict policy on overcommitting.
fn new() -> std::io::Result<DefaultStack> {
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

/// Keeps the stack of a script that has ended for the next; `trimmed` if it may have grown.
pub(super) fn keep(stack: DefaultStack, trimmed: bool) {
    if trimmed {
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
