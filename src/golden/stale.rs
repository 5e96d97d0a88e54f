//! Goldens of scripts that are gone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{FOLDER, entries, file, script_of};
use crate::error::Result;

/// The goldens in the folders of these scripts that belong to no script there; snapshots of other
/// tests are left alone.
///
/// # Errors
/// Where a folder cannot be read.
pub(crate) fn unreferenced(scripts: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let folders: BTreeSet<&Path> = scripts.iter().filter_map(|script| script.parent()).collect();
    let mut stale = Vec::new();
    for folder in folders {
        let goldens = folder.join(FOLDER);
        if !goldens.is_dir() {
            continue;
        }
        for golden in entries(&goldens)? {
            let Some(script) = script_of(&golden) else { continue };
            let Some(extension) = file::extension(&golden)? else { continue };
            if !folder.join(script).with_extension(extension).exists() {
                stale.push(golden);
            }
        }
    }
    Ok(stale)
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
        assert_eq!(
            unreferenced(&[scripts.join("a.rhai")]).unwrap(),
            [scripts.join(FOLDER).join("b@postfix.snap")]
        );
        assert_eq!(script_of(Path::new("x/a.snap.new")), None);
    }
}
