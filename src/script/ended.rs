//! The ends of a script that it cannot catch.

use super::coroutine::Stop;
use crate::error::Error;

/// Why a script ended in a way that it cannot catch.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    /// With the error about the wait that was cut off, if a session was waiting.
    Stopped(Stop, Option<Box<Error>>),
    Skipped(String),
    StackShort,
}
