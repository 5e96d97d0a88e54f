//! Waiting for what a command writes to stdout.

use std::time::Duration;

use bytes::Bytes;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

use super::programs::Running;
use crate::error::{Error, Kind, Result};
use crate::pattern::{Found, Match, Pattern, Progress, Search};
use crate::reply::Reply;
use crate::transport::Written;

/// For how long a match that the next byte could still extend is held back, as in a session.
const SETTLE: Duration = Duration::from_millis(200);
/// How many bytes before a match are kept, for the match to return them as `before`.
const BEFORE: usize = 1 << 20;
/// The longest match. A search in which more is under way is an error.
const LONGEST: usize = 1 << 20;

/// A search in the output of a command, from its start.
struct Output<'p> {
    search: Search<'p>,
    written: Written,
    /// The bytes that were read, without those that were dropped.
    held: Vec<u8>,
    /// How many bytes were read.
    count: u64,
}

/// Waits until the output of a command matches the pattern, but not beyond `until`. A match that the
/// next byte could still extend is held back as in a session, so that it does not depend on how the
/// output was cut.
///
/// # Errors
/// Timeout or closed without a match; too long, if a part of the output is not kept any more.
pub(super) async fn expect(running: &Running, pattern: &Pattern, until: Instant) -> Result<Reply> {
    let wrong =
        |kind, why: &str| Error::new(kind, format!("the command `{}` {why}", running.command()));
    let late = || wrong(Kind::Timeout, "has not written it in time");
    let mut output = Output::of(running, pattern)?;
    let mut has_ended = false;
    loop {
        let has_read = output.read()?;
        let progress = output.search.advance_a_while(&output.held, has_ended)?;
        let now = Instant::now();
        let settled = match progress {
            Some(Progress::Found(found)) => return Ok(output.reply(found)),
            Some(Progress::Absent) => {
                return Err(wrong(Kind::Closed, "will write no more, and it is not there"));
            }
            Some(Progress::Open) if !has_read => until.min(now + SETTLE),
            Some(Progress::More) if !has_read => until,
            _ if now >= until => return Err(late()),
            // There may be more already.
            _ => {
                yield_now().await;
                continue;
            }
        };
        match timeout_at(settled, output.written.grows_beyond(output.count)).await {
            Ok(grows) => has_ended = !grows,
            Err(_) => {
                return output
                    .search
                    .settle(&output.held)
                    .map(|found| output.reply(found))
                    .ok_or_else(late);
            }
        }
    }
}

impl<'p> Output<'p> {
    fn of(running: &Running, pattern: &'p Pattern) -> Result<Self> {
        let written = running.output();
        // Otherwise only the beginning of the output is kept.
        written.follow();
        Ok(Self { search: Search::new(pattern)?, written, held: Vec::new(), count: 0 })
    }

    /// Reads what was written. Returns whether there was anything.
    fn read(&mut self) -> Result<bool> {
        if self.held.len() > BEFORE {
            let spare = self.search.spare();
            self.held.drain(..spare);
            self.search.dropped(spare);
        }
        if self.held.len() > BEFORE + LONGEST {
            let error =
                format!("a match in the command's output would take more than {LONGEST} bytes");
            return Err(Error::new(Kind::TooLong, error));
        }
        let before = self.count;
        while self.read_piece()? {}
        Ok(self.count > before)
    }

    fn read_piece(&mut self) -> Result<bool> {
        let (from, piece) = self.written.since_start(self.count);
        if from > self.count {
            let lost = from - self.count;
            let error = format!("{lost} bytes of the command's output are not kept any more");
            let error = Error::new(Kind::TooLong, error);
            return Err(error.hint("let log = follow(command) right after its start; log.expect(...) then sees each line"));
        }
        self.held.extend_from_slice(&piece);
        self.count += piece.len() as u64;
        Ok(!piece.is_empty())
    }

    fn reply(&self, found: Found) -> Reply {
        let taken = Bytes::copy_from_slice(&self.held[..found.range.end]);
        let Found { range, index, captures, .. } = found;
        Reply::new(taken, range, Match { index, captures })
    }
}
