//! Work that cannot be done in pieces, on a thread beside the script's: the script waits for it, so
//! that its deadline, Ctrl-C and other scripts do not.
//!
//! If the script is stopped meanwhile, the thread is left to end by itself: what it was given bounds
//! that.

use rhai::NativeCallContext;
use tokio::sync::oneshot;

use super::coroutine;
use super::operate;
use super::raise::{Raised, raise};
use crate::error::{Error, Kind};

/// Work on less than this is done before a thread would have begun.
const SMALL: usize = 64 << 10;

/// Does work on so many bytes, beside the script if that may take long.
///
/// # Errors
/// The end of the script, if it must end meanwhile; Io if the system gives no thread.
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
        // Nobody waits any more if the script has ended.
        let _ = sender.send((done, coroutine::held().wrapping_sub(before)));
    });
    let no_thread = |why: &dyn std::fmt::Display| {
        raise(context, Error::new(Kind::Io, format!("no thread for work beside the script: {why}")))
    };
    thread.map_err(|error| no_thread(&error))?;
    // The sender is gone without a word only if the work panicked, which has been reported.
    let (done, taken) = operate::wait(context, receiver)?.map_err(|_| no_thread(&"it died"))?;
    coroutine::hold(taken);
    Ok(done)
}
