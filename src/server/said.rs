//! What a server says to one thing that came, and what comes after it.

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
    /// Somebody else decides what the server does; nothing else is answered before.
    Ask,
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
