//! Reads parameters that are split into encoded pieces (RFC 2231).

use super::{encoding, header};
use crate::quoted;

/// The parameter of the header field, if the field has it in pieces and one of them is encoded.
/// Pieces may split a character, so they are joined before they are decoded.
pub(super) fn joined(head: &[u8], field: &str, parameter: &str) -> Option<String> {
    let fields = header::fields(head).known;
    let (_, value) =
        fields.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(field.as_bytes()))?;
    let value = quoted::without_comments(value);
    let mut pieces: Vec<_> =
        words(&value).filter_map(|word| Piece::read(word, parameter.as_bytes())).collect();
    if !pieces.iter().any(|piece| piece.is_encoded) {
        return None;
    }
    pieces.sort_by_key(|piece| piece.number);
    let (mut charset, mut octets) = (None, Vec::new());
    for (number, piece) in pieces.iter().enumerate().take_while(|(n, piece)| *n == piece.number) {
        let mut text = &*piece.text;
        if number == 0 && piece.is_encoded {
            // The charset and the language.
            let mut parts = text.splitn(3, |byte| *byte == b'\'');
            if let (Some(first), Some(_), Some(rest)) = (parts.next(), parts.next(), parts.next()) {
                (charset, text) = (Some(String::from_utf8_lossy(first).into_owned()), rest);
            }
        }
        if piece.is_encoded {
            encoding::octets(text, b'%', &mut octets);
        } else {
            octets.extend_from_slice(text);
        }
    }
    (!octets.is_empty()).then(|| encoding::text(charset.as_deref(), &octets))
}

/// One of the pieces of a parameter.
struct Piece {
    number: usize,
    is_encoded: bool,
    text: Vec<u8>,
}

impl Piece {
    /// Reads `name*number=text` or `name*number*=text`.
    fn read(word: &[u8], parameter: &[u8]) -> Option<Self> {
        let (name, text) = word.split_at_checked(memchr::memchr(b'=', word)?)?;
        let (start, rest) = name.trim_ascii().split_at_checked(parameter.len())?;
        let rest = rest.strip_prefix(b"*").filter(|_| start.eq_ignore_ascii_case(parameter))?;
        let number = rest.strip_suffix(b"*").unwrap_or(rest);
        let text = text[1..].trim_ascii();
        let unquoted = text.strip_prefix(b"\"").and_then(quoted::read);
        Some(Self {
            number: std::str::from_utf8(number).ok()?.parse().ok()?,
            is_encoded: rest.ends_with(b"*"),
            text: unquoted.map_or_else(|| text.to_vec(), |(text, _)| text),
        })
    }
}

/// The texts between the semicolons that are outside of quotes.
fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    value.split(move |byte| {
        let is_plain = !std::mem::take(&mut is_escaped);
        match byte {
            b'\\' => is_escaped = is_plain && is_quoted,
            b'"' if is_plain => is_quoted = !is_quoted,
            _ => {}
        }
        *byte == b';' && !is_quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_may_be_split_over_pieces() {
        for (value, expected) in [
            ("filename*0*=utf-8''gr%C3; filename*1*=%BC.txt", Some("grü.txt")),
            (
                "\r\n FileName*1*=%BC;\r\n\tfilename*2=\"; %2\\\"\" (x); filename*0*=''a%C3",
                Some("aü; %2\""),
            ),
            ("filename*0*=iso-8859-1'de'%FC; filename*1=%FC; filename*3=x", Some("ü%FC")),
            ("filename*0=a'b'; filename*1*=%zz%4", Some("a'b'%zz%4")),
            ("filename*0=a; filename*1=b", None),
            ("filename*=utf-8''%C3%BC", None),
            ("filename*1*=a; filename*-1*=b; filename*x*=c; other*0*=d; filename*2", None),
        ] {
            let head = format!("A: b\r\ncontent-disposition: attachment; {value}\r\n\r\n");
            let name = joined(head.as_bytes(), "Content-Disposition", "filename");
            assert_eq!(name.as_deref(), expected, "{value:?}");
        }
    }
}
