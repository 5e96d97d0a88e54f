//! The exit of the command that a `pipe` session speaks with.

use tokio::time::{Instant, timeout_at};

use super::Session;
use crate::error::{Kind, Result};

impl Session {
    /// Closes the child's stdin and waits for its exit, so that the status stands at the same place
    /// of the transcript in each run. A child that still runs at the deadline is killed and not
    /// judged.
    ///
    /// # Errors
    /// Unexpected if the child exited with a status other than 0.
    pub(super) async fn child_ended(&mut self, deadline: Instant) -> Result<()> {
        let Some(process) = self.stream.transport_mut().and_then(|transport| transport.process())
        else {
            return Ok(());
        };
        let Ok(Ok(status)) = timeout_at(deadline, process.ended()).await else { return Ok(()) };
        if status.success() {
            return Ok(());
        }
        let error = self.fault(Kind::Unexpected, format!("the command ended with {status}"));
        Err(error
            .with_expected("exit status: 0")
            .with_got(status.to_string())
            .hint("what it wrote to stderr stands in the transcript; reset() leaves it unjudged"))
    }
}
