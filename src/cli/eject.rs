//! `mailexpect eject`: writes shipped scripts to files.

use std::path::PathBuf;

use clap::Args;

use super::screen::Screen;
use super::written;
use crate::error::{Error, Result};
use crate::outcome::ExitCode;
use crate::report::Human;
use crate::script::shipped;
use crate::visible;

/// The arguments.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  mailexpect eject relay              # writes relay.rhai\n  mailexpect eject @relay --into scripts\n  mailexpect run relay.rhai smtp://mail.example.com"
)]
pub(super) struct Eject {
    /// Scripts that `mailexpect list --shipped` shows, with their `@` or without.
    #[arg(value_name = "NAMES", required = true)]
    names: Vec<String>,
    /// Write the files to this folder: `--into scripts`.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    into: PathBuf,
    /// Replace existing files.
    #[arg(long)]
    force: bool,
}

pub(super) fn eject(args: &Eject, screen: &mut Screen) -> Result<ExitCode> {
    // Look up all names before the first file is written, so that an unknown name leaves no files.
    let scripts = args.names.iter().map(|name| Ok((name, text(name)?)));
    let scripts = scripts.collect::<Result<Vec<_>>>()?;
    let made = std::fs::create_dir_all(&args.into);
    made.map_err(|error| Error::unwritable(args.into.display(), error))?;
    for (name, text) in scripts {
        let path = args.into.join(format!("{}.rhai", name.trim_start_matches('@')));
        written::create(&path, text, args.force)?;
        screen.show(&Human::wrote(&path));
    }
    Ok(ExitCode::Passed)
}

fn text(name: &str) -> Result<&'static str> {
    shipped::script(name).ok_or_else(|| {
        let shown = visible::escape(name.as_bytes());
        let error = Error::usage(format!("there is no built-in script {shown}"));
        match shipped::nearest(name) {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error.hint("mailexpect list --shipped shows them all"),
        }
    })
}
