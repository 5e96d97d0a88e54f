//! The events of a run.

use std::num::NonZeroU64;
use std::time::Duration;

use super::excerpt::Excerpt;
use super::note::About;
use super::session_id::SessionId;

/// An event of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// The session on which the event happened; `None` for events of the script itself.
    pub session: Option<SessionId>,
    /// What happened.
    pub what: What,
    /// When the event happened, in microseconds since the transcript began.
    pub(super) at: Option<NonZeroU64>,
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
    /// Both sides had announced the close, so it is not recorded which side closed first. If we
    /// waited for the peer and it did not close, our own close is recorded instead.
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
    pub(super) fn happened_at(self, at: Option<Duration>) -> Self {
        let micros = at.and_then(|at| u64::try_from(at.as_micros()).ok());
        Self { at: micros.and_then(NonZeroU64::new), ..self }
    }

    /// How long after the start of the transcript the event happened; `None` if it is not known.
    #[must_use]
    pub fn at(&self) -> Option<Duration> {
        self.at.map(|at| Duration::from_micros(at.get()))
    }

    /// The number of bytes that the event holds of a dialogue, or of a text.
    pub(super) fn octets(&self) -> usize {
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
