//! The capabilities that a peer announced, parsed only when they are needed.

use std::fmt;
use std::sync::LazyLock;

use bytes::Bytes;

use crate::proto::capabilities::Capabilities;

/// The capabilities that the peer announced. They are parsed on first use, because most sessions
/// never use them.
pub(super) struct Said(pub(super) LazyLock<Capabilities, Box<dyn FnOnce() -> Capabilities + Send>>);

impl Said {
    /// Copies the reply, to be parsed with `read` on first use. The copy keeps no larger buffer
    /// alive.
    pub(super) fn new(reply: &[u8], read: fn(&[u8]) -> Capabilities) -> Self {
        let reply = Bytes::copy_from_slice(reply);
        Self(LazyLock::new(Box::new(move || read(&reply))))
    }
}

impl From<Capabilities> for Said {
    fn from(capabilities: Capabilities) -> Self {
        Self(LazyLock::new(Box::new(move || capabilities)))
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Said").field(&*self.0).finish()
    }
}
