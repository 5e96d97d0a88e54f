//! `mailexpect import`: makes scripts of dialogues of other tools.

use std::path::{Path, PathBuf};

use clap::Args;

use super::screen::Screen;
use super::written;
use crate::error::{Error, Result};
use crate::file;
use crate::import::{self, Format};
use crate::outcome::ExitCode;
use crate::report::Human;

/// The arguments.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Import {
    /// The file, or `-` for stdin.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write the script to this file; by default to stdout.
    #[arg(short, long, value_name = "SCRIPT")]
    output: Option<PathBuf>,
    /// Replace the file that --output names if it is there.
    #[arg(long, requires = "output")]
    force: bool,
    /// Name the format of the file, if it is not recognised: telnet, nc, swaks, openssl, marked (C:
    /// and S:), transcript, mpt, chamuyero, imaptest, exim or blackbox.
    #[arg(long, value_name = "FORMAT")]
    from: Option<Format>,
}

const EXAMPLES: &str =
    "The script expects what the server said, and accepts any value in place of those
that vary (queue ids, dates). Lines that cannot be read are listed on stderr and
at the head of the script.

Examples:
  mailexpect import session.txt > session.rhai
  mailexpect import session.txt -o session.rhai && mailexpect run session.rhai";

/// How many bytes of a file are read at most. A pasted dialogue is far shorter.
const LARGEST: u64 = 16 << 20;

pub(super) fn import(args: &Import, screen: &mut Screen) -> Result<ExitCode> {
    let is_stdin = args.file == Path::new("-");
    let name = if is_stdin { "stdin".into() } else { args.file.to_string_lossy() };
    let bytes =
        if is_stdin { file::stdin_up_to(LARGEST) } else { file::read_up_to(&args.file, LARGEST) };
    let bytes = bytes.map_err(|error| Error::unreadable(&name, error))?;
    let text = String::from_utf8_lossy(&bytes);
    let imported = import::import(&name, &text, args.from)?;
    match &args.output {
        Some(path) => {
            written::create(path, &imported.script, args.force)?;
        }
        None => screen.show(&imported.script),
    }
    screen.note(&Human::imported(&imported));
    Ok(ExitCode::Passed)
}
