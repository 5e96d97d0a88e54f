//! IMAP (RFC 3501, RFC 9051).

mod demands;
mod extensions;
mod mailboxes;
mod messages;
mod required;

use demands::Demands;
pub(in crate::session) use demands::Tags;
pub use demands::Untagged;
use required::Required;

use super::{Call, Operation, Session, Verb};
use crate::error::{Error, Kind, Result};
use crate::proto::Speech;
use crate::proto::imap::{Answer, Argument, Literals, Response, Status, compose};
use crate::session::hint;
use crate::session::taken::Taken;
use crate::session::waiting::Wait;

/// The protocols that have these verbs.
const IMAP: [Speech; 1] = [Speech::Imap];
/// The beginning of a successful response, after the tag.
const OK: &str = "OK";
/// How many bytes a response counts in addition to its length. It is less than the memory that a
/// response takes, so that a mailbox of 200 000 messages can be fetched, and large enough to bound
/// a flood of short responses.
const OVERHEAD: usize = 32;
/// The verbs that have a variant with unique identifiers (RFC 3501 section 6.4.8, RFC 4315, RFC
/// 5256, RFC 6851).
const BY_UID: [&str; 9] =
    ["copy", "esearch", "expunge", "fetch", "move", "search", "sort", "store", "threads"];

/// A command in progress.
pub(super) struct Course {
    pub(super) verb: Verb,
    /// The tag of the command, if it is known.
    tag: Option<String>,
    demands: Demands,
    untagged: Vec<Response>,
    /// The data without which the answer is no success.
    required: Required,
    lets_off: bool,
    /// How many bytes the untagged responses count.
    held: usize,
}

impl Course {
    /// The state for another command that expects the same final response, without further demands.
    fn again(&self) -> Self {
        Self {
            verb: Verb { wait: self.verb.wait, wanted: self.verb.wanted.clone() },
            tag: None,
            demands: Demands::default(),
            untagged: Vec::new(),
            required: Required::Nothing,
            lets_off: self.lets_off,
            held: 0,
        }
    }
}

