//! Writes scripts to files.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use crate::error::{Error, Result};
use crate::file;

/// Writes a new file. Replaces an existing one only if `force` is set.
///
/// # Errors
/// Usage if the file exists, or if it cannot be written.
pub(super) fn create(path: &Path, text: &str, force: bool) -> Result<()> {
    let written = if force {
        file::replace(path, text.as_bytes())
    } else {
        let created = OpenOptions::new().write(true).create_new(true).open(path);
        created.and_then(|mut file| file.write_all(text.as_bytes()))
    };
    written.map_err(|error| {
        let is_there = error.kind() == ErrorKind::AlreadyExists;
        let error = Error::usage(format!("cannot write {}: {error}", path.display()));
        error.hint(if is_there { "--force replaces it" } else { "name another file" })
    })
}
