//! The file of a report, which is opened before a run and complete after it.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Kind, Result};
use crate::file;

/// A file that gets its name only when the report is complete, so that nobody reads half a report.
pub(super) struct ReportFile {
    path: PathBuf,
    file: Open,
}

enum Open {
    /// A temporary file beside the path, to be renamed.
    Beside(NamedTempFile),
    /// A pipe or a device. It cannot be replaced, so it is written directly.
    Direct(File),
}

impl ReportFile {
    /// Opens the file of a report, before anything is run.
    ///
    /// # Errors
    /// Usage for a file that cannot be written.
    pub(super) fn create(path: &Path) -> Result<Self> {
        // A link is followed only to a pipe or a device, such as /dev/stdout. Otherwise a link in a
        // repository could choose a file of the user that is overwritten.
        let opened = match fs::metadata(path) {
            Ok(found) if found.is_dir() => Err(io::Error::from(io::ErrorKind::IsADirectory)),
            _ if file::is_special(path) => file::open_special(path).map(Open::Direct),
            found => named(path, found).and_then(|()| beside(path)).map(Open::Beside),
        };
        let file = opened.map_err(|error| {
            let error = Error::unwritable(path.display(), error);
            error.hint("nothing was run; the folder of a report must exist")
        })?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// The path at which a file is replaced; `None` for a pipe or a device.
    pub(super) fn replaced(&self) -> Option<&Path> {
        matches!(self.file, Open::Beside(_)).then_some(&self.path)
    }

    /// Writes the next part of the report.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn write(&mut self, text: &str) -> Result<()> {
        // Files get no colours.
        let text = anstream::adapter::strip_str(text).to_string();
        let written = match &mut self.file {
            Open::Beside(file) => file.write_all(text.as_bytes()),
            Open::Direct(file) => file.write_all(text.as_bytes()),
        };
        written.map_err(|error| incomplete(&self.path, &error))
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// If it cannot be renamed.
    pub(super) fn finish(self) -> Result<()> {
        match self.file {
            Open::Beside(file) => {
                let renamed = file.persist(&self.path).map(drop);
                renamed.map_err(|error| incomplete(&self.path, &error.error))
            }
            Open::Direct(_) => Ok(()),
        }
    }
}

/// Makes sure that a file can get this name, which the temporary file does not show.
fn named(path: &Path, found: io::Result<Metadata>) -> io::Result<()> {
    if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(io::Error::other("it names a folder"));
    }
    match found {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    // The same mode as any new file: 0666 without the bits of the umask.
    builder.prefix(".mailexpect-").permissions(Permissions::from_mode(0o666));
    builder.tempfile_in(folder.unwrap_or(Path::new(".")))
}

fn incomplete(path: &Path, error: &io::Error) -> Error {
    Error::new(Kind::Io, format!("cannot write the report {}: {error}", path.display()))
        .hint("everything was run; the report is missing")
}
