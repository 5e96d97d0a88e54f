//! Work of the process itself that can be stopped: reading, compiling and checking a script, and
//! comparing its transcript with a golden.
//!
//! Rhai's parser and the checks take quadratic time for some sources (a map literal of 100 000
//! entries: two minutes), and so do some regexes for long lines. So the work looks whether it must
//! stop, as a running script does.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// What stops the work of a thread.
enum Stop {
    /// Somebody else, who sets this.
    Told(Arc<AtomicBool>),
    At(Instant),
}

thread_local! {
    /// What stops the work of this thread; none if nothing can stop it.
    static STOP: RefCell<Option<Stop>> = const { RefCell::new(None) };
}

/// Whether the work of this thread must stop.
pub(crate) fn is_stopped() -> bool {
    STOP.with_borrow(|stop| match stop {
        None => false,
        Some(Stop::Told(stopped)) => stopped.load(Ordering::Relaxed),
        Some(Stop::At(end)) => Instant::now() >= *end,
    })
}

/// Does work on a thread of its own, until it is done or `stop` is ready. Work that is stopped may
/// go on for a moment, and nobody waits for it.
///
/// # Errors
/// If the system gives no thread, or the work panics.
pub(crate) async fn stoppable<T: Send + 'static, S>(
    work: impl FnOnce() -> T + Send + 'static,
    stop: impl Future<Output = S>,
) -> io::Result<Result<T, S>> {
    let stopped = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = oneshot::channel();
    let of_thread = Arc::clone(&stopped);
    std::thread::Builder::new().name("work beside the script".to_owned()).spawn(move || {
        STOP.set(Some(Stop::Told(of_thread)));
        // The receiver is gone if the work was stopped.
        let _ = sender.send(work());
    })?;
    tokio::select! {
        biased;
        done = receiver => done.map(Ok).map_err(io::Error::other),
        why = stop => {
            stopped.store(true, Ordering::Relaxed);
            Ok(Err(why))
        }
    }
}

/// Does work on this thread that is stopped after this time, if nothing else can stop it already.
pub(crate) fn stopped_after<T>(time: Duration, work: impl FnOnce() -> T) -> T {
    let is_mine = STOP.with_borrow_mut(|stop| {
        let is_free = stop.is_none();
        if is_free {
            // A time that is too long for the clock never comes.
            *stop = Instant::now().checked_add(time).map(Stop::At);
        }
        is_free
    });
    let done = work();
    if is_mine {
        STOP.set(None);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_must_stop_is_told_and_other_work_gives_its_result() {
        let runtime = crate::runtime::current_thread().unwrap();
        let (told, is_told) = std::sync::mpsc::channel();
        let endless = move || {
            while !is_stopped() {
                std::thread::yield_now();
            }
            told.send(()).unwrap();
        };
        let ended = runtime.block_on(stoppable(endless, std::future::ready("stop")));
        assert_eq!(ended.unwrap(), Err("stop"));
        is_told.recv().unwrap();
        let done = runtime.block_on(stoppable(|| 7, std::future::pending::<()>()));
        assert_eq!(done.unwrap(), Ok(7));
        assert!(!is_stopped(), "this thread has no such work");
    }

    #[test]
    fn work_of_this_thread_ends_after_its_time() {
        let endless = || while !is_stopped() {};
        stopped_after(Duration::from_millis(1), endless);
        assert!(!is_stopped());
        // A shorter time does not replace what stops the work already.
        let inner = || stopped_after(Duration::ZERO, is_stopped);
        assert!(!stopped_after(Duration::MAX, || stopped_after(Duration::MAX, || false)));
        assert!(!stopped_after(Duration::from_mins(10), inner));
    }
}
