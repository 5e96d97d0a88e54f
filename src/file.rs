//! Files that somebody else names: regular ones alone, of bounded size, opened without waiting.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// The most that is read of one file; a larger one is an error.
pub(crate) const LARGEST: u64 = 64 << 20;

/// Reads a regular file.
///
/// # Errors
/// What the system says; a FIFO, a device or a folder, and a file that is too large.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_up_to(path, LARGEST)
}

/// Reads a regular file of at most so many bytes.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_up_to(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    // Opening a FIFO would else wait for a writer, and reading it for what the writer says.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        let kind = kind(metadata.file_type());
        return Err(io::Error::other(format!("it is {kind}, and not a regular file")));
    }
    let mut read = Vec::new();
    file.take(largest + 1).read_to_end(&mut read)?;
    if read.len() as u64 > largest {
        return Err(io::Error::other(format!("it has more than {largest} bytes")));
    }
    Ok(read)
}

/// Reads a regular file of UTF-8. A byte order mark is left out, and CRLF becomes LF: editors of
/// other systems write both.
///
/// # Errors
/// As [`read`]; and if it is not UTF-8, with the line.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    let text = String::from_utf8(read(path)?).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = 1 + memchr::memchr_iter(b'\n', &error.as_bytes()[..valid]).count();
        io::Error::new(io::ErrorKind::InvalidData, format!("line {line} is not UTF-8"))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(text.replace("\r\n", "\n"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        )
        .unwrap();
        for (path, why) in [
            (fifo.as_path(), "a FIFO"),
            (Path::new("/dev/zero"), "a device"),
            (folder.path(), "a folder"),
        ] {
            assert!(read(path).unwrap_err().to_string().contains(why), "{}", path.display());
        }
        assert_eq!(read(&folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_that_is_too_large_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read_up_to(&path, 5).unwrap(), b"12345");
        assert!(read_up_to(&path, 4).unwrap_err().to_string().contains("more than 4 bytes"));
    }

    #[test]
    fn text_is_the_same_whatever_editor_wrote_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "\u{feff}one\r\ntwo\n").unwrap();
        assert_eq!(read_text(&path).unwrap(), "one\ntwo\n");
        std::fs::write(&path, b"one\n\xff\n").unwrap();
        assert!(read_text(&path).unwrap_err().to_string().contains("line 2 is not UTF-8"));
    }
}
