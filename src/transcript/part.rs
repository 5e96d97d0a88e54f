//! The events of a run, or of one branch of its script. The number kept is limited: the first
//! events and the last ones.

use std::collections::VecDeque;

use super::event::{Event, What};
use super::note::About;
use super::session_id::BranchId;

/// The number of first events that are always kept, and the number of their bytes. That is enough
/// for some lines each for thousands of commands, but not for a flood from a hostile server.
pub(super) const FIRST: (usize, usize) = (20_000, 16 << 20);
/// The number of last events that are kept after the first ones, and the number of their bytes.
pub(super) const LAST: (usize, usize) = (1000, 8 << 20);

/// Events in order. Each running branch of a script records to a part of its own: parallel branches
/// take turns as bytes arrive, and the transcript must not depend on that timing.
#[derive(Default)]
pub(crate) struct Part {
    events: Vec<Event>,
    /// The number of bytes in `events`.
    held: usize,
    /// The last of the events that came after `events` was full.
    last: VecDeque<Event>,
    /// The number of bytes in `last`.
    last_held: usize,
    /// The number of bytes of memory that all these events take.
    bytes: usize,
    /// The places in `events` at which cases and attempts begin that have not ended.
    begun: Vec<usize>,
    /// The number of events left out between `events` and `last`.
    omitted: u64,
    /// The branch of these events.
    pub(super) branch: BranchId,
}

impl Part {
    /// An empty part for the events of a branch.
    #[cfg(feature = "script")]
    pub(crate) fn of_branch(branch: BranchId) -> Self {
        Self { branch, ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// The number of bytes of memory that the events take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn keep(&mut self, event: Event) {
        self.bytes += event.bytes();
        if self.last.is_empty() && self.events.len() < FIRST.0 && self.held < FIRST.1 {
            self.held += event.octets();
            self.note_begun(&event);
            self.events.push(event);
            return;
        }
        self.last_held += event.octets();
        self.last.push_back(event);
        while self.last.len() > LAST.0 || (self.last_held > LAST.1 && self.last.len() > 1) {
            let Some(dropped) = self.last.pop_front() else { break };
            self.last_held -= dropped.octets();
            self.bytes -= dropped.bytes();
            self.omitted += 1;
        }
    }

    fn note_begun(&mut self, event: &Event) {
        match &event.what {
            What::Note { about: About::Case(_) | About::Attempt, .. } => {
                self.begun.push(self.events.len());
            }
            What::Note {
                about: About::CaseEnded(_) | About::AttemptPassed | About::AttemptFailed,
                ..
            } => drop(self.begun.pop()),
            _ => {}
        }
    }

    /// The event that stands for the events left out; `None` if none were.
    fn omission(&self) -> Option<Event> {
        (self.omitted > 0).then_some(Event::new(None, What::Omitted(self.omitted)))
    }

    /// All events kept.
    pub(super) fn events(&self) -> Vec<Event> {
        let mut events = self.events.clone();
        events.extend(self.omission());
        events.extend(self.last.iter().cloned());
        events
    }

    /// Takes out all events kept.
    pub(super) fn take(&mut self) -> Vec<Event> {
        let mut events = std::mem::take(&mut self.events);
        events.extend(self.omission());
        events.extend(std::mem::take(&mut self.last));
        (self.held, self.last_held, self.bytes, self.omitted) = (0, 0, 0, 0);
        self.begun.clear();
        events
    }

    /// Takes out the events before the first case or attempt that has not ended: what happens in
    /// one stays together, although other branches record meanwhile.
    #[cfg(feature = "script")]
    pub(super) fn take_ended(&mut self) -> Vec<Event> {
        let Some(place) = self.begun.first().copied().filter(|_| self.last.is_empty()) else {
            return self.take();
        };
        let rest = self.events.split_off(place);
        let ended = self.take();
        for event in rest {
            self.keep(event);
        }
        ended
    }
}
