//! Writes outcomes as a recording.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Human, Report, Summary};
use crate::outcome::{Outcome, Verdict};
use crate::trace::{Head, Passage, VERSION};
use crate::transcript::{self, Close, Passed, What};
use crate::visible;

/// A recording of a run, as one of its reports: the lines of each script are written when it has
/// ended.
#[derive(Debug)]
pub(crate) struct Trace {
    /// Whether only failed scripts are kept.
    pub(crate) failures_only: bool,
}

impl Report for Trace {
    fn script_ended(&mut self, _: usize, outcome: &Outcome) -> String {
        // If a script passed after a retry, the failed attempt is the interesting one.
        let kept = match outcome.failed_attempts.last() {
            Some(failed) if outcome.is_ok() && self.failures_only => failed,
            _ => outcome,
        };
        if self.failures_only && kept.is_ok() {
            return String::new();
        }
        lines(kept, outcome)
    }

    fn run_ended(&mut self, _: &Summary) -> String {
        String::new()
    }
}

fn lines(outcome: &Outcome, last: &Outcome) -> String {
    let failed = !outcome.is_ok();
    let head = Head {
        trace: VERSION,
        path: outcome.path.to_string_lossy().into_owned(),
        target: last.target.as_deref().map(str::to_owned),
        title: outcome.title.clone(),
        verdict: verdict(&outcome.verdict).to_owned(),
        message: failed.then(|| Human::fault(outcome).1.to_owned()),
        params: outcome.params.iter().cloned().collect(),
    };
    let mut text = String::new();
    push(&mut text, &head);
    let Some(recorded) = &outcome.recorded else { return text };
    for passage in &recorded.passages {
        if let Some((side, bytes)) = bytes_of(&passage.what) {
            push_bytes(&mut text, passage, side, bytes);
            continue;
        }
        let at = passage.at.as_secs_f64();
        let session = passage.session.map(|session| session.to_string());
        let passage = Passage { at, session, ..said(&passage.what) };
        push(&mut text, &passage);
    }
    if recorded.omitted > 0 {
        push(&mut text, &Passage { omitted: Some(recorded.omitted), ..Passage::default() });
    }
    text
}

/// The bytes that one side sent, and the side.
fn bytes_of(what: &Passed) -> Option<(&'static str, &[u8])> {
    match what {
        Passed::Client(bytes) => Some(("client", bytes)),
        Passed::Server(bytes) => Some(("server", bytes)),
        Passed::Secured(_) | Passed::Event(_) => None,
    }
}

/// Writes the line for bytes directly, without a value in between, because nearly all lines are of
/// this kind.
fn push_bytes(text: &mut String, passage: &transcript::Passage, side: &str, bytes: &[u8]) {
    let micros = passage.at.as_micros();
    let _ = write!(text, "{{\"at\":{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    if let Some(session) = passage.session {
        let _ = write!(text, ",\"session\":\"{session}\"");
    }
    let _ = write!(text, ",\"{side}\":\"");
    // After `visible::escape`, these are the only characters left that JSON escapes.
    for character in visible::escape(bytes).chars() {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push_str("\"}\n");
}

fn said(what: &Passed) -> Passage {
    let empty = Passage::default;
    match what {
        Passed::Client(_) | Passed::Server(_) => empty(),
        Passed::Secured(facts) => {
            let facts = facts.iter().map(|(name, fact)| ((*name).to_owned(), fact.clone()));
            Passage { tls: Some(facts.collect()), ..empty() }
        }
        Passed::Event(What::Connecting(url)) => {
            Passage { connecting: Some(url.clone()), ..empty() }
        }
        Passed::Event(What::Closed(close @ (Close::ByServer | Close::ResetByServer))) => {
            let reset = *close == Close::ResetByServer;
            Passage { closed_by_server: true, reset, ..empty() }
        }
        Passed::Event(What::Tls(words)) if words.starts_with(FAILED) => {
            Passage { tls_failed: Some(words[FAILED.len()..].to_owned()), ..empty() }
        }
        Passed::Event(what) => Passage { event: Some(transcript::happening(what)), ..empty() },
    }
}

/// The beginning of the text in a transcript about a failed handshake.
const FAILED: &str = "failed: ";

fn verdict(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Skipped(_) => "skipped",
        Verdict::Failed(_) => "failed",
        Verdict::Differs(_) => "differs",
        Verdict::Interrupted(_) => "interrupted",
    }
}

fn push(text: &mut String, value: &impl Serialize) {
    // Only maps with keys that are not strings cannot be serialised, and there are none here.
    text.push_str(&visible::json(&serde_json::to_string(value).unwrap_or_default()));
    text.push('\n');
}
