//! The words that the user has typed so far. The shell hands them over after `--`.

use std::env;
use std::path::PathBuf;

use super::bash;
use crate::plan;
use crate::script::shipped;

/// The words after the program's name.
pub(super) fn words() -> Vec<String> {
    let given = env::args_os().skip_while(|word| word != "--").skip(1);
    let given: Vec<_> = given.map(|word| word.to_string_lossy().into_owned()).collect();
    let words = bash::Line::of(&given).map_or(given, |line| line.words);
    words.into_iter().skip(1).collect()
}

/// The scripts that are named on the line. If none is named, the scripts that would be run.
pub(super) fn scripts() -> Vec<PathBuf> {
    let words = words();
    let paths = words.iter().filter(|word| is_of_scripts(word)).map(PathBuf::from);
    let named: Vec<_> = paths.filter_map(|path| plan::scripts(&[path]).ok()).flatten().collect();
    if named.is_empty() { plan::scripts(&[]).unwrap_or_default() } else { named }
}

fn is_of_scripts(word: &str) -> bool {
    let path = std::path::Path::new(word);
    let is_script = path.extension().is_some_and(|extension| extension == "rhai");
    shipped::is_named(word) || is_script || path.is_dir()
}
