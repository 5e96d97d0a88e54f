//! Verbs for the server and its mailboxes.

use super::{Operation, Session};
use crate::proto::imap::{Answer, Argument, Mailbox, Value};

/// Client: mailboxes of IMAP (RFC 3501 section 6.3).
impl Session {
    /// Opens a mailbox: `SELECT` (RFC 3501 section 6.3.1).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start(r#"
    ///     S: * OK ready
    ///     C: a1 SELECT "lab box"
    ///     S: * FLAGS (\Answered \Seen)
    ///     S: * 3 EXISTS
    ///     S: * 0 RECENT
    ///     S: * OK [UIDVALIDITY 1795323818] UIDs valid
    ///     S: a1 OK [READ-WRITE] done
    /// "#)?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// let mailbox = session.select("lab box").await?;
    /// assert_eq!((mailbox.exists(), mailbox.recent()), (Some(3), Some(0)));
    /// assert_eq!(mailbox.flags()?, ["\\Answered", "\\Seen"]);
    /// assert_eq!(mailbox.codes()[0].values[0].number(), Some(1_795_323_818));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::command`].
    pub fn select(&mut self, mailbox: &str) -> Operation<'_, Answer> {
        self.imap("select", "SELECT", [mailbox.into()])
    }

    /// Opens a mailbox for reading only: `EXAMINE` (RFC 3501 section 6.3.2).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: * OK ready
    ///     C: a1 EXAMINE INBOX
    ///     S: * 3 EXISTS
    ///     S: a1 OK [READ-ONLY] done
    ///     C: a2 EXAMINE nosuch
    ///     S: a2 NO [NONEXISTENT] Mailbox doesn't exist
    /// ")?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// let mailbox = session.examine("INBOX").await?;
    /// assert_eq!(mailbox.code().unwrap().name, "READ-ONLY");
    /// let refusal = session.examine("nosuch").expect("NO").await?;
    /// assert_eq!(refusal.code().unwrap().name, "NONEXISTENT");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::command`].
    pub fn examine(&mut self, mailbox: &str) -> Operation<'_, Answer> {
        self.imap("examine", "EXAMINE", [mailbox.into()])
    }

    /// Creates a mailbox: `CREATE` (RFC 3501 section 6.3.3).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start(r#"
    ///     S: * OK ready
    ///     C: a1 CREATE "lab box"
    ///     S: a1 OK [MAILBOXID (F8352ff03)] done
    ///     C: a2 CREATE INBOX
    ///     S: a2 NO [ALREADYEXISTS] Mailbox already exists
    /// "#)?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// let made = session.create("lab box").await?;
    /// assert_eq!(made.code().unwrap().text, "MAILBOXID (F8352ff03)");
    /// let refusal = session.create("INBOX").expect("NO").await?;
    /// assert_eq!(refusal.code().unwrap().name, "ALREADYEXISTS");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::command`].
    pub fn create(&mut self, mailbox: &str) -> Operation<'_, Answer> {
        self.imap("create", "CREATE", [mailbox.into()])
    }

    /// Deletes a mailbox: `DELETE` (RFC 3501 section 6.3.4).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start(r#"
    ///     S: * OK ready
    ///     C: a1 DELETE "lab box"
    ///     S: a1 OK done
    ///     C: a2 DELETE "lab box"
    ///     S: a2 NO [NONEXISTENT] Mailbox doesn't exist
    /// "#)?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// session.delete("lab box").await?;
    /// let refusal = session.delete("lab box").expect("NO").await?;
    /// assert_eq!(refusal.code().unwrap().name, "NONEXISTENT");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::command`].
    pub fn delete(&mut self, mailbox: &str) -> Operation<'_, Answer> {
        self.imap("delete", "DELETE", [mailbox.into()])
    }

    /// Renames a mailbox: `RENAME` (RFC 3501 section 6.3.5).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start(r#"
    ///     S: * OK ready
    ///     C: a1 RENAME Lab "old lab"
    ///     S: a1 OK done
    ///     C: a2 LIST "" "*lab*"
    ///     S: * LIST (\HasNoChildren) "/" "old lab"
    ///     S: a2 OK done
    /// "#)?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// session.rename("Lab", "old lab").await?;
    /// assert_eq!(session.list("", "*lab*").await?[0].name, "old lab");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::command`].
    pub fn rename(&mut self, from: &str, to: &str) -> Operation<'_, Answer> {
        self.imap("rename", "RENAME", [from.into(), to.into()])
    }

    /// Lists mailboxes: `LIST` (RFC 3501 section 6.3.8). In `pattern`, `*` stands for anything and
    /// `%` for one level.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start(r#"
    ///     S: * OK ready
    ///     C: a1 LIST "" "*"
    ///     S: * LIST (\HasNoChildren) "/" INBOX
    ///     S: * LIST (\HasNoChildren \Sent) "/" "Sent mail"
    ///     S: a1 OK done
    /// "#)?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// let mailboxes = session.list("", "*").await?;
    /// assert_eq!(mailboxes[1].name, "Sent mail");
    /// assert_eq!(mailboxes[1].delimiter.as_deref(), Some("/"));
    /// assert_eq!(mailboxes[1].flags, ["\\HasNoChildren", "\\Sent"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::command`].
    pub fn list(&mut self, reference: &str, pattern: &str) -> Operation<'_, Vec<Mailbox>> {
        let arguments = [reference.into(), pattern.into()];
        let (reference, pattern) = (reference.to_owned(), pattern.to_owned());
        self.imap_read("list", "LIST", arguments, move |answer| {
            answer.mailboxes_of("LIST", &reference, &pattern)
        })
    }

    /// Asks about a mailbox without opening it: `STATUS` (RFC 3501 section 6.3.10). `items` are
    /// words such as `MESSAGES UIDNEXT`. Returns each item with its value.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: * OK ready
    ///     C: a1 STATUS INBOX (MESSAGES UNSEEN)
    ///     S: * STATUS INBOX (MESSAGES 3 UNSEEN 2)
    ///     S: a1 OK done
    /// ")?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// let items = session.status("INBOX", "MESSAGES UNSEEN").await?;
    /// assert_eq!((items[1].0.as_str(), items[1].1.number()), ("UNSEEN", Some(2)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::command`].
    pub fn status(&mut self, mailbox: &str, items: &str) -> Operation<'_, Vec<(String, Value)>> {
        let asked = mailbox.to_owned();
        self.imap_read(
            "status",
            "STATUS",
            [mailbox.into(), Argument::plain(in_parentheses(items))],
            move |answer| answer.status_items(&asked),
        )
    }
}

/// A list in parentheses, whether or not `items` has them already.
pub(super) fn in_parentheses(items: &str) -> String {
    if items.starts_with('(') { items.to_owned() } else { format!("({items})") }
}
