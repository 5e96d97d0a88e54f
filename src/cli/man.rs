//! `mailexpect man`: writes manual pages.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Command};

use super::screen::Screen;
use crate::error::{Error, Kind, Result};
use crate::outcome::ExitCode;

/// The arguments.
#[derive(Args, Debug)]
#[command(after_help = "Example: mailexpect man ~/.local/share/man/man1")]
pub(super) struct Man {
    /// Write a page for the program and one for each command to this folder; without it, the page
    /// of the program is printed.
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub(super) fn man(args: &Man, command: Command, screen: &mut Screen) -> Result<ExitCode> {
    let Some(folder) = &args.folder else {
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(command).render(&mut page);
        rendered.map_err(|error| Error::new(Kind::Io, format!("no page: {error}")))?;
        screen.print(&String::from_utf8_lossy(&page));
        return Ok(ExitCode::Passed);
    };
    let written =
        fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
    written.map_err(|error| Error::unwritable(folder.display(), error))?;
    Ok(ExitCode::Passed)
}
