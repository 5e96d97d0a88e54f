//! Selects the part of a failed script's transcript that is shown.

use std::borrow::Cow;

use crate::outcome::Failure;
use crate::transcript::{self, Event};

/// The events of the failed session and of the script itself, so that the last lines shown are
/// about that session. All events, if they fit in `most` lines and the last one belongs to that
/// session anyway.
pub(super) fn events<'a>(events: &'a [Event], failure: &Failure, most: usize) -> Cow<'a, [Event]> {
    let name = failure.error.session().and_then(|session| session.split(',').next());
    // A listener has a name as well, but no events.
    let is_there = |name: &&str| {
        events.iter().filter_map(|event| event.session).any(|s| s.to_string() == *name)
    };
    let Some(name) = name.filter(is_there) else { return events.into() };
    let is_of_it = |event: &&Event| event.session.is_none_or(|session| session.to_string() == name);
    let last = events.iter().rev().find(|event| event.session.is_some());
    if last.as_ref().is_none_or(is_of_it) && transcript::count(events) <= most {
        return events.into();
    }
    events.iter().filter(is_of_it).cloned().collect()
}
