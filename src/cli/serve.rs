//! `mailexpect serve`.

use std::path::Path;
use std::sync::mpsc;

use super::args;
use super::screen::Screen;
use crate::error::{Error, Kind, Result};
use crate::files;
use crate::interrupt::Interrupt;
use crate::outcome::ExitCode;
use crate::report::Human;
use crate::server::Embedded;
use crate::transcript::{Event, Transcript};

/// How many events may wait to be shown before a dialogue waits for the screen.
const BACKLOG: usize = 1024;

pub(super) fn serve(args: &args::Serve, screen: &mut Screen) -> Result<ExitCode> {
    let (events, shown) = mpsc::sync_channel::<Option<Event>>(BACKLOG);
    let interrupted = events.clone();
    // A screen that is gone no longer takes events; the server goes on.
    let transcript = Transcript::observed(move |event| drop(events.send(Some(event.clone()))));
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
    // Where the channel is gone, so is the server.
    on_interrupt(move || drop(interrupted.send(None)))?;
    let urls = [server.smtp(), server.submission(), server.submissions()];
    screen.show(&Human::serving(&urls, Embedded::USER, Embedded::PASSWORD));
    if let Some(path) = &args.ca {
        write_ca(&server, path)?;
        screen.show(&Human::ca_written(path));
    }
    while let Ok(Some(event)) = shown.recv() {
        screen.show(&Human::default().event(&event));
    }
    Ok(ExitCode::Passed)
}

/// Calls that at the first Ctrl-C, from a thread of its own.
fn on_interrupt(first: impl FnOnce() + Send + 'static) -> Result<()> {
    let interrupt = Interrupt::listen()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        Error::new(Kind::Io, format!("no runtime to listen for Ctrl-C on: {error}"))
    })?;
    let pressed = runtime.block_on(async { interrupt.pressed() })?;
    std::thread::spawn(move || {
        runtime.block_on(pressed);
        first();
    });
    Ok(())
}

fn write_ca(server: &Embedded, path: &Path) -> Result<()> {
    // What is there and no file, such as a pipe, is written to and not replaced.
    let is_special = path.metadata().is_ok_and(|found| !found.is_file());
    let written = server.ca().and_then(|ca| {
        if is_special { std::fs::write(path, ca) } else { files::replace(path, ca.as_bytes()) }
    });
    written.map_err(|error| {
        Error::usage(format!("cannot write the CA to {}: {error}", path.display()))
    })
}
