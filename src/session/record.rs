//! The record of a session: its number, its transcript, and the secrets that must not stand in it.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use super::role::Role;
use crate::proto::chomp;
use crate::secrets::{Pieces, Secrets, mask_spans};
use crate::transcript::{Excerpt, Gathering, Passed, SessionId, Transcript, What};
use crate::visible;

/// How many bytes of what came an error shows.
pub(super) const SHOWN: usize = 1000;
/// How much of a flood is looked through for secrets. It is more than is shown, because a secret may
/// stand across the end of what is shown.
const LOOKED_THROUGH: usize = 64 << 10;

/// The record of one session. Secrets are masked before anything gets into it or into an error.
#[derive(Debug)]
pub(super) struct Record {
    id: SessionId,
    role: Role,
    transcript: Transcript,
    secrets: Secrets,
    /// Bytes that a search has dropped and that are not in the transcript yet.
    skipped: Gathering,
    /// The last of these bytes.
    pieces: Pieces,
}

impl Record {
    pub(super) fn new(id: SessionId, role: Role, transcript: Transcript) -> Self {
        let secrets = Secrets::of(transcript.learned());
        Self {
            id,
            role,
            transcript,
            secrets,
            skipped: Gathering::default(),
            pieces: Pieces::default(),
        }
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

    /// Writes onto the tape that TLS begins here. The names in it may be secrets.
    pub(super) fn secured(&self, facts: impl FnOnce() -> Vec<(&'static str, String)>) {
        if let Some(tape) = self.transcript.tape() {
            let mut facts = facts();
            for (_, fact) in &mut facts {
                self.secrets.mask_text(fact);
            }
            tape.pass(Some(self.id), Passed::Secured(facts));
        }
    }

    /// Writes into the transcript that the peer said this and that an operation took it.
    pub(super) fn taken(&self, excerpt: Excerpt) {
        self.note(self.role.received(excerpt));
    }

    /// Holds bytes of the peer that no operation keeps, with these spans secret, until
    /// `note_skipped` writes them into the transcript.
    pub(super) fn skip(&mut self, bytes: &[u8], spans: &[Range<usize>]) {
        let masked = self.pieces.push(&mask_spans(bytes, spans), &self.secrets);
        self.skipped.push(&masked);
    }

    pub(super) fn has_skipped(&self) -> bool {
        !self.skipped.is_empty() || !self.pieces.is_empty()
    }

    /// Writes bytes that a search dropped into the transcript, if the match has not done that.
    pub(super) fn note_skipped(&mut self) {
        if self.has_skipped() {
            let mut skipped = std::mem::take(&mut self.skipped);
            skipped.push(&self.pieces.finish(&self.secrets));
            self.taken(skipped.finish());
        }
    }

    /// The bytes with known secrets masked, and with these spans masked.
    pub(super) fn masked(&self, bytes: Bytes, spans: &[Range<usize>]) -> Bytes {
        match self.secrets.mask(&bytes, spans) {
            Cow::Borrowed(_) => bytes,
            Cow::Owned(masked) => masked.into(),
        }
    }

    /// A part of the bytes, masked as the whole.
    pub(super) fn masked_part(
        &self,
        bytes: &Bytes,
        spans: &[Range<usize>],
        part: Range<usize>,
    ) -> Bytes {
        let inside = |span: &Range<usize>| {
            let (start, end) = (span.start.max(part.start), span.end.min(part.end));
            (start < end).then(|| start - part.start..end - part.start)
        };
        let spans: Vec<_> = spans.iter().filter_map(inside).collect();
        self.masked(bytes.slice(part), &spans)
    }

    /// The bytes as an error shows them: masked, and cut at `SHOWN`.
    pub(super) fn shown(&self, bytes: &[u8], spans: &[Range<usize>]) -> String {
        let (head, more) = self.head(bytes, spans);
        with_more(visible::escape(&head), more)
    }

    /// The lines of a reply as an error shows them: without line ends, masked, and cut at `SHOWN`.
    pub(super) fn shown_lines(&self, bytes: &[u8]) -> String {
        let (head, more) = self.head(bytes, &[]);
        let lines: Vec<_> = chomp(&head)
            .split(|byte| *byte == b'\n')
            .map(|line| visible::escape(chomp(line)))
            .collect();
        with_more(lines.join("\n"), more)
    }

    /// The first `SHOWN` of the bytes, masked, and how many more there are. Only the beginning of
    /// a flood is looked through for secrets, because to search 32 MiB takes longer than a script
    /// may run on after its deadline.
    fn head<'a>(&self, bytes: &'a [u8], spans: &[Range<usize>]) -> (Cow<'a, [u8]>, usize) {
        let part = looked_through(bytes);
        let clipped = |span: &Range<usize>| span.start.min(part.len())..span.end.min(part.len());
        let spans: Vec<_> = spans.iter().map(clipped).filter(|span| !span.is_empty()).collect();
        let masked = self.secrets.mask(part, &spans);
        let more = masked.len().saturating_sub(SHOWN) + bytes.len() - part.len();
        let head = match masked {
            Cow::Borrowed(masked) => Cow::Borrowed(&masked[..masked.len().min(SHOWN)]),
            Cow::Owned(mut masked) => {
                masked.truncate(SHOWN);
                Cow::Owned(masked)
            }
        };
        (head, more)
    }
}

/// The beginning of the bytes, in which secrets are looked for before less of it is shown.
pub(super) fn looked_through(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(LOOKED_THROUGH)]
}

/// A text that is shown, with the number of bytes that are not.
fn with_more(shown: String, more: usize) -> String {
    if more == 0 { shown } else { format!("{shown} ... ({more} more bytes)") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginning_of_a_flood_is_searched_for_secrets() {
        let transcript = Transcript::default();
        transcript.learned().learn(b"s3cret-pw");
        let record = Record::new(SessionId::of(1), Role::Client, transcript);
        let mut flood = vec![b'a'; 1 << 20];
        for at in [10, SHOWN - 9, flood.len() - 100] {
            flood[at..at + 9].copy_from_slice(b"s3cret-pw");
        }
        let spans = [5..7, flood.len() - 3..flood.len()];
        let (head, more) = record.head(&flood, &spans);
        assert!(head.starts_with(b"aaaaa[SECRET]aaa[SECRET]aaa"));
        // A secret across the end of what is shown is masked.
        assert!(head.ends_with(b"aaaa[SEC") && head.len() == SHOWN);
        // A mask has 8 bytes, in place of 2, of 9 and of 9. What is not searched counts as it came.
        assert_eq!(head.len() + more, flood.len() + 6 - 1 - 1);
    }
}
