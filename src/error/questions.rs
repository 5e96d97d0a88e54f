//! What kind of error an error is.

use super::{Error, Kind};

impl Error {
    /// Whether the call itself is wrong, so that it would fail each time in the same way.
    #[cfg(feature = "script")]
    pub(crate) fn is_lasting(&self) -> bool {
        self.is_usage() && !self.0.is_of_moment
    }

    /// Whether the deadline ran out.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.0.kind == Kind::Timeout
    }

    /// Whether the peer closed or reset the connection unexpectedly.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.kind == Kind::Closed
    }

    /// Whether a whole reply came that is not the expected one.
    #[must_use]
    pub fn is_mismatch(&self) -> bool {
        self.0.kind == Kind::Mismatch
    }

    /// Whether something was about to be sent while a reply was owed or unread.
    #[must_use]
    pub fn is_out_of_step(&self) -> bool {
        self.0.kind == Kind::OutOfStep
    }

    /// Whether the peer sent bytes that the protocol does not allow.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        self.0.kind == Kind::Malformed
    }

    /// Whether more bytes arrived than the session may hold.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        self.0.kind == Kind::TooLong
    }

    /// Whether no connection could be made, for any reason, or the peer never sent anything.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        self.0.kind.is_unreachable()
    }

    /// Whether nothing listens at the target: an address refused the connection, and each other
    /// address refused it or could not be reached at all.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.0.kind == Kind::Refused
    }

    /// Whether nothing answered the attempt to connect until its deadline, as with a firewall that
    /// drops packets.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        self.0.kind == Kind::Filtered
    }

    /// Whether the name has no address, or could not be looked up.
    #[must_use]
    pub fn is_unresolved(&self) -> bool {
        matches!(self.0.kind, Kind::Unresolved | Kind::Lookup)
    }

    /// Whether the TLS handshake failed, or TLS broke off later.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.0.kind == Kind::Tls
    }

    /// Whether bytes came in clear after the go-ahead for TLS, before the handshake, where nothing
    /// may come.
    #[must_use]
    pub fn is_injected(&self) -> bool {
        self.0.kind == Kind::Injected
    }

    /// Whether the script or the call is wrong.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        self.0.kind == Kind::Usage
    }

    /// Whether the script expected too little: a reply was never expected, input was left unread,
    /// or nothing was expected at all.
    #[must_use]
    pub fn is_vacuous(&self) -> bool {
        self.0.kind == Kind::Vacuous
    }
}
