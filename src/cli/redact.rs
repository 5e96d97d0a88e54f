//! `mailexpect redact`.

use std::io::{self, Read as _};
use std::path::Path;

use super::args;
use super::goldens;
use super::screen::Screen;
use crate::error::{Error, Result};
use crate::file;
use crate::outcome::ExitCode;
use crate::project::Project;
use crate::redaction::Redaction;
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
    let redacted = redaction.apply(&events)?;
    screen.show(&Redacting { explain: args.explain }.transcript(&redacted));
    if others > 0 {
        screen.note(&Redacting::left_out(others));
    }
    Ok(())
}

fn text(file: Option<&Path>) -> Result<String> {
    let mut bytes = Vec::new();
    let (name, read) = if let Some(path) = file {
        (path.display().to_string(), file::read(path).map(|read| bytes = read))
    } else {
        let mut stdin = io::stdin().lock().take(file::LARGEST + 1);
        ("what comes on stdin".to_owned(), stdin.read_to_end(&mut bytes).map(drop))
    };
    read.map_err(|error| Error::usage(format!("cannot read {name}: {error}")))?;
    if bytes.len() as u64 > file::LARGEST {
        let most = file::LARGEST >> 20;
        return Err(Error::usage(format!("cannot redact {name}: it has more than {most} MiB"))
            .hint("give it in parts, a dialogue each"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
