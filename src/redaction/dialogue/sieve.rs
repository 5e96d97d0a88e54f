//! Tells which ManageSieve lines belong to a SASL exchange, and which are the content of a literal.

use super::reduced::{Line, between, leading};
use super::{Seen, Tracker, is_one_of, literal, word};
use crate::proto::Speech;
use crate::redaction::scope::{Part, Verb};

#[derive(Debug, Default)]
pub(super) struct Sieve {
    is_greeted: bool,
    /// Whether AUTHENTICATE is still unanswered.
    authenticating: bool,
    /// Whether the client's next lines are the content of a literal; ends when the server speaks.
    sends_literal: bool,
    /// Set if the server's next lines are the content of a literal; ends with a status line, or
    /// when the client speaks.
    literal: Option<Literal>,
}

/// The kind of a literal from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Literal {
    /// A value; a status follows it.
    Value,
    /// The text of a status; nothing follows it.
    Status,
}

impl Sieve {
    fn verb(&self) -> Verb {
        if self.authenticating { Verb::Auth } else { Verb::Other }
    }
}

impl Tracker for Sieve {
    fn speech(&self) -> Speech {
        Speech::Sieve
    }

    fn client(&self, line: &[u8]) -> Seen {
        if self.sends_literal && !self.authenticating {
            return Seen::at(Part::Body, Verb::Other, 0);
        }
        let fixed = if self.authenticating { 0 } else { word(line).len() };
        Seen::at(Part::Command, self.verb(), fixed)
    }

    fn server(&self, line: &[u8]) -> Seen {
        let is_content = match self.literal {
            None => false,
            Some(Literal::Value) => !is_status(line),
            Some(Literal::Status) => true,
        };
        if is_content && !self.authenticating {
            return Seen::at(Part::Body, Verb::Other, 0);
        }
        let part = if self.is_greeted { Part::Reply } else { Part::Greeting };
        let fixed = if is_status(line) { word(line).len() } else { 0 };
        Seen::at(part, self.verb(), fixed)
    }

    fn sent(&mut self, line: &[u8]) {
        self.literal = None;
        if self.sends_literal {
            return;
        }
        self.authenticating |= is_one_of(word(line), &["AUTHENTICATE"]);
        self.sends_literal = literal(line).is_some() && !self.authenticating;
    }

    fn replied(&mut self, line: &[u8]) -> bool {
        self.sends_literal = false;
        if is_status(line) && self.literal != Some(Literal::Status) {
            self.is_greeted = true;
            self.authenticating = false;
            self.literal = literal(line).map(|_| Literal::Status);
        } else if self.literal.is_none() {
            self.literal = literal(line).map(|_| Literal::Value);
        }
        false
    }

    fn reduced(&self, line: &Line<'_>) -> Option<Vec<u8>> {
        if let Some((status, rest)) = leading(line.text, Speech::Sieve.facts().statuses) {
            return Some(line.with_code(status, between(rest, b'(', b')')));
        }
        let lists = [&b"\"SASL\""[..], b"\"SIEVE\"", b"\"NOTIFY\""];
        let is_list = lists.iter().any(|name| word(line.text).eq_ignore_ascii_case(name));
        Some(if is_list { line.text.to_vec() } else { line.data() })
    }
}

fn is_status(line: &[u8]) -> bool {
    is_one_of(word(line), Speech::Sieve.facts().statuses)
}
