//! The end of a dialogue. The rule is the same for [`Session::close`], [`Session::finish`] and the
//! end of a script, whether or not QUIT or LOGOUT was answered before.
//!
//! 1. A reply that is still owed, or input that is unread, is an error at once.
//! 2. Our side is closed: a FIN, after a `close_notify` if TLS is on.
//! 3. The stream is read until its end, or until the grace time is over ([`Options::grace`]), so
//!    that the verdict does not depend on whether the server's last bytes come a microsecond
//!    earlier or later.
//! 4. A reply that comes, or bytes that are no reply, are an error, which shows them. Data that a
//!    server may send unasked (421 in SMTP, untagged data in IMAP, BYE in `ManageSieve`) is
//!    recorded and is no error.
//! 5. It is no error that the server closes. A script that wants a session to stay open says
//!    `expect_silence(...)`; a script that goes on to use a closed session fails there.
//!
//! A script that has failed leaves at once ([`Session::hang_up`]); [`Session::reset`] judges
//! nothing.
//!
//! [`Options::grace`]: super::Options::grace

use std::future::poll_fn;
use std::pin::Pin;

use tokio::io::AsyncWrite as _;
use tokio::time::{Instant, timeout_at};

use super::Session;
use super::caller::Caller;
use super::multiline::BLOCK;
use super::record::looked_through;
use super::role::Role;
use super::wait::Arrival;
use super::waiting::Wait;
use crate::error::{Error, Kind, Result};
use crate::transcript::{Excerpt, What};
use crate::transport::Transport;

/// More unread bytes than this are a flood.
const MOST_UNREAD: usize = 1 << 20;
/// How many bytes of a flood are shown.
const SHOWN_OF_FLOOD: usize = 16 << 10;

/// Ending.
impl Session {
    /// Does the same as [`Session::finish`], but leaves the connection open if anything is owed or
    /// unread, so that a script can go on.
    #[cfg(feature = "script")]
    pub(crate) async fn close(&mut self) -> Result<()> {
        if !self.stream.is_open() && self.ending.is_noted() {
            return self.judge_exit();
        }
        self.transport()?;
        let closed = match self.close_our_side().await {
            Ok(deadline) => self.read_to_end(deadline).await,
            Err(error) => Err(error),
        };
        closed.inspect_err(|_| self.caller.iter().for_each(Caller::note_failure))
    }

    /// Resets the connection (an RST on TCP), whatever is still owed.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Embedded};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Embedded::start()?;
    /// let mut session = Session::connect(&server.smtp()).await?;
    /// session.expect(220).await?;
    /// session.send("NOOP").await?;
    /// session.reset()?;
    /// assert!(session.transcript().to_string().ends_with("*** reset by the client\n"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A usage error if the session is closed already; i/o if the system refuses.
    pub fn reset(&mut self) -> Result<()> {
        if self.ending.unjudged_exit().is_some() && !self.stream.is_open() {
            self.ending.judge_exit();
            return Ok(());
        }
        self.transport()?;
        self.record_unread();
        self.record.note(What::Closed(self.turn.role().resets()));
        self.turn.waive();
        let reset = self.stream.take_transport().map_or(Ok(()), Transport::reset);
        reset.map_err(|error| self.fault(Kind::Io, format!("the reset failed: {error}")))
    }

