//! When a thread that waits by itself stays awake: to be woken takes longer than a peer that is
//! near needs for its answer.
//!
//! To stay awake for every answer costs more of the processor than to sleep for each, so a thread
//! may do it for a share of its time. It does so for many answers in a row, and sleeps for many:
//! awake for one of them alone costs two or three times as much more. Where nothing comes in time,
//! the peer is not that near, and the thread sleeps from then on.

use std::cell::RefCell;
use std::time::{Duration, Instant};

/// It may be awake for one part in so many of its time.
const SHARE: u32 = 12;
/// What it saves up of that before it is awake, and has at the beginning: a few dozen answers.
const SAVINGS: Duration = Duration::from_millis(1);

thread_local! {
    static VIGIL: RefCell<Vigil> = RefCell::new(Vigil::new(Instant::now()));
}

/// Whether this thread may stay awake while it waits.
pub(super) fn is_kept(now: Instant) -> bool {
    VIGIL.with_borrow_mut(|vigil| vigil.is_kept(now))
}

/// This thread has been awake for so long while it waited, for something that has come or not.
pub(super) fn took(time: Duration, has_come: bool) {
    VIGIL.with_borrow_mut(|vigil| vigil.took(time, has_come));
}

/// What a thread has left to stay awake for.
#[derive(Debug)]
struct Vigil {
    saved: Duration,
    /// When it was last added to.
    counted: Instant,
    /// From when as much as can be saved has been, until all of it is spent, or some of it in vain.
    kept: bool,
}

impl Vigil {
    fn new(now: Instant) -> Self {
        Self { saved: SAVINGS, counted: now, kept: true }
    }

    fn is_kept(&mut self, now: Instant) -> bool {
        self.saved = SAVINGS.min(self.saved + now.saturating_duration_since(self.counted) / SHARE);
        self.counted = now;
        self.kept |= self.saved == SAVINGS;
        self.kept
    }

    fn took(&mut self, time: Duration, has_come: bool) {
        self.saved = self.saved.saturating_sub(time);
        self.kept &= has_come && !self.saved.is_zero();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_in_one_go_and_for_its_share_of_the_time() {
        let answer = SAVINGS / 50;
        let mut now = Instant::now();
        let mut vigil = Vigil::new(now);
        let (mut kept, mut changes) = (0_u32, 0_u32);
        let mut before = true;
        for _ in 0..10_000 {
            let is_kept = vigil.is_kept(now);
            if is_kept {
                kept += 1;
                vigil.took(answer, true);
            }
            changes += u32::from(is_kept != before);
            before = is_kept;
            now += answer;
        }
        let due = 10_000 / SHARE;
        assert!(kept.abs_diff(due) <= due / 10, "{kept} of ten thousand, where {due} are due");
        assert!(changes <= 2 * kept / 50, "{changes} changes: at most every fifty answers");
    }

    #[test]
    fn no_more_is_saved_than_for_one_go() {
        let now = Instant::now();
        let mut vigil = Vigil::new(now);
        let later = now + SHARE * SAVINGS * 100;
        assert!(vigil.is_kept(later));
        vigil.took(SAVINGS, true);
        assert!(!vigil.is_kept(later));
        assert!(
            !vigil.is_kept(later + SHARE * SAVINGS / 2) && vigil.is_kept(later + SHARE * SAVINGS)
        );
    }

    #[test]
    fn a_peer_that_is_not_near_is_slept_for() {
        let now = Instant::now();
        let mut vigil = Vigil::new(now);
        let spent = SAVINGS / 20;
        vigil.took(spent, false);
        assert!(!vigil.is_kept(now) && vigil.is_kept(now + SHARE * spent));
    }
}
