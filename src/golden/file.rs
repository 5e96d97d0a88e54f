//! Reads and writes the files of goldens, in insta's format.

use std::env;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use insta::Snapshot;
use insta::TextSnapshotKind;
use insta::internals::TextSnapshotContents;
use rustix::fs::OFlags;

use super::{EXTENSION, header, info, size};
use crate::error::{Error, Kind, Result};
use crate::file;
use crate::redaction::Redaction;

/// A golden read from its file.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub(super) text: String,
    /// The redaction that the golden was made with.
    pub(super) redaction: Redaction,
    /// The file name of the script that it was made of, if it names one.
    pub(super) source: Option<String>,
}

/// Reads a golden; `None` if the file is the snapshot of another test.
///
/// # Errors
/// Usage, if the file cannot be read or is not a snapshot of text.
pub(super) fn read(path: &Path) -> Result<Option<Recorded>> {
    let recorded = |snapshot: Snapshot| {
        let text = snapshot.as_text().map(ToString::to_string);
        let text = text.ok_or_else(|| unreadable(path, &"it is a binary snapshot"))?;
        let info = snapshot.metadata().private_info();
        let redaction = info::read(info).map_err(|why| unreadable(path, &why))?;
        let source = snapshot.metadata().source().map(str::to_owned);
        Ok(Recorded { text, redaction, source })
    };
    of_script(path)?.map(recorded).transpose()
}

/// The snapshot of a script; `None` if the file is the snapshot of another test.
fn of_script(path: &Path) -> Result<Option<Snapshot>> {
    let text = file::read_text(path).map_err(|error| unreadable(path, &error))?;
    if let Some(line) = text.lines().position(is_conflict) {
        let why = format!("line {} is the marker of a merge conflict", line + 1);
        let error = Error::unreadable(format_args!("the golden {}", path.display()), why);
        return Err(error.hint(
            "take one side of the conflict; or delete the golden and record it again with --record",
        ));
    }
    if !text.starts_with("---") {
        let why = if text.trim().is_empty() { "it is empty" } else { "it has no header" };
        return Err(unreadable(path, &why));
    }
    check_start(path, &text).map_err(|why| unreadable(path, &why))?;
    header::check(&text)
        .and_then(|()| header::check_beside(path, &text))
        .and_then(|()| size::check_text(&text))
        .map_err(|why| unreadable(path, &why))?;
    let snapshot = parse(path).map_err(|why| unreadable(path, &why))?;
    Ok(Some(snapshot).filter(is_of_script))
}

/// Checks that insta will find a header. insta takes any other file for one of its old format, and
/// writes advice of its own to the terminal, with the path as it is.
///
/// # Errors
/// A description of what is wrong with the first line.
fn check_start(path: &Path, text: &str) -> std::result::Result<(), String> {
    let first = text.split('\n').next().unwrap_or_default();
    if first.trim_end() != "---" {
        return Err("its first line has more than `---`; lines end with LF or CRLF".to_owned());
    }
    let mut start = Vec::new();
    let read = file::open(path).and_then(|file| file.take(3).read_to_end(&mut start));
    read.map_err(|error| error.to_string())?;
    if start.starts_with(b"---") {
        return Ok(());
    }
    Err("it begins with a byte order mark".to_owned())
}

/// Parses a snapshot.
///
/// # Errors
/// A description of what is wrong with it.
fn parse(path: &Path) -> std::result::Result<Snapshot, String> {
    // insta's parser panics at some values, such as `.inf`.
    match catch_unwind(|| Snapshot::from_file(path)) {
        Ok(parsed) => parsed.map_err(|error| error.to_string()),
        Err(_) => Err("its header has a value that insta cannot parse".to_owned()),
    }
}

/// Whether a line is a marker that version control writes at a merge conflict.
fn is_conflict(line: &str) -> bool {
    ["<<<<<<< ", "||||||| ", ">>>>>>> "].iter().any(|marker| line.starts_with(marker))
}

fn unreadable(path: &Path, why: &dyn std::fmt::Display) -> Error {
    let error = Error::unreadable(format_args!("the golden {}", path.display()), why);
    error.hint(
        "a golden begins with a header between two lines of `---`, in insta's format; delete it and \
         record it again (--record), or take it from version control",
    )
}

