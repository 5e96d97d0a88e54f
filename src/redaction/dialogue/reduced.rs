//! What is left of a server line at a strictness below text.

use super::{Seen, word};
use crate::redaction::strictness::Strictness;

/// A complete line and its kind.
pub(in crate::redaction) struct Line<'a> {
    pub(in crate::redaction) strictness: Strictness,
    pub(in crate::redaction) text: &'a [u8],
    pub(in crate::redaction) seen: &'a Seen,
    /// The line that follows in the same event, if there is one.
    pub(in crate::redaction) next: Option<&'a [u8]>,
}

impl Line<'_> {
    pub(super) fn keeps_values(&self) -> bool {
        self.strictness == Strictness::Enhanced
    }

    /// The whole line, or its first word if values are left out.
    pub(super) fn data(&self) -> Vec<u8> {
        if self.keeps_values() { self.text.to_vec() } else { word(self.text).to_vec() }
    }

    /// A keyword, with its values if they are kept; those of SASL, the mechanisms, always are.
    pub(super) fn capability<'t>(&self, text: &'t [u8], sasl: &[u8]) -> &'t [u8] {
        let is_sasl = text.get(..sasl.len()).is_some_and(|start| start.eq_ignore_ascii_case(sasl));
        if self.keeps_values() || is_sasl { text } else { word(text) }
    }

    /// A status, with its response code if codes are kept; a list of capabilities always is.
    pub(super) fn with_code(&self, status: &[u8], code: Option<Vec<u8>>) -> Vec<u8> {
        let counts = |code: &Vec<u8>| self.keeps_values() || code.starts_with(b"[CAPABILITY ");
        match code.filter(counts) {
            Some(code) => [status, b" ", &code].concat(),
            None => status.to_vec(),
        }
    }
}

/// The first word of the text and the rest, if the word is one of `words`, in any case.
pub(super) fn leading<'a>(text: &'a [u8], words: &[&str]) -> Option<(&'a [u8], &'a [u8])> {
    let (word, rest) = text.split_at(word(text).len());
    words.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes())).then_some((word, rest))
}

/// The name of a response code in its brackets, without arguments: those differ from server to
/// server.
pub(super) fn between(rest: &[u8], open: u8, close: u8) -> Option<Vec<u8>> {
    let inside = rest.trim_ascii_start().strip_prefix(&[open])?;
    let name =
        inside.iter().position(|byte| *byte == close || *byte == b' ').map(|end| &inside[..end])?;
    Some([&[open], name, &[close]].concat())
}
