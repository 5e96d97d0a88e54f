//! What sort of failure an error is.

/// What sort of failure an [`Error`](super::Error) is. Each has one name, shown to scripts as `e.kind`, and one
/// exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A whole reply came and is another one.
    Mismatch,
    /// The deadline ran out.
    Timeout,
    /// The peer closed or reset the connection and nobody expected it.
    Closed,
    /// Something was about to be sent out of turn.
    OutOfStep,
    /// The bytes are not what the protocol allows there.
    Malformed,
    /// More bytes than the session may hold.
    TooLong,
    /// Something came that had to stay away.
    Unexpected,
    /// TLS could not be put on, or broke off.
    Tls,
    /// Something came in clear where TLS had to come.
    Injected,
    /// The script asked for too little: a green run would have proved nothing.
    Vacuous,
    /// No connection, or a peer that never said a word.
    Unreachable,
    /// Nothing listens there: the connection was refused.
    Refused,
    /// Nothing answered an attempt to connect, which is what a firewall does that drops packets.
    Filtered,
    /// The name has no address.
    Unresolved,
    /// A check of the script's own failed.
    Assert,
    /// The script or the call is wrong.
    Usage,
    /// The machine said no.
    Io,
    /// The session is in the middle of another operation.
    Busy,
}

impl Kind {
    /// Whether there was nobody to talk to.
    pub(crate) fn is_unreachable(self) -> bool {
        matches!(self, Self::Unreachable | Self::Refused | Self::Filtered | Self::Unresolved)
    }

    /// All of them.
    #[cfg(feature = "script")]
    pub(crate) const ALL: [Self; 18] = [
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
        Self::Assert,
        Self::Usage,
        Self::Io,
        Self::Busy,
    ];

    /// The name: `mismatch`, `timeout`, `closed`, `out-of-step`, `malformed`, `too-long`,
    /// `unexpected`, `tls`, `injected`, `vacuous`, `unreachable`, `refused`, `filtered`,
    /// `unresolved`, `assert`, `usage`, `io` or `busy`.
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
            Self::Assert => "assert",
            Self::Usage => "usage",
            Self::Io => "io",
            Self::Busy => "busy",
        }
    }
}
