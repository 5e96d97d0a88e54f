//! The checks before a variable is read: its value must not be too long, and the script must be
//! allowed to hold the copy that Rhai makes of the value.

use std::sync::Arc;

use rhai::{Dynamic, EvalAltResult, EvalContext, Position};

use super::bounds::{LONGEST, too_long};
use super::copies::{self, Copies};
use super::coroutine::{self, Stop};
use super::ended::Ended;
use super::library::Library;
use super::program::Program;
use super::raise::Raised;
use super::run::Run;
use crate::room::Room;

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
    let copied = |name| program(context).map_or(Some(Copies::Whole), |it| it.copies(name));
    let Some(value) = context.scope().get(name) else { return Ok(()) };
    copied(name).map_or_else(|| is_short(value), |copies| fits(value, Some(copies)))
}

/// Checks the length of a text or blob.
fn is_short(value: &Dynamic) -> Result<(), Raised> {
    let text = value.as_immutable_string_ref().map_or(0, |text| text.len());
    let blob = value.as_blob_ref().map_or(0, |blob| blob.len());
    if text > LONGEST || blob > LONGEST { Err(too_long().into()) } else { Ok(()) }
}

/// Checks that the running script may hold a copy of a value, and what operators and functions
/// make of it.
///
/// # Errors
/// As for [`check`].
pub(super) fn fits(value: &Dynamic, copies: Option<Copies>) -> Result<(), Raised> {
    fits_by(value, |run, room| copies.map_or(0, |copies| run.sizes.of(value, copies, room)))
}

/// Does the same for a value that no variable has, so that its size is not asked for again.
///
/// # Errors
/// As for [`check`].
pub(super) fn fits_once(value: &Dynamic, copies: Option<Copies>) -> Result<(), Raised> {
    fits_by(value, |_, room| copies.map_or(0, |copies| copies::size(value, copies, room.left)))
}

fn fits_by(value: &Dynamic, copy: impl FnOnce(&Run, Room) -> usize) -> Result<(), Raised> {
    is_short(value)?;
    let Some(room) = coroutine::room() else { return Ok(()) };
    // A copy of one value takes no more than all values of the script together.
    if room.left >= room.held {
        return Ok(());
    }
    let Ok(run) = Run::current() else { return Ok(()) };
    // Operators and functions make texts of a text, of which copies take nothing.
    let text = value.as_immutable_string_ref().map_or(0, |text| text.len());
    if text * 2 + copy(&run, room) <= room.left {
        return Ok(());
    }
    Err(no_room(&run).into())
}

fn no_room(run: &Run) -> EvalAltResult {
    let ended = Ended::Stopped(Stop::Memory, None);
    run.ending.end(ended.clone());
    EvalAltResult::ErrorTerminated(Dynamic::from(ended), Position::NONE)
}

/// Checks that the running module may hold the copies that Rhai makes of what it exports.
///
/// # Errors
/// An error if the script would hold more memory than it may.
pub(super) fn check_exports(context: &EvalContext<'_, '_, '_, '_, '_, '_>) -> Result<(), Raised> {
    let (Some(room), Ok(run)) = (coroutine::room(), Run::current()) else { return Ok(()) };
    let Some(program) = program(context) else { return Ok(()) };
    let taken = program.copied().exported().map(|(name, copies)| {
        let value = context.scope().get(name);
        value.map_or(0, |value| copies::size(value, Copies::Whole, room.left) * copies)
    });
    if taken.sum::<usize>() <= room.left { Ok(()) } else { Err(no_room(&run).into()) }
}

/// Returns the running source.
fn program(context: &EvalContext<'_, '_, '_, '_, '_, '_>) -> Option<Arc<Program>> {
    let library = context.engine().default_tag().clone().try_cast::<Arc<Library>>();
    let unit = library.zip(context.source()).and_then(|(library, source)| library.get(source));
    unit?.program().ok().map(Arc::clone)
}
