//! Finds the end of a literal that a server sends.

use super::{After, Dialogue, From, first_line};
use crate::proto::{Lines, chomp};

/// The bytes of a literal's content that come next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) octets: usize,
    /// What comes after them; `None` if there is more of the content, or if it is not known yet.
    pub(super) after: Option<After>,
}

impl Dialogue {
    /// The content of a literal at the start of these bytes, by its announced size; `None` if the
    /// server is not sending one, or if the size cannot be right.
    pub(super) fn content(&mut self, bytes: &[u8]) -> Option<Counted> {
        let to_come = self.to_come.filter(|_| self.tracker.is_in_literal());
        self.to_come = None;
        let to_come = to_come?;
        let octets = usize::try_from(to_come).unwrap_or(usize::MAX);
        if octets < bytes.len() {
            let more = self.tracker.after_literal(&bytes[octets..])?;
            let after = if more == 0 { After::Rest } else { After::Response };
            return Some(Counted { octets: octets + more, after: Some(after) });
        }
        // Without the content, which may have been left out, the octets reach far too far.
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
        if lines.any(|line| self.tracker.is_result(chomp(line))) {
            return None;
        }
        self.to_come = Some(to_come - bytes.len() as u64);
        Some(Counted { octets: bytes.len(), after: None })
    }

    /// Ends the literal before this line, or piece of one, if it has the form of what comes after a
    /// literal.
    pub(super) fn end_literal_by_form(&mut self, from: From, piece: &[u8], after: &[u8]) {
        let is_start = from == From::Server && self.server.unfinished().is_empty();
        if is_start
            && self.tracker.is_in_literal()
            && let Some(after) = self.tracker.ends_literal(chomp(piece), next_line(after))
        {
            self.end_literal(after);
        }
    }

    /// Ends the literal before the next byte, which may be in the middle of a line.
    pub(super) fn end_literal(&mut self, after: After) {
        self.server = Lines::default();
        self.tracker.end_literal(after);
    }
}

fn next_line(bytes: &[u8]) -> Option<&[u8]> {
    (!bytes.is_empty()).then(|| chomp(first_line(bytes)))
}

/// The text before the literal that a line announces at its end. The literal's size may be
/// redacted.
pub(super) fn literal(line: &[u8]) -> Option<&[u8]> {
    let inside = line.strip_suffix(b"}")?;
    let open = memchr::memrchr(b'{', inside)?;
    let size = &inside[open + 1..];
    let size = size.strip_suffix(b"+").or_else(|| size.strip_suffix(b"-")).unwrap_or(size);
    let is_token = size.starts_with(b"[") && size.ends_with(b"]");
    (is_token || (!size.is_empty() && size.iter().all(u8::is_ascii_digit))).then_some(&line[..open])
}
