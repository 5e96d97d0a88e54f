//! Completion for bash. Bash ends words at `=`, `:` and `@`, so it hands over the whole line as
//! typed, and the line is split into words here.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_complete::engine;
use clap_complete::env::EnvCompleter;

/// Marks arguments that are a line to split. Other shells hand over words, of which the first is
/// the program.
const FORM: &str = "--line";
/// The function that bash calls. It adds no space after a candidate that ends with `=`, `/` or `:`,
/// because the user goes on typing there.
const CODE: &str = r#"
_clap_complete_NAME() {
    local IFS=$'\n'
    COMPREPLY=( $(VAR=bash COMPLETER -- --line \
        "${COMP_LINE:0:COMP_POINT}" "${COMP_LINE:COMP_POINT}" "$2" 2>/dev/null) )
    if [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" =~ [=/:]$ ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o bashdefault -F _clap_complete_NAME BIN
"#;

#[derive(Debug)]
pub(super) struct Bash;

impl EnvCompleter for Bash {
    fn name(&self) -> &'static str {
        "bash"
    }

    fn is(&self, name: &str) -> bool {
        name == "bash"
    }

    fn write_registration(
        &self,
        variable: &str,
        name: &str,
        program: &str,
        completer: &str,
        code: &mut dyn Write,
    ) -> io::Result<()> {
        let quoted = shlex::try_quote(completer).unwrap_or(completer.into());
        let text = CODE.replace("NAME", &name.replace('-', "_"));
        let text = text.replace("BIN", program).replace("COMPLETER", &quoted);
        writeln!(code, "{}", text.replace("VAR", variable))
    }

    fn write_complete(
        &self,
        command: &mut Command,
        given: Vec<OsString>,
        folder: Option<&Path>,
        answer: &mut dyn Write,
    ) -> io::Result<()> {
        let given: Vec<_> = given.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let Some(line) = Line::of(&given) else { return Ok(()) };
        let words = line.words.iter().map(OsString::from).collect();
        for candidate in engine::complete(command, words, line.at, folder)? {
            if let Some(shown) = line.rest(&candidate.get_value().to_string_lossy()) {
                writeln!(answer, "{shown}")?;
            }
        }
        Ok(())
    }
}

/// A line of bash. A candidate may replace only the end of the word at the cursor, because bash
/// ends words at `=`, `:` and `@`.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) words: Vec<String>,
    /// The index of the word that is completed.
    at: usize,
    replaced: String,
    is_quoted: bool,
}

impl Line {
    /// Splits the line that the function in `CODE` hands over; `None` for the arguments of another
    /// shell.
    pub(super) fn of(given: &[String]) -> Option<Self> {
        let [form, before, after, replaced] = given else { return None };
        if form != FORM {
            return None;
        }
        // The word at the cursor is the last word of `before`. It may be empty, and its quotes may
        // be open.
        let closed = ["", "\"", "'"].into_iter().find_map(|quote| {
            let words = shlex::split(&format!("{before}{MARK}{quote}"))?;
            Some((words, !quote.is_empty()))
        });
        let (mut words, is_quoted) = closed?;
        let at = words.len().checked_sub(1)?;
        let typed = words.get(at)?.strip_suffix(MARK)?.to_owned();
        words[at] = typed;
        words.extend(shlex::split(after).unwrap_or_default());
        let replaced = shlex::split(replaced).unwrap_or_default().concat();
        Some(Self { words, at, replaced, is_quoted })
    }

    /// The part of a candidate that replaces `replaced`, escaped as it has to be typed.
    fn rest(&self, candidate: &str) -> Option<String> {
        let kept = self.words.get(self.at)?.strip_suffix(&self.replaced).unwrap_or_default();
        let rest = candidate.strip_prefix(kept)?;
        let is_special =
            |character: char| !character.is_alphanumeric() && !PLAIN.contains(character);
        if self.is_quoted {
            return Some(rest.to_owned());
        }
        let escaped = rest.chars().flat_map(|character| {
            is_special(character).then_some('\\').into_iter().chain([character])
        });
        Some(escaped.collect())
    }
}

/// Marks the cursor while a line is split.
const MARK: char = '\u{1}';
/// The characters, besides letters and digits, that need no escape in bash.
const PLAIN: &str = "-_./:=@,+%~[]";

#[cfg(test)]
mod tests {
    use super::*;

    fn line(before: &str, after: &str, replaced: &str) -> Line {
        Line::of(&[FORM, before, after, replaced].map(str::to_owned)).unwrap()
    }

    #[test]
    fn words_are_those_of_the_line() {
        let found = line("mailexpect run --set smtp=smtp://a --target=po", " x.rhai", "po");
        let words = ["mailexpect", "run", "--set", "smtp=smtp://a", "--target=po", "x.rhai"];
        assert_eq!((found.words.as_slice(), found.at), (words.map(str::to_owned).as_slice(), 4));
        assert_eq!(found.rest("--target=postfix").as_deref(), Some("postfix"));
        assert_eq!(line("mailexpect run ", "", "").words[2..], [""]);
        assert_eq!(line("mailexpect run @re", "", "re").rest("@relay").as_deref(), Some("relay"));
    }

    #[test]
    fn characters_that_bash_interprets_are_quoted() {
        let found = line("mailexpect run my\\ f", "", "my\\ f");
        assert_eq!(found.words[2], "my f");
        assert_eq!(found.rest("my f$x.rhai").as_deref(), Some("my\\ f\\$x.rhai"));
        let found = line("mailexpect run \"my f", "", "my f");
        assert_eq!(found.rest("my file.rhai").as_deref(), Some("my file.rhai"));
    }
}
