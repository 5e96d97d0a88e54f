//! POP3 (RFC 1939, RFC 2449).

use super::listing::{Listing, OK, POP3, is_ok, number, words};
use super::{Operation, Session, Verb};
use crate::error::{Error, Kind, Result};
use crate::proto::capabilities::Capabilities;
use crate::proto::{chomp, pop3};
use crate::reply::Reply;
use crate::sasl;

/// The most characters of a unique id (RFC 1939 section 7).
const LONGEST_ID: usize = 70;

/// The size of a maildrop (RFC 1939 section 5, STAT).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Maildrop {
    /// The number of messages, without those that are marked as deleted.
    pub messages: u64,
    /// The size of all messages in octets.
    pub octets: u64,
}

/// A line of a scan listing (RFC 1939 section 5, LIST).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scan {
    /// The message's number.
    pub message: u64,
    /// The message's size in octets.
    pub octets: u64,
}

/// A line of a unique-id listing (RFC 1939 section 7, UIDL).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UniqueId {
    /// The message's number.
    pub message: u64,
    /// The message's unique id, which is the same in every session.
    pub id: String,
}

/// Client: POP3 (RFC 1939).
impl Session {
    /// Logs in with a digest of the greeting's timestamp and the password: `APOP user digest` (RFC
    /// 1939 section 7).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>
    ///     C: APOP mrose c4c9334bac560ecc979e58001b3e22fb
    ///     S: +OK maildrop has 1 message (369 octets)
    /// ")?;
    /// let mut session = Session::connect(&server.url("pop3")).await?;
    /// session.expect("+OK").await?;
    /// let reply = session.apop("mrose", "tanstaaf").await?;
    /// assert_eq!(reply.text(), "+OK maildrop has 1 message (369 octets)");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the greeting has no timestamp,
    /// or if the reply is not `+OK`.
    pub fn apop(&mut self, user: &str, password: &str) -> Operation<'_, Reply> {
        self.record.secrets().keep(password.as_bytes());
        let (user, password) = (user.to_owned(), password.to_owned());
        self.operation(move |session, call| {
            Box::pin(async move {
                let verb = session.verb(call, "apop", &POP3, OK)?;
                let Some(digest) = session.digest(&password) else {
                    session.check_turn(format!("APOP {user}").as_bytes()).await?;
                    return Err(session.no_timestamp());
                };
                session.ask(format!("APOP {user} {digest}"), &verb).await
            })
        })
    }

    /// The digest of the greeting's timestamp and the password, in hex.
    fn digest(&self, password: &str) -> Option<String> {
        let timestamp = self.turn.protocol().greeting().and_then(pop3::timestamp)?;
        Some(sasl::apop_digest(timestamp, password.as_bytes()))
    }

    fn no_timestamp(&self) -> Error {
        let greeting = self.turn.protocol().greeting().unwrap_or_default();
        let message = match pop3::in_brackets(greeting).next() {
            None => "the greeting has no timestamp: the server does not offer APOP".to_owned(),
            Some(text) => {
                let text = self.shown(text);
                format!("{text} in the greeting is no timestamp for APOP: it has no @")
            }
        };
        let error = self.fault(Kind::Mismatch, message).with_expected(
            "a greeting with a timestamp, such as <1896.697170952@mail.example> (RFC 1939, 7)",
        );
        error
            .with_got(self.shown(greeting))
            .hint("log in with login(user, password), or send(...) an APOP line of your own")
    }

    /// Asks for the capabilities of a server of POP3: `CAPA` (RFC 2449 section 5).
    pub(crate) fn capa(&mut self) -> Operation<'_, Capabilities> {
        self.listing("capa", "CAPA").map(|answer| match answer {
            Listing::Block(block) => Capabilities::of_lines(block),
            Listing::Refusal(status) => Capabilities::none(status),
        })
    }

    /// Asks for the size of the maildrop: `STAT` (RFC 1939 section 5). Returns zeros for a refusal
    /// that [`Operation::expect`] asked for.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: +OK ready
    ///     C: STAT
    ///     S: +OK 3 2407
    /// ")?;
    /// let mut session = Session::connect(&server.url("pop3")).await?;
    /// session.expect("+OK").await?;
    /// let maildrop = session.stat().await?;
    /// assert_eq!((maildrop.messages, maildrop.octets), (3, 2407));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the reply is not `+OK`;
    /// malformed if it does not have two numbers.
    pub fn stat(&mut self) -> Operation<'_, Maildrop> {
        self.operation(move |session, call| {
            Box::pin(async move {
                let verb = session.verb(call, "stat", &POP3, OK)?;
                let reply = session.ask("STAT", &verb).await?;
                if !is_ok(&reply) {
                    return Ok(Maildrop::default());
                }
                let mut words = words(reply.bytes());
                words.next();
                match (words.next().and_then(number), words.next().and_then(number)) {
                    (Some(messages), Some(octets)) => Ok(Maildrop { messages, octets }),
                    _ => Err(session.unreadable(
                        reply.bytes(),
                        "the reply to STAT has no two numbers (RFC 1939, 5)",
                    )),
                }
            })
        })
    }

    /// Asks for the size of a message, or with `None` of each message: `LIST` (RFC 1939 section 5).
    /// In scripts this is `list`. Returns an empty list for a refusal that [`Operation::expect`]
    /// asked for.
    ///
    /// ```
    /// use mailexpect::{Session, server::Replay};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: +OK\nC: LIST\nS: +OK\nS: 1 120\nS: 2 200\nS: .\nC: LIST 2\nS: +OK 2 200\nC: QUIT\nS: +OK")?;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let mut session = Session::connect(&server.url("pop3")).await?;
    /// session.expect("+OK").await?;
    /// let sizes = session.list_messages(None).await?;
    /// assert_eq!((sizes.len(), sizes[0].octets), (2, 120));
    /// assert_eq!(session.list_messages(2).await?[0].octets, 200);
    /// session.quit().await?;
    /// # Ok::<_, mailexpect::Error>(())
    /// # })?;
    /// # Ok(server.finish()?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the reply is not `+OK`;
    /// malformed if a line does not have two numbers.
    pub fn list_messages(&mut self, message: impl Into<Option<i64>>) -> Operation<'_, Vec<Scan>> {
        self.each("list", message.into(), |line| {
            let mut words = words(line);
            let message = number(words.next()?).filter(|message| *message > 0)?;
            Some(Scan { message, octets: number(words.next()?)? })
        })
    }

    /// Asks for the unique id of a message, or with `None` of each message: `UIDL` (RFC 1939
    /// section 7). Returns an empty list for a refusal that [`Operation::expect`] asked for.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: +OK ready
    ///     C: UIDL
    ///     S: +OK
    ///     S: 1 000000016b0277a9
    ///     S: 2 000000026b0277a9
    ///     S: .
    ///     C: UIDL 2
    ///     S: +OK 2 000000026b0277a9
    /// ")?;
    /// let mut session = Session::connect(&server.url("pop3")).await?;
    /// session.expect("+OK").await?;
    /// let all = session.uidl(None).await?;
    /// assert_eq!((all.len(), all[0].id.as_str()), (2, "000000016b0277a9"));
    /// assert_eq!(session.uidl(2).await?, all[1..]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the reply is not `+OK`;
    /// malformed if a line does not have a number and an id.
    pub fn uidl(&mut self, message: impl Into<Option<i64>>) -> Operation<'_, Vec<UniqueId>> {
        self.each("uidl", message.into(), |line| {
            let mut words = words(line);
            let message = number(words.next()?).filter(|message| *message > 0)?;
            // Nothing follows an id.
            let id = words.next()?;
            let is_id = id.iter().all(u8::is_ascii_graphic) && id.len() <= LONGEST_ID;
            (is_id && words.next().is_none())
                .then(|| UniqueId { message, id: String::from_utf8_lossy(id).into_owned() })
        })
    }

    /// Fetches a message: `RETR` (RFC 1939 section 5). Returns the message with doubled dots made
    /// single, and its [`Reply::octets`]; if [`Operation::expect`] asked for a refusal, returns the
    /// refusal. With [`keep(false)`](Operation::keep), only the number of octets is kept.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: +OK ready
    ///     C: RETR 1
    ///     S: +OK 21 octets
    ///     S: Subject: hi
    ///     S:
    ///     S: ..dot
    ///     S: .
    /// ")?;
    /// let mut session = Session::connect(&server.url("pop3")).await?;
    /// session.expect("+OK").await?;
    /// let message = session.retr(1).await?;
    /// assert_eq!(message.bytes(), b"Subject: hi\r\n\r\n.dot\r\n");
    /// assert_eq!(message.octets(), 21);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`], [`Session::expect`] and [`Session::expect_multiline`]; a mismatch if
    /// the reply is not `+OK`.
    pub fn retr(&mut self, message: i64) -> Operation<'_, Reply> {
        self.listing("retr", format!("RETR {message}")).map(Listing::reply)
    }

    /// Fetches the header of a message and the first lines of its body: `TOP` (RFC 1939 section 7).
    /// Otherwise it is like [`Session::retr`].
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: +OK ready
    ///     C: TOP 1 0
    ///     S: +OK
    ///     S: Subject: hi
    ///     S:
    ///     S: .
    /// ")?;
    /// let mut session = Session::connect(&server.url("pop3")).await?;
    /// session.expect("+OK").await?;
    /// let header = session.top(1, 0).await?;
    /// assert_eq!(header.lines()[0], "Subject: hi");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::retr`].
    pub fn top(&mut self, message: i64, lines: i64) -> Operation<'_, Reply> {
        self.operation(move |session, mut call| {
            Box::pin(async move {
                let keep = call.keeps();
                let verb = session.verb(call, "top", &POP3, OK)?;
                let command = format!("TOP {message} {lines}").into_bytes();
                let top = session.take_listing(command, &verb, keep).await?.reply();
                let (most, came) = (usize::try_from(lines), body_lines(top.bytes()));
                if most.is_ok_and(|most| came > most) {
                    let message = "more of the message came than TOP asks for";
                    let error = session.fault(Kind::Malformed, message);
                    let error = error.with_expected(format!("{lines} lines at most (RFC 1939, 7)"));
                    let error = error.with_got(format!("{came} lines of the body"));
                    return Err(error.with_waited(verb.wait.waited()));
                }
                Ok(top)
            })
        })
    }

    /// Marks a message as deleted: `DELE` (RFC 1939 section 5). QUIT deletes the message; RSET
    /// removes the mark.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: +OK ready
    ///     C: DELE 1
    ///     S: +OK Marked to be deleted.
    ///     C: DELE 1
    ///     S: -ERR Message is deleted.
    /// ")?;
    /// let mut session = Session::connect(&server.url("pop3")).await?;
    /// session.expect("+OK").await?;
    /// session.dele(1).await?;
    /// let refusal = session.dele(1).expect("-ERR").await?;
    /// assert_eq!(refusal.text(), "-ERR Message is deleted.");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the reply is not `+OK`.
    pub fn dele(&mut self, message: i64) -> Operation<'_, Reply> {
        self.exchange("dele", &POP3, OK, format!("DELE {message}"))
    }

    /// Sends `USER` and `PASS` (RFC 1939 section 7). If the server refuses the user, the verb ends
    /// there.
    pub(super) async fn login_to_maildrop(
        &mut self,
        user: &str,
        password: &str,
        verb: &Verb,
    ) -> Result<Reply> {
        self.send_line(format!("USER {user}").as_bytes(), verb.wait).await?;
        let reply = self.answer(verb).await?;
        if pop3::Status::of(&reply) != Some(pop3::Status::Ok) {
            return self.conclude(reply, verb).await;
        }
        self.turn.expected();
        self.ask(format!("PASS {password}"), verb).await
    }
}

/// The number of lines after the header of a message.
fn body_lines(message: &[u8]) -> usize {
    let lines = message.split_inclusive(|byte| *byte == b'\n');
    lines.skip_while(|line| !chomp(line).is_empty()).skip(1).count()
}