/// The file name extension of the script that a golden belongs to; `None` if the file is the
/// snapshot of another test.
///
/// # Errors
/// Those of [`read`].
#[cfg(feature = "cli")]
pub(super) fn extension(path: &Path) -> Result<Option<String>> {
    let extension = |snapshot: Snapshot| {
        let source = snapshot.metadata().source().map(Path::new);
        source.map_or("rhai".into(), |source| {
            source.extension().unwrap_or_default().to_string_lossy().into_owned()
        })
    };
    Ok(of_script(path)?.map(extension))
}

/// Whether a snapshot is the golden of a script, whatever the extension of the script's file.
/// Snapshots of other tests name a Rust file as their source. A snapshot that names no source
/// counts as a golden.
fn is_of_script(snapshot: &Snapshot) -> bool {
    snapshot.metadata().source().is_none_or(|source| {
        Path::new(source).extension().is_none_or(|extension| extension != "rs")
    })
}

/// Whether insta considers both texts equal: it ignores differences in line ends and at the end of
/// the text.
pub(super) fn is_same(old: &str, new: &str) -> bool {
    let contents = |text: &str| TextSnapshotContents::new(text.to_owned(), TextSnapshotKind::File);
    contents(old).matches_latest(&contents(new))
}

/// A snapshot as insta would write it. Its source is given without folders, so that the text does
/// not depend on the folder in which the run was started.
pub(super) fn render(
    script: &Path,
    title: Option<&str>,
    redaction: &Redaction,
    text: &str,
) -> String {
    let source = script.file_name().unwrap_or_default().to_string_lossy();
    let description =
        title.map(|title| format!("description: {}\n", info::scalar(title))).unwrap_or_default();
    let info = info::render(redaction);
    format!("---\nsource: {}\n{description}{info}---\n{}\n", info::scalar(&source), text.trim_end())
}

/// Writes a file, and creates its folder if needed.
///
/// # Errors
/// I/O errors of the system.
pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let written = fs::create_dir_all(folder)
        .and_then(|()| is_no_link(folder))
        .and_then(|()| file::replace(path, text.as_bytes()));
    written.map_err(|error| {
        let error =
            Error::new(Kind::Io, format!("cannot write the golden {}: {error}", path.display()));
        error.hint("goldens are kept in a folder `snapshots` beside the script")
    })
}

/// Fails if the folder of goldens is a link, because a link could lead anywhere.
fn is_no_link(folder: &Path) -> io::Result<()> {
    if !folder.is_symlink() {
        return Ok(());
    }
    let why = format!("{} is a symbolic link, and is not followed", folder.display());
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}

/// The file in which a differing transcript waits for review.
pub(super) fn pending(golden: &Path) -> PathBuf {
    golden.with_extension(format!("{EXTENSION}.new"))
}

/// Deletes the pending file of a golden that is now correct.
pub(super) fn forget_pending(golden: &Path) {
    // Usually there is no such file. One that cannot be deleted appears in the next review.
    let _ = fs::remove_file(pending(golden));
}

