//! A global allocator that counts what each thread holds, so that a script is told of what it
//! takes before the next thing it takes.
//!
//! It adds one counter in thread-local storage to the system's allocator. What a thread frees for
//! another is counted on the thread that frees it; a script and its sessions stay on one thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::LazyLock;

thread_local! {
    /// Bytes taken from the heap on this thread less bytes given back. Without a destructor and
    /// without a lazy beginning: the allocator is called before and after all others.
    static HELD: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, with a count for each thread.
///
/// A program that runs scripts installs it to have the bound on what a script holds in memory
/// exact; `mailexpect` does. Without it, the memory of the whole process is looked at every few
/// operations of a script.
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: mailexpect::script::CountingAllocator =
///     mailexpect::script::CountingAllocator;
///
/// fn main() {}
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CountingAllocator;

fn count(bytes: isize) {
    HELD.with(|held| held.set(held.get().wrapping_add(bytes)));
}

// SAFETY: every call is handed to the system's allocator as it is, and what that gives is given
// back. Counting neither allocates nor panics.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size.cast_signed().wrapping_sub(layout.size().cast_signed()));
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What this thread holds, or has given back beyond that.
pub(super) fn held() -> isize {
    HELD.with(Cell::get)
}

/// Whether the allocator is installed in this program.
pub(super) fn is_installed() -> bool {
    static IS_INSTALLED: LazyLock<bool> = LazyLock::new(|| {
        let before = held();
        let taken = std::hint::black_box(Box::new([0_u8; 64]));
        let counted = held() != before;
        drop(taken);
        counted
    });
    *IS_INSTALLED
}
