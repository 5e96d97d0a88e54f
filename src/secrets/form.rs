//! The forms that a secret takes on the wire.

use std::ops::Range;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use memchr::memmem::Finder;

/// One form of a secret, to be looked for.
#[derive(Clone)]
pub(super) struct Form {
    finder: Finder<'static>,
    /// The digits of base64 beside it hold bits of the secret as well, and bits of its neighbour.
    shares_before: bool,
    shares_behind: bool,
}

impl Form {
    /// As it is.
    pub(super) fn plain(value: &[u8]) -> Self {
        Self { finder: Finder::new(value).into_owned(), shares_before: false, shares_behind: false }
    }

    /// In a longer text in base64, where it begins so many bytes behind a group of three.
    pub(super) fn base64(value: &[u8], offset: usize) -> Self {
        let padded = [&[0; 2][..offset], value].concat();
        let digits = BASE64_STANDARD_NO_PAD.encode(&padded);
        // A digit holds six bits, so the first of our own is the second behind one byte, and the
        // third behind two.
        let (first, last) = ([0, 2, 3][offset], padded.len() * 8 / 6);
        let own = &digits.as_bytes()[first.min(last)..last];
        Self {
            finder: Finder::new(own).into_owned(),
            shares_before: offset > 0,
            shares_behind: padded.len() * 8 % 6 > 0,
        }
    }

    /// In quotes, where that makes a difference.
    pub(super) fn quoted(value: &[u8]) -> Option<Self> {
        let is_special = |byte: &u8| matches!(byte, b'"' | b'\\');
        value.iter().any(is_special).then(|| {
            let escaped = value
                .iter()
                .flat_map(|byte| if is_special(byte) { vec![b'\\', *byte] } else { vec![*byte] });
            Self::plain(&escaped.collect::<Vec<_>>())
        })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.finder.needle()
    }

    /// Adds the spans where it stands in the bytes, those that overlap as one.
    pub(super) fn find(&self, bytes: &[u8], spans: &mut Vec<Range<usize>>) {
        let own = spans.len();
        let mut from = 0;
        while let Some(ahead) = self.finder.find(&bytes[from..]) {
            let span = self.widened(bytes, from + ahead);
            // What repeats itself, such as `abab`, may begin again inside.
            from += ahead + 1;
            match spans[own..].last_mut() {
                Some(last) if span.start < last.end => last.end = span.end,
                _ => spans.push(span),
            }
        }
    }

    /// The span of a match, with the digits beside it that share bits with it, and the padding.
    fn widened(&self, bytes: &[u8], start: usize) -> Range<usize> {
        let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        let mut span = start..start + self.bytes().len();
        if self.shares_before && bytes[..start].last().is_some_and(is_digit) {
            span.start -= 1;
        }
        if self.shares_behind && bytes.get(span.end).is_some_and(is_digit) {
            span.end += 1;
            span.end += bytes[span.end..].iter().take(2).take_while(|byte| **byte == b'=').count();
        }
        span
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;

    #[test]
    fn what_overlaps_itself_is_one_span() {
        let mut spans = Vec::new();
        Form::plain(b"abab").find(b"xabababx abab", &mut spans);
        assert_eq!(spans, [1..7, 9..13]);
    }

    proptest! {
        #[test]
        fn a_secret_is_found_in_base64_wherever_it_stands(before in "[ -~]{0,9}", secret in "[ -~]{6,20}", behind in "[ -~]{0,9}") {
            let wire = BASE64_STANDARD.encode(format!("{before}{secret}{behind}"));
            let mut spans = Vec::new();
            (0..3).for_each(|offset| Form::base64(secret.as_bytes(), offset).find(wire.as_bytes(), &mut spans));
            // All digits that hold bits of it, and at most the padding besides.
            let digits = before.len() * 8 / 6..((before.len() + secret.len()) * 8).div_ceil(6);
            let found = spans.iter().any(|span| span.start <= digits.start && span.end >= digits.end);
            prop_assert!(found, "{} {:?}", wire, spans);
        }
    }
}
