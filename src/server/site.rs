//! What all connections of one server share.

use std::sync::Arc;

use super::accounts::Accounts;
use super::auth;
use super::mail::{Mail, Spool};
use super::store::Store;

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
        Self::new(Accounts::new([(auth::USER.to_owned(), auth::PASSWORD.to_owned())]))
    }
}

impl Site {
    pub(super) fn new(accounts: Accounts) -> Self {
        Self { accounts, spool: Arc::new(Spool::new(SPOOL)), store: Store::new(STORE) }
    }

    /// Keeps a message in the list of accepted mail, and delivers it to the mailboxes of its
    /// recipients.
    pub(super) fn deliver(&self, mail: Mail) {
        for recipient in &mail.to {
            if let Some(user) = self.accounts.of_address(recipient) {
                self.store.deliver(user, &mail.data);
            }
        }
        self.spool.deposit(mail);
        self.store.ring();
    }
}
