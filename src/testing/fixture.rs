//! A fixture that scripts need, started when the first of them runs.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The function that starts the fixture, until it has been called.
type Start<F> = Mutex<Option<Box<dyn FnOnce() -> F + Send>>>;

/// A value that is made at most once, even if making it fails.
pub(super) struct Fixture<F> {
    start: Start<F>,
    started: OnceLock<Result<F, String>>,
}

impl<F> Fixture<F> {
    pub(super) fn new(start: impl FnOnce() -> F + Send + 'static) -> Self {
        Self { start: Mutex::new(Some(Box::new(start))), started: OnceLock::new() }
    }

    /// The fixture, started if it was not yet.
    ///
    /// # Errors
    /// The panic message of the start function, in every call: a server that failed to start once
    /// is not waited for again.
    pub(super) fn get(&self) -> Result<&F, &str> {
        self.started.get_or_init(|| self.start()).as_ref().map_err(String::as_str)
    }

    fn start(&self) -> Result<F, String> {
        let start = self.start.lock().unwrap_or_else(PoisonError::into_inner).take();
        let start = start.ok_or("it was started before")?;
        catch_unwind(AssertUnwindSafe(start)).map_err(|panic| said(&*panic))
    }
}

/// The message of a panic.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn it_is_started_once_and_only_when_it_is_asked_for() {
        let starts = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&starts);
        let fixture = Fixture::new(move || counted.fetch_add(1, Ordering::SeqCst));
        assert_eq!(starts.load(Ordering::SeqCst), 0);
        assert_eq!((fixture.get(), fixture.get()), (Ok(&0), Ok(&0)));
        assert_eq!(starts.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn one_that_does_not_start_says_why_each_time_and_is_not_tried_again() {
        let fixture = Fixture::<()>::new(|| panic!("no port {}", 25));
        assert_eq!((fixture.get(), fixture.get()), (Err("no port 25"), Err("no port 25")));
    }
}
