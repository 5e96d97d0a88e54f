//! A global allocator that counts what each thread holds, so that a script is told of what it
//! takes before the next thing it takes.
//!
//! It adds one counter in thread-local storage to the system's allocator. What a thread frees for
//! another is counted on the thread that frees it; a script and its sessions stay on one thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether memory is overwritten with zeroes before it is given back.
static WIPES: AtomicBool = AtomicBool::new(false);

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

/// From here on, memory is overwritten with zeroes before it is given back: a secret is in use, of
/// which scripts, sessions and buffers will hold copies. It does nothing in a program that has not
/// installed [`CountingAllocator`].
pub(crate) fn wipe_what_is_freed() {
    WIPES.store(true, Ordering::Relaxed);
}

/// Gives memory back, overwritten.
///
/// # Safety
/// As [`GlobalAlloc::dealloc`].
unsafe fn wipe_and_free(inner: &impl GlobalAlloc, pointer: *mut u8, layout: Layout) {
    // SAFETY: the caller owns the block, which is as long as its layout says.
    unsafe { pointer.write_bytes(0, layout.size()) };
    // Otherwise, the compiler may leave out writes to what is freed next.
    std::hint::black_box(pointer);
    // SAFETY: the caller keeps the contract, which is the same.
    unsafe { inner.dealloc(pointer, layout) };
}

/// Moves a block to one of another size, and overwrites the old one: the system's `realloc` leaves
/// its bytes where they were.
///
/// # Safety
/// As [`GlobalAlloc::realloc`].
unsafe fn wipe_and_move(
    inner: &impl GlobalAlloc,
    pointer: *mut u8,
    layout: Layout,
    size: usize,
) -> *mut u8 {
    // SAFETY: the caller promises that the size is not too large for the alignment, and not 0.
    let new = unsafe { inner.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
    if !new.is_null() {
        // SAFETY: both blocks are at least as long, and the new one overlaps no other.
        unsafe { new.copy_from_nonoverlapping(pointer, layout.size().min(size)) };
        // SAFETY: the caller gives the old block up.
        unsafe { wipe_and_free(inner, pointer, layout) };
    }
    new
}

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
        if WIPES.load(Ordering::Relaxed) {
            // SAFETY: the caller keeps the contract, which is the same.
            return unsafe { wipe_and_free(&System, pointer, layout) };
        }
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size.cast_signed().wrapping_sub(layout.size().cast_signed()));
        if WIPES.load(Ordering::Relaxed) {
            // SAFETY: the caller keeps the contract, which is the same.
            return unsafe { wipe_and_move(&System, pointer, layout, size) };
        }
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What this thread holds, or has given back beyond that.
pub(crate) fn held() -> isize {
    HELD.with(Cell::get)
}

/// Counts bytes as this thread's that another thread took for it; fewer than none if that gave back.
pub(crate) fn hold(bytes: isize) {
    count(bytes);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Sees to it that what is given back holds zeroes alone.
    struct Checking;

    // SAFETY: every call is handed to the system's allocator as it is.
    unsafe impl GlobalAlloc for Checking {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the caller keeps the contract, which is the same.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            // SAFETY: the caller has written the whole block.
            let bytes = unsafe { std::slice::from_raw_parts(pointer, layout.size()) };
            assert!(bytes.iter().all(|byte| *byte == 0), "{bytes:?}");
            // SAFETY: the caller keeps the contract, which is the same.
            unsafe { System.dealloc(pointer, layout) };
        }
    }

    #[test]
    fn a_secret_is_overwritten_where_it_was() {
        let layout = Layout::from_size_align(8, 1).unwrap();
        // SAFETY: the layout is not empty, the blocks are as long as what is written and read, and
        // each is given up once.
        unsafe {
            let block = Checking.alloc(layout);
            block.copy_from_nonoverlapping(b"hunter22".as_ptr(), 8);
            let block = wipe_and_move(&Checking, block, layout, 16);
            assert_eq!(std::slice::from_raw_parts(block, 8), b"hunter22");
            block.add(8).write_bytes(b'x', 8);
            let layout = Layout::from_size_align(16, 1).unwrap();
            let block = wipe_and_move(&Checking, block, layout, 4);
            assert_eq!(std::slice::from_raw_parts(block, 4), b"hunt");
            wipe_and_free(&Checking, block, Layout::from_size_align(4, 1).unwrap());
        }
    }
}
