//! The one-line form of an error, for a table or a list.

use super::Error;

impl Error {
    /// The message, with the first line of what was sent and the first line of what came.
    pub(crate) fn in_short(&self) -> String {
        let first = |name: &str, part: Option<&str>| {
            let part = part.and_then(|part| part.lines().find(|line| !line.trim().is_empty()));
            part.map(|part| format!("; {name} {}", cut(part))).unwrap_or_default()
        };
        format!("{}{}{}", self.message(), first("after", self.sent()), first("got", self.got()))
    }
}

/// No more than this many characters of a part are shown.
const LONGEST: usize = 160;

/// The beginning of a text: a server may have sent a line of any length.
fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
