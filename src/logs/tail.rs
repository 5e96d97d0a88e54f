//! A file that a log is written to, whatever becomes of it: it may come later, be renamed with
//! another one in its place, or be made empty.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::{Lines, Splitter};
use crate::file;

/// How much is read at once: fewer lines than are kept, so that each is looked at.
const ROOM: usize = 8 << 10;
/// How many bytes before the place of reading are compared, to see whether they still stand there.
const COMPARED: usize = 64;

/// A file that is followed.
#[derive(Debug)]
pub(crate) struct Tail {
    path: PathBuf,
    /// The file before the last rotation, to which a server may write for a while, and the one that
    /// is there now.
    files: Vec<Opened>,
}

#[derive(Debug)]
struct Opened {
    file: File,
    /// The device and the number of the file there.
    identity: (u64, u64),
    /// How far it was read.
    read: u64,
    /// What stood just before that.
    before: Vec<u8>,
    splitter: Splitter,
}

impl Tail {
    /// Follows a file from its end on, or from its start; one that is not there yet from its start.
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

    /// Whether the file was there at any time.
    pub(crate) fn was_there(&self) -> bool {
        !self.files.is_empty()
    }

    /// Reads what was written since then; whether anything was. `may_open` is asked for each file
    /// that takes the place of another.
    ///
    /// # Errors
    /// What the system says, and what `may_open` does.
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

    /// Whether the file that is there now is the one that is read.
    fn is_current(&self) -> io::Result<bool> {
        match fs::metadata(&self.path) {
            Ok(found) => {
                let identity = (found.dev(), found.ino());
                Ok(self.files.last().is_some_and(|opened| opened.identity == identity))
            }
            // A server or logrotate will make another one.
            Err(error) if is_absent(&error) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// The file that is there now, if there is one.
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
            // It was made empty just now.
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

    /// Whether what was read last still stands where it stood: a file that was made empty may have
    /// grown beyond that again.
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
        /// What was written since the last time.
        fn news(&mut self) -> Vec<String> {
            let before = self.lines.count();
            while self.tail.read(&mut self.lines, || Ok::<_, io::Error>(())).unwrap() {}
            let news = self.lines.from(before);
            news.map(|(line, _)| String::from_utf8_lossy(line).into_owned()).collect()
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
            // The server has not opened the new one yet.
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
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Tail::start(folder.path(), false).is_err());
        assert!(Tail::start(Path::new("/dev/zero"), false).is_err());
    }

    #[test]
    fn what_may_not_be_opened_is_not_read() {
        let mut log = followed(None);
        append(&log.path, "first\n");
        let refused = || Err(io::Error::from(ErrorKind::PermissionDenied));
        assert!(log.tail.read(&mut log.lines, refused).is_err());
        assert_eq!(log.lines.count(), 0);
    }
}
