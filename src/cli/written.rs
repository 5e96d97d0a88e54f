//! Writes scripts to files.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use crate::error::{Error, Result};

/// Writes a new file. Replaces an existing one only if `force` is set.
///
/// # Errors
/// Usage if the file exists, or if it cannot be written.
pub(super) fn create(path: &Path, text: &str, force: bool) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(force).create_new(!force).truncate(force);
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let is_there = error.kind() == ErrorKind::AlreadyExists;
        let error = Error::usage(format!("cannot write {}: {error}", path.display()));
        error.hint(if is_there { "--force replaces it" } else { "name another file" })
    })
}
