//! The data of an outcome that the templates show.

use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use super::clock::Clock;
use crate::duration;
use crate::outcome::{Difference, Failure, Golden, Outcome, Verdict};
use crate::report::{difference, explained};
use crate::transcript::{self, Event, Mark, Recorded, What};
use crate::visible;

/// The number of lines of a golden shown around each change.
const AROUND: usize = 3;
/// The time limit of the search for the smallest diff. After it, the diff is correct but may be
/// longer than necessary.
const LONGEST: std::time::Duration = std::time::Duration::from_millis(500);
/// The number of characters shown of a line: an IMAP literal may have megabytes.
const LINE: usize = 2000;
/// The number of lines shown of a dialogue, or of a diff. A browser is slow on a page with more of them.
const LINES: usize = 1000;

/// The data of a script for `script.html`.
#[derive(Serialize)]
pub(super) struct Script {
    number: String,
    pub(super) status: &'static str,
    open: bool,
    pub(super) path: String,
    pub(super) target: String,
    title: Option<String>,
    elapsed: String,
    reason: Option<String>,
    golden: Option<String>,
    params: Vec<(String, String)>,
    attempt: Attempt,
    /// The failures in addition to the verdict.
    beside: Vec<Attempt>,
    failed_attempts: Vec<Attempt>,
    /// The text in which a search looks.
    text: String,
}

/// The data of one attempt for `attempt.html`.
#[derive(Default, Serialize)]
struct Attempt {
    message: Option<String>,
    place: Option<String>,
    source: Option<String>,
    caret: String,
    expected: Option<String>,
    got: Option<String>,
    notes: Vec<(&'static str, String)>,
    diff: Vec<Changed>,
    lines: Vec<Line>,
}

/// A line of a diff.
#[derive(Serialize)]
struct Changed {
    kind: &'static str,
    text: String,
}

/// A line of a dialogue.
#[derive(Serialize)]
struct Line {
    kind: &'static str,
    who: &'static str,
    session: Option<String>,
    /// Empty if it is not known, in a dialogue that has times.
    time: Option<String>,
    text: String,
    /// The decoded text of a SASL line.
    decoded: Option<String>,
    id: Option<String>,
}

impl Script {
    /// The data of a script or a row of its tables; links refer to it by `id`.
    pub(super) fn of(id: &str, outcome: &Outcome) -> Self {
        let status = match &outcome.verdict {
            Verdict::Passed if outcome.is_flaky() => "flaky",
            Verdict::Passed => "pass",
            Verdict::Skipped(_) => "skip",
            Verdict::Failed(_) => "fail",
            Verdict::Differs(_) => "differs",
            Verdict::Interrupted(_) => "stop",
        };
        let path = outcome.name();
        let target = outcome.target.as_deref().unwrap_or_default().to_owned();
        let reason = match &outcome.verdict {
            Verdict::Skipped(reason) => Some(reason.clone()),
            _ => None,
        };
        let attempt = Attempt::of(&format!("r{id}"), outcome);
        let words = [Some(&path), Some(&target), outcome.title.as_ref(), reason.as_ref()];
        let words = words.into_iter().chain([attempt.message.as_ref()]).flatten();
        let text = words.map(String::as_str).collect::<Vec<_>>().join(" ").to_lowercase();
        let earlier = outcome.failed_attempts.iter().enumerate();
        let failed_attempts =
            earlier.map(|(at, failed)| Attempt::of(&format!("r{id}a{at}"), failed)).collect();
        Self {
            number: id.to_owned(),
            status,
            open: !outcome.is_ok(),
            path,
            target,
            title: outcome.title.clone(),
            elapsed: duration::show(outcome.elapsed),
            reason,
            golden: golden(&outcome.golden),
            params: outcome.params.clone(),
            attempt,
            beside: outcome.beside.iter().map(Attempt::of_failure).collect(),
            failed_attempts,
            text,
        }
    }
}

fn golden(golden: &Golden) -> Option<String> {
    let (words, path) = match golden {
        Golden::None => return None,
        Golden::Same(path) => ("as in", path),
        Golden::Recorded(path) => ("recorded", path),
        Golden::Updated(path) => ("updated", path),
        Golden::Pending(path) => ("to be reviewed:", path),
    };
    Some(format!("{words} {}", path.display()))
}

impl Attempt {
    /// The data of an attempt. The names by which links refer to its steps begin with `name`.
    fn of(name: &str, outcome: &Outcome) -> Self {
        let lines = lines(name, &outcome.transcript, outcome.recorded.as_deref());
        if let Verdict::Differs(different) = &outcome.verdict {
            let message = Some(difference::message(different).to_owned());
            let place = Some(different.golden.display().to_string());
            return Self { message, place, diff: diff(different), lines, ..Self::default() };
        }
        match outcome.failure() {
            Some(failure) => Self { lines, ..Self::of_failure(failure) },
            None => Self { lines, ..Self::default() },
        }
    }

