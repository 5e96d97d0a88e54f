//! Secrets: what is secret in a dialogue, and its masking in everything that is shown of a run.

mod command;
mod encoded;
mod form;
mod grams;
mod learned;
mod message;
mod prompt;
#[cfg(feature = "script")]
mod source;
mod token;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

#[cfg(feature = "script")]
pub(crate) use command::{SECRET_WORDS, is_secret_name};
pub(crate) use command::{password_of_url, secret_of_command};
pub(crate) use learned::Learned;
pub(crate) use prompt::{Asked, asked_for};
#[cfg(feature = "script")]
pub(crate) use source::{literal_spans, masked_line, secret_spans};
pub(crate) use token::SECRET;
use token::SHORTEST;

/// Longer challenges are not decoded for show.
const LONGEST: usize = 16 << 10;

/// How much of a message of a mechanism that is not known says which mechanism it is, and no more:
/// the signature and the type of NTLM's messages, in base64.
const SIGNATURE: usize = 16;

/// Base64 as scripts may send it: padded or not.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whether it would pass for a SASL response.
pub(crate) fn is_base64(text: &[u8]) -> bool {
    !text.is_empty() && LENIENT.decode(text).is_ok()
}

/// What a session knows of secrets: those of its run, and the SASL exchange that it is in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets {
    learned: Learned,
    /// What the response that was sent last says, its secret masked.
    meaning: Option<Vec<u8>>,
    /// The challenge that it answered.
    prompt: Vec<u8>,
}

impl std::ops::Deref for Secrets {
    type Target = Learned;

    fn deref(&self) -> &Learned {
        &self.learned
    }
}

impl Secrets {
    /// Those of a session of that run.
    pub(crate) fn of(learned: Learned) -> Self {
        Self { learned, ..Self::default() }
    }

    /// Remembers what a SASL response carries: what is secret in the message inside, or all of the
    /// line if the mechanism is not known.
    pub(crate) fn learn_sasl(&mut self, mechanism: &str, step: usize, line: &[u8]) {
        self.meaning = None;
        let prompt = std::mem::take(&mut self.prompt);
        let Ok(message) = LENIENT.decode(line.trim_ascii()).map(Zeroizing::new) else {
            return self.learn(line);
        };
        // A shorter one, such as `AQ==`, would be found everywhere.
        if line.len() >= 2 * SHORTEST {
            self.learn_whole(line.trim_ascii());
        }
        let turn = message::Turn { step, prompt: &prompt };
        let Some(secret) = message::secret_of_message(mechanism, &turn, &message) else {
            return self.learn(line.get(SIGNATURE..).unwrap_or(line));
        };
        if message::is_proof(mechanism) && secret != (0..message.len()) {
            self.learn_proof(&message[secret.clone()]);
        } else {
            self.learn(&message[secret.clone()]);
        }
        let spans = [secret];
        let spans = if spans[0].is_empty() { &[][..] } else { &spans };
        // If all of it is secret, the line says as much.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(secrets: &Secrets, text: &str) -> String {
        String::from_utf8(secrets.mask(text.as_bytes(), &[]).into_owned()).unwrap()
    }

    #[test]
    fn a_password_is_masked_in_every_form_it_took() {
        let mut secrets = Secrets::default();
        secrets.learn_sasl("PLAIN", 0, b"AHNhbXBsZQBwYXNzd29yZA==");
        assert_eq!(
            masked(&secrets, "500 AHNhbXBsZQBwYXNzd29yZA== for sample with password?"),
            "500 [SECRET] for sample with [SECRET]?"
        );
    }

    #[test]
    fn the_user_name_of_login_is_not_hunted_down() {
        let mut secrets = Secrets::default();
        secrets.learn_sasl("login", 0, b"aG9nZUBleGFtcGxlLmNvbQ==");
        secrets.learn_sasl("login", 1, b"cHBwd3d3");
        let line = masked(&secrets, "MAIL FROM:<hoge@example.com> pppwww");
        assert_eq!(line, "MAIL FROM:<hoge@example.com> [SECRET]");
    }

    #[test]
    fn spans_are_masked_where_they_stand() {
        let masked =
            Secrets::default().mask(b"AUTH PLAIN abc\r\nxyz\r\n", &[11..14, 16..19]).into_owned();
        assert_eq!(masked, b"AUTH PLAIN [SECRET]\r\n[SECRET]\r\n");
    }

    #[test]
    fn the_message_of_an_unknown_mechanism_is_secret_except_its_signature() {
        let mut secrets = Secrets::default();
        secrets.learn_sasl("NTLM", 0, b"TlRMTVNTUAADAAAAGAAYAHIAAAA=");
        assert_eq!(
            masked(
                &secrets,
                "334 TlRMTVNTUAACAAAAAAAAADgAAAA= and 500 TlRMTVNTUAADAAAAGAAYAHIAAAA="
            ),
            "334 TlRMTVNTUAACAAAAAAAAADgAAAA= and 500 [SECRET]"
        );
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
        // Whatever the step, what answers a prompt is what the prompt asks for.
        assert_eq!(meaning(b"VXNlcm5hbWU6", "LOGIN", 1, b"aG9nZQ==").unwrap(), "hoge");
        assert_eq!(meaning(b"UGFzc3dvcmQ6", "LOGIN", 0, b"cHBwd3d3"), None);
        assert_eq!(meaning(b"", "NTLM", 0, b"aG9nZQ=="), None);
        assert_eq!(meaning(b"", "DIGEST-MD5", 1, b""), None);
    }
}
