//! How deep a probe goes. A greeting alone does not show, for example, that RCPT hangs.

use std::fmt;
use std::str::FromStr;

/// How far a dialogue should get, from the greeting to the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// The server sends its greeting.
    Banner,
    /// The server answers EHLO, or the equivalent in its protocol.
    Ehlo,
    /// TLS is in use.
    Tls,
    /// The server accepts a user and a password.
    Auth,
    /// The server accepts a sender and a recipient, and then RSET.
    Rcpt,
    /// The server accepts a message.
    Data,
    /// The message has arrived in the mailbox.
    Delivered,
}

impl Depth {
    pub(crate) const ALL: [Self; 7] =
        [Self::Banner, Self::Ehlo, Self::Tls, Self::Auth, Self::Rcpt, Self::Data, Self::Delivered];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Banner => "banner",
            Self::Ehlo => "ehlo",
            Self::Tls => "tls",
            Self::Auth => "auth",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Delivered => "delivered",
        }
    }

    /// The next depth; `None` after the last.
    pub(crate) fn next(self) -> Option<Self> {
        Self::ALL.into_iter().find(|depth| *depth > self)
    }
}

impl fmt::Display for Depth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Depth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|depth| depth.name().eq_ignore_ascii_case(text)).ok_or_else(|| {
            "a depth is banner, ehlo, tls, auth, rcpt, data or delivered, each with all before it"
                .to_owned()
        })
    }
}
