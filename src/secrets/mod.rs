//! Secrets, masked before they are stored anywhere.

mod command;
mod form;
mod message;
#[cfg(feature = "script")]
mod source;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

#[cfg(feature = "script")]
pub(crate) use command::is_secret_name;
pub(crate) use command::secret_of_command;
use form::Form;
#[cfg(feature = "script")]
pub(crate) use source::mask_source;

use crate::visible;

/// What stands where a secret stood.
pub(crate) const SECRET: &[u8] = b"[SECRET]";

/// Shorter values are not looked for elsewhere: they would be found everywhere.
const SHORTEST: usize = 4;

/// Longer challenges are not decoded for show.
const LONGEST: usize = 16 << 10;

/// Base64 as scripts may send it: padded or not.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whether it would pass for a SASL response.
pub(crate) fn is_base64(text: &[u8]) -> bool {
    !text.is_empty() && LENIENT.decode(text).is_ok()
}

/// The secrets of a session, to be masked wherever they show up.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    forms: Vec<Form>,
    /// What the response that was sent last says, its secret masked.
    meaning: Option<Vec<u8>>,
    /// The challenge that it answered.
    prompt: Vec<u8>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("forms", &self.forms.len()).finish_non_exhaustive()
    }
}

impl Secrets {
    /// Remembers a secret in all forms that it may take: as it is, quoted, and in base64 at any
    /// place of a longer text.
    pub(crate) fn learn(&mut self, value: &[u8]) {
        if let Some(inner) = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")) {
            self.learn(&unescaped(inner));
        }
        if value.len() >= SHORTEST && self.add(Form::plain(value)) {
            self.forms.extend(Form::quoted(value));
            // Errors show patterns with their escapes; whether a backslash at the end is doubled,
            // what follows it decides.
            let shown = visible::escape(&[value, b"-"].concat());
            self.add(Form::plain(&shown.as_bytes()[..shown.len() - 1]));
            for offset in 0..3 {
                self.add(Form::base64(value, offset));
            }
        }
    }

    /// Remembers a secret that is too short to be looked for alone together with the word before
    /// it, as a server may echo it.
    pub(crate) fn learn_in_place(&mut self, bytes: &[u8], span: &Range<usize>) {
        if span.len() >= SHORTEST {
            return;
        }
        let before = &bytes[..span.start];
        let line = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let word =
            memchr::memrchr(b' ', before[line..].trim_ascii_end()).map_or(line, |at| line + at + 1);
        self.add(Form::plain(&bytes[word..span.end]));
    }

    /// Adds a form; false where it is known or would be found everywhere.
    fn add(&mut self, form: Form) -> bool {
        let is_new = form.bytes().len() >= SHORTEST
            && !self.forms.iter().any(|known| known.bytes() == form.bytes());
        if is_new {
            self.forms.push(form);
        }
        is_new
    }

    /// Remembers what a SASL response carries: the line as it was sent, and what is secret in the
    /// message inside where the mechanism shows it.
    pub(crate) fn learn_sasl(&mut self, mechanism: &str, step: usize, line: &[u8]) {
        self.meaning = None;
        let prompt = std::mem::take(&mut self.prompt);
        let Ok(message) = LENIENT.decode(line.trim_ascii()) else { return self.learn(line) };
        self.add(Form::plain(line));
        // LOGIN asks for the user name first, but prompts are the server's own.
        let step = if step == 0 && !asks_for_user(&prompt) { 1 } else { step };
        let Some(secret) = message::secret_of_message(mechanism, step, &message) else { return };
        self.learn(&message[secret.clone()]);
        let spans = [secret];
        let spans = if spans[0].is_empty() { &[][..] } else { &spans };
        // Where all of it is secret, the line says as much.
        let is_news = |meaning: &Vec<u8>| !meaning.is_empty() && meaning != SECRET;
        self.meaning = Some(self.mask(&message, spans).into_owned()).filter(is_news);
    }

    /// What the response that was sent last says, its secret masked; once.
    pub(crate) fn take_meaning(&mut self) -> Option<Vec<u8>> {
        self.meaning.take()
    }

    /// What a challenge says, out of its base64, secrets masked. The next response will be the
    /// answer to it.
    pub(crate) fn hear(&mut self, challenge: &[u8]) -> Option<Vec<u8>> {
        self.prompt.clear();
        if challenge.len() > LONGEST {
            return None;
        }
        self.prompt = LENIENT.decode(challenge).ok().filter(|prompt| !prompt.is_empty())?;
        Some(self.mask(&self.prompt, &[]).into_owned())
    }

    /// Takes over what another session has learned.
    #[cfg(feature = "script")]
    pub(crate) fn absorb(&mut self, other: &Self) {
        for form in &other.forms {
            self.add(form.clone());
        }
    }

    /// Text with every known secret masked.
    pub(crate) fn mask_text(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.mask(text.as_bytes(), &[]) {
            *text = String::from_utf8_lossy(&masked).into_owned();
        }
    }

    /// The bytes with the given spans and every known secret masked.
    pub(crate) fn mask<'a>(&self, bytes: &'a [u8], spans: &[Range<usize>]) -> Cow<'a, [u8]> {
        let mut found = spans.to_vec();
        for form in &self.forms {
            form.find(bytes, &mut found);
        }
        if found.is_empty() {
            return Cow::Borrowed(bytes);
        }
        found.sort_unstable_by_key(|span| span.start);
        found.dedup_by(|next, span| {
            let overlaps = next.start < span.end;
            if overlaps {
                span.end = span.end.max(next.end);
            }
            overlaps
        });
        Cow::Owned(without(bytes, &found))
    }
}

