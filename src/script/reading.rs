//! The checks before a variable is read: its value must not be too long, and the script must be
//! allowed to hold the copy that Rhai makes of the value.

use std::sync::Arc;

use rhai::{Dynamic, EvalAltResult, EvalContext, Position};

use super::bounds::{LONGEST, too_long};
use super::copies::Copies;
use super::coroutine::{self, Stop};
use super::ended::Ended;
use super::library::Library;
use super::raise::Raised;
use super::run::Run;

/// Returns the memory below which a thread's scripts need no check: together they hold less than
/// the longest text, and less than half of what one script may hold.
pub(super) fn looks_from(memory: usize) -> isize {
    LONGEST.min(memory / 2).cast_signed()
}

/// Checks a variable before it is read. Rhai's operators make texts of any length without a check,
/// and Rhai copies a value before anything can compare its size with the room that is left.
///
/// # Errors
/// An error if the value is a text or blob that is too long, or if the script would hold more
/// memory than it may.
pub(super) fn check(
    name: &str,
    context: &EvalContext<'_, '_, '_, '_, '_, '_>,
    looks_from: isize,
) -> Result<(), Raised> {
    // The usual case, and the cheapest test: no script of this thread holds so much.
    if coroutine::held() < looks_from {
        return Ok(());
    }
    let Some(value) = context.scope().get(name) else { return Ok(()) };
    let text = value.as_immutable_string_ref().map_or(0, |text| text.len());
    let blob = value.as_blob_ref().map_or(0, |blob| blob.len());
    if text > LONGEST || blob > LONGEST {
        return Err(too_long().into());
    }
    let Some(room) = coroutine::room() else { return Ok(()) };
    // A copy of one value takes no more than all values of the script together.
    if room.left >= room.held {
        return Ok(());
    }
    let Ok(run) = Run::current() else { return Ok(()) };
    let taken = if text > 0 {
        text * 2
    } else {
        let copies = copies_of(name, context);
        copies.map_or(0, |copies| blob + run.sizes.of(value, copies, room))
    };
    if taken <= room.left {
        return Ok(());
    }
    let ended = Ended::Stopped(Stop::Memory, None);
    run.end(ended.clone());
    Err(EvalAltResult::ErrorTerminated(Dynamic::from(ended), Position::NONE).into())
}

/// How much of a variable the running source copies.
fn copies_of(name: &str, context: &EvalContext<'_, '_, '_, '_, '_, '_>) -> Option<Copies> {
    let library = context.engine().default_tag().clone().try_cast::<Arc<Library>>();
    let unit = library.zip(context.source()).and_then(|(library, source)| library.get(source));
    match unit.as_ref().map(|unit| unit.program()) {
        Some(Ok(program)) => program.copies(name),
        _ => Some(Copies::Whole),
    }
}
