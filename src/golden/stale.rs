//! Goldens whose scripts no longer exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{FOLDER, each_file, file, named};
use crate::error::Result;

/// A golden that no run is compared with any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stale {
    pub(crate) golden: PathBuf,
    /// What no longer exists.
    pub(crate) why: &'static str,
}

/// The goldens at or below these folders and beside these scripts whose script no longer exists, or
/// whose target is not one of `targets`. Snapshots of other tests are left out.
///
/// # Errors
/// If a folder cannot be read.
pub(crate) fn unreferenced(paths: &[PathBuf], targets: Option<&[&str]>) -> Result<Vec<Stale>> {
    let mut goldens = BTreeSet::new();
    for path in paths {
        let beside = path.parent().unwrap_or(Path::new("")).join(FOLDER);
        let folder = if path.is_dir() { path } else { &beside };
        if folder.is_dir() {
            each_file(folder, &mut |file| {
                // `.` and a script in it name one golden in two ways.
                goldens.insert(file.strip_prefix(".").unwrap_or(file).to_owned());
                Ok(())
            })?;
        }
    }
    Ok(goldens.into_iter().filter_map(|golden| stale(golden, targets)).collect())
}

fn stale(golden: PathBuf, targets: Option<&[&str]>) -> Option<Stale> {
    let (script, target) = named(&golden)?;
    // A file that cannot be read as a golden either is not one, or fails with an error of its own
    // when a run is compared with it.
    let extension = file::extension(&golden).ok().flatten()?;
    let folder = golden.parent()?.parent()?;
    let is_there = |name: &str| folder.join(format!("{name}.{extension}")).exists();
    let whole = target.map(|target| format!("{script}@{target}"));
    let why = if whole.is_some_and(|whole| is_there(&whole)) {
        return None;
    } else if !is_there(script) {
        "no script of that name is beside it"
    } else if target.is_some_and(|name| targets.is_some_and(|targets| !targets.contains(&name))) {
        "mailexpect.toml has no target of that name"
    } else {
        return None;
    };
    Some(Stale { golden, why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_golden_without_its_script_is_stale_and_a_snapshot_of_another_test_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let scripts = folder.path();
        let golden = |name: &str, source: &str| {
            file::write(
                &scripts.join(FOLDER).join(name),
                &format!("---\nsource: {source}\n---\nx\n"),
            )
            .unwrap();
        };
        std::fs::write(scripts.join("a.rhai"), "").unwrap();
        golden("a.snap", "a.rhai");
        golden("a@postfix.snap", "a.rhai");
        golden("b@postfix.snap", "b.rhai");
        std::fs::write(scripts.join("c.txt"), "").unwrap();
        golden("c.snap", "c.txt");
        golden("it__peer.snap", "tests/it/peer.rs");
        // The folder of this golden no longer contains any script.
        golden("../sub/snapshots/d.snap", "d.rhai");
        let found = |paths: &[&str], targets: Option<&[&str]>| {
            let paths: Vec<_> = paths.iter().map(|path| scripts.join(path)).collect();
            let stale = unreferenced(&paths, targets).unwrap().into_iter();
            let name = |stale: Stale| stale.golden.strip_prefix(scripts).unwrap().to_owned();
            stale.map(|stale| name(stale).to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(found(&["a.rhai"], None), ["snapshots/b@postfix.snap"]);
        assert_eq!(
            found(&[""], Some(&["exim"])),
            ["snapshots/a@postfix.snap", "snapshots/b@postfix.snap", "sub/snapshots/d.snap"]
        );
        assert_eq!(named(Path::new("x/a.snap.new")), None);
    }
}
