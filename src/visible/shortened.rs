//! Shortening texts of any length to what a person reads.

use std::fmt::{self, Write as _};

/// The bytes that are kept from the beginning of a long text.
const HEAD: usize = 7 << 10;
/// The bytes that are kept from its end.
const TAIL: usize = 1 << 10;
/// The most bytes of a value that is written piece by piece. A small value may have the same long
/// text many times.
const WALKED: usize = 4 << 20;

/// The bytes of the longest value that is shown whole.
pub(crate) const WHOLE: usize = HEAD + TAIL;

/// Shows a value in at most 8 KiB: of a longer text, the beginning and the end, with the number of
/// bytes between them that were left out. The whole text is never held. Of a value that is written
/// piece by piece, what comes after 4 MiB is not looked at.
pub(crate) fn shortened(value: impl fmt::Display) -> String {
    let mut kept = Shortened::default();
    // Writing ends with an error where the value is not looked at further.
    let _ = write!(kept, "{value}");
    kept.finish()
}

/// Does the same with bytes, which are escaped after that.
pub(crate) fn shortened_bytes(bytes: &[u8]) -> String {
    ends(bytes, HEAD)
}

/// Escapes a name that an error quotes within a sentence: of a longer one, 1 KiB of its beginning
/// and of its end.
pub(crate) fn quoted(name: impl AsRef<[u8]>) -> String {
    ends(name.as_ref(), TAIL)
}

fn ends(bytes: &[u8], most: usize) -> String {
    let Some(omitted) = bytes.len().checked_sub(most + TAIL).filter(|bytes| *bytes > 0) else {
        return super::escape(bytes);
    };
    let (head, rest) = bytes.split_at(most);
    let [head, tail] = [head, &rest[omitted..]].map(super::escape);
    format!("{head}... ({omitted} bytes left out) ...{tail}")
}

/// Collects the beginning and the end of a text.
#[derive(Debug, Default)]
struct Shortened {
    head: String,
    /// The bytes after the head, shortened to the last ones from time to time.
    rest: String,
    /// How many bytes were left out between `head` and `rest`.
    omitted: usize,
    /// How many bytes were written.
    written: usize,
    /// Whether there was more than is looked at.
    is_cut: bool,
}

impl Shortened {
    fn omit(&mut self, bytes: usize) {
        let end = self.rest.ceil_char_boundary(bytes);
        self.rest.drain(..end);
        self.omitted += end;
    }

    fn finish(mut self) -> String {
        // The head may lack the last character for which it has no room.
        if self.omitted > 0 || self.rest.len() > TAIL + char::MAX.len_utf8() {
            self.omit(self.rest.len().saturating_sub(TAIL));
        }
        match self.omitted {
            omitted if self.is_cut => {
                let omitted = omitted + self.rest.len();
                format!("{}... (more than {omitted} bytes left out)", self.head)
            }
            0 => self.head + self.rest.as_str(),
            omitted => {
                format!("{}... ({omitted} bytes left out) ...{}", self.head, self.rest)
            }
        }
    }
}

impl fmt::Write for Shortened {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.written > WALKED {
            self.is_cut = true;
            return Err(fmt::Error);
        }
        self.written += text.len();
        let room = HEAD.saturating_sub(self.head.len());
        let end = if self.rest.is_empty() { text.floor_char_boundary(room) } else { 0 };
        self.head.push_str(&text[..end]);
        let text = &text[end..];
        let start = text.ceil_char_boundary(text.len().saturating_sub(2 * TAIL));
        if start > 0 {
            self.omit(self.rest.len());
            self.omitted += start;
        }
        self.rest.push_str(&text[start..]);
        if self.rest.len() > 8 * TAIL {
            self.omit(self.rest.len() - TAIL);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_kept_whole_and_a_long_one_by_its_ends() {
        let text = "aé€😀".repeat(5000);
        for length in [0, 1, HEAD, HEAD + TAIL, HEAD + TAIL + 10, 50_000] {
            let text = &text[..text.floor_char_boundary(length)];
            let whole = shortened(text);
            for piece in [1, 7, 1000, 20_000] {
                let mut kept = Shortened::default();
                let mut rest = text;
                while !rest.is_empty() {
                    let (first, after) = rest.split_at(rest.ceil_char_boundary(piece));
                    kept.write_str(first).unwrap();
                    rest = after;
                }
                assert_eq!(kept.finish(), whole, "{length} bytes in pieces of {piece}");
            }
            assert_eq!(whole == text, length <= HEAD + TAIL, "{length}");
            assert!(whole.len() <= HEAD + TAIL + 40, "{length}: {}", whole.len());
        }
        assert!(shortened("x".repeat(100_000)).contains("x... (91808 bytes left out) ...x"));
    }

    #[test]
    fn a_value_that_has_a_long_text_many_times_is_not_gone_through() {
        let text = "x".repeat(1 << 20);
        let list = vec![text.as_str(); 1_000_000];
        let shown = shortened(format_args!("{list:?}"));
        assert!(shown.starts_with("[\"xxx") && shown.contains("(more than "), "{}", shown.len());
        assert!(shown.len() < HEAD + 100, "{}", shown.len());
    }

    #[test]
    fn a_long_name_is_quoted_by_its_ends() {
        assert_eq!(quoted("a\u{1b}"), "a\\e");
        let name = quoted("\0".repeat(1 << 20));
        assert!(name.contains("\\0... (1046528 bytes left out) ...\\0"), "{name}");
        assert!(name.len() < 5 << 10);
    }
}