/// Tells `cargo insta test --unreferenced` that a snapshot is in use.
pub(super) fn refer(golden: &Path) -> Result<()> {
    let Some(list) = env::var_os("INSTA_SNAPSHOT_REFERENCES_FILE") else { return Ok(()) };
    let golden = std::path::absolute(golden).unwrap_or_else(|_| golden.to_owned());
    // Without NONBLOCK, opening a FIFO would wait for a reader.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let opened = fs::OpenOptions::new().append(true).create(true).custom_flags(flags).open(&list);
    let written = opened.and_then(|mut file| writeln!(file, "{}", golden.display()));
    written.map_err(|error| {
        Error::new(
            Kind::Io,
            format!(
                "cannot write INSTA_SNAPSHOT_REFERENCES_FILE, {}: {error}",
                Path::new(&list).display()
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redaction::Strictness;

    #[test]
    fn a_file_that_is_no_golden_any_more_is_explained() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.snap");
        for (text, why) in [
            ("", "it is empty"),
            ("S: 220 hi\n", "it has no header"),
            ("\u{feff}---\nsource: a.rhai\n---\nx\n", "it begins with a byte order mark"),
            ("---\rsource: a.rhai\r---\rx\r", "its first line has more than `---`"),
            ("---\nsource: a.rhai\n---\n<<<<<<< ours\nS: 220\n", "line 4 is the marker of a merge"),
            (
                "---\nsource: a.rhai\ninfo:\n  strictness: code\n---\nx\n",
                "its info.strictness: there is",
            ),
            ("---\nsource: .inf\n---\nx\n", "its header has a value that insta cannot parse"),
            ("---\nsource: a.rhai\ninfo:\n  redact: 3\n---\nx\n", "its info.redact cannot be read"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = read(&path).unwrap_err();
            assert!(error.is_usage() && error.message().contains(why), "{error}");
        }
    }

    #[test]
    fn a_header_of_any_shape_takes_bounded_memory_and_stack() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.snap");
        let deep = format!("{}{}", "- ".repeat(32), "[".repeat(60_000));
        for (header, why) in [
            (format!("source: a.rhai\n---\n{}", "x\n".repeat(300_000)), "more than 200000 lines"),
            ("a: b\n".repeat(100_000), "its header has more than 65536 bytes"),
            ("- ".repeat(30_000), "line 2 is indented by more than 64 columns"),
            (deep, "cannot read the golden"),
        ] {
            std::fs::write(&path, format!("---\n{header}\n---\nx\n")).unwrap();
            let error = read(&path).unwrap_err();
            let names = error.message().contains(&path.display().to_string());
            assert!(error.is_usage() && names && error.message().contains(why), "{error}");
        }
    }

    #[test]
    fn goldens_are_not_written_through_links() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("snapshots")).unwrap();
        let error = write(&folder.path().join("snapshots/a.snap"), "x").unwrap_err();
        assert!(error.message().contains("is a symbolic link"), "{error}");
        assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }

    #[test]
    fn insta_reads_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        for (title, text) in [
            (None, "S: 220 hi"),
            (Some("A title: with \"quotes\", a # and a \\"), "---\nS: 220 hi\n---\n\nx\n"),
            (Some("no"), "  two blanks before, none kept behind  \n"),
            (Some("Umlaut ä \u{1}"), ""),
        ] {
            let path = folder.path().join("sub/a.snap");
            let redaction = Redaction::new()
                .select("imap, -net")
                .and_then(|redaction| redaction.regex(r#"a "(?P<v>\d+): #x"#, "A"))
                .unwrap()
                .strictness(Strictness::Enhanced);
            let rendered = render(Path::new("scripts/a b.rhai"), title, &redaction, text);
            write(&path, &rendered).unwrap();
            let snapshot = Snapshot::from_file(&path).unwrap();
            assert_eq!(snapshot.metadata().source(), Some("a b.rhai"));
            assert_eq!(snapshot.metadata().description(), title);
            let recorded = read(&path).unwrap().unwrap();
            assert!(is_same(&recorded.text, text), "{text:?}");
            assert!(recorded.redaction.keeps_as(&redaction), "{rendered}");
        }
    }

    #[test]
    fn a_file_that_is_no_snapshot_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.snap");
        std::fs::write(&path, "---\nsource: [\n---\n").unwrap();
        let error = read(&path).unwrap_err();
        assert!(error.is_usage() && error.message().contains("cannot read the golden"), "{error}");
    }

    #[test]
    fn the_snapshot_of_another_test_is_no_golden() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.snap");
        std::fs::write(&path, "---\nsource: tests/it/peer.rs\nexpression: x\n---\nx\n").unwrap();
        assert!(read(&path).unwrap().is_none());
    }

    #[test]
    fn the_golden_of_a_script_is_one_whatever_its_file_is_called() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.snap");
        for script in ["a.rhai", "a.txt", "a"] {
            let text = render(Path::new(script), None, &Redaction::new(), "S: 220 hi");
            write(&path, &text).unwrap();
            assert_eq!(read(&path).unwrap().unwrap().text, "S: 220 hi", "{script}");
        }
    }

    #[test]
    fn a_pending_change_is_beside_the_golden() {
        assert_eq!(
            pending(Path::new("snapshots/relay@postfix.snap")),
            Path::new("snapshots/relay@postfix.snap.new")
        );
    }
}
