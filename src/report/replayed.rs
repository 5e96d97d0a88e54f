//! Shows recordings.

use std::fmt::Write as _;

use super::style::{BAD, DIM, GOOD, ODD};
use crate::trace::{Entry, Passage};
use crate::visible;

/// Writes recordings.
pub(crate) struct Replayed;

impl Replayed {
    /// The line with a script and its verdict.
    pub(crate) fn head(entry: &Entry) -> String {
        let head = &entry.head;
        let style = match head.verdict.as_str() {
            "passed" => GOOD,
            "skipped" | "interrupted" => ODD,
            _ => BAD,
        };
        let shown = |text: &str| visible::escape(text.as_bytes());
        let target = head.target.as_ref().map(|target| format!(" @{}", shown(target)));
        let title = head.title.as_ref().map(|title| format!("  {}", shown(title)));
        let message = head
            .message
            .as_ref()
            .map(|text| format!("     {BAD}{}{BAD:#}\n", visible::printable(text)));
        format!(
            "{style}{}{style:#} {}{}{}\n{}",
            shown(&head.verdict),
            shown(&head.path),
            target.unwrap_or_default(),
            title.unwrap_or_default(),
            message.unwrap_or_default()
        )
    }

    /// Whether the lines have to name their session.
    pub(crate) fn has_several(entry: &Entry) -> bool {
        let mut sessions = entry.passages.iter().filter_map(|passage| passage.session.as_deref());
        sessions.any(|name| name != "s1")
    }

    /// A passage, each line with its time, and with its session if there are several. Lines of the
    /// same write or read follow each other.
    pub(crate) fn passage(passage: &Passage, several: bool) -> String {
        let session = passage.session.as_ref().filter(|_| several).map(|name| format!("{name} "));
        let session = session.unwrap_or_default();
        let (mark, text) = match passage {
            Passage { client: Some(text), .. } => ("C:", text.clone()),
            Passage { server: Some(text), .. } => ("S:", text.clone()),
            Passage { connecting: Some(url), .. } => ("***", format!("connecting to {url}")),
            Passage { tls: Some(facts), .. } => {
                let fact = |name| facts.get(name).map(String::as_str).unwrap_or_default();
                ("***", format!("TLS {} with {}", fact("version"), fact("cipher")))
            }
            Passage { tls_failed: Some(why), .. } => ("***", format!("TLS failed: {why}")),
            Passage { closed_by_server: true, reset: true, .. } => {
                ("***", "reset by the server".to_owned())
            }
            Passage { closed_by_server: true, .. } => ("***", "closed by the server".to_owned()),
            Passage { omitted: Some(count), .. } => {
                ("***", format!("{count} reads and writes were not kept"))
            }
            Passage { event, .. } => ("***", event.clone().unwrap_or_default()),
        };
        let mut shown = String::new();
        let mut time = format!("{:9.4}", passage.at);
        for line in lines(mark, &text) {
            let _ =
                writeln!(shown, "{DIM}{time}{DIM:#} {session}{mark} {}", visible::printable(&line));
            // Lines of the same piece show the time only once.
            time = " ".repeat(time.len());
        }
        shown
    }
}

/// The lines of a piece of a dialogue. CRLF at the end of a line is not shown; a line without a
/// line end gets a backslash at its end.
fn lines(mark: &str, text: &str) -> Vec<String> {
    if mark == "***" {
        return vec![text.to_owned()];
    }
    let mut lines: Vec<String> = text.split("\\r\\n").map(str::to_owned).collect();
    if lines.last().is_some_and(String::is_empty) {
        lines.pop();
    } else if let Some(last) = lines.last_mut() {
        last.push('\\');
    }
    lines
}
