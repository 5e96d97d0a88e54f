//! The server's side of a protocol: a line in, an answer out. No input, no output, no clock.

use std::fmt;
use std::time::Duration;

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
    /// TLS is put on.
    Tls,
    /// The server closes.
    Close,
    /// The server closes without a word of TLS, and without waiting for the client.
    Cut,
    /// The server resets the connection.
    Reset,
    /// The server says nothing more, whatever the client sends.
    Stall,
}

/// What the server says, and what comes after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) bytes: Vec<u8>,
    pub(super) next: Next,
    /// How long the server waits before it says that.
    pub(super) wait: Duration,
    /// It says that octet by octet.
    pub(super) drips: bool,
}

impl Said {
    pub(super) fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), next: Next::Line, wait: Duration::ZERO, drips: false }
    }

    pub(super) fn nothing() -> Self {
        Self::new("")
    }

    pub(super) fn then(self, next: Next) -> Self {
        Self { next, ..self }
    }
}

/// One connection's side of a protocol.
pub(super) trait Dialogue: fmt::Debug + Send {
    /// What is said first.
    fn greeting(&mut self) -> Said;

    /// What is said to a client that has been silent for too long, before the server closes.
    fn idle(&mut self) -> Said;

    /// The answer to a line without its end.
    fn line(&mut self, text: &[u8]) -> Said;

    /// The answer to a command that has to be granted, whatever it is: a rule says so.
    fn line_granted(&mut self, text: &[u8]) -> Said {
        self.line(text)
    }

    /// Whether lines that are none are given to [`Dialogue::line`], as they came.
    fn takes_any_line(&self) -> bool {
        false
    }

    /// The answer to a line that is none.
    fn malformed(&mut self, why: &str) -> Said;

    /// The answer to the content or the literal that was asked for; `None` if it was larger than
    /// [`Dialogue::largest`].
    fn octets(&mut self, octets: Option<Vec<u8>>) -> Said;

    /// The answer to content or a literal that there was no room for.
    fn crowded(&mut self) -> Said;

    /// TLS has been put on; what the server says then.
    fn secured(&mut self) -> Said;

    /// The connection has come to its end.
    fn closed(&mut self) {}

    /// What the server has to tell without being asked, just now.
    fn news(&mut self) -> Option<Vec<u8>> {
        None
    }

    /// The longest line that a client may send, its end counted.
    fn longest_line(&self) -> usize {
        4096
    }

    /// The most octets of a message.
    fn largest(&self) -> usize {
        LARGEST
    }
}

/// The largest message (RFC 1870).
pub(super) const LARGEST: usize = 10_485_760;
/// The largest command of somebody who has not logged in.
pub(super) const LARGEST_OF_STRANGERS: usize = 64 << 10;
