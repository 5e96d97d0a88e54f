//! The last events of a run that may last for any time, such as that of a server. Every event was
//! shown as it happened; the last ones are kept for the failure that may follow.

use std::collections::BTreeSet;

use super::event::{Event, What};
use super::session_id::SessionId;

/// The most bytes that the events may take. Beyond that, half of them are dropped.
pub(super) const MOST: usize = 4 << 20;

/// The last events, in order. The events of sessions that have ended are dropped first.
#[derive(Default)]
pub(super) struct Recent {
    events: Vec<Event>,
    /// The number of bytes that the events take.
    held: usize,
    /// How many events were dropped.
    omitted: u64,
}

impl Recent {
    pub(super) fn keep(&mut self, event: Event) {
        let event = detached(event);
        self.held += event.bytes();
        self.events.push(event);
        if self.held > MOST {
            self.shrink();
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.held
    }

    pub(super) fn events(&self) -> Vec<Event> {
        let omission = self.omission().into_iter();
        omission.chain(self.events.iter().cloned()).collect()
    }

    pub(super) fn take(&mut self) -> Vec<Event> {
        let mut events = Vec::from_iter(self.omission());
        events.append(&mut self.events);
        *self = Self::default();
        events
    }

    /// The event that stands for the events that were dropped; `None` if none were.
    fn omission(&self) -> Option<Event> {
        (self.omitted > 0).then_some(Event::new(None, What::Omitted(self.omitted)))
    }

    /// Drops the oldest events of the sessions that have ended, and if that is not enough, the
    /// oldest events of all: a client that floods an open session must not fill the memory either.
    fn shrink(&mut self) {
        let ended: BTreeSet<SessionId> = self
            .events
            .iter()
            .filter(|event| matches!(event.what, What::Closed(close) if close.is_end()))
            .filter_map(|event| event.session)
            .collect();
        self.drop_oldest(|event| event.session.is_some_and(|session| ended.contains(&session)));
        self.drop_oldest(|_| true);
    }

    /// Drops the oldest of these events, until all events take half of what they may.
    fn drop_oldest(&mut self, may_be_dropped: impl Fn(&Event) -> bool) {
        let Self { events, held, omitted } = self;
        events.retain(|event| {
            let stays = *held <= MOST / 2 || !may_be_dropped(event);
            if !stays {
                *held -= event.bytes();
                *omitted += 1;
            }
            stays
        });
    }
}

/// The event with bytes of its own. The bytes of a short line may be a slice of a large buffer,
/// which would be kept with them.
fn detached(event: Event) -> Event {
    let what = match event.what {
        What::Client(run) => What::Client(run.detached()),
        What::Server(run) => What::Server(run.detached()),
        What::Unread(run) => What::Unread(run.detached()),
        What::UnreadClient(run) => What::UnreadClient(run.detached()),
        What::Complaint(run) => What::Complaint(run.detached()),
        what => what,
    };
    Event { what, ..event }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::transcript::Close;

    fn said(session: u32, bytes: usize) -> Event {
        let text = Bytes::from(vec![b'x'; bytes]);
        Event::new(Some(SessionId::of(session)), What::Client(text.into()))
    }

    fn of(recent: &Recent, session: u32) -> usize {
        recent.events.iter().filter(|event| event.session == Some(SessionId::of(session))).count()
    }

    #[test]
    fn an_open_session_is_kept_whole_while_thousands_come_and_go() {
        let mut recent = Recent::default();
        recent.keep(said(1, 100));
        for session in 2..5000 {
            recent.keep(said(session, 10_000));
            recent.keep(Event::new(Some(SessionId::of(session)), What::Closed(Close::ByClient)));
            assert!(recent.held <= MOST, "{}", recent.held);
        }
        assert_eq!((of(&recent, 1), of(&recent, 2), of(&recent, 4999)), (1, 0, 2));
        let events = recent.take();
        assert!(matches!(events[0].what, What::Omitted(1000..)), "{:?}", events[0]);
        assert!(recent.take().is_empty());
    }

    #[test]
    fn a_flood_of_one_open_session_and_of_prints_is_bounded() {
        let mut recent = Recent::default();
        for _ in 0..1000 {
            recent.keep(said(1, 10_000));
            recent.keep(Event::new(None, What::Printed("y".repeat(10_000))));
            assert!(recent.held <= MOST, "{}", recent.held);
        }
        assert!(of(&recent, 1) > 50);
    }

    #[test]
    fn a_short_line_does_not_keep_the_buffer_that_it_came_in() {
        let buffer = Bytes::from(vec![b'x'; 1 << 20]);
        let mut recent = Recent::default();
        recent.keep(Event::new(None, What::Client(buffer.slice(..10).into())));
        assert!(buffer.is_unique());
    }
}
