//! The transcript: what happened on all sessions of a run, in the order in which the script saw it.
//!
//! Bytes are recorded when an operation takes them, not when they arrive, so that the order does
//! not depend on timing. Secrets are masked before they are recorded, and once more when the events
//! are read, with all secrets that the run has learned by then.

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
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
pub use session_id::SessionId;
#[cfg(feature = "cli")]
pub(crate) use tape::Passage;
pub(crate) use tape::{Passed, Recorded, Tape};

use crate::secrets::Learned;

/// An event of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// The session on which the event happened; `None` for events of the script itself.
    pub session: Option<SessionId>,
    /// What happened.
    pub what: What,
    /// When the event happened, in microseconds since the transcript began.
    at: Option<NonZeroU64>,
}

/// The kinds of events in a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum What {
    /// A session begins to connect to this URL.
    Connecting(String),
    /// A connection attempt to one address ended with this result.
    Attempt {
        /// The address, the path of a socket, or a command.
        address: Box<str>,
        /// `connected`, `refused`, `timed out`, or the system's error.
        result: Box<str>,
    },
    /// A session as a server accepted a connection from this address.
    Accepted(String),
    /// Bytes from the client to the server.
    Client(Excerpt),
    /// Bytes from the server to the client, as an operation took them.
    Server(Excerpt),
    /// Bytes from the server that had arrived but that no operation took.
    Unread(Excerpt),
    /// Bytes from the client that had arrived at a session as a server but that no operation took.
    UnreadClient(Excerpt),
    /// Bytes that a child process wrote to stderr.
    Complaint(Excerpt),
    /// The exit status of a child process.
    Exited(String),
    /// The version and cipher of TLS after a handshake, or the reason why the handshake failed.
    Tls(String),
    /// A deadline ran out; the duration is its length.
    TimedOut(Duration),
    /// Nothing arrived for this long, as the script expected.
    Silent(Duration),
    /// The connection, or one direction of it, ended.
    Closed(Close),
    /// The number of events that were left out here because the transcript had reached its limit.
    Omitted(u64),
    /// The script began a step.
    Step(String),
    /// The script printed this.
    Printed(String),
    /// Something that the script did besides its dialogues.
    Note {
        /// What the note is about.
        about: About,
        /// The text of the note.
        text: Box<str>,
    },
    /// A value that the script compares with its golden.
    Snapshot {
        /// The name that the script gave the value; may be empty.
        name: Box<str>,
        /// The value as text. Control characters and bytes that are not UTF-8 are escaped: `\r`,
        /// `\xHH`.
        text: Box<str>,
    },
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Close {
    /// The server closed the connection.
    ByServer,
    /// The server reset the connection.
    ResetByServer,
    /// The client closed the connection.
    ByClient,
    /// Both sides had announced the close, and nobody waited to see which side closed first.
    Agreed,
    /// The client closed its sending direction and still receives.
    HalfByClient,
    /// The server closed its sending direction and still receives.
    HalfByServer,
    /// The client reset the connection.
    ResetByClient,
}

impl Close {
    /// Whether the dialogue is over.
    #[cfg(feature = "script")]
    pub(crate) fn is_end(self) -> bool {
        !matches!(self, Self::HalfByClient | Self::HalfByServer)
    }
}

impl Event {
    /// An event whose time is not known, because it was read from the text of a transcript.
    pub(crate) fn new(session: Option<SessionId>, what: What) -> Self {
        Self { session, what, at: None }
    }

    /// The same event, with the time after the start of the transcript at which it happened.
    fn happened_at(self, at: Option<Duration>) -> Self {
        let micros = at.and_then(|at| u64::try_from(at.as_micros()).ok());
        Self { at: micros.and_then(NonZeroU64::new), ..self }
    }

    /// How long after the start of the transcript the event happened; `None` if it is not known.
    #[must_use]
    pub fn at(&self) -> Option<Duration> {
        self.at.map(|at| Duration::from_micros(at.get()))
    }

    /// The number of bytes that the event holds of a dialogue, or of a text.
    fn octets(&self) -> usize {
        match &self.what {
            What::Client(run)
            | What::Server(run)
            | What::Unread(run)
            | What::UnreadClient(run)
            | What::Complaint(run) => run.head().len() + run.tail().len(),
            What::Connecting(text)
            | What::Accepted(text)
            | What::Exited(text)
            | What::Tls(text)
            | What::Step(text)
            | What::Printed(text) => text.len(),
            What::Attempt { address, result } => address.len() + result.len(),
            What::Note { text, .. } => text.len(),
            What::Snapshot { name, text } => name.len() + text.len(),
            What::TimedOut(_) | What::Silent(_) | What::Closed(_) | What::Omitted(_) => 0,
        }
    }

    /// The number of bytes of memory that the event takes, except what the allocator adds.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.octets()
    }
}

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

    /// Takes the events so far out of the transcript.
    #[must_use]
    pub fn take(&self) -> Vec<Event> {
        let events = self.record().take();
        self.masked(events)
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

    fn masked(&self, mut events: Vec<Event>) -> Vec<Event> {
        masked::mask(&mut events, &self.learned);
        events
    }

    fn push(&self, session: Option<SessionId>, what: What) {
        let since = self.record().elapsed().as_micros();
        let at = NonZeroU64::new(u64::try_from(since).unwrap_or(u64::MAX).max(1));
        let event = Event { session, what, at };
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
