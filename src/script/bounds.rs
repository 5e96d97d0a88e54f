//! The bounds of a running script: its stack, its memory, and its turns with others.
//!
//! The engine looks for each operation. A function that does much in one operation looks for each
//! piece of its work.

use rhai::NativeCallContext;

use super::coroutine::{self, Halt, Stop};
use super::ended::Ended;
use super::raise::Raised;
use super::run::{self, Run};

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

/// The beginning of a text, with how much of it was left out.
pub(super) fn beginning(text: &str, most: usize) -> String {
    let length = text.floor_char_boundary(most);
    match text.len() - length {
        0 => text.to_owned(),
        left => format!("{}... ({left} bytes more)", &text[..length]),
    }
}
