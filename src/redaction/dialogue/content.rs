//! Tells the header fields of a message from its body, also in MIME parts.

use std::collections::HashSet;
use std::ops::Range;

use super::Seen;
use crate::redaction::scope::{Part, Verb};

/// A boundary has at most 70 characters (RFC 2046 section 5.1.1); the token that replaces it is no
/// longer than that.
const LONGEST: usize = 70;

/// A message whose lines are being read.
#[derive(Debug)]
pub(super) struct Content {
    in_header: bool,
    boundaries: HashSet<Box<[u8]>>,
}

impl Content {
    /// A message or a MIME part, which begins with a header.
    pub(super) fn message() -> Self {
        Self { in_header: true, boundaries: HashSet::new() }
    }

    /// Text without a header.
    pub(super) fn text() -> Self {
        Self { in_header: false, boundaries: HashSet::new() }
    }

    pub(super) fn seen(&self, line: &[u8]) -> Seen {
        let (part, boundary) = if self.in_header {
            (Part::Header, named(line))
        } else {
            (Part::Body, self.between(line).map(|(span, _)| span))
        };
        // A line with only a dot may be the end of the message.
        let fixed = usize::from(line == b".");
        Seen { boundary, ..Seen::at(part, Verb::Other, fixed) }
    }

    pub(super) fn advance(&mut self, line: &[u8]) {
        if !self.in_header {
            // A header of a part follows a boundary, except the closing one.
            self.in_header = self.between(line).is_some_and(|(_, is_last)| !is_last);
            return;
        }
        if let Some(span) = named(line).filter(|span| span.len() <= LONGEST) {
            self.boundaries.insert(line[span].into());
        }
        self.in_header = !line.is_empty();
    }

    /// The boundary that a line consists of, and whether it is the closing one.
    fn between(&self, line: &[u8]) -> Option<(Range<usize>, bool)> {
        let text = line.strip_prefix(b"--")?.trim_ascii_end();
        if text.len() > LONGEST + 2 {
            return None;
        }
        let (name, is_last) = match text.strip_suffix(b"--") {
            Some(name) if !self.boundaries.contains(text) => (name, true),
            _ => (text, false),
        };
        self.boundaries.contains(name).then_some((2..2 + name.len(), is_last))
    }
}

/// The value of the `boundary` parameter of a header field.
fn named(line: &[u8]) -> Option<Range<usize>> {
    const NAME: &[u8] = b"boundary=";
    let at = memchr::memchr2_iter(b'b', b'B', line).find(|at| {
        line[*at..].get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME))
    })?;
    let start = at + NAME.len();
    let is_quoted = line.get(start) == Some(&b'"');
    let start = start + usize::from(is_quoted);
    let is_end = |byte: &u8| {
        if is_quoted { *byte == b'"' } else { *byte == b';' || byte.is_ascii_whitespace() }
    };
    let end = line[start..].iter().position(is_end).map_or(line.len(), |length| start + length);
    (start < end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_of_parts_are_headers_too() {
        let mut content = Content::message();
        let lines = [
            ("Content-Type: multipart/mixed;", Part::Header),
            ("\tBoundary=\"=_1; x\"; charset=utf-8", Part::Header),
            ("", Part::Header),
            ("--other", Part::Body),
            ("--=_1; x", Part::Body),
            ("Content-Type: text/plain", Part::Header),
            ("", Part::Header),
            ("Subject: no header", Part::Body),
            ("--=_1; x--", Part::Body),
            ("Subject: none either", Part::Body),
        ];
        for (line, part) in lines {
            assert_eq!(content.seen(line.as_bytes()).part, part, "{line}");
            content.advance(line.as_bytes());
        }
    }

    #[test]
    fn boundaries_are_found_where_they_are_named_and_where_they_part() {
        let mut content = Content::message();
        let line = b"Content-Type: multipart/mixed; boundary=ab--; x=y";
        assert_eq!(content.seen(line).boundary, Some(40..44));
        content.advance(line);
        content.advance(b"");
        assert_eq!(content.seen(b"--ab--").boundary, Some(2..6));
        assert_eq!(content.seen(b"--ab----").boundary, Some(2..6));
        assert_eq!(content.seen(b"--ab").boundary, None);
    }
}
