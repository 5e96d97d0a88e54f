//! The events of a run, or of one branch of its script: the first and the last of them, bounded.

use std::collections::VecDeque;

use super::{Event, What};

/// How many of the first events are kept whatever comes, and how much of them: some lines each for
/// thousands of commands, and not a flood that a hostile server sends.
pub(super) const FIRST: (usize, usize) = (20_000, 16 << 20);
/// How many of the last events are kept after those.
pub(super) const LAST: usize = 1000;

/// Events in their order. While a branch of a script runs, what it does goes to a part of its own:
/// branches that run at once take turns as bytes arrive, and the transcript must not depend on that.
#[derive(Default)]
pub(crate) struct Part {
    events: Vec<Event>,
    /// The bytes that those hold.
    held: usize,
    /// The last of the events that came after the first had reached their bound.
    last: VecDeque<Event>,
    /// How many came between.
    omitted: u64,
    /// The branch that they belong to, from 1; 0 outside of any.
    pub(super) branch: u32,
}

impl Part {
    /// An empty one, for the events of a branch.
    #[cfg(feature = "script")]
    pub(crate) fn of_branch(branch: u32) -> Self {
        Self { branch, ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    pub(super) fn keep(&mut self, event: Event) {
        if self.last.is_empty() && self.events.len() < FIRST.0 && self.held < FIRST.1 {
            self.held += event.octets();
            self.events.push(event);
            return;
        }
        self.last.push_back(event);
        if self.last.len() > LAST {
            self.last.pop_front();
            self.omitted += 1;
        }
    }

    /// What stands for the events that were not kept.
    fn omission(&self) -> Option<Event> {
        (self.omitted > 0).then_some(Event { session: None, what: What::Omitted(self.omitted) })
    }

    /// All events that it keeps.
    pub(super) fn events(&self) -> Vec<Event> {
        let mut events = self.events.clone();
        events.extend(self.omission());
        events.extend(self.last.iter().cloned());
        events
    }

    /// The same, taken out.
    pub(super) fn take(&mut self) -> Vec<Event> {
        let mut events = std::mem::take(&mut self.events);
        events.extend(self.omission());
        events.extend(std::mem::take(&mut self.last));
        (self.held, self.omitted) = (0, 0);
        events
    }
}
