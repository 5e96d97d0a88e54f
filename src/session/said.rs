//! What a peer said that it can do, kept until somebody asks.

use std::fmt;
use std::sync::LazyLock;

use bytes::Bytes;

use crate::proto::capabilities::Capabilities;

/// What the peer said that it can do, read once somebody asks: most sessions never do.
pub(super) struct Said(pub(super) LazyLock<Capabilities, Box<dyn FnOnce() -> Capabilities + Send>>);

impl Said {
    /// How a reply will be read, of which a copy is kept, and nothing else in memory with it.
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
