//! Checks on sessions that Rust code has opened. Sessions of scripts are not checked here: they are
//! judged at the end of the run, and their errors name places in the script.

use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::{self, Handle};

use crate::error::{Error, Kind, Result};
use crate::transcript::Transcript;

/// The number of transcript lines that an error shows.
const LINES: usize = 12;

/// The Rust code that uses a session.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// The runtime that the session was opened on; `None` if it was opened outside of a runtime.
    runtime: Option<runtime::Id>,
    transcript: Transcript,
    /// Whether an operation has failed, so that the test already fails with that error.
    failed: Arc<AtomicBool>,
}

impl Caller {
    pub(super) fn new(transcript: Transcript) -> Self {
        let runtime = Handle::try_current().ok().map(|handle| handle.id());
        Self { runtime, transcript, failed: Arc::default() }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Records that an operation returned an error, so that dropping the session reports nothing
    /// more.
    pub(super) fn note_failure(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    /// Runs an operation, and adds the place in the source from which it was called to its error.
    pub(super) async fn hold<T>(
        self,
        place: &'static Location<'static>,
        operation: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let began = Instant::now();
        let outcome = match self.check_runtime() {
            Ok(()) => operation.await,
            Err(error) => Err(error),
        };
        outcome.map_err(|error| {
            self.note_failure();
            let error = explain_clock(error, began.elapsed());
            error.with_source_place(place, self.last_lines())
        })
    }

    /// Checks that the operation runs on the session's runtime. Another runtime gets no events for
    /// the connection, and would wait until the deadline.
    fn check_runtime(&self) -> Result<()> {
        let here = Handle::try_current().ok().map(|handle| handle.id());
        if self.runtime.is_none() || here == self.runtime {
            return Ok(());
        }
        let error = Error::usage("the session was opened on another runtime");
        Err(error.hint(
            "use it where it was opened: each #[tokio::test] has a runtime of its own, and mailexpect::block_on one for each \
             thread",
        ))
    }

    /// The last lines of the transcript.
    pub(super) fn last_lines(&self) -> String {
        let lines = self.transcript.last_lines(LINES);
        lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }
}

/// Explains a deadline that ran out long before its time: tokio's clock is paused, and a paused
/// clock advances by itself whenever only sockets are waited for.
pub(super) fn explain_clock(error: Error, elapsed: Duration) -> Error {
    let Some(waited) = error.waited() else { return error };
    let is_late = matches!(error.kind(), Kind::Timeout | Kind::Unreachable);
    if !is_late || waited.elapsed < waited.allowed || elapsed >= waited.allowed / 2 {
        return error;
    }
    let error =
        Error::usage("the clock of the runtime is paused, and so each deadline runs out at once");
    error.hint("a server lives by another clock: leave `start_paused` out, or call tokio::time::resume() before the dialogue")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Waited;

    #[test]
    fn a_deadline_that_ran_out_long_before_its_time_names_the_paused_clock() {
        let allowed = Duration::from_secs(10);
        let late = || {
            let error = Error::new(Kind::Timeout, "nothing came in time");
            error.with_waited(Waited { elapsed: allowed, allowed })
        };
        let explained = explain_clock(late(), Duration::from_millis(3));
        assert_eq!(explained.kind(), Kind::Usage);
        assert!(explained.message().contains("is paused"), "{explained}");
        assert_eq!(explain_clock(late(), allowed).kind(), Kind::Timeout);
    }
}
