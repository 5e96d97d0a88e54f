//! How much memory the process holds, as far as the system tells.
//!
//! Rhai bounds the size of each value, but not how many a script keeps (entries set in object maps are not counted). So the
//! process's resident memory is watched while scripts run. Where the system does not tell (it is asked by `/proc`, on Linux),
//! only the bounds on values hold.

use std::cell::OnceCell;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

thread_local! {
    static STATM: OnceCell<Option<File>> = const { OnceCell::new() };
}

/// The resident memory of this process, in bytes.
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
    fn resident_memory_is_at_least_what_is_held() {
        let held = std::hint::black_box(vec![1_u8; 64 << 20]);
        assert!(resident().unwrap() >= held.len());
    }
}
