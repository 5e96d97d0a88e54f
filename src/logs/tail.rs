//! Follows the file that a log is written to, also if the file appears later, is renamed and
//! replaced by another, or is truncated.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::{Lines, Splitter};
use crate::file;

/// The number of bytes read at once. They hold fewer lines than are kept, so that every line is
/// examined before it is dropped.
const ROOM: usize = 8 << 10;
/// The number of bytes before the read position that are compared to find out whether the file was
/// truncated and rewritten.
const COMPARED: usize = 64;

/// A file that is followed.
#[derive(Debug)]
pub(crate) struct Tail {
    path: PathBuf,
    /// The file before the last rotation, to which a server may still write for a while, and the
    /// current one.
    files: Vec<Opened>,
}

#[derive(Debug)]
struct Opened {
    file: File,
    /// The device and inode numbers of the file.
    identity: (u64, u64),
    /// The read position.
    read: u64,
    /// The bytes just before the read position.
    before: Vec<u8>,
    splitter: Splitter,
}

impl Tail {
    /// Follows a file, from its end or from its start. A file that does not exist yet is followed
    /// from its start.
    pub(crate) fn start(path: &Path, from_start: bool) -> io::Result<Self> {
        let mut tail = Self { path: path.to_owned(), files: Vec::new() };
        if let Some(mut opened) = open(path)? {
            if !from_start {
                opened.skip_to_end()?;
            }
            tail.files.push(opened);
        }
        Ok(tail)
    }

    /// Whether the file has existed at any time.
    pub(crate) fn was_there(&self) -> bool {
        !self.files.is_empty()
    }

    /// Reads what was written since the last call. Returns whether there was anything. `may_open`
    /// is called before a file that replaces another is opened.
    ///
    /// # Errors
    /// I/O errors of the system, and those of `may_open`.
    pub(crate) fn read<E: From<io::Error>>(
        &mut self,
        lines: &mut Lines,
        may_open: impl Fn() -> Result<(), E>,
    ) -> Result<bool, E> {
        let mut has_read = false;
        for opened in &mut self.files {
            has_read |= opened.read(lines)?;
        }
        if has_read || self.is_current()? {
            return Ok(has_read);
        }
        may_open()?;
        let Some(mut opened) = open(&self.path)? else { return Ok(false) };
        has_read = opened.read(lines)?;
        if self.files.len() > 1 {
            self.files.remove(0);
        }
        self.files.push(opened);
        Ok(has_read)
    }

