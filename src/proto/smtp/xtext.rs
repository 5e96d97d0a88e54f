//! The encoding of parameter values.

use std::fmt::Write as _;

/// Encodes a parameter value as xtext (RFC 3461 section 4, first RFC 1891 section 5): characters
/// that could be misread become `+` and two hexadecimal digits. `XCLIENT`, `AUTH=`, `ENVID=` and
/// `ORCPT=` need it.
///
/// ```
/// assert_eq!(mailexpect::xtext("a=b c+d"), "a+3Db+20c+2Bd");
/// ```
#[must_use]
pub fn xtext(value: impl AsRef<[u8]>) -> String {
    let mut encoded = String::with_capacity(value.as_ref().len());
    for byte in value.as_ref() {
        if byte.is_ascii_graphic() && !b"+=".contains(byte) {
            encoded.push(char::from(*byte));
        } else {
            let _ = write!(encoded, "+{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_are_not_plain_are_encoded() {
        for (value, encoded) in [
            ("192.0.2.1", "192.0.2.1"),
            ("[UNAVAILABLE]", "[UNAVAILABLE]"),
            ("a@b", "a@b"),
            ("", ""),
            ("1+1=2", "1+2B1+3D2"),
            ("ü \r\n\0", "+C3+BC+20+0D+0A+00"),
        ] {
            assert_eq!(xtext(value), encoded);
        }
    }
}
