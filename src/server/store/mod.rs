//! Mailboxes and Sieve scripts of all users, in memory.

mod account;
mod mailbox;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

pub(super) use account::{Account, DELIMITER, Refused, Script, canonical};
pub(super) use mailbox::{Flags, Mailbox, Message};

/// All of it, and a bell for each change.
#[derive(Debug)]
pub(super) struct Store {
    held: Mutex<BTreeMap<String, Account>>,
    /// How many octets the messages of one user may have.
    limit: usize,
    changed: watch::Sender<()>,
    /// UIDVALIDITY of the next mailbox: what a client remembers of a server that ran before is
    /// another one's.
    epoch: u32,
}

impl Store {
    pub(super) fn new(limit: usize) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let epoch = u32::try_from(since.as_secs()).unwrap_or(1).max(1);
        Self { held: Mutex::default(), limit, changed: watch::Sender::new(()), epoch }
    }

    /// Reads or changes what a user has. Nobody hears of it until [`Store::ring`].
    pub(super) fn with<T>(&self, user: &str, use_it: impl FnOnce(&mut Account) -> T) -> T {
        let mut held = self.held();
        match held.get_mut(user) {
            Some(account) => use_it(account),
            None => {
                use_it(held.entry(user.to_owned()).or_insert(Account::new(self.limit, self.epoch)))
            }
        }
    }

    /// The same, and tells all connections that something may have changed.
    pub(super) fn change<T>(&self, user: &str, change: impl FnOnce(&mut Account) -> T) -> T {
        let changed = self.with(user, change);
        self.ring();
        changed
    }

    /// Puts a message into a user's INBOX; if there is no room, the oldest there go.
    pub(super) fn deliver(&self, user: &str, data: &[u8]) {
        let message = Message::new(data.into(), SystemTime::now());
        self.change(user, |account| account.deliver(message));
    }

    /// Tells all who watch that something may have changed.
    pub(super) fn ring(&self) {
        self.changed.send_replace(());
    }

    /// Hears of each change from now on.
    pub(super) fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Account>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message's octets, shared by all that show them.
pub(super) type Octets = Arc<[u8]>;
