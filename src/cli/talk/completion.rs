//! What Tab completes: the verbs of the protocol, what the server can do, commands and files.

use std::sync::{Arc, Mutex, PoisonError};

use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use super::commands;
use crate::proto::Speech;
use crate::target;

/// The verbs of SMTP (RFC 5321, 3207, 4954, 3030).
const SMTP: [&str; 16] = [
    "EHLO",
    "HELO",
    "MAIL FROM:<",
    "RCPT TO:<",
    "DATA",
    "BDAT",
    "RSET",
    "NOOP",
    "QUIT",
    "VRFY",
    "EXPN",
    "HELP",
    "STARTTLS",
    "AUTH",
    "ETRN",
    "XCLIENT",
];
/// Those of LMTP (RFC 2033).
const LMTP: [&str; 9] =
    ["LHLO", "MAIL FROM:<", "RCPT TO:<", "DATA", "RSET", "NOOP", "QUIT", "VRFY", "STARTTLS"];
/// Those of POP3 (RFC 1939, 2449, 2595, 5034).
const POP3: [&str; 15] = [
    "CAPA", "STLS", "USER", "PASS", "APOP", "AUTH", "STAT", "LIST", "UIDL", "RETR", "TOP", "DELE",
    "RSET", "NOOP", "QUIT",
];
/// Those of IMAP (RFC 3501), which follow a tag.
const IMAP: [&str; 22] = [
    "CAPABILITY",
    "STARTTLS",
    "LOGIN",
    "AUTHENTICATE",
    "SELECT",
    "EXAMINE",
    "CREATE",
    "DELETE",
    "LIST",
    "LSUB",
    "STATUS",
    "APPEND",
    "FETCH",
    "STORE",
    "COPY",
    "SEARCH",
    "UID",
    "EXPUNGE",
    "IDLE",
    "DONE",
    "NOOP",
    "LOGOUT",
];
/// Those of ManageSieve (RFC 5804).
const SIEVE: [&str; 13] = [
    "CAPABILITY",
    "STARTTLS",
    "AUTHENTICATE",
    "HAVESPACE",
    "PUTSCRIPT",
    "LISTSCRIPTS",
    "SETACTIVE",
    "GETSCRIPT",
    "DELETESCRIPT",
    "RENAMESCRIPT",
    "CHECKSCRIPT",
    "NOOP",
    "LOGOUT",
];

/// The verbs of what is spoken at a URL.
pub(super) fn verbs(url: &str) -> Vec<String> {
    let verbs: &[&str] = match target::speech(url) {
        Some(Speech::Smtp) => &SMTP,
        Some(Speech::Lmtp) => &LMTP,
        Some(Speech::Pop3) => &POP3,
        Some(Speech::Imap) => &IMAP,
        Some(Speech::Sieve) => &SIEVE,
        Some(Speech::Stream) | None => &[],
    };
    verbs.iter().map(|verb| (*verb).to_owned()).collect()
}

/// Completes.
pub(super) struct Words {
    known: Arc<Mutex<Vec<String>>>,
    files: FilenameCompleter,
}

impl Words {
    pub(super) fn new(known: Arc<Mutex<Vec<String>>>) -> Self {
        Self { known, files: FilenameCompleter::new() }
    }
}

/// What the word that begins there may become, in letters of either case.
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
                return self.files.complete(line, at, context);
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
            let pairs = candidates(typed, SMTP.iter().copied());
            pairs.into_iter().map(|pair| pair.replacement).collect::<Vec<_>>()
        };
        assert_eq!(shown("eh"), ["EHLO"]);
        assert_eq!(shown("MAIL"), ["MAIL FROM:<"]);
        assert_eq!(shown("h"), ["HELO", "HELP"]);
        assert!(shown("\u{e9}").is_empty());
    }
}
