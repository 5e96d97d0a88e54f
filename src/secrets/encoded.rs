//! Decodes texts in which single bytes are written otherwise: URLs (`%2B`, RFC 3986 section 2.1),
//! quoted-printable (`=2B`, and lines continued after `=`, RFC 2045 section 6.7), xtext (`+2B`, RFC
//! 3461 section 4), HTML (`&amp;`, `&#43;`), `&-` of modified UTF-7 (RFC 3501 section 5.1.3), and
//! strings of JSON and of programs (`\n`, `\x1b`, `\u001b`, `\u{1b}`).

use std::ops::Range;

use zeroize::Zeroizing;

/// The bytes of an encoded text.
pub(super) struct Decoded {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// What begins an escape.
    marks: &'static [u8],
}

/// The bytes that an escape stands for, and their number.
type Octets = ([u8; char::MAX.len_utf8()], usize);

impl Decoded {
    /// The text decoded in each way in which something in it is encoded. Xtext, HTML and strings are
    /// ways of their own, because `+`, `&` and backslashes stand for themselves in other texts.
    pub(super) fn all(text: &[u8]) -> impl Iterator<Item = Self> {
        [&b"%="[..], b"+", b"&", b"\\"].into_iter().filter_map(|marks| Self::of(text, marks))
    }

    fn of(text: &[u8], marks: &'static [u8]) -> Option<Self> {
        let (first, last) = (marks.first()?, marks.last()?);
        let mut found = memchr::memchr2_iter(*first, *last, text);
        found.any(|at| escape(&text[at..], marks).is_some()).then(|| Self::decode(text, marks))
    }

    fn decode(text: &[u8], marks: &'static [u8]) -> Self {
        let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
        for (_, (octets, count)) in units(text, marks) {
            bytes.extend_from_slice(&octets[..count]);
        }
        Self { bytes, marks }
    }

    /// The spans of the encoded text for spans of the decoded bytes. These are in order, do not
    /// overlap, and are not empty.
    pub(super) fn places(&self, text: &[u8], spans: &[Range<usize>]) -> Vec<Range<usize>> {
        let units = units(text, self.marks).map(|(place, (_, count))| (place, count));
        places(units, spans)
    }
}

/// The escapes of the text and the bytes between them, with their places.
fn units<'a>(
    text: &'a [u8],
    marks: &'static [u8],
) -> impl Iterator<Item = (Range<usize>, Octets)> + 'a {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        let first = *text.get(start)?;
        let (octets, length) = escape(&text[start..], marks).unwrap_or((octet(first), 1));
        at = start + length;
        Some((start..at, octets))
    })
}

/// The spans of a text for spans of what was read in it. `units` are the places in the text, each
/// with how much was read there. Places are not kept beside what was read, because they would take
/// many times its room.
pub(super) fn places(
    units: impl Iterator<Item = (Range<usize>, usize)>,
    spans: &[Range<usize>],
) -> Vec<Range<usize>> {
    let mut placed = Vec::with_capacity(spans.len());
    let (mut read, mut start) = (0, None);
    for (place, count) in units {
        read += count;
        while let Some(span) = spans.get(placed.len()).filter(|span| span.start < read) {
            let start_of_span = *start.get_or_insert(place.start);
            if span.end > read {
                break;
            }
            start = None;
            placed.push(start_of_span..place.end);
        }
        if placed.len() == spans.len() {
            break;
        }
    }
    placed
}

fn octet(byte: u8) -> Octets {
    ([byte, 0, 0, 0], 1)
}

fn octets_of(character: char) -> Octets {
    let mut octets = [0; char::MAX.len_utf8()];
    let count = character.encode_utf8(&mut octets).len();
    (octets, count)
}

/// The bytes that an escape at the start of the text stands for, and the length of the escape, which
/// begins with one of the marks.
fn escape(text: &[u8], marks: &[u8]) -> Option<(Octets, usize)> {
    text.first().filter(|first| marks.contains(first))?;
    match text {
        [b'=', b'\r', b'\n', ..] => Some((([0; 4], 0), 3)),
        [b'=', b'\n', ..] => Some((([0; 4], 0), 2)),
        [b'%' | b'=' | b'+', rest @ ..] => {
            Some((octet(u8::try_from(number(rest.get(..2)?)?).ok()?), 3))
        }
        [b'\\', rest @ ..] => in_string(rest).map(|(octets, length)| (octets, length + 1)),
        [b'&', b'-', ..] => Some((octet(b'&'), 2)),
        [b'&', rest @ ..] => {
            let name = &rest[..memchr::memchr(b';', &rest[..rest.len().min(LONGEST)])?];
            Some((octet(character(name)?), name.len() + 2))
        }
        _ => None,
    }
}

