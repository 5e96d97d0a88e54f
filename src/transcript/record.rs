//! The events of a run as they are recorded: where they go, and how much memory they take.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::event::Event;
use super::part::Part;
#[cfg(feature = "script")]
use super::recent::Recent;
use super::session_id::{BranchId, SessionId};

/// The function that gets each event of a transcript that keeps none.
pub(super) type Observer = Box<dyn Fn(&Event) + Send>;

/// The record of a run.
pub(super) struct Record {
    began: Instant,
    /// The part to which new events are added.
    part: Part,
    /// The number of sessions opened in each branch.
    sessions: BTreeMap<BranchId, u32>,
    observer: Option<Observer>,
    /// The last events, if only those are kept.
    #[cfg(feature = "script")]
    recent: Option<Recent>,
    /// The bytes that the events take in parts that were exchanged.
    elsewhere: usize,
    /// The most bytes that all events have taken.
    most: usize,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            part: Part::default(),
            sessions: BTreeMap::new(),
            observer: None,
            #[cfg(feature = "script")]
            recent: None,
            elsewhere: 0,
            most: 0,
        }
    }
}

impl Record {
    /// The record of a transcript that passes each event on and keeps none.
    pub(super) fn observed(observer: Observer) -> Self {
        Self { observer: Some(observer), ..Self::default() }
    }

    pub(super) fn is_observed(&self) -> bool {
        self.observer.is_some()
    }

    /// The time since the run began.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The number of the next session.
    pub(super) fn open(&mut self) -> SessionId {
        let opened = self.sessions.entry(self.part.branch).or_default();
        *opened += 1;
        SessionId::new(self.part.branch, *opened)
    }

    pub(super) fn keep(&mut self, event: Event) {
        if let Some(observer) = &self.observer {
            return observer(&event);
        }
        #[cfg(feature = "script")]
        if let Some(recent) = &mut self.recent {
            return recent.keep(event);
        }
        self.part.keep(event);
        self.measure();
    }

    fn measure(&mut self) {
        self.most = self.most.max(self.elsewhere + self.part.bytes());
    }

    pub(super) fn len(&self) -> usize {
        self.part.len()
    }

    /// How many bytes the events take.
    pub(super) fn bytes(&self) -> usize {
        #[cfg(feature = "script")]
        if let Some(recent) = &self.recent {
            return recent.bytes();
        }
        self.part.bytes()
    }

    /// All events kept.
    pub(super) fn events(&self) -> Vec<Event> {
        #[cfg(feature = "script")]
        if let Some(recent) = &self.recent {
            return recent.events();
        }
        self.part.events()
    }

    /// Takes out all events kept.
    pub(super) fn take(&mut self) -> Vec<Event> {
        #[cfg(feature = "script")]
        if let Some(recent) = &mut self.recent {
            return recent.take();
        }
        self.part.take()
    }
}

#[cfg(feature = "script")]
impl Record {
    /// Keeps only the last events from now on.
    pub(super) fn keep_recent(&mut self) {
        self.recent = Some(Recent::default());
    }

    /// The branch whose events are recorded.
    pub(super) fn branch(&self) -> BranchId {
        self.part.branch
    }

    /// Makes new events go to `part`, and leaves in `part` the part to which they went before.
    pub(super) fn exchange(&mut self, part: &mut Part) {
        self.elsewhere += self.part.bytes();
        self.elsewhere = self.elsewhere.saturating_sub(part.bytes());
        std::mem::swap(&mut self.part, part);
    }

    /// Moves the events of `part` to the part to which new events go.
    pub(super) fn append(&mut self, part: &mut Part) {
        self.elsewhere = self.elsewhere.saturating_sub(part.bytes());
        part.take().into_iter().for_each(|event| self.part.keep(event));
        self.measure();
    }

    /// Moves the events of `part` that are in no case or attempt which has not ended.
    pub(super) fn append_ended(&mut self, part: &mut Part) {
        self.elsewhere = self.elsewhere.saturating_sub(part.bytes());
        part.take_ended().into_iter().for_each(|event| self.part.keep(event));
        self.elsewhere += part.bytes();
        self.measure();
    }

    /// The most bytes that all events have taken.
    pub(super) fn most(&self) -> usize {
        self.most
    }
}
