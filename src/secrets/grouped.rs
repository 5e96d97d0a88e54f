//! Reads digits that are written in groups: hexadecimal with signs between them (`68756e74 65723221`,
//! `68:75:6e`), and base64 that goes over several lines (RFC 2045 section 6.8).

use std::ops::Range;

use memchr::memmem;
use zeroize::Zeroizing;

use super::encoded::places;
use super::grams::PART;
use super::token::SHORTEST;

/// The most blanks and signs between two digits.
const MOST_BETWEEN: usize = 3;

/// How many base64 digits before and after a line end are read: enough for a part of a secret that
/// goes over it. The rest of both lines is searched as it is.
const BESIDE: usize = 16;

/// The minimum length of a part of a secret that is searched for in hexadecimal, in bytes. Twelve
/// digits may be any number.
const PART_OF_HEXADECIMAL: usize = PART + 1;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Digits {
    Hexadecimal,
    Base64,
}

/// What stands at a place of a text, and its length.
enum Unit {
    Digits(usize),
    /// What separates digits.
    Gap(usize),
    Other,
}

/// Digits that belong together.
#[derive(Debug)]
pub(super) struct Grouped {
    digits: Digits,
    /// Where they are in the text.
    range: Range<usize>,
}

/// What digits say.
pub(super) struct Reading {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// The number of digits before the first byte.
    before: usize,
    /// The number of digits of a byte.
    each: usize,
}

impl Grouped {
    /// All hexadecimal digits in the text, and the base64 digits beside line ends.
    pub(super) fn all(text: &[u8]) -> impl Iterator<Item = Self> {
        Self::hexadecimal(text).chain(Self::over_lines(text))
    }

    fn hexadecimal(text: &[u8]) -> impl Iterator<Item = Self> {
        let digits = Digits::Hexadecimal;
        let mut at = 0;
        std::iter::from_fn(move || {
            loop {
                at = enough_digits(text, at)?;
                let found = Self { digits, range: at..text.len() };
                let mut count = 0;
                let last = found.runs(text).inspect(|run| count += run.len()).last()?;
                at = last.end;
                if count >= 2 * SHORTEST {
                    return Some(Self { digits, range: found.range.start..at });
                }
            }
        })
    }

    fn over_lines(text: &[u8]) -> impl Iterator<Item = Self> {
        let ends = memmem::find_iter(text, b"\n").chain(memmem::find_iter(text, br"\n"));
        ends.filter_map(|at| {
            let before = text[..at].strip_suffix(b"\r").or(text[..at].strip_suffix(br"\r"));
            let before = before.unwrap_or(&text[..at]);
            let digits = Digits::Base64;
            let last = before.iter().rev().take(BESIDE).take_while(|byte| digits.has(**byte));
            let start = before.len() - last.count();
            let (mut left, mut end) = (BESIDE, before.len());
            let rest = Self { digits, range: before.len()..text.len() };
            for run in rest.runs(text) {
                end = run.end.min(run.start + left);
                left -= end - run.start;
                if left == 0 {
                    break;
                }
            }
            let is_found = start < before.len() && before.len() < end;
            is_found.then_some(Self { digits, range: start..end })
        })
    }

    /// The minimum length of a part of a secret in what the digits say.
    pub(super) fn part(&self) -> usize {
        match self.digits {
            Digits::Hexadecimal => PART_OF_HEXADECIMAL,
            Digits::Base64 => PART,
        }
    }

    /// What the digits say. Hexadecimal may begin with half a byte of something else.
    pub(super) fn readings(&self, text: &[u8]) -> Vec<Reading> {
        let mut digits = Zeroizing::new(Vec::with_capacity(self.range.len()));
        self.runs(text).for_each(|run| digits.extend_from_slice(&text[run]));
        match self.digits {
            Digits::Base64 => vec![Reading { bytes: digits, before: 0, each: 1 }],
            Digits::Hexadecimal => (0..2).map(|before| hexadecimal(&digits, before)).collect(),
        }
    }

    /// The spans of the text for spans of a reading.
    pub(super) fn places(
        &self,
        text: &[u8],
        reading: &Reading,
        spans: &[Range<usize>],
    ) -> Vec<Range<usize>> {
        let digit = |byte: usize| reading.before + reading.each * byte;
        let spans: Vec<_> = spans.iter().map(|span| digit(span.start)..digit(span.end)).collect();
        places(self.runs(text).flatten().map(|at| (at..at + 1, 1)), &spans)
    }

    /// The digits without gaps between them, from the start of the range. Digits after two gaps, or
    /// after anything else, do not belong to them.
    fn runs(&self, text: &[u8]) -> impl Iterator<Item = Range<usize>> {
        let (digits, end) = (self.digits, self.range.end);
        let mut at = self.range.start;
        std::iter::from_fn(move || {
            if let Unit::Gap(length) = digits.unit(&text[at..end]) {
                at += length;
            }
            let Unit::Digits(length) = digits.unit(&text[at..end]) else { return None };
            at += length;
            Some(at - length..at)
        })
    }
}

