//! The transcript: what happened on all sessions of a run, in the order in which the script saw it.
//!
//! Bytes are recorded when an operation takes them, not when they arrive, so that the order does
//! not depend on timing. Secrets are masked before they get here, and once more when the events are
//! read, with all that the run has learned by then.

mod excerpt;
mod masked;
mod note;
mod part;
mod read;
mod render;
mod tape;

use std::fmt;
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
#[cfg(feature = "cli")]
pub(crate) use render::happening;
pub use render::{Line, Mark};
#[cfg(feature = "cli")]
pub(crate) use tape::Passage;
pub(crate) use tape::{Passed, Recorded, Tape};

use crate::secrets::Learned;

/// One session of a run: its number, from 1 in the order in which they were opened. Sessions that
/// branches of a script open at once are numbered apart in each: `b2.s1` is the first of the second
/// branch, whichever was quicker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub(crate) u32);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            (0, number) => write!(f, "s{number}"),
            (branch, number) => write!(f, "b{branch}.s{number}"),
        }
    }
}

impl SessionId {
    /// Bits of the number of a session within its branch.
    const NUMBER: u32 = 20;
    /// Set if the session belongs to a branch.
    const IN_BRANCH: u32 = 1 << 31;

    /// The session of that number in a branch; of branch 0 outside of any.
    pub(crate) fn new(branch: u32, number: u32) -> Self {
        if branch == 0 {
            return Self(number);
        }
        let number = number.min((1 << Self::NUMBER) - 1);
        Self(Self::IN_BRANCH | branch << Self::NUMBER | number)
    }

    /// The branch and the number in it.
    fn parts(self) -> (u32, u32) {
        if self.0 & Self::IN_BRANCH == 0 {
            return (0, self.0);
        }
        let rest = self.0 & !Self::IN_BRANCH;
        (rest >> Self::NUMBER, rest & ((1 << Self::NUMBER) - 1))
    }

    /// The session that is shown so.
    fn read(shown: &str) -> Option<Self> {
        let number = |text: &str| text.strip_prefix('s')?.parse().ok();
        match shown.strip_prefix('b') {
            Some(rest) => {
                let (branch, rest) = rest.split_once('.')?;
                Some(Self::new(
                    branch.parse().ok().filter(|branch| *branch < 1 << 11)?,
                    number(rest)?,
                ))
            }
            None => number(shown).map(Self),
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// The session it happened on; `None` for what belongs to the script alone.
    pub session: Option<SessionId>,
    /// What it was.
    pub what: What,
}

/// What can happen in a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum What {
    /// A connection is wanted to this URL.
    Connecting(String),
    /// One address was tried, with this result.
    Attempt {
        /// The address, or the path of a socket, or a command.
        address: Box<str>,
        /// `connected`, `refused`, `timed out`, or what the system said.
        result: Box<str>,
    },
    /// A connection came in from this address, where we are the server.
    Accepted(String),
    /// Bytes from the client to the server.
    Client(Excerpt),
    /// Bytes from the server to the client, as an operation took them.
    Server(Excerpt),
    /// Bytes from the server that had arrived and that nobody took.
    Unread(Excerpt),
    /// Bytes from the client that had arrived and that nobody took, on the server's side.
    UnreadClient(Excerpt),
    /// What a child process wrote to stderr.
    Complaint(Excerpt),
    /// How a child process ended.
    Exited(String),
    /// TLS began, or could not: its version and cipher, or the reason.
    Tls(String),
    /// A deadline of this length ran out.
    TimedOut(Duration),
    /// Nothing came for this long, as was wanted.
    Silent(Duration),
    /// The connection, or one direction of it, came to its end.
    Closed(Close),
    /// So many events are not kept: the transcript had reached its bound.
    Omitted(u64),
    /// The script began a step.
    Step(String),
    /// The script printed this.
    Printed(String),
    /// What the script does beside its dialogues.
    Note {
        /// What it is about.
        about: About,
        /// What there is to say of it.
        text: Box<str>,
    },
    /// The script wants this value held against its golden.
    Snapshot {
        /// What the script calls it; may be empty.
        name: Box<str>,
        /// The value, as text in which controls and bytes that are not UTF-8 are escapes: `\r`,
        /// `\xHH`.
        text: Box<str>,
    },
}

/// How a connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Close {
    /// The server closed it.
    ByServer,
    /// The server reset it.
    ResetByServer,
    /// The client closed it.
    ByClient,
    /// Both had said that it would be, and nobody waited to see who was first.
    Agreed,
    /// The client will send no more, but still listens.
    HalfByClient,
    /// The server will send no more, but still listens.
    HalfByServer,
    /// The client reset it.
    ResetByClient,
}

impl Event {
    /// How many bytes of a dialogue it holds.
    fn octets(&self) -> usize {
        match &self.what {
            What::Client(run) | What::Server(run) | What::Unread(run) | What::UnreadClient(run) => {
                run.head().len() + run.tail().len()
            }
            _ => 0,
        }
    }
}

