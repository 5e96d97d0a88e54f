//! What a session writes down: its number, the transcript, and what must not stand in it.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use super::role::Role;
use crate::secrets::Secrets;
use crate::transcript::{Excerpt, Gathering, Passed, SessionId, Transcript, What};
use crate::visible;

/// How much of what came an error shows.
pub(super) const SHOWN: usize = 1000;

/// The record of one session: nothing gets into it, or into an error, before secrets are masked.
#[derive(Debug)]
pub(super) struct Record {
    id: SessionId,
    role: Role,
    transcript: Transcript,
    secrets: Secrets,
    /// What a search has let go of and not recorded yet.
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

    /// Something happened.
    pub(super) fn note(&self, what: What) {
        self.transcript.record_on(self.id, what);
    }

    /// We said this.
    pub(super) fn sent(&self, excerpt: Excerpt) {
        self.note(self.role.sent(excerpt));
    }

    /// We wrote this, secrets masked.
    pub(super) fn wrote(&self, bytes: &Bytes) {
        if let Some(tape) = self.transcript.tape() {
            let passed = match self.role {
                Role::Client => Passed::Client(bytes.clone()),
                Role::Server => Passed::Server(bytes.clone()),
            };
            tape.pass(Some(self.id), passed);
        }
    }

    /// One read brought this.
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

    /// TLS is spoken from here on.
    pub(super) fn secured(&self, facts: impl FnOnce() -> Vec<(&'static str, String)>) {
        if let Some(tape) = self.transcript.tape() {
            tape.pass(Some(self.id), Passed::Secured(facts()));
        }
    }

    /// The peer said this, and something took it.
    pub(super) fn taken(&self, excerpt: Excerpt) {
        self.note(self.role.received(excerpt));
    }

    /// The peer said this, and nobody wants to keep it.
    pub(super) fn skip(&mut self, bytes: Bytes) {
        let masked = self.masked(bytes, &[]);
        self.skipped.push(&masked);
    }

    pub(super) fn has_skipped(&self) -> bool {
        !self.skipped.is_empty()
    }

    /// Writes what a search let go of into the transcript, if that was not done with its match.
    pub(super) fn note_skipped(&mut self) {
        if !self.skipped.is_empty() {
            let skipped = std::mem::take(&mut self.skipped).finish();
            self.taken(skipped);
        }
    }

    /// The bytes without what is known to be secret, and without these spans of them.
    pub(super) fn masked(&self, bytes: Bytes, spans: &[Range<usize>]) -> Bytes {
        match self.secrets.mask(&bytes, spans) {
            Cow::Borrowed(_) => bytes,
            Cow::Owned(masked) => masked.into(),
        }
    }

    /// Bytes as an error shows them.
    pub(super) fn shown(&self, bytes: &[u8], spans: &[Range<usize>]) -> String {
        visible::excerpt(&self.secrets.mask(bytes, spans), SHOWN)
    }
}
