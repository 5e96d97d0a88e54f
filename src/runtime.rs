//! Creating tokio runtimes, each of which runs on the thread that blocks on it.

use std::io;

use rustix::io::{Errno, fcntl_dupfd_cloexec};
use tokio::runtime::{Builder, Runtime};

use crate::error::{Error, Kind, Result};

/// Creates a runtime on the current thread, with I/O and timers.
///
/// # Errors
/// Io, if the process has no descriptors left for the runtime.
pub(crate) fn current_thread() -> Result<Runtime> {
    build().map_err(|error| {
        Error::new(Kind::Io, format!("no runtime: {error}"))
            .hint("close descriptors, or raise `ulimit -n`")
    })
}

/// Creates a runtime on the current thread, with I/O and timers. The error is the system's own.
///
/// # Errors
/// If the process has no descriptors left for the runtime.
pub(crate) fn build() -> io::Result<Runtime> {
    check_descriptors()?;
    Builder::new_current_thread().enable_all().build()
}

/// How many descriptors a runtime opens, with some to spare: for its events, its wake-ups and, in
/// the first runtime of the process, for signals.
const DESCRIPTORS: usize = 8;

/// Makes sure that the process can open as many descriptors as a runtime needs. tokio panics if it
/// gets none for the signals.
fn check_descriptors() -> io::Result<()> {
    let stdin = io::stdin();
    let opened: Result<Vec<_>, _> =
        (0..DESCRIPTORS).map(|_| fcntl_dupfd_cloexec(&stdin, 0)).collect();
    match opened {
        Err(error @ (Errno::MFILE | Errno::NFILE)) => Err(error.into()),
        _ => Ok(()),
    }
}
