//! Which side of a dialogue a session plays.

use std::fmt;

use crate::transcript::{Close, Excerpt, What};

/// Which side we are.
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

    /// What we say, as the transcript has it: `S:` is the server, whoever plays it.
    pub(super) fn sent(self, excerpt: Excerpt) -> What {
        match self {
            Self::Client => What::Client(excerpt),
            Self::Server => What::Server(excerpt),
        }
    }

    /// What the peer says.
    pub(super) fn received(self, excerpt: Excerpt) -> What {
        self.peer().sent(excerpt)
    }

    /// What the peer said and nobody took.
    pub(super) fn unread(self, excerpt: Excerpt) -> What {
        match self {
            Self::Client => What::Unread(excerpt),
            Self::Server => What::UnreadClient(excerpt),
        }
    }

    /// This side closed the connection.
    pub(super) fn closes(self) -> Close {
        match self {
            Self::Client => Close::ByClient,
            Self::Server => Close::ByServer,
        }
    }

    /// This side will send no more.
    pub(super) fn half_closes(self) -> Close {
        match self {
            Self::Client => Close::HalfByClient,
            Self::Server => Close::HalfByServer,
        }
    }

    /// This side reset the connection.
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