    /// Whether the file that exists now is the one being read.
    fn is_current(&self) -> io::Result<bool> {
        match fs::metadata(&self.path) {
            Ok(found) => {
                let identity = (found.dev(), found.ino());
                Ok(self.files.last().is_some_and(|opened| opened.identity == identity))
            }
            // A server or logrotate is about to create another file.
            Err(error) if is_absent(&error) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Opens the file; `None` if there is none.
fn open(path: &Path) -> io::Result<Option<Opened>> {
    let file = match file::open(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let found = file.metadata()?;
    let identity = (found.dev(), found.ino());
    let splitter = Splitter::default();
    Ok(Some(Opened { file, identity, read: 0, before: Vec::new(), splitter }))
}

impl Opened {
    fn skip_to_end(&mut self) -> io::Result<()> {
        let size = self.file.metadata()?.len();
        let count = usize::try_from(size).unwrap_or(COMPARED).min(COMPARED);
        let mut before = vec![0; count];
        match self.file.read_exact_at(&mut before, size - count as u64) {
            Ok(()) => (self.read, self.before) = (size, before),
            // The file was truncated in the meantime.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Reads one piece, if there is one.
    fn read(&mut self, lines: &mut Lines) -> io::Result<bool> {
        if !self.is_continued()? {
            self.read = 0;
            self.before.clear();
            self.splitter.clear();
        }
        let mut room = vec![0; ROOM];
        let count = self.file.read_at(&mut room, self.read)?;
        let piece = &room[..count];
        self.read += count as u64;
        self.before.extend_from_slice(&piece[count.saturating_sub(COMPARED)..]);
        self.before.drain(..self.before.len().saturating_sub(COMPARED));
        self.splitter.push(piece, lines);
        Ok(count > 0)
    }

    /// Whether the bytes read last are still in their place. The size alone does not show this: a
    /// truncated file may have grown beyond its old size.
    fn is_continued(&self) -> io::Result<bool> {
        let mut now = [0; COMPARED];
        let now = &mut now[..self.before.len()];
        match self.file.read_exact_at(now, self.read - now.len() as u64) {
            Ok(()) => Ok(*now == *self.before),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    struct Followed {
        _folder: tempfile::TempDir,
        path: PathBuf,
        tail: Tail,
        lines: Lines,
    }

    fn followed(text: Option<&str>) -> Followed {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail.log");
        if let Some(text) = text {
            fs::write(&path, text).unwrap();
        }
        let tail = Tail::start(&path, false).unwrap();
        Followed { _folder: folder, path, tail, lines: Lines::default() }
    }

    fn append(path: &Path, text: &str) {
        let mut file = File::options().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    impl Followed {
        /// The lines written since the last call.
        fn news(&mut self) -> Vec<String> {
            let before = self.lines.count();
            while self.tail.read(&mut self.lines, || Ok::<_, io::Error>(())).unwrap() {}
            let news = self.lines.from(before);
            news.map(|(_, line, _)| String::from_utf8_lossy(line).into_owned()).collect()
        }
    }

    #[test]
    fn only_what_is_written_from_now_on_counts() {
        let mut log = followed(Some("old\nolder"));
        assert!(log.news().is_empty());
        append(&log.path, " still\nnew\nhalf");
        assert_eq!(log.news(), [" still", "new"]);
        append(&log.path, " a line\n");
        assert_eq!(log.news(), ["half a line"]);
    }

    #[test]
    fn a_file_that_comes_later_is_read_from_its_start() {
        let mut log = followed(None);
        assert!(log.news().is_empty() && !log.tail.was_there());
        append(&log.path, "first\n");
        assert_eq!(log.news(), ["first"]);
        assert!(log.tail.was_there());
    }

    #[test]
    fn a_rotation_loses_no_line_of_either_file() {
        let mut log = followed(Some("old\n"));
        for number in 0..3 {
            let rotated = log.path.with_extension(number.to_string());
            append(&log.path, "before\n");
            fs::rename(&log.path, &rotated).unwrap();
            append(&rotated, "after the renaming\n");
            append(&log.path, "in the new file\n");
            assert_eq!(log.news(), ["before", "after the renaming", "in the new file"]);
            // The server has not opened the new file yet.
            append(&rotated, "late\n");
            assert_eq!(log.news(), ["late"]);
        }
    }

    #[test]
    fn a_file_that_was_made_empty_is_read_from_its_start() {
        let mut log = followed(Some("old\n"));
        append(&log.path, "one\n");
        assert_eq!(log.news(), ["one"]);
        fs::write(&log.path, "").unwrap();
        append(&log.path, "two\n");
        assert_eq!(log.news(), ["two"]);
        fs::write(&log.path, "longer than it was before that\n").unwrap();
        assert_eq!(log.news(), ["longer than it was before that"]);
    }

    #[test]
    fn a_log_that_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Tail::start(folder.path(), false).is_err());
        assert!(Tail::start(Path::new("/dev/zero"), false).is_err());
    }

    #[test]
    fn a_log_that_may_not_be_opened_is_not_read() {
        let mut log = followed(None);
        append(&log.path, "first\n");
        let refused = || Err(io::Error::from(ErrorKind::PermissionDenied));
        assert!(log.tail.read(&mut log.lines, refused).is_err());
        assert_eq!(log.lines.count(), 0);
    }
}
