//! Golden transcripts: the recorded transcript of a script, with which each later run is compared.
//!
//! The golden of `scripts/relay.rhai` is `scripts/snapshots/relay.snap`, in insta's format: insta
//! reads it, and `cargo insta review` and `mailexpect review` accept changes to it. A script
//! without a golden is not compared with anything.

mod comparison;
mod file;
mod header;
mod info;
mod known;
mod numbers;
#[cfg(feature = "cli")]
mod pending;
mod policy;
mod secret;
mod sections;
mod size;
mod skipped;
#[cfg(feature = "cli")]
mod stale;
mod text;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

#[cfg(feature = "cli")]
pub(crate) use pending::Pending;
#[cfg(feature = "cli")]
pub(crate) use policy::is_ci;
pub(crate) use policy::{Goldens, Policy};
#[cfg(feature = "cli")]
pub(crate) use stale::{Stale, unreferenced};
#[cfg(feature = "cli")]
pub(crate) use text::text;

use crate::error::{Error, Result};

impl Goldens {
    /// Reads a file as a golden and reduces its text as a comparison does.
    #[cfg(feature = "fuzz")]
    pub(crate) fn read(path: &std::path::Path) -> Result<()> {
        let recorded = file::read(path)?;
        let reduced = |recorded: file::Recorded| text::reduced(&recorded.text, &recorded.redaction);
        recorded.map(reduced).transpose().map(drop)
    }
}

/// The files in which the goldens of a script are kept.
struct Files {
    folder: PathBuf,
    script: String,
    target: Option<String>,
}

impl Files {
    fn of(script: &Path, target: Option<&str>) -> Self {
        let folder = script.parent().unwrap_or(Path::new("")).join(FOLDER);
        let name = script.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self { folder, script: name, target: target.map(str::to_owned) }
    }

    /// The golden for this target only, or the shared one if there is no target.
    fn own(&self) -> PathBuf {
        match &self.target {
            Some(target) => self.folder.join(format!("{}@{target}.{EXTENSION}", self.script)),
            None => self.shared(),
        }
    }

    fn shared(&self) -> PathBuf {
        self.folder.join(format!("{}.{EXTENSION}", self.script))
    }

    /// The existing golden and its content: the target's own if there is one, else the shared one.
    fn there(&self) -> Result<Option<(PathBuf, file::Recorded)>> {
        match self.own_there()? {
            None if self.target.is_some() => self.read(self.shared()),
            found => Ok(found),
        }
    }

    fn own_there(&self) -> Result<Option<(PathBuf, file::Recorded)>> {
        self.read(self.own())
    }

    /// Reads a golden of this script.
    ///
    /// # Errors
    /// Also usage, if the file is the golden of another script: `a@b.rhai`, and `a.rhai` for the
    /// target `b`, have the same one.
    fn read(&self, path: PathBuf) -> Result<Option<(PathBuf, file::Recorded)>> {
        let Some((path, golden)) = read(path)? else { return Ok(None) };
        let stem = |path: &Path| Some(path.file_stem()?.to_str()?.to_owned());
        let (kept, source) = (stem(&path), golden.source.as_deref());
        let other = source.filter(|source| {
            let stem = stem(Path::new(source)).filter(|stem| *stem != self.script);
            let is_its_golden = stem.zip(kept).is_some_and(|(stem, kept)| {
                kept.strip_prefix(&stem)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
            });
            is_its_golden && self.folder.with_file_name(source).exists()
        });
        let Some(other) = other else { return Ok(Some((path, golden))) };
        let error = Error::usage(format!("{} is the golden of {other}", path.display()));
        Err(error.hint(
            "give one of the scripts another name: what follows `@` in the name of a golden is a target",
        ))
    }
}

/// The golden at a path; `None` if there is no file. A file that cannot be examined counts as
/// existing: to ignore it would let a run pass that was compared with nothing.
fn read(path: PathBuf) -> Result<Option<(PathBuf, file::Recorded)>> {
    let found = path.symlink_metadata().map_err(|error| error.kind());
    if matches!(
        found,
        Err(ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename)
    ) {
        return Ok(None);
    }
    // To ignore another test's snapshot would let a run pass that was compared with nothing.
    if let Some(golden) = file::read(&path)? {
        return Ok(Some((path, golden)));
    }
    let why = "is the snapshot of some other test: its source is no script";
    let error = Error::usage(format!("{} {why}", path.display()));
    Err(error.hint("give the script, or its folder, another name"))
}

/// The folder beside the scripts that holds the goldens.
const FOLDER: &str = "snapshots";

/// The file name extension of goldens, the same as insta's.
const EXTENSION: &str = "snap";

/// The entries of a folder, sorted by name.
#[cfg(feature = "cli")]
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut entries: Vec<PathBuf> =
        read.map_err(|error| Error::unreadable(folder.display(), error))?;
    entries.sort();
    Ok(entries)
}

/// Calls `seen` for each file in a folder of goldens, at or below `folder`. Hidden folders and
/// build folders are left out, and links are not followed.
#[cfg(feature = "cli")]
fn each_file(folder: &Path, seen: &mut impl FnMut(&Path) -> Result<()>) -> Result<()> {
    for entry in entries(folder)? {
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if entry.is_dir() && !entry.is_symlink() {
            if !name.starts_with('.') && !["target", "node_modules"].contains(&&*name) {
                each_file(&entry, seen)?;
            }
        } else if folder.ends_with(FOLDER) {
            seen(&entry)?;
        }
    }
    Ok(())
}

/// The name of the script that a golden belongs to, and the target if the golden has one.
#[cfg(feature = "cli")]
fn named(golden: &Path) -> Option<(&str, Option<&str>)> {
    let name = golden.file_name()?.to_str()?.strip_suffix(EXTENSION)?.strip_suffix('.')?;
    Some(name.rsplit_once('@').map_or((name, None), |(script, target)| (script, Some(target))))
}

/// The name of a target, if it can be part of a file name.
///
/// # Errors
/// Usage for a name that cannot be.
#[cfg(feature = "cli")]
pub(crate) fn checked_target(name: &str) -> Result<&str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !name.is_empty() && !name.starts_with('.') && name.chars().all(is_plain) {
        return Ok(name);
    }
    let error = Error::usage(format!(
        "`{}` cannot be the name of a target",
        crate::visible::escape(name.as_bytes())
    ));
    Err(error.hint(
        "it becomes part of a file's name: use letters, digits, dots, dashes and underscores",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_golden_that_is_there_and_cannot_be_read_is_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let golden = folder.path().join("a.snap");
        assert!(read(golden.clone()).unwrap().is_none());
        std::fs::write(folder.path().join(FOLDER), "").unwrap();
        assert!(read(folder.path().join(FOLDER).join("a.snap")).unwrap().is_none());
        std::os::unix::fs::symlink("gone", &golden).unwrap();
        let error = read(golden).unwrap_err();
        assert!(error.is_usage() && error.message().contains("cannot read the golden"), "{error}");
    }
}
