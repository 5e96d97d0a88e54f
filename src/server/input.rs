//! Finds the end of command lines and of messages, in whatever pieces the bytes arrive.

use memchr::memchr;

/// A command line with its line end, exactly as received; cut if it was longer than the limit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) kept: Vec<u8>,
    /// How many bytes after the kept ones were discarded.
    pub(super) omitted: u64,
}

impl Line {
    /// The line without its CRLF, or why it is invalid.
    pub(super) fn text(&self) -> Result<&[u8], &'static str> {
        if self.omitted > 0 {
            return Err("Line too long");
        }
        let text = self.kept.strip_suffix(b"\r\n").ok_or("Lines end with CR LF")?;
        // RFC 5321 section 2.3.8: CR and LF occur only as the end of a line.
        if memchr::memchr2(0, b'\r', text).is_some() {
            Err("NUL or bare CR in a line")
        } else {
            Ok(text)
        }
    }
}

/// Collects command lines.
#[derive(Debug)]
pub(super) struct Lines {
    unfinished: Line,
    longest: usize,
}

impl Lines {
    /// Keeps at most `longest` bytes of each line, with its line end.
    pub(super) fn new(longest: usize) -> Self {
        Self { unfinished: Line::default(), longest }
    }

    /// Takes the bytes that belong to the line from the front of `bytes`. Returns the line if it is
    /// complete.
    pub(super) fn take(&mut self, bytes: &mut &[u8]) -> Option<Line> {
        let end = memchr(b'\n', bytes).map(|at| at + 1);
        let (piece, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        *bytes = rest;
        let (kept, omitted) =
            piece.split_at(piece.len().min(self.longest - self.unfinished.kept.len()));
        self.unfinished.kept.extend_from_slice(kept);
        self.unfinished.omitted += omitted.len() as u64;
        end.map(|_| self.rest())
    }

    /// Takes out the line that has no end yet.
    pub(super) fn rest(&mut self) -> Line {
        std::mem::take(&mut self.unfinished)
    }
}

/// The position of the next byte in a line of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    LineStart,
    /// The next byte follows a dot at the start of a line.
    Dot,
    /// The next byte follows a dot at the start of a line and a CR.
    DotCr,
    /// The next byte follows a CR.
    Cr,
    Text,
}

/// Collects a message: undoes dot-stuffing and finds the dot that ends the message (RFC 5321
/// section 4.5.2).
///
/// Only CR LF ends a line here. A bare LF is text, so that no command can be smuggled in after
/// `LF . LF`.
#[derive(Debug)]
pub(super) struct Content {
    kept: Vec<u8>,
    at: At,
    limit: usize,
    too_large: bool,
}

impl Content {
    pub(super) fn new(limit: usize) -> Self {
        Self { kept: Vec::new(), at: At::LineStart, limit, too_large: false }
    }

    /// Takes the bytes that belong to the message from the front of `bytes`. Returns whether the
    /// message is complete.
    pub(super) fn take(&mut self, bytes: &mut &[u8]) -> bool {
        while let [first, rest @ ..] = *bytes {
            let run =
                if self.at == At::Text { memchr(b'\r', bytes).unwrap_or(bytes.len()) } else { 0 };
            if run > 0 {
                self.keep(&bytes[..run]);
                *bytes = &bytes[run..];
                continue;
            }
            *bytes = rest;
            if self.step(*first) {
                return true;
            }
        }
        false
    }

    /// Whether the bytes that arrive are kept, because the message has not exceeded the limit.
    pub(super) fn is_kept(&self) -> bool {
        !self.too_large
    }

    /// Discards what was kept, and what is to come.
    pub(super) fn give_up(&mut self) {
        self.too_large = true;
        self.kept = Vec::new();
    }

    /// The message; `None` if it was larger than the limit or was given up.
    pub(super) fn finish(self) -> Option<Vec<u8>> {
        (!self.too_large).then_some(self.kept)
    }

