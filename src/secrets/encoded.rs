//! Decodes texts in which single bytes are written otherwise: URLs (`%2B`, RFC 3986 section 2.1),
//! quoted-printable (`=2B`, and lines continued after `=`, RFC 2045 section 6.7), xtext (`+2B`, RFC
//! 3461 section 4), HTML (`&amp;`, `&#43;`), and `&-` of modified UTF-7 (RFC 3501 section 5.1.3).

use std::ops::Range;

use zeroize::Zeroizing;

/// The bytes of an encoded text, each with its place in the text.
pub(super) struct Decoded {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// The place of each byte in the encoded text.
    places: Vec<Range<usize>>,
}

impl Decoded {
    /// The text decoded in each way in which something in it is encoded. Xtext and HTML are ways of
    /// their own, because `+` and `&` stand for themselves in other texts.
    pub(super) fn all(text: &[u8]) -> impl Iterator<Item = Self> {
        [&b"%="[..], b"+", b"&"].into_iter().filter_map(|marks| Self::of(text, marks))
    }

    fn of(text: &[u8], marks: &[u8]) -> Option<Self> {
        let (first, last) = (marks.first()?, marks.last()?);
        let mut found = memchr::memchr2_iter(*first, *last, text);
        found.any(|at| escape(&text[at..], marks).is_some()).then(|| Self::decode(text, marks))
    }

    fn decode(text: &[u8], marks: &[u8]) -> Self {
        let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
        let mut places = Vec::with_capacity(text.len());
        let mut at = 0;
        while at < text.len() {
            let (byte, length) = escape(&text[at..], marks).unwrap_or((Some(text[at]), 1));
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
/// escape, which begins with one of the marks.
fn escape(text: &[u8], marks: &[u8]) -> Option<(Option<u8>, usize)> {
    text.first().filter(|first| marks.contains(first))?;
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    match text {
        [b'=', b'\r', b'\n', ..] => Some((None, 3)),
        [b'=', b'\n', ..] => Some((None, 2)),
        [b'%' | b'=' | b'+', ..] => {
            let value = digit(1)? << 4 | digit(2)?;
            Some((Some(u8::try_from(value).ok()?), 3))
        }
        [b'&', b'-', ..] => Some((Some(b'&'), 2)),
        [b'&', rest @ ..] => {
            let name = &rest[..memchr::memchr(b';', &rest[..rest.len().min(LONGEST)])?];
            Some((Some(character(name)?), name.len() + 2))
        }
        _ => None,
    }
}

/// The length of the longest name of a character in HTML that is read, with the semicolon.
const LONGEST: usize = 8;

/// The ASCII character that has this name, or number, in HTML.
fn character(name: &[u8]) -> Option<u8> {
    let number = |digits: &[u8], radix| {
        u8::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok().filter(u8::is_ascii)
    };
    match name {
        b"amp" => Some(b'&'),
        b"lt" => Some(b'<'),
        b"gt" => Some(b'>'),
        b"quot" => Some(b'"'),
        b"apos" => Some(b'\''),
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16),
        [b'#', digits @ ..] => number(digits, 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_of_the_decoded_bytes_is_one_of_the_text() {
        let decoded = Decoded::all(b"a%2Bb=3dc=\r\nd%zz=").next().unwrap();
        assert_eq!(**decoded.bytes, *b"a+b=cd%zz=");
        assert_eq!(decoded.span(&(1..4)), 1..8);
        assert_eq!(decoded.span(&(4..6)), 8..13);
        assert_eq!(Decoded::all(b"100% of a=b+c").count(), 0);
        let decoded = Decoded::all(b"a+2Bb+3Dc").next().unwrap();
        assert_eq!((&**decoded.bytes, decoded.span(&(1..4))), (&b"a+b=c"[..], 1..8));
        for (text, bytes) in
            [("a&amp;b", "a&b"), ("a&#43;b", "a+b"), ("a&#x2b;b&lt;", "a+b<"), ("a&-b", "a&b")]
        {
            let decoded = Decoded::all(text.as_bytes()).next().unwrap();
            assert_eq!(&**decoded.bytes, bytes.as_bytes(), "{text}");
        }
        assert_eq!(Decoded::all(b"a&b; &; &nbsp; &#300; &amp").count(), 0);
    }
}
