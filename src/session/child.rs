//! The exit of the command that a `pipe` session speaks with.

use std::process::ExitStatus;

use tokio::time::{Instant, timeout_at};

use super::Session;
use super::waiting::Wait;
use crate::error::{Error, Kind, Result};
use crate::transcript::What;
use crate::transport::Transport;

impl Session {
    /// Waits for the exit of the child, so that its status stands at the same place of the
    /// transcript in each run. A child that still runs at the deadline is killed and not judged.
    ///
    /// # Errors
    /// Unexpected if the child exited with a status other than 0.
    pub(super) async fn child_ended(&mut self, deadline: Instant) -> Result<()> {
        self.child_status(deadline).await;
        self.judge_exit()
    }

    /// Ends a dialogue whose peer has closed. A child has to exit with this status. If none is
    /// expected here, it is judged by a later `expect_exit`, or at the end of the session.
    ///
    /// # Errors
    /// Unexpected if the status is another one; a time-out.
    pub(super) async fn end_with(&mut self, exit: Option<i32>, wait: Wait) -> Result<()> {
        let ended = match exit {
            Some(status) => self.child_exits(status, wait).await,
            None if self.child_goes_on().await => return Ok(()),
            None => Ok(()),
        };
        // The dialogue is over. Closing here frees the descriptor, which a script that opens many
        // sessions needs.
        self.hang_up();
        ended
    }

    /// Waits for the exit of the child, for the grace time at most. Returns whether it still runs.
    async fn child_goes_on(&mut self) -> bool {
        let grace = Wait::new(self.ending.grace()).deadline();
        self.is_of_command() && self.child_status(grace).await.is_none()
    }

    async fn child_exits(&mut self, code: i32, wait: Wait) -> Result<()> {
        let status = self.child_status(wait.deadline()).await;
        self.ending.judge_exit();
        match status {
            Some(status) if status.code() == Some(code) => Ok(()),
            Some(status) => Err(self.exited(code, status)),
            None => Err(self.still_runs(code, wait)),
        }
    }

    fn still_runs(&mut self, code: i32, wait: Wait) -> Error {
        self.record.note(What::TimedOut(wait.allowed));
        let error = self.fault(Kind::Timeout, "the command has not exited in time");
        let error = error.with_expected(format!("exit status: {code}")).with_waited(wait.waited());
        error.hint(format!(
            "give the command longer with #{{timeout: \"{}\"}} as the last argument, or --timeout",
            wait.longer()
        ))
    }

    /// Judges how the child exited, if that is known and was not judged yet.
    ///
    /// # Errors
    /// Unexpected if the child exited with a status other than 0.
    pub(super) fn judge_exit(&mut self) -> Result<()> {
        let wrong = self.unjudged_exit();
        self.ending.judge_exit();
        wrong.map_or(Ok(()), Err)
    }

    /// Makes the error for a child that failed, if that was not judged yet.
    pub(super) fn unjudged_exit(&self) -> Option<Error> {
        self.ending.unjudged_exit().map(|status| self.exited(0, status))
    }

    /// Whether everything about the session is over: it is closed, and the exit of its command was
    /// judged.
    #[cfg(feature = "script")]
    pub(crate) fn is_over(&self) -> bool {
        !self.stream.is_open() && self.ending.unjudged_exit().is_none()
    }

    /// Whether the session speaks with a command, and not over a network.
    pub(super) fn is_of_command(&mut self) -> bool {
        let process = self.stream.transport_mut().and_then(Transport::process);
        process.is_some() || self.ending.exit().is_some()
    }

    /// Closes the child's stdin and waits for its exit; `None` if there is no child, or it still
    /// runs at the deadline.
    async fn child_status(&mut self, deadline: Instant) -> Option<ExitStatus> {
        if let Some(process) = self.stream.transport_mut().and_then(Transport::process) {
            self.ending.exited(timeout_at(deadline, process.ended()).await.ok()?.ok()?);
        }
        self.ending.exit()
    }

    fn exited(&self, wanted: i32, status: ExitStatus) -> Error {
        let error = self.fault(Kind::Unexpected, format!("the command ended with {status}"));
        error
            .with_expected(format!("exit status: {wanted}"))
            .with_got(status.to_string())
            .hint(match status.code() {
                Some(code) if code != wanted => format!(
                    "the transcript shows what it wrote to stderr; if that is right, say expect_exit({code}); reset() leaves it unjudged"
                ),
                _ => "the transcript shows what it wrote to stderr; reset() leaves it unjudged".to_owned(),
            })
    }
}
