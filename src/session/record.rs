//! The record of a session: its number, its transcript, and the secrets that must not stand in it.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use super::role::Role;
use crate::secrets::Secrets;
use crate::transcript::{Excerpt, Gathering, Passed, SessionId, Transcript, What};
use crate::visible;

/// How many bytes of what came an error shows.
pub(super) const SHOWN: usize = 1000;

/// The record of one session. Secrets are masked before anything gets into it or into an error.
#[derive(Debug)]
pub(super) struct Record {
    id: SessionId,
    role: Role,
    transcript: Transcript,
    secrets: Secrets,
    /// Bytes that a search has dropped and that are not in the transcript yet.
    skipped: Gathering,
}

impl Record {
    pub(super) fn new(id: SessionId, role: Role, transcript: Transcript) -> Self {
        let secrets = Secrets::of(transcript.learned());
        Self { id, role, transcript, secrets, skipped: Gathering::default() }
    }

    pub(super) fn id(&self) -> SessionId {
        self.id
    }

    pub(super) fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    pub(super) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    pub(super) fn secrets_mut(&mut self) -> &mut Secrets {
        &mut self.secrets
    }

    /// Writes an event into the transcript.
    pub(super) fn note(&self, what: What) {
        self.transcript.record_on(self.id, what);
    }

    /// Writes into the transcript that we sent this.
    pub(super) fn sent(&self, excerpt: Excerpt) {
        self.note(self.role.sent(excerpt));
    }

    /// Writes onto the tape that we wrote these bytes. Their secrets have to be masked already.
    pub(super) fn wrote(&self, bytes: &Bytes) {
        if let Some(tape) = self.transcript.tape() {
            let passed = match self.role {
                Role::Client => Passed::Client(bytes.clone()),
                Role::Server => Passed::Server(bytes.clone()),
            };
            tape.pass(Some(self.id), passed);
        }
    }

    /// Writes onto the tape that one read returned these bytes.
    pub(super) fn read(&self, bytes: &[u8]) {
        if let Some(tape) = self.transcript.tape() {
            let bytes = Bytes::copy_from_slice(bytes);
            let passed = match self.role {
                Role::Client => Passed::Server(bytes),
                Role::Server => Passed::Client(bytes),
            };
            tape.pass(Some(self.id), passed);
        }
    }

    /// Writes onto the tape that TLS begins here.
    pub(super) fn secured(&self, facts: impl FnOnce() -> Vec<(&'static str, String)>) {
        if let Some(tape) = self.transcript.tape() {
            tape.pass(Some(self.id), Passed::Secured(facts()));
        }
    }

    /// Writes into the transcript that the peer said this and that an operation took it.
    pub(super) fn taken(&self, excerpt: Excerpt) {
        self.note(self.role.received(excerpt));
    }

    /// Holds bytes of the peer that no operation keeps, until `note_skipped` writes them into the
    /// transcript.
    pub(super) fn skip(&mut self, bytes: Bytes) {
        let masked = self.masked(bytes, &[]);
        self.skipped.push(&masked);
    }

    pub(super) fn has_skipped(&self) -> bool {
        !self.skipped.is_empty()
    }

    /// Writes bytes that a search dropped into the transcript, if the match has not done that.
    pub(super) fn note_skipped(&mut self) {
        if !self.skipped.is_empty() {
            let skipped = std::mem::take(&mut self.skipped).finish();
            self.taken(skipped);
        }
    }

    /// The bytes with known secrets masked, and with these spans masked.
    pub(super) fn masked(&self, bytes: Bytes, spans: &[Range<usize>]) -> Bytes {
        match self.secrets.mask(&bytes, spans) {
            Cow::Borrowed(_) => bytes,
            Cow::Owned(masked) => masked.into(),
        }
    }

    /// The bytes as an error shows them: masked, and cut at `SHOWN`.
    pub(super) fn shown(&self, bytes: &[u8], spans: &[Range<usize>]) -> String {
        visible::excerpt(&self.secrets.mask(bytes, spans), SHOWN)
    }
}
