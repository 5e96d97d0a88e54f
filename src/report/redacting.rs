//! Shows redacted transcripts and lists presets.

use std::fmt::Write as _;

use super::style::{DIM, GOOD, ODD};
use crate::redaction::{Redacted, Redaction, presets};
use crate::transcript;
use crate::visible;

/// The width of the column for the names of presets.
const NAMES: usize = 26;

/// Writes redacted transcripts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Redacting {
    /// Whether each change is shown below its line.
    pub(crate) explain: bool,
}

impl Redacting {
    /// The lines of the transcript; below the lines of each event, the changes in it.
    pub(crate) fn transcript(self, redacted: &Redacted) -> String {
        let mut text = String::new();
        let several = redacted
            .events
            .iter()
            .filter_map(|event| event.session)
            .any(|session| Some(session) != redacted.events[0].session);
        for (number, event) in redacted.events.iter().enumerate() {
            for line in transcript::lines(std::slice::from_ref(event)) {
                let line = transcript::Line { session: event.session.filter(|_| several), ..line };
                let _ = writeln!(text, "{line}");
            }
            for change in
                redacted.changes.iter().filter(|change| self.explain && change.event == number)
            {
                let (was, now) = (visible::escape(&change.was), visible::escape(&change.now));
                let _ = writeln!(
                    text,
                    "     {ODD}{}{ODD:#} {was} {DIM}becomes{DIM:#} {now}",
                    change.rule
                );
            }
        }
        text
    }

    /// All presets and normalisers; those that are on have a plus.
    pub(crate) fn list(redaction: &Redaction) -> String {
        let mut text = String::new();
        let mut group = "";
        for preset in presets() {
            if group != preset.group() {
                group = preset.group();
                let _ = writeln!(text, "{GOOD}{group}{GOOD:#}");
            }
            let mark = mark(redaction, preset.name());
            let _ = writeln!(
                text,
                "  {mark} {:<NAMES$} [{}]  {DIM}{}{DIM:#}",
                preset.name(),
                preset.token(),
                preset.place()
            );
        }
        let _ = writeln!(text, "{GOOD}normalisers{GOOD:#}");
        for (name, group) in Redaction::normalisers() {
            let _ = writeln!(
                text,
                "  {} {name:<NAMES$} {DIM}of the group {group}{DIM:#}",
                mark(redaction, name)
            );
        }
        text
    }

    /// The message about lines that are not part of a transcript.
    pub(crate) fn left_out(lines: usize) -> String {
        let noun = if lines == 1 { "line that is" } else { "lines that are" };
        format!("{DIM}left out: {lines} {noun} no part of a transcript{DIM:#}\n")
    }
}

fn mark(redaction: &Redaction, name: &str) -> &'static str {
    if redaction.is_on(name) { "+" } else { "-" }
}
