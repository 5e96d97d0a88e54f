//! Paths to scripts, and which of them are to run.

#[cfg(feature = "cli")]
mod filter;
#[cfg(feature = "cli")]
mod partition;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::script::is_fixture;
use crate::script::shipped;

#[cfg(feature = "cli")]
pub(crate) use filter::Filter;
#[cfg(feature = "cli")]
pub(crate) use partition::{Partition, shuffle};

/// What stands for the script that stdin holds.
pub(crate) const STDIN: &str = "-";

/// The scripts that the paths stand for, each once: a file as it is, a folder's `*.rhai` in the
/// order of their names, except folders named `lib`, and what a glob matches. No path at all
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
    // Stdin, which the command reads.
    if path == Path::new(STDIN) {
        return Ok(vec![path.to_owned()]);
    }
    if let Some(name) = path.to_str().filter(|name| shipped::is_named(name)) {
        return inside(name);
    }
    if path.is_dir() {
        let mut found = Vec::new();
        walk(path, &mut |script| {
            let inside = script.strip_prefix(path).unwrap_or(script).parent();
            let in_lib = inside.is_some_and(|folders| folders.iter().any(|folder| folder == "lib"));
            let is_own = !in_lib && !is_fixture(script);
            if is_own && script.extension().is_some_and(|extension| extension == "rhai") {
                found.push(script.to_owned());
            }
        })?;
        // As a person names them: `a.rhai` for `./a.rhai`.
        return Ok(found.iter().map(|path| without_dot(path).to_owned()).collect());
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

/// A script inside of the program.
fn inside(name: &str) -> Result<Vec<PathBuf>> {
    if shipped::is_there(name) {
        return Ok(vec![PathBuf::from(name)]);
    }
    let error = Error::usage(format!("no script inside of the program is called {name}"));
    Err(match shipped::nearest(name) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error.hint("mailexpect list --shipped shows them all; ./@name is a file"),
    })
}

/// The files that a glob matches, in the order of their names. One whose name is not UTF-8 is
/// matched by what of it is.
fn matches(pattern: &str) -> Result<Vec<PathBuf>> {
    let glob = glob::Pattern::new(pattern)
        .map_err(|error| Error::usage(format!("the glob {pattern} is wrong: {error}")))?;
    let options =
        glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::default() };
    // What lies before the first wildcard is a folder to look in.
    let literal = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
    let folder = pattern[..literal].rsplit_once('/').map_or(".", |(folder, _)| folder);
    let folder = if folder.is_empty() { "/" } else { folder };
    let mut found = Vec::new();
    if Path::new(folder).is_dir() {
        walk(Path::new(folder), &mut |file| {
            let plain = if pattern.starts_with("./") { file } else { without_dot(file) };
            if glob.matches_with(&plain.to_string_lossy(), options) {
                found.push(plain.to_owned());
            }
        })?;
    }
    Ok(found)
}

/// A glob gives `a.rhai` for `./a.rhai`; so does a person.
fn without_dot(path: &Path) -> &Path {
    path.strip_prefix(".").unwrap_or(path)
}

/// Calls `found` with each file in a folder and below, in the order of their names. Symbolic links
/// to folders are not followed: they may lead in a circle.
fn walk(folder: &Path, found: &mut impl FnMut(&Path)) -> Result<()> {
    let unreadable =
        |error: std::io::Error| Error::usage(format!("cannot read {}: {error}", folder.display()));
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let mut entries = entries.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_type().map_err(unreadable)?.is_dir() {
            walk(&entry.path(), found)?;
        } else {
            found(&entry.path());
        }
    }
    Ok(())
}
