//! The kinds of errors.

/// The kind of an [`Error`](super::Error). Each kind has one name, which scripts see as `e.kind`,
/// and one exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A whole reply came that is not the expected one.
    Mismatch,
    /// The deadline ran out.
    Timeout,
    /// The peer closed or reset the connection unexpectedly.
    Closed,
    /// Something was about to be sent out of turn.
    OutOfStep,
    /// The peer sent bytes that the protocol does not allow at this place.
    Malformed,
    /// More bytes arrived than the session may hold.
    TooLong,
    /// Something came although the script expected that it would not come.
    Unexpected,
    /// The TLS handshake failed, or TLS broke off later.
    Tls,
    /// Bytes came in clear where only TLS may come.
    Injected,
    /// The script expected too little: a pass would have proved nothing.
    Vacuous,
    /// No connection could be made, or the peer never sent anything.
    Unreachable,
    /// Nothing listens at the target: the connection was refused.
    Refused,
    /// Nothing answered the attempt to connect, as with a firewall that drops packets.
    Filtered,
    /// The name does not exist, or has no address.
    Unresolved,
    /// A look-up failed, so that nothing is known about the name: the name server answered with an
    /// error, or not at all, or with something that cannot be read.
    Lookup,
    /// A check that the script makes itself failed.
    Assert,
    /// The script or the call is wrong.
    Usage,
    /// The operating system returned an error.
    Io,
    /// The session is in the middle of another operation.
    Busy,
}

impl Kind {
    /// Whether no server could be reached or talked to.
    pub(crate) fn is_unreachable(self) -> bool {
        matches!(
            self,
            Self::Unreachable | Self::Refused | Self::Filtered | Self::Unresolved | Self::Lookup
        )
    }

    /// All kinds of errors.
    #[cfg(feature = "script")]
    pub(crate) const ALL: [Self; 19] = [
        Self::Mismatch,
        Self::Timeout,
        Self::Closed,
        Self::OutOfStep,
        Self::Malformed,
        Self::TooLong,
        Self::Unexpected,
        Self::Tls,
        Self::Injected,
        Self::Vacuous,
        Self::Unreachable,
        Self::Refused,
        Self::Filtered,
        Self::Unresolved,
        Self::Lookup,
        Self::Assert,
        Self::Usage,
        Self::Io,
        Self::Busy,
    ];

    /// The name of the kind: `mismatch`, `timeout`, `closed`, `out-of-step`, `malformed`,
    /// `too-long`, `unexpected`, `tls`, `injected`, `vacuous`, `unreachable`, `refused`,
    /// `filtered`, `unresolved`, `lookup`, `assert`, `usage`, `io` or `busy`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mismatch => "mismatch",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::OutOfStep => "out-of-step",
            Self::Malformed => "malformed",
            Self::TooLong => "too-long",
            Self::Unexpected => "unexpected",
            Self::Tls => "tls",
            Self::Injected => "injected",
            Self::Vacuous => "vacuous",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Filtered => "filtered",
            Self::Unresolved => "unresolved",
            Self::Lookup => "lookup",
            Self::Assert => "assert",
            Self::Usage => "usage",
            Self::Io => "io",
            Self::Busy => "busy",
        }
    }
}
