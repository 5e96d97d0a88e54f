//! The answer of a server to one input, and what comes after the answer.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::chance::Dice;

/// What the client sends after an answer, or what the server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The client sends a command line, or the response to a challenge.
    Line,
    /// The client sends the content of a message, up to its final dot.
    Content,
    /// The client sends this many bytes, then the rest of the line.
    Literal(usize),
    /// The client sends this many bytes, which are discarded, then the rest of the line.
    Skip(u64),
    /// A decider says what the server does; until then, nothing is answered.
    Ask,
    /// The server makes a TLS handshake.
    Tls,
    /// The server answers the client's TLS handshake with bytes that are not TLS.
    Garbage,
    /// The server closes the connection.
    Close,
    /// The server closes for sending only, and reads until the client closes.
    HalfClose,
    /// The server closes without a `close_notify`, and without waiting for the client.
    Cut,
    /// The server resets the connection.
    Reset,
    /// The server sends nothing more, and discards what the client sends.
    Stall,
    /// The server neither reads nor sends any more.
    Unread,
}

/// The pauses between bytes of a slow answer.
#[derive(Clone, Debug)]
pub(super) struct Drip {
    pub(super) pause: Duration,
    /// The most random time that is added to each pause.
    pub(super) jitter: Duration,
    pub(super) dice: Dice,
}

/// Compares the pauses only: the random numbers to come are not known yet.
impl PartialEq for Drip {
    fn eq(&self, other: &Self) -> bool {
        (self.pause, self.jitter) == (other.pause, other.jitter)
    }
}

impl Eq for Drip {}

/// An answer, and what comes after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) bytes: Vec<u8>,
    pub(super) next: Next,
    /// How long the server waits before it sends the answer.
    pub(super) wait: Duration,
    /// If set, the answer is sent one byte at a time.
    pub(super) drip: Option<Drip>,
    /// The bytes a second that the server reads from now on, if the answer changes the rate.
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
