//! Finds the time of each event of a transcript in the recording of the run. An event is taken from
//! bytes that arrived earlier, so its time is that of the passage before it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::transcript::{Event, Passage, Passed, Recorded, SessionId, What};

/// The remaining passages of a recording, by session.
#[derive(Default)]
pub(super) struct Clock<'a> {
    passages: HashMap<Option<SessionId>, VecDeque<&'a Passage>>,
    /// The time of the last event of each session. Several events may be taken from one read.
    last: HashMap<Option<SessionId>, Duration>,
}

/// The kind of a passage. An event is looked for among the passages of its kind.
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
        // The properties of TLS are not an event in the transcript.
        for passage in passages.filter(|one| !matches!(one.what, Passed::Secured(_))) {
            clock.passages.entry(passage.session).or_default().push_back(passage);
        }
        clock
    }

    /// Whether any times are known.
    pub(super) fn is_running(&self) -> bool {
        !self.passages.is_empty()
    }

    /// The time of the next event of a transcript, if it is known.
    pub(super) fn time(&mut self, event: &Event) -> Option<Duration> {
        let kind = match event.what {
            What::Client(_) | What::UnreadClient(_) => Kind::Client,
            What::Server(_) | What::Unread(_) => Kind::Server,
            // Lines of a child's stderr are not recorded with their times.
            What::Complaint(_) => return self.last.get(&event.session).copied(),
            _ => Kind::Event,
        };
        let queue = self.passages.get_mut(&event.session)?;
        let ahead = queue.iter().take_while(|passage| {
            // Bytes that the server sent after the client's next line cannot answer the line
            // before.
            kind == Kind::Client || of(passage) != Kind::Client
        });
        let found = ahead.enumerate().find(|(_, passage)| of(passage) == kind);
        // A client's line may have come in the same read as the line before it.
        let found = found.map(|(at, passage)| (at, passage.at));
        if let Some((at, time)) = found {
            // An event may come in the transcript before bytes that were read ahead of it, so those
            // passages stay in the queue.
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
