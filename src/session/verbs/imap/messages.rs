//! Verbs about messages.

use super::{Session, Turn};
use crate::error::{Error, Result};
use crate::pattern::Pattern;
use crate::proto::imap::{Answer, Argument, Fetched, Value};
use crate::session::Message;

impl Session {
    /// Puts a message into a mailbox: `APPEND` (RFC 3501 section 6.3.11), the message as a literal. Where flags or a date are
    /// to stand before it, `command("APPEND Lab (\\Seen)", &[Argument::literal(message)])` says so.
    ///
    /// # Errors
    /// As [`Session::command`].
    pub async fn append<'a>(&mut self, mailbox: &str, message: impl Into<Message<'a>>) -> Result<Answer> {
        self.run("append", "APPEND", &[mailbox.into(), Argument::literal(message.into().as_ref())]).await
    }

    /// The same with flags: `(\Seen)`, or flags and a date (`(\Seen) "17-Jul-1996 02:44:25 -0700"`).
    ///
    /// # Errors
    /// As [`Session::command`].
    pub async fn append_with<'a>(&mut self, mailbox: &str, flags: &str, message: impl Into<Message<'a>>) -> Result<Answer> {
        let arguments = [mailbox.into(), Argument::plain(flags), Argument::literal(message.into().as_ref())];
        self.run("append", "APPEND", &arguments).await
    }

    /// Looks for messages: `SEARCH` (RFC 3501 section 6.4.4). Gives their numbers.
    ///
    /// # Errors
    /// As [`Session::command`].
    pub async fn search(&mut self, criteria: &str) -> Result<Vec<u64>> {
        let answer = self.run("search", format!("SEARCH {criteria}"), &[]).await?;
        self.read(answer.found())
    }

    /// Looks for messages, and asks for `MIN MAX COUNT ALL` or some of them (RFC 4731): `SEARCH RETURN (COUNT) UNSEEN`.
    ///
    /// # Errors
    /// As [`Session::command`].
    pub async fn esearch(&mut self, results: &str, criteria: &str) -> Result<Vec<(String, Value)>> {
        let results = super::mailboxes::in_parentheses(results);
        let answer = self.run("esearch", format!("SEARCH RETURN {results} {criteria}"), &[]).await?;
        self.read(answer.search_results())
    }

    /// Fetches attributes of messages: `FETCH` (RFC 3501 section 6.4.5). `items` is `FLAGS`, `(UID BODY[])` or the like.
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
    /// let messages = session.by_uid().fetch("7", "(FLAGS BODY[TEXT])").await?;
    /// assert_eq!((messages[0].number(), messages[0].uid()), (1, Some(7)));
    /// assert_eq!(messages[0].content("BODY[TEXT]").unwrap(), b"hi\r\n");
    /// # Ok::<_, mailexpect::Error>(())
    /// # })?;
    /// # Ok(server.finish()?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Session::command`].
    pub async fn fetch(&mut self, messages: &str, items: &str) -> Result<Vec<Fetched>> {
        let answer = self.run("fetch", format!("FETCH {messages} {items}"), &[]).await?;
        self.read(answer.fetched())
    }

    /// Changes flags: `STORE` (RFC 3501 section 6.4.6). `change` is `+FLAGS (\Deleted)` or the like.
    ///
    /// # Errors
    /// As [`Session::command`].
    pub async fn store(&mut self, messages: &str, change: &str) -> Result<Vec<Fetched>> {
        let answer = self.run("store", format!("STORE {messages} {change}"), &[]).await?;
        self.read(answer.fetched())
    }

    /// Copies messages to another mailbox: `COPY` (RFC 3501 section 6.4.7).
    ///
    /// # Errors
    /// As [`Session::command`].
    pub async fn copy(&mut self, messages: &str, mailbox: &str) -> Result<Answer> {
        self.run("copy", format!("COPY {messages}"), &[mailbox.into()]).await
    }

    /// Moves messages to another mailbox: `MOVE` (RFC 6851).
    ///
    /// # Errors
    /// As [`Session::command`].
    pub async fn r#move(&mut self, messages: &str, mailbox: &str) -> Result<Answer> {
        self.run("move", format!("MOVE {messages}"), &[mailbox.into()]).await
    }

    /// Removes the messages that are marked as deleted: `EXPUNGE` (RFC 3501 section 6.4.3), or, with
    /// [`Session::by_uid`], those of this set (RFC 4315). Gives the numbers of those that went.
    ///
    /// # Errors
    /// As [`Session::command`]; a usage error for a set without unique identifiers, and the other way round.
    pub async fn expunge(&mut self, messages: impl Into<Option<&str>>) -> Result<Vec<u64>> {
        let messages = messages.into();
        if messages.is_some() != self.ahead.by_uid {
            let error = Error::usage("a set belongs to an expunge by unique identifiers, and to no other");
            return Err(error.hint("expunge() or, by UIDPLUS, expunge(\"3:5\", #{uid: true})"));
        }
        let text = messages.map_or("EXPUNGE".to_owned(), |messages| format!("EXPUNGE {messages}"));
        Ok(self.run("expunge", text, &[]).await?.expunged())
    }

    /// Begins to wait for what the server has to tell: `IDLE` (RFC 2177). It is over with [`Session::done`]; meanwhile
    /// [`Session::expect`] takes what comes.
    ///
    /// # Errors
    /// As [`Session::command`]; a mismatch where the server does not say to go on.
    pub async fn idle(&mut self) -> Result<Answer> {
        let is_usual = self.expecting.is_none();
        let (mut course, _) = self.set_out("idle")?;
        if is_usual {
            course.verb.wanted = Pattern::bytes("+")?;
        }
        let tag = self.next_tag();
        course.tag = Some(tag.clone());
        self.send_line(format!("{tag} IDLE").as_bytes(), course.verb.wait).await?;
        match self.turn(&mut course).await? {
            Turn::Ended(tagged) => self.arrive(course, tagged),
            Turn::GoOn(response) => {
                self.ahead.idle = Some(tag);
                self.arrive(course, response)
            }
        }
    }

    /// Ends an IDLE (RFC 2177). What the server told meanwhile and nobody expected is among the untagged responses.
    ///
    /// # Errors
    /// As [`Session::command`]; but it is no error that something is unread.
    pub async fn done(&mut self) -> Result<Answer> {
        let (mut course, _) = self.set_out("done")?;
        course.tag = self.ahead.idle.take();
        self.write(b"DONE\r\n".as_slice().into(), course.verb.wait).await?;
        match self.turn(&mut course).await? {
            Turn::Ended(tagged) => self.arrive(course, tagged),
            Turn::GoOn(response) => Err(self.asks_for_more(&course, &response)),
        }
    }
}
