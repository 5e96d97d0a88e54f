//! Bounds the header of a golden, and what insta reads because of it, before insta parses it.

use std::path::Path;

use crate::file;

/// The largest header, in bytes. One that is written has a few hundred; the regexes of a script may
/// take some thousand. The parser takes 50 bytes of memory for each byte of a header, and time that
/// no deadline bounds.
const LARGEST: usize = 64 << 10;

/// How far a line may be indented, counting the marks of the lists that begin on it. The parser
/// calls itself for each level, which takes a column, and overflows the stack at some hundred.
const DEEPEST: usize = 64;

/// Checks the header of a golden.
///
/// # Errors
/// A description of what is wrong with it.
pub(super) fn check(golden: &str) -> Result<(), String> {
    let mut length = 0;
    for (number, line) in lines(golden) {
        length += line.len();
        if length > LARGEST {
            return Err(format!("its header has more than {LARGEST} bytes"));
        }
        // To YAML, a carriage return ends a line, too.
        if line.split('\r').any(|line| indentation(line) > DEEPEST) {
            let line = number + 1;
            return Err(format!("line {line} is indented by more than {DEEPEST} columns"));
        }
    }
    Ok(())
}

/// The numbered lines of the header.
fn lines(golden: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = golden.split_inclusive('\n').enumerate();
    lines.take_while(|(number, line)| *number == 0 || line.trim_end() != "---")
}

/// Checks the file beside a binary snapshot, which insta reads whole. The header names the end of
/// that file's name, and an end can be spelled in many ways: all files that it may be are checked.
///
/// # Errors
/// A description of what is wrong with the file.
pub(super) fn check_beside(path: &Path, golden: &str) -> Result<(), String> {
    // In YAML, a backslash can stand for any letter.
    let may_be_binary =
        lines(golden).any(|(_, line)| line.contains("binary") || line.contains('\\'));
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    if !may_be_binary {
        return Ok(());
    }
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let start = [name.as_encoded_bytes(), b"."].concat();
    for entry in folder.read_dir().map_err(|error| error.to_string())?.flatten() {
        let beside = entry.file_name();
        if !beside.as_encoded_bytes().starts_with(&start) {
            continue;
        }
        let checked = file::open(&entry.path()).and_then(|file| file.metadata());
        let why = match checked {
            Ok(file) if file.len() <= file::LARGEST => continue,
            Ok(_) => format!("it has more than {} bytes", file::LARGEST),
            Err(error) => error.to_string(),
        };
        return Err(format!("the file {} beside it cannot be read: {why}", beside.display()));
    }
    Ok(())
}

/// The bytes before the first word that is neither the mark of a list or of a key, nor a tag or an
/// anchor: lists may begin in lists, as in `- - a`.
fn indentation(line: &str) -> usize {
    let line = line.trim_end();
    let mut rest = line.trim_start();
    loop {
        let (word, after) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        let is_mark = matches!(word, "-" | "?") || word.starts_with(['!', '&']);
        if !is_mark {
            return line.len() - rest.len();
        }
        rest = after.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_header_is_bounded() {
        let line = "description: - - a\n";
        let text = format!("---\n{line}---\n{}", "- ".repeat(LARGEST));
        assert_eq!(check(&text), Ok(()));
        let lines = line.repeat(LARGEST / line.len() + 1);
        for text in [format!("---\n{lines}---\nx\n"), format!("---\n{lines}")] {
            assert_eq!(check(&text), Err("its header has more than 65536 bytes".to_owned()));
        }
        for deep in ["- ", "? ", "- ? ", "- !!seq ", "- &a ", "-\t", " "] {
            let text = format!("---\na: b\n1\r{}a\n---\nx\n", deep.repeat(DEEPEST + 1));
            assert_eq!(
                check(&text),
                Err("line 3 is indented by more than 64 columns".to_owned()),
                "{deep}"
            );
        }
    }

    #[test]
    fn a_file_beside_a_binary_snapshot_is_a_regular_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.snap");
        std::os::unix::fs::symlink("/dev/zero", folder.path().join("a.snap.bin")).unwrap();
        let said =
            "the file a.snap.bin beside it cannot be read: it is a device, and not a regular file";
        for header in ["snapshot_kind: binary\nextension: bin", r#""snapshot_kind": "\x62inary""#] {
            let golden = format!("---\n{header}\n---\n");
            assert_eq!(check_beside(&path, &golden), Err(said.to_owned()), "{header}");
        }
        assert_eq!(check_beside(&path, "---\nsource: a.rhai\n---\nS: binary \\\n"), Ok(()));
    }
}
