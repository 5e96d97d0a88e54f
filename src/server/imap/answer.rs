//! The untagged responses of one command, in memory that is reserved as they grow.

use std::sync::Arc;

use crate::server::dialogue::SHORT;
use crate::server::mail::{Room, Spool, Transfer};

/// The most bytes of the answer to one command; a command that asks for more is refused. The
/// mailboxes of a user hold less.
const LARGEST: usize = if cfg!(test) { 4 << 20 } else { 128 << 20 };

/// The untagged responses so far.
#[derive(Debug)]
pub(super) struct Answer {
    bytes: Vec<u8>,
    room: Room,
    /// There was no room for all of the answer, and none of it is left.
    is_given_up: bool,
}

impl Answer {
    pub(super) fn new(spool: &Arc<Spool>) -> Self {
        let room = Room::new(Arc::clone(spool), Transfer::Outgoing);
        Self { bytes: Vec::new(), room, is_given_up: false }
    }

    /// Adds bytes. If there is no room for them, the whole answer is given up.
    pub(super) fn push(&mut self, bytes: impl AsRef<[u8]>) {
        if !self.offer(bytes) {
            self.give_up();
        }
    }

    /// Adds bytes that can be told later, too. Returns whether there is room for them.
    pub(super) fn offer(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let bytes = bytes.as_ref();
        let has_room = self.has_room_for(bytes.len());
        if has_room {
            self.bytes.extend_from_slice(bytes);
        }
        has_room
    }

    /// Reserves room for this many more bytes. A short answer is always given.
    pub(super) fn has_room_for(&mut self, more: usize) -> bool {
        let length = self.bytes.len() + more;
        let missing = length.saturating_sub(self.room.bytes());
        !self.is_given_up && length <= LARGEST && (length <= SHORT || self.room.grow(missing))
    }

    /// Forgets the answer: the command is refused.
    pub(super) fn give_up(&mut self) {
        self.bytes = Vec::new();
        self.room.clear();
        self.is_given_up = true;
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.is_given_up
    }

    /// Takes the answer, which is written now, out of the reserved room.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.room.clear();
        self.is_given_up = false;
        std::mem::take(&mut self.bytes)
    }
}
