//! The signals that end a run: SIGINT (Ctrl-C), SIGTERM and SIGHUP. The first signal notifies the
//! code that waits for it; the second ends the process, whatever it is doing. What comes within a
//! moment of the first is no second one.

use std::future;
use std::io;
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::error::{Error, Kind, Result};
use crate::outcome::ExitCode;
use crate::runtime;
use crate::transport;

/// How long after the first signal others belong to it. No person presses Ctrl-C again so soon.
const ONE_WISH: Duration = Duration::from_millis(300);

/// A handle that reports these signals, from its creation on.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    pressed: watch::Receiver<bool>,
}

impl Interrupt {
    /// Starts listening on a thread of its own, so that even a script that never waits can be
    /// ended.
    ///
    /// # Errors
    /// If the system cannot create a thread, or has no descriptors left for the signals.
    pub(crate) fn listen() -> Result<Self> {
        let runtime = runtime::build();
        let runtime = runtime.map_err(|error| cannot_listen(&error))?;
        let (press, pressed) = watch::channel(false);
        let mut signals = {
            let _guard = runtime.enter();
            signals().map_err(|error| cannot_listen(&error))?
        };
        let listening = async move {
            next(&mut signals).await;
            // Whoever sees the note finds the signal pressed.
            press.send_replace(true);
            runtime::note_interrupt();
            // `timeout` signals a process and then its group, and a terminal that closes hangs up
            // twice: these are one wish. Signals of one kind that wait are one.
            tokio::time::sleep(ONE_WISH).await;
            forget(&mut signals).await;
            next(&mut signals).await;
            transport::kill_processes();
            std::process::exit(ExitCode::Interrupted as i32)
        };
        let thread = thread::Builder::new().name("signals".to_owned());
        let started = thread.spawn(move || runtime.block_on(listening));
        started.map_err(|error| cannot_listen(&error))?;
        Ok(Self { pressed })
    }

    /// Whether a signal has come.
    pub(crate) fn is_pressed(&self) -> bool {
        *self.pressed.borrow()
    }

    /// Waits for a future, unless a signal comes first. `None` if one came.
    pub(crate) async fn unless_pressed<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            output = future => Some(output),
            () = self.pressed() => None,
        }
    }

    /// Ready once a signal comes, or at once if one has come already.
    pub(crate) fn pressed(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut pressed = self.pressed.clone();
        async move {
            if pressed.wait_for(|pressed| *pressed).await.is_err() {
                // The sender lives as long as the process.
                future::pending::<()>().await;
            }
        }
    }
}

fn signals() -> io::Result<Vec<Signal>> {
    // A parent may have set SIGCHLD to be ignored. The system would then forget how children ended.
    drop(signal(SignalKind::child())?);
    let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
    if !is_hangup_ignored() {
        kinds.push(SignalKind::hangup());
    }
    kinds.into_iter().map(signal).collect()
}

/// Whether `nohup` or another parent process has set SIGHUP to be ignored, which has to stay so.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & 1 == 1)
}

async fn next(signals: &mut [Signal]) {
    future::poll_fn(|cx| {
        let came = signals.iter_mut().any(|signal| signal.poll_recv(cx).is_ready());
        if came { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

/// Forgets the signals that have come.
async fn forget(signals: &mut [Signal]) {
    future::poll_fn(|cx| {
        for signal in &mut *signals {
            while signal.poll_recv(cx).is_ready() {}
        }
        std::task::Poll::Ready(())
    })
    .await;
}

fn cannot_listen(error: &io::Error) -> Error {
    Error::new(Kind::Io, format!("cannot listen for signals: {error}"))
}
