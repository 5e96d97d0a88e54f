//! Lines that were typed or pasted before their turn.

use std::collections::VecDeque;

use crate::proto::Speech;

/// The lines that wait, and the last line that was sent. Enter sends the first waiting line at
/// once.
#[derive(Debug, Default)]
pub(super) struct HeldBack {
    lines: VecDeque<Vec<u8>>,
    last: Vec<u8>,
    /// The line that was sent before `last`.
    before: Vec<u8>,
}

impl HeldBack {
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Adds a line after the others.
    pub(super) fn push(&mut self, line: &[u8]) {
        self.lines.push_back(line.to_owned());
    }

    /// Takes the first line, in order to send it.
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        let line = self.lines.pop_front()?;
        self.before = std::mem::replace(&mut self.last, line.clone());
        Some(line)
    }

    /// Puts back a line that was taken and could not be sent.
    pub(super) fn put_back(&mut self, line: Vec<u8>) {
        self.last = std::mem::take(&mut self.before);
        self.lines.push_front(line);
    }

    /// Notes a line that was sent without waiting here.
    pub(super) fn sent(&mut self, line: &[u8]) {
        line.clone_into(&mut self.last);
    }

    /// Whether an empty line belongs to the waiting text and does not mean Enter. This is so inside
    /// a message, and inside a literal and the command that goes on after it.
    pub(super) fn takes_empty_line(&self, speech: Speech) -> bool {
        if speech.facts().has_literals { self.is_in_literal() } else { self.is_in_message() }
    }

    fn is_in_message(&self) -> bool {
        let mut lines = self.lines.iter().rev().chain(std::iter::once(&self.last));
        let mark = lines.find(|line| line.as_slice() == b"." || line.eq_ignore_ascii_case(b"DATA"));
        mark.is_some_and(|mark| mark != b".")
    }

    /// Whether the last literal, or the command around it, is unfinished. Counts the octets of each
    /// literal, with the line ends that are sent.
    fn is_in_literal(&self) -> bool {
        let mut left: Option<usize> = None;
        for line in std::iter::once(&self.last).chain(&self.lines) {
            let sent = line.len() + "\r\n".len();
            left = match left {
                // The literal ended with the line before, so this line is the rest of the command.
                Some(0) | None => literal(line),
                Some(octets) if octets >= sent => Some(octets - sent),
                Some(octets) => line.get(octets..).and_then(literal),
            };
        }
        left.is_some()
    }
}

/// The size in octets of the literal that a line announces at its end (RFC 9051 section 4.3).
fn literal(line: &[u8]) -> Option<usize> {
    let (_, size) = std::str::from_utf8(line).ok()?.strip_suffix('}')?.rsplit_once('{')?;
    size.trim_end_matches(['+', '-']).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes_empty_line(speech: Speech, lines: &[&str]) -> bool {
        let mut held_back = HeldBack::default();
        let (last, others) = lines.split_first().unwrap();
        held_back.sent(last.as_bytes());
        for line in others {
            held_back.push(line.as_bytes());
        }
        held_back.takes_empty_line(speech)
    }

    #[test]
    fn an_empty_line_of_a_literal_is_no_enter() {
        let is = |lines: &[&str]| takes_empty_line(Speech::Imap, lines);
        assert!(is(&["a1 APPEND INBOX {16}", "Subject: a"]));
        // The literal is complete, but its command is not.
        assert!(is(&["a1 APPEND INBOX {14}", "Subject: a", ""]));
        assert!(!is(&["a1 APPEND INBOX {14}", "Subject: a", "", ""]));
        assert!(!is(&["a1 APPEND INBOX {14}", "Subject: a", "", "", "a2 NOOP"]));
        assert!(is(&["a1 NOOP", "a2 LOGIN {2+}", "me {10}", "secret"]));
        assert!(!is(&["a1 NOOP", "a2 LOGIN {2+}", "me {4}", "word"]));
        assert!(!is(&["a1 NOOP", "a2 NOOP"]));
    }

    #[test]
    fn an_empty_line_of_a_message_is_no_enter() {
        let is = |lines: &[&str]| takes_empty_line(Speech::Smtp, lines);
        assert!(is(&["EHLO x", "data", "Subject: a"]));
        assert!(!is(&["EHLO x", "data", "Subject: a", "."]));
        assert!(!is(&["EHLO x", "MAIL FROM:<a@b>"]));
    }
}
