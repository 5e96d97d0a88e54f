//! The exit of the command that a `pipe` session speaks with.

use std::process::ExitStatus;

use tokio::time::{Instant, timeout_at};

use super::Session;
use super::waiting::Wait;
use crate::error::{Error, Kind, Result};

impl Session {
    /// Waits for the exit of the child, so that its status stands at the same place of the
    /// transcript in each run. A child that still runs at the deadline is killed and not judged.
    ///
    /// # Errors
    /// Unexpected if the child exited with a status other than 0.
    pub(super) async fn child_ended(&mut self, deadline: Instant) -> Result<()> {
        match self.child_status(deadline).await {
            Some(status) if !status.success() => Err(self.exited(0, status)),
            _ => Ok(()),
        }
    }

    /// Waits until the child exits. Its exit status has to be this one.
    ///
    /// # Errors
    /// Unexpected if the status is another one; a time-out.
    pub(super) async fn child_exits(&mut self, code: i32, wait: Wait) -> Result<()> {
        match self.child_status(wait.deadline()).await {
            Some(status) if status.code() == Some(code) => Ok(()),
            Some(status) => Err(self.exited(code, status)),
            None => Err(self.late_end(wait, format!("exit status: {code}"))),
        }
    }

    /// Whether the session speaks with a command, and not over a network.
    pub(super) fn is_of_command(&mut self) -> bool {
        let transport = self.stream.transport_mut();
        transport.is_some_and(|transport| transport.process().is_some())
    }

    /// Closes the child's stdin and waits for its exit; `None` if there is no child, or it still
    /// runs at the deadline.
    async fn child_status(&mut self, deadline: Instant) -> Option<ExitStatus> {
        let process = self.stream.transport_mut()?.process()?;
        timeout_at(deadline, process.ended()).await.ok()?.ok()
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
