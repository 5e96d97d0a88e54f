//! A command while it runs: the responses to it, up to the one that ends it.

use super::demands::{Demands, Unwanted};
use super::known::Known;
use super::required::{BARE, Required};
use crate::buffer::DEFAULT_LIMIT;
use crate::error::{Error, Kind, Result};
use crate::proto::Speech;
use crate::proto::imap::{Answer, Argument, Literals, Response, Status, compose};
use crate::reply::Reply;
use crate::room;
use crate::session::take::AT_ONCE;
use crate::session::taken::Taken;
use crate::session::verbs::Verb;
use crate::session::waiting::Wait;
use crate::session::{Session, hint};

/// How many bytes a response counts in addition to its length. It is less than the memory that a
/// response takes, so that a mailbox of 200 000 messages can be fetched, and large enough to bound
/// a flood of short responses.
const OVERHEAD: usize = 32;

/// What is wanted of untagged responses, in errors.
const UNTAGGED: &str = "untagged responses as `require`, `allow` and `forbid` have them";

/// From how many responses on other scripts get a turn, and deadlines are looked at, between two
/// steps of reading an answer.
const MANY: usize = 10_000;

/// Gives other scripts their turn, if the answer is so long that a step of reading it takes a while.
pub(super) async fn give_turn(answer: &Answer) {
    if answer.untagged().len() >= MANY {
        tokio::task::yield_now().await;
    }
}

/// A command in progress.
pub(in crate::session::verbs) struct Running {
    pub(in crate::session::verbs) verb: Verb,
    /// The tag of the command, if it is known.
    pub(super) tag: Option<String>,
    pub(super) demands: Demands,
    pub(super) untagged: Vec<Response>,
    /// The data without which the answer is no success.
    pub(super) required: Required,
    pub(super) is_bare: bool,
    /// What the answer has to agree with.
    pub(super) known: Known,
    /// How many bytes the untagged responses count.
    pub(super) held: usize,
}

impl Running {
    /// The state for another command that expects the same final response, without further demands.
    pub(super) fn again(&self) -> Self {
        Self {
            verb: Verb { wait: self.verb.wait, wanted: self.verb.wanted.clone() },
            tag: None,
            demands: Demands::default(),
            untagged: Vec::new(),
            required: Required::Nothing,
            is_bare: self.is_bare,
            known: self.known,
            held: 0,
        }
    }
}

/// The next response that is not untagged.
pub(in crate::session::verbs) enum Next {
    Continuation(Response),
    Tagged(Response),
}

impl Session {
    /// Runs a command whose verb has begun.
    pub(in crate::session::verbs) async fn run_prepared(
        &mut self,
        mut running: Running,
        text: &[u8],
        arguments: &[Argument],
        literals: Literals,
    ) -> Result<Answer> {
        let tag = self.next_tag();
        let mut pieces = compose(&tag, text, arguments, literals).into_iter();
        running.tag = Some(tag);
        let first = pieces.next().unwrap_or_default();
        self.check_turn(&first).await?;
        self.write(first.into(), running.verb.wait).await?;
        for piece in pieces {
            match self.next_response(&mut running).await? {
                Next::Continuation(_) => self.write(piece.into(), running.verb.wait).await?,
                Next::Tagged(tagged) if tagged.status() == Some(Status::Ok) => {
                    return Err(self.succeeds_early(&running, &tagged));
                }
                Next::Tagged(tagged) => return self.finish_running(running, tagged).await,
            }
        }
        match self.next_response(&mut running).await? {
            Next::Tagged(tagged) => self.finish_running(running, tagged).await,
            Next::Continuation(response) => Err(self.asks_for_more(&running, &response)),
        }
    }

    /// Makes the error for a server that says OK in place of the `+` that it owes for a literal: it
    /// cannot have done what it has not read (RFC 3501 section 7.5).
    fn succeeds_early(&self, running: &Running, tagged: &Response) -> Error {
        let error =
            self.fault(Kind::Unexpected, "the server says success before the end of the command");
        let error = error.with_expected("+, to go on with a literal, or a refusal");
        let error = error.with_got(self.shown_lines(tagged.bytes()));
        error.with_waited(running.verb.wait.waited())
    }

    pub(super) fn asks_for_more(&self, running: &Running, response: &Response) -> Error {
        let error =
            self.fault(Kind::Unexpected, "the server asks for more after the end of the command");
        let error =
            error.with_expected(&running.verb.wanted).with_got(self.shown_lines(response.bytes()));
        let error = error.with_waited(running.verb.wait.waited());
        error.hint("a command that goes on is written out with send(...) and expect(...); for IDLE there are idle() and done()")
    }