    /// Closes our side for sending; the peer can still speak.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 hi\nC: NOOP\nS: 250 ok")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.send("NOOP").await?;
    /// session.shutdown().await?;
    /// session.expect(250).await?;
    /// session.expect_close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Closed, or i/o if the connection is gone. A time-out if the peer does not read, and TLS or
    /// compression has something to send before the half-close.
    pub async fn shutdown(&mut self) -> Result<()> {
        let wait = Wait::new(self.stream.timeout());
        let transport = self.transport()?;
        let shut = poll_fn(|cx| Pin::new(&mut *transport).poll_shutdown(cx));
        match timeout_at(wait.deadline(), shut).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                return Err(self.fault(Kind::Io, format!("the half-close failed: {error}")));
            }
            Err(_) => return Err(self.stuck(wait, "the half-close")),
        }
        self.ending.half_close();
        self.record.note(What::Closed(self.turn.role().half_closes()));
        Ok(())
    }

    /// Ends the session without judging it, whatever is owed or unread. Without this call, dropping
    /// a session in the middle of its dialogue panics.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 hi\nC: NOOP\nS: 250 ok")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.send("NOOP").await?;
    /// session.leave();
    /// # Ok(())
    /// # }
    /// ```
    pub fn leave(mut self) {
        self.hang_up();
    }

    /// Ends the dialogue, if it has not ended yet, and closes the connection. Fails if anything was
    /// left unexpected, or if anything unexpected comes before the server closes too or the grace
    /// time is over (1 s unless set by [`Options::grace`](super::Options::grace)). The connection is
    /// closed also if it fails. [`Session::reset`] and [`Session::leave`] end without these checks.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 hi\nC: NOOP\nS: 250 ok")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.send("NOOP").await?;
    /// let vacuous = session.finish().await.unwrap_err();
    /// assert_eq!(vacuous.message(), "the reply to the last command was never expected");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Vacuous if a reply was never expected, if something was left unread, or if something came
    /// afterwards that no operation expected. It is no error that the server closes, nor that it
    /// sends what it may send unasked: 421 in SMTP, untagged data in IMAP, BYE in `ManageSieve`.
    pub async fn finish(&mut self) -> Result<()> {
        if !self.stream.is_open() {
            return self.judge_exit();
        }
        match self.close_our_side().await {
            Ok(deadline) => self.read_to_end(deadline).await,
            Err(error) => {
                self.hang_up();
                Err(error)
            }
        }
    }

    /// Whether we have not closed the connection yet.
    #[cfg(feature = "script")]
    pub(crate) fn is_open(&self) -> bool {
        self.stream.is_open()
    }

    /// The first half of an end: checks that nothing is owed or unread, and closes our side.
    /// Returns the time at which the grace time, which begins here, is over. To end several
    /// sessions, call this for each of them before reading the first to its end.
    pub(crate) async fn close_our_side(&mut self) -> Result<Instant> {
        let owed = self.turn.owed_to_us();
        if owed > 0 {
            self.await_reply().await?;
            return Err(self.never_expected(owed));
        }
        self.judge_exit()?;
        self.check_answered()?;
        self.judge_rest()?;
        let deadline = Wait::new(self.ending.grace()).deadline();
        if let (Some(transport), false) =
            (self.stream.transport_mut(), self.ending.is_half_closed())
        {
            let shut = poll_fn(|cx| Pin::new(&mut *transport).poll_shutdown(cx));
            // A peer that is gone, or that reads no more, cannot be told; so the outcome is
            // ignored.
            let _ = timeout_at(deadline, shut).await;
            self.ending.half_close();
        }
        Ok(deadline)
    }

    /// Waits until the owed reply has come or the grace time is over, so that the error about it
    /// does not depend on when it comes.
    async fn await_reply(&mut self) -> Result<()> {
        let deadline = Wait::new(self.ending.grace()).deadline();
        loop {
            let held = self.stream.held();
            let framed = self.turn.framing().map(|framing| framing.frame(held));
            if !matches!(framed, Some(Ok(None))) || self.read(deadline).await? != Arrival::Bytes {
                return Ok(());
            }
        }
    }

    /// The second half of an end: reads the stream to its end, or until the grace time is over, and
    /// judges what comes. The connection is closed afterwards.
    pub(crate) async fn read_to_end(&mut self, deadline: Instant) -> Result<()> {
        let mut judged = self.judge_to_end(deadline).await;
        if judged.is_ok() {
            judged = self.child_ended(deadline).await;
        }
        self.hang_up();
        judged
    }

    async fn judge_to_end(&mut self, deadline: Instant) -> Result<()> {
        while self.stream.is_open() {
            self.judge_rest()?;
            // A peer that never stops sending must not outlast the grace time.
            if Instant::now() >= deadline {
                self.read_ready().await?;
                self.judge_rest()?;
                let is_ours = self.turn.role() == Role::Client;
                if is_ours && self.turn.speech().is_unasked(self.stream.held()) {
                    // The end of the grace time has cut off a response that would have been no
                    // error.
                    return Ok(());
                }
                break;
            }
            if self.read(deadline).await? == Arrival::End {
                break;
            }
        }
        self.check_unread()
    }

    /// Takes data that the server may send unasked off the front of the buffer. Any other complete
    /// reply is an error. An incomplete reply may still become either.
    fn judge_rest(&mut self) -> Result<()> {
        while !self.stream.buffer().is_empty() {
            let held = self.stream.held();
            let speech = self.turn.speech();
            match self.turn.framing().map(|framing| framing.frame(held)) {
                Some(Ok(Some(length)))
                    if self.turn.role() == Role::Client && speech.is_unasked(&held[..length]) =>
                {
                    self.take(length);
                }
                Some(Ok(None)) => break,
                _ => return self.check_unread(),
            }
        }
        Ok(())
    }

    /// Lets others have the thread while the session waits, from now on.
    #[cfg(feature = "script")]
    pub(crate) fn share_thread(&mut self) {
        if let Some(transport) = self.stream.transport_mut() {
            transport.share_thread();
        }
    }

    /// Ends the session without judging it; unread bytes go into the transcript.
    pub(crate) fn hang_up(&mut self) {
        if !self.stream.is_open() {
            return;
        }
        self.record_unread();
        if let Some(mut transport) = self.stream.take_transport() {
            transport.farewell();
        }
        if self.ending.note_ours() {
            let agreed = self.turn.protocol().is_closing();
            self.record.note(What::Closed(self.ending.ours(agreed, self.turn.role())));
        }
    }

    pub(super) fn check_unread(&self) -> Result<()> {
        if self.stream.buffer().is_empty() {
            return Ok(());
        }
        let error = self
            .fault(Kind::Vacuous, "something came that was never expected")
            .with_expected("nothing more")
            .with_got(self.shown_held());
        Err(error.hint("expect it, or leave with reset()"))
    }

    pub(super) fn never_expected(&self, owed: usize) -> Error {
        let message = match owed {
            1 if self.turn.protocol().owes_block() => format!("{BLOCK} was never taken"),
            1 if self.turn.owes_greeting() => format!("{} was never expected", self.next_owed()),
            1 => format!("{} to the last command was never expected", self.next_owed()),
            owed => format!("{owed} replies were never expected"),
        };
        let error = self
            .fault(Kind::Vacuous, message)
            .with_expected("an expectation for every reply")
            .with_got(self.shown_unread());
        if let Some(slip) = self.slip_of_owed() {
            return error.hint(slip);
        }
        if self.turn.protocol().owes_block() {
            return error.hint("take it with expect_multiline(), or leave with reset()");
        }
        error.hint(
            "add the expect, say expect_silence(...) if no reply must come, or leave with reset()",
        )
    }

    fn record_unread(&mut self) {
        self.record.note_skipped();
        if let Some((complaints, status)) =
            self.stream.transport_mut().and_then(Transport::complaints)
        {
            if !complaints.is_empty() {
                let complaints = self.record.masked(complaints.into(), &[]);
                self.record.note(What::Complaint(Excerpt::from(complaints)));
            }
            if let Some(status) = status {
                self.record.note(What::Exited(status));
            }
        }
        if !self.stream.held().is_empty() {
            let length = self.stream.held().len();
            let mut unread = self.stream.buffer_mut().take(length);
            // Of a flood, only the beginning is searched for secrets and shown: the script has
            // ended, so no deadline bounds how long a search of all of it may take.
            let omitted = if length > MOST_UNREAD {
                unread.truncate(looked_through(&unread).len());
                length - SHOWN_OF_FLOOD
            } else {
                0
            };
            let spans = self.turn.unread_secrets(&unread, self.record.secrets_mut());
            let mut masked = self.record.masked(unread, &spans);
            let excerpt = if omitted > 0 {
                masked.truncate(SHOWN_OF_FLOOD);
                Excerpt::cut(masked, omitted as u64)
            } else {
                Excerpt::from(masked)
            };
            self.record.note(self.turn.role().unread(excerpt));
        }
    }
}
