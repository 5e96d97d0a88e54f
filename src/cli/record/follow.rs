//! Follows a dialogue that is passed on: masks its secrets, finds where TLS begins, and splits it
//! into turns.

use std::mem;

use crate::proto::multiline::Multiline;
use crate::proto::{Protocol, Scheme, Speech, Success, chomp};
use crate::secrets::{SECRET, Secrets};
use crate::tls::Established;
use crate::transcript::{Close, Passed, Recorded, SessionId, Transcript, What};

/// How many bytes of a session are kept at most, the same as of a run. A longer session is still
/// passed on to its end, but it is not saved.
const LARGEST: usize = 16 << 20;
/// How many bytes of a line are held back until the line ends, so that a secret is masked as a
/// whole.
const LONGEST_LINE: usize = 64 << 10;

/// One turn of a dialogue, with its secrets masked.
#[derive(Debug)]
pub(super) enum Turn {
    Client {
        bytes: Vec<u8>,
        /// The number of bytes before the secrets were masked.
        length: usize,
        /// The last SASL response of the turn, decoded, with its secrets masked.
        meaning: Option<Vec<u8>>,
    },
    Server(Vec<u8>),
    Tls,
    Closed(Close),
}

impl Turn {
    /// Whether the server's text in this turn contains a mask.
    pub(super) fn has_masked_reply(&self) -> bool {
        matches!(self, Self::Server(said) if memchr::memmem::find(said, SECRET).is_some())
    }
}

/// Follows one session.
pub(super) struct Follower {
    speech: Speech,
    tracker: Box<dyn Protocol>,
    secrets: Secrets,
    transcript: Transcript,
    session: SessionId,
    turns: Vec<Turn>,
    /// The beginning of a client's line that has not ended.
    line: Vec<u8>,
    /// The client's turn so far.
    said: Vec<u8>,
    length: usize,
    meaning: Option<Vec<u8>>,
    /// The beginning of a reply that is not complete.
    reply: Vec<u8>,
    /// What the server said and is not recorded yet: replies are recorded whole, so that neither
    /// masks nor the recorded script depend on the packets.
    heard: Vec<u8>,
    block: Option<Multiline>,
    /// The tag of a command that asks for TLS and is not answered yet; empty in protocols without
    /// tags.
    asks_for_tls: Option<Vec<u8>>,
    kept: usize,
}

/// The record of a session that has ended.
pub(super) struct Followed {
    pub(super) speech: Speech,
    pub(super) turns: Vec<Turn>,
    pub(super) recorded: Recorded,
    /// Whether the session was longer than what is kept.
    pub(super) is_cut: bool,
}

impl Follower {
    /// Follows a session with the server at `url`.
    pub(super) fn new(scheme: &'static Scheme, url: &str) -> Self {
        let transcript = Transcript::new().taped();
        let session = transcript.open();
        transcript.record_on(session, What::Connecting(url.to_owned()));
        Self {
            speech: scheme.speech,
            tracker: (scheme.speech.facts().dialogue)(scheme.plain_name()),
            secrets: Secrets::of(transcript.learned()),
            transcript,
            session,
            turns: Vec::new(),
            line: Vec::new(),
            said: Vec::new(),
            length: 0,
            meaning: None,
            reply: Vec::new(),
            heard: Vec::new(),
            block: None,
            asks_for_tls: None,
            kept: 0,
        }
    }

    /// The client sent these bytes.
    pub(super) fn client(&mut self, bytes: &[u8]) {
        self.pass_heard(0);
        self.kept += bytes.len();
        self.line.extend_from_slice(bytes);
        let end = memchr::memrchr(b'\n', &self.line).map_or(0, |at| at + 1);
        let end = if self.line.len() > LONGEST_LINE { self.line.len() } else { end };
        let rest = self.line.split_off(end);
        let lines = mem::replace(&mut self.line, rest);
        self.sent(&lines);
    }

    fn sent(&mut self, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        let spans = self.tracker.sent(lines, &mut self.secrets);
        if !self.is_cut() {
            self.length += lines.len();
            self.said.extend_from_slice(&self.secrets.mask(lines, &spans));
        }
        self.meaning = self.secrets.take_meaning().or(self.meaning.take());
        self.asks_for_tls = self.tls_command(lines);
    }

    /// The tag of the last line, with its blank, if the line asks for TLS.
    fn tls_command(&self, lines: &[u8]) -> Option<Vec<u8>> {
        let command = self.speech.facts().tls?.command.as_bytes();
        let last = crate::proto::last_line(lines);
        let has_tag = self.speech.facts().has_tags;
        let (tag, word) = last.split_at(if has_tag { memchr::memchr(b' ', last)? + 1 } else { 0 });
        word.trim_ascii_end().eq_ignore_ascii_case(command).then(|| tag.to_vec())
    }

    /// The server sent these bytes. Returns whether the server now begins TLS.
    pub(super) fn server(&mut self, bytes: &[u8]) -> bool {
        self.kept += bytes.len();
        self.client_is_done();
        if !self.is_cut() {
            self.heard.extend_from_slice(bytes);
            match self.turns.last_mut() {
                Some(Turn::Server(before)) => before.extend_from_slice(bytes),
                _ => self.turns.push(Turn::Server(bytes.to_vec())),
            }
        }
        self.reply.extend_from_slice(bytes);
        let mut goes_ahead = false;
        while let Some(length) = self.reply_length() {
            let rest = self.reply.split_off(length);
            let reply = mem::replace(&mut self.reply, rest);
            goes_ahead |= self.answered(&reply);
        }
        if self.reply.len() > LARGEST {
            // A reply as long as this matters neither for TLS nor for the turns, so it is
            // forgotten.
            self.reply = Vec::new();
            self.block = None;
            if let Some(framing) = self.tracker.framing() {
                framing.restart();
            }
        }
        self.pass_heard(self.reply.len());
        goes_ahead && self.reply.is_empty()
    }

