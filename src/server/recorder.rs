//! What one connection puts into the transcript: lines, messages and replies, secrets masked.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::ops::Range;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;

use super::input::Line;
use super::verb::Verb;
use crate::proto::smtp::Smtp;
use crate::proto::{Protocol as _, chomp};
use crate::redact::Secrets;
use crate::transcript::{Close, Excerpt, Gathering, SessionId, Transcript, What};

/// How much of a message waits until it is masked and handed on.
const WAITING: usize = 64 << 10;
/// How much of that stays behind, so that a secret cut in two is still found: none is longer than a line.
const OVERLAP: usize = 4 << 10;

/// The session of one connection in a transcript.
#[derive(Debug)]
pub(super) struct Recorder {
    transcript: Transcript,
    session: SessionId,
    /// Follows the dialogue from the client's side, to know which lines are secret.
    tracker: Smtp,
    secrets: Secrets,
    /// AUTH was the last command, and its outcome is open.
    begun: bool,
    /// AUTH was the last command, and it was refused.
    refused: bool,
    waiting: Vec<u8>,
    message: Gathering,
    closed: bool,
}

impl Recorder {
    /// Opens a session for a connection that came in from this address.
    pub(super) fn open(transcript: Transcript, peer: SocketAddr) -> Self {
        let session = transcript.open();
        transcript.record_on(session, What::Accepted(peer.to_string()));
        Self {
            transcript,
            session,
            tracker: Smtp::new("smtp"),
            secrets: Secrets::default(),
            begun: false,
            refused: false,
            waiting: Vec::new(),
            message: Gathering::default(),
            closed: false,
        }
    }

    /// The client sent a command line, or a response to a 334.
    pub(super) fn line(&mut self, line: &Line) {
        let spans = self.secret_spans(line);
        let masked = Bytes::from(self.secrets.mask(&line.kept, &spans).into_owned());
        let excerpt = if line.omitted > 0 { Excerpt::cut(masked, line.omitted) } else { masked.into() };
        self.record(What::Client(excerpt));
    }

    fn secret_spans(&mut self, line: &Line) -> Vec<Range<usize>> {
        let words = Words::of(&line.kept);
        let mut spans = self.tracker.sent(&as_told(&line.kept, &words), &mut self.secrets);
        if line.omitted > 0 {
            self.tracker.sent(b"\r\n", &mut self.secrets);
        }
        let verb = Verb::of(words.first);
        self.refused = self.refused && verb.is_none();
        if spans.is_empty()
            && let Some(stray) = words.initial_response.or_else(|| self.stray_response(chomp(&line.kept)))
        {
            self.secrets.learn(&line.kept[stray.clone()]);
            spans.push(stray);
        }
        self.begun = verb == Some(Verb::Auth) || (self.begun && (verb.is_none() || !spans.is_empty()));
        spans
    }

    /// A response that was sent ahead, behind an AUTH that was refused: it comes as if it were a command.
    fn stray_response(&self, text: &[u8]) -> Option<Range<usize>> {
        (self.refused && !text.is_empty() && BASE64_STANDARD.decode(text).is_ok()).then_some(0..text.len())
    }

    /// The client sent bytes of a message.
    pub(super) fn content(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() > WAITING {
            let mut masked = self.secrets.mask(&self.waiting, &[]).into_owned();
            let rest = masked.split_off(masked.len().saturating_sub(OVERLAP));
            self.message.push(&masked);
            self.waiting = rest;
        }
    }

    /// The message has come to its end. The tracker is told only now, since it would take `LF . CRLF` for that end too.
    pub(super) fn message(&mut self) {
        self.tracker.sent(b".\r\n", &mut self.secrets);
        self.flush();
    }

    fn flush(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        self.message.push(&self.secrets.mask(&waiting, &[]));
        let message = std::mem::take(&mut self.message);
        if !message.is_empty() {
            self.record(What::Client(message.finish()));
        }
    }

    /// The server replied.
    pub(super) fn reply(&mut self, reply: &str) {
        self.tracker.received(reply.as_bytes());
        if self.begun && !reply.starts_with("334") {
            (self.begun, self.refused) = (false, !reply.starts_with("235"));
        }
        let masked = self.secrets.mask(reply.as_bytes(), &[]).into_owned();
        self.record(What::Server(Bytes::from(masked).into()));
    }

    /// The connection has come to its end, with this begun and not ended.
    pub(super) fn closed(&mut self, unfinished: &Line, close: Close) {
        self.flush();
        if !unfinished.kept.is_empty() {
            self.line(unfinished);
        }
        self.record(What::Closed(close));
        self.closed = true;
    }

    fn record(&self, what: What) {
        self.transcript.record_on(self.session, what);
    }
}

/// A server that stops closes the connections it has.
impl Drop for Recorder {
    fn drop(&mut self) {
        if !self.closed {
            self.flush();
            self.record(What::Closed(Close::ByServer));
        }
    }
}

/// What matters of the words of a line, however they are separated.
struct Words<'a> {
    /// Where the first one begins.
    start: usize,
    first: &'a str,
    /// Everything behind the mechanism in an AUTH command.
    initial_response: Option<Range<usize>>,
}

impl<'a> Words<'a> {
    fn of(line: &'a [u8]) -> Self {
        let text = chomp(line);
        let blank = |at: usize| text[at].is_ascii_whitespace();
        let mut starts = (0..text.len()).filter(|at| !blank(*at) && (*at == 0 || blank(at - 1)));
        let start = starts.next().unwrap_or(text.len());
        let first = text[start..].split(u8::is_ascii_whitespace).next().unwrap_or_default();
        let response = starts.nth(1).filter(|_| first.eq_ignore_ascii_case(b"AUTH"));
        Self {
            start,
            first: std::str::from_utf8(first).unwrap_or_default(),
            initial_response: response.map(|start| start..text.len()).filter(|span| text[span.clone()] != b"="[..]),
        }
    }
}

/// The line as the tracker is told it. This server knows no BDAT: what comes behind one are commands, and must not pass the
/// tracker as the octets of a chunk.
fn as_told<'a>(line: &'a [u8], words: &Words<'_>) -> Cow<'a, [u8]> {
    let mut told = Cow::Borrowed(line);
    if words.first.eq_ignore_ascii_case("BDAT") {
        told.to_mut()[words.start..][..4].copy_from_slice(b"NOOP");
    }
    told
}
