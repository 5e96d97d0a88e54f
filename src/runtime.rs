//! The runtimes that the crate makes: each runs on the thread that blocks on it.

use std::io;

use tokio::runtime::{Builder, Runtime};

use crate::error::{Error, Kind, Result};

/// A runtime on the current thread, which watches descriptors and keeps time.
///
/// # Errors
/// Io, if the process has no descriptors left for it.
pub(crate) fn current_thread() -> Result<Runtime> {
    build().map_err(|error| {
        Error::new(Kind::Io, format!("no runtime: {error}"))
            .hint("close descriptors, or raise `ulimit -n`")
    })
}

/// The same, with the system's own error.
///
/// # Errors
/// If the process has no descriptors left for it.
pub(crate) fn build() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}