    /// Records what the server said, except for the last `held_back` bytes.
    fn pass_heard(&mut self, held_back: usize) {
        let rest = self.heard.split_off(self.heard.len().saturating_sub(held_back));
        let heard = mem::replace(&mut self.heard, rest);
        if !heard.is_empty() {
            self.pass(Passed::Server(heard.into()));
        }
    }

    /// The length of the first complete reply in the buffer.
    fn reply_length(&mut self) -> Option<usize> {
        if self.reply.is_empty() {
            return None;
        }
        if self.tracker.owes_block() {
            let length = self.block.get_or_insert_default().advance(&self.reply)?;
            self.block = None;
            return Some(length);
        }
        let Some(framing) = self.tracker.framing() else { return Some(self.reply.len()) };
        framing.frame(&self.reply).unwrap_or_else(|_| {
            // Bytes that are no valid reply are passed on all the same.
            framing.restart();
            Some(self.reply.len())
        })
    }

    fn answered(&mut self, reply: &[u8]) -> bool {
        self.tracker.received(reply);
        if let Some(challenge) = self.tracker.challenge(reply) {
            self.secrets.overhear(challenge);
        }
        let (Some(tag), Some(tls)) = (&self.asks_for_tls, self.speech.facts().tls) else {
            return false;
        };
        let Some(said) = chomp(reply).strip_prefix(&**tag) else { return false };
        self.asks_for_tls = None;
        match tls.success {
            Success::Code(code) => said.starts_with(code.to_string().as_bytes()),
            Success::Word(word) => {
                let begins = said.get(..word.len());
                begins.is_some_and(|begins| begins.eq_ignore_ascii_case(word.as_bytes()))
            }
        }
    }

    /// Ends the client's turn, which is recorded as one piece, as a script would send it.
    fn client_is_done(&mut self) {
        if !self.line.is_empty() || !self.said.is_empty() {
            self.pass_heard(0);
        }
        let rest = mem::take(&mut self.line);
        self.sent(&rest);
        let (bytes, meaning) = (mem::take(&mut self.said), self.meaning.take());
        let length = mem::take(&mut self.length);
        if !bytes.is_empty() {
            self.pass(Passed::Client(bytes.clone().into()));
            self.turns.push(Turn::Client { bytes, length, meaning });
        }
    }

    fn pass(&self, what: Passed) {
        if let Some(tape) = self.transcript.tape() {
            tape.pass(Some(self.session), what);
        }
    }

    /// TLS with the server was established.
    pub(super) fn secured(&mut self, established: &Established) {
        self.pass_heard(0);
        self.happened(What::Tls(established.to_string()));
        self.pass(Passed::Secured(established.facts()));
        self.turns.push(Turn::Tls);
    }

    /// TLS could not be established with one of the sides.
    pub(super) fn insecure(&mut self, why: &str) {
        self.pass_heard(0);
        self.happened(What::Tls(format!("failed: {why}")));
    }

    /// One side has closed the connection.
    pub(super) fn closed(&mut self, close: Close) {
        self.client_is_done();
        self.pass_heard(0);
        self.happened(What::Closed(close));
        self.turns.push(Turn::Closed(close));
    }

    fn happened(&self, what: What) {
        self.transcript.record_on(self.session, what);
    }

    fn is_cut(&self) -> bool {
        self.kept > LARGEST
    }

    /// Masks the secrets in all turns, and returns the turns. A secret may have come in two pieces,
    /// and may have been learned after it was said.
    pub(super) fn finish(mut self) -> Followed {
        self.client_is_done();
        self.pass_heard(0);
        let is_cut = self.is_cut();
        for turn in &mut self.turns {
            if let Turn::Client { bytes, .. } | Turn::Server(bytes) = turn {
                *bytes = self.secrets.mask(bytes, &[]).into_owned();
            }
        }
        let recorded = self.transcript.recorded().unwrap_or_default();
        Followed { speech: self.speech, turns: self.turns, recorded, is_cut }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_came_in_two_packets_is_masked_as_a_whole() {
        let scheme = crate::target::scheme("smtp").unwrap();
        let mut follower = Follower::new(scheme, "smtp://mail.example");
        follower.server(b"220 hi\r\n");
        follower.client(b"AUTH PLAIN AGhvZ2UAaHVudGVyMnh5emFi\r\n");
        follower.server(b"535 wrong: hunter2");
        follower.server(b"xyzab\r\n");
        let record = follower.finish();
        let Some(Turn::Server(said)) = record.turns.last() else { panic!("the server's turn") };
        assert_eq!(String::from_utf8_lossy(said), "535 wrong: [SECRET]\r\n");
        assert!(!format!("{:?}", record.recorded).contains("xyzab"));
    }

    #[test]
    fn replies_are_recorded_whole_however_they_came() {
        let scheme = crate::target::scheme("imap").unwrap();
        let recorded = |pieces: &[&str]| {
            let mut follower = Follower::new(scheme, "imap://mail.example");
            follower.server(b"* OK hi\r\n");
            follower.client(b"a1 NOOP\r\n");
            for piece in pieces {
                assert!(!follower.server(piece.as_bytes()), "no TLS begins");
            }
            follower.client(b"a2 LOGOUT\r\n");
            follower.server(b"* BYE\r\na2 OK\r\n");
            follower.closed(Close::ByServer);
            let passages = follower.finish().recorded.passages;
            passages.iter().map(|passage| format!("{:?}", passage.what)).collect::<Vec<_>>()
        };
        assert_eq!(recorded(&["a", "1 O", "K\r\n"]), recorded(&["a1 OK\r\n"]));
    }
}
