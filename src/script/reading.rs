//! What is asked before a variable is read: whether its value is too long, and whether the script may
//! hold what Rhai copies of it.

use std::sync::Arc;

use rhai::{Dynamic, EvalAltResult, EvalContext, Position};

use super::bounds::{LONGEST, too_long};
use super::copies::Copies;
use super::coroutine::{self, Stop};
use super::ended::Ended;
use super::library::Library;
use super::raise::Raised;
use super::run::Run;

/// How much a thread must hold for any of its scripts, which may hold so much, to be looked at.
pub(super) fn looks_from(memory: usize) -> isize {
    LONGEST.min(memory / 2).cast_signed()
}

/// Called for each variable that is read: operators make texts of any length of it, and nothing
/// asks how long they are; and a copy of it is made before anything asks whether there is room.
///
/// # Errors
/// It is too long a text or blob; or the script would hold more than it may.
pub(super) fn check(
    name: &str,
    context: &EvalContext<'_, '_, '_, '_, '_, '_>,
    looks_from: isize,
) -> Result<(), Raised> {
    // No script of this thread holds so much: the usual case, and cheap.
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
    // A value is no larger than all that the script holds, except that one text or blob may stand
    // on both sides of an operator.
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

/// What the source that is running copies of a variable.
fn copies_of(name: &str, context: &EvalContext<'_, '_, '_, '_, '_, '_>) -> Option<Copies> {
    let library = context.engine().default_tag().clone().try_cast::<Arc<Library>>();
    let unit = library.zip(context.source()).and_then(|(library, source)| library.get(source));
    match unit.as_ref().map(|unit| unit.program()) {
        Some(Ok(program)) => program.copies(name),
        _ => Some(Copies::Whole),
    }
}
