//! Verbs about the server and its mailboxes.

use super::Session;
use crate::error::Result;
use crate::proto::imap::{Answer, Argument, Mailbox, Value};

impl Session {
    /// Turns extensions on: `ENABLE` (RFC 5161). `capabilities` are words with blanks between.
    ///
    /// # Errors
    /// As [`Session::command`].
    pub async fn enable(&mut self, capabilities: &str) -> Result<Answer> {
        self.run("enable", format!("ENABLE {capabilities}"), &[]).await
    }

    /// Opens a mailbox: `SELECT` (RFC 3501 section 6.3.1).
    ///
    /// # Errors
    /// As [`Session::command`].
    pub async fn select(&mut self, mailbox: &str) -> Result<Answer> {
        self.run("select", "SELECT", &[mailbox.into()]).await
    }

    /// Opens a mailbox to be read only: `EXAMINE` (RFC 3501 section 6.3.2).
    ///
    /// # Errors
    /// As [`Session::command`].
    pub async fn examine(&mut self, mailbox: &str) -> Result<Answer> {
        self.run("examine", "EXAMINE", &[mailbox.into()]).await
    }

    /// Leaves the mailbox and expunges nothing: `UNSELECT` (RFC 3691).
    ///
    /// # Errors
    /// As [`Session::command`].
    pub async fn unselect(&mut self) -> Result<Answer> {
        self.run("unselect", "UNSELECT", &[]).await
    }

    /// Makes a mailbox: `CREATE` (RFC 3501 section 6.3.3).
    ///
    /// # Errors
    /// As [`Session::command`].
    pub async fn create(&mut self, mailbox: &str) -> Result<Answer> {
        self.run("create", "CREATE", &[mailbox.into()]).await
    }

    /// Removes a mailbox: `DELETE` (RFC 3501 section 6.3.4).
    ///
    /// # Errors
    /// As [`Session::command`].
    pub async fn delete(&mut self, mailbox: &str) -> Result<Answer> {
        self.run("delete", "DELETE", &[mailbox.into()]).await
    }

    /// Gives a mailbox another name: `RENAME` (RFC 3501 section 6.3.5).
    ///
    /// # Errors
    /// As [`Session::command`].
    pub async fn rename(&mut self, from: &str, to: &str) -> Result<Answer> {
        self.run("rename", "RENAME", &[from.into(), to.into()]).await
    }

    /// Puts a mailbox on the list of those that are followed: `SUBSCRIBE` (RFC 3501 section 6.3.6).
    ///
    /// # Errors
    /// As [`Session::command`].
    pub async fn subscribe(&mut self, mailbox: &str) -> Result<Answer> {
        self.run("subscribe", "SUBSCRIBE", &[mailbox.into()]).await
    }

    /// Takes it off that list: `UNSUBSCRIBE` (RFC 3501 section 6.3.7).
    ///
    /// # Errors
    /// As [`Session::command`].
    pub async fn unsubscribe(&mut self, mailbox: &str) -> Result<Answer> {
        self.run("unsubscribe", "UNSUBSCRIBE", &[mailbox.into()]).await
    }

    /// Lists mailboxes: `LIST` (RFC 3501 section 6.3.8). In `pattern`, `*` stands for anything and `%` for one level.
    ///
    /// # Errors
    /// As [`Session::command`].
    pub async fn list(&mut self, reference: &str, pattern: &str) -> Result<Vec<Mailbox>> {
        let answer = self.run("list", "LIST", &[reference.into(), pattern.into()]).await?;
        self.read(answer.mailboxes())
    }

    /// Asks about a mailbox without opening it: `STATUS` (RFC 3501 section 6.3.10). `items` are words such as
    /// `MESSAGES UIDNEXT`; they come back with their values.
    ///
    /// # Errors
    /// As [`Session::command`].
    pub async fn status(&mut self, mailbox: &str, items: &str) -> Result<Vec<(String, Value)>> {
        let arguments = [mailbox.into(), Argument::plain(in_parentheses(items))];
        let answer = self.run("status", "STATUS", &arguments).await?;
        self.read(answer.status_items())
    }
}

/// A list in its parentheses, whether or not it was given in them.
pub(super) fn in_parentheses(items: &str) -> String {
    if items.starts_with('(') { items.to_owned() } else { format!("({items})") }
}