/// Whether a prompt of LOGIN is one for the user name; there is none where the response came
/// unasked.
fn asks_for_user(prompt: &[u8]) -> bool {
    let prompt = prompt.to_ascii_lowercase();
    prompt.is_empty()
        || [&b"user"[..], b"name", b"login"]
            .iter()
            .any(|word| memchr::memmem::find(&prompt, word).is_some())
}

/// What stands in quotes, without its escapes.
fn unescaped(quoted: &[u8]) -> Vec<u8> {
    let mut bytes = quoted.iter();
    let mut value = Vec::new();
    while let Some(byte) = bytes.next() {
        value.push(if *byte == b'\\' { *bytes.next().unwrap_or(byte) } else { *byte });
    }
    value
}

/// The bytes with a mask in place of these spans, which are in order and do not overlap.
fn without(bytes: &[u8], spans: &[Range<usize>]) -> Vec<u8> {
    let mut masked = Vec::with_capacity(bytes.len() + SECRET.len());
    let mut from = 0;
    for span in spans {
        masked.extend_from_slice(&bytes[from..span.start]);
        masked.extend_from_slice(SECRET);
        from = span.end;
    }
    masked.extend_from_slice(&bytes[from..]);
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_masked_in_every_form_it_took() {
        let mut secrets = Secrets::default();
        secrets.learn_sasl("PLAIN", 0, b"AHNhbXBsZQBwYXNzd29yZA==");
        let echoed =
            secrets.mask(b"500 AHNhbXBsZQBwYXNzd29yZA== for sample with password?\r\n", &[]);
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
        let masked =
            Secrets::default().mask(b"AUTH PLAIN abc\r\nxyz\r\n", &[11..14, 16..19]).into_owned();
        assert_eq!(masked, b"AUTH PLAIN [SECRET]\r\n[SECRET]\r\n");
    }

    #[test]
    fn a_short_password_is_masked_behind_the_word_that_it_was_sent_behind() {
        let mut secrets = Secrets::default();
        secrets.learn_in_place(b"a1 LOGIN alice abc\r\n", &(15..18));
        assert_eq!(
            &*secrets.mask(b"a1 BAD a1 LOGIN alice abc, abc?", &[]),
            b"a1 BAD a1 LOGIN [SECRET], abc?"
        );
        secrets.learn_in_place(b"x\r\nPASS abc", &(8..11));
        assert_eq!(&*secrets.mask(b"-ERR PASS abc", &[]), b"-ERR [SECRET]");
    }

    #[test]
    fn a_password_is_masked_where_it_is_shown_with_escapes() {
        let mut secrets = Secrets::default();
        secrets.learn(b"pass\r\nword\\");
        assert_eq!(&*secrets.mask(b"it is pass\\r\\nword\\, yes", &[]), b"it is [SECRET], yes");
    }

    #[test]
    fn a_mask_that_holds_a_secret_ends() {
        let mut secrets = Secrets::default();
        secrets.learn(b"SECRET");
        assert_eq!(&*secrets.mask(b"my SECRET", &[]), b"my [SECRET]");
    }

    #[test]
    fn a_password_is_masked_in_base64_wherever_it_stands() {
        let mut secrets = Secrets::default();
        secrets.learn(b"pass\"word");
        for (text, shown) in [
            (&b"cGFzcyJ3b3Jk"[..], &b"[SECRET]"[..]),
            (b"NOOP eHBhc3Mid29yZA== x", b"NOOP e[SECRET] x"),
            (b"eHhwYXNzIndvcmR4", b"eH[SECRET]4"),
            (b"a1 LOGIN u \"pass\\\"word\"", b"a1 LOGIN u \"[SECRET]\""),
            (b"a1 LOGIN u {9}\r\npass\"word\r\n", b"a1 LOGIN u {9}\r\n[SECRET]\r\n"),
            (b"cGFzcw==", b"cGFzcw=="),
        ] {
            let masked = secrets.mask(text, &[]);
            assert_eq!(String::from_utf8_lossy(&masked), String::from_utf8_lossy(shown));
        }
    }

    #[test]
    fn secrets_that_overlap_leave_nothing_standing() {
        let mut secrets = Secrets::default();
        secrets.learn(b"abcdef");
        secrets.learn(b"defghi");
        assert_eq!(&*secrets.mask(b"xabcdefghixabc", &[2..4, 12..14]), b"x[SECRET]xa[SECRET]");
    }

    #[test]
    fn a_quoted_secret_is_masked_without_its_quotes_too() {
        let mut secrets = Secrets::default();
        secrets.learn(br#""pa\"ss\\""#);
        assert_eq!(&*secrets.mask(br#"what is pa"ss\?"#, &[]), b"what is [SECRET]?");
    }

    #[test]
    fn what_a_response_says_is_shown_without_its_secret() {
        let mut secrets = Secrets::default();
        let mut meaning = |prompt: &[u8], mechanism, step, line: &[u8]| {
            secrets.hear(prompt);
            secrets.learn_sasl(mechanism, step, line);
            secrets.take_meaning().map(|meaning| String::from_utf8(meaning).unwrap())
        };
        assert_eq!(
            meaning(b"", "PLAIN", 0, b"AHNhbXBsZQBwYXNzd29yZA==").unwrap(),
            "\0sample\0[SECRET]"
        );
        assert_eq!(meaning(b"VXNlcm5hbWU6", "LOGIN", 0, b"aG9nZQ==").unwrap(), "hoge");
        // Whatever the step, who is asked for the password has said it.
        assert_eq!(meaning(b"UGFzc3dvcmQ6", "LOGIN", 0, b"cHBwd3d3"), None);
        assert_eq!(meaning(b"", "NTLM", 0, b"aG9nZQ=="), None);
        assert_eq!(meaning(b"", "DIGEST-MD5", 1, b""), None);
    }

    #[test]
    fn what_it_holds_is_not_printed() {
        let mut secrets = Secrets::default();
        secrets.learn(b"password");
        assert!(
            !format!("{secrets:?}").contains("112") && !format!("{secrets:?}").contains("password")
        );
    }
}
