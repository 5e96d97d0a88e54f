//! The limits of a running script: its stack, its memory, and its turn before other scripts run.
//!
//! The engine checks the limits at each operation. A function that does much work in one operation
//! checks them for each piece of the work.

use rhai::{EvalAltResult, NativeCallContext, Position};

use super::coroutine::{self, Halt, Stop};
use super::ended::Ended;
use super::raise::Raised;
use super::run::{self, Run};

/// The longest text or blob. An operation on a value cannot be interrupted, so this bounds the time
/// that it takes.
pub(super) const LONGEST: usize = 64 << 20;

/// The bytes of a text that are looked at in about the time of an operation of the script.
pub(super) const PIECE: usize = 64 << 10;

/// Returns why the script must end, if it must. Checks only every few calls. If the script's turn
/// is over, suspends it so that other scripts can run.
pub(super) fn must_end() -> Option<Ended> {
    if !coroutine::is_look_due() {
        return None;
    }
    match coroutine::halt(coroutine::CALLS_SIZE) {
        Some(Halt::Stopped(stop)) => return Some(Ended::Stopped(stop, None)),
        Some(Halt::StackShort) => return Some(Ended::StackShort),
        None => {}
    }
    if coroutine::context::<Run>()?.growth.is_too_much() {
        return Some(Ended::Stopped(Stop::Memory, None));
    }
    if !coroutine::is_turn_over() {
        return None;
    }
    coroutine::take_turns().err().map(|stop| Ended::Stopped(stop, None))
}

/// Checks the limits. A function of the language calls this for each piece of its work.
///
/// # Errors
/// The end of the script, if it must end.
pub(super) fn look(context: &NativeCallContext<'_>) -> Result<(), Raised> {
    must_end().map_or(Ok(()), |ended| Err(run::end(context, ended)))
}

/// Checks that the script may take `bytes` more bytes. Call this before taking them in one step.
///
/// # Errors
/// The end of the script, if it would hold more than its limit.
pub(super) fn room(context: &NativeCallContext<'_>, bytes: usize) -> Result<(), Raised> {
    if coroutine::has_room(bytes) {
        return Ok(());
    }
    Err(run::end(context, Ended::Stopped(Stop::Memory, None)))
}

/// Checks the length of a text or a blob. Call this before making one.
///
/// # Errors
/// An error if the value would be too long; the end of the script, if it would hold more than its
/// limit.
pub(super) fn fits(context: &NativeCallContext<'_>, bytes: usize) -> Result<(), Raised> {
    if bytes > LONGEST {
        return Err(too_long().into());
    }
    room(context, bytes)
}

/// Checks the length of a text that is made as a `String`, which Rhai copies into a text of its own.
///
/// # Errors
/// As for [`fits`].
pub(super) fn fits_as_string(context: &NativeCallContext<'_>, bytes: usize) -> Result<(), Raised> {
    fits(context, bytes)?;
    room(context, bytes * 2)
}

pub(super) fn too_long() -> EvalAltResult {
    EvalAltResult::ErrorDataTooLarge(
        "Length of text or blob (at most 64 MiB)".to_owned(),
        Position::NONE,
    )
}

/// Returns the beginning of a text, with the number of bytes that were left out.
pub(super) fn beginning(text: &str, most: usize) -> String {
    let length = text.floor_char_boundary(most);
    match text.len() - length {
        0 => text.to_owned(),
        left => format!("{}... ({left} bytes more)", &text[..length]),
    }
}
