//! Secrets, masked before they are stored anywhere.

use std::borrow::Cow;
use std::ops::{Range, RangeInclusive};

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use memchr::memmem;

/// What stands where a secret stood.
pub(crate) const SECRET: &[u8] = b"[SECRET]";

/// Shorter values are not looked for elsewhere: they would be found everywhere.
const SHORTEST: usize = 4;

/// Base64 as scripts may send it: padded or not.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// Whether it would pass for a SASL response.
pub(crate) fn is_base64(text: &[u8]) -> bool {
    !text.is_empty() && LENIENT.decode(text).is_ok()
}

/// The verbs that carry secrets; their places among the words of a line; how many words further the secret is.
const CARRIERS: [(&[u8], RangeInclusive<usize>, usize); 5] =
    [(b"AUTH", 0..=1, 2), (b"AUTHENTICATE", 0..=1, 2), (b"PASS", 0..=0, 1), (b"APOP", 0..=0, 2), (b"LOGIN", 1..=1, 2)];

/// The span of a line that the commands of any mail protocol carry secrets in: AUTH and AUTHENTICATE with a response (behind
/// a tag or not), PASS, the digest of APOP, the password of an IMAP LOGIN.
pub(crate) fn secret_of_command(line: &[u8]) -> Option<Range<usize>> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (place, (_, places, further)) = words.by_ref().take(2).enumerate().find_map(|(place, word)| {
        CARRIERS.iter().find(|(verb, ..)| word.eq_ignore_ascii_case(verb)).map(|carrier| (place, carrier))
    })?;
    let secret = places.contains(&place).then(|| words.nth(further - 1)).flatten().filter(|word| *word != b"=")?;
    let start = secret.as_ptr().addr() - line.as_ptr().addr();
    Some(start..line.trim_ascii_end().len())
}

/// Whether a parameter of that name holds something that nobody should read over a shoulder.
#[cfg(feature = "script")]
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "pin" || ["password", "passwd", "secret", "token"].iter().any(|word| name.contains(word))
}

/// A line of a script with the secrets of commands in its texts masked: `s.send("AUTH PLAIN ...")`.
#[cfg(feature = "script")]
pub(crate) fn mask_source(line: &str) -> String {
    let quoted = |c: char| c == '"' || c == '`';
    let parts: Vec<String> = line
        .split_inclusive(quoted)
        .map(|part| {
            let (text, quote) = part.split_at(part.trim_end_matches(quoted).len());
            if let Some(key) = text.find("-----BEGIN").filter(|_| text.contains("PRIVATE KEY-----")) {
                return format!("{}[SECRET]{quote}", &text[..key]);
            }
            // Line ends are written as escapes here.
            match secret_of_command(text.as_bytes()) {
                Some(span) if span.len() >= SHORTEST => format!("{}[SECRET]{quote}", &text[..span.start]),
                _ => part.to_owned(),
            }
        })
        .collect();
    parts.concat()
}

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
        let Ok(message) = LENIENT.decode(line.trim_ascii()) else { return };
        if mechanism.eq_ignore_ascii_case("PLAIN") {
            if let Some(password) = message.rsplit(|byte| *byte == 0).next() {
                self.learn(password);
            }
        } else if mechanism.eq_ignore_ascii_case("LOGIN") && step == 1 {
            self.learn(&message);
        } else if mechanism.eq_ignore_ascii_case("XOAUTH2") || mechanism.eq_ignore_ascii_case("OAUTHBEARER") {
            let token = memmem::find(&message, b"Bearer ").map(|at| &message[at + 7..]);
            self.learn(token.and_then(|token| token.split(|byte| *byte == 1).next()).unwrap_or_default());
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
            if let Some(replaced) = replaced(&masked, value) {
                masked = Cow::Owned(replaced);
            }
        }
        masked
    }
}

/// The bytes with the value masked wherever it stands, if it does.
fn replaced(bytes: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    let mut found = memmem::find(bytes, value);
    found?;
    let mut replaced = Vec::with_capacity(bytes.len() + SECRET.len());
    let mut from = 0;
    while let Some(ahead) = found {
        replaced.extend_from_slice(&bytes[from..from + ahead]);
        replaced.extend_from_slice(SECRET);
        from += ahead + value.len();
        found = memmem::find(&bytes[from..], value);
    }
    replaced.extend_from_slice(&bytes[from..]);
    Some(replaced)
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
    fn the_secrets_of_commands_are_found_in_any_protocol() {
        for (line, secret) in [
            ("AUTH PLAIN AGFi", Some("AGFi")),
            ("a1 AUTHENTICATE PLAIN AGFi", Some("AGFi")),
            ("auth login =", None),
            ("AUTH LOGIN", None),
            ("PASS two words", Some("two words")),
            ("APOP mrose c4c9334bac", Some("c4c9334bac")),
            ("a1 LOGIN user \"pass word\"", Some("\"pass word\"")),
            ("250-AUTH LOGIN PLAIN", None),
            ("NOOP", None),
        ] {
            assert_eq!(secret_of_command(line.as_bytes()).map(|span| &line[span]), secret, "{line}");
        }
    }

    #[cfg(feature = "script")]
    #[test]
    fn the_source_of_a_script_is_masked_where_it_says_a_secret() {
        assert_eq!(mask_source("s.send(\"AUTH PLAIN AGFiAGNk\");"), "s.send(\"AUTH PLAIN [SECRET]\");");
        let key = "s.starttls(#{key: \"-----BEGIN EC PRIVATE KEY-----\\nMC4C\"});";
        assert_eq!(mask_source(key), "s.starttls(#{key: \"[SECRET]\"});");
        assert_eq!(mask_source("s.expect(250); // nothing here"), "s.expect(250); // nothing here");
    }

    #[test]
    fn a_mask_that_holds_a_secret_ends() {
        let mut secrets = Secrets::default();
        secrets.learn(b"SECRET");
        assert_eq!(&*secrets.mask(b"my SECRET", &[]), b"my [SECRET]");
    }
}
