//! Spans of bytes, and what masks them.

use std::borrow::Cow;
use std::ops::Range;

use super::grams::{SHARES_AFTER, SHARES_BEFORE};
use super::token::SECRET;

/// The span of a part that has ended.
pub(super) fn end_part(bytes: &[u8], (part, shares): (Range<usize>, u64)) -> Range<usize> {
    widened(bytes, (part, shares & SHARES_AFTER))
}

/// A span, extended by the base64 digits beside it that share bits with it, and by the padding.
pub(super) fn widened(bytes: &[u8], (mut span, shares): (Range<usize>, u64)) -> Range<usize> {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
    if shares & SHARES_BEFORE != 0 && bytes[..span.start].last().is_some_and(is_digit) {
        span.start -= 1;
    }
    if shares & SHARES_AFTER != 0 && bytes.get(span.end).is_some_and(is_digit) {
        span.end += 1;
        span.end += bytes[span.end..].iter().take(2).take_while(|byte| **byte == b'=').count();
    }
    span
}

/// Adds a span that ends no earlier than those before it. It is joined with those that it overlaps
/// or touches, because a hostile text may have a secret at each byte.
pub(super) fn push(spans: &mut Vec<Range<usize>>, mut span: Range<usize>) {
    while let Some(before) = spans.pop_if(|before| before.end >= span.start) {
        span = before.start.min(span.start)..before.end.max(span.end);
    }
    spans.push(span);
}

/// The spans in order; those that overlap or touch are joined.
pub(super) fn joined(mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    spans.sort_unstable_by_key(|span| span.start);
    spans.dedup_by(|next, span| {
        let overlaps = next.start <= span.end;
        if overlaps {
            span.end = span.end.max(next.end);
        }
        overlaps
    });
    spans
}

/// The lines of the bytes, without their ends and without empty ones.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    parts(bytes, |byte| matches!(byte, b'\r' | b'\n'))
}

/// The words of the bytes: what is between blanks and line ends, without quotes and punctuation at
/// the ends.
pub(super) fn words(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let is_mark = |byte: &u8| b"`'\"()[],.:;!?".contains(byte);
    parts(bytes, u8::is_ascii_whitespace).filter_map(move |word| {
        let text = &bytes[word.clone()];
        let first = text.iter().position(|byte| !is_mark(byte))?;
        let last = text.iter().rposition(|byte| !is_mark(byte))?;
        Some(word.start + first..word.start + last + 1)
    })
}

/// The parts of the bytes between separators.
fn parts(
    bytes: &[u8],
    is_separator: impl Fn(&u8) -> bool + Copy,
) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        at += bytes[at..].iter().take_while(|byte| is_separator(byte)).count();
        let start = at;
        at += bytes[at..].iter().take_while(|byte| !is_separator(byte)).count();
        (start < at).then_some(start..at)
    })
}

/// The bytes with only these spans masked.
pub(crate) fn mask_spans<'a>(bytes: &'a [u8], spans: &[Range<usize>]) -> Cow<'a, [u8]> {
    let spans = joined(spans.to_vec());
    if spans.is_empty() { Cow::Borrowed(bytes) } else { Cow::Owned(without(bytes, &spans)) }
}

/// The bytes with a mask in place of each span. The spans are in order and do not overlap.
pub(super) fn without(bytes: &[u8], spans: &[Range<usize>]) -> Vec<u8> {
    let mut masked = Vec::with_capacity(bytes.len() + SECRET.len());
    let mut from = 0;
    for span in spans {
        masked.extend_from_slice(&bytes[from..span.start]);
        masked.extend_from_slice(SECRET);
        from = span.end;
    }
    masked.extend_from_slice(&bytes[from..]);
    masked
}

pub(super) fn replace(text: &mut String, spans: &[Range<usize>]) {
    if !spans.is_empty() {
        *text = String::from_utf8_lossy(&without(text.as_bytes(), spans)).into_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_joined_with_those_that_it_overlaps() {
        let mut spans = Vec::new();
        for span in [1..3, 5..7, 6..9, 9..10, 12..13, 4..14] {
            push(&mut spans, span);
        }
        assert_eq!(spans, [1..3, 4..14]);
    }

    #[test]
    fn lines_and_words_have_no_ends_and_no_quotes() {
        let text = b"one two\r\n\n`three`, (4)\n...";
        assert_eq!(lines(text).collect::<Vec<_>>(), [0..7, 10..22, 23..26]);
        assert_eq!(words(text).collect::<Vec<_>>(), [0..3, 4..7, 11..16, 20..21]);
    }
}
