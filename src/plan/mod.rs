//! Finds the scripts for the given paths, and selects those to run.

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

/// The path that means the script read from stdin.
pub(crate) const STDIN: &str = "-";

/// The scripts for the given paths, each once. A file means itself; a folder means its `*.rhai`
/// files sorted by name, except those in folders named `lib`; a glob means the files that it
/// matches. Without a path, the folder `scripts` is used if there is one, else the current folder.
///
/// # Errors
/// A usage error for a path that does not exist, and for paths without any script.
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

/// The given paths, or the default folder if there are none.
pub(crate) fn roots(paths: &[PathBuf]) -> Vec<PathBuf> {
    if !paths.is_empty() {
        return paths.to_vec();
    }
    vec![PathBuf::from(if Path::new("scripts").is_dir() { "scripts" } else { "." })]
}

fn expand(path: &Path) -> Result<Vec<PathBuf>> {
    // The command reads stdin itself.
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
        // `a.rhai`, as a person would write it, instead of `./a.rhai`.
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

/// A script that is part of the program.
fn inside(name: &str) -> Result<Vec<PathBuf>> {
    if shipped::is_there(name) {
        return Ok(vec![PathBuf::from(name)]);
    }
    let error = Error::usage(format!("there is no built-in script {name}"));
    Err(match shipped::nearest(name) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error.hint("mailexpect list --shipped shows them all; ./@name is a file"),
    })
}

/// The files that a glob matches, sorted by name. If a name is not UTF-8, the glob is matched with
/// a lossy conversion of it.
fn matches(pattern: &str) -> Result<Vec<PathBuf>> {
    let glob = glob::Pattern::new(pattern)
        .map_err(|error| Error::usage(format!("the glob {pattern} is wrong: {error}")))?;
    let options =
        glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::default() };
    // The part before the first wildcard names the folder to search.
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

/// The path as a person would write it, and as globs match it: `a.rhai` instead of `./a.rhai`.
fn without_dot(path: &Path) -> &Path {
    path.strip_prefix(".").unwrap_or(path)
}

/// Calls `found` with each file in a folder and below, sorted by name. Symbolic links to folders
/// are not followed, because they may form a cycle.
fn walk(folder: &Path, found: &mut impl FnMut(&Path)) -> Result<()> {
    let unreadable = |error: std::io::Error| Error::unreadable(folder.display(), error);
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
