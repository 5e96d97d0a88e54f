//! Ctrl-C.

use std::sync::mpsc;

use tokio::signal::unix::{SignalKind, signal};

use crate::outcome::ExitCode;

/// Calls `first` at the first Ctrl-C; a second one ends the process. It listens on a thread of its own, so that nothing can
/// keep it from hearing, and listens by the time this returns.
pub(super) fn on_interrupt(first: impl FnOnce() + Send + 'static) {
    let (listening, listens) = mpsc::channel();
    std::thread::spawn(move || {
        // Where signals cannot be had, Ctrl-C ends the process as it would without us; dropping `listening` says so.
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            let Ok(mut interrupts) = signal(SignalKind::interrupt()) else { return };
            // Whoever waits for it is waiting just below.
            let _ = listening.send(());
            interrupts.recv().await;
            first();
            interrupts.recv().await;
            std::process::exit(ExitCode::Interrupted as i32);
        });
    });
    // An error says that nobody will listen, which was dealt with above.
    let _ = listens.recv();
}
