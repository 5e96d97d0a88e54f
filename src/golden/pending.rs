//! Transcripts that wait for review because they differ from their goldens or have none yet.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{EXTENSION, Files, file};
use crate::error::{Error, Kind, Result};

/// A transcript that waits for review beside its golden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    /// The golden's path; the file may not exist yet.
    pub(crate) golden: PathBuf,
    /// The text of the golden, if it exists.
    pub(crate) old: Option<String>,
    /// The text of the new transcript.
    pub(crate) new: String,
}

impl Pending {
    /// Finds the transcripts that wait for review at or below these paths, each once, sorted by
    /// name. A path may be a pending file, a golden, a script or a folder. Snapshots of other tests
    /// are left out.
    ///
    /// # Errors
    /// Usage for a path that does not exist, for a file that was named but for which nothing waits,
    /// and for files that cannot be read.
    pub(crate) fn find(paths: &[PathBuf]) -> Result<Vec<Self>> {
        let mut goldens = BTreeSet::new();
        for path in paths {
            if path.is_dir() {
                super::each_file(path, &mut |file| {
                    goldens.extend(golden_of(file));
                    Ok(())
                })?;
            } else {
                goldens.extend(of_file(path)?);
            }
        }
        let found: Result<Vec<_>> = goldens.into_iter().map(Self::read).collect();
        Ok(found?.into_iter().flatten().collect())
    }

    fn read(golden: PathBuf) -> Result<Option<Self>> {
        let Some(new) = file::read(&file::pending(&golden))? else { return Ok(None) };
        // A golden that cannot be read counts as missing: accepting the pending file replaces it.
        let old = if golden.exists() { file::read(&golden).ok().flatten() } else { None };
        Ok(Some(Self { golden, old: old.map(|old| old.text), new: new.text }))
    }

    /// The same transcript as it is now, because a run may have written it anew; `None` if it does
    /// not wait any more.
    ///
    /// # Errors
    /// Usage for files that cannot be read.
    pub(crate) fn again(&self) -> Result<Option<Self>> {
        Self::read(self.golden.clone())
    }

    /// The golden, if it exists, and the pending file.
    pub(crate) fn files(&self) -> (Option<PathBuf>, PathBuf) {
        (self.golden.exists().then(|| self.golden.clone()), file::pending(&self.golden))
    }

    /// Makes the pending transcript the golden.
    ///
    /// # Errors
    /// I/O errors of the system, and usage for an empty transcript.
    pub(crate) fn accept(&self) -> Result<()> {
        if self.new.trim().is_empty() {
            let waiting = file::pending(&self.golden);
            let error = Error::usage(format!("{} says nothing", waiting.display()));
            return Err(error.hint(
                "an empty transcript is never a golden: reject it, and run the script again",
            ));
        }
        self.done(fs::rename(file::pending(&self.golden), &self.golden))
    }

    /// Deletes the pending transcript.
    ///
    /// # Errors
    /// I/O errors of the system.
    pub(crate) fn reject(&self) -> Result<()> {
        self.done(fs::remove_file(file::pending(&self.golden)))
    }

    fn done(&self, outcome: std::io::Result<()>) -> Result<()> {
        let waiting = file::pending(&self.golden);
        outcome.map_err(|error| {
            Error::new(Kind::Io, format!("cannot do that with {}: {error}", waiting.display()))
        })
    }
}

/// The golden that a pending file belongs to; `None` if the file is not a pending one.
fn golden_of(path: &Path) -> Option<PathBuf> {
    let golden = path.with_extension("");
    let is_pending = path.extension().is_some_and(|extension| extension == "new");
    (is_pending && golden.extension().is_some_and(|extension| extension == EXTENSION))
        .then_some(golden)
}

/// The goldens that a file stands for and for which a transcript waits.
fn of_file(path: &Path) -> Result<Vec<PathBuf>> {
    let is = |wanted: &str| path.extension().is_some_and(|extension| extension == wanted);
    let named = match golden_of(path) {
        Some(golden) => vec![golden],
        None if is(EXTENSION) => vec![path.to_owned()],
        None => of_script(path)?,
    };
    let waiting: Vec<_> =
        named.into_iter().filter(|golden| file::pending(golden).exists()).collect();
    if waiting.is_empty() {
        let error = Error::usage(format!("nothing waits for review at {}", path.display()));
        return Err(
            error.hint("give a script, a golden, what waits beside one (.snap.new), or a folder")
        );
    }
    Ok(waiting)
}

/// The goldens of a script, for all targets, for which a transcript waits.
fn of_script(script: &Path) -> Result<Vec<PathBuf>> {
    let place = Files::of(script, None);
    if !place.folder.is_dir() {
        return Ok(Vec::new());
    }
    let is_of_script =
        |golden: &PathBuf| super::named(golden).is_some_and(|(name, _)| name == place.script);
    Ok(super::entries(&place.folder)?
        .iter()
        .filter_map(|entry| golden_of(entry))
        .filter(is_of_script)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(folder: &Path, name: &str, source: &str) {
        file::write(&folder.join(name), &format!("---\nsource: {source}\n---\n{name}\n")).unwrap();
    }

    fn found(paths: &[PathBuf]) -> Vec<String> {
        let name =
            |pending: &Pending| pending.golden.file_name().unwrap().to_string_lossy().into_owned();
        Pending::find(paths).unwrap().iter().map(name).collect()
    }

    #[test]
    fn a_pending_change_is_found_by_any_of_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in ["a.snap.new", "a@exim.snap.new", "b.snap", "b.snap.new", "c.snap"] {
            put(root, &format!("scripts/snapshots/{name}"), "a.rhai");
        }
        put(root, "scripts/snapshots/d.snap.new", "tests/it/d.rs");
        put(root, "target/snapshots/e.snap.new", "e.rhai");
        put(root, "f.snap.new", "f.rhai");
        let all = ["a.snap", "a@exim.snap", "b.snap"];
        assert_eq!(found(&[root.to_owned()]), all);
        let named = |names: &[&str]| {
            found(&names.iter().map(|name| root.join("scripts").join(name)).collect::<Vec<_>>())
        };
        assert_eq!(named(&["a.rhai"]), all[..2]);
        assert_eq!(named(&["snapshots/b.snap", "snapshots/b.snap.new"]), all[2..]);
        for nothing in ["c.rhai", "snapshots/c.snap", "README.md"] {
            let error = Pending::find(&[root.join("scripts").join(nothing)]).unwrap_err();
            assert!(error.is_usage() && error.message().contains("nothing waits"), "{error}");
        }
    }

    #[test]
    fn an_accepted_change_is_the_golden_and_a_rejected_one_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let golden = folder.path().join("snapshots/a.snap");
        put(folder.path(), "snapshots/a.snap.new", "a.rhai");
        let [pending] = &Pending::find(&[folder.path().to_owned()]).unwrap()[..] else {
            panic!("not one")
        };
        assert_eq!((pending.old.as_deref(), pending.new.as_str()), (None, "snapshots/a.snap.new"));
        pending.accept().unwrap();
        assert_eq!(file::read(&golden).unwrap().unwrap().text, "snapshots/a.snap.new");
        put(folder.path(), "snapshots/a.snap.new", "a.rhai");
        Pending::find(&[folder.path().to_owned()]).unwrap()[0].reject().unwrap();
        assert!(golden.exists() && Pending::find(&[folder.path().to_owned()]).unwrap().is_empty());
    }
}
