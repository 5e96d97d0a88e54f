//! `mailexpect serve`.

use std::sync::mpsc;

use super::args;
use super::interrupt::on_interrupt;
use super::screen::Screen;
use crate::error::{Error, Result};
use crate::outcome::ExitCode;
use crate::report::Human;
use crate::server::Embedded;
use crate::transcript::{Event, Transcript};

/// How many events may wait to be shown before a dialogue waits for the screen.
const BACKLOG: usize = 1024;

pub(super) fn serve(args: &args::Serve, screen: &mut Screen) -> ExitCode {
    serve_until_interrupted(args, screen).map_or_else(
        |error| {
            screen.complain(&error);
            error.exit_code()
        },
        |()| ExitCode::Passed,
    )
}

fn serve_until_interrupted(args: &args::Serve, screen: &mut Screen) -> Result<()> {
    let (events, shown) = mpsc::sync_channel::<Option<Event>>(BACKLOG);
    let interrupted = events.clone();
    // A screen that is gone no longer takes events; the server goes on.
    let transcript = Transcript::observed(move |event| drop(events.send(Some(event.clone()))));
    let options = Embedded::options().smtp_at(args.smtp).submission_at(args.submission).transcript(transcript);
    let server = options.start().map_err(|error| {
        let message = format!("cannot listen on {} and {}: {error}", args.smtp, args.submission);
        Error::usage(message).hint("another program may hold the port; port 0 takes a free one")
    })?;
    // Where the channel is gone, so is the server.
    on_interrupt(move || drop(interrupted.send(None)));
    screen.show(&Human::serving(&server.smtp(), &server.submission(), Embedded::USER, Embedded::PASSWORD));
    while let Ok(Some(event)) = shown.recv() {
        screen.show(&Human::default().event(&event));
    }
    Ok(())
}
