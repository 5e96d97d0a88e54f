//! File descriptors: each session has one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit on this process's file descriptors as far as it may. Where it may not, the
/// connection that wants for one says so, with the limit.
pub(super) fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
}
