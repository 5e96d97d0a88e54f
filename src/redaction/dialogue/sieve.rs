//! Tells which ManageSieve lines belong to a SASL exchange, and which are the content of a literal.

use super::reduced::{Line, between, leading};
use super::{After, Seen, Tracker, first_line, is_one_of, literal, word};
use crate::proto::{Speech, chomp};
use crate::redaction::scope::{Part, Verb};

#[derive(Debug, Default)]
pub(super) struct Sieve {
    is_greeted: bool,
    /// Whether AUTHENTICATE is still unanswered.
    authenticating: bool,
    /// Whether the client's next lines are the content of a literal; ends when the server speaks.
    sends_literal: bool,
    /// What the server says next; a line, when the client has spoken.
    next: Next,
}

/// What the server says next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Next {
    #[default]
    Line,
    /// The content of a literal that is a value; a status follows it.
    Value,
    /// The content of a literal that is the text of a status; nothing follows it.
    Text,
    /// The rest of a line, after a literal.
    Rest,
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
        if self.is_in_literal() {
            return Seen::at(Part::Body, Verb::Other, 0);
        }
        if self.next == Next::Rest {
            return Seen { continues: true, ..Seen::at(Part::Reply, Verb::Other, 0) };
        }
        let part = if self.is_greeted { Part::Reply } else { Part::Greeting };
        let fixed = if is_status(line) { word(line).len() } else { 0 };
        Seen::at(part, self.verb(), fixed)
    }

    fn sent(&mut self, line: &[u8]) {
        self.next = Next::Line;
        if self.sends_literal {
            return;
        }
        self.authenticating |= is_one_of(word(line), &["AUTHENTICATE"]);
        self.sends_literal = literal(line).is_some() && !self.authenticating;
    }

    fn replied(&mut self, line: &[u8]) -> bool {
        self.sends_literal = false;
        if self.is_in_literal() {
            return false;
        }
        let is_status = is_status(line) && self.next != Next::Rest;
        if is_status {
            self.is_greeted = true;
            self.authenticating = false;
        }
        self.next = match literal(line) {
            Some(_) if is_status => Next::Text,
            Some(_) => Next::Value,
            None => Next::Line,
        };
        false
    }

    fn reduced(&self, line: &Line<'_>) -> Option<Vec<u8>> {
        if line.seen.continues {
            return line.keeps_values().then(|| line.text.to_vec());
        }
        if let Some((status, rest)) = leading(line.text, Speech::Sieve.facts().statuses) {
            return Some(line.with_code(status, between(rest, b'(', b')')));
        }
        let lists = [&b"\"SASL\""[..], b"\"SIEVE\"", b"\"NOTIFY\""];
        let is_list = lists.iter().any(|name| word(line.text).eq_ignore_ascii_case(name));
        Some(if is_list { line.text.to_vec() } else { line.data() })
    }

    /// A challenge of SASL is no content.
    fn is_in_literal(&self) -> bool {
        matches!(self.next, Next::Value | Next::Text) && !self.authenticating
    }

    fn after_literal(&self, bytes: &[u8]) -> Option<usize> {
        let line = first_line(bytes);
        let next = bytes.get(line.len()).map(|_| chomp(first_line(&bytes[line.len()..])));
        if !next.is_none_or(begins_line) {
            return None;
        }
        match chomp(line) {
            b"" => Some(line.len()),
            rest => rest.starts_with(b" ").then_some(0),
        }
    }

    fn ends_literal(&self, line: &[u8], next: Option<&[u8]>) -> Option<After> {
        // A script may have a line with a string, and nothing else.
        let is_name = line.starts_with(b"\"") && (line.ends_with(b"\"") || is_active(line));
        let is_response = is_status(line)
            || (is_name && next.is_none_or(begins_line))
            || literal(line) == Some(b"");
        let after = if line.starts_with(b" ") && is_active(line) {
            Some(After::Rest)
        } else {
            is_response.then_some(After::Response)
        };
        after.filter(|_| self.next == Next::Value)
    }

    fn is_result(&self, line: &[u8]) -> bool {
        self.next == Next::Value && is_status(line)
    }

    fn end_literal(&mut self, after: After) {
        self.next = if after == After::Rest { Next::Rest } else { Next::Line };
    }
}

/// Whether a line could be the first of a response, or the next of a list.
fn begins_line(line: &[u8]) -> bool {
    line.starts_with(b"\"") || line.starts_with(b"{") || is_status(line)
}

/// Whether a line ends as that of the script that is in use does (RFC 5804 section 2.7).
fn is_active(line: &[u8]) -> bool {
    line.rsplit(|byte| *byte == b' ').next().is_some_and(|word| is_one_of(word, &["ACTIVE"]))
}

fn is_status(line: &[u8]) -> bool {
    is_one_of(word(line), Speech::Sieve.facts().statuses)
}