    /// Sends a command without literals, with its own tag.
    pub(in crate::session::verbs) async fn begin_command(
        &mut self,
        running: &mut Running,
        text: &str,
    ) -> Result<()> {
        let tag = self.next_tag();
        let line = format!("{tag} {text}");
        running.tag = Some(tag);
        self.send_line(line.as_bytes(), running.verb.wait).await
    }

    /// Takes responses up to the first that is not untagged.
    pub(in crate::session::verbs) async fn next_response(
        &mut self,
        running: &mut Running,
    ) -> Result<Next> {
        loop {
            let frame = match self.next_frame(&running.verb.wanted, running.verb.wait).await {
                Ok(Some(frame)) => frame,
                Ok(None) if running.verb.wanted.eof_index().is_some() => {
                    self.turn.waive();
                    self.note_end();
                    return Ok(Next::Tagged(Response::of_close()));
                }
                Ok(None) => {
                    let error = self.closed(running.verb.wait, &running.verb.wanted, None);
                    return Err(self.with_untagged(error, running));
                }
                Err(error) => return Err(self.with_untagged(error, running)),
            };
            let response = Response::of_frame(frame).map_err(|error| {
                error.with_session(self.name()).with_waited(running.verb.wait.waited())
            })?;
            if response.is_continuation() {
                return Ok(Next::Continuation(response));
            }
            let Some(tag) = response.ends() else {
                self.take_untagged(response, running).await?;
                continue;
            };
            if running.tag.as_ref().is_none_or(|wanted| wanted.as_bytes() == tag) {
                return Ok(Next::Tagged(response));
            }
            let wanted =
                format!("{} {}", running.tag.as_deref().unwrap_or("*"), running.verb.wanted);
            let error = self.fault(Kind::Mismatch, "the tagged response ends another command");
            let error = error
                .with_expected(wanted)
                .with_got(self.shown_lines(response.bytes()))
                .with_waited(running.verb.wait.waited());
            return Err(hint::add(Speech::Imap, error, response.body()));
        }
    }

    async fn take_untagged(&mut self, response: Response, running: &mut Running) -> Result<()> {
        running.held += response.bytes().len() + OVERHEAD;
        let wait = running.verb.wait;
        room::check()
            .map_err(|error| error.with_session(self.name()).with_waited(wait.waited()))?;
        // In place of the usual limit, the memory of a script bounds what it asks for.
        let limit = self.stream.buffer().limit();
        let is_bounded = limit != DEFAULT_LIMIT || !room::is_limited();
        if is_bounded && running.held > limit {
            let message =
                format!("untagged responses of more than {limit} bytes came for one command");
            let error = self
                .fault(Kind::TooLong, message)
                .with_expected(&running.verb.wanted)
                .with_waited(wait.waited());
            let error = error.with_got(format!("{} responses", running.untagged.len() + 1));
            return Err(error.hint(self.larger_limit(running.held)));
        }
        if let Err(unwanted) = self.came(&response, running).await? {
            let error = self.fault(Kind::Unexpected, unwanted.message);
            let error = error.with_expected(unwanted.wanted);
            let got = self.shown_lines(response.bytes());
            return Err(error.with_got(got).with_waited(wait.waited()));
        }
        let is_bye = response.status() == Some(Status::Bye);
        running.untagged.push(response);
        // After LOGOUT the tagged response is still owed, so BYE is no error there.
        if is_bye && self.turn.owed_to_us() == 0 {
            return Err(self.left_by_server(running));
        }
        Ok(())
    }

    /// Checks a response against what the command demands and counts it. On another thread if that
    /// may take long, because it would delay the deadlines of the script and of other sessions.
    async fn came(
        &mut self,
        response: &Response,
        running: &mut Running,
    ) -> Result<Result<(), Unwanted>> {
        if running.demands.effort(response.bytes().len()) < AT_ONCE {
            return Ok(running.demands.came(response));
        }
        let (mut demands, response) = (std::mem::take(&mut running.demands), response.clone());
        let checked = self
            .aside(
                move || {
                    let came = demands.came(&response);
                    (demands, came)
                },
                UNTAGGED,
                running.verb.wait,
            )
            .await?;
        running.demands = checked.0;
        Ok(checked.1)
    }

    /// Whether the response that ends a command fits what the verb expects.
    pub(in crate::session::verbs) async fn fits(
        &mut self,
        tagged: &Response,
        verb: &Verb,
    ) -> Result<bool> {
        let wanted = &verb.wanted;
        if wanted.effort(tagged.bytes().len()) < AT_ONCE {
            return Ok(tagged.fits(wanted));
        }
        let (tagged, tried) = (tagged.clone(), wanted.clone());
        self.aside(move || tagged.fits(&tried), wanted, verb.wait).await
    }

