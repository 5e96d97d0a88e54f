//! What a server says to one thing that came, and what comes after it.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::chance::Dice;

/// What the client is to send after an answer, or what the server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The next command line, or a response that was asked for.
    Line,
    /// The content of a message, up to its dot.
    Content,
    /// So many octets, and then the rest of the line.
    Literal(usize),
    /// So many octets that are not kept, and then the rest of the line.
    Skip(u64),
    /// Somebody else decides what the server does; nothing else is answered before.
    Ask,
    /// TLS is put on.
    Tls,
    /// The client's handshake is answered by what is no TLS.
    Garbage,
    /// The server closes.
    Close,
    /// The server closes its side alone, and hears the client out.
    HalfClose,
    /// The server closes without a word of TLS, and without waiting for the client.
    Cut,
    /// The server resets the connection.
    Reset,
    /// The server says nothing more, whatever the client sends.
    Stall,
    /// The server reads nothing more, and says nothing.
    Unread,
}

/// The pauses between octets.
#[derive(Clone, Debug)]
pub(super) struct Drip {
    pub(super) pause: Duration,
    /// The most that is added to each by chance.
    pub(super) jitter: Duration,
    pub(super) dice: Dice,
}

/// Dice are equal: what falls is not known before.
impl PartialEq for Drip {
    fn eq(&self, other: &Self) -> bool {
        (self.pause, self.jitter) == (other.pause, other.jitter)
    }
}

impl Eq for Drip {}

/// What the server says, and what comes after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) bytes: Vec<u8>,
    pub(super) next: Next,
    /// How long the server waits before it says that.
    pub(super) wait: Duration,
    /// It says that octet by octet.
    pub(super) drip: Option<Drip>,
    /// How many octets a second it reads from then on.
    pub(super) read_rate: Option<NonZeroU32>,
}

impl Said {
    pub(super) fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
            next: Next::Line,
            wait: Duration::ZERO,
            drip: None,
            read_rate: None,
        }
    }

    pub(super) fn nothing() -> Self {
        Self::new("")
    }

    pub(super) fn then(self, next: Next) -> Self {
        Self { next, ..self }
    }
}
