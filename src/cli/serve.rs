//! `mailexpect serve`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, TrySendError};
use std::thread;
use std::time::Duration;

use super::screen::Screen;
use super::{args, descriptors};
use crate::error::{Error, Result};
use crate::file;
use crate::interrupt::Interrupt;
use crate::outcome::ExitCode;
use crate::report::Human;
use crate::server::Embedded;
use crate::session::block_on;
use crate::transcript::{Event, Transcript};

/// How many events may wait to be shown. If nobody reads the screen, those that come after them are
/// left out and counted: no client waits for a screen.
const BACKLOG: usize = 4096;
/// How long the last events may take to be shown after Ctrl-C.
const LAST: Duration = Duration::from_millis(300);

pub(super) fn serve(args: &args::Serve, screen: &mut Screen) -> Result<ExitCode> {
    descriptors::raise_limit();
    descriptors::check(DESCRIPTORS)?;
    let interrupt = Interrupt::listen()?;
    let (events, waiting) = mpsc::sync_channel::<Event>(BACKLOG);
    let left_out = Arc::new(AtomicUsize::new(0));
    let missed = Arc::clone(&left_out);
    let transcript = Transcript::observed(move |event| {
        if let Err(TrySendError::Full(_)) = events.try_send(event.clone()) {
            missed.fetch_add(1, Ordering::Relaxed);
        }
    });
    let options = Embedded::options()
        .smtp_at(args.smtp)
        .submission_at(args.submission)
        .submissions_at(args.submissions);
    let server = options.transcript(transcript).start().map_err(|error| {
        let message = format!(
            "cannot listen on {}, {} and {}: {error}",
            args.smtp, args.submission, args.submissions
        );
        Error::usage(message).hint("another program may hold the port; port 0 takes a free one")
    })?;
    let urls = [server.smtp(), server.submission(), server.submissions()];
    screen.show(&Human::serving(&urls, Embedded::USER, Embedded::PASSWORD));
    if let Some(path) = &args.ca {
        write_ca(&server, path)?;
        screen.show(&Human::ca_written(path));
    }
    let (ended, end) = mpsc::channel::<()>();
    let mut shown = screen.clone();
    thread::spawn(move || {
        show(&waiting, &left_out, &mut shown);
        drop(ended);
    });
    block_on(interrupt.pressed());
    // With the server go the senders of events, and with them the thread that shows them, unless
    // nobody reads the screen: then it is left behind.
    drop(server);
    let _ = end.recv_timeout(LAST);
    Ok(ExitCode::Passed)
}

/// What a server needs to begin (its ports, two runtimes and what hears signals: 17), and a few for
/// its first clients.
const DESCRIPTORS: usize = 24;

/// Shows events until the server is gone.
fn show(waiting: &Receiver<Event>, left_out: &AtomicUsize, screen: &mut Screen) {
    while let Ok(event) = waiting.recv() {
        screen.show(&Human::default().event(&event));
        let missed = left_out.swap(0, Ordering::Relaxed);
        if missed > 0 {
            screen.show(&Human::left_out(missed));
        }
    }
}

fn write_ca(server: &Embedded, path: &Path) -> Result<()> {
    // What is there and no file, such as a pipe, is written to and not replaced.
    let is_special = path.metadata().is_ok_and(|found| !found.is_file());
    let written = server.ca().and_then(|ca| {
        if is_special { std::fs::write(path, ca) } else { file::replace(path, ca.as_bytes()) }
    });
    written.map_err(|error| {
        Error::usage(format!("cannot write the CA to {}: {error}", path.display()))
    })
}
