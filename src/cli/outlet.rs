//! Writes to stdout and stderr, but does not wait for a reader once the program is to end.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::runtime;

/// How long a write may wait for its reader after a signal that ends the program. A pager or a
/// collector of logs that has stopped would otherwise keep it from ending.
const AFTER_SIGNAL: Duration = Duration::from_millis(300);
/// How long a write may wait for its reader after the time of the run.
const AFTER_TIME: Duration = Duration::from_secs(1);
/// The number of bytes that every pipe that is ready takes at once (`PIPE_BUF` of POSIX).
const PIECE: usize = 512;
/// How often a write that waits looks for a signal.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// When the time of the run is up; `None` if the run may take any time.
static TIME_IS_UP: Mutex<Option<Instant>> = Mutex::new(None);

/// Sets when the time of the run is up.
pub(super) fn set_end(end: Option<Instant>) {
    *TIME_IS_UP.lock().unwrap_or_else(PoisonError::into_inner) = end;
}

/// Notes that all scripts have ended. If they were in time, what came of them may be read late.
pub(super) fn note_ended() {
    let mut end = TIME_IS_UP.lock().unwrap_or_else(PoisonError::into_inner);
    *end = end.filter(|end| *end < Instant::now());
}

/// Writes everything.
///
/// # Errors
/// The system's error; `Interrupted` if nobody reads after a signal, `TimedOut` if nobody reads
/// after the time of the run.
pub(super) fn write(to: &impl AsFd, mut text: &[u8]) -> io::Result<()> {
    let mut since = Instant::now();
    while !text.is_empty() {
        if !is_ready(to)? {
            if is_past(runtime::interrupted_at(), since, AFTER_SIGNAL) {
                return Err(io::Error::new(ErrorKind::Interrupted, "nobody reads it"));
            }
            let end = *TIME_IS_UP.lock().unwrap_or_else(PoisonError::into_inner);
            if is_past(end, since, AFTER_TIME) {
                let why = "nobody reads it, and the time of the run is up";
                return Err(io::Error::new(ErrorKind::TimedOut, why));
            }
            continue;
        }
        match rustix::io::write(to, &text[..text.len().min(PIECE)]) {
            Ok(count) => text = &text[count..],
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        since = Instant::now();
    }
    Ok(())
}

/// Whether a write that has waited since then has waited longer than this after the end.
fn is_past(end: Option<Instant>, since: Instant, grace: Duration) -> bool {
    end.is_some_and(|end| end.max(since).elapsed() > grace)
}

/// Waits for a moment until the descriptor can be written to. A pipe without a reader can.
fn is_ready(to: &impl AsFd) -> io::Result<bool> {
    match poll(&mut [PollFd::new(to, PollFlags::OUT)], Some(&TICK)) {
        Ok(count) => Ok(count > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
