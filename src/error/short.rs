//! The one-line form of an error, for a table or a list.

use super::Error;

impl Error {
    /// The message, with the first line of what was sent and the first line of what came.
    pub(crate) fn in_short(&self) -> String {
        let first = |name: &str, part: Option<&str>| {
            let part = part.and_then(|part| part.lines().next());
            part.map(|part| format!("; {name} {part}")).unwrap_or_default()
        };
        format!("{}{}{}", self.message(), first("after", self.sent()), first("got", self.got()))
    }
}
