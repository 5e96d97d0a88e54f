//! How a session ended, and whether the transcript records it already.

use std::process::ExitStatus;
use std::time::Duration;

use super::role::Role;
use crate::transcript::Close;

/// The state of the end of a dialogue.
#[derive(Debug)]
pub(super) struct Ending {
    /// How the peer ended its side, once we have seen that.
    peer: Option<Close>,
    /// Whose end the transcript has, if it has one, because an operation expected it or failed over
    /// it.
    noted: Option<By>,
    /// Whether we have closed our side for sending.
    half_closed: bool,
    /// Whether a wait for the peer is in progress, or the last one ended without anything from it.
    awaited: bool,
    /// How the command that the session speaks with has exited, and whether that was judged.
    exit: Option<(ExitStatus, bool)>,
    /// How long the end waits for what the peer still sends.
    grace: Duration,
}

/// Who ended a dialogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Peer,
    Us,
}

impl Ending {
    pub(super) fn new(grace: Duration) -> Self {
        Self { peer: None, noted: None, half_closed: false, awaited: false, exit: None, grace }
    }

    /// Records that the peer ended its side. If this is called again, the first call counts.
    pub(super) fn seen(&mut self, how: Close) {
        self.peer.get_or_insert(how);
    }

    /// Whether the peer has ended its side.
    pub(super) fn is_seen(&self) -> bool {
        self.peer.is_some()
    }

    /// How the peer ended its side; `None` if it has not.
    pub(super) fn of_peer(&self) -> Option<Close> {
        self.peer
    }

    /// Whether the transcript has the end.
    pub(super) fn is_noted(&self) -> bool {
        self.noted.is_some()
    }

    /// Whether the peer has ended the dialogue, and the transcript has that.
    pub(super) fn is_by_peer(&self) -> bool {
        self.noted == Some(By::Peer)
    }

    /// Returns the end of the peer's side for the transcript, once; `None` after that.
    pub(super) fn note(&mut self) -> Option<Close> {
        let end = self.peer.filter(|_| self.noted.is_none())?;
        self.noted = Some(By::Peer);
        Some(end)
    }

    /// Whether to write our own end into the transcript: only once, and only if the peer's end is
    /// not there.
    pub(super) fn note_ours(&mut self) -> bool {
        let is_first = self.noted.is_none();
        self.noted.get_or_insert(By::Us);
        is_first
    }

    /// Records that we have closed our side for sending.
    pub(super) fn half_close(&mut self) {
        self.half_closed = true;
    }

    pub(super) fn is_half_closed(&self) -> bool {
        self.half_closed
    }

    /// Records that a wait for the peer begins.
    pub(super) fn awaits(&mut self) {
        self.awaited = true;
    }

    /// Records that something came of the peer: bytes, its end or an error.
    pub(super) fn heard(&mut self) {
        self.awaited = false;
    }

    /// Returns our end for the transcript. After QUIT or LOGOUT both sides close, so the transcript
    /// does not depend on which side closes first, unless we waited for the peer and it did not
    /// close.
    pub(super) fn ours(&self, agreed: bool, role: Role) -> Close {
        if agreed && !self.awaited { Close::Agreed } else { role.closes() }
    }

    /// Records how the command has exited.
    pub(super) fn exited(&mut self, status: ExitStatus) {
        self.exit.get_or_insert((status, false));
    }

    /// How the command has exited, if it has.
    pub(super) fn exit(&self) -> Option<ExitStatus> {
        self.exit.map(|(status, _)| status)
    }

    /// How the command has exited, if it has failed and no operation has judged that.
    pub(super) fn unjudged_exit(&self) -> Option<ExitStatus> {
        let unjudged = self.exit.filter(|(status, judged)| !judged && !status.success());
        unjudged.map(|(status, _)| status)
    }

    /// Records that the exit of the command was judged, or must not be.
    pub(super) fn judge_exit(&mut self) {
        if let Some((_, judged)) = &mut self.exit {
            *judged = true;
        }
    }

    pub(super) fn grace(&self) -> Duration {
        self.grace
    }
}
