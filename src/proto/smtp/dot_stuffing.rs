//! Messages as DATA carries them (RFC 5321 section 4.5.2).

/// Encodes a message for DATA: leading dots doubled (RFC 5321 section 4.5.2), the last line ended,
/// and the final dot added.
///
/// ```
/// assert_eq!(mailexpect::dot_stuff(b"a\r\n.b"), b"a\r\n..b\r\n.\r\n");
/// ```
#[must_use]
pub fn dot_stuff(message: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(message.len() + message.len() / 64 + 5);
    let mut rest = message;
    if rest.first() == Some(&b'.') {
        stuffed.push(b'.');
    }
    while let Some(at) = memchr::memmem::find(rest, b"\r\n.") {
        stuffed.extend_from_slice(&rest[..at + 2]);
        stuffed.push(b'.');
        rest = &rest[at + 2..];
        stuffed.push(b'.');
        rest = &rest[1..];
    }
    stuffed.extend_from_slice(rest);
    if !stuffed.is_empty() && !stuffed.ends_with(b"\r\n") {
        stuffed.extend_from_slice(b"\r\n");
    }
    stuffed.extend_from_slice(b".\r\n");
    stuffed
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn leading_dots_are_doubled_and_the_last_line_ended() {
        for (message, stuffed) in [
            ("", ".\r\n"),
            ("a\r\n", "a\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            (".", "..\r\n.\r\n"),
            ("a\r\n.\r\n.b\r\n..c", "a\r\n..\r\n..b\r\n...c\r\n.\r\n"),
            ("a\n.\nb", "a\n.\nb\r\n.\r\n"),
        ] {
            assert_eq!(String::from_utf8(dot_stuff(message.as_bytes())).unwrap(), stuffed);
        }
    }

    proptest! {
        #[test]
        fn a_stuffed_message_ends_once_and_at_its_end(message in proptest::collection::vec(proptest::sample::select(&b".\r\nab"[..]), 0..30)) {
            let stuffed = [b"\r\n", &dot_stuff(&message)[..]].concat();
            prop_assert_eq!(memchr::memmem::find(&stuffed, b"\r\n.\r\n"), Some(stuffed.len() - 5));
        }
    }
}