    /// The data of a failure, without the dialogue.
    fn of_failure(failure: &Failure) -> Self {
        let error = &failure.error;
        let apart = ["expected", "got"];
        let notes = explained::notes(failure);
        let notes = notes.into_iter().filter(|(name, _)| !apart.contains(name)).collect();
        let place = failure.place.as_ref();
        let source = place.and_then(|place| place.source.as_deref());
        Self {
            message: Some(error.message().to_owned()),
            place: place.map(explained::at),
            source: source.map(visible::source_line),
            caret: place.map(|place| caret(place.caret)).unwrap_or_default(),
            expected: error.expected().map(str::to_owned),
            got: error.got().map(str::to_owned),
            notes,
            diff: Vec::new(),
            lines: Vec::new(),
        }
    }
}

fn caret(column: usize) -> String {
    " ".repeat(column.saturating_sub(1)) + "^"
}

fn diff(Difference { old, new, .. }: &Difference) -> Vec<Changed> {
    let (old, new) = (old.as_deref().unwrap_or_default().trim_end(), new.trim_end());
    let diff = TextDiff::configure().timeout(LONGEST).diff_lines(old, new);
    let mut changed = Vec::new();
    for group in diff.grouped_ops(AROUND) {
        let header = similar::udiff::UnifiedHunkHeader::new(&group).to_string();
        changed.push(Changed { kind: "place", text: header });
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            if changed.len() >= LINES {
                changed.push(Changed { kind: "place", text: "the rest is left out here".into() });
                return changed;
            }
            let (kind, sign) = match change.tag() {
                ChangeTag::Equal => ("same", ' '),
                ChangeTag::Delete => ("old", '-'),
                ChangeTag::Insert => ("new", '+'),
            };
            let line = change.value().trim_end_matches('\n');
            changed.push(Changed { kind, text: format!("{sign}{}", short(line)) });
        }
    }
    changed
}

fn lines(name: &str, events: &[Event], recorded: Option<&Recorded>) -> Vec<Line> {
    let mut clock = Clock::of(recorded);
    let sessions = events.iter().filter_map(|event| event.session);
    let several = sessions.clone().any(|session| Some(session) != sessions.clone().next());
    let mut lines = Vec::new();
    for event in events {
        let session = event.session.filter(|_| several).map(|session| session.to_string());
        let time = clock.time(event).map(|time| format!("{:.4}", time.as_secs_f64()));
        let mut time = time.or_else(|| clock.is_running().then(String::new));
        let is_step = matches!(event.what, What::Step(_));
        for line in transcript::lines(std::slice::from_ref(event)) {
            let (kind, who) = match line.mark {
                _ if is_step => ("step", ""),
                Mark::Client => ("client", "C"),
                Mark::Server => ("server", "S"),
                Mark::Unread => ("unread", "S"),
                Mark::UnreadClient => ("unread", "C"),
                Mark::Event => ("event", "*"),
            };
            let (text, decoded) = match line.text.split_once(" \u{2192} ") {
                Some((text, decoded)) => (text, Some(format!("\u{2192} {decoded}"))),
                None => (line.text.as_str(), None),
            };
            let id = is_step.then(|| format!("{name}s{}", lines.len()));
            let (session, text) = (session.clone(), short(text));
            // The lines of one reply came together: those after the first keep its column free.
            let time = time.as_mut().map(std::mem::take);
            lines.push(Line { kind, who, session, time, text, decoded, id });
        }
    }
    if lines.len() > LINES {
        let hidden = lines.len() - LINES;
        let first = LINES / 2;
        let text = format!("{hidden} lines are left out here");
        let line = Line {
            kind: "event",
            who: "*",
            session: None,
            time: None,
            text,
            decoded: None,
            id: None,
        };
        lines.splice(first..first + hidden, [line]);
    }
    lines
}

fn short(text: &str) -> String {
    match text.char_indices().nth(LINE) {
        Some((end, _)) => {
            format!("{} ... ({} more characters)", &text[..end], text[end..].chars().count())
        }
        None => text.to_owned(),
    }
}
