//! The side of a dialogue that a session plays.

use std::fmt;

use crate::transcript::{Close, Excerpt, What};

/// The side that we play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// We connect and send commands.
    Client,
    /// We accept connections and answer commands.
    Server,
}

impl Role {
    /// The other side.
    pub(super) fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// The transcript's event for what this side says: `S:` is the server, whether or not we play
    /// it.
    pub(super) fn sent(self, excerpt: Excerpt) -> What {
        match self {
            Self::Client => What::Client(excerpt),
            Self::Server => What::Server(excerpt),
        }
    }

    /// The transcript's event for what the peer says.
    pub(super) fn received(self, excerpt: Excerpt) -> What {
        self.peer().sent(excerpt)
    }

    /// The transcript's event for what the peer said and no operation took.
    pub(super) fn unread(self, excerpt: Excerpt) -> What {
        match self {
            Self::Client => What::Unread(excerpt),
            Self::Server => What::UnreadClient(excerpt),
        }
    }

    /// The transcript's event if this side closed the connection.
    pub(super) fn closes(self) -> Close {
        match self {
            Self::Client => Close::ByClient,
            Self::Server => Close::ByServer,
        }
    }

    /// The transcript's event if this side closed for sending only.
    pub(super) fn half_closes(self) -> Close {
        match self {
            Self::Client => Close::HalfByClient,
            Self::Server => Close::HalfByServer,
        }
    }

    /// The transcript's event if this side reset the connection.
    pub(super) fn resets(self) -> Close {
        match self {
            Self::Client => Close::ResetByClient,
            Self::Server => Close::ResetByServer,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}
