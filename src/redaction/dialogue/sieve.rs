//! ManageSieve: which lines belong to an exchange of SASL, and which are the content of a literal.

use super::{Seen, is_one_of, literal, word};
use crate::redaction::scope::{Place, Verb};

#[derive(Debug, Default)]
pub(super) struct Sieve {
    is_greeted: bool,
    /// AUTHENTICATE has not been answered yet.
    authenticating: bool,
    /// The client's next lines are the content of a literal, until the server speaks.
    sends_literal: bool,
    /// The server's next lines are the content of a literal, until a status or until the client
    /// speaks.
    literal: Option<Literal>,
}

/// A literal of the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Literal {
    /// A value, which a status follows.
    Value,
    /// The text of a status, which nothing follows.
    Status,
}

impl Sieve {
    fn verb(&self) -> Verb {
        if self.authenticating { Verb::Auth } else { Verb::Other }
    }

    pub(super) fn client(&self, line: &[u8]) -> Seen {
        if self.sends_literal && !self.authenticating {
            return Seen::at(Place::Body, Verb::Other, 0);
        }
        let fixed = if self.authenticating { 0 } else { word(line).len() };
        Seen::at(Place::Command, self.verb(), fixed)
    }

    pub(super) fn server(&self, line: &[u8]) -> Seen {
        let is_content = match self.literal {
            None => false,
            Some(Literal::Value) => !is_status(line),
            Some(Literal::Status) => true,
        };
        if is_content && !self.authenticating {
            return Seen::at(Place::Body, Verb::Other, 0);
        }
        let place = if self.is_greeted { Place::Reply } else { Place::Greeting };
        let fixed = if is_status(line) { word(line).len() } else { 0 };
        Seen::at(place, self.verb(), fixed)
    }

    pub(super) fn sent(&mut self, line: &[u8]) {
        self.literal = None;
        if self.sends_literal {
            return;
        }
        self.authenticating |= is_one_of(word(line), &["AUTHENTICATE"]);
        self.sends_literal = literal(line).is_some() && !self.authenticating;
    }

    pub(super) fn replied(&mut self, line: &[u8]) {
        self.sends_literal = false;
        if is_status(line) && self.literal != Some(Literal::Status) {
            self.is_greeted = true;
            self.authenticating = false;
            self.literal = literal(line).map(|_| Literal::Status);
        } else if self.literal.is_none() {
            self.literal = literal(line).map(|_| Literal::Value);
        }
    }
}

fn is_status(line: &[u8]) -> bool {
    is_one_of(word(line), &["OK", "NO", "BYE"])
}
