//! The files of goldens, in insta's format.

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use insta::Snapshot;
use insta::TextSnapshotKind;
use insta::internals::TextSnapshotContents;

use super::EXTENSION;
use crate::error::{Error, Kind, Result};

/// What a golden says; nothing where the file is the snapshot of some other test.
///
/// # Errors
/// Usage, where it cannot be read or is no snapshot of text.
pub(super) fn read(path: &Path) -> Result<Option<String>> {
    let text = |snapshot: Snapshot| {
        let text = snapshot.as_text().map(ToString::to_string);
        text.ok_or_else(|| unreadable(path, &"it is a binary snapshot"))
    };
    of_script(path)?.map(text).transpose()
}

/// The golden of a script; nothing where the file is the snapshot of some other test.
fn of_script(path: &Path) -> Result<Option<Snapshot>> {
    let snapshot = Snapshot::from_file(path).map_err(|error| unreadable(path, &error))?;
    Ok(Some(snapshot).filter(is_of_script))
}

fn unreadable(path: &Path, why: &dyn std::fmt::Display) -> Error {
    let error = Error::usage(format!("cannot read the golden {}: {why}", path.display()));
    error.hint("a golden is a file in insta's format; delete it and record it again, or take it from version control")
}

/// What follows the dot in the name of the script that a golden is of; nothing where it is the
/// snapshot of some other test.
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

/// Whether a snapshot is the golden of a script, whatever the script's file is called: those of
/// other tests are from Rust. One that does not say where it is from may be.
fn is_of_script(snapshot: &Snapshot) -> bool {
    snapshot.metadata().source().is_none_or(|source| {
        Path::new(source).extension().is_none_or(|extension| extension != "rs")
    })
}

/// Whether both are the same to insta, which reads line ends and the end of the text alike.
pub(super) fn is_same(old: &str, new: &str) -> bool {
    let contents = |text: &str| TextSnapshotContents::new(text.to_owned(), TextSnapshotKind::File);
    contents(old).matches_latest(&contents(new))
}

/// A snapshot as insta would write it. Its source is named without folders, so that it does not
/// matter from where it was made.
pub(super) fn render(script: &Path, title: Option<&str>, text: &str) -> String {
    let source = script.file_name().unwrap_or_default().to_string_lossy();
    let description =
        title.map(|title| format!("description: {}\n", scalar(title))).unwrap_or_default();
    format!("---\nsource: {}\n{description}---\n{}\n", scalar(&source), text.trim_end())
}

/// A text in YAML: as it is where nobody could take it for anything else, else between quotes.
fn scalar(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./ ".contains(c);
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.contains(['.', '/'])
        && !text.ends_with(' ');
    if is_word && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}

/// Writes a file, and the folder that it belongs into.
///
/// # Errors
/// Where the system says no.
pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).and_then(|()| fs::write(path, text)).map_err(|error| {
        let error =
            Error::new(Kind::Io, format!("cannot write the golden {}: {error}", path.display()));
        error.hint("goldens are kept in a folder `snapshots` beside the script")
    })
}

/// Where what differs from a golden waits.
pub(super) fn pending(golden: &Path) -> PathBuf {
    golden.with_extension(format!("{EXTENSION}.new"))
}

/// Takes away what was waiting: the golden is right now.
pub(super) fn forget_pending(golden: &Path) {
    // Mostly it is not there; one that cannot be taken away will be shown in the next review.
    let _ = fs::remove_file(pending(golden));
}

/// Tells `cargo insta test --unreferenced` that a snapshot is in use.
pub(super) fn refer(golden: &Path) -> Result<()> {
    let Some(list) = env::var_os("INSTA_SNAPSHOT_REFERENCES_FILE") else { return Ok(()) };
    let golden = std::path::absolute(golden).unwrap_or_else(|_| golden.to_owned());
    let opened = fs::OpenOptions::new().append(true).create(true).open(&list);
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
            write(&path, &render(Path::new("scripts/a b.rhai"), title, text)).unwrap();
            let snapshot = Snapshot::from_file(&path).unwrap();
            assert_eq!(snapshot.metadata().source(), Some("a b.rhai"));
            assert_eq!(snapshot.metadata().description(), title);
            assert!(is_same(&read(&path).unwrap().unwrap(), text), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_snapshot_says_so() {
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
        assert_eq!(read(&path).unwrap(), None);
    }

    #[test]
    fn the_golden_of_a_script_is_one_whatever_its_file_is_called() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.snap");
        for script in ["a.rhai", "a.txt", "a"] {
            write(&path, &render(Path::new(script), None, "S: 220 hi")).unwrap();
            assert_eq!(read(&path).unwrap().as_deref(), Some("S: 220 hi"), "{script}");
        }
    }

    #[test]
    fn what_waits_lies_beside_the_golden() {
        assert_eq!(
            pending(Path::new("snapshots/relay@postfix.snap")),
            Path::new("snapshots/relay@postfix.snap.new")
        );
    }
}
