//! What all connections of one server share.

use std::sync::Arc;

use super::accounts::Accounts;
use super::auth;
use super::budget::Budget;
use super::mail::{Mail, Spool};
use super::store::{Octets, Store};

/// The most bytes of accepted mail that are kept; beyond it, the oldest mail is dropped.
const SPOOL: usize = 64 << 20;
/// The most bytes of messages in the mailboxes of one user.
const STORE: usize = 64 << 20;

/// Users, mailboxes and accepted mail.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) accounts: Accounts,
    pub(super) spool: Arc<Spool>,
    pub(super) store: Store,
}

impl Default for Site {
    fn default() -> Self {
        Self::new([], &Budget::default())
    }
}

impl Site {
    /// A site with these users and their passwords, or else with its usual user.
    pub(super) fn new(users: impl IntoIterator<Item = (String, String)>, budget: &Budget) -> Self {
        let mut users = users.into_iter().peekable();
        let usual = (auth::USER.to_owned(), auth::PASSWORD.to_owned());
        let usual = users.peek().is_none().then_some(usual);
        Self {
            accounts: Accounts::new(users.chain(usual)),
            spool: Arc::new(Spool::new(SPOOL, budget)),
            store: Store::new(STORE, budget),
        }
    }

    /// Keeps a message in the list of accepted mail, and delivers it to the mailboxes of its
    /// recipients. Returns whether there is room for it.
    pub(super) fn deliver(&self, mail: Mail) -> bool {
        let data = Octets::from(&*mail.data);
        let users = mail.to.iter().filter_map(|to| self.accounts.of_address(to));
        let users: Vec<_> = users.map(str::to_owned).collect();
        let is_kept = self.spool.deposit(mail);
        if is_kept {
            for user in &users {
                self.store.deliver(user, Arc::clone(&data));
            }
        }
        self.store.ring();
        is_kept
    }
}
