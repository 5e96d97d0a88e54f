//! Modified UTF-7, the encoding of mailbox names in IMAP (RFC 3501 section 5.1.3).

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

const BASE64: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// Encodes text in modified UTF-7.
///
/// ```
/// use mailexpect::imap::{mutf7, mutf7_decode};
///
/// assert_eq!(mutf7("Entwürfe & mehr"), "Entw&APw-rfe &- mehr");
/// assert_eq!(mutf7_decode("Entw&APw-rfe &- mehr").unwrap(), "Entwürfe & mehr");
/// ```
#[must_use]
pub fn mutf7(text: &str) -> String {
    let mut encoded = String::new();
    let mut shifted = Vec::new();
    for character in text.chars() {
        if !matches!(character, ' '..='~') {
            let mut units = [0; 2];
            shifted.extend(character.encode_utf16(&mut units).iter().flat_map(|u| u.to_be_bytes()));
            continue;
        }
        shift(&mut encoded, &mut shifted);
        encoded.push(character);
        if character == '&' {
            encoded.push('-');
        }
    }
    shift(&mut encoded, &mut shifted);
    encoded
}

fn shift(encoded: &mut String, shifted: &mut Vec<u8>) {
    if !shifted.is_empty() {
        encoded.push('&');
        encoded.push_str(&BASE64.encode(&*shifted));
        encoded.push('-');
        shifted.clear();
    }
}

/// Decodes text from modified UTF-7; `None` if it is not valid.
#[must_use]
pub fn mutf7_decode(encoded: &str) -> Option<String> {
    let mut text = String::new();
    let mut rest = encoded;
    while let Some(at) = rest.find(|character| character == '&' || !matches!(character, ' '..='~'))
    {
        text.push_str(&rest[..at]);
        let (shifted, after) = rest[at..].strip_prefix('&')?.split_once('-')?;
        if shifted.is_empty() {
            text.push('&');
        } else {
            let bytes = BASE64.decode(shifted).ok().filter(|bytes| bytes.len() % 2 == 0)?;
            let units: Vec<_> =
                bytes.chunks(2).map(|unit| u16::from_be_bytes([unit[0], unit[1]])).collect();
            text.push_str(&String::from_utf16(&units).ok()?);
        }
        rest = after;
    }
    Some(text + rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_written_as_the_rfc_shows() {
        for (text, encoded) in [
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("INBOX", "INBOX"),
            ("", ""),
            ("A&B", "A&-B"),
            ("\u{1f4e7}", "&2D3c5w-"),
        ] {
            assert_eq!((&*mutf7(text), mutf7_decode(encoded).as_deref()), (encoded, Some(text)));
        }
        for wrong in ["&", "&AP", "&A-", "&*-", "ü", "&2D0-"] {
            assert_eq!(mutf7_decode(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn an_encoded_name_is_decoded_again(text in "\\PC*") {
            prop_assert_eq!(mutf7_decode(&mutf7(&text)), Some(text));
        }
    }
}
