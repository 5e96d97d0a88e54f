//! Opening and reading regular files. A file that somebody else names may be a FIFO or a device, and
//! reading it would wait for ever, or never end.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// Opens a regular file.
///
/// # Errors
/// The system's error; also an error for a FIFO, a device or a folder.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    // Without NONBLOCK, opening a FIFO would wait for a writer, and reading it would wait for data.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        let kind = kind(metadata.file_type());
        return Err(io::Error::other(format!("it is {kind}, and not a regular file")));
    }
    Ok(file)
}

/// Reads a regular file of at most `largest` bytes.
///
/// # Errors
/// As for [`open`]; also an error for a file that is too large.
pub(crate) fn read_up_to(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    all_of(open(path)?, largest)
}

/// Reads all, if it has at most `largest` bytes.
///
/// # Errors
/// The system's error; also an error if there are more bytes.
pub(crate) fn all_of(from: impl io::Read, largest: u64) -> io::Result<Vec<u8>> {
    let mut read = Vec::new();
    from.take(largest + 1).read_to_end(&mut read)?;
    if read.len() as u64 > largest {
        let error = format!("it has more than {largest} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, error));
    }
    Ok(read)
}

fn kind(kind: std::fs::FileType) -> &'static str {
    if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}
