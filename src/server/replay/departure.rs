//! The ways in which a client can depart from a dialogue.

use std::fmt;
use std::io;

/// How the client departed from the dialogue.
#[derive(Debug)]
#[non_exhaustive]
pub enum Departure {
    /// The client sent another line, or closed.
    Line {
        /// The line in the dialogue, with control characters escaped and secrets masked; `None` if
        /// the client had to close.
        wanted: Option<String>,
        /// The line that the client sent, without its CRLF and with secrets masked; `None` if the
        /// client closed.
        got: Option<String>,
    },
    /// The client did not begin TLS, or broke off the handshake.
    Tls(io::Error),
    /// No client connected.
    Nobody,
    /// Fewer clients connected than there are dialogues.
    Fewer {
        /// How many clients connected.
        came: usize,
        /// How many clients had to connect.
        wanted: usize,
    },
    /// The connection failed.
    Io(io::Error),
}

impl fmt::Display for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { wanted, got } => {
                match wanted {
                    Some(wanted) => write!(f, "the client had to send `{wanted}`")?,
                    None => f.write_str("the client had to close")?,
                }
                match got {
                    Some(got) => write!(f, " and sent `{got}`"),
                    None => f.write_str(" and closed"),
                }
            }
            Self::Tls(error) => write!(f, "the client did not go through with TLS: {error}"),
            Self::Fewer { came, wanted } => {
                write!(f, "{wanted} clients had to connect, and {came} did")
            }
            Self::Nobody => f.write_str("no client connected"),
            Self::Io(error) => write!(f, "the connection failed: {error}"),
        }
    }
}

impl std::error::Error for Departure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) | Self::Tls(error) => Some(error),
            Self::Line { .. } | Self::Nobody | Self::Fewer { .. } => None,
        }
    }
}

impl From<io::Error> for Departure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
