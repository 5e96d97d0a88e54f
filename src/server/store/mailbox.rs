//! One mailbox: messages with their UIDs and flags.

use std::collections::BTreeSet;
use std::time::SystemTime;

use super::{Flags, Octets};
use crate::server::budget::{Budget, Held};

/// What an empty mailbox or script and a message take of the memory of the server, besides the
/// bytes of a message.
pub(super) const EMPTY: usize = 1 << 10;
pub(super) const MESSAGE: usize = 256;

/// A message in a mailbox.
#[derive(Clone, Debug)]
pub(in crate::server) struct Message {
    pub(in crate::server) uid: u32,
    /// Changed by [`Mailbox::set_flags`], which counts them.
    flags: Flags,
    /// Changes with the flags: a session that knows this number knows the flags, and does not have
    /// to keep them.
    pub(in crate::server) version: u32,
    pub(in crate::server) data: Octets,
    /// When the message arrived.
    pub(in crate::server) date: SystemTime,
    /// Whether no session has been told of the message yet.
    pub(in crate::server) recent: bool,
}

impl Message {
    /// A message that is not in a mailbox yet, and therefore has no UID.
    pub(in crate::server) fn new(data: Octets, came: SystemTime) -> Self {
        Self { uid: 0, flags: Flags::default(), version: 0, data, date: came, recent: true }
    }

    pub(in crate::server) fn with_flags(self, flags: Flags) -> Self {
        Self { flags, ..self }
    }

    pub(in crate::server) fn flags(&self) -> &Flags {
        &self.flags
    }

    /// How many bytes of a mailbox the message takes, with its keywords.
    pub(super) fn size(&self) -> usize {
        self.data.len() + self.flags.size()
    }
}

/// A mailbox.
#[derive(Debug)]
pub(in crate::server) struct Mailbox {
    pub(in crate::server) uid_validity: u32,
    pub(in crate::server) uid_next: u32,
    messages: Vec<Message>,
    /// The sizes of all messages together.
    size: usize,
    held: Held,
}

impl Mailbox {
    pub(super) fn new(uid_validity: u32, budget: &Budget) -> Self {
        let held = Held::new(budget, EMPTY);
        Self { uid_validity, uid_next: 1, messages: Vec::new(), size: 0, held }
    }

    /// Counts what the mailbox holds now.
    fn count(&mut self, size: usize) {
        self.size = size;
        self.held.set(EMPTY + size + self.messages.len() * MESSAGE);
    }

    /// All messages, in the order of their UIDs.
    pub(in crate::server) fn messages(&self) -> &[Message] {
        &self.messages
    }

    pub(in crate::server) fn get(&self, uid: u32) -> Option<&Message> {
        self.place(uid).map(|place| &self.messages[place])
    }

    /// Sets whether no session has been told of a message yet.
    pub(in crate::server) fn set_recent(&mut self, uid: u32, recent: bool) {
        if let Some(place) = self.place(uid) {
            self.messages[place].recent = recent;
        }
    }

    /// Sets the flags of a message, for which the account must have room. Returns their version.
    pub(in crate::server) fn set_flags(&mut self, uid: u32, flags: Flags) -> Option<u32> {
        let message = self.place(uid).map(|place| &mut self.messages[place])?;
        if message.flags != flags {
            let size = self.size + flags.size() - message.flags.size();
            message.flags = flags;
            message.version = message.version.wrapping_add(1);
            let version = message.version;
            self.count(size);
            return Some(version);
        }
        Some(message.version)
    }

    /// Adds a message, and returns its UID.
    pub(super) fn push(&mut self, message: Message) -> u32 {
        let uid = self.uid_next;
        self.uid_next += 1;
        let size = self.size + message.size();
        self.messages.push(Message { uid, recent: true, ..message });
        self.count(size);
        uid
    }

    /// Removes these messages.
    pub(in crate::server) fn remove(&mut self, uids: &BTreeSet<u32>) {
        self.messages.retain(|message| !uids.contains(&message.uid));
        self.count(self.messages.iter().map(Message::size).sum());
    }

    pub(super) fn remove_oldest(&mut self) -> bool {
        if self.messages.is_empty() {
            return false;
        }
        let size = self.size - self.messages.remove(0).size();
        self.count(size);
        true
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    fn place(&self, uid: u32) -> Option<usize> {
        self.messages.binary_search_by_key(&uid, |message| message.uid).ok()
    }
}
