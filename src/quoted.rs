//! Strings in double quotes, in which a backslash makes the next octet literal: `quoted` in IMAP
//! (RFC 3501 section 9) and ManageSieve (RFC 5804 section 4), `quoted-string` in DIGEST-MD5 (RFC
//! 2831 section 7.2), and of header fields (RFC 5322 section 3.2.4).

/// The octets in quotes. The caller has to know whether the octets are allowed in quotes at all.
pub(crate) fn write(octets: &[u8]) -> Vec<u8> {
    [b"\"", escaped(octets).as_slice(), b"\""].concat()
}

/// The octets, with a backslash before each quote and backslash.
pub(crate) fn escaped(octets: &[u8]) -> Vec<u8> {
    // Allocated at once: a vector that grows would leave copies of a secret behind.
    let mut escaped = Vec::with_capacity(2 * octets.len());
    for octet in octets {
        if matches!(octet, b'"' | b'\\') {
            escaped.push(b'\\');
        }
        escaped.push(*octet);
    }
    escaped
}

/// Reads a quoted string. `text` begins after the opening quote. Returns the string, and what
/// follows the closing quote; `None` if the line or the text ends before that.
pub(crate) fn read(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut octets = Vec::new();
    let mut rest = text;
    loop {
        let end = memchr::memchr3(b'"', b'\\', b'\n', rest)?;
        octets.extend_from_slice(&rest[..end]);
        let after = &rest[end + 1..];
        match rest[end] {
            b'"' => return Some((octets, after)),
            b'\\' => {
                let (octet, after) = after.split_first()?;
                octets.push(*octet);
                rest = after;
            }
            _ => return None,
        }
    }
}

/// Whether each backslash in a text stands before a quote or another backslash, as `quoted` in IMAP
/// and ManageSieve requires.
pub(crate) fn has_escapes_of_specials(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        if !matches!(rest.get(at + 1), Some(b'"' | b'\\')) {
            return false;
        }
        rest = &rest[at + 2..];
    }
    true
}

/// The octets that a text with backslashes stands for; a quote stands for itself.
pub(crate) fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(octet) = rest.next() {
        match octet {
            b'\\' => octets.push(*rest.next().unwrap_or(octet)),
            _ => octets.push(*octet),
        }
    }
    octets
}

/// The value of a header field without its comments (RFC 5322 section 3.2.2), which are not looked
/// for in quotes. A comment separates words, so it becomes a space.
pub(crate) fn without_comments(value: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(value.len());
    let (mut depth, mut is_quoted, mut is_escaped) = (0_usize, false, false);
    for byte in value {
        let is_plain = !std::mem::take(&mut is_escaped);
        let is_in_comment = depth > 0;
        match byte {
            b'\\' if is_plain => is_escaped = is_quoted || is_in_comment,
            b'"' if is_plain && !is_in_comment => is_quoted = !is_quoted,
            b'(' if is_plain && !is_quoted => depth += 1,
            b')' if is_plain && is_in_comment => {
                depth -= 1;
                if depth == 0 {
                    kept.push(b' ');
                }
            }
            _ => {}
        }
        if depth == 0 && !is_in_comment {
            kept.push(*byte);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_string_is_read_again_with_the_text_after_it() {
        for octets in [&b""[..], b"a b", br#"a"b"#, br"\", br#"\""#, b"\xff\x01"] {
            let written = [&write(octets)[..], b" rest"].concat();
            assert_eq!(read(&written[1..]), Some((octets.to_vec(), &b" rest"[..])));
            assert_eq!(unescaped(&escaped(octets)), octets);
        }
    }

    #[test]
    fn a_string_that_is_not_closed_is_none() {
        for text in [&b""[..], b"a", br"a\", br#"a\""#, b"a\nb\""] {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(unescaped(b"a b"), b"a b");
        assert_eq!(unescaped(br"a\"), br"a\");
    }

    #[test]
    fn a_backslash_stands_before_a_quote_or_a_backslash() {
        for (text, holds) in [
            (&b""[..], true),
            (br#"a \" \\ b"#, true),
            (br"\\b", true),
            (br"a\b", false),
            (br"\\\", false),
        ] {
            assert_eq!(has_escapes_of_specials(text), holds, "{text:?}");
        }
    }

    #[test]
    fn comments_are_left_out_except_in_quotes() {
        for (value, kept) in [
            ("a(b)c", "a c"),
            ("a (b (c) \\) \"d) e", "a   e"),
            ("\"a (b) \\\" (c)\" (d)e", "\"a (b) \\\" (c)\"  e"),
            ("a) (b", "a) "),
        ] {
            let left = without_comments(value.as_bytes());
            assert_eq!(String::from_utf8_lossy(&left), kept, "{value:?}");
        }
    }
}