/// The next response that is not untagged.
pub(super) enum Turn {
    GoOn(Response),
    Ended(Response),
}

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
    pub(super) fn imap(
        &mut self,
        name: &'static str,
        text: impl Into<Vec<u8>>,
        arguments: impl Into<Vec<Argument>>,
    ) -> Operation<'_, Answer> {
        let (text, arguments) = (text.into(), arguments.into());
        self.operation(move |session, call| Box::pin(session.run(name, text, arguments, call)))
    }

    /// A verb that sends one command and returns the data that `read` finds in the answer.
    fn imap_read<T: 'static>(
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
                session.read(read(&answer))
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
        let (mut course, by_uid) = self.set_out(name, call)?;
        let text = text.into();
        if !course.lets_off {
            course.required = Required::of(name, &text, &arguments);
        }
        let text = if by_uid { [b"UID ", &text[..]].concat() } else { text };
        self.run_course(course, &text, &arguments, literals).await
    }

    /// Runs a command whose verb has begun.
    pub(super) async fn run_course(
        &mut self,
        mut course: Course,
        text: &[u8],
        arguments: &[Argument],
        literals: Literals,
    ) -> Result<Answer> {
        let tag = self.next_tag();
        let mut pieces = compose(&tag, text, arguments, literals).into_iter();
        course.tag = Some(tag);
        let first = pieces.next().unwrap_or_default();
        self.check_turn(&first).await?;
        self.write(first.into(), course.verb.wait).await?;
        for piece in pieces {
            match self.turn(&mut course).await? {
                Turn::GoOn(_) => self.write(piece.into(), course.verb.wait).await?,
                Turn::Ended(tagged) => return self.arrive(course, tagged),
            }
        }
        match self.turn(&mut course).await? {
            Turn::Ended(tagged) => self.arrive(course, tagged),
            Turn::GoOn(response) => Err(self.asks_for_more(&course, &response)),
        }
    }

    fn asks_for_more(&self, course: &Course, response: &Response) -> Error {
        let error =
            self.fault(Kind::Unexpected, "the server asks for more where the command was over");
        let error =
            error.with_expected(&course.verb.wanted).with_got(self.shown_lines(response.bytes()));
        let error = error.with_waited(course.verb.wait.waited());
        error.hint("a command that goes on is written out with send(...) and expect(...); for IDLE there are idle() and done()")
    }

    /// Sends a command without literals, with its own tag.
    pub(super) async fn begin_command(&mut self, course: &mut Course, text: &str) -> Result<()> {
        let tag = self.next_tag();
        let line = format!("{tag} {text}");
        course.tag = Some(tag);
        self.send_line(line.as_bytes(), course.verb.wait).await
    }

    /// Returns the data that was read from an answer, or the error with the session and the
    /// command.
    fn read<T>(&self, read: Result<T>) -> Result<T> {
        let sent =
            self.turn.answered().map(|line| crate::visible::excerpt(line, crate::session::SHOWN));
        read.map_err(|error| {
            let error = error.with_session(self.name()).with_sent(sent);
            error.hint("command(...) gives the responses as they came")
        })
    }

    /// Begins a verb. Returns its state, and whether it names messages by their unique identifiers.
    pub(super) fn set_out(&mut self, name: &str, mut call: Call) -> Result<(Course, bool)> {
        self.tags.answer = None;
        let untagged = call.untagged.take().unwrap_or_default();
        let by_uid = std::mem::take(&mut call.by_uid);
        let lets_off = std::mem::take(&mut call.bare);
        let verb = self.verb(call, name, &IMAP, OK)?;
        if by_uid && !BY_UID.contains(&name) {
            let error = Error::usage(format!("`{name}` has no form with unique identifiers"));
            return Err(error.hint(format!("these have: {}", BY_UID.join(", "))));
        }
        let demands = untagged.into_parts()?;
        let (untagged, required) = (Vec::new(), Required::Nothing);
        Ok((Course { verb, tag: None, demands, untagged, required, lets_off, held: 0 }, by_uid))
    }

    /// Takes responses up to the first that is not untagged.
    pub(super) async fn turn(&mut self, course: &mut Course) -> Result<Turn> {
        loop {
            let frame = match self.next_frame(&course.verb.wanted, course.verb.wait).await {
                Ok(Some(frame)) => frame,
                Ok(None) if course.verb.wanted.eof_index().is_some() => {
                    self.turn.waive();
                    self.note_end();
                    return Ok(Turn::Ended(Response::of_close()));
                }
                Ok(None) => {
                    let error = self.closed(course.verb.wait, &course.verb.wanted, None);
                    return Err(self.with_untagged(error, course));
                }
                Err(error) => return Err(self.with_untagged(error, course)),
            };
            let response = Response::of_frame(frame)?;
            if response.is_continuation() {
                return Ok(Turn::GoOn(response));
            }
            let Some(tag) = response.ends() else {
                self.take_untagged(response, course)?;
                continue;
            };
            if course.tag.as_ref().is_none_or(|wanted| wanted.as_bytes() == tag) {
                return Ok(Turn::Ended(response));
            }
            let wanted = format!("{} {}", course.tag.as_deref().unwrap_or("*"), course.verb.wanted);
            let error = self.fault(Kind::Mismatch, "the tagged response ends another command");
            let error = error
                .with_expected(wanted)
                .with_got(self.shown_lines(response.bytes()))
                .with_waited(course.verb.wait.waited());
            return Err(hint::add(Speech::Imap, error, response.body()));
        }
    }

    /// Takes the next response, if all of it has arrived.
    fn response_held(&mut self, course: &Course) -> Result<Option<Response>> {
        let held = self.stream.held();
        match self.turn.framing().map_or(Ok(None), |framing| framing.frame(held)) {
            Ok(None) => Ok(None),
            Ok(Some(length)) => {
                let frame = self.take(length);
                self.note_capabilities(&frame);
                Response::of_frame(frame).map(Some)
            }
            Err(malformed) => {
                Err(self.malformed(&malformed, &course.verb.wanted, course.verb.wait))
            }
        }
    }

    fn take_untagged(&self, response: Response, course: &mut Course) -> Result<()> {
        course.held += response.bytes().len() + OVERHEAD;
        let wait = course.verb.wait;
        if course.held > self.stream.buffer().limit() {
            let message = format!(
                "untagged responses of more than {} bytes came for one command",
                self.stream.buffer().limit()
            );
            let error = self
                .fault(Kind::TooLong, message)
                .with_expected(&course.verb.wanted)
                .with_waited(wait.waited());
            let error = error.with_got(format!("{} responses", course.untagged.len() + 1));
            return Err(
                error.hint("raise the session's limit (connect(url, #{limit: bytes})) if the server is right to send so much")
            );
        }
        if let Err(unwanted) = course.demands.came(&response) {
            let error = self.fault(Kind::Unexpected, unwanted.message);
            let error = error.with_expected(unwanted.wanted);
            let got = self.shown_lines(response.bytes());
            return Err(error.with_got(got).with_waited(wait.waited()));
        }
        let is_bye = response.status() == Some(Status::Bye);
        course.untagged.push(response);
        // After LOGOUT the tagged response is still owed, so BYE is no error there.
        if is_bye && self.turn.owed_to_us() == 0 {
            return Err(self.left_by_server(course));
        }
        Ok(())
    }

    /// Makes the error for a server that said BYE unasked: it will not answer any more (RFC 3501
    /// section 7.1.5).
    fn left_by_server(&self, course: &Course) -> Error {
        let message = "the server said BYE where a command was to be answered";
        let error = self.fault(Kind::Closed, message).with_expected(&course.verb.wanted);
        let error = error.with_got(self.shown_untagged(course).shown());
        let error = error.with_waited(course.verb.wait.waited());
        error.hint("the server ends the session of itself: its log says why")
    }

    /// Checks the response that ends the command, and all responses before it, against what is
    /// expected.
    pub(super) fn arrive(&mut self, course: Course, tagged: Response) -> Result<Answer> {
        let wait = course.verb.wait;
        if !tagged.fits(&course.verb.wanted) {
            let error = self
                .fault(Kind::Mismatch, "the reply is not the one that was expected")
                .with_expected(&course.verb.wanted);
            // The error shows the part of the response that the pattern was matched against.
            let error = error.with_got(self.shown_lines(tagged.held())).with_waited(wait.waited());
            if tagged.is_like(&course.verb.wanted) {
                return Err(error.hint(
                    "a verb holds its pattern against what stands behind the tag: leave the tag out of it",
                ));
            }
            return Err(hint::add(Speech::Imap, error, tagged.body()));
        }
        if let Some(missing) = course.demands.missing() {
            let error = self
                .fault(Kind::Mismatch, "untagged responses that are required did not come")
                .with_expected(missing);
            let mut came = self.shown_untagged(&course);
            came.push(self.shown_lines(tagged.bytes()));
            return Err(error.with_got(came.shown()).with_waited(wait.waited()));
        }
        let required = course.demands.replies(&course.untagged);
        let answer = Answer::new(course.untagged, tagged).with_required(required);
        self.tags.answer = Some(answer.clone());
        self.check_required(&course.required, &answer, wait)?;
        self.turn.expected();
        Ok(answer)
    }

    /// Fails on OK without the data that the command asks for.
    fn check_required(&self, required: &Required, answer: &Answer, wait: Wait) -> Result<()> {
        if answer.status() != Some(Status::Ok) {
            return Ok(());
        }
        let Some(missing) = self.read(required.missing(answer))? else { return Ok(()) };
        let message = "the command succeeded without the data that it is for";
        let mut came = Taken::default();
        let responses = answer.untagged().iter().chain([answer.tagged()]);
        came.extend(responses.map(|response| self.shown_lines(response.bytes())));
        let error = self.fault(Kind::Mismatch, message).with_expected(missing);
        let error = error.with_got(came.shown()).with_waited(wait.waited());
        Err(error.hint("#{bare: true} as the last argument lets the server off"))
    }

    fn shown_untagged(&self, course: &Course) -> Taken {
        let mut came = Taken::default();
        came.extend(course.untagged.iter().map(|response| self.shown_lines(response.bytes())));
        came
    }

    /// Returns the error with the untagged responses that came before.
    fn with_untagged(&self, error: Error, course: &Course) -> Error {
        self.shown_untagged(course).before(error)
    }
}
