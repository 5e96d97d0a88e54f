//! File descriptors: each session has one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::{Error, Kind, Result};

/// Raises the limit on this process's file descriptors as far as it may. If it may not, the
/// connection that wants for one says so, with the limit.
pub(super) fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
}

/// Makes sure that so many more descriptors can be had: what needs them later may have no way to say
/// that it got none.
///
/// # Errors
/// If there are fewer, with the limit.
pub(super) fn check(wanted: usize) -> Result<()> {
    let stdin = std::io::stdin();
    let had: Vec<_> =
        (0..wanted).map_while(|_| rustix::io::fcntl_dupfd_cloexec(&stdin, 0).ok()).collect();
    if had.len() == wanted {
        return Ok(());
    }
    let limit = getrlimit(Resource::Nofile).current;
    let limit = limit.map_or_else(|| "the system's".to_owned(), |limit| limit.to_string());
    let error = Error::new(
        Kind::Io,
        format!("too few file descriptors: {wanted} are needed, and {} are left", had.len()),
    );
    Err(error.hint(format!("the limit is {limit}: raise it with ulimit -n")))
}
