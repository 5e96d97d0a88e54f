//! Following a stream line by line.

use std::ops::Range;

use super::chomp;

/// Splits a stream into lines, and keeps the beginning of an incomplete line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    unfinished: Vec<u8>,
    /// Whether the last byte of it was CR and is not kept.
    lacks_cr: bool,
}

/// How many bytes of a line are looked at. No verb or secret that matters is longer.
pub(crate) const LINE_HEAD: usize = 16 << 10;

impl Lines {
    /// Calls `line` with each line that is now complete, including its line end, and with the range
    /// of its new part in `bytes`.
    pub(crate) fn push(&mut self, bytes: &[u8], mut line: impl FnMut(&[u8], Range<usize>)) {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes).map(|at| at + 1) {
            if self.unfinished.is_empty() {
                line(&bytes[start..end], start..end);
            } else {
                if std::mem::take(&mut self.lacks_cr) && bytes[start] == b'\n' {
                    self.unfinished.push(b'\r');
                }
                self.unfinished.extend_from_slice(&bytes[start..end]);
                line(&std::mem::take(&mut self.unfinished), start..end);
            }
            start = end;
        }
        let room = LINE_HEAD.saturating_sub(self.unfinished.len());
        let rest = &bytes[start..];
        if let Some(last) = rest.last() {
            self.lacks_cr = rest.len() > room && *last == b'\r';
        }
        self.unfinished.extend_from_slice(&rest[..rest.len().min(room)]);
    }

    /// Tracks bytes that are sent. `secret` returns the secret span of a line that is now complete
    /// (`true`) or of the beginning of a line (`false`). Returns the secret spans in `bytes`.
    pub(crate) fn follow(
        &mut self,
        bytes: &[u8],
        mut secret: impl FnMut(&[u8], bool) -> Option<Range<usize>>,
    ) -> Vec<Range<usize>> {
        let mut spans = Vec::new();
        let mut start = 0;
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let before = self.unfinished.len();
            let mut found = None;
            let is_whole = part.ends_with(b"\n");
            self.push(part, |line, _| found = secret(line, true));
            if !is_whole {
                found = secret(&self.unfinished, false);
            }
            if let Some(span) = found {
                // Only `LINE_HEAD` bytes of a line are kept. If its beginning is secret, so are all
                // new bytes of a longer line.
                let too_long = before.max(self.unfinished.len()) >= LINE_HEAD;
                let new = span.start.saturating_sub(before)..span.end.saturating_sub(before);
                let new = if too_long { new.start..chomp(part).len() } else { new };
                spans.extend((!new.is_empty()).then_some(start + new.start..start + new.end));
            }
            start += part.len();
        }
        spans
    }

    pub(crate) fn unfinished(&self) -> &[u8] {
        &self.unfinished
    }

    /// The span of `bytes` that would be secret if they completed the line. `secret` returns the
    /// secret span of a line without its line end.
    pub(crate) fn ahead(
        &self,
        bytes: &[u8],
        secret: impl FnOnce(&[u8]) -> Option<Range<usize>>,
    ) -> Option<Range<usize>> {
        let before = self.unfinished.len();
        let span = secret(chomp(&[&self.unfinished, bytes].concat()))?;
        (span.end > before).then(|| span.start.saturating_sub(before)..span.end - before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_line_is_known_however_long_the_line_is() {
        for length in [1, LINE_HEAD - 1, LINE_HEAD, LINE_HEAD + 1, 3 * LINE_HEAD] {
            for (cut, is_crlf) in
                [("\r|\n", true), ("\r\n", true), ("|\r|\n", true), ("|\n", false)]
            {
                let mut lines = Lines::default();
                let mut ended = Vec::new();
                let stream = format!("{}{cut}", "x".repeat(length));
                for piece in stream.split('|') {
                    lines.push(piece.as_bytes(), |line, _| ended.push(line.ends_with(b"\r\n")));
                }
                assert_eq!(ended, [is_crlf], "{length} {cut:?}");
            }
        }
    }
}
