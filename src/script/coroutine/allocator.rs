//! A global allocator that counts the bytes that each thread holds, so that a script that takes too
//! much memory is stopped before it takes more.
//!
//! The cost is one counter in thread-local storage on top of the system's allocator. Memory that
//! one thread takes and another frees is subtracted from the thread that frees it. That does not
//! matter for scripts, because a script and its sessions stay on one thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether memory is overwritten with zeros before it is freed.
static WIPES: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The bytes that this thread has taken from the heap, less the bytes that it has freed. The
    /// counter has no destructor and no lazy initialisation, because the allocator is called before
    /// all other thread-locals begin and after they end.
    static HELD: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, with a count of bytes for each thread.
///
/// If a program that runs scripts installs this allocator, the limit on the memory of a script is
/// exact; `mailexpect` does so. Without this allocator, the memory of the whole process is checked
/// every few operations of a script.
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

/// Makes the allocator overwrite memory with zeros before it frees it, from now on. Call this when
/// a secret is in use, because scripts, sessions and buffers will hold copies of it. This does
/// nothing in a program that has not installed [`CountingAllocator`].
pub(crate) fn wipe_what_is_freed() {
    WIPES.store(true, Ordering::Relaxed);
}

/// Overwrites memory and frees it.
///
/// # Safety
/// See [`GlobalAlloc::dealloc`].
unsafe fn wipe_and_free(inner: &impl GlobalAlloc, pointer: *mut u8, layout: Layout) {
    // SAFETY: the caller owns the block, which is as long as its layout says.
    unsafe { pointer.write_bytes(0, layout.size()) };
    // Without this, the compiler may leave out writes to memory that is freed next.
    std::hint::black_box(pointer);
    // SAFETY: the caller keeps the contract, which is the same.
    unsafe { inner.dealloc(pointer, layout) };
}

/// Moves a block to a block of another size and overwrites the old block. The system's `realloc`
/// would leave the bytes of the old block in place.
///
/// # Safety
/// See [`GlobalAlloc::realloc`].
unsafe fn wipe_and_move(
    inner: &impl GlobalAlloc,
    pointer: *mut u8,
    layout: Layout,
    size: usize,
) -> *mut u8 {
    // Rhai's texts ask for the size that they have each time they grow.
    if size == layout.size() {
        return pointer;
    }
    // SAFETY: the caller promises that the size is not too large for the alignment, and not 0.
    let new = unsafe { inner.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
    if !new.is_null() {
        // SAFETY: both blocks are at least this long, and the new block overlaps no other block.
        unsafe { new.copy_from_nonoverlapping(pointer, layout.size().min(size)) };
        // SAFETY: the caller gives up the old block.
        unsafe { wipe_and_free(inner, pointer, layout) };
    }
    new
}

/// Returns how much of the heap a block takes. The allocators of most systems keep a word beside
/// each block, and have none smaller than four words: a list of short lists takes a third more than
/// its layouts say.
fn taken(size: usize) -> isize {
    const WORD: usize = size_of::<usize>();
    let whole = size.saturating_add(WORD).next_multiple_of(2 * WORD);
    whole.max(4 * WORD).cast_signed()
}

fn count(bytes: isize) {
    HELD.with(|held| held.set(held.get().wrapping_add(bytes)));
}

// SAFETY: every call is passed to the system's allocator unchanged, and its result is returned.
// Counting neither allocates nor panics.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(taken(layout.size()));
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(taken(layout.size()));
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-taken(layout.size()));
        if WIPES.load(Ordering::Relaxed) {
            // SAFETY: the caller keeps the contract, which is the same.
            return unsafe { wipe_and_free(&System, pointer, layout) };
        }
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(taken(size).wrapping_sub(taken(layout.size())));
        if WIPES.load(Ordering::Relaxed) {
            // SAFETY: the caller keeps the contract, which is the same.
            return unsafe { wipe_and_move(&System, pointer, layout, size) };
        }
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Returns the bytes that this thread holds. Negative if it has freed more than it took.
pub(crate) fn held() -> isize {
    HELD.with(Cell::get)
}

/// Adds bytes that another thread took for this one to the count of this thread. Negative if the
/// other thread freed more than it took.
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

    /// An allocator that asserts that freed memory holds only zeros.
    struct Checking;

    // SAFETY: every call is passed to the system's allocator unchanged.
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
        // SAFETY: the layout is not empty, the blocks are as long as the bytes that are written and
        // read, and each block is freed once.
        unsafe {
            let block = Checking.alloc(layout);
            block.copy_from_nonoverlapping(b"hunter22".as_ptr(), 8);
            let block = wipe_and_move(&Checking, block, layout, 16);
            assert_eq!(std::slice::from_raw_parts(block, 8), b"hunter22");
            let same = wipe_and_move(&Checking, block, Layout::from_size_align(16, 1).unwrap(), 16);
            assert!(std::ptr::eq(same, block));
            block.add(8).write_bytes(b'x', 8);
            let layout = Layout::from_size_align(16, 1).unwrap();
            let block = wipe_and_move(&Checking, block, layout, 4);
            assert_eq!(std::slice::from_raw_parts(block, 4), b"hunt");
            wipe_and_free(&Checking, block, Layout::from_size_align(4, 1).unwrap());
        }
    }
}
