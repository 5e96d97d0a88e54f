//! Secrets, masked before they are stored anywhere.

use std::borrow::Cow;
use std::ops::Range;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use memchr::memmem;

/// What stands where a secret stood.
pub(crate) const SECRET: &[u8] = b"[SECRET]";

/// Shorter values are not looked for elsewhere: they would be found everywhere.
const SHORTEST: usize = 4;

/// The secrets that a session has sent, to be masked wherever they show up again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets {
    values: Vec<Vec<u8>>,
}

impl Secrets {
    /// Remembers a secret in the form it took.
    pub(crate) fn learn(&mut self, value: &[u8]) {
        if value.len() >= SHORTEST && !self.values.iter().any(|known| known == value) {
            self.values.push(value.to_vec());
            // The longest first, so that a secret inside another does not leave the other's rest standing.
            self.values.sort_by_key(|known| std::cmp::Reverse(known.len()));
        }
    }

    /// Remembers what a SASL response carries: the line as it was sent, and the password inside where the mechanism shows it.
    ///
    /// PLAIN's message is authorization identity, NUL, user, NUL, password (RFC 4616); LOGIN sends the user name first and the
    /// password second.
    pub(crate) fn learn_sasl(&mut self, mechanism: &str, step: usize, line: &[u8]) {
        self.learn(line);
        let Ok(message) = BASE64_STANDARD.decode(line) else { return };
        if mechanism.eq_ignore_ascii_case("PLAIN") {
            if let Some(password) = message.rsplit(|byte| *byte == 0).next() {
                self.learn(password);
            }
        } else if mechanism.eq_ignore_ascii_case("LOGIN") && step == 1 {
            self.learn(&message);
        }
    }

    /// Takes over what another session has learned.
    #[cfg(feature = "script")]
    pub(crate) fn absorb(&mut self, other: &Self) {
        other.values.iter().for_each(|value| self.learn(value));
    }

    /// Text with every known secret masked.
    #[cfg(feature = "script")]
    pub(crate) fn mask_text(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.mask(text.as_bytes(), &[]) {
            *text = String::from_utf8_lossy(&masked).into_owned();
        }
    }

    /// The bytes with the given spans and every known secret masked.
    pub(crate) fn mask<'a>(&self, bytes: &'a [u8], spans: &[Range<usize>]) -> Cow<'a, [u8]> {
        let mut masked = Cow::Borrowed(bytes);
        for span in spans.iter().rev() {
            masked.to_mut().splice(span.clone(), SECRET.iter().copied());
        }
        for value in &self.values {
            let mut from = 0;
            while let Some(at) = memmem::find(&masked[from..], value) {
                let at = from + at;
                masked.to_mut().splice(at..at + value.len(), SECRET.iter().copied());
                from = at + SECRET.len();
            }
        }
        masked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_masked_in_every_form_it_took() {
        let mut secrets = Secrets::default();
        secrets.learn_sasl("PLAIN", 0, b"AHNhbXBsZQBwYXNzd29yZA==");
        let echoed = secrets.mask(b"500 AHNhbXBsZQBwYXNzd29yZA== for sample with password?\r\n", &[]);
        assert_eq!(&*echoed, b"500 [SECRET] for sample with [SECRET]?\r\n");
    }

    #[test]
    fn the_user_name_of_login_is_not_hunted_down() {
        let mut secrets = Secrets::default();
        secrets.learn_sasl("login", 0, b"aG9nZUBleGFtcGxlLmNvbQ==");
        secrets.learn_sasl("login", 1, b"cHBwd3d3");
        let line = secrets.mask(b"MAIL FROM:<hoge@example.com> pppwww", &[]);
        assert_eq!(&*line, b"MAIL FROM:<hoge@example.com> [SECRET]");
    }

    #[test]
    fn spans_are_masked_where_they_stand() {
        let masked = Secrets::default().mask(b"AUTH PLAIN abc\r\nxyz\r\n", &[11..14, 16..19]).into_owned();
        assert_eq!(masked, b"AUTH PLAIN [SECRET]\r\n[SECRET]\r\n");
    }

    #[test]
    fn a_mask_that_holds_a_secret_ends() {
        let mut secrets = Secrets::default();
        secrets.learn(b"SECRET");
        assert_eq!(&*secrets.mask(b"my SECRET", &[]), b"my [SECRET]");
    }
}
