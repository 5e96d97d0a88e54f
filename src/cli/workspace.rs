//! Finds the root folder of a project from any folder in it.

use std::path::{Path, PathBuf};

use crate::file;

/// The root of the Cargo workspace that contains the current folder. Outside a workspace: the
/// nearest folder upwards with a Cargo.toml or a mailexpect.toml, or else the current folder.
pub(super) fn root() -> PathBuf {
    std::env::current_dir().map_or_else(|_| ".".into(), |folder| root_of(&folder))
}

/// The root, as a relative path from `folder`.
fn root_of(folder: &Path) -> PathBuf {
    let is_workspace = |folder: &Path| {
        let manifest = file::read_text(&folder.join("Cargo.toml")).unwrap_or_default();
        manifest.parse::<toml::Table>().is_ok_and(|manifest| manifest.contains_key("workspace"))
    };
    let is_project = |folder: &Path| {
        ["Cargo.toml", "mailexpect.toml"].iter().any(|name| folder.join(name).is_file())
    };
    let mut ancestors = folder.ancestors();
    let steps = ancestors
        .position(is_workspace)
        .or_else(|| folder.ancestors().position(is_project))
        .unwrap_or(0);
    match steps {
        0 => PathBuf::from("."),
        steps => std::iter::repeat_n("..", steps).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_found_from_its_folders() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("w/Cargo.toml", "[workspace]\nmembers = [\"a\"]");
        write("w/a/Cargo.toml", "[package]\nname = \"a\"");
        write("w/a/src/lib.rs", "");
        write("p/mailexpect.toml", "");
        write("p/scripts/a.rhai", "");
        for (from, to) in [("w", "."), ("w/a", ".."), ("w/a/src", "../.."), ("p/scripts", "..")] {
            assert_eq!(root_of(&root.path().join(from)), Path::new(to), "{from}");
        }
    }
}
