//! Decodes transfer encodings (RFC 2045 section 6). Malformed pieces are left out or stay as they
//! are, and the rest is decoded.

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::quoted_printable::quoted_printable_decode_char;

use super::header;
use crate::quoted;

/// The body, decoded from the transfer encoding that the header declares.
pub(super) fn decoded(head: &[u8], body: &[u8]) -> Vec<u8> {
    match declared(head).as_deref() {
        Some(b"base64") => base64(body),
        Some(b"quoted-printable") => quoted_printable(body),
        _ => body.to_vec(),
    }
}

/// The transfer encoding in the header, in small letters and without comments.
fn declared(head: &[u8]) -> Option<Vec<u8>> {
    let fields = header::fields(head).known;
    let (_, value) = fields
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(b"Content-Transfer-Encoding"))?;
    let value = quoted::without_comments(value).to_ascii_lowercase();
    Some(value.split(|byte| *byte == b';').next()?.trim_ascii().to_vec())
}

/// Decodes base64 (section 6.8). Characters outside of the alphabet are ignored.
fn base64(body: &[u8]) -> Vec<u8> {
    let known = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let body: Vec<u8> = body.iter().copied().filter(known).collect();
    base64_decode(&body).unwrap_or_default()
}

/// Decodes quoted-printable (section 6.7). A `=` that begins no octet and ends no line stays.
fn quoted_printable(body: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(body.len());
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii_end();
        if let Some(text) = text.strip_suffix(b"=") {
            octets(text, b'=', &mut decoded);
            continue;
        }
        octets(text, b'=', &mut decoded);
        let end: &[u8] = match line {
            [.., b'\r', b'\n'] => b"\r\n",
            [.., b'\n'] => b"\n",
            _ => b"",
        };
        decoded.extend_from_slice(end);
    }
    decoded
}

/// Appends the text, in which the mark and two hexadecimal digits stand for an octet.
pub(super) fn octets(mut rest: &[u8], mark: u8, decoded: &mut Vec<u8>) {
    while let Some(place) = memchr::memchr(mark, rest) {
        decoded.extend_from_slice(&rest[..place]);
        let octet = match rest[place + 1..] {
            [first, second, ..] => quoted_printable_decode_char(first, second),
            _ => None,
        };
        decoded.push(octet.unwrap_or(mark));
        rest = &rest[place + if octet.is_some() { 3 } else { 1 }..];
    }
    decoded.extend_from_slice(rest);
}

/// The text that the octets are in a charset, which is UTF-8 if it is not known.
pub(super) fn text(charset: Option<&str>, octets: &[u8]) -> String {
    match charset.and_then(|charset| charset_decoder(charset.as_bytes())) {
        Some(decode) => decode(octets),
        None => String::from_utf8_lossy(octets).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_outside_of_base64_are_ignored() {
        for (body, plain) in [
            ("aGVs!bG8=\r\n", &b"hello"[..]),
            ("aG\u{fc}Vs\0bG8\r\n", b"hello"),
            ("aGVsbG8=\r\n-- \r\n", b"hello"),
            ("!!\r\n", b""),
            ("a", b""),
        ] {
            assert_eq!(base64(body.as_bytes()), plain, "{body:?}");
        }
    }

    #[test]
    fn malformed_pieces_of_quoted_printable_stay_and_the_rest_is_decoded() {
        for (body, plain) in [
            ("gr=C3=BC=c3=9fe, a = b\r\n", "grüße, a = b\r\n"),
            ("gr=C3=BC=C3=9Fe =ZZ\r\n", "grüße =ZZ\r\n"),
            ("==3D=4 =\r\n=4", "===4 =4"),
            ("a \t=20 \r\nb=  \r\nc =\nd\n e \n", "a \t \r\nbc d\n e\n"),
            ("a=", "a"),
            ("a\rb\r\n\r\n", "a\rb\r\n\r\n"),
            ("", ""),
        ] {
            assert_eq!(quoted_printable(body.as_bytes()), plain.as_bytes(), "{body:?}");
        }
    }

    #[test]
    fn the_encoding_is_read_without_comments_case_and_folding() {
        for (head, encoding) in [
            ("Content-Transfer-Encoding: base64 (rfc 822 (nested) \\) comment)\r\n", "base64"),
            ("A: b\r\ncontent-transfer-encoding:\r\n (x) Base64\r\n\r\n", "base64"),
            ("Content-Transfer-Encoding: quoted-printable;\r\n", "quoted-printable"),
            ("Content-Transfer-Encoding: (base64)", ""),
        ] {
            assert_eq!(declared(head.as_bytes()).unwrap(), encoding.as_bytes(), "{head:?}");
        }
        assert_eq!(decoded(b"Content-Transfer-Encoding: 8bit\r\n\r\n", b"=41"), b"=41");
        assert_eq!(decoded(b"", b"=41"), b"=41");
    }
}
