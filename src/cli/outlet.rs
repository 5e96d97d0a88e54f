//! Writes to stdout and stderr, but does not wait for a reader once the program is to end.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::interrupt;

/// How long a write may wait for its reader after a signal that ends the program. A pager or a
/// collector of logs that has stopped would otherwise keep it from ending.
const GRACE: Duration = Duration::from_secs(1);
/// The number of bytes that every pipe that is ready takes at once (`PIPE_BUF` of POSIX).
const PIECE: usize = 512;
/// How often a write that waits looks for a signal.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Writes everything.
///
/// # Errors
/// The system's error; `BrokenPipe` if nobody reads after a signal.
pub(super) fn write(to: &impl AsFd, mut text: &[u8]) -> io::Result<()> {
    let mut since = Instant::now();
    while !text.is_empty() {
        if !is_ready(to)? {
            if interrupt::pressed_at().is_some_and(|at| at.max(since).elapsed() > GRACE) {
                return Err(ErrorKind::BrokenPipe.into());
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

/// Waits for a moment until the descriptor can be written to. A pipe without a reader can.
fn is_ready(to: &impl AsFd) -> io::Result<bool> {
    match poll(&mut [PollFd::new(to, PollFlags::OUT)], Some(&TICK)) {
        Ok(count) => Ok(count > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