type Observer = Box<dyn Fn(&Event) + Send>;

/// Called with each event as it happens, its secrets masked as far as they are known by then.
pub(crate) type Watcher = Arc<dyn Fn(&Event) + Send + Sync>;

#[derive(Default)]
struct Record {
    /// Where events go.
    part: Part,
    /// How many sessions were opened outside of branches, and in each branch.
    sessions: Vec<u32>,
    observer: Option<Observer>,
}

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
    /// What its sessions have learned to be secret.
    learned: Learned,
    /// What is recorded besides, if that is wanted.
    tape: Option<Tape>,
    watcher: Option<Watcher>,
}

impl Transcript {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that hands each event to `observer` and keeps none.
    #[must_use]
    pub fn observed(observer: impl Fn(&Event) + Send + 'static) -> Self {
        let record = Record { observer: Some(Box::new(observer)), ..Record::default() };
        Self { record: Arc::new(Mutex::new(record)), ..Self::default() }
    }

    /// An empty one of a run that knows these secrets from the start.
    #[cfg(feature = "script")]
    pub(crate) fn of(learned: Learned, watcher: Option<Watcher>) -> Self {
        Self { learned, watcher, ..Self::default() }
    }

    /// The same, and somebody watches: who waits for a person to read holds up the dialogue, as a
    /// terminal does.
    #[cfg(feature = "cli")]
    pub(crate) fn watched(self, watcher: Watcher) -> Self {
        Self { watcher: Some(watcher), ..self }
    }

    /// The same, with a recording beside it.
    #[cfg(feature = "cli")]
    pub(crate) fn taped(self) -> Self {
        Self { tape: Some(Tape::new()), ..self }
    }

    /// The recording, if there is one.
    pub(crate) fn tape(&self) -> Option<&Tape> {
        self.tape.as_ref()
    }

    /// What was recorded, taken out.
    #[cfg(feature = "script")]
    pub(crate) fn recorded(&self) -> Option<Recorded> {
        self.tape.as_ref().map(|tape| tape.take(&self.learned))
    }

    /// What is known to be secret: for all of its sessions. One that keeps no events would keep
    /// secrets for as long as it is observed, so each of its sessions knows its own.
    pub(crate) fn learned(&self) -> Learned {
        let is_observed = self.record().observer.is_some();
        if is_observed { Learned::default() } else { self.learned.clone() }
    }

    /// Records something that belongs to no session.
    pub fn note(&self, what: What) {
        self.push(Event { session: None, what });
    }

    pub(crate) fn open(&self) -> SessionId {
        let mut record = self.record();
        let branch = record.part.branch;
        let place = usize::try_from(branch).unwrap_or(0);
        if record.sessions.len() <= place {
            record.sessions.resize(place + 1, 0);
        }
        record.sessions[place] += 1;
        SessionId::new(branch, record.sessions[place])
    }

    pub(crate) fn record_on(&self, session: SessionId, what: What) {
        self.push(Event { session: Some(session), what });
    }

    /// The events so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let events = self.record().part.events();
        self.masked(events)
    }

    /// The events so far, taken out.
    #[must_use]
    pub fn take(&self) -> Vec<Event> {
        let events = self.record().part.take();
        self.masked(events)
    }

    /// Lets the events that follow go to this part, and gives back in its place where they went.
    #[cfg(feature = "script")]
    pub(crate) fn exchange(&self, part: &mut Part) {
        std::mem::swap(&mut self.record().part, part);
    }

    /// Moves the events of a part to where events go.
    #[cfg(feature = "script")]
    pub(crate) fn append(&self, part: &mut Part) {
        let mut record = self.record();
        part.take().into_iter().for_each(|event| record.part.keep(event));
    }

    fn masked(&self, mut events: Vec<Event>) -> Vec<Event> {
        masked::mask(&mut events, &self.learned);
        events
    }

    fn push(&self, event: Event) {
        if let Some(tape) = &self.tape {
            tape.happened(event.session, &event.what);
        }
        if let Some(watcher) = &self.watcher {
            let mut shown = [event.clone()];
            masked::mask(&mut shown, &self.learned);
            watcher(&shown[0]);
        }
        let mut record = self.record();
        match &record.observer {
            Some(observer) => observer(&event),
            None => record.part.keep(event),
        }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        // A panic elsewhere leaves the list whole: events are pushed at once or not at all.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The text form: a line an event or received line, see [`Line`].
impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        render::lines(&self.events()).iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transcript")
            .field("events", &self.record().part.len())
            .finish_non_exhaustive()
    }
}

/// The events as lines of text.
#[must_use]
pub fn lines(events: &[Event]) -> Vec<Line> {
    render::lines(events)
}

#[cfg(test)]
mod tests;
