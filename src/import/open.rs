//! The state of a session that is read line by line. The lines so far decide how the next line is
//! read.

use std::collections::{HashSet, VecDeque};

use super::incoming::Incoming;
use super::sending::{Said, Sending};
use super::words::{first_word, secret};
use crate::proto::Speech;

/// The state of a session after the lines that were read so far.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a state of its own in some protocol")]
pub(super) struct Open {
    pub(super) speech: Option<Speech>,
    /// The indices of its steps. The first one connects.
    pub(super) steps: Vec<usize>,
    /// How many of its steps are something that a side has said.
    pub(super) said: usize,
    pub(super) place: Option<String>,
    pub(super) is_tls: bool,
    pub(super) incoming: Incoming,
    pub(super) sending: Sending,
    /// Whether the next lines, up to a dot, are a message of the client instead of commands.
    pub(super) message: bool,
    /// The commands that the server has not answered yet. An empty command stands for the greeting.
    pub(super) unanswered: VecDeque<String>,
    /// Whether the server waits for a SASL response.
    pub(super) challenged: bool,
    /// The verb of the last command, in upper case; empty if TLS was agreed on or refused after it,
    /// or if IDLE has ended.
    pub(super) command: String,
    /// Whether the server has agreed to TLS, and no line has reported the handshake yet.
    pub(super) tls_is_due: bool,
    /// Whether the server has sent a line.
    pub(super) is_heard: bool,
    /// Whether the server has agreed to QUIT, in SMTP, LMTP or POP3.
    pub(super) has_ended: bool,
    /// The tags of all commands.
    pub(super) tags: HashSet<String>,
    /// The tag of the last command.
    pub(super) last_tag: Option<String>,
    pub(super) is_over: bool,
}

impl Open {
    /// Notes that the server has sent a line. If the first line is not a greeting after a command,
    /// the greeting is no longer due: the paste began with the command, and the line is its answer.
    pub(super) fn hear(&mut self, line: &str) {
        let is_first = !std::mem::replace(&mut self.is_heard, true);
        let greets =
            matches!(self.speech, Some(Speech::Smtp | Speech::Lmtp)) && line.starts_with("220");
        if is_first && !greets && self.unanswered.len() == 2 {
            self.unanswered.pop_front();
        }
    }

    /// Whether the client is in the middle of a message.
    pub(super) fn is_in_message(&self) -> bool {
        self.message || self.sending.is_in_literal()
    }

    /// Whether IDLE of IMAP is in progress (RFC 2177).
    pub(super) fn is_idle(&self) -> bool {
        self.speech == Some(Speech::Imap) && self.command == "IDLE"
    }

    /// Updates the state after a complete reply.
    pub(super) fn answered(&mut self, lines: &[Vec<u8>]) {
        let last = lines.last().map(|line| String::from_utf8_lossy(line).into_owned());
        let last = last.unwrap_or_default();
        let is_untagged = self.speech == Some(Speech::Imap) && last.starts_with('*');
        let facts = self.speech.map(Speech::facts);
        let tls = facts.and_then(|facts| facts.tls).filter(|tls| tls.command == self.command);
        if let Some(tls) = tls.filter(|_| !is_untagged) {
            self.command.clear();
            let has_tags = facts.is_some_and(|facts| facts.has_tags);
            let status = if has_tags { last.split(' ').nth(1) } else { Some(&*last) };
            self.tls_is_due = tls.success.fits(status.unwrap_or_default().as_bytes());
        }
        match self.speech {
            Some(Speech::Smtp | Speech::Lmtp) => {
                self.challenged = Speech::Smtp.facts().sasl.is_challenge(last.as_bytes());
                let command = self.unanswered.pop_front().unwrap_or_default();
                self.has_ended |= command == "QUIT" && last.starts_with('2');
                self.message |=
                    command == "DATA" && Speech::Smtp.facts().asks_for_message(last.as_bytes());
                if last.starts_with(['4', '5']) && command == "DATA" && self.unanswered.is_empty() {
                    self.message = false;
                }
            }
            Some(Speech::Pop3) => {
                let facts = Speech::Pop3.facts();
                self.challenged = facts.sasl.is_challenge(last.as_bytes());
                if self.challenged {
                    return;
                }
                let command = self.unanswered.pop_front().unwrap_or_default();
                let is_success = facts.success.fits(last.as_bytes());
                self.has_ended |= command == "QUIT" && is_success;
                let has_block = is_success && facts.has_block(command.as_bytes());
                self.incoming.announce_block(has_block);
            }
            Some(Speech::Imap) => {
                let goes_ahead = last.starts_with('+');
                self.challenged = goes_ahead && self.command == "AUTHENTICATE";
                if goes_ahead {
                    self.sending.go_ahead();
                } else if !last.starts_with('*') {
                    self.sending = Sending::default();
                    self.unanswered.pop_front();
                    if self.is_idle() && last.split(' ').next() == self.last_tag.as_deref() {
                        self.command.clear();
                    }
                }
            }
            _ => {}
        }
    }

    /// Takes a line of the client. Returns the secret part of the line, and whether the server owes
    /// a reply.
    pub(super) fn said(&mut self, line: &str) -> Said {
        if self.message {
            self.message = line != ".";
            if !self.message {
                self.unanswered.push_back(".".to_owned());
            }
            return (None, !self.message);
        }
        let is_imap = self.speech == Some(Speech::Imap);
        if self.sending.is_open() {
            return self.sending.go_on(line, is_imap);
        }
        if self.challenged {
            self.challenged = false;
            // A `*` cancels the SASL exchange, so it is not a secret.
            let secret = (line != "*" && !line.is_empty()).then_some(0..line.len());
            self.unanswered.push_back("AUTH".to_owned());
            return (secret, true);
        }
        let first = first_word(line);
        let second = line.split_whitespace().nth(1).unwrap_or_default();
        self.command = if is_imap { second.to_ascii_uppercase() } else { first.clone() };
        if let Some(tag) = line.split(' ').next().filter(|_| is_imap) {
            self.tags.insert(tag.to_owned());
            self.last_tag = Some(tag.to_owned());
        }
        if first == "LHLO" && self.speech == Some(Speech::Smtp) {
            self.speech = Some(Speech::Lmtp);
        }
        let has_literals = self.speech.is_some_and(|speech| speech.facts().has_literals);
        if has_literals && self.sending.begin(line, is_imap) {
            return (None, false);
        }
        let secret = secret(line, is_imap);
        let has_arguments = line.split_whitespace().count() > 1;
        let command = match first.as_str() {
            // With an argument, some commands have a reply of one line instead of a block.
            word if has_arguments && Speech::Pop3.facts().has_block(word.as_bytes()) => {
                format!("{word} N")
            }
            word => word.to_owned(),
        };
        // In a pipelined session, the message may begin before the server has answered DATA.
        self.message = command == "DATA" && self.unanswered.len() > 1;
        self.unanswered.push_back(command);
        (secret, true)
    }
}
