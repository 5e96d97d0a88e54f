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
/// The last place in the output at which a match can begin that returns what is before it.
const BEFORE: usize = 1 << 20;
/// The longest match. A search in which more is under way is an error.
const LONGEST: usize = 1 << 20;

/// A search in the output of a command, from its start.
struct Output<'p> {
    pattern: &'p Pattern,
    search: Search<'p>,
    written: Written,
    /// The bytes that were read, without those that were dropped.
    held: Vec<u8>,
    /// How many bytes were read.
    count: u64,
    /// How many bytes were not kept, so that they cannot be searched.
    lost: u64,
    /// Whether the line in which bytes were lost has not ended yet.
    is_in_rest: bool,
}

/// Waits until the output of a command matches the pattern, but not beyond `until`. A match that the
/// next byte could still extend is held back as in a session, so that it does not depend on how the
/// output was cut.
///
/// # Errors
/// Timeout or closed without a match; too long, if it may be in a part of the output that is not kept
/// any more, or if a match takes too much.
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
                let closed = wrong(Kind::Closed, "will write no more, and it is not there");
                return Err(output.loss().unwrap_or(closed));
            }
            Some(Progress::Open) if !has_read => until.min(now + SETTLE),
            Some(Progress::More) if !has_read => until,
            _ if now >= until => return Err(output.loss().unwrap_or_else(late)),
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
                    .ok_or_else(|| output.loss().unwrap_or_else(late));
            }
        }
    }
}

impl<'p> Output<'p> {
    fn of(running: &Running, pattern: &'p Pattern) -> Result<Self> {
        let written = running.output();
        // Otherwise only the beginning of the output is kept.
        written.follow();
        let search = Search::new(pattern)?;
        let held = Vec::new();
        Ok(Self { pattern, search, written, held, count: 0, lost: 0, is_in_rest: false })
    }

    /// Reads what was written. Returns whether there was anything.
    fn read(&mut self) -> Result<bool> {
        let spare = self.search.spare();
        if self.held.len() - spare > BEFORE + LONGEST {
            let error =
                format!("a match in the command's output would take more than {LONGEST} bytes");
            return Err(Error::new(Kind::TooLong, error));
        }
        if spare > BEFORE {
            self.held.drain(..spare);
            self.search.dropped(spare);
        }
        let before = self.count;
        while self.read_piece()? {}
        Ok(self.count > before)
    }

    fn read_piece(&mut self) -> Result<bool> {
        let (from, piece) = self.written.since_start(self.count);
        if from > self.count {
            self.lost += from - self.count;
            self.count = from;
            self.is_in_rest = true;
        }
        self.count += piece.len() as u64;
        if !self.is_in_rest {
            self.held.extend_from_slice(&piece);
        } else if let Some(end) = memchr::memchr(b'\n', &piece) {
            // No match goes over the gap. The line end stands for all before, for `^` and `\A`.
            self.search = Search::new(self.pattern)?;
            self.held = piece[end..].to_vec();
            self.is_in_rest = false;
        }
        Ok(!piece.is_empty())
    }

    /// The error for a match that is missing and may be in a part that was not kept; `None` if all
    /// was kept.
    fn loss(&self) -> Option<Error> {
        let error = format!(
            "it is not there, and {} bytes of the command's output are not kept any more",
            self.lost
        );
        let error = Error::new(Kind::TooLong, error);
        let error = error.hint(
            "let log = follow(command) right after its start; log.expect(...) then sees each line",
        );
        (self.lost > 0).then_some(error)
    }

    /// The match, with the bytes before it if it begins among the first ones. Which of the later ones
    /// are kept depends on time.
    fn reply(&self, found: Found) -> Reply {
        let start = found.range.start;
        let is_early = self.lost == 0 && self.search.gone() == 0 && start <= BEFORE;
        let from = if is_early { 0 } else { start };
        let taken = Bytes::copy_from_slice(&self.held[from..found.range.end]);
        let found = if is_early { found } else { found.without_before() };
        let Found { range, index, captures, .. } = found;
        Reply::new(taken, range, Match { index, captures })
    }
}
