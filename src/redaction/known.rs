//! Values that the caller knows beforehand, each with a token of its own.

use std::ops::Range;

use memchr::memmem;

use super::rule::Label;

/// A known value and its label.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) value: Box<[u8]>,
    pub(super) label: Label,
}

impl Known {
    pub(super) fn new(value: &[u8], token: &str) -> Self {
        Self { value: value.into(), label: Label::new(&format!("known {token}"), token, false) }
    }

    /// Whether the value consists of letters only, so that it could be any word.
    pub(super) fn is_word(&self) -> bool {
        self.value.iter().all(u8::is_ascii_alphabetic)
    }

    /// The places where the value stands as a whole word or words: a port `25` is not found in
    /// `250`, nor a user `al` in `mail`.
    pub(super) fn spans(&self, text: &[u8]) -> impl Iterator<Item = Range<usize>> {
        memmem::find_iter(text, &self.value).map(|start| start..start + self.value.len()).filter(
            |span| {
                let is_whole = |inside: usize, outside: Option<&u8>| {
                    !text[inside].is_ascii_alphanumeric()
                        || !outside.is_some_and(u8::is_ascii_alphanumeric)
                };
                is_whole(span.start, span.start.checked_sub(1).and_then(|before| text.get(before)))
                    && is_whole(span.end - 1, text.get(span.end))
            },
        )
    }
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
