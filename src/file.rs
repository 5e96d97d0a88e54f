//! Reading and writing files. A file that somebody else names is read only if it is a regular file
//! of bounded size, and is opened without waiting. A file is written completely or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read as _, Take, Write as _};
#[cfg(feature = "cli")]
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{Mode, OFlags};

pub(crate) use crate::regular::{open, read_up_to};

/// How many bytes are read of one file at most; a larger file is an error.
pub(crate) const LARGEST: u64 = 64 << 20;

/// How many bytes are read at most of a file that is read line by line, such as a recording, which
/// has up to 16 MiB for each script. No line of it may have more than [`LARGEST`] bytes.
#[cfg(feature = "cli")]
const LARGEST_BY_LINES: u64 = 1 << 30;

/// A counter for the names of temporary files of this process.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

/// Reads a regular file.
///
/// # Errors
/// The system's error; also an error for a FIFO, a device or a folder, and for a file that is too
/// large.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_up_to(path, LARGEST)
}

/// The streams of the process by their paths. They are written as they are, because opening such a
/// path again writes from the beginning of a file that they are redirected to.
#[cfg(feature = "cli")]
fn stream(path: &Path) -> Option<io::Result<OwnedFd>> {
    match path.to_str()? {
        "/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1" => {
            Some(io::stdout().as_fd().try_clone_to_owned())
        }
        "/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2" => {
            Some(io::stderr().as_fd().try_clone_to_owned())
        }
        _ => None,
    }
}

/// Whether a path is a pipe, a device, or a link to one. It is written into, and never replaced.
#[cfg(feature = "cli")]
pub(crate) fn is_special(path: &Path) -> bool {
    let is_special = |found: fs::Metadata| !found.is_dir() && !found.is_file();
    stream(path).is_some() || path.metadata().is_ok_and(is_special)
}

/// Opens a pipe or a device to be written to.
///
/// # Errors
/// The system's error; also an error for a FIFO that nobody reads.
#[cfg(feature = "cli")]
pub(crate) fn open_special(path: &Path) -> io::Result<File> {
    if let Some(stream) = stream(path) {
        return stream.map(File::from);
    }
    // Without NONBLOCK, opening a FIFO would wait for a reader, and no signal would end the wait.
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Err(rustix::io::Errno::NXIO) => {
            return Err(io::Error::other("it is a FIFO or a socket that nobody reads"));
        }
        opened => opened?,
    };
    // A reader that is slower than the program is waited for.
    rustix::fs::fcntl_setfl(&file, OFlags::empty())?;
    Ok(File::from(file))
}

/// Reads stdin, at most `largest` bytes.
///
/// # Errors
/// If stdin cannot be read, or has more bytes.
#[cfg(feature = "cli")]
pub(crate) fn stdin_up_to(largest: u64) -> io::Result<Vec<u8>> {
    crate::regular::all_of(io::stdin().lock(), largest)
}

/// Reads a regular file of UTF-8. A byte order mark is left out, and CRLF becomes LF, because
/// editors on other systems write both.
///
/// # Errors
/// See [`read`]; also an error that names the line, if the file is not UTF-8.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    read_text_up_to(path, LARGEST)
}

/// Reads a file as [`read_text`] does, if it has at most `largest` bytes.
///
/// # Errors
/// See [`read_text`].
pub(crate) fn read_text_up_to(path: &Path, largest: u64) -> io::Result<String> {
    let text = String::from_utf8(read_up_to(path, largest)?).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = 1 + memchr::memchr_iter(b'\n', &error.as_bytes()[..valid]).count();
        io::Error::new(ErrorKind::InvalidData, format!("line {line} is not UTF-8"))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(text.replace("\r\n", "\n"))
}

/// The lines of a regular file of UTF-8, read one at a time, so that a large file takes no more
/// memory than its longest line. Byte order marks and line ends are as in [`read_text`].
#[cfg(feature = "cli")]
pub(crate) struct Lines {
    reader: BufReader<Take<File>>,
    number: usize,
}

#[cfg(feature = "cli")]
impl Lines {
    /// Opens a file to be read line by line.
    ///
    /// # Errors
    /// As [`open`].
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let reader = BufReader::new(open(path)?.take(LARGEST_BY_LINES + 1));
        Ok(Self { reader, number: 0 })
    }

    /// Reads the next line. If the last one ends within a character, because what wrote it was
    /// killed, it is read without that character.
    fn read(&mut self) -> io::Result<Option<String>> {
        let mut line = octets_up_to(&mut self.reader, LARGEST)?;
        if let Some(octets) = &mut line
            && let Err(error) = std::str::from_utf8(octets)
            && error.error_len().is_none()
            && self.reader.fill_buf()?.is_empty()
        {
            octets.truncate(error.valid_up_to());
        }
        let line = line.map(text).transpose()?;
        if self.reader.get_ref().limit() == 0 {
            return Err(io::Error::other(format!(
                "the file has more than {LARGEST_BY_LINES} bytes"
            )));
        }
        let is_first = self.number == 1;
        Ok(line.map(|line| match line.strip_prefix('\u{feff}') {
            Some(rest) if is_first => rest.to_owned(),
            _ => line,
        }))
    }
}

