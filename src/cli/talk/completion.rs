//! Completion with Tab: verbs of the protocol, capabilities of the server, commands, and files.

use std::sync::{Arc, Mutex, PoisonError};

use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use super::commands;
use crate::{target, visible};

/// The verbs of the protocol at a URL.
pub(super) fn verbs(url: &str) -> Vec<String> {
    let commands = target::speech(url).into_iter().flat_map(|speech| speech.facts().commands());
    commands.map(str::to_owned).collect()
}

/// Completes words for the line editor.
pub(super) struct Words {
    known: Arc<Mutex<Vec<String>>>,
    files: FilenameCompleter,
}

impl Words {
    pub(super) fn new(known: Arc<Mutex<Vec<String>>>) -> Self {
        Self { known, files: FilenameCompleter::new() }
    }
}

/// The words that begin with the typed text. Upper and lower case count as equal.
fn candidates<'a>(typed: &str, words: impl Iterator<Item = &'a str>) -> Vec<Pair> {
    let fits = |word: &&str| {
        word.get(..typed.len()).is_some_and(|start| start.eq_ignore_ascii_case(typed))
    };
    let pair = |word: &str| Pair { display: word.to_owned(), replacement: word.to_owned() };
    words.filter(fits).map(pair).collect()
}

impl Completer for Words {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        at: usize,
        context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let start = line[..at].rfind(' ').map_or(0, |blank| blank + 1);
        let typed = &line[start..at];
        if line.starts_with(':') {
            if start == 0 {
                return Ok((
                    start,
                    candidates(typed, commands::NAMES.iter().map(|(name, ..)| *name)),
                ));
            }
            if commands::takes_file(line) {
                let (start, mut files) = self.files.complete(line, at, context)?;
                files.retain(|file| {
                    [&file.display, &file.replacement]
                        .into_iter()
                        .all(|text| visible::printable(text) == *text)
                });
                return Ok((start, files));
            }
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((start, candidates(typed, known.iter().map(String::as_str))))
    }
}

impl Hinter for Words {
    type Hint = String;
}
impl Highlighter for Words {}
impl Validator for Words {}
impl Helper for Words {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_completed_in_letters_of_either_case() {
        let shown = |typed| {
            let pairs = candidates(typed, crate::proto::Speech::Smtp.facts().commands());
            pairs.into_iter().map(|pair| pair.replacement).collect::<Vec<_>>()
        };
        assert_eq!(shown("eh"), ["EHLO"]);
        assert_eq!(shown("MAIL"), ["MAIL FROM:<"]);
        assert_eq!(shown("h"), ["HELO", "HELP"]);
        assert!(shown("\u{e9}").is_empty());
    }
}
