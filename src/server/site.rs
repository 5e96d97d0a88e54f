//! What all connections of one server share.

use std::sync::Arc;

use super::accounts::Accounts;
use super::auth;
use super::mail::{Mail, Spool};
use super::store::Store;

/// How much accepted mail is kept for whoever asks afterwards, and how much in mailboxes.
const SPOOL: usize = 64 << 20;
const STORE: usize = 64 << 20;

/// Users, mailboxes, and the mail that was accepted.
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

    /// Keeps a message, and puts it into the mailboxes of its recipients.
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