    /// The replies that met the required patterns.
    async fn required(&mut self, running: Running) -> Result<(Running, Vec<Reply>)> {
        let bytes = running.untagged.iter().map(|response| response.bytes().len()).sum();
        if running.demands.effort(bytes) < AT_ONCE {
            let required = running.demands.replies(&running.untagged);
            return Ok((running, required));
        }
        let (demands, untagged) = (running.demands.clone(), running.untagged.clone());
        let wait = running.verb.wait;
        let required = self.aside(move || demands.replies(&untagged), UNTAGGED, wait).await?;
        Ok((running, required))
    }

    /// Makes the error for a server that said BYE unasked: it will not answer any more (RFC 3501
    /// section 7.1.5).
    fn left_by_server(&self, running: &Running) -> Error {
        let message = "the server said BYE in place of the answer to a command";
        let error = self.fault(Kind::Closed, message).with_expected(&running.verb.wanted);
        let error = error.with_got(self.shown_untagged(running).shown());
        let error = error.with_waited(running.verb.wait.waited());
        error.hint("the server ends the session by itself: its log gives the reason")
    }

    /// Checks the response that ends the command, and all responses before it, against what is
    /// expected.
    pub(in crate::session::verbs) async fn finish_running(
        &mut self,
        running: Running,
        tagged: Response,
    ) -> Result<Answer> {
        let wait = running.verb.wait;
        if !self.fits(&tagged, &running.verb).await? {
            let error = self
                .fault(Kind::Mismatch, "the reply is not the one that was expected")
                .with_expected(&running.verb.wanted);
            // The error shows the part of the response that the pattern was matched against.
            let error = error.with_got(self.shown_lines(tagged.held())).with_waited(wait.waited());
            let is_quick = running.verb.wanted.effort(tagged.bytes().len()) < AT_ONCE;
            if is_quick && tagged.is_like(&running.verb.wanted) {
                return Err(error.hint(
                    "a verb compares its pattern with the text after the tag: leave the tag out of the pattern",
                ));
            }
            return Err(hint::add(Speech::Imap, error, tagged.body()));
        }
        if let Some(missing) = running.demands.missing() {
            let error = self
                .fault(Kind::Mismatch, "required untagged responses did not come")
                .with_expected(missing);
            let mut came = self.shown_untagged(&running);
            came.push(self.shown_lines(tagged.bytes()));
            return Err(error.with_got(came.shown()).with_waited(wait.waited()));
        }
        let (running, required) = self.required(running).await?;
        let answer = Answer::new(running.untagged, tagged).with_required(required);
        self.tags.answer = Some(answer.clone());
        self.check_known(running.known, &answer, wait)?;
        give_turn(&answer).await;
        self.check_required(&running.required, &answer, wait)?;
        self.turn.expected();
        give_turn(&answer).await;
        Ok(answer)
    }

    /// Fails on OK without the data that the command asks for.
    fn check_required(&self, required: &Required, answer: &Answer, wait: Wait) -> Result<()> {
        if answer.status() != Some(Status::Ok) {
            return Ok(());
        }
        let (message, wanted) = match self.parsed(required.missing(answer))? {
            Some(missing) => ("the command succeeded without the data that it asks for", missing),
            None => match self.parsed(self.contradiction(required, answer))? {
                Some(wanted) => (required.contradicted(), wanted),
                None => return Ok(()),
            },
        };
        let mut came = Taken::default();
        let responses = answer.untagged().iter().chain([answer.tagged()]);
        came.extend(responses.map(|response| self.shown_lines(response.bytes())));
        let error = self.fault(Kind::Mismatch, message).with_expected(wanted);
        let error = error.with_got(came.shown()).with_waited(wait.waited());
        Err(error.hint(BARE))
    }

    /// After NOTIFY, an answer may also have news of the same mailbox (RFC 5465 section 5).
    fn contradiction(&self, required: &Required, answer: &Answer) -> Result<Option<String>> {
        let is_notified = self.turn.protocol().selected().is_notified;
        if is_notified { Ok(None) } else { required.contradiction(answer) }
    }

    fn shown_untagged(&self, running: &Running) -> Taken {
        let mut came = Taken::default();
        came.extend(running.untagged.iter().map(|response| self.shown_lines(response.bytes())));
        came
    }

    /// Returns the error with the untagged responses that came before.
    fn with_untagged(&self, error: Error, running: &Running) -> Error {
        self.shown_untagged(running).before(error)
    }
}
