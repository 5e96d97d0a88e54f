//! Finds the answers that mean success, for dialogues that hold only the client's lines.

use super::literal::text;
use super::words::first_word;
use crate::proto::{self, Facts, Speech};

/// The state of a dialogue of which only the client's lines are known.
#[derive(Debug, Default)]
pub(super) struct Success {
    is_message: bool,
    exchange: Option<Exchange>,
}

/// A SASL exchange that the client has begun.
#[derive(Debug)]
struct Exchange {
    /// How many SASL responses follow after the next response.
    responses: usize,
    /// The tag of the AUTHENTICATE command, in IMAP.
    tag: String,
}

/// The answer that the server owes to a line of the client.
#[derive(Debug)]
pub(super) struct Answer {
    /// The statements that take the answer; `None` if the line gets no answer.
    pub(super) statements: Option<String>,
    /// Whether the line is the last response of a SASL exchange, which holds the secret.
    pub(super) is_secret: bool,
}

impl Success {
    /// The statements that take the greeting.
    pub(super) fn greeting(speech: Speech) -> String {
        speech.facts().greeting.first().copied().map(expectation).unwrap_or_default()
    }

    /// Whether the next lines belong to a message.
    pub(super) fn is_in_message(&self) -> bool {
        self.is_message
    }

    /// The answer to a line of the client.
    pub(super) fn answer(&mut self, speech: Speech, line: &str) -> Answer {
        if let Some(exchange) = self.exchange.take() {
            let is_cancelled = line == "*";
            let is_last = is_cancelled || exchange.responses == 0;
            let statements = Some(ended(speech, &exchange, is_cancelled));
            if !is_last {
                self.exchange = Some(Exchange { responses: exchange.responses - 1, ..exchange });
            }
            return Answer { statements, is_secret: is_last && !is_cancelled };
        }
        let facts = speech.facts();
        let statements = match () {
            () if speech == Speech::Stream => None,
            () if facts.has_tags => Some(self.tagged(facts, line)),
            () if facts.has_messages => self.with_messages(facts, line),
            () => Some(self.untagged(facts, line)),
        };
        Answer { statements, is_secret: false }
    }

    fn untagged(&mut self, facts: &Facts, line: &str) -> String {
        let words: Vec<_> = line.split_whitespace().collect();
        let is_exchange = first_word(line) == facts.sasl.command;
        // In ManageSieve, all lines of an exchange are strings, and only its end is expected.
        if is_exchange && !facts.sasl.challenge.is_empty() && self.begins(&words[1..], "") {
            return challenge(facts);
        }
        let block = if facts.has_block(line.as_bytes()) { "\n$.expect_multiline();" } else { "" };
        format!("{}{block}", expectation(facts.success))
    }

    fn tagged(&mut self, facts: &Facts, line: &str) -> String {
        let words: Vec<_> = line.split_whitespace().collect();
        let tag = words.first().copied().unwrap_or_default();
        let is_exchange =
            words.get(1).is_some_and(|word| word.eq_ignore_ascii_case(facts.sasl.command));
        if is_exchange && self.begins(&words[2..], tag) {
            return challenge(facts);
        }
        result(tag, facts.success)
    }

    fn with_messages(&mut self, facts: &Facts, line: &str) -> Option<String> {
        if self.is_message {
            self.is_message = line != ".";
            return (!self.is_message).then(|| expectation(facts.success));
        }
        let words: Vec<_> = line.split_whitespace().collect();
        let word = first_word(line);
        if let Some(tls) = facts.tls.filter(|tls| tls.command == word) {
            return Some(format!("{}\n$.tls_handshake();", expectation(tls.success)));
        }
        if word == facts.sasl.command {
            let begins = self.begins(&words[1..], "");
            return Some(if begins { challenge(facts) } else { expectation(facts.sasl.success) });
        }
        self.is_message = word == "DATA";
        let is_known = [Speech::Smtp, Speech::Lmtp].iter().any(|it| it.facts().has_command(&word));
        // Any success will do for a command that is not registered.
        let success = if is_known { facts.success_of(&word) } else { proto::Success::Code(2) };
        Some(expectation(success))
    }

    /// Begins a SASL exchange, if the server has to ask for responses after a command with these
    /// arguments: the mechanism, and perhaps an initial response. Returns whether the exchange has
    /// begun.
    fn begins(&mut self, arguments: &[&str], tag: &str) -> bool {
        let Some(mechanism) = arguments.first() else { return false };
        let is_login = mechanism.eq_ignore_ascii_case("LOGIN");
        let has_response = arguments.len() > 1;
        if has_response && !is_login {
            return false;
        }
        let responses = usize::from(is_login && !has_response);
        self.exchange = Some(Exchange { responses, tag: tag.to_owned() });
        true
    }
}

/// The statements that take the answer to a SASL response.
fn ended(speech: Speech, exchange: &Exchange, is_cancelled: bool) -> String {
    let facts = speech.facts();
    if exchange.responses > 0 && !is_cancelled {
        return challenge(facts);
    }
    let verdict = if is_cancelled { facts.sasl.cancelled } else { facts.sasl.success };
    if facts.has_tags { result(&exchange.tag, verdict) } else { expectation(verdict) }
}

/// The statement that takes a reply.
fn expectation(wanted: proto::Success) -> String {
    match wanted {
        proto::Success::Code(code) => format!("$.expect({code});"),
        proto::Success::Word(word) => format!("$.expect({});", text(word)),
    }
}

/// The statement that takes the result of a command with a tag.
fn result(tag: &str, wanted: proto::Success) -> String {
    match wanted {
        proto::Success::Word(word) => {
            format!("$.expect_until({});", text(&format!("{tag} {word}")))
        }
        proto::Success::Code(_) => expectation(wanted),
    }
}

/// The statement that takes a challenge.
fn challenge(facts: &Facts) -> String {
    let begins = String::from_utf8_lossy(facts.sasl.challenge);
    if facts.has_codes() {
        format!("$.expect({begins});")
    } else {
        format!("$.expect({});", text(&begins))
    }
}
