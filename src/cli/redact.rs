//! `mailexpect redact`: redacts a transcript.

use std::path::Path;

use super::args;
use super::goldens;
use super::screen::Screen;
use crate::error::{Error, Result};
use crate::file;
use crate::outcome::ExitCode;
use crate::project::Project;
use crate::redaction::{Redaction, without_secrets};
use crate::report::Redacting;
use crate::transcript;

pub(super) fn redact(args: &args::Redact, screen: &mut Screen) -> Result<ExitCode> {
    let project = Project::of(Path::new("."))?;
    let redaction = goldens::redaction(&project, None, &args.redacting)?;
    if args.list {
        screen.show(&Redacting::list(&redaction));
    } else {
        explained(args, &redaction, screen)?;
    }
    Ok(ExitCode::Passed)
}

fn explained(args: &args::Redact, redaction: &Redaction, screen: &mut Screen) -> Result<()> {
    let (events, others) = transcript::read(&text(args.file.as_deref())?);
    if events.is_empty() {
        let error = Error::usage("there is no transcript in it");
        return Err(error.hint("a transcript has lines such as `S: 220 hi` and `C: QUIT`; mailexpect run -v shows some"));
    }
    let redacted = redaction.apply(&without_secrets(events))?;
    screen.show(&Redacting { explain: args.explain }.transcript(&redacted));
    if others > 0 {
        screen.note(&Redacting::left_out(others));
    }
    Ok(())
}

/// Reads the whole file or stdin, because a secret that is learned late is also masked earlier in
/// the text. At most [`file::LARGEST`] bytes are read.
fn text(file: Option<&Path>) -> Result<String> {
    let (name, read) = match file {
        Some(path) => (path.display().to_string(), file::read(path)),
        None => ("what comes on stdin".to_owned(), file::stdin_up_to(file::LARGEST)),
    };
    let bytes = read.map_err(|error| Error::unreadable(name, error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
