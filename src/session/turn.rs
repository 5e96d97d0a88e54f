//! Whose turn it is: how many replies are owed and by which side, what was sent, and which line a
//! reply answers.
//!
//! A protocol tracks the dialogue from the client's point of view: what the client says makes the
//! server owe replies, and what the server says settles them. A session feeds the tracker according
//! to its role, so one tracker serves both sides: on the client's side the replies are owed to us,
//! on the server's side by us.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;

use super::request::{self, Begun, Request};
use super::role::Role;
use crate::proto::{self, Framing, Protocol, Speech, chomp};
use crate::secrets::Secrets;

/// The turns of one dialogue.
#[derive(Debug)]
pub(super) struct Turn {
    role: Role,
    protocol: Box<dyn Protocol>,
    /// The lines that replies are owed for, masked, in the order of their replies. The line of the
    /// greeting is empty.
    unanswered: VecDeque<Bytes>,
    /// The line that the last reply answered.
    answered: Option<Bytes>,
    /// Whether the server has not greeted yet.
    owes_greeting: bool,
    /// Whether a part of the reply that is owed first was taken.
    is_begun: bool,
    /// The requests that the client said last, until `note_owed` names them.
    requests: Vec<Request>,
    /// The beginning of the client's next command.
    begun: Begun,
    /// The last line that we sent, masked.
    last_sent: Option<Bytes>,
    /// The number of expectations that were met.
    expectations: u64,
}

/// The most lines that a client may say at once.
pub(super) const MOST_LINES: usize = 1_000_000;

