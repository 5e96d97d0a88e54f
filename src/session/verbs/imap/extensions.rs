//! Several commands in one write, commands that the caller wrote out, and commands of extensions.

use std::collections::HashMap;

use super::{Call, Next, Operation, Session, mailboxes::in_parentheses};
use crate::error::{Error, Kind, Result};
use crate::proto::imap::{Answer, Criteria, Literals, Status, Value};

/// Client: extensions of IMAP (RFC 2177, RFC 5256, RFC 4978).
impl Session {
    /// Begins to wait for news of the server: `IDLE` (RFC 2177). [`Session::done`] ends it; until
    /// then [`Session::expect`] takes the responses.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: * OK ready
    ///     C: a1 IDLE
    ///     S: + idling
    ///     S: * 4 EXISTS
    ///     C: DONE
    ///     S: a1 OK Idle completed.
    /// ")?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// assert_eq!(session.idle().await?.text(), "+ idling");
    /// session.expect("* 4 EXISTS").await?;
    /// session.done().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::command`]; a mismatch if the server does not send a continuation.
    pub fn idle(&mut self) -> Operation<'_, Answer> {
        self.operation(|session, call| Box::pin(session.begin_idle(call)))
    }

    /// Ends an IDLE (RFC 2177). Responses that came during IDLE and were not expected are among the
    /// untagged responses of the answer.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: * OK ready
    ///     C: a1 IDLE
    ///     S: + idling
    ///     C: DONE
    ///     S: * 4 EXISTS
    ///     S: a1 OK Idle completed.
    /// ")?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// session.idle().await?;
    /// let answer = session.done().await?;
    /// assert_eq!((answer.exists(), answer.tagged().text().as_ref()), (Some(4), "a1 OK Idle completed."));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::command`]; here, unread responses are no error.
    pub fn done(&mut self) -> Operation<'_, Answer> {
        self.operation(|session, call| Box::pin(session.end_idle(call)))
    }

    /// Searches messages and sorts them: `SORT (order) UTF-8 criteria` (RFC 5256 section 3).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: * OK ready
    ///     C: a1 SORT (REVERSE DATE) UTF-8 UNSEEN
    ///     S: * SORT 5 3 4
    ///     S: a1 OK done
    /// ")?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// assert_eq!(session.sort("REVERSE DATE", "UNSEEN").await?, [5, 3, 4]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::command`].
    pub fn sort(&mut self, order: &str, criteria: impl Into<Criteria>) -> Operation<'_, Vec<u64>> {
        let text = format!("SORT {} UTF-8", in_parentheses(order));
        self.imap_read("sort", text, criteria.into().0, Answer::sorted)
    }

    /// Searches messages and groups them into threads: `THREAD algorithm UTF-8 criteria` (RFC 5256
    /// section 3). A thread is a list of numbers, with a nested list for each branch.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: * OK ready
    ///     C: a1 THREAD REFERENCES UTF-8 ALL
    ///     S: * THREAD (2)(3 6 (4 23)(44))
    ///     S: a1 OK done
    /// ")?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// let threads = session.threads("REFERENCES", "ALL").await?;
    /// assert_eq!(threads[1].list().unwrap().len(), 4);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::command`].
    pub fn threads(
        &mut self,
        algorithm: &str,
        criteria: impl Into<Criteria>,
    ) -> Operation<'_, Vec<Value>> {
        let text = format!("THREAD {algorithm} UTF-8");
        self.imap_read("threads", text, criteria.into().0, Answer::threads)
    }

    /// Sends `COMPRESS DEFLATE` (RFC 4978), with or without TLS. If the server accepts, both
    /// directions are compressed from then on. The transcript shows the uncompressed data. If
    /// [`Operation::expect`] expects a refusal and the server refuses, nothing is compressed.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: * OK ready
    ///     C: a1 COMPRESS DEFLATE
    ///     S: a1 NO [COMPRESSIONACTIVE] TLS does that
    /// ")?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// session.compress().expect("NO [COMPRESSIONACTIVE]").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::command`]. Afterwards, an operation that reads fails as `malformed`
    /// if the data is not DEFLATE.
    pub fn compress(&mut self) -> Operation<'_, Answer> {
        self.operation(|session, call| {
            Box::pin(async move {
                let (running, _) = session.prepare("compress", call)?;
                let command = b"COMPRESS DEFLATE";
                let answer =
                    session.run_prepared(running, command, &[], Literals::default()).await?;
                if answer.status() == Some(Status::Ok) {
                    session.begin_deflate()?;
                }
                Ok(answer)
            })
        })
    }

    pub(super) async fn run_all(&mut self, texts: Vec<Vec<u8>>, call: Call) -> Result<Vec<Answer>> {
        if call.untagged.is_some() {
            let error = Error::usage("`commands` demands nothing of untagged responses");
            return Err(error.hint("look at each answer, or send the commands one by one"));
        }
        let (first, _) = self.prepare("commands", call)?;
        let tags: Vec<_> = texts.iter().map(|_| self.next_tag()).collect();
        let mut lines = Vec::new();
        for (tag, text) in tags.iter().zip(&texts) {
            lines.extend([tag.as_bytes(), b" ", text, b"\r\n"].concat());
        }
        self.check_turn(&lines).await?;
        self.write(lines.into(), first.verb.wait).await?;
        let mut places: HashMap<&[u8], usize> =
            tags.iter().map(String::as_bytes).zip(0..).collect();
        let mut answers: Vec<Option<Answer>> = vec![None; tags.len()];
        while !places.is_empty() {
            // A server may answer in another order (RFC 3501 section 5.5), so the tag of any of the
            // commands is accepted.
            let mut running = first.again();
            let tagged = match self.next_response(&mut running).await? {
                Next::Tagged(tagged) => tagged,
                Next::Continuation(response) => return Err(self.asks_for_more(&running, &response)),
            };
            let place = tagged.ends().and_then(|tag| places.remove(tag));
            let Some(answer) = place.and_then(|place| answers.get_mut(place)) else {
                let error = self.fault(Kind::Mismatch, "the tagged response ends another command");
                let error = error.with_expected(format!("one of {}", tags.join(", ")));
                return Err(error.with_got(self.shown_lines(tagged.bytes())));
            };
            *answer = Some(self.finish_running(running, tagged).await?);
        }
        Ok(answers.into_iter().flatten().collect())
    }
}