    fn step(&mut self, byte: u8) -> bool {
        match (self.at, byte) {
            (At::LineStart, b'.') => self.at = At::Dot,
            (At::Dot, b'\r') => self.at = At::DotCr,
            (At::DotCr, b'\n') => return true,
            (at, byte) => {
                if at == At::DotCr {
                    self.keep(b"\r");
                }
                self.keep(&[byte]);
                self.at = match (at, byte) {
                    (_, b'\r') => At::Cr,
                    (At::Cr, b'\n') => At::LineStart,
                    _ => At::Text,
                };
            }
        }
        false
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.too_large || self.kept.len() + bytes.len() > self.limit {
            self.too_large = true;
            self.kept = Vec::new();
        } else {
            self.kept.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dot_stuff;
    use proptest::prelude::*;

    /// The message at the start of the stream and the bytes after it, if the stream arrives in
    /// pieces of this size.
    fn message(stream: &[u8], piece: usize, limit: usize) -> Option<(Option<Vec<u8>>, Vec<u8>)> {
        let mut content = Content::new(limit);
        let mut taken = 0;
        for mut bytes in stream.chunks(piece) {
            let before = bytes.len();
            let ended = content.take(&mut bytes);
            taken += before - bytes.len();
            if ended {
                return Some((content.finish(), stream[taken..].to_vec()));
            }
        }
        None
    }

    #[test]
    fn a_message_ends_at_a_dot_between_crlfs_and_nowhere_else() {
        for (stream, expected) in [
            (&b".\r\nQUIT\r\n"[..], &b""[..]),
            (b"a\r\n.\r\nQUIT\r\n", b"a\r\n"),
            (b"a\n.\nb\r\n.\r\nQUIT\r\n", b"a\n.\nb\r\n"),
            (b"a\n.\r\nb\r\n.\r\nQUIT\r\n", b"a\n.\r\nb\r\n"),
            (b"a\r.\rb\r\n.\r\nQUIT\r\n", b"a\r.\rb\r\n"),
            (b"a\r.\r\nb\r\n.\r\nQUIT\r\n", b"a\r.\r\nb\r\n"),
            (b"a\r\n.\nb\r\n.\r\nQUIT\r\n", b"a\r\n\nb\r\n"),
            (b"a\r\n.\r\r\nb\r\n.\r\nQUIT\r\n", b"a\r\n\r\r\nb\r\n"),
            (b"a\r\n.\rb\r\n.\r\nQUIT\r\n", b"a\r\n\rb\r\n"),
            (b"..\r\n.a\r\n\r\n.\r\nQUIT\r\n", b".\r\na\r\n\r\n"),
        ] {
            for piece in [1, 2, 3, 100] {
                let expected = Some((Some(expected.to_vec()), b"QUIT\r\n".to_vec()));
                assert_eq!(message(stream, piece, 100), expected, "{}", stream.escape_ascii());
            }
        }
        assert_eq!(message(b"a\r\n.\r", 1, 100), None);
    }

    #[test]
    fn a_message_over_the_limit_is_read_to_its_end_and_not_kept() {
        assert_eq!(
            message(b"abc\r\n.\r\nx", 1, 5),
            Some((Some(b"abc\r\n".to_vec()), b"x".to_vec()))
        );
        assert_eq!(message(b"abcd\r\n.\r\nx", 1, 5), Some((None, b"x".to_vec())));
    }

    #[test]
    fn a_line_without_crlf_or_with_nul_or_bare_cr_says_why() {
        for (line, text) in [
            (&b"NOOP\r\n"[..], Ok(&b"NOOP"[..])),
            (b"\r\n", Ok(b"")),
            (b"NOOP\n", Err("Lines end with CR LF")),
            (b"NO\0OP\r\n", Err("NUL or bare CR in a line")),
            (b"NO\rOP\r\n", Err("NUL or bare CR in a line")),
            (b"NOOP\r\r\n", Err("NUL or bare CR in a line")),
        ] {
            let mut rest = line;
            assert_eq!(Lines::new(4096).take(&mut rest).expect("a line").text(), text);
        }
    }

    #[test]
    fn a_long_line_is_counted_and_not_held() {
        let mut lines = Lines::new(4096);
        for mut piece in [&[b'x'; 1000][..]; 1000] {
            assert_eq!(lines.take(&mut piece), None);
        }
        let mut end = &b"\r\nNOOP\r\n"[..];
        let line = lines.take(&mut end).expect("a line");
        assert_eq!((line.kept.len(), line.omitted), (4096, 1_000_002 - 4096));
        assert_eq!(line.text(), Err("Line too long"));
        assert_eq!(lines.take(&mut end).expect("a line").text(), Ok(&b"NOOP"[..]));
    }

    #[test]
    fn a_line_of_4096_octets_is_not_too_long() {
        for (length, expected) in [(4096, true), (4097, false)] {
            let line = [&vec![b'x'; length - 2][..], b"\r\n"].concat();
            assert_eq!(
                Lines::new(4096).take(&mut &line[..]).expect("a line").text().is_ok(),
                expected
            );
        }
    }

    proptest! {
        #[test]
        fn a_stuffed_text_comes_out_as_it_was(text in proptest::collection::vec(proptest::sample::select(&b".\r\nab"[..]), 0..40), piece in 1usize..50) {
            let stream = [&dot_stuff(&text)[..], b"NOOP\r\n"].concat();
            let ended = text.is_empty() || text.ends_with(b"\r\n");
            let expected = if ended { text } else { [&text[..], b"\r\n"].concat() };
            prop_assert_eq!(message(&stream, piece, 1000), Some((Some(expected), b"NOOP\r\n".to_vec())));
        }
    }
}