#[cfg(feature = "cli")]
impl Iterator for Lines {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        self.number += 1;
        let line = self.read().map_err(|error| {
            io::Error::new(error.kind(), format!("line {}: {error}", self.number))
        });
        line.transpose()
    }
}

/// Reads a line of UTF-8 of at most `largest` bytes, without its line end; `None` at the end of the
/// input.
///
/// # Errors
/// The system's error; also an error for a line that is longer or not UTF-8.
#[cfg(feature = "cli")]
pub(crate) fn line_up_to(from: &mut impl BufRead, largest: u64) -> io::Result<Option<String>> {
    octets_up_to(from, largest)?.map(text).transpose()
}

#[cfg(feature = "cli")]
fn text(line: Vec<u8>) -> io::Result<String> {
    let not_text = |_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8");
    String::from_utf8(line).map_err(not_text)
}

/// Reads a line as [`line_up_to`] does, whatever octets it has.
///
/// # Errors
/// The system's error; also an error for a line that is longer.
#[cfg(feature = "cli")]
pub(crate) fn octets_up_to(from: &mut impl BufRead, largest: u64) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    // Two more bytes, for the line end.
    if from.take(largest + 2).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    line.pop_if(|last| *last == b'\n').and_then(|_| line.pop_if(|last| *last == b'\r'));
    if line.len() as u64 > largest {
        return Err(io::Error::other(format!("it has more than {largest} bytes")));
    }
    Ok(Some(line))
}

/// Whether something stands at a path that is no folder. A FIFO and a link to nowhere count: what
/// reads them says what is wrong with them, while a file that seems absent is passed over.
pub(crate) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| !found.is_dir())
}

/// Writes a temporary file in the same folder and renames it. So no reader sees half of the file,
/// and a symbolic link at this path is replaced and not followed.
///
/// # Errors
/// The system's error; then the path is unchanged.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (beside, mut file) = create_beside(path)?;
    let written = file.write_all(bytes).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // If the temporary file cannot be removed either, it stays.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Creates a new hidden file in the same folder. It must not exist before, so that no link can
/// redirect it.
fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().ok_or(ErrorKind::InvalidInput)?.to_string_lossy();
    loop {
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let beside = path.with_file_name(format!(".{name}.{}-{number}", process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&beside) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            opened => return Ok((beside, opened?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_regular_is_refused_at_once() {
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
        assert_eq!(read(&folder.path().join("none")).unwrap_err().kind(), ErrorKind::NotFound);
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

    #[cfg(feature = "cli")]
    #[test]
    fn lines_are_those_of_the_whole_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for text in ["", "one", "one\ntwo\n", "\u{feff}one\r\n\r\ntwo\r", "\n\u{feff}\n"] {
            std::fs::write(&path, text).unwrap();
            let lines: Vec<_> = Lines::open(&path).unwrap().map(Result::unwrap).collect();
            assert_eq!(lines, read_text(&path).unwrap().lines().collect::<Vec<_>>(), "{text:?}");
        }
        std::fs::write(&path, b"one\n\xff\n").unwrap();
        let error = Lines::open(&path).unwrap().nth(1).unwrap().unwrap_err();
        assert_eq!(error.to_string(), "line 2: it is not UTF-8");
        // The first two of three octets, within the file and at its end.
        std::fs::write(&path, b"a\xe4\xb8\nb\xe4\xb8").unwrap();
        let mut lines = Lines::open(&path).unwrap();
        assert!(lines.next().unwrap().is_err());
        assert_eq!(lines.next().unwrap().unwrap(), "b");
    }

    #[cfg(feature = "cli")]
    #[test]
    fn a_line_that_never_ends_is_an_error() {
        for end in ["", "\n", "\r\n"] {
            let line = |text: &str| line_up_to(&mut format!("{text}{end}").as_bytes(), 4);
            assert_eq!(line("1234").unwrap().as_deref(), Some("1234"));
            assert!(line("12345").unwrap_err().to_string().contains("more than 4 bytes"));
        }
        let endless = &mut BufReader::new(std::io::repeat(0));
        assert!(line_up_to(endless, 4).is_err());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sparse");
        File::create(&path).unwrap().set_len(2 * LARGEST).unwrap();
        let error = Lines::open(&path).unwrap().next().unwrap().unwrap_err();
        assert!(error.to_string().starts_with("line 1: it has more than"), "{error}");
    }

    #[test]
    fn a_link_is_replaced_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (victim, link) = (folder.path().join("victim"), folder.path().join("link"));
        fs::write(&victim, "mine").unwrap();
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
        assert!(!link.is_symlink() && fs::read_to_string(&link).unwrap() == "new");
    }

    #[test]
    fn a_file_that_cannot_be_replaced_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("place");
        fs::create_dir(&place).unwrap();
        fs::write(place.join("x"), "").unwrap();
        assert!(replace(&place, b"new").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
