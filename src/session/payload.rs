//! A message to be sent.

use std::borrow::Cow;

/// A message for [`Session::send_message`](super::Session::send_message): text, whose line ends
/// become CRLF, or bytes, which stay as they are.
#[derive(Clone, Debug)]
pub struct Payload<'a>(Cow<'a, [u8]>);

impl<'a> From<&'a str> for Payload<'a> {
    fn from(text: &'a str) -> Self {
        let text = text.as_bytes();
        let bare = memchr::memchr_iter(b'\n', text).filter(|at| !text[..*at].ends_with(b"\r"));
        let count = bare.clone().count();
        if count == 0 {
            return text.into();
        }
        let mut bytes = Vec::with_capacity(text.len() + count);
        let mut copied = 0;
        for at in bare {
            bytes.extend_from_slice(&text[copied..at]);
            bytes.extend_from_slice(b"\r\n");
            copied = at + 1;
        }
        bytes.extend_from_slice(&text[copied..]);
        Self(bytes.into())
    }
}

impl<'a> From<&'a [u8]> for Payload<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(bytes.into())
    }
}

impl From<String> for Payload<'_> {
    fn from(text: String) -> Self {
        match Payload::from(text.as_str()).0 {
            Cow::Borrowed(_) => Self(text.into_bytes().into()),
            Cow::Owned(bytes) => Self(bytes.into()),
        }
    }
}

impl From<Vec<u8>> for Payload<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl Payload<'_> {
    /// The message as it will be sent, except for the doubling of dots.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Payload<'_> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_ends_of_text_become_crlf_and_bytes_stay() {
        assert_eq!(&*Payload::from("a\nb\r\nc").0, b"a\r\nb\r\nc");
        assert_eq!(&*Payload::from("\n\na\r\n").0, b"\r\n\r\na\r\n");
        assert_eq!(&*Payload::from("a\r\nb".to_owned()).0, b"a\r\nb");
        assert_eq!(&*Payload::from(&b"a\nb"[..]).0, b"a\nb");
    }
}
