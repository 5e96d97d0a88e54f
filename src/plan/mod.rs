//! Paths to scripts, and which of them are to run.

#[cfg(feature = "cli")]
mod filter;
#[cfg(feature = "cli")]
mod partition;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

#[cfg(feature = "cli")]
pub(crate) use filter::Filter;
#[cfg(feature = "cli")]
pub(crate) use partition::{Partition, shuffle};

/// The scripts that the paths stand for, each once: a file as it is, a folder's `*.rhai` in the
/// order of their names, but for folders named `lib`, and what a glob matches. No path at all
/// stands for `scripts`, or else for the current folder.
///
/// # Errors
/// A usage error for a path that is not there, and for paths that lead to no script.
pub(crate) fn scripts(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut scripts = Vec::new();
    for path in &roots(paths) {
        let found = expand(path)?;
        if found.is_empty() {
            let error = Error::usage(format!("there are no scripts in {}", path.display()));
            return Err(error.hint("scripts are files named *.rhai; what lies in a folder named lib is imported, not run"));
        }
        scripts.extend(found);
    }
    let mut seen = BTreeSet::new();
    scripts.retain(|script| seen.insert(script.clone()));
    Ok(scripts)
}

/// The paths that were given, or the folder that no path at all stands for.
pub(crate) fn roots(paths: &[PathBuf]) -> Vec<PathBuf> {
    if !paths.is_empty() {
        return paths.to_vec();
    }
    vec![PathBuf::from(if Path::new("scripts").is_dir() { "scripts" } else { "." })]
}

fn expand(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_dir() {
        let folder = glob::Pattern::escape(&path.to_string_lossy());
        let found = matches(&format!("{folder}/**/*.rhai"))?;
        let is_script = |script: &PathBuf| {
            let inside = script.strip_prefix(path).unwrap_or(script).parent();
            inside.is_none_or(|folders| {
                folders.components().all(|folder| folder.as_os_str() != "lib")
            })
        };
        // A glob gives `a.rhai` for `./a.rhai`; so does a person.
        return Ok(found.into_iter().filter(is_script).collect());
    }
    if path.exists() {
        return Ok(vec![path.to_owned()]);
    }
    let text = path.to_string_lossy();
    if text.contains(['*', '?', '[']) {
        return matches(&text);
    }
    let error = Error::usage(format!("there is no {}", path.display()));
    Err(match path.with_extension("rhai") {
        file if file != path && file.exists() => {
            error.hint(format!("did you mean {}?", file.display()))
        }
        _ => error.hint("give a file, a folder or a glob"),
    })
}

fn matches(pattern: &str) -> Result<Vec<PathBuf>> {
    let found = glob::glob(pattern)
        .map_err(|error| Error::usage(format!("the glob {pattern} is wrong: {error}")))?;
    let found = found.collect::<Result<Vec<_>, _>>();
    found.map_err(|error| {
        Error::usage(format!("cannot read {}: {}", error.path().display(), error.error()))
    })
}
