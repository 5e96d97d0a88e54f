//! A command with its literals, in memory that is reserved as they come in.

use std::sync::Arc;

use crate::server::mail::{Room, Spool, Transfer};

/// This many bytes are kept without a reservation. The tag is among them, which the refusal of a
/// command needs.
const SHORT: usize = 4 << 10;

/// The command so far, up to the literal that is awaited.
#[derive(Debug)]
pub(super) struct Command {
    bytes: Vec<u8>,
    room: Room,
    /// Some of the command was too large to be kept: it is refused when its last line ends.
    is_cut: bool,
}

impl Command {
    pub(super) fn new(spool: &Arc<Spool>) -> Self {
        let room = Room::new(Arc::clone(spool), Transfer::Incoming);
        Self { bytes: Vec::new(), room, is_cut: false }
    }

    /// Whether a literal of this length can be kept.
    pub(super) fn has_room_for(&self, octets: u64, limit: usize) -> bool {
        !self.is_cut && octets.saturating_add(self.bytes.len() as u64) <= limit as u64
    }

    /// Adds bytes. If there is no memory for them, the command is cut.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.is_cut {
            return;
        }
        let length = self.bytes.len() + bytes.len();
        let missing = length - self.room.bytes();
        if length <= SHORT || self.room.grow(missing) {
            self.bytes.extend_from_slice(bytes);
            return;
        }
        let rest = SHORT.saturating_sub(self.bytes.len()).min(bytes.len());
        self.bytes.extend_from_slice(&bytes[..rest]);
        self.cut();
    }

    /// Forgets the command except for its beginning, and what is still to come of it.
    pub(super) fn cut(&mut self) {
        self.bytes.truncate(SHORT);
        self.bytes.shrink_to_fit();
        self.room.clear();
        self.is_cut = true;
    }

    /// Takes the command, and whether all of it was kept.
    pub(super) fn take(&mut self) -> (Vec<u8>, bool) {
        self.room.clear();
        (std::mem::take(&mut self.bytes), !std::mem::take(&mut self.is_cut))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}
