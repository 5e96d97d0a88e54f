//! What a conversation shows.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustyline::ExternalPrinter;

use crate::cli::screen::Screen;
use crate::report::Human;
use crate::transcript::{Event, What};

/// Prints above the line that is being typed.
type Printer = Box<dyn ExternalPrinter + Send>;

/// The output of the conversation. At a terminal, it appears above the line that is being typed.
pub(super) struct Output {
    screen: Mutex<Screen>,
    printer: Option<Mutex<Printer>>,
    started: Instant,
    /// Whether the text that is sent now was typed, and so is on the screen already.
    is_typed: AtomicBool,
    /// The number of events so far.
    events: AtomicUsize,
}

impl Output {
    pub(super) fn new(screen: &Screen, printer: Option<Printer>) -> Self {
        Self {
            screen: Mutex::new(screen.clone()),
            printer: printer.map(Mutex::new),
            started: Instant::now(),
            is_typed: AtomicBool::new(false),
            events: AtomicUsize::new(0),
        }
    }

    /// Says whether the text that is sent from now on was typed.
    pub(super) fn typed(&self, is_typed: bool) {
        self.is_typed.store(is_typed, Ordering::Relaxed);
    }

    pub(super) fn show(&self, text: &str) {
        let mut screen = self.screen();
        match &self.printer {
            None => screen.show(text),
            Some(printer) => {
                let mut printer = printer.lock().unwrap_or_else(PoisonError::into_inner);
                // If the terminal is gone, the editor ends, and the conversation with it.
                let _ = printer.print(screen.rendered(text));
            }
        }
    }

    pub(super) fn screen(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until everything shown is on the screen. The editor takes one text at a time: after it
    /// has taken a second empty text, it has written everything before the first.
    pub(super) fn flush(&self) {
        self.show("");
        self.show("");
    }

    pub(super) fn event(&self, event: &Event) {
        self.events.fetch_add(1, Ordering::Relaxed);
        let is_echo =
            matches!(event.what, What::Client(_)) && self.is_typed.load(Ordering::Relaxed);
        if !is_echo {
            self.show(&Human::at(self.started.elapsed(), event));
        }
    }

    pub(super) fn events(&self) -> usize {
        self.events.load(Ordering::Relaxed)
    }
}
