//! Writes one connection into the transcript: lines, messages and replies, with secrets masked.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use rustls::ServerConnection;

use super::budget::{Budget, Held};
use super::input::Line;
use crate::proto::{self, Protocol, Speech};
use crate::secrets::{Pieces, Secrets, mask_spans};
use crate::tls;
use crate::transcript::{Close, Excerpt, Gathering, SessionId, Transcript, What};

/// The session of one connection in a transcript.
#[derive(Debug)]
pub(super) struct Recorder {
    transcript: Transcript,
    session: SessionId,
    /// Follows the dialogue as a client would, to know which lines contain secrets.
    tracker: Box<dyn Protocol>,
    secrets: Secrets,
    /// The end of the message that the client is sending.
    pieces: Pieces,
    message: Gathering,
    closed: bool,
    /// What the server holds for the connection: its buffers.
    _held: Held,
    budget: Budget,
}

/// What a connection takes besides its events.
const CONNECTION: usize = 16 << 10;

impl Recorder {
    /// Opens a session for a connection from this address.
    pub(super) fn open(
        transcript: Transcript,
        speech: Speech,
        peer: SocketAddr,
        budget: &Budget,
    ) -> Self {
        let facts = speech.facts();
        let name = facts.schemes.first().map_or("tcp", |scheme| scheme.plain_name());
        let session = transcript.open();
        transcript.record_on(session, What::Accepted(format!("{name}://{peer}")));
        Self {
            secrets: Secrets::of(transcript.learned()),
            transcript,
            session,
            tracker: (facts.dialogue)(name),
            pieces: Pieces::default(),
            message: Gathering::default(),
            closed: false,
            _held: Held::new(budget, CONNECTION),
            budget: budget.clone(),
        }
    }

    /// Records a command line, or a response to a challenge, that the client sent. Returns the line
    /// with its secrets masked.
    pub(super) fn line(&mut self, line: &Line) -> Bytes {
        let spans = proto::secrets_of_rest(self.tracker.as_mut(), &line.kept, &mut self.secrets);
        let masked = Bytes::from(self.secrets.mask(&line.kept, &spans).into_owned());
        let (shown, meaning) = (masked.clone(), self.secrets.take_meaning());
        let excerpt =
            if line.omitted > 0 { Excerpt::cut(shown, line.omitted) } else { shown.into() }
                .with_meaning(meaning);
        if self.message.is_empty() && self.pieces.is_empty() {
            self.record(What::Client(excerpt));
        } else {
            // The line is the rest of a command with a literal.
            self.content(excerpt.head());
            self.flush();
        }
        masked
    }

    /// A line that the client has to send now, with its secrets masked.
    pub(super) fn masked(&self, line: &[u8]) -> Vec<u8> {
        self.secrets.mask(line, &self.tracker.secrets(line)).into_owned()
    }

    /// Records bytes of a literal that the client sent.
    pub(super) fn literal(&mut self, octets: &[u8]) {
        let spans = self.tracker.sent(octets, &mut self.secrets);
        self.content(&mask_spans(octets, &spans));
    }

    /// Records bytes of a message that the client sent.
    pub(super) fn content(&mut self, bytes: &[u8]) {
        let masked = self.pieces.push(bytes, &self.secrets);
        self.message.push(&masked);
    }

    /// Records the end of the message. The tracker learns of the message only here, because it
    /// would also take `LF . CRLF` for its end.
    pub(super) fn message(&mut self) {
        self.tracker.sent(b".\r\n", &mut self.secrets);
        self.flush();
    }

    fn flush(&mut self) {
        self.message.push(&self.pieces.finish(&self.secrets));
        let message = std::mem::take(&mut self.message);
        if !message.is_empty() {
            self.record(What::Client(message.finish()));
        }
    }

    /// Records replies of the server, each of them complete.
    pub(super) fn replies(&mut self, mut replies: &[u8]) {
        while !replies.is_empty() {
            let is_block = self.tracker.owes_block();
            let length = match self.tracker.framing() {
                Some(framing) if !is_block => {
                    framing.restart();
                    framing.frame(replies).ok().flatten()
                }
                _ => None,
            };
            let (reply, rest) = replies.split_at(length.unwrap_or(replies.len()));
            self.reply(reply);
            replies = rest;
        }
    }

    fn reply(&mut self, reply: &[u8]) {
        self.tracker.received(reply);
        let meaning =
            self.tracker.challenge(reply).and_then(|challenge| self.secrets.overhear(challenge));
        let masked = self.secrets.mask(reply, &[]).into_owned();
        self.record(What::Server(Excerpt::from(Bytes::from(masked)).with_meaning(meaning)));
    }

    /// Records that TLS is on.
    pub(super) fn secured(&self, connection: &ServerConnection) {
        self.record(What::Tls(tls::spoken(connection)));
    }

    /// Records that the TLS handshake failed.
    pub(super) fn insecure(&self, error: &io::Error) {
        self.record(What::Tls(format!("failed: {}", tls::of_client(error, (None, None)).why)));
    }

    /// Records the end of the connection, and the line that was begun but not ended.
    pub(super) fn closed(&mut self, unfinished: &Line, close: Close) {
        self.flush();
        if !unfinished.kept.is_empty() {
            self.line(unfinished);
        }
        self.record(What::Closed(close));
        self.closed = true;
    }

    /// Records an event, and counts what the transcript takes, which keeps it as long as its script
    /// runs.
    fn record(&self, what: What) {
        let before = self.transcript.bytes();
        self.transcript.record_on(self.session, what);
        let after = self.transcript.bytes();
        self.budget.add(after.saturating_sub(before));
        self.budget.give(before.saturating_sub(after));
    }
}

/// A connection that is dropped without [`Recorder::closed`] was closed by a server that stopped.
impl Drop for Recorder {
    fn drop(&mut self) {
        if !self.closed {
            self.flush();
            self.record(What::Closed(Close::ByServer));
        }
    }
}
