//! The limit on the memory that scripts hold, and the memory that the process holds, if the system
//! tells.
//!
//! Rhai limits the size of each value, but not the number of values that a script keeps. A program
//! that counts the bytes that each thread takes from the heap (see
//! [`CountingAllocator`](super::CountingAllocator)) knows how much a script holds. In other
//! programs, the resident memory of the process is checked while scripts run. It is read from
//! `/proc`, on Linux. If it cannot be read, only the limits on values apply.
//!
//! The memory of the process cannot be divided among its scripts. So scripts that run at the same
//! time share one limit.

use std::cell::OnceCell;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

thread_local! {
    static STATM: OnceCell<Option<File>> = const { OnceCell::new() };
}

/// How many bytes one script may hold unless its caller sets another limit.
pub(super) const ALLOWANCE: usize = 256 << 20;

/// Returns how many bytes the process may hold beyond what it held before, while `at_once` scripts
/// run that may hold `one` each. Several scripts together may hold no more than half of the
/// machine's memory, but always as much as one script may.
pub(super) fn allowance(one: usize, at_once: usize) -> usize {
    let together = one.saturating_mul(at_once);
    if at_once <= 1 { together } else { together.min(half_the_machine().max(one)) }
}

#[cfg(target_os = "linux")]
fn half_the_machine() -> usize {
    let system = rustix::system::sysinfo();
    let units = usize::try_from(system.totalram).unwrap_or(usize::MAX);
    units.saturating_mul(usize::try_from(system.mem_unit).unwrap_or(1)) / 2
}

#[cfg(not(target_os = "linux"))]
fn half_the_machine() -> usize {
    usize::MAX
}

/// Returns the resident memory of this process, in bytes.
pub(super) fn resident() -> Option<usize> {
    STATM.with(|statm| {
        let file = statm.get_or_init(|| File::open("/proc/self/statm").ok()).as_ref()?;
        let mut text = [0; 64];
        let length = file.read_at(&mut text, 0).ok()?;
        let pages = std::str::from_utf8(&text[..length]).ok()?.split(' ').nth(1)?;
        pages.parse::<usize>().ok()?.checked_mul(rustix::param::page_size())
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn scripts_at_once_share_no_more_than_half_of_the_machine() {
        assert_eq!(allowance(ALLOWANCE, 1), 256 << 20);
        assert!((256 << 20..=512 << 20).contains(&allowance(ALLOWANCE, 2)));
        assert_eq!(allowance(ALLOWANCE, 1 << 30), allowance(ALLOWANCE, 1 << 40));
        assert!(allowance(ALLOWANCE, 1 << 30) <= half_the_machine().max(256 << 20));
    }

    #[test]
    fn resident_memory_is_at_least_what_is_held() {
        let held = std::hint::black_box(vec![1_u8; 64 << 20]);
        assert!(resident().unwrap() >= held.len());
    }
}
