//! Decodes texts in which single bytes are written in hexadecimal: URLs (`%2B`, RFC 3986 section
//! 2.1) and quoted-printable (`=2B`, and lines continued after `=`, RFC 2045 section 6.7).

use std::ops::Range;

use zeroize::Zeroizing;

/// The bytes of an encoded text, each with its place in the text.
pub(super) struct Decoded {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// The place of each byte in the encoded text.
    places: Vec<Range<usize>>,
}

impl Decoded {
    /// The decoded text; `None` if nothing in it is encoded.
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        let mut marks = memchr::memchr2_iter(b'%', b'=', text);
        marks.any(|at| escape(&text[at..]).is_some()).then(|| Self::decode(text))
    }

    fn decode(text: &[u8]) -> Self {
        let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
        let mut places = Vec::with_capacity(text.len());
        let mut at = 0;
        while at < text.len() {
            let (byte, length) = escape(&text[at..]).unwrap_or((Some(text[at]), 1));
            if let Some(byte) = byte {
                bytes.push(byte);
                places.push(at..at + length);
            }
            at += length;
        }
        Self { bytes, places }
    }

    /// The span of the encoded text for a span of the decoded bytes, which must not be empty.
    pub(super) fn span(&self, span: &Range<usize>) -> Range<usize> {
        self.places[span.start].start..self.places[span.end - 1].end
    }
}

/// The byte that an escape at the start of the text stands for, if any, and the length of the
/// escape.
fn escape(text: &[u8]) -> Option<(Option<u8>, usize)> {
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    match text {
        [b'=', b'\r', b'\n', ..] => Some((None, 3)),
        [b'=', b'\n', ..] => Some((None, 2)),
        [b'%' | b'=', ..] => {
            let value = digit(1)? << 4 | digit(2)?;
            Some((Some(u8::try_from(value).ok()?), 3))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_of_the_decoded_bytes_is_one_of_the_text() {
        let decoded = Decoded::of(b"a%2Bb=3dc=\r\nd%zz=").unwrap();
        assert_eq!(**decoded.bytes, *b"a+b=cd%zz=");
        assert_eq!(decoded.span(&(1..4)), 1..8);
        assert_eq!(decoded.span(&(4..6)), 8..13);
        assert!(Decoded::of(b"100% of a=b").is_none());
    }
}
