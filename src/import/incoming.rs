//! The part of a reply or a block that the server has sent so far.

use super::GAP;
use super::words::{announced, first_word};
use crate::proto::Facts;

/// The lines of a reply or a block that is not complete.
#[derive(Default)]
pub(super) struct Incoming {
    lines: Vec<Vec<u8>>,
    /// The line of the file with which it began.
    began: usize,
    /// How many octets of a literal are still to come.
    literal: usize,
    /// Whether the next line is the rest of the line that a literal interrupts.
    is_after_literal: bool,
    /// Whether the next lines, up to a dot, are a block instead of replies.
    is_block: bool,
    /// Whether the file leaves out replies before the next reply.
    skips: bool,
}

/// What a line of the server completes.
pub(super) enum Whole {
    Reply,
    Block,
}

impl Incoming {
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether the next line belongs to a block or to a literal, or to the line that a literal
    /// interrupts.
    pub(super) fn is_in_block(&self) -> bool {
        self.is_block || self.literal > 0 || self.is_after_literal
    }

    /// Notes whether a block follows.
    pub(super) fn announce_block(&mut self, is_block: bool) {
        self.is_block = is_block;
    }

    /// Notes that the file leaves out lines. Before a reply, these count only if whole replies may be
    /// among them.
    pub(super) fn leave_out(&mut self, replies: bool) {
        if self.is_block || !self.is_empty() {
            self.lines.push(GAP.as_bytes().to_vec());
        } else {
            self.skips |= replies;
        }
    }

    /// Adds a line. Returns what it completes.
    pub(super) fn push(&mut self, at: usize, line: &str, facts: Option<&Facts>) -> Option<Whole> {
        if self.is_empty() {
            self.began = at;
        }
        if self.is_block && line == "." {
            self.is_block = false;
            return Some(Whole::Block);
        }
        self.lines.push(line.as_bytes().to_vec());
        (!self.is_block && self.is_last(line, facts)).then_some(Whole::Reply)
    }

    /// Takes the lines so far, and the line of the file with which they began.
    pub(super) fn take(&mut self) -> (usize, Vec<Vec<u8>>) {
        let mut lines = std::mem::take(&mut self.lines);
        self.literal = 0;
        self.is_after_literal = false;
        if std::mem::take(&mut self.skips) {
            lines.insert(0, GAP.as_bytes().to_vec());
        }
        (self.began, lines)
    }

    /// Whether this line completes the reply.
    fn is_last(&mut self, line: &str, facts: Option<&Facts>) -> bool {
        match facts {
            Some(facts) if facts.has_codes() => line.as_bytes().get(3) != Some(&b'-'),
            Some(facts) if facts.has_literals => {
                let Some(rest) = self.outside_literal(line) else { return false };
                if let Some((octets, _)) = announced(rest) {
                    self.literal = octets;
                    self.is_after_literal = octets == 0;
                    return false;
                }
                let is_whole = rest.len() == line.len();
                facts.has_tags || (is_whole && facts.statuses.contains(&first_word(line).as_str()))
            }
            _ => true,
        }
    }

    /// The part of a line that does not belong to a literal; `None` if the literal has the whole
    /// line with its line end.
    fn outside_literal<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        self.is_after_literal = false;
        let literal = std::mem::take(&mut self.literal);
        let length = line.len() + 2;
        if literal >= length {
            self.literal = literal - length;
            self.is_after_literal = self.literal == 0;
            return None;
        }
        Some(line.get(literal..).unwrap_or_default())
    }
}
