//! The state of a session that is read line by line. The lines so far decide how the next line is
//! read.

use std::collections::VecDeque;
use std::ops::Range;

use super::words::{announced, first_word, secret, sends_response};
use crate::proto::Speech;

/// The secret part of a client's line, and whether the server owes a reply to the line.
type Said = (Option<Range<usize>>, bool);

/// The state of a session after the lines that were read so far.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a state of its own in some protocol")]
pub(super) struct Open {
    pub(super) speech: Option<Speech>,
    /// The index of the step that connects.
    pub(super) connect: usize,
    pub(super) place: Option<String>,
    pub(super) is_tls: bool,
    /// The lines of a reply that is not complete.
    pub(super) reply: Vec<Vec<u8>>,
    pub(super) began: usize,
    /// How many octets of the server's literal are still to come.
    pub(super) literal: usize,
    /// Whether the next lines, up to a dot, are a block of the server instead of replies.
    pub(super) block: bool,
    /// Whether the next lines, up to a dot, are a message of the client instead of commands.
    pub(super) message: bool,
    /// The commands that the server has not answered yet. An empty command stands for the greeting.
    pub(super) unanswered: VecDeque<String>,
    /// Whether the server waits for a SASL response.
    pub(super) challenged: bool,
    /// How many octets of the client's literal are still to come.
    pub(super) sending: usize,
    /// Whether the server has to send `+` before the client sends the literal.
    pub(super) go_ahead: bool,
    /// Whether the literal is complete, so that the next line continues or ends its command.
    pub(super) is_closing: bool,
    /// The number of arguments before the literal, if the command is LOGIN. The second argument is
    /// the password.
    pub(super) login: Option<usize>,
    /// Whether the last command was AUTHENTICATE.
    pub(super) is_authenticating: bool,
    /// Whether the next literal of the client is a SASL response, and so a secret.
    pub(super) responds: bool,
    /// Whether the last command was STARTTLS or STLS.
    pub(super) is_securing: bool,
    /// Whether the server has agreed to TLS, and no line has reported the handshake yet.
    pub(super) tls_is_due: bool,
    /// Whether the server has sent a line.
    pub(super) is_heard: bool,
    /// Whether the server has agreed to QUIT, in SMTP, LMTP or POP3.
    pub(super) has_ended: bool,
    /// Whether the file leaves out replies before the next reply.
    pub(super) skips: bool,
    pub(super) tags: Vec<String>,
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
        self.message || (self.sending > 0 && !self.go_ahead)
    }

    /// Whether this line completes the reply.
    pub(super) fn is_whole(&mut self, line: &str) -> bool {
        match self.speech.map(Speech::facts) {
            Some(facts) if facts.has_codes() => line.as_bytes().get(3) != Some(&b'-'),
            Some(facts) if facts.has_literals => {
                if self.literal > 0 {
                    let length = line.len() + 2;
                    if length <= self.literal {
                        self.literal -= length;
                        // The rest of the response, after the literal, is still to come.
                        return false;
                    }
                    self.literal = 0;
                }
                if let Some((octets, _)) = announced(line) {
                    self.literal = octets;
                    return false;
                }
                facts.has_tags || facts.statuses.contains(&first_word(line).as_str())
            }
            _ => true,
        }
    }

    /// Updates the state after a complete reply.
    pub(super) fn answered(&mut self, lines: &[Vec<u8>]) {
        let last = lines.last().map(|line| String::from_utf8_lossy(line).into_owned());
        let last = last.unwrap_or_default();
        let is_untagged = self.speech == Some(Speech::Imap) && last.starts_with('*');
        if self.is_securing && !is_untagged {
            self.is_securing = false;
            let status = last.split(' ').nth(1).unwrap_or_default();
            let facts = self.speech.map(Speech::facts);
            let status: &str =
                if facts.is_some_and(|facts| facts.has_tags) { status } else { &last };
            let tls = facts.and_then(|facts| facts.tls);
            self.tls_is_due = tls.is_some_and(|tls| tls.success.fits(status.as_bytes()));
        }
        match self.speech {
            Some(Speech::Smtp | Speech::Lmtp) => {
                self.challenged = Speech::Smtp.facts().sasl.is_challenge(last.as_bytes());
                let command = self.unanswered.pop_front().unwrap_or_default();
                self.has_ended |= command == "QUIT" && last.starts_with('2');
                self.message |= last.starts_with("354") && command == "DATA";
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
                self.block = is_success && facts.has_block(command.as_bytes());
            }
            Some(Speech::Imap) => {
                let goes_ahead = last.starts_with('+');
                self.challenged = goes_ahead && self.is_authenticating;
                if goes_ahead {
                    self.go_ahead = false;
                } else if !last.starts_with('*') {
                    (self.sending, self.go_ahead, self.is_closing) = (0, false, false);
                    self.unanswered.pop_front();
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
        if self.is_closing || self.sending > 0 {
            return self.goes_on(line);
        }
        if self.challenged {
            self.challenged = false;
            // A `*` cancels the SASL exchange, so it is not a secret.
            let secret = (line != "*" && !line.is_empty()).then_some(0..line.len());
            self.unanswered.push_back("AUTH".to_owned());
            return (secret, true);
        }
        let is_imap = self.speech == Some(Speech::Imap);
        if is_imap {
            self.tags.extend(line.split(' ').next().map(str::to_owned));
        }
        let mut words = line.split_whitespace().skip(1);
        let second = words.next().unwrap_or_default();
        self.is_authenticating = is_imap && second.eq_ignore_ascii_case("AUTHENTICATE");
        self.responds = sends_response(line);
        let first = first_word(line);
        let verb: &str = if is_imap { second } else { &first };
        let mut known = Speech::ALL.into_iter().filter_map(|speech| speech.facts().tls);
        self.is_securing = known.any(|tls| tls.command.eq_ignore_ascii_case(verb));
        if first == "LHLO" && self.speech == Some(Speech::Smtp) {
            self.speech = Some(Speech::Lmtp);
        }
        // The last word announces the literal, so it does not count as an argument before the
        // literal.
        self.login = (is_imap && second.eq_ignore_ascii_case("LOGIN"))
            .then(|| words.count().saturating_sub(1));
        if (is_imap || self.speech == Some(Speech::Sieve)) && self.announces(line) && !self.go_ahead
        {
            return (None, false);
        }
        let secret = secret(line, is_imap);
        let has_arguments = line.split_whitespace().count() > 1;
        let command = match first_word(line).as_str() {
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

    /// Whether a line announces a literal. If so, the next lines are read as that literal.
    fn announces(&mut self, line: &str) -> bool {
        let Some((octets, _)) = announced(line) else { return false };
        self.sending = octets;
        self.is_closing = octets == 0;
        // A literal with a sign needs no go-ahead (RFC 7888). A ManageSieve client sends its literal at
        // once (RFC 5804, section 4: `literal-c2s`).
        let waits = !(line.ends_with("+}") || line.ends_with("-}"));
        self.go_ahead = waits && self.speech == Some(Speech::Imap);
        true
    }

    /// Takes a line of a literal, or the rest of the command after the literal.
    fn goes_on(&mut self, line: &str) -> Said {
        let is_password = (self.login == Some(1) || self.responds) && self.sending > 0;
        self.go_ahead = false;
        if line.len() < self.sending {
            self.sending = self.sending.saturating_sub(line.len() + 2);
            self.is_closing = self.sending == 0;
            return (is_password.then_some(0..line.len()), false);
        }
        let start = std::mem::take(&mut self.sending);
        self.is_closing = false;
        let rest = line.get(start..).unwrap_or_default();
        if self.announces(rest) {
            self.login = self.login.map(|arguments| arguments + 1);
            return (is_password.then_some(0..start), self.go_ahead);
        }
        if is_password {
            return (Some(0..start), true);
        }
        let blanks = rest.len() - rest.trim_start().len();
        let follows_user = self.login == Some(0) && blanks < rest.len();
        (follows_user.then(|| start + blanks..line.trim_end().len()), true)
    }
}
