//! Creating tokio runtimes, each of which runs on the thread that blocks on it.

use std::io;

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
    Builder::new_current_thread().enable_all().build()
}
