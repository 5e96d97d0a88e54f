//! What a golden says of a run.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::known;
use crate::error::Result;
use crate::outcome::Outcome;
use crate::redaction::Redaction;
use crate::transcript::{self, About, Event, SessionId, What};

/// The text: the transcript without what is for the eye alone, redacted, a line for each line.
///
/// # Errors
/// Usage, where what is to be redacted takes too much memory.
#[cfg(feature = "cli")]
pub(crate) fn text(outcome: &Outcome) -> Result<String> {
    redacted(outcome, &outcome.redaction.as_deref().cloned().unwrap_or_default())
}

/// The text by these redactions, which may be others than the run's.
///
/// # Errors
/// Usage, if what is to be redacted takes too much memory.
pub(super) fn redacted(outcome: &Outcome, redaction: &Redaction) -> Result<String> {
    let redaction = known::with_params(redaction.clone(), &outcome.params);
    let redaction = known::with_made_up(redaction, &outcome.known);
    let redacted = redaction.apply(&lasting(&outcome.transcript))?;
    let lines: Vec<_> =
        transcript::lines(&redacted.events).iter().map(ToString::to_string).collect();
    Ok(lines.join("\n"))
}

/// A golden's text as far as this keeps it.
///
/// # Errors
/// Those of [`redacted`].
pub(super) fn reduced(text: &str, redaction: &Redaction) -> Result<String> {
    let redacted = redaction.apply(&transcript::read(text).0)?;
    let lines: Vec<_> =
        transcript::lines(&redacted.events).iter().map(ToString::to_string).collect();
    Ok(lines.join("\n"))
}

/// The events but for what was printed, and for the attempts of sessions that were connected in the
/// end: which addresses a name has depends on the machine.
fn lasting(events: &[Event]) -> Vec<Event> {
    let connected: HashSet<Option<SessionId>> =
        events.iter().filter(|event| is_connected(event)).map(|event| event.session).collect();
    let lasts = |event: &&Event| match &event.what {
        What::Printed(_) => false,
        What::Attempt { .. } => !connected.contains(&event.session),
        _ => true,
    };
    let events = without_failed_attempts(events);
    let events = events.into_iter().filter(lasts).cloned().map(without_port).collect();
    renumbered(events)
}

/// The events without those of attempts that failed and were tried again: how many there are
/// depends on the time.
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

/// The sessions numbered anew, in their order: those of attempts that failed are gone.
fn renumbered(mut events: Vec<Event>) -> Vec<Event> {
    let sessions: BTreeSet<SessionId> = events.iter().filter_map(|event| event.session).collect();
    let places: BTreeMap<_, _> = sessions.into_iter().zip(1..).collect();
    for session in events.iter_mut().filter_map(|event| event.session.as_mut()) {
        session.0 = places.get(session).copied().unwrap_or(session.0);
    }
    events
}

fn is_connected(event: &Event) -> bool {
    matches!(&event.what, What::Attempt { result, .. } if &**result == "connected")
}

/// The port that was tried is that of the URL.
fn without_port(mut event: Event) -> Event {
    if let What::Attempt { address, .. } = &mut event.what
        && let Some((host, port)) = address.rsplit_once(':')
        && port.bytes().all(|byte| byte.is_ascii_digit())
    {
        *address = host.into();
    }
    event
}
