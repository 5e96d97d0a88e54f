//! The limit on file descriptors. Each session needs one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::{Error, Kind, Result};
use crate::runtime;

/// How many descriptors a command opens before its first connection and for this connection: a
/// server's ports (23), two runtimes, and signals.
pub(super) const NEEDED: usize = 30;

/// Raises the limit, and makes sure that `wanted` more descriptors can be opened.
///
/// # Errors
/// Io if fewer can be opened. The error names the limit.
pub(super) fn provide(wanted: usize) -> Result<()> {
    raise_limit();
    let left = runtime::openable(wanted);
    if left == wanted {
        return Ok(());
    }
    let limit = getrlimit(Resource::Nofile).current;
    let limit = limit.map_or_else(|| "the system's".to_owned(), |limit| limit.to_string());
    let error = Error::new(
        Kind::Io,
        format!("too few file descriptors: {wanted} are needed, and {left} are left"),
    );
    Err(error.hint(format!("the limit is {limit}: raise it with ulimit -n")))
}

/// Raises the soft limit on file descriptors to the hard limit. If this fails, nothing is reported
/// here: a connection that gets no descriptor reports the limit in its error.
fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
}
