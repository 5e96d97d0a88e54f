//! The stacks of scripts. Scripts that end give them back to a pool.

use std::cell::RefCell;

use corosensei::stack::{DefaultStack, Stack as _};

/// The address space that a stack reserves; only pages that are touched take memory. Script
/// functions are stopped after the first [`CALLS_SIZE`] bytes. The rest is for work that cannot be
/// stopped: Rhai drops a deeply nested value by recursion. A level of closures takes at least 160
/// bytes of the heap, and a script may hold 256 MiB. Dropping a level takes up to 1200 bytes of the
/// stack in a program that is not optimised, and 200 bytes in an optimised one.
pub(super) const STACK_SIZE: usize =
    if cfg!(target_pointer_width = "64") { 2 << 30 } else { 64 << 20 };
/// How much of its stack the calls of a script may take.
pub(crate) const CALLS_SIZE: usize = 32 << 20;
/// How much of a stack stays resident when another script gets it.
pub(super) const KEPT_SIZE: usize = 256 << 10;
/// How many idle stacks a thread keeps.
const POOL: usize = 64;

thread_local! {
    pub(super) static STACKS: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
}

/// Returns the stack of a script that has ended, or a new stack.
pub(super) fn idle() -> std::io::Result<DefaultStack> {
    STACKS.with_borrow_mut(Vec::pop).map_or_else(new, Ok)
}

/// Makes a new stack. The stack is smaller if the system does not give so much address space,
/// because of `ulimit -v` or a strict policy on overcommitting.
fn new() -> std::io::Result<DefaultStack> {
    DefaultStack::new(STACK_SIZE).or_else(|_| DefaultStack::new(2 * CALLS_SIZE))
}

#[cfg(not(target_os = "linux"))]
fn trim(_: &DefaultStack) {}

/// Gives the memory of an idle stack back to the system, except for its first part.
#[cfg(target_os = "linux")]
fn trim(stack: &DefaultStack) {
    let page = rustix::param::page_size();
    let lowest = stack.limit().get() + page;
    let length = (stack.base().get() - KEPT_SIZE).saturating_sub(lowest) / page * page;
    let start = std::ptr::with_exposed_provenance_mut(lowest);
    // SAFETY: the range lies within the mapping of the stack, above its guard page and on page
    // boundaries. The stack is idle, so nothing lives on it, and its pages read as zeros
    // afterwards. After a failure, the pages are unchanged.
    let _ = unsafe { rustix::mm::madvise(start, length, rustix::mm::Advice::LinuxDontNeed) };
}

/// Puts the stack of a script that has ended into the pool. `trimmed` if the stack may have grown.
pub(super) fn keep(stack: DefaultStack, trimmed: bool) {
    if trimmed {
        trim(&stack);
    }
    // At the end of a thread, the pool may be gone already, and nobody needs the stack.
    let _ = STACKS.try_with(|stacks| {
        let mut stacks = stacks.borrow_mut();
        if stacks.len() < POOL {
            stacks.push(stack);
        }
    });
}
