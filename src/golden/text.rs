//! The text that a golden holds of a run.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;

use super::{known, size};
use crate::error::Result;
use crate::outcome::Outcome;
use crate::redaction::Redaction;
use crate::stoppable::is_stopped;
use crate::transcript::{self, About, Event, SessionId, What};

/// The text of a golden: the redacted transcript without what is only meant for reading.
///
/// # Errors
/// Usage if the redactions take too much memory; too long, if the transcript is too long for a
/// golden.
#[cfg(feature = "cli")]
pub(crate) fn text(outcome: &Outcome) -> Result<String> {
    let redaction = outcome.redaction.as_deref().cloned().unwrap_or_default();
    Ok(redacted(outcome, &redaction)?.text)
}

/// The text of a golden.
pub(super) struct Text {
    pub(super) text: String,
    /// For each section of the text, in order, the place of its case among those of the outcome, if
    /// it is there.
    pub(super) cases: Vec<Option<usize>>,
}

/// The text of a golden under this redaction, which may differ from the run's own.
///
/// # Errors
/// Those of [`text`].
pub(super) fn redacted(outcome: &Outcome, redaction: &Redaction) -> Result<Text> {
    let redaction = known::with_params(redaction.clone(), &outcome.params);
    let events = lasting(&outcome.transcript)?;
    let made_up = known::staying(&outcome.known, || joined(&events));
    let text = redacted_text(&known::with_made_up(redaction, &made_up), &events)?;
    Ok(Text { text, cases: cases(outcome, &events) })
}

/// For each row that the events tell of, its place among the cases of the outcome.
fn cases(outcome: &Outcome, events: &[Event]) -> Vec<Option<usize>> {
    let cases = outcome.cases.iter().enumerate();
    let places: HashMap<_, _> = cases.filter_map(|(at, case)| Some((case.row?, at))).collect();
    let begun = events.iter().filter_map(|event| match &event.what {
        What::Note { about: About::Case(number), .. } => Some(number),
        _ => None,
    });
    begun.map(|number| places.get(number).copied()).collect()
}

/// A golden's text, reduced to what this redaction keeps.
///
/// # Errors
/// Those of [`redacted`].
pub(super) fn reduced(text: &str, redaction: &Redaction) -> Result<String> {
    redacted_text(redaction, &transcript::read(text).0)
}

fn redacted_text(redaction: &Redaction, events: &[Event]) -> Result<String> {
    let redacted = redaction.apply_up_to(size::REDACTED, is_stopped, events)?;
    size::check_run(joined(&redacted.ok_or_else(size::redacted)?))
}

/// The lines of the events, with line ends between them.
fn joined(events: &[Event]) -> String {
    let mut text = String::new();
    transcript::each_line(events, |line| {
        let end = if text.is_empty() { "" } else { "\n" };
        // Writing to memory does not fail.
        let _ = write!(text, "{end}{line}");
    });
    text
}

/// The events without printed text and warnings, and without the connection attempts of sessions
/// that connected in the end: which addresses a name has depends on the machine.
///
/// # Errors
/// Too long, if they take too much memory.
fn lasting(events: &[Event]) -> Result<Vec<Event>> {
    let connected: HashSet<Option<SessionId>> =
        events.iter().filter(|event| is_connected(event)).map(|event| event.session).collect();
    let lasts = |event: &&Event| match &event.what {
        What::Printed(_) | What::Note { about: About::Warning, .. } => false,
        What::Attempt { .. } => !connected.contains(&event.session),
        _ => true,
    };
    let mut lasting = without_failed_attempts(events);
    lasting.retain(lasts);
    size::check_events(&lasting)?;
    Ok(renumbered(lasting.into_iter().cloned().map(without_port).collect()))
}

/// The events without those of attempts that failed and were repeated: the number of attempts
/// depends on timing.
fn without_failed_attempts(events: &[Event]) -> Vec<&Event> {
    let (mut kept, mut begun) = (Vec::new(), Vec::new());
    for event in events {
        match &event.what {
            What::Note { about: About::Attempt, .. } => begun.push(kept.len()),
            What::Note { about: About::AttemptFailed, .. } => {
                kept.truncate(begun.pop().unwrap_or(kept.len()));
            }
            What::Note { about: About::AttemptPassed, .. } => drop(begun.pop()),
            _ => kept.push(event),
        }
    }
    kept
}

/// Renumbers the sessions in order, because those of failed attempts have been removed. In each row
/// of a table, the sessions opened in it are numbered from after those outside of all rows, so that
/// an added row does not change the others.
fn renumbered(mut events: Vec<Event>) -> Vec<Event> {
    let mut outside = BTreeSet::new();
    let mut inside = HashSet::new();
    let mut is_inside = false;
    for event in &events {
        is_inside = in_case(event, is_inside);
        let Some(session) = event.session else { continue };
        if is_inside && !outside.contains(&session) {
            inside.insert(session);
        } else if !inside.contains(&session) {
            outside.insert(session);
        }
    }
    let mut places: BTreeMap<SessionId, SessionId> =
        outside.iter().copied().zip((1..).map(SessionId::of)).collect();
    let first = u32::try_from(outside.len()).unwrap_or(u32::MAX);
    let mut next = first;
    for event in &mut events {
        if matches!(event.what, What::Note { about: About::Case(_), .. }) {
            next = first;
        }
        if let Some(session) = &mut event.session {
            *session = *places.entry(*session).or_insert_with(|| {
                next += 1;
                SessionId::of(next)
            });
        }
    }
    events
}

/// Whether the events after this one are within a row of a table.
fn in_case(event: &Event, before: bool) -> bool {
    match &event.what {
        What::Note { about: About::Case(_), .. } => true,
        What::Note { about: About::CaseEnded(_), .. } => false,
        _ => before,
    }
}

fn is_connected(event: &Event) -> bool {
    matches!(&event.what, What::Attempt { result, .. } if ["connected", "recorded"].contains(&&**result))
}

/// Removes the port from a connection attempt, because the URL has it already.
fn without_port(mut event: Event) -> Event {
    if let What::Attempt { address, .. } = &mut event.what
        && let Some((host, port)) = address.rsplit_once(':')
        && port.bytes().all(|byte| byte.is_ascii_digit())
    {
        *address = host.into();
    }
    event
}
