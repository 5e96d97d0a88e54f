//! Ctrl-C: the first is for whoever waits for it, the second ends the process, whatever it is
//! doing.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::SIGINT;
use signal_hook::flag;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{Error, Kind, Result};
use crate::outcome::ExitCode;

/// Hears Ctrl-C from when it is made.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    pressed: Arc<AtomicBool>,
}

impl Interrupt {
    /// # Errors
    /// Where the system lets nobody hear.
    pub(crate) fn listen() -> Result<Self> {
        let pressed = Arc::new(AtomicBool::new(false));
        // In this order: what the second looks for, the first leaves behind it.
        let second = flag::register_conditional_shutdown(
            SIGINT,
            ExitCode::Interrupted as i32,
            Arc::clone(&pressed),
        );
        let first = second.and_then(|_| flag::register(SIGINT, Arc::clone(&pressed)));
        first.map(|_| Self { pressed }).map_err(|error| deaf(&error))
    }

    /// Whether it has been pressed.
    pub(crate) fn is_pressed(&self) -> bool {
        self.pressed.load(Ordering::SeqCst)
    }

    /// Ready once it is pressed, or has been. For the runtime that this is called on.
    ///
    /// # Errors
    /// Where the system lets nobody hear.
    pub(crate) fn pressed(&self) -> Result<impl Future<Output = ()> + Send + 'static> {
        let mut next: Signal = signal(SignalKind::interrupt()).map_err(|error| deaf(&error))?;
        let before = self.is_pressed();
        Ok(async move {
            if !before {
                next.recv().await;
            }
        })
    }
}

fn deaf(error: &io::Error) -> Error {
    Error::new(Kind::Io, format!("cannot listen for Ctrl-C: {error}"))
}
