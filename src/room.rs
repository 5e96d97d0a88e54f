//! Whether there is room, and time, for more of what a server sent.
//!
//! Values take several times the memory of the text they are read from: 50 MiB of ENVELOPE are
//! 1 GiB of maps. So whatever makes a value of each line or response asks before each. Scripts
//! have a limit; elsewhere, the limit of the session bounds the text.

use std::sync::OnceLock;

use crate::error::{Error, Kind, Result};

/// The memory of a script, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// What it holds.
    pub(crate) held: usize,
    /// What it may hold.
    pub(crate) allowed: usize,
    /// What it may hold beyond what it does.
    pub(crate) left: usize,
}

/// That of the script that runs on this thread, if one does and its memory is limited.
type Ask = fn() -> Option<Room>;

static ASK: OnceLock<Ask> = OnceLock::new();

/// Sets how to find out what the running script may hold.
pub(crate) fn ask(ask: Ask) {
    let _ = ASK.set(ask);
}

fn room() -> Option<Room> {
    ASK.get()?()
}

/// Whether the script that runs on this thread has to end. Other scripts may have a turn before.
static HAS_TO_END: OnceLock<fn() -> bool> = OnceLock::new();

/// Sets how to find out whether the running script has to end.
pub(crate) fn ends(has_to_end: fn() -> bool) {
    let _ = HAS_TO_END.set(has_to_end);
}

/// The message of the error that [`check`] returns for a script that has to end, which no script
/// sees.
const ENDED: &str = "the script has to end";

/// Whether an error only says that the script has to end.
#[cfg(feature = "script")]
pub(crate) fn is_end(error: &Error) -> bool {
    error.kind() == Kind::Timeout && error.message() == ENDED
}

/// Whether a script runs on this thread and its memory is limited.
pub(crate) fn is_limited() -> bool {
    room().is_some()
}

/// Checks that there is room for more, and time.
///
/// # Errors
/// Too long, if the running script holds more than it may; time-out, if it has to end.
pub(crate) fn check() -> Result<()> {
    if HAS_TO_END.get().is_some_and(|has_to_end| has_to_end()) {
        return Err(Error::new(Kind::Timeout, ENDED));
    }
    let Some(Room { allowed, .. }) = room().filter(|room| room.left == 0) else { return Ok(()) };
    let what = "what the server sent takes more memory than the script may hold";
    let error = Error::new(Kind::TooLong, what);
    Err(error.with_expected(format!("at most {} MiB", allowed >> 20)).hint(format!(
        "ask for less at once, such as messages 1:10000 and then 10001:20000, or allow more: --memory {}",
        twice(allowed)
    )))
}

/// Collects items as long as there is room.
///
/// # Errors
/// The first error of an item; as for [`check`].
pub(crate) fn collect<T, C: Default + Extend<T>>(
    items: impl IntoIterator<Item = Result<T>>,
) -> Result<C> {
    let mut all = C::default();
    for item in items {
        check()?;
        all.extend([item?]);
    }
    Ok(all)
}

/// Returns twice as many bytes, as `--memory` takes them.
pub(crate) fn twice(bytes: usize) -> String {
    let doubled = bytes.saturating_mul(2) >> 20;
    match doubled % 1024 {
        0 if doubled > 0 => format!("{}G", doubled / 1024),
        _ => format!("{}M", doubled.max(1)),
    }
}