/// The first place after `from` where as many hexadecimal digits follow as the shortest secret has,
/// with nothing but signs between them. Most texts have none, so this is all that is done there.
fn enough_digits(text: &[u8], from: usize) -> Option<usize> {
    let (mut count, mut start) = (0, from);
    for (at, byte) in text.iter().enumerate().skip(from) {
        match KINDS[usize::from(*byte)] {
            DIGIT => {
                start = if count == 0 { at } else { start };
                count += 1;
                if count == 2 * SHORTEST {
                    return Some(start);
                }
            }
            SIGN => {}
            _ => count = 0,
        }
    }
    None
}

const DIGIT: u8 = 1;
const SIGN: u8 = 2;

/// Which bytes are hexadecimal digits, and which may stand between them, also as a line end that is
/// written with escapes.
const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let signs = b" :-,\t\r\n\\rn";
    let mut at = 0;
    while at < signs.len() {
        kinds[signs[at] as usize] = SIGN;
        at += 1;
    }
    let digits = b"0123456789abcdefABCDEF";
    at = 0;
    while at < digits.len() {
        kinds[digits[at] as usize] = DIGIT;
        at += 1;
    }
    kinds
};

fn hexadecimal(digits: &[u8], before: usize) -> Reading {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit.to_ascii_lowercase() - b'a' + 10,
    };
    let pairs = digits[before..].chunks_exact(2);
    let mut bytes = Zeroizing::new(Vec::with_capacity(digits.len() / 2));
    bytes.extend(pairs.map(|pair| value(pair[0]) << 4 | value(pair[1])));
    Reading { bytes, before, each: 2 }
}

impl Digits {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Hexadecimal => byte.is_ascii_hexdigit(),
            Self::Base64 => byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte),
        }
    }

    fn unit(self, rest: &[u8]) -> Unit {
        let end = rest.iter().position(|byte| !self.has(*byte)).unwrap_or(rest.len());
        if end > 0 {
            return Unit::Digits(end);
        }
        match line_end(rest) {
            0 if self == Self::Hexadecimal => {
                let is_sign = |byte: &&u8| b" :-,\t".contains(byte);
                match rest.iter().take(MOST_BETWEEN).take_while(is_sign).count() {
                    0 => Unit::Other,
                    length => Unit::Gap(length),
                }
            }
            0 => Unit::Other,
            length => {
                let blanks = rest[length..].iter().take(MOST_BETWEEN);
                Unit::Gap(length + blanks.take_while(|byte| b" \t".contains(byte)).count())
            }
        }
    }
}

/// The length of the line end at the start of the text, which may be written with escapes.
fn line_end(text: &[u8]) -> usize {
    match text {
        [b'\\', b'r', b'\\', b'n', ..] => 4,
        [b'\r', b'\n', ..] | [b'\\', b'n', ..] => 2,
        [b'\n', ..] => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(&str, String)> {
        let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let all = Grouped::all(text.as_bytes());
        let read = all.flat_map(|grouped| {
            let range = &text[grouped.range.clone()];
            let readings = grouped.readings(text.as_bytes());
            readings.into_iter().map(move |reading| (range, text_of(&reading.bytes)))
        });
        read.collect()
    }

    #[test]
    fn hexadecimal_is_read_whatever_is_between_its_digits() {
        for (text, digits) in [
            ("[61626364 6566]", "61626364 6566"),
            ("<61:62:63:64:65:66>", "61:62:63:64:65:66"),
            ("61, 62, 63, 64\r\n 65-66.", "61, 62, 63, 64\r\n 65-66"),
            (r"61626364\r\n6566", r"61626364\r\n6566"),
            ("616263646566    ", "616263646566"),
        ] {
            assert_eq!(read(text)[0], (digits, "abcdef".to_owned()), "{text}");
        }
        assert_eq!(read("x4616263646 5")[1].1, "abcde");
        assert_eq!(read("250 2.1.0 61     626364 x").len(), 0);
    }

    #[test]
    fn base64_is_read_over_lines() {
        assert_eq!(read("x: aHVu\r\n\tdGVy=\r\nMg"), [("aHVu\r\n\tdGVy", "aHVudGVy".to_owned())]);
        let long = format!("{}\n{}\nMg", "x".repeat(100), "y".repeat(100));
        let crossing = [&"x".repeat(16), "\n", &"y".repeat(16)].concat();
        assert_eq!(read(&long)[0], (&*crossing, crossing.replace('\n', "")));
        assert_eq!(read("aHVu\r\ndG\r\nVy")[0].1, "aHVudGVy");
        assert_eq!(read(r"aHV\nudGV"), [(r"aHV\nudGV", "aHVudGV".to_owned())]);
        assert_eq!(read("aHVu dGVy\r\n").len(), 0);
    }

    #[test]
    fn a_span_of_what_was_read_is_one_of_the_text() {
        let text = b"[61626364 6566]";
        let grouped = Grouped::all(text).next().unwrap();
        let readings = grouped.readings(text);
        assert_eq!(grouped.places(text, &readings[0], &[1..2, 3..5]), [3..5, 7..12]);
        assert_eq!(grouped.places(text, &readings[1], &[1..2, 3..4]), [4..6, 8..11]);
    }
}