/// The value of hexadecimal digits.
fn number(digits: &[u8]) -> Option<u32> {
    let mut digits = digits.iter().map(|byte| char::from(*byte).to_digit(16));
    digits.try_fold(0, |value, digit| Some(value << 4 | digit?))
}

/// The bytes for which the text after a backslash stands, and the length of that text.
fn in_string(rest: &[u8]) -> Option<(Octets, usize)> {
    let byte = match rest {
        [b'r', ..] => b'\r',
        [b'n', ..] => b'\n',
        [b't', ..] => b'\t',
        [b'b', ..] => 0x08,
        [b'f', ..] => 0x0c,
        [b'0', ..] => 0,
        [b'e', ..] => 0x1b,
        [b'x', digits @ ..] => {
            return Some((octet(u8::try_from(number(digits.get(..2)?)?).ok()?), 3));
        }
        [b'u', b'{', digits @ ..] => {
            let end = memchr::memchr(b'}', &digits[..digits.len().min(LONGEST)])?;
            let value = number(digits.get(..end).filter(|digits| !digits.is_empty())?)?;
            return Some((octets_of(char::from_u32(value)?), end + 3));
        }
        [b'u', digits @ ..] => {
            return Some((octets_of(char::from_u32(number(digits.get(..4)?)?)?), 5));
        }
        [mark @ (b'\\' | b'"' | b'\'' | b'/'), ..] => *mark,
        _ => return None,
    };
    Some((octet(byte), 1))
}

/// The length of the longest name of a character in HTML that is read, with the semicolon, and of
/// the number of one in a string, with the brace.
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

    fn place(decoded: &Decoded, text: &[u8], span: Range<usize>) -> Range<usize> {
        decoded.places(text, &[span]).remove(0)
    }

    #[test]
    fn a_span_of_the_decoded_bytes_is_one_of_the_text() {
        let text = b"a%2Bb=3dc=\r\nd%zz=";
        let decoded = Decoded::all(text).next().unwrap();
        assert_eq!(**decoded.bytes, *b"a+b=cd%zz=");
        assert_eq!(place(&decoded, text, 1..4), 1..8);
        assert_eq!(decoded.places(text, &[1..2, 2..3, 4..6, 6..10]), [1..4, 4..5, 8..13, 13..17]);
        assert_eq!(Decoded::all(b"100% of a=b+c").count(), 0);
        let text = b"a+2Bb+3Dc";
        let decoded = Decoded::all(text).next().unwrap();
        assert_eq!((&**decoded.bytes, place(&decoded, text, 1..4)), (&b"a+b=c"[..], 1..8));
        for (text, bytes) in [
            ("a&amp;b", "a&b"),
            ("a&#43;b", "a+b"),
            ("a&#x2b;b&lt;", "a+b<"),
            ("a&-b", "a&b"),
            (r"a\u001b\x1b\u{1b}\e\n", "a\x1b\x1b\x1b\x1b\n"),
            (r#"\u00e9\"\\\u{20ac}"#, "é\"\\€"),
        ] {
            let decoded = Decoded::all(text.as_bytes()).next().unwrap();
            assert_eq!(&**decoded.bytes, bytes.as_bytes(), "{text}");
        }
        assert_eq!(Decoded::all(b"a&b; &; &nbsp; &#300; &amp").count(), 0);
        assert_eq!(Decoded::all(br"\Seen \u{} \ud800 \u{1111111} \x1").count(), 0);
    }

    #[test]
    fn an_escape_for_several_bytes_belongs_to_each_span_that_has_some_of_them() {
        let text = br"a\u00e9b";
        let decoded = Decoded::all(text).next().unwrap();
        assert_eq!(decoded.places(text, &[0..2, 2..4]), [0..7, 1..8]);
    }
}
