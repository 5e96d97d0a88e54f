//! IMAP (RFC 3501, RFC 9051).

mod demands;
mod extensions;
mod idle;
mod known;
mod mailboxes;
mod messages;
mod required;
mod running;

pub(in crate::session) use demands::Tags;
pub use demands::Untagged;
use known::Known;
use required::{BARE, Required};
pub(in crate::session::verbs) use running::Next;
use running::{Running, give_turn};

use super::{Call, Operation, Session};
use crate::error::{Error, Kind, Result};
use crate::proto::Speech;
use crate::proto::imap::{Answer, Argument};

/// The protocols that have these verbs.
const IMAP: [Speech; 1] = [Speech::Imap];
/// The beginning of a successful response, after the tag.
const OK: &str = "OK";
/// The verbs that have a variant with unique identifiers (RFC 3501 section 6.4.8, RFC 4315, RFC
/// 5256, RFC 6851).
const BY_UID: [&str; 9] =
    ["copy", "esearch", "expunge", "fetch", "move", "search", "sort", "store", "threads"];

/// Client: commands of IMAP (RFC 3501, RFC 9051).
impl Session {
    /// Sends a command with a tag of its own, sends its literals when the server asks for them, and
    /// takes all responses to it (RFC 3501 section 2.2). The tagged response has to say OK, or to
    /// match [`Operation::expect`], whose pattern does not see the tag.
    ///
    /// ```
    /// use mailexpect::imap::Argument;
    /// use mailexpect::{Session, server::Replay};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: * OK hi
    ///     C: a1 SEARCH CHARSET UTF-8 BODY {6}
    ///     S: + go on
    ///     C: Grüß
    ///     S: * SEARCH 2 3
    ///     S: a1 OK done
    /// ")?;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// let answer = session.command("SEARCH CHARSET UTF-8 BODY", &["Grüß".into()]).await?;
    /// assert_eq!(answer.found()?, [2, 3]);
    /// # Ok::<_, mailexpect::Error>(())
    /// # })?;
    /// # Ok(server.finish()?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the command fails, if the
    /// server answers another command, or if untagged responses are not as [`Operation::untagged`]
    /// demands; unexpected if the server waits for something else.
    pub fn command(
        &mut self,
        text: impl AsRef<[u8]>,
        arguments: &[Argument],
    ) -> Operation<'_, Answer> {
        self.imap("command", text.as_ref(), arguments)
    }

    /// Sends several commands in one write, each with its own tag, and returns an answer for each
    /// (RFC 3501 section 5.5). Each has to succeed, or to match [`Operation::expect`]. Untagged
    /// responses belong to the command that ends next.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: * OK ready
    ///     C: a1 NOOP
    ///     C: a2 CHECK
    ///     S: * 3 EXISTS
    ///     S: a1 OK done
    ///     S: a2 OK done
    /// ")?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// let answers = session.commands(&["NOOP", "CHECK"]).await?;
    /// assert_eq!((answers[0].exists(), answers[1].exists()), (Some(3), None));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::command`].
    pub fn commands(&mut self, texts: &[impl AsRef<[u8]>]) -> Operation<'_, Vec<Answer>> {
        let texts: Vec<_> = texts.iter().map(|text| text.as_ref().to_vec()).collect();
        self.operation(move |session, call| Box::pin(session.run_all(texts, call)))
    }

    /// Takes all responses to a command that the caller sent without a verb, up to the response
    /// with its tag (RFC 3501 section 2.2.1).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: * OK hi\nC: x1 NOOP\nS: * 3 EXISTS\nS: x1 OK done")?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// session.send("x1 NOOP").await?;
    /// assert_eq!(session.finish_command("x1").await?.exists(), Some(3));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::command`].
    pub fn finish_command(&mut self, tag: &str) -> Operation<'_, Answer> {
        let tag = tag.to_owned();
        self.operation(move |session, call| {
            Box::pin(async move {
                let (mut running, _) = session.prepare("finish", call)?;
                running.tag = Some(tag);
                match session.next_response(&mut running).await? {
                    Next::Tagged(tagged) => session.finish_running(running, tagged).await,
                    Next::Continuation(response) => Err(session.asks_for_more(&running, &response)),
                }
            })
        })
    }

    /// A command by the name of a verb, which says what the answer has to contain.
    #[cfg(feature = "script")]
    pub(crate) fn imap_verb(
        &mut self,
        name: &'static str,
        arguments: &[Argument],
    ) -> Operation<'_, Answer> {
        self.imap(name, name.to_ascii_uppercase().as_bytes(), arguments)
    }

    /// Whether the session speaks IMAP, so that the verbs of IMAP and their options can be used.
    #[cfg(feature = "script")]
    pub(crate) fn speaks_imap(&self) -> bool {
        self.turn.speech() == Speech::Imap
    }

    /// All responses to the last command that a verb sent (RFC 3501 section 2.2.2). After a verb
    /// that returns only data from the answer, such as [`Session::store`], this is the whole
    /// answer.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: * OK hi\nC: a1 STORE 7 (UNCHANGEDSINCE 1) FLAGS ()\nS: a1 OK [MODIFIED 7] done")?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// session.store("7", "(UNCHANGEDSINCE 1) FLAGS ()").await?;
    /// assert_eq!(session.last_answer().unwrap().code().unwrap().name, "MODIFIED");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn last_answer(&self) -> Option<&Answer> {
        self.tags.answer.as_ref()
    }

    /// Returns a tag that no verb of this session has used.
    pub(in crate::session) fn next_tag(&mut self) -> String {
        self.tags.count += 1;
        format!("a{}", self.tags.count)
    }

    /// A verb that sends one command and returns all responses to it.
    pub(crate) fn imap(
        &mut self,
        name: &'static str,
        text: impl Into<Vec<u8>>,
        arguments: impl Into<Vec<Argument>>,
    ) -> Operation<'_, Answer> {
        let (text, arguments) = (text.into(), arguments.into());
        self.operation(move |session, call| Box::pin(session.run(name, text, arguments, call)))
    }

    /// A verb that sends one command and returns the data that `read` finds in the answer.
    fn imap_read<T: Send + 'static>(
        &mut self,
        name: &'static str,
        text: impl Into<Vec<u8>>,
        arguments: impl Into<Vec<Argument>>,
        read: impl FnOnce(&Answer) -> Result<T> + Send + 'static,
    ) -> Operation<'_, T> {
        let (text, arguments) = (text.into(), arguments.into());
        self.operation(move |session, call| {
            Box::pin(async move {
                let answer = session.run(name, text, arguments, call).await?;
                session.read_of(&answer, read).await
            })
        })
    }

    /// Runs a command from its beginning to its tagged response.
    pub(super) async fn run(
        &mut self,
        name: &str,
        text: impl Into<Vec<u8>>,
        arguments: Vec<Argument>,
        mut call: Call,
    ) -> Result<Answer> {
        let literals = call.literals.take().unwrap_or_default();
        let (mut running, by_uid) = self.prepare(name, call)?;
        let text = text.into();
        if !running.is_bare {
            let selected = self.turn.protocol().selected();
            running.required = Required::of(name, &text, &arguments, by_uid, selected.count);
        }
        let text = if by_uid { [b"UID ", &text[..]].concat() } else { text };
        self.run_prepared(running, &text, &arguments, literals).await
    }

    /// Reads the data of an answer.
    async fn read_of<T>(
        &self,
        answer: &Answer,
        read: impl FnOnce(&Answer) -> Result<T>,
    ) -> Result<T> {
        let data = self.parsed(read(answer))?;
        give_turn(answer).await;
        Ok(data)
    }

    /// Returns the data that was read from an answer, or the error with the session and the
    /// command.
    fn parsed<T>(&self, read: Result<T>) -> Result<T> {
        let sent =
            self.turn.answered().map(|line| crate::visible::excerpt(line, crate::session::SHOWN));
        read.map_err(|error| {
            let error = error.with_session(self.name()).with_sent(sent);
            match error.kind() {
                Kind::TooLong => error,
                Kind::Mismatch => error.hint(BARE),
                _ => error.hint("command(...) gives the responses as they came"),
            }
        })
    }

    /// Begins a verb. Returns its state, and whether it names messages by their unique identifiers.
    pub(super) fn prepare(&mut self, name: &str, mut call: Call) -> Result<(Running, bool)> {
        self.tags.answer = None;
        // What comes during IDLE is compared as well, whatever takes it.
        let protocol = self.turn.protocol();
        let is_idle = protocol.owed() == 0 && !protocol.is_our_turn();
        if !is_idle || self.tags.idle.is_none() {
            self.tags.contradiction = None;
        }
        let untagged = call.untagged.take().unwrap_or_default();
        let by_uid = std::mem::take(&mut call.by_uid);
        let is_bare = std::mem::take(&mut call.bare);
        let verb = self.verb(call, name, &IMAP, OK)?;
        if by_uid && !BY_UID.contains(&name) {
            let error = Error::usage(format!("`{name}` has no form with unique identifiers"));
            return Err(error.hint(format!("these have: {}", BY_UID.join(", "))));
        }
        let demands = untagged.into_parts()?;
        let selected = self.turn.protocol().selected();
        let known = if is_bare { Known::default() } else { Known::of(name, by_uid, selected) };
        let running = Running {
            verb,
            tag: None,
            demands,
            untagged: Vec::new(),
            required: Required::Nothing,
            is_bare,
            known,
            held: 0,
        };
        Ok((running, by_uid))
    }
}
