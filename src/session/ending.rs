//! How a session comes to its end, and whether the transcript has that already.

use std::time::Duration;

use crate::transcript::Close;

/// The end of a dialogue, as far as it has come.
#[derive(Debug)]
pub(super) struct Ending {
    /// How the peer ended its side, once that was seen.
    peer: Option<Close>,
    /// The end is in the transcript: something expected it, or failed over it.
    noted: bool,
    /// We have said that we will send no more.
    half_closed: bool,
    /// How long the peer's last words are waited for at the end.
    grace: Duration,
}

impl Ending {
    pub(super) fn new(grace: Duration) -> Self {
        Self { peer: None, noted: false, half_closed: false, grace }
    }

    /// The peer ended its side; what was seen first holds.
    pub(super) fn seen(&mut self, how: Close) {
        self.peer.get_or_insert(how);
    }

    /// Whether the peer has ended its side.
    pub(super) fn is_seen(&self) -> bool {
        self.peer.is_some()
    }

    /// How the peer ended its side.
    pub(super) fn of_peer(&self) -> Option<Close> {
        self.peer
    }

    /// Whether the transcript has the end.
    pub(super) fn is_noted(&self) -> bool {
        self.noted
    }

    /// The peer's end, for the transcript to have it once.
    pub(super) fn note(&mut self) -> Option<Close> {
        let end = self.peer.filter(|_| !self.noted)?;
        self.noted = true;
        Some(end)
    }

    /// Whether our own end is still to be written into the transcript: that is so once, and only if
    /// the peer's end has not been.
    pub(super) fn note_ours(&mut self) -> bool {
        !std::mem::replace(&mut self.noted, true)
    }

    /// We will send no more.
    pub(super) fn half_close(&mut self) {
        self.half_closed = true;
    }

    pub(super) fn is_half_closed(&self) -> bool {
        self.half_closed
    }

    pub(super) fn grace(&self) -> Duration {
        self.grace
    }
}
