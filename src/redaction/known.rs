//! Values that the caller knows beforehand, each with a token of its own.

use std::ops::Range;

use memchr::memmem;

use super::rule::Label;

/// A known value and its label.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) value: Box<[u8]>,
    finder: memmem::Finder<'static>,
    pub(super) label: Label,
    /// Whether the value is the number of a port, which other numbers may contain.
    pub(super) is_port: bool,
    /// Whether other text may equal the value by chance. Such a value is replaced only where the
    /// script has put it: in what the client says, and as the whole of a value.
    pub(super) is_common: bool,
}

impl Known {
    pub(super) fn new(value: &[u8], token: &str) -> Self {
        let label = Label::new(&format!("known {token}"), token, false);
        let finder = memmem::Finder::new(value).into_owned();
        Self { value: value.into(), finder, label, is_port: false, is_common: false }
    }

    /// A value that other text may equal by chance.
    #[cfg(feature = "script")]
    pub(super) fn common(value: &str, token: &str) -> Self {
        Self { is_common: true, ..Self::new(value.as_bytes(), token) }
    }

    /// The number of a port, which is looked for as a number of its own.
    #[cfg(feature = "script")]
    pub(super) fn port(number: &str, token: &str) -> Self {
        Self { is_port: true, ..Self::new(number.as_bytes(), token) }
    }

    /// Whether the value consists of letters only, so that it could be any word.
    pub(super) fn is_word(&self) -> bool {
        self.value.iter().all(u8::is_ascii_alphabetic)
    }

    /// The places where the value stands as a whole word or words: a port `25` is not found in
    /// `250`, nor a user `al` in `mail`.
    pub(super) fn spans(&self, text: &[u8]) -> impl Iterator<Item = Range<usize>> {
        self.finder.find_iter(text).map(|start| start..start + self.value.len()).filter(|span| {
            let is_whole = |inside: usize, outside: Option<&u8>| {
                !text[inside].is_ascii_alphanumeric()
                    || !outside.is_some_and(u8::is_ascii_alphanumeric)
            };
            is_whole(span.start, span.start.checked_sub(1).and_then(|before| text.get(before)))
                && is_whole(span.end - 1, text.get(span.end))
                && (!self.is_port || is_number(text, span))
        })
    }
}

/// Whether these digits are a number of their own: no part of a larger number, of a version or a
/// name, and not the size of a literal.
fn is_number(text: &[u8], span: &Range<usize>) -> bool {
    let (before, after) = (&text[..span.start], &text[span.end..]);
    let is_size = before.ends_with(b"{");
    let is_begun = before.last().is_some_and(|last| b".-_+,".contains(last));
    let is_continued = match after {
        [b'.' | b',' | b'-', next, ..] => next.is_ascii_alphanumeric(),
        [first, ..] => b"_+".contains(first),
        [] => false,
    };
    !is_size && !is_begun && !is_continued
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_value_is_found_as_a_word() {
        let spans = |value: &str, text: &str| {
            Known::new(value.as_bytes(), "X").spans(text.as_bytes()).count()
        };
        assert_eq!(spans("25", "250 25 localhost:25 2525 a25"), 2);
        assert_eq!(spans("mail.example", "mail.example, <a@mail.example> mail.examples"), 2);
        assert_eq!(spans("/tmp/x", "in/tmp/x/y"), 1);
    }
}
