//! Bounds the header of a golden before insta parses it.

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
    for (number, line) in golden.split_inclusive('\n').enumerate() {
        if number > 0 && line.trim_end() == "---" {
            break;
        }
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
}
