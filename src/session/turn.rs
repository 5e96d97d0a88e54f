//! Whose turn it is: what is owed and by whom, what was sent, and what it answered.
//!
//! A protocol follows the dialogue from the client's side: what the client says makes the server
//! owe replies, and what the server says pays for them. A session feeds it by its role, so that one
//! tracker serves both: on the client's side what is owed is owed to us, on the server's side by us.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;

use super::role::Role;
use crate::proto::{Framing, Protocol, Speech, chomp};
use crate::secrets::Secrets;

/// The turn-taking of one dialogue.
#[derive(Debug)]
pub(super) struct Turn {
    role: Role,
    protocol: Box<dyn Protocol>,
    /// The lines that replies are owed for, masked, the first to be answered first; the greeting's
    /// is empty.
    unanswered: VecDeque<Bytes>,
    /// The line that the last reply was the answer to.
    answered: Option<Bytes>,
    /// The last line that we sent, masked.
    last_sent: Option<Bytes>,
    /// How often something that was expected came.
    expectations: u64,
}

impl Turn {
    pub(super) fn new(role: Role, protocol: Box<dyn Protocol>) -> Self {
        Self {
            role,
            // What is owed from the start, the greeting, answers no line.
            unanswered: std::iter::repeat_n(Bytes::new(), protocol.owed()).collect(),
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

    /// Where what the peer says ends, if the protocol has a say in that.
    pub(super) fn framing(&mut self) -> Option<&mut dyn Framing> {
        match self.role {
            Role::Client => self.protocol.framing(),
            Role::Server => self.protocol.requests(),
        }
    }

    /// How many replies the server owes, whichever side that is.
    pub(super) fn owed(&self) -> usize {
        self.protocol.owed()
    }

    /// How many replies the peer owes us.
    pub(super) fn owed_to_us(&self) -> usize {
        if self.role == Role::Client { self.protocol.owed() } else { 0 }
    }

    /// Nothing that is owed is waited for any more.
    pub(super) fn waive(&mut self) {
        if self.role == Role::Client {
            self.protocol.waive();
            self.unanswered.clear();
        }
    }

    /// Nothing that is owed, to us or by us, is waited for any more: the peer has left.
    pub(super) fn settle_all(&mut self) {
        self.protocol.waive();
        self.unanswered.clear();
    }

    /// Whether the client waits to be told to go on with a literal.
    pub(super) fn waits_for_literal(&self) -> bool {
        self.protocol.waits_for_literal()
    }

    /// Whether what the client says next is a message.
    pub(super) fn wants_message(&self) -> bool {
        self.protocol.wants_message()
    }

    /// The tags of the commands that are to be answered, in IMAP.
    pub(super) fn tags(&self) -> Vec<&[u8]> {
        self.protocol.tags()
    }

    /// The first line that a reply is owed for; the greeting's is empty.
    pub(super) fn first_unanswered(&self) -> Option<&Bytes> {
        self.unanswered.front()
    }

    pub(super) fn unanswered(&self) -> impl Iterator<Item = &Bytes> {
        self.unanswered.iter()
    }

    /// The line that the last reply was the answer to.
    pub(super) fn answered(&self) -> Option<&Bytes> {
        self.answered.as_ref()
    }

    /// The last line that we sent, masked.
    pub(super) fn last_sent(&self) -> Option<&Bytes> {
        self.last_sent.as_ref()
    }

    /// Something came that was expected.
    pub(super) fn expected(&mut self) {
        self.expectations += 1;
    }

    pub(super) fn expectations(&self) -> u64 {
        self.expectations
    }

    /// Bytes went to the peer. Returns the spans of them that are secret, which were learned.
    pub(super) fn sent(&mut self, bytes: &[u8], secrets: &mut Secrets) -> Vec<Range<usize>> {
        match self.role {
            Role::Client => self.asked(bytes, secrets),
            Role::Server => {
                self.replied(bytes);
                Vec::new()
            }
        }
    }

    /// Bytes of the peer were taken. Returns the spans of them that are secret, which were learned.
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

    /// The client said this.
    fn asked(&mut self, bytes: &[u8], secrets: &mut Secrets) -> Vec<Range<usize>> {
        let spans = self.protocol.sent(bytes, secrets);
        for span in &spans {
            secrets.learn_in_place(bytes, span);
        }
        spans
    }

    /// The server said this.
    fn replied(&mut self, bytes: &[u8]) {
        let before = self.protocol.unanswered();
        self.protocol.received(bytes);
        let after = self.protocol.unanswered();
        for _ in after..before {
            self.answered = self.unanswered.pop_front();
        }
        if after >= before && !self.unanswered.is_empty() {
            // What came is a part of the answer, and there is more of it to come.
            self.answered = self.unanswered.front().cloned();
        }
    }

    /// What we sent, masked: an error shows its last line.
    pub(super) fn note_sent(&mut self, masked: &Bytes) {
        self.last_sent = last_line(masked).or(self.last_sent.take());
    }

    /// What was sent last is answered as this command, and not as its last line.
    pub(super) fn rename_sent(&mut self, command: Bytes) {
        if let Some(line) = self.unanswered.back_mut() {
            line.clone_from(&command);
        }
        self.last_sent = Some(command);
    }

    /// How many commands the server has not answered, before some bytes of the client's count.
    pub(super) fn commands(&self) -> usize {
        self.protocol.unanswered()
    }

    /// Takes note of the lines of the client, masked, after which so many more replies are owed
    /// than before.
    pub(super) fn note_owed(&mut self, masked: &Bytes, before: usize) {
        let more = self.protocol.unanswered().saturating_sub(before);
        if more == 1 && is_one_line(masked) {
            // It is so for most that is sent, and found out at once.
            self.unanswered.push_back(masked.slice_ref(chomp(masked)));
            return;
        }
        let lines = || masked.split_inclusive(|byte| *byte == b'\n').map(chomp);
        // No more of them are counted than that takes: a message has many.
        if lines().take(more + 1).count() == more {
            self.unanswered.extend(lines().map(|line| masked.slice_ref(line)));
        } else if more == 1 && self.protocol.speech() == Speech::Sieve {
            // What a command is stands in its first line, whatever its literals hold.
            self.unanswered.extend(lines().next().map(|line| masked.slice_ref(line)));
        } else {
            // Which lines they are is for the protocol to know; the last one is near enough.
            let last = match self.role {
                Role::Client => self.last_sent.clone(),
                Role::Server => last_line(masked),
            };
            self.unanswered.extend(std::iter::repeat_n(last.unwrap_or_default(), more));
        }
    }

    /// The spans of what the peer said, and nobody took, that are secret.
    pub(super) fn unread_secrets(&self, held: &[u8], secrets: &mut Secrets) -> Vec<Range<usize>> {
        match self.role {
            Role::Client => Vec::new(),
            Role::Server => self.protocol.fork().sent(held, secrets),
        }
    }
}

pub(super) fn is_one_line(bytes: &[u8]) -> bool {
    memchr::memchr(b'\n', bytes).is_some_and(|at| at + 1 == bytes.len())
}

/// The last line of it that is not empty.
fn last_line(masked: &Bytes) -> Option<Bytes> {
    let line = crate::proto::last_line(masked);
    (!line.is_empty()).then(|| masked.slice_ref(chomp(line)))
}
