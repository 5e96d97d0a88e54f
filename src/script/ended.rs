//! How a script ends that cannot go on.

use super::coroutine::Stop;
use crate::error::Error;

/// Why a script ended in a way that it cannot catch.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    /// With what a session was waiting for just then.
    Stopped(Stop, Option<Box<Error>>),
    Skipped(String),
    StackShort,
}
