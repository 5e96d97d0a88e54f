//! The sizes of the values that a script reads, remembered until they may have changed.

use std::cell::RefCell;

use rhai::Dynamic;

use super::copies::{self, Copies};
use crate::room::Room;

/// A remembered size is used again if the memory that the script holds has changed by less than
/// this many bytes.
const CHANGED: usize = 1 << 20;
/// The most sizes that are remembered.
const REMEMBERED: usize = 64;

/// The sizes of values that were measured. A loop that reads a large list measures it once.
#[derive(Debug, Default)]
pub(super) struct Sizes(RefCell<Vec<Seen>>);

#[derive(Clone, Copy, Debug)]
struct Seen {
    /// The address of the value.
    place: *const Dynamic,
    copies: Copies,
    size: usize,
    /// The memory that the script held when the value was measured.
    held: usize,
}

impl Sizes {
    /// Returns about how many bytes a copy of the value takes, or a copy of its largest element.
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