/// How the header of the PROXY protocol begins, in its first version and in its second. It is no
/// command.
const PROXY: [&[u8]; 2] = [b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"];

fn is_proxy_header(bytes: &[u8]) -> bool {
    PROXY.iter().any(|begins| bytes.starts_with(begins))
}

impl Turn {
    pub(super) fn new(role: Role, protocol: Box<dyn Protocol>) -> Self {
        Self {
            role,
            // The greeting is owed from the start, and answers no line.
            unanswered: std::iter::repeat_n(Bytes::new(), protocol.owed()).collect(),
            owes_greeting: protocol.owed() > 0,
            is_begun: false,
            requests: Vec::new(),
            begun: Begun::default(),
            protocol,
            answered: None,
            last_sent: None,
            expectations: 0,
        }
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    pub(super) fn protocol(&self) -> &dyn Protocol {
        &*self.protocol
    }

    pub(super) fn speech(&self) -> Speech {
        self.protocol.speech()
    }

    /// The framing of what the peer says, if the protocol has one.
    pub(super) fn framing(&mut self) -> Option<&mut dyn Framing> {
        match self.role {
            Role::Client => self.protocol.framing(),
            Role::Server => self.protocol.requests(),
        }
    }

    /// The number of replies that the server owes, whichever side that is.
    pub(super) fn owed(&self) -> usize {
        self.protocol.owed()
    }

    /// The number of replies that the peer owes us.
    pub(super) fn owed_to_us(&self) -> usize {
        if self.role == Role::Client { self.protocol.owed() } else { 0 }
    }

    /// Stops waiting for the replies that are owed to us.
    pub(super) fn waive(&mut self) {
        if self.role == Role::Client {
            self.settle_all();
        }
    }

    /// Stops waiting for all owed replies, to us or by us, because the peer has left.
    pub(super) fn settle_all(&mut self) {
        self.protocol.waive();
        self.unanswered.clear();
        (self.owes_greeting, self.is_begun) = (false, false);
    }

    /// Whether the client waits for permission to send a literal.
    pub(super) fn waits_for_literal(&self) -> bool {
        self.protocol.waits_for_literal()
    }

    /// Whether the client sends a message next.
    pub(super) fn wants_message(&self) -> bool {
        self.protocol.wants_message()
    }

    /// The tags of the IMAP commands that wait for an answer.
    pub(super) fn tags(&self) -> Vec<&[u8]> {
        self.protocol.tags()
    }

    /// The first line that a reply is owed for; the line of the greeting is empty.
    pub(super) fn first_unanswered(&self) -> Option<&Bytes> {
        self.unanswered.front()
    }

    pub(super) fn unanswered(&self) -> impl Iterator<Item = &Bytes> {
        self.unanswered.iter()
    }

    /// The line that the last reply answered.
    pub(super) fn answered(&self) -> Option<&Bytes> {
        self.answered.as_ref()
    }

    /// The last line that we sent, masked.
    pub(super) fn last_sent(&self) -> Option<&Bytes> {
        self.last_sent.as_ref()
    }

    /// Counts an expectation that was met.
    pub(super) fn expected(&mut self) {
        self.expectations += 1;
    }

    pub(super) fn expectations(&self) -> u64 {
        self.expectations
    }

    /// Records bytes that went to the peer. Returns the spans of them that are secret, after
    /// learning the secrets.
    pub(super) fn sent(&mut self, bytes: &[u8], secrets: &mut Secrets) -> Vec<Range<usize>> {
        match self.role {
            Role::Client => self.asked(bytes, secrets),
            Role::Server => {
                self.replied(bytes);
                Vec::new()
            }
        }
    }

    /// Records bytes of the peer that were taken. Returns the spans of them that are secret, after
    /// learning the secrets.
    pub(super) fn received(&mut self, bytes: &[u8], secrets: &mut Secrets) -> Vec<Range<usize>> {
        let spans = match self.role {
            Role::Client => {
                self.replied(bytes);
                Vec::new()
            }
            Role::Server => self.asked(bytes, secrets),
        };
        if let Some(framing) = self.framing() {
            framing.restart();
        }
        spans
    }

    /// Whether the greeting is owed, or a part of it.
    pub(super) fn owes_greeting(&self) -> bool {
        self.owes_greeting
    }

    /// Whether a part of the reply that is owed first was taken, and the rest was not.
    pub(super) fn is_begun(&self) -> bool {
        self.is_begun
    }

    /// Whether a reply is owed to an empty line, which is rarely sent on purpose.
    pub(super) fn owes_to_an_empty_line(&self) -> bool {
        let mut lines = self.unanswered.iter().skip(usize::from(self.owes_greeting));
        self.speech() != Speech::Imap && lines.any(Bytes::is_empty)
    }

    /// Whether these bytes of the client are more requests at once than can be tracked. Each takes
    /// memory, and time in which no deadline holds.
    pub(super) fn is_flood(&mut self, bytes: &[u8]) -> bool {
        let is_content = self.protocol.wants_message() || self.protocol.is_within_command();
        bytes.len() > MOST_LINES
            && !is_content
            && self.protocol.requests().is_some()
            && memchr::memchr_iter(b'\n', bytes).count() > MOST_LINES
            && request::are_more_than(MOST_LINES, &*self.protocol, bytes)
    }

    /// Tracks bytes that the client said.
    fn asked(&mut self, bytes: &[u8], secrets: &mut Secrets) -> Vec<Range<usize>> {
        if self.owes_greeting && is_proxy_header(bytes) {
            return Vec::new();
        }
        let spans;
        (self.requests, spans) = request::follow(&mut *self.protocol, bytes, secrets);
        for span in &spans {
            secrets.learn_in_place(bytes, span);
        }
        spans
    }

    /// Tracks bytes that the server said.
    fn replied(&mut self, bytes: &[u8]) {
        let before = self.protocol.unanswered();
        self.protocol.received(bytes);
        let after = self.protocol.unanswered();
        for _ in after..before {
            self.answered = self.take_answered(bytes);
            self.owes_greeting = false;
        }
        self.is_begun = after > 0 && after >= before && self.ends_within_a_reply(bytes);
        if after >= before && !self.unanswered.is_empty() {
            // This was a part of the answer, and the rest is still to come.
            self.answered = self.unanswered.front().cloned();
        }
    }

    /// Takes the line that these bytes of the server answer: the one with their tag, or else the
    /// first.
    fn take_answered(&mut self, bytes: &[u8]) -> Option<Bytes> {
        let is_tagged = self.speech().facts().has_tags;
        let tag = crate::proto::last_line(bytes).split_inclusive(|byte| *byte == b' ').next();
        let place = tag
            .filter(|tag| is_tagged && tag.ends_with(b" "))
            .and_then(|tag| self.unanswered.iter().position(|line| line.starts_with(tag)));
        self.unanswered.remove(place.unwrap_or(0))
    }

    /// Whether the rest of a reply follows these bytes of the server: they end within a line, or
    /// with a line such as `250-mail.example`.
    fn ends_within_a_reply(&self, bytes: &[u8]) -> bool {
        let has_codes = matches!(self.speech(), Speech::Smtp | Speech::Lmtp);
        let last = crate::proto::last_line(bytes);
        !bytes.ends_with(b"\n") || (has_codes && last.get(3) == Some(&b'-'))
    }

    /// Records bytes that we sent, masked, because an error shows their last line.
    pub(super) fn note_sent(&mut self, masked: &Bytes) {
        self.last_sent = last_line(masked).or(self.last_sent.take());
    }

    /// Makes the next reply the answer to this command, instead of to the last line that was sent.
    pub(super) fn rename_sent(&mut self, command: Bytes) {
        if let Some(line) = self.unanswered.back_mut() {
            line.clone_from(&command);
        }
        self.last_sent = Some(command);
    }

    /// Records the lines to which replies are owed now, because of what the client said last.
    /// `masked` returns a part of that without secrets, given the numbers of the spans in it.
    pub(super) fn note_owed(&mut self, masked: impl Fn(Range<usize>, Range<usize>) -> Bytes) {
        for request in std::mem::take(&mut self.requests) {
            let part = masked(request.line.clone(), request.spans.clone());
            let line = self.begun.named(&request, part);
            self.unanswered.extend(std::iter::repeat_n(line, request.replies));
        }
    }

    /// The secret spans in bytes of the peer that no operation took.
    pub(super) fn unread_secrets(&self, held: &[u8], secrets: &mut Secrets) -> Vec<Range<usize>> {
        match self.role {
            Role::Client => Vec::new(),
            Role::Server => proto::secrets_of_rest(self.protocol.fork().as_mut(), held, secrets),
        }
    }
}

pub(super) fn is_one_line(bytes: &[u8]) -> bool {
    memchr::memchr(b'\n', bytes).is_some_and(|at| at + 1 == bytes.len())
}

/// The last line that is not empty.
fn last_line(masked: &Bytes) -> Option<Bytes> {
    let line = crate::proto::last_line(masked);
    (!line.is_empty()).then(|| masked.slice_ref(chomp(line)))
}
