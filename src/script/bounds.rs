//! The bounds of a running script: its stack, its memory, and its turns with others.
//!
//! The engine looks for each operation. A function that does much in one operation looks for each
//! piece of its work.

use rhai::{EvalAltResult, EvalContext, NativeCallContext, Position};

use super::coroutine::{self, Halt, Stop};
use super::ended::Ended;
use super::raise::Raised;
use super::run::{self, Run};

/// How long a text or a blob may be: what is done with one is done in one go.
pub(super) const LONGEST: usize = 64 << 20;

/// Why the script must end, if it must. Looks every few times it is called, and lets others have
/// their turn when this script's is over.
pub(super) fn must_end() -> Option<Ended> {
    if !coroutine::is_look_due() {
        return None;
    }
    match coroutine::halt(coroutine::CALLS_SIZE) {
        Some(Halt::Stopped(stop)) => return Some(Ended::Stopped(stop, None)),
        Some(Halt::StackShort) => return Some(Ended::StackShort),
        None => {}
    }
    if coroutine::context::<Run>()?.holds_too_much() {
        return Some(Ended::Stopped(Stop::Memory, None));
    }
    if !coroutine::is_turn_over() {
        return None;
    }
    coroutine::take_turns().err().map(|stop| Ended::Stopped(stop, None))
}

/// To be called for each piece of work that a function of the language does.
///
/// # Errors
/// The end of the script, if it must end.
pub(super) fn look(context: &NativeCallContext<'_>) -> Result<(), Raised> {
    must_end().map_or(Ok(()), |ended| Err(run::end(context, ended)))
}

/// To be called before so many bytes are taken at once.
///
/// # Errors
/// The end of the script, if it would hold more than it may.
pub(super) fn room(context: &NativeCallContext<'_>, bytes: usize) -> Result<(), Raised> {
    if coroutine::has_room(bytes) {
        return Ok(());
    }
    Err(run::end(context, Ended::Stopped(Stop::Memory, None)))
}

/// To be called before a text or a blob of so many bytes is made.
///
/// # Errors
/// It would be too long, or the script would hold more than it may.
pub(super) fn fits(context: &NativeCallContext<'_>, bytes: usize) -> Result<(), Raised> {
    if bytes > LONGEST {
        return Err(too_long().into());
    }
    room(context, bytes)
}

fn too_long() -> EvalAltResult {
    EvalAltResult::ErrorDataTooLarge(
        "Length of text or blob (at most 64 MiB)".to_owned(),
        Position::NONE,
    )
}

/// Called for each variable that is read: operators make texts of any length of it, and nothing
/// asks how long they are.
///
/// # Errors
/// It is too long a text or blob.
pub(super) fn check_length(
    name: &str,
    context: &EvalContext<'_, '_, '_, '_, '_, '_>,
) -> Result<(), Raised> {
    // No script of this thread holds so much: the usual case, and cheap.
    if coroutine::held() < LONGEST.cast_signed() {
        return Ok(());
    }
    let Some(value) = context.scope().get(name) else { return Ok(()) };
    let text = value.as_immutable_string_ref().map(|text| text.len());
    let length = text.or_else(|_| value.as_blob_ref().map(|blob| blob.len()));
    if length.is_ok_and(|length| length > LONGEST) { Err(too_long().into()) } else { Ok(()) }
}

/// The beginning of a text, with how much of it was left out.
pub(super) fn beginning(text: &str, most: usize) -> String {
    let length = text.floor_char_boundary(most);
    match text.len() - length {
        0 => text.to_owned(),
        left => format!("{}... ({left} bytes more)", &text[..length]),
    }
}
