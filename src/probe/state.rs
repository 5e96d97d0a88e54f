//! What is known of a port after an attempt to connect to it.

use std::fmt;

use crate::error::{Error, Kind};

/// The state of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// A connection was made.
    Open,
    /// The connection was refused: the host is there, and nothing listens.
    Closed,
    /// Nothing answered until the deadline, as behind a firewall that drops packets.
    Filtered,
    /// There is no way to the host, in the words of the system.
    Unreachable(String),
}

/// The names of states, as they are given and shown.
pub(crate) const NAMES: [&str; 4] = ["open", "closed", "filtered", "unreachable"];

impl State {
    /// What an error of connecting says of the port; `None` if it is about something else.
    pub(crate) fn of(error: &Error) -> Option<Self> {
        match error.kind() {
            Kind::Refused => Some(Self::Closed),
            Kind::Filtered => Some(Self::Filtered),
            Kind::Unreachable => {
                Some(Self::Unreachable(error.got().unwrap_or("unreachable").to_owned()))
            }
            _ => None,
        }
    }

    /// The state of that name.
    ///
    /// # Errors
    /// The names that there are.
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        Ok(match name {
            "open" => Self::Open,
            "closed" => Self::Closed,
            "filtered" => Self::Filtered,
            "unreachable" => Self::Unreachable(String::new()),
            _ => return Err(format!("`{name}` is no state of a port; {}", NAMES.join(", "))),
        })
    }

    /// Whether it is the same, whatever the reason.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.name() == other.name()
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Open => NAMES[0],
            Self::Closed => NAMES[1],
            Self::Filtered => NAMES[2],
            Self::Unreachable(_) => NAMES[3],
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
