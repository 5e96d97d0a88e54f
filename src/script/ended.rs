//! The ends of a script that it cannot catch.
#![allow(clippy::unnecessary_box_returns, reason = "Rhai's errors are boxed")]

use rhai::{Dynamic, EvalAltResult, Position};

use super::coroutine::Stop;
use super::raise::{Caught, Raised};
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

impl Ended {
    /// Makes the error that ends the script, or the part that has ended.
    pub(super) fn raised(self, position: Position) -> Raised {
        Box::new(EvalAltResult::ErrorTerminated(Dynamic::from(self), position))
    }
}
