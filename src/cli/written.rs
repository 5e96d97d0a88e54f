//! Writes scripts and reports to files.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::file;

/// Writes a new file. Replaces an existing one only if `force` is set. A pipe or a device, such as
/// `/dev/stdout`, is written into.
///
/// # Errors
/// Usage if the file exists, or if it cannot be written.
pub(super) fn create(path: &Path, text: &str, force: bool) -> Result<()> {
    let written = if file::is_special(path) {
        file::open_special(path).and_then(|mut file| file.write_all(text.as_bytes()))
    } else if force {
        replace(path, text)
    } else {
        write_new(path, text.as_bytes())
    };
    written.map_err(|error| {
        let is_replaceable = error.kind() == ErrorKind::AlreadyExists && !path.is_symlink();
        let error = Error::unwritable(path.display(), error);
        error.hint(if is_replaceable { "--force replaces it" } else { "name another file" })
    })
}

/// Writes a new file. Returns whether it did: `false` if the file exists.
///
/// # Errors
/// Usage if the file cannot be written.
pub(super) fn create_new(path: &Path, content: &[u8]) -> Result<bool> {
    match write_new(path, content) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(Error::unwritable(path.display(), error)),
    }
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(content)
}

/// Replaces a regular file, or writes a new one. A link is neither followed, because it could
/// choose any file of the user, nor replaced.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    if path.is_symlink() {
        return Err(io::Error::other("it is a symbolic link, and not a regular file"));
    }
    file::replace(path, text.as_bytes())
}

/// Refuses to write a report over a script, a golden, or a file that the command reads.
///
/// # Errors
/// Usage if the path is one of them.
pub(super) fn check_report(path: &Path, inputs: &[PathBuf]) -> Result<()> {
    let Ok(found) = path.metadata() else { return Ok(()) };
    let is_it = |input: &Metadata| {
        found.is_file() && (input.dev(), input.ino()) == (found.dev(), found.ino())
    };
    let is_source = path.extension().is_some_and(|end| end == "rhai" || end == "snap");
    let is_input =
        || inputs.iter().filter_map(|input| input.metadata().ok()).any(|input| is_it(&input));
    if found.is_file() && (is_source || is_input()) {
        let said = format!("a report would replace {}, which is an input", path.display());
        return Err(Error::usage(said).hint("nothing was run; name another file"));
    }
    Ok(())
}
