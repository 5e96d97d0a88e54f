//! How deep a probe looks. A green banner says nothing of a RCPT that hangs.

use std::fmt;
use std::str::FromStr;

/// How far a dialogue is to get, from the greeting to the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// The server greets.
    Banner,
    /// It answers EHLO, or what its protocol has for that.
    Ehlo,
    /// TLS is up.
    Tls,
    /// It takes a user and a password.
    Auth,
    /// It takes a sender and a recipient, and then RSET.
    Rcpt,
    /// It takes a message.
    Data,
    /// The message is in the mailbox.
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

    /// The one after it; none after the last.
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
        Self::ALL.into_iter().find(|depth| depth.name() == text).ok_or_else(|| {
            "a depth is banner, ehlo, tls, auth, rcpt, data or delivered, each with all before it"
                .to_owned()
        })
    }
}
