//! When each event of a transcript happened, as the recording beside it tells: an event is taken
//! from what has come, and that came before.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::transcript::{Event, Passage, Passed, Recorded, SessionId, What};

/// What is left of a recording, by session.
#[derive(Default)]
pub(super) struct Clock<'a> {
    passages: HashMap<Option<SessionId>, VecDeque<&'a Passage>>,
    /// When the last event of each session happened: several may be taken from one read.
    last: HashMap<Option<SessionId>, Duration>,
}

/// Which of them an event is looked for among.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Client,
    Server,
    Event,
}

impl<'a> Clock<'a> {
    pub(super) fn of(recorded: Option<&'a Recorded>) -> Self {
        let mut clock = Self::default();
        let passages = recorded.into_iter().flat_map(|recorded| &recorded.passages);
        // What is known of TLS is no event of its own.
        for passage in passages.filter(|one| !matches!(one.what, Passed::Secured(_))) {
            clock.passages.entry(passage.session).or_default().push_back(passage);
        }
        clock
    }

    /// When the next event of a transcript happened, if that is known.
    pub(super) fn time(&mut self, event: &Event) -> Option<Duration> {
        let kind = match event.what {
            What::Client(_) => Kind::Client,
            What::Server(_) | What::Unread(_) => Kind::Server,
            _ => Kind::Event,
        };
        let queue = self.passages.get_mut(&event.session)?;
        let ahead = queue.iter().take_while(|passage| {
            // What was said after the client's next line is no answer to the one before.
            kind == Kind::Client || of(passage) != Kind::Client
        });
        let found = ahead.enumerate().find(|(_, passage)| of(passage) == kind);
        // A client's line may have come in one read with the one before.
        let found = found.map(|(at, passage)| (at, passage.at));
        if let Some((at, time)) = found {
            // An event may stand in the transcript before what was read ahead of it.
            let is_next = kind != Kind::Event;
            if is_next {
                drop(queue.drain(..=at));
            } else {
                let _ = queue.remove(at);
            }
            self.last.insert(event.session, time);
        }
        self.last.get(&event.session).copied()
    }
}

fn of(passage: &Passage) -> Kind {
    match passage.what {
        Passed::Client(_) => Kind::Client,
        Passed::Server(_) => Kind::Server,
        Passed::Secured(_) | Passed::Event(_) => Kind::Event,
    }
}
