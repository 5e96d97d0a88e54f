//! The ends of a script that it cannot catch.

use super::coroutine::Stop;
use super::raise::Caught;
use crate::error::Error;

/// Why a script ended in a way that it cannot catch.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    /// With the error about the wait that was cut off, if a session was waiting.
    Stopped(Stop, Option<Box<Error>>),
    /// Only an attempt of `eventually` has ended, because its time is up: with the error about what
    /// was cut off.
    AttemptCut(Caught),
    /// A closure failed that decides for a server in the background, while any word waited. What
    /// started the server has failed: the script, or a case or an attempt of it.
    AnswerFailed(Caught),
    Skipped(String),
    StackShort,
}
