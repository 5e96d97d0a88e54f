//! Runs work that cannot be done in pieces on another thread. The script waits for the work, but
//! the script's deadline, Ctrl-C and other scripts do not have to.
//!
//! If the script is stopped before the work is done, the thread goes on until it has finished. The
//! size of its input bounds how long that takes.

use rhai::{ImmutableString, NativeCallContext};
use tokio::sync::oneshot;

use super::bounds::room;
use super::coroutine;
use super::operate;
use super::raise::{Raised, raise};
use crate::error::{Error, Kind};

/// Work on fewer bytes than this is done in less time than it takes to start a thread.
const SMALL: usize = 64 << 10;

/// Does work on a text, as [`aside`] does, if the script may hold a copy of it and `more` bytes that
/// the work takes. Memory that another thread takes is counted only after the work.
///
/// # Errors
/// Those of [`aside`]; the end of the script, if it would hold more than its limit.
pub(super) fn aside_on<T: Send + 'static>(
    context: &NativeCallContext<'_>,
    text: &str,
    more: usize,
    work: impl FnOnce(&str) -> T + Send + 'static,
) -> Result<T, Raised> {
    room(context, text.len().saturating_add(more))?;
    let text = text.to_owned();
    aside(context, text.len(), move || work(&text))
}

/// Does work on a text, as [`aside`] does. The threads share the text.
///
/// # Errors
/// Those of [`aside`].
pub(super) fn aside_with<T: Send + 'static>(
    context: &NativeCallContext<'_>,
    text: &ImmutableString,
    work: impl FnOnce(&str) -> T + Send + 'static,
) -> Result<T, Raised> {
    let text = text.clone();
    aside(context, text.len(), move || work(&text))
}

/// Does work on `bytes` bytes, on another thread if it may take long.
///
/// # Errors
/// The end of the script, if the script must end during the work; Io if the system gives no thread.
pub(super) fn aside<T: Send + 'static>(
    context: &NativeCallContext<'_>,
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Raised> {
    if bytes < SMALL {
        return Ok(work());
    }
    let (sender, receiver) = oneshot::channel();
    let thread = std::thread::Builder::new().name("aside".to_owned()).spawn(move || {
        let before = coroutine::held();
        let done = work();
        // The receiver is gone if the script has ended.
        let _ = sender.send((done, coroutine::held().wrapping_sub(before)));
    });
    let no_thread = |why: &dyn std::fmt::Display| {
        raise(context, Error::new(Kind::Io, format!("no thread for work beside the script: {why}")))
    };
    thread.map_err(|error| no_thread(&error))?;
    // The sender is dropped without a result only if the work panicked, which has been reported.
    let (done, taken) = operate::wait(context, receiver)?.map_err(|_| no_thread(&"it died"))?;
    coroutine::hold(taken);
    Ok(done)
}
