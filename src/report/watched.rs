//! The output of a watch: one line for each change in the result of a script, with the durations of
//! its steps.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::Human;
use super::style::{BAD, DIM, GOOD, ODD};
use crate::duration;
use crate::outcome::{Outcome, Verdict};
use crate::tls::timestamp;
use crate::visible;

/// The scripts that are watched, each with its last result.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// Whether each run gets a line, not only changes.
    verbose: bool,
    last: BTreeMap<(PathBuf, Option<Arc<str>>), Last>,
}

#[derive(Debug)]
struct Last {
    /// The part of the result that is compared to find changes.
    key: String,
    since: Instant,
    runs: u64,
    word: &'static str,
}

impl Watched {
    /// A watch without results yet. With `verbose`, each run gets a line.
    pub(crate) fn new(verbose: bool) -> Self {
        Self { verbose, ..Self::default() }
    }

    /// The line for a teardown that passed; empty if it did not fail before, because only teardowns
    /// that fail are shown.
    pub(crate) fn well_again(&mut self, teardown: &Outcome) -> String {
        let whose = (teardown.path.clone(), teardown.target.clone());
        if !self.last.contains_key(&whose) {
            return String::new();
        }
        let line = self.outcome(teardown);
        self.last.remove(&whose);
        line
    }

    /// The line for an outcome; empty if the result is the same as before.
    pub(crate) fn outcome(&mut self, outcome: &Outcome) -> String {
        let (word, style, why) = verdict(outcome);
        let key = format!("{word} {why}");
        let whose = (outcome.path.clone(), outcome.target.clone());
        let before = self.last.get_mut(&whose);
        let mut lasted = String::new();
        let has_changed = match before {
            Some(last) if last.key == key => {
                last.runs += 1;
                false
            }
            Some(last) => {
                let span = duration::show(last.since.elapsed());
                lasted = format!("  {DIM}after {span} {} ({} runs){DIM:#}", last.word, last.runs);
                true
            }
            None => true,
        };
        if has_changed {
            let last = Last { key, since: Instant::now(), runs: 1, word };
            self.last.insert(whose, last);
        }
        if !has_changed && !self.verbose {
            return String::new();
        }
        let now = timestamp(SystemTime::now());
        let path = visible::escape(outcome.path.to_string_lossy().as_bytes());
        let target = outcome.target.as_deref().map(|target| visible::escape(target.as_bytes()));
        let path = target.map_or(path.clone(), |target| format!("{path} @{target}"));
        let why = if why.is_empty() { why } else { format!("  {why}") };
        format!(
            "{DIM}{now}{DIM:#} {style}{word}{style:#} {path} {DIM}({}){DIM:#}{why}{lasted}\n",
            times(outcome)
        )
    }
}

/// The verdict in one word, and the reason.
fn verdict(outcome: &Outcome) -> (&'static str, anstyle::Style, String) {
    match &outcome.verdict {
        Verdict::Passed => ("PASS", GOOD, String::new()),
        Verdict::Skipped(reason) => ("SKIP", ODD, visible::escape(reason.as_bytes())),
        Verdict::Interrupted(_) => ("STOP", ODD, String::new()),
        Verdict::Failed(_) | Verdict::Differs(_) => {
            let (place, message) = Human::fault(outcome);
            let error = outcome.failure().map(|failure| &failure.error);
            let part = |name: &str, part: Option<&str>| {
                let part = part.and_then(|part| part.lines().next());
                part.map(|part| format!("; {name} {part}")).unwrap_or_default()
            };
            let expected = part("expected", error.and_then(|error| error.expected()));
            let got = part("got", error.and_then(|error| error.got()));
            ("FAIL", BAD, format!("{place}: {message}{expected}{got}"))
        }
    }
}

/// The durations of the whole run and of each step.
fn times(outcome: &Outcome) -> String {
    let measured = &outcome.measured;
    let connect = measured.longest(|opened| Some(opened.connect));
    let tls = measured.longest(|opened| opened.tls.as_ref().map(|tls| tls.handshake));
    let mut parts = vec![duration::show(outcome.elapsed)];
    for (name, span) in [("connect", connect), ("tls", tls)] {
        parts.extend(span.map(|span| format!("{name} {}", duration::show(span))));
    }
    for (title, span) in &measured.steps {
        let title = visible::escape(title.as_bytes());
        parts.push(format!("{title} {}", duration::show(*span)));
    }
    parts.join(", ")
}
