//! How much memory messages take that are parsed or compared. It is asked for before they are.

use std::collections::BTreeSet;

use memchr::memmem;

/// The memory, in bytes, that a header takes in the parser and in its result even if it is only a
/// name and a colon.
const HEADER: usize = 256;

/// The memory that an address takes in the parser and in its result, even if it is one character.
const ADDRESS: usize = 128;

/// The memory that a part takes in the parser and in its result, even if it is empty.
const PART: usize = 512;

/// The bytes that a line of a message takes while it is compared.
const LINE: usize = 32;

/// The name of the parameter that separates the parts of a message, and the greatest length of its
/// value (RFC 2046 section 5.1.1).
const BOUNDARY: (&[u8], usize) = (b"boundary", 70);

/// The number of boundaries that are looked for one by one.
const MOST_BOUNDARIES: usize = 64;

/// Returns about how much memory a parsed message takes at most.
pub(super) fn parsed_size(message: &[u8]) -> usize {
    let headers = memchr::memchr_iter(b':', message).count();
    let end = ["\n\r\n", "\n\n"].map(|end| memmem::find(message, end.as_bytes()));
    let head = &message[..end.into_iter().flatten().min().unwrap_or(message.len())];
    let addresses = memchr::memchr2_iter(b',', b';', head).count();
    message.len() + headers * HEADER + addresses * ADDRESS + parts(message) * PART
}

/// Returns how much memory the lines of a message take while they are compared.
pub(super) fn lines_size(message: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', message).count() * LINE
}

/// The number of parts that a message has at most. The parser takes a boundary for one wherever it
/// comes after two hyphens.
fn parts(message: &[u8]) -> usize {
    let count = |sign: &[u8]| memmem::find_iter(message, sign).count();
    match boundaries(message) {
        Some(boundaries) => boundaries.iter().map(|value| count(&[b"--", *value].concat())).sum(),
        None => count(b"--"),
    }
}

/// The boundaries that a message names, each at least by its beginning; `None` if there are many,
/// or if one is not in one piece (RFC 2231 section 3).
fn boundaries(message: &[u8]) -> Option<BTreeSet<&[u8]>> {
    let (name, longest) = BOUNDARY;
    let mut values = BTreeSet::new();
    for start in memchr::memchr2_iter(b'b', b'B', message) {
        let Some((word, rest)) = message[start..].split_at_checked(name.len()) else { break };
        if !word.eq_ignore_ascii_case(name) {
            continue;
        }
        let value = match rest.trim_ascii_start() {
            [b'=', value @ ..] => value.trim_ascii_start(),
            [b'*', ..] => return None,
            _ => continue,
        };
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        let is_end = |byte: &u8| b"\";\\".contains(byte) || byte.is_ascii_whitespace();
        let length = value.iter().take(longest).take_while(|byte| !is_end(byte)).count();
        values.insert(&value[..length]);
        if values.len() > MOST_BOUNDARIES {
            return None;
        }
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_by_the_boundaries_of_the_message() {
        for (message, count) in [
            ("Subject: x\n\nboundary\n------------\n-- \n", 0),
            ("Content-Type: multipart/mixed; boundary=x\n\n--x\n\n--x\n\n--x--\n----\n", 3),
            ("Content-Type: multipart/mixed; Boundary = \"a b\"\n\n--a b\n\n--a b--\n", 2),
            ("Content-Type: multipart/mixed; boundary*0=x\n\n--x\n\n----\n", 3),
            ("Content-Type: multipart/mixed; boundary=\"\"\n\n--\n\n--\n", 2),
        ] {
            assert_eq!(parts(message.as_bytes()), count, "{message}");
        }
    }

    #[test]
    fn many_boundaries_are_not_looked_for_one_by_one() {
        let named: String = (0..100).flat_map(|_| ["boundary=", "x", "y;--"]).collect();
        assert_eq!(parts(named.as_bytes()), 0);
        let many: Vec<_> = (0..100).map(|n| format!("boundary={n};--")).collect();
        assert_eq!(parts(many.concat().as_bytes()), 100);
    }
}
