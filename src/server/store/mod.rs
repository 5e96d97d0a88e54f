//! Mailboxes and Sieve scripts of all users, in memory.

mod account;
mod flags;
mod mailbox;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use super::budget::Budget;
pub(super) use account::{Account, DELIMITER, Refused, StoredScript, canonical};
pub(super) use flags::Flags;
pub(super) use mailbox::{Mailbox, Message};

/// The accounts of all users, and a channel that signals each change.
#[derive(Debug)]
pub(super) struct Store {
    held: Mutex<BTreeMap<String, Account>>,
    /// The most bytes of messages of one user.
    limit: usize,
    budget: Budget,
    changed: watch::Sender<()>,
    /// The UIDVALIDITY of a user's first mailbox: the time of the start. So a client does not take
    /// the mailbox for the same one of an earlier server, whose messages it remembers.
    epoch: u32,
}

impl Store {
    pub(super) fn new(limit: usize, budget: &Budget) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let epoch = u32::try_from(since.as_secs()).unwrap_or(1).max(1);
        Self {
            held: Mutex::default(),
            limit: budget.at_most(limit),
            budget: budget.clone(),
            changed: watch::Sender::new(()),
            epoch,
        }
    }

    /// Reads or changes a user's account. Nobody is told of a change until [`Store::ring`].
    pub(super) fn with<T>(&self, user: &str, use_it: impl FnOnce(&mut Account) -> T) -> T {
        let mut held = self.held();
        if let Some(account) = held.get_mut(user) {
            return use_it(account);
        }
        let account = Account::new(self.limit, self.epoch, &self.budget);
        use_it(held.entry(user.to_owned()).or_insert(account))
    }

    /// Changes a user's account, and tells all watchers that something may have changed.
    pub(super) fn change<T>(&self, user: &str, change: impl FnOnce(&mut Account) -> T) -> T {
        let changed = self.with(user, change);
        self.ring();
        changed
    }

    /// Adds a message to a user's INBOX; if there is no room, the oldest messages there are
    /// removed.
    pub(super) fn deliver(&self, user: &str, data: impl Into<Octets>) {
        let message = Message::new(data.into(), SystemTime::now());
        self.change(user, |account| account.deliver(message));
    }

    /// Tells all watchers that something may have changed.
    pub(super) fn ring(&self) {
        self.changed.send_replace(());
    }

    /// Signals each change from now on.
    pub(super) fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Account>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes of a message, shared by all that read them.
pub(super) type Octets = Arc<[u8]>;
