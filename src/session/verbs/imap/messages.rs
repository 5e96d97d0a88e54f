//! Verbs for messages.

use super::{IMAP, Operation, Session};
use crate::error::Error;
use crate::proto::imap::{Answer, Argument, Asked, Criteria, Fetched, Value};
use crate::session::Payload;

/// Client: messages of IMAP (RFC 3501 sections 6.3.11 and 6.4).
impl Session {
    /// Adds a message to a mailbox: `APPEND` (RFC 3501 section 6.3.11), with the message as a
    /// literal. `flags` are flags, such as `(\Seen)`, or flags and a date, such as `(\Seen)
    /// "17-Jul-1996 02:44:25 -0700"`; an empty text sends neither.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start(r#"
    ///     S: * OK ready
    ///     C: a1 APPEND Lab (\Seen) "17-Jul-1996 02:44:25 -0700" {13}
    ///     S: + go on
    ///     C: Subject: hi
    ///     C:
    ///     S: a1 OK [APPENDUID 38505 3956] done
    /// "#)?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// let flags = "(\\Seen) \"17-Jul-1996 02:44:25 -0700\"";
    /// let answer = session.append("Lab", flags, "Subject: hi\n").await?;
    /// assert_eq!(answer.code().unwrap().values[1].number(), Some(3956));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::command`].
    pub fn append<'a>(
        &mut self,
        mailbox: &str,
        flags: &str,
        message: impl Into<Payload<'a>>,
    ) -> Operation<'_, Answer> {
        let flags = (!flags.is_empty()).then(|| Argument::plain(flags));
        let message = Argument::literal(message.into().as_ref());
        let arguments = [Some(mailbox.into()), flags, Some(message)];
        self.imap("append", "APPEND", arguments.into_iter().flatten().collect::<Vec<_>>())
    }

    /// Searches messages: `SEARCH` (RFC 3501 section 6.4.4). Returns their numbers. The criteria are
    /// text that is sent unchanged, or a list of [`Argument`]s.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start(r#"
    ///     S: * OK ready
    ///     C: a1 SEARCH UNSEEN
    ///     S: * SEARCH 2 3
    ///     S: a1 OK done
    ///     C: a2 UID SEARCH SUBJECT "hi"
    ///     S: * ESEARCH (TAG "a2") UID ALL 7,9:11
    ///     S: a2 OK done
    /// "#)?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// assert_eq!(session.search("UNSEEN").await?, [2, 3]);
    /// assert_eq!(session.search("SUBJECT \"hi\"").by_uid().await?, [7, 9, 10, 11]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::command`].
    pub fn search(&mut self, criteria: impl Into<Criteria>) -> Operation<'_, Vec<u64>> {
        self.imap_read("search", "SEARCH", criteria.into().0, Answer::found)
    }

    /// Searches messages, and asks for some or all of `MIN MAX COUNT ALL` (RFC 4731): `SEARCH
    /// RETURN (COUNT) UNSEEN`.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start(r#"
    ///     S: * OK ready
    ///     C: a1 SEARCH RETURN (COUNT MAX) UNSEEN
    ///     S: * ESEARCH (TAG "a1") COUNT 2 MAX 3
    ///     S: a1 OK done
    /// "#)?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// let results = session.esearch("COUNT MAX", "UNSEEN").await?;
    /// assert_eq!((results[0].0.as_str(), results[0].1.number()), ("COUNT", Some(2)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::command`].
    pub fn esearch(
        &mut self,
        results: &str,
        criteria: impl Into<Criteria>,
    ) -> Operation<'_, Vec<(String, Value)>> {
        let results = super::mailboxes::in_parentheses(results);
        self.imap_read(
            "esearch",
            format!("SEARCH RETURN {results}"),
            criteria.into().0,
            Answer::search_results,
        )
    }

    /// Fetches attributes of messages: `FETCH` (RFC 3501 section 6.4.5). `items` is `FLAGS`, `(UID
    /// BODY[])` or similar.
    ///
    /// ```
    /// use mailexpect::{Session, server::Replay};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: * OK hi
    ///     C: a1 UID FETCH 7 (FLAGS BODY[TEXT])
    ///     S: * 1 FETCH (UID 7 FLAGS (\\Seen) BODY[TEXT] {4}
    ///     S: hi
    ///     S: )
    ///     S: a1 OK done
    /// ")?;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// let messages = session.fetch("7", "(FLAGS BODY[TEXT])").by_uid().await?;
    /// assert_eq!((messages[0].number(), messages[0].uid()), (1, Some(7)));
    /// assert_eq!(messages[0].content("BODY[TEXT]").unwrap(), b"hi\r\n");
    /// # Ok::<_, mailexpect::Error>(())
    /// # })?;
    /// # Ok(server.finish()?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::command`].
    pub fn fetch(&mut self, messages: &str, items: &str) -> Operation<'_, Vec<Fetched>> {
        let text = format!("FETCH {messages} {items}");
        let (messages, items) = (messages.to_owned(), items.to_owned());
        self.operation(move |session, call| {
            Box::pin(async move {
                let asked = Asked::of(&messages, call.by_uid, call.bare)
                    .with_items(&items)
                    .in_mailbox(session.turn.protocol().selected());
                let answer = session.run("fetch", text, Vec::new(), call).await?;
                session.read_of(&answer, |answer| answer.fetched_of(&asked)).await
            })
        })
    }

    /// Changes flags: `STORE` (RFC 3501 section 6.4.6). `change` is `+FLAGS (\Deleted)` or similar.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start(r#"
    ///     S: * OK ready
    ///     C: a1 STORE 1 +FLAGS (\Deleted)
    ///     S: * 1 FETCH (FLAGS (\Seen \Deleted))
    ///     S: a1 OK done
    /// "#)?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// let changed = session.store("1", "+FLAGS (\\Deleted)").await?;
    /// assert_eq!(changed[0].flags().unwrap(), ["\\Seen", "\\Deleted"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::command`].
    pub fn store(&mut self, messages: &str, change: &str) -> Operation<'_, Vec<Fetched>> {
        let text = format!("STORE {messages} {change}");
        let (messages, change) = (messages.to_owned(), change.to_owned());
        self.operation(move |session, call| {
            Box::pin(async move {
                let asked = Asked::of(&messages, call.by_uid, call.bare).with_change(&change);
                let answer = session.run("store", text, Vec::new(), call).await?;
                session.read_of(&answer, |answer| answer.fetched_of(&asked)).await
            })
        })
    }

    /// Copies messages to another mailbox: `COPY` (RFC 3501 section 6.4.7).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: * OK ready
    ///     C: a1 COPY 1:2 Lab
    ///     S: a1 OK [COPYUID 38505 304,319 3956:3957] done
    /// ")?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// let answer = session.copy("1:2", "Lab").await?;
    /// assert_eq!(answer.code().unwrap().text, "COPYUID 38505 304,319 3956:3957");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::command`].
    pub fn copy(&mut self, messages: &str, mailbox: &str) -> Operation<'_, Answer> {
        self.imap("copy", format!("COPY {messages}"), [mailbox.into()])
    }

    /// Moves messages to another mailbox: `MOVE` (RFC 6851).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: * OK ready
    ///     C: a1 UID MOVE 7 Lab
    ///     S: * OK [COPYUID 38505 7 1] moved
    ///     S: * 1 EXPUNGE
    ///     S: a1 OK done
    /// ")?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// let answer = session.r#move("7", "Lab").by_uid().await?;
    /// assert_eq!(answer.expunged(), [1]);
    /// assert_eq!(answer.codes()[0].name, "COPYUID");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::command`].
    pub fn r#move(&mut self, messages: &str, mailbox: &str) -> Operation<'_, Answer> {
        self.imap("move", format!("MOVE {messages}"), [mailbox.into()])
    }

    /// Removes the messages that are marked as deleted: `EXPUNGE` (RFC 3501 section 6.4.3). With
    /// [`by_uid`](Operation::by_uid), removes only those of this set (RFC 4315). Returns the
    /// numbers of the removed messages.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: * OK ready
    ///     C: a1 EXPUNGE
    ///     S: * 2 EXPUNGE
    ///     S: * 2 EXPUNGE
    ///     S: a1 OK done
    ///     C: a2 UID EXPUNGE 7:9
    ///     S: * 1 EXPUNGE
    ///     S: a2 OK done
    /// ")?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// assert_eq!(session.expunge(None).await?, [2, 2]);
    /// assert_eq!(session.expunge("7:9").by_uid().await?, [1]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::command`]; a usage error for a set without [`by_uid`](Operation::by_uid), and
    /// for [`by_uid`](Operation::by_uid) without a set.
    pub fn expunge<'a>(&mut self, messages: impl Into<Option<&'a str>>) -> Operation<'_, Vec<u64>> {
        let is_set = messages.into();
        let text = is_set.map_or("EXPUNGE".to_owned(), |messages| format!("EXPUNGE {messages}"));
        let is_set = is_set.is_some();
        self.operation(move |session, call| {
            Box::pin(async move {
                session.check_spoken("expunge", &IMAP)?;
                if is_set != call.by_uid {
                    let error = Error::usage("only an expunge by unique identifiers takes a set");
                    return Err(
                        error.hint("expunge() or, by UIDPLUS, expunge(\"3:5\", #{uid: true})")
                    );
                }
                Ok(session.run("expunge", text, Vec::new(), call).await?.expunged())
            })
        })
    }
}
