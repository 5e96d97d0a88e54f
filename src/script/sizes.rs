//! How large the values are that a script reads, remembered while they can hardly have changed.

use std::cell::RefCell;

use rhai::Dynamic;

use super::copies::{self, Copies};
use super::coroutine::Room;

/// A value is not looked through again while what the script holds has changed by less than this.
const CHANGED: usize = 1 << 20;
/// The size of so many values is remembered.
const REMEMBERED: usize = 64;

/// The sizes of values that were looked through: a loop that reads a large list looks through it
/// once.
#[derive(Debug, Default)]
pub(super) struct Sizes(RefCell<Vec<Seen>>);

#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Where the value was.
    place: *const Dynamic,
    copies: Copies,
    size: usize,
    /// What the script held then.
    held: usize,
}

impl Sizes {
    /// About how much a copy of the value takes, or of its largest element.
    pub(super) fn of(&self, value: &Dynamic, copies: Copies, room: Room) -> usize {
        let mut seen = self.0.borrow_mut();
        let place: *const Dynamic = value;
        let is_it = |one: &Seen| {
            std::ptr::eq(one.place, place)
                && one.copies == copies
                && one.held.abs_diff(room.held) < CHANGED
                && one.size <= room.left
        };
        if let Some(known) = seen.iter().find(|one| is_it(one)) {
            return known.size;
        }
        let size = copies::size(value, copies, room.left);
        seen.retain(|one| !std::ptr::eq(one.place, place));
        if seen.len() >= REMEMBERED {
            seen.clear();
        }
        seen.push(Seen { place, copies, size, held: room.held });
        size
    }
}
