//! The state of a port after an attempt to connect to it.

use std::fmt;

use crate::error::{Error, Kind};

/// The state of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// A connection was made.
    Open,
    /// The connection was refused: the host is up, and nothing listens at the port.
    Closed,
    /// Nothing answered until the deadline, as with a firewall that drops packets.
    Filtered,
    /// The host cannot be reached; the text is the system's error.
    Unreachable(String),
}

/// The names of the states, in options and in output.
pub(crate) const NAMES: [&str; 4] = ["open", "closed", "filtered", "unreachable"];

impl State {
    /// The state that an error of connecting implies; `None` if the error is about something else.
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

    /// The state with this name.
    ///
    /// # Errors
    /// A message with the known names.
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        Ok(match name {
            "open" => Self::Open,
            "closed" => Self::Closed,
            "filtered" => Self::Filtered,
            "unreachable" => Self::Unreachable(String::new()),
            _ => return Err(format!("`{name}` is no state of a port; {}", NAMES.join(", "))),
        })
    }

    /// Whether both are the same state; the reason is not compared.
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
