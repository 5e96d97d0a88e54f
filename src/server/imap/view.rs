//! The selected mailbox as its client knows it: message numbers stay until the client is told of a
//! change.

use std::collections::BTreeSet;

use super::answer::Answer;
use super::sets::Set;
use crate::server::budget::{Budget, Held};
use crate::server::store::{Account, Flags, Mailbox};

/// What a view holds for each message: its UID and version, its place among the recent ones, and
/// room to grow.
const KNOWN: usize = 24;
/// More bytes than the responses with the numbers of messages take.
const COUNTS: usize = 64;

/// The selected mailbox, and the messages that the client knows of.
#[derive(Debug)]
pub(super) struct View {
    pub(super) name: String,
    pub(super) read_only: bool,
    validity: u32,
    /// The UIDs of the messages and the versions of their flags, in the order of their numbers.
    known: Vec<(u32, u32)>,
    recent: BTreeSet<u32>,
    held: Held,
}

impl View {
    /// A view without any messages yet.
    pub(super) fn new(name: String, validity: u32, read_only: bool, budget: &Budget) -> Self {
        let held = Held::new(budget, 0);
        Self { name, read_only, validity, known: Vec::new(), recent: BTreeSet::new(), held }
    }

    /// The mailbox; `None` if it was deleted, or if another mailbox has its name now.
    pub(super) fn mailbox<'a>(&self, account: &'a mut Account) -> Option<&'a mut Mailbox> {
        account.mailbox(&self.name).filter(|mailbox| mailbox.uid_validity == self.validity)
    }

    /// The number and the UID of each message in a set.
    pub(super) fn chosen(&self, set: &Set, by_uid: bool) -> Vec<(u32, u32)> {
        let last_uid = self.known.last().map_or(0, |(uid, _)| *uid);
        let all = (1..).zip(self.known.iter().map(|(uid, _)| *uid));
        let count = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        let is_in = |(number, uid): &(u32, u32)| {
            if by_uid { set.has(*uid, last_uid) } else { set.has(*number, count) }
        };
        all.filter(is_in).collect()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (u32, u32)> {
        (1..).zip(self.known.iter().map(|(uid, _)| *uid))
    }

    /// How many messages the client knows of.
    pub(super) fn count(&self) -> usize {
        self.known.len()
    }

    pub(super) fn is_recent(&self, uid: u32) -> bool {
        self.recent.contains(&uid)
    }

    /// The flags as they are shown, including `\Recent`.
    pub(super) fn flags(&self, uid: u32, flags: &Flags) -> String {
        let recent = if self.is_recent(uid) { "\\Recent" } else { "" };
        format!("{recent} {}", flags.shown()).trim().to_owned()
    }

    /// Notes that the client learns of this version of the flags in another response.
    pub(super) fn knows(&mut self, uid: u32, version: u32) {
        if let Ok(place) = self.known.binary_search_by_key(&uid, |(uid, _)| *uid) {
            self.known[place].1 = version;
        }
    }

    /// Adds the responses for all changes since the last call; those for removed messages only if
    /// `expunges` is set. Changes for which there is no room are told by a later call.
    pub(super) fn refresh(&mut self, account: &mut Account, expunges: bool, news: &mut Answer) {
        let (name, validity) = (self.name.clone(), self.validity);
        let mailbox = account.mailbox(&name).filter(|mailbox| mailbox.uid_validity == validity);
        if expunges && !self.expunge(mailbox.as_deref(), news) {
            return;
        }
        let Some(mailbox) = mailbox else { return };
        for (number, (uid, version)) in (1..).zip(&mut self.known) {
            if let Some(message) = mailbox.get(*uid)
                && message.version != *version
            {
                let recent = if self.recent.contains(uid) { "\\Recent " } else { "" };
                let shown = format!("{recent}{}", message.flags().shown());
                if !news.offer(format!("* {number} FETCH (FLAGS ({}))\r\n", shown.trim())) {
                    return;
                }
                *version = message.version;
            }
        }
        if news.has_room_for(COUNTS) && self.learn(mailbox) {
            let (count, recent) = (self.known.len(), self.recent.len());
            news.push(format!("* {count} EXISTS\r\n* {recent} RECENT\r\n"));
        }
    }

    /// Tells of removed messages. Returns whether there was room for all.
    fn expunge(&mut self, mailbox: Option<&Mailbox>, news: &mut Answer) -> bool {
        let is_there = |uid: u32| mailbox.is_some_and(|mailbox| mailbox.get(uid).is_some());
        let removed: Vec<_> = self.all().filter(|(_, uid)| !is_there(*uid)).collect();
        let mut told = BTreeSet::new();
        // From the last, because each changes the numbers after it.
        for (number, uid) in removed.iter().rev() {
            if !news.offer(format!("* {number} EXPUNGE\r\n")) {
                break;
            }
            self.recent.remove(uid);
            told.insert(*uid);
        }
        self.known.retain(|(uid, _)| !told.contains(uid));
        told.len() == removed.len()
    }

    /// Takes in the new messages of the mailbox, if there is memory for that. Returns whether there
    /// are any.
    pub(super) fn learn(&mut self, mailbox: &mut Mailbox) -> bool {
        let more = mailbox.messages().len().saturating_sub(self.known.len());
        if more * KNOWN > self.held.budget().left() {
            return false;
        }
        let last = self.known.last().map_or(0, |(uid, _)| *uid);
        let new = mailbox.messages().iter().filter(|message| message.uid > last);
        let new: Vec<_> = new.map(|new| (new.uid, new.version, new.recent)).collect();
        for (uid, version, recent) in &new {
            self.known.push((*uid, *version));
            if *recent {
                self.recent.insert(*uid);
                // Only a session that may write takes `\Recent` away from other sessions.
                mailbox.set_recent(*uid, self.read_only);
            }
        }
        self.held.set(self.known.len() * KNOWN);
        !new.is_empty()
    }

    /// How many messages are recent: no earlier session was told of them.
    pub(super) fn recent(&self) -> usize {
        self.recent.len()
    }
}
