//! Creating tokio runtimes, each of which runs on the thread that blocks on it; and when the whole
//! process was interrupted.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::{Resource, getrlimit};
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
    if openable(DESCRIPTORS) < DESCRIPTORS {
        return Err(Errno::MFILE.into());
    }
    Builder::new_current_thread().enable_all().build()
}

/// Adds a hint to an error if the process could not open a file, a socket or a pipe because it has no
/// descriptors left.
pub(crate) fn explained(error: Error, cause: &io::Error) -> Error {
    if is_lack(cause) { error.hint(no_descriptors()) } else { error }
}

/// Whether an error says that no descriptors are left.
fn is_lack(cause: &io::Error) -> bool {
    let lacks = [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error);
    cause.raw_os_error().is_some_and(|code| lacks.contains(&code))
}

/// Whether a server in this process could not take a connection because no descriptors were left.
static HAS_REFUSED: AtomicBool = AtomicBool::new(false);

/// Notes why a server in this process could not take a connection: to its client, the server is
/// silent.
pub(crate) fn note_refused(cause: &io::Error) {
    HAS_REFUSED.fetch_or(is_lack(cause), Ordering::Relaxed);
}

/// Whether a server in this process lacked descriptors for a connection.
pub(crate) fn has_refused() -> bool {
    HAS_REFUSED.load(Ordering::Relaxed)
}

/// Returns the hint for a process that has no descriptors left.
pub(crate) fn no_descriptors() -> String {
    let limit = getrlimit(Resource::Nofile);
    let number = |limit: Option<u64>| {
        limit.map_or_else(|| "no end of".to_owned(), |limit| limit.to_string())
    };
    let (now, most) = (number(limit.current), number(limit.maximum));
    format!(
        "this process may have {now} file descriptors, {most} if it asks, and has no more left: run fewer at once (-j), end \
         sessions that are done, or raise the limit (ulimit -n)"
    )
}

/// How many descriptors a runtime opens, with some to spare: for its events, its wake-ups and, in
/// the first runtime of the process, for signals.
const DESCRIPTORS: usize = 8;

/// Returns how many of `wanted` more descriptors the process can open. Code that opens them later
/// may have no way to report that it got none: tokio panics if it gets none for signals.
pub(crate) fn openable(wanted: usize) -> usize {
    let stdin = io::stdin();
    let open = |_| match fcntl_dupfd_cloexec(&stdin, 0) {
        Err(Errno::MFILE | Errno::NFILE) => None,
        opened => Some(opened.ok()),
    };
    // They are held until all are counted.
    (0..wanted).map_while(open).collect::<Vec<_>>().len()
}
/// When the first signal came that ends the run.
static INTERRUPTED: OnceLock<Instant> = OnceLock::new();

/// Notes that a signal came that ends the run.
pub(crate) fn note_interrupt() {
    INTERRUPTED.get_or_init(Instant::now);
}

/// When the first signal came that ends the run, for code that is not told of it; `None` if none
/// came.
pub(crate) fn interrupted_at() -> Option<Instant> {
    INTERRUPTED.get().copied()
}
