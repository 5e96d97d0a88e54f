//! The transcript: what happened on all sessions of a run, in the order in which the script saw it.
//!
//! Bytes are recorded when an operation takes them, not when they arrive, so that the order does
//! not depend on timing. Secrets are masked before they are recorded, and once more when the events
//! are read, with all secrets that the run has learned by then.

mod event;
mod excerpt;
mod masked;
mod note;
mod part;
mod read;
#[cfg(feature = "script")]
mod recent;
mod record;
mod render;
mod session_id;
mod tape;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use event::{Close, Event, What};
pub use excerpt::Excerpt;
pub(crate) use excerpt::Gathering;
#[cfg(feature = "cli")]
pub(crate) use masked::mask;
pub use note::About;
pub(crate) use part::Part;
pub(crate) use read::octets;
pub use read::read;
#[cfg(feature = "script")]
pub(crate) use read::read_timed;
use record::Record;
#[cfg(feature = "cli")]
pub(crate) use render::happening;
pub use render::{Line, Mark};
#[cfg(feature = "script")]
pub(crate) use session_id::BranchId;
pub use session_id::SessionId;
#[cfg(feature = "cli")]
pub(crate) use tape::Passage;
pub(crate) use tape::{Passed, Recorded, Tape};

use crate::secrets::Learned;

/// A function that is called with each event as it happens, with all secrets masked that are known
/// by then.
pub(crate) type Watcher = Arc<dyn Fn(&Event) + Send + Sync>;

/// The record of a run, shared by its sessions.
///
/// ```
/// use mailexpect::transcript::{Transcript, What};
///
/// let transcript = Transcript::new();
/// transcript.note(What::Step("greeting".into()));
/// assert_eq!(transcript.to_string(), "*** step: greeting\n");
/// ```
#[derive(Clone, Default)]
pub struct Transcript {
    record: Arc<Mutex<Record>>,
    /// The secrets that the run's sessions have learned.
    learned: Learned,
    /// The recording of the bytes with their times, if one is made.
    tape: Option<Tape>,
    watcher: Option<Watcher>,
}

impl Transcript {
    /// An empty transcript.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A transcript that passes each event to `observer` and keeps none.
    #[must_use]
    pub fn observed(observer: impl Fn(&Event) + Send + 'static) -> Self {
        let record = Record::observed(Box::new(observer));
        Self { record: Arc::new(Mutex::new(record)), ..Self::default() }
    }

    /// An empty transcript of a run that knows these secrets from the start.
    #[cfg(feature = "script")]
    pub(crate) fn of(learned: Learned, watcher: Option<Watcher>) -> Self {
        Self { learned, watcher, ..Self::default() }
    }

    /// This transcript with a watcher. The watcher holds up the dialogue while it waits, for
    /// example for a person to read, just as a terminal does.
    #[cfg(feature = "cli")]
    pub(crate) fn watched(self, watcher: Watcher) -> Self {
        Self { watcher: Some(watcher), ..self }
    }

    /// This transcript with a recording.
    #[cfg(feature = "cli")]
    pub(crate) fn taped(self) -> Self {
        Self { tape: Some(Tape::new()), ..self }
    }

    /// This transcript, of which only the last events are kept, for a run that may last for any
    /// time. The events of branches are kept in the order in which they happen.
    #[cfg(feature = "script")]
    pub(crate) fn recent(self) -> Self {
        self.record().keep_recent();
        self
    }

    /// The most bytes that the events have taken so far.
    #[cfg(feature = "script")]
    pub(crate) fn most_bytes(&self) -> usize {
        self.record().most()
    }

    /// The recording, if one is made.
    pub(crate) fn tape(&self) -> Option<&Tape> {
        self.tape.as_ref()
    }

    /// Takes the recorded passages out of the recording.
    #[cfg(feature = "script")]
    pub(crate) fn recorded(&self) -> Option<Recorded> {
        self.tape.as_ref().map(|tape| tape.take(&self.learned))
    }

    /// The secrets shared by all sessions of this transcript. An observed transcript keeps no
    /// events; sharing would keep secrets for as long as it is observed, so each of its sessions
    /// gets a set of its own.
    pub(crate) fn learned(&self) -> Learned {
        let is_observed = self.record().is_observed();
        if is_observed { Learned::default() } else { self.learned.clone() }
    }

    /// Records an event that belongs to no session.
    pub fn note(&self, what: What) {
        self.push(None, what);
    }

    pub(crate) fn open(&self) -> SessionId {
        self.record().open()
    }

    pub(crate) fn record_on(&self, session: SessionId, what: What) {
        self.push(Some(session), what);
    }

    /// The events so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let events = self.record().events();
        self.masked(events)
    }

    /// The last `most` lines. Only the events near the end are masked and rendered: this is called
    /// for each operation that fails, and a script may have many.
    pub(crate) fn last_lines(&self, most: usize) -> Vec<Line> {
        let mut events = self.record().events();
        let several = render::has_several(&events);
        // A secret may begin some events before the first line.
        let far = events.len().saturating_sub(4 * most);
        let last = self.masked(events.split_off(far));
        render::last_lines_of(&last, several, most, |_| true)
    }

    /// Takes the events so far out of the transcript.
    #[must_use]
    pub fn take(&self) -> Vec<Event> {
        let events = self.record().take();
        self.masked(events)
    }

    /// The branch whose events are recorded.
    #[cfg(feature = "script")]
    pub(crate) fn branch(&self) -> BranchId {
        self.record().branch()
    }

    /// Makes new events go to `part`, and leaves in `part` the part to which they went before.
    #[cfg(feature = "script")]
    pub(crate) fn exchange(&self, part: &mut Part) {
        self.record().exchange(part);
    }

    /// Moves the events of `part` to the part to which new events go.
    #[cfg(feature = "script")]
    pub(crate) fn append(&self, part: &mut Part) {
        self.record().append(part);
    }

    /// Moves the events of `part` that are in no case or attempt which has not ended.
    #[cfg(feature = "script")]
    pub(crate) fn append_ended(&self, part: &mut Part) {
        self.record().append_ended(part);
    }

    fn masked(&self, mut events: Vec<Event>) -> Vec<Event> {
        masked::mask(&mut events, &self.learned);
        events
    }

    fn push(&self, session: Option<SessionId>, what: What) {
        let since = self.record().elapsed().max(Duration::from_micros(1));
        let event = Event::new(session, what).happened_at(Some(since));
        if let Some(tape) = &self.tape {
            tape.happened(event.session, &event.what);
        }
        if let Some(watcher) = &self.watcher {
            let mut shown = [event.clone()];
            masked::mask(&mut shown, &self.learned);
            watcher(&shown[0]);
        }
        self.record().keep(event);
    }

    /// How many bytes the events take that are kept.
    pub(crate) fn bytes(&self) -> usize {
        self.record().bytes()
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        // The list stays consistent if a thread panics with the lock held: an event is added at
        // once or not at all.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The text form: one line for each event and each line of a dialogue, see [`Line`].
impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        render::lines(&self.events()).iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transcript").field("events", &self.record().len()).finish_non_exhaustive()
    }
}

/// The events as lines of text.
#[must_use]
pub fn lines(events: &[Event]) -> Vec<Line> {
    render::lines(events)
}

#[cfg(feature = "script")]
pub(crate) use render::{count, each_line, last_lines};

#[cfg(test)]
mod tests;
