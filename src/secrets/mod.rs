//! Finds secrets in dialogues and masks them in everything that is shown of a run.

mod coarse;
mod command;
mod encoded;
mod form;
mod grams;
mod grouped;
mod learned;
mod pieces;
mod prompt;
mod response;
#[cfg(feature = "script")]
mod source;
mod spans;
mod token;
mod whole;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

#[cfg(feature = "script")]
pub(crate) use command::{SECRET_WORDS, is_secret_name};
pub(crate) use command::{password_of_url, secret_of_command};
pub(crate) use learned::Learned;
#[cfg(feature = "script")]
pub(crate) use learned::OVERFULL;
pub(crate) use pieces::Pieces;
pub(crate) use prompt::{Asked, asked_for};
#[cfg(feature = "script")]
pub(crate) use source::{literal_spans, masked_line, secret_spans};
pub(crate) use spans::mask_spans;
#[cfg(feature = "cli")]
pub(crate) use token::MASK;
pub(crate) use token::SECRET;
use token::SHORTEST;

/// The maximum length of a challenge that is decoded for display.
const LONGEST: usize = 16 << 10;

/// The maximum length of a SASL response that is decoded. The password in a longer one may be longer
/// than any secret that is searched for.
const LONGEST_RESPONSE: usize = learned::LONGEST;

/// The number of base64 characters at the start of a message of an unknown mechanism that are not
/// treated as secret: they identify the mechanism, like the signature and the message type of NTLM.
const SIGNATURE: usize = 16;

/// The server's proof of SCRAM and DIGEST-MD5 as a recording has it: in base64, and decoded.
const MASKED_PROOFS: [(&[u8], &[u8]); 2] =
    [(b"dj[SECRET]", b"v=[SECRET]"), (b"cnNwYXV0aD[SECRET]", b"rspauth=[SECRET]")];

/// Base64 as scripts may send it: with or without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whether the text could be a SASL response.
pub(crate) fn is_base64(text: &[u8]) -> bool {
    !text.is_empty() && LENIENT.decode(text).is_ok()
}

/// Whether a client's line that no server asked for is a SASL response. If `is_expected`, because
/// the client was about to send one, anything in base64 is one, unless it is as short as a command;
/// otherwise only a message that holds a password or a token in the form of a mechanism.
pub(crate) fn is_stray_response(text: &[u8], is_expected: bool) -> bool {
    if text.len() < 2 * SHORTEST {
        return false;
    }
    let Ok(message) = LENIENT.decode(text).map(Zeroizing::new) else { return false };
    is_expected || response::secret_of_any(&message).is_some()
}

/// The secrets that a session knows: those of its run, and the state of its SASL exchange.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets {
    learned: Learned,
    /// The decoded text of the last response sent, with its secret masked.
    meaning: Option<Vec<u8>>,
    /// The decoded challenge that the next response answers.
    prompt: Vec<u8>,
}

impl std::ops::Deref for Secrets {
    type Target = Learned;

    fn deref(&self) -> &Learned {
        &self.learned
    }
}

impl Secrets {
    /// The secrets of a session of the run that has learned `learned`.
    pub(crate) fn of(learned: Learned) -> Self {
        Self { learned, ..Self::default() }
    }

    /// Learns the secret in a SASL response: the secret part of the decoded message, or the whole
    /// line if the mechanism is unknown.
    pub(crate) fn learn_sasl(&mut self, mechanism: &str, step: usize, line: &[u8]) {
        self.meaning = None;
        let prompt = std::mem::take(&mut self.prompt);
        if line.len() > LONGEST_RESPONSE {
            return self.learn(line);
        }
        let Ok(message) = LENIENT.decode(line.trim_ascii()).map(Zeroizing::new) else {
            return self.learn(line);
        };
        // A shorter line, such as `AQ==`, would be found everywhere.
        if line.len() >= 2 * SHORTEST {
            self.learn_whole(line.trim_ascii());
        }
        let turn = response::Turn { step, prompt: &prompt };
        let Some(secret) = response::secret_of_response(mechanism, &turn, &message) else {
            return self.learn(line.get(SIGNATURE..).unwrap_or(line));
        };
        if response::is_proof(mechanism) && secret != (0..message.len()) {
            self.learn_proof(&message[secret.clone()]);
        } else {
            self.learn(&message[secret.clone()]);
        }
        let spans = [secret];
        let spans = if spans[0].is_empty() { &[][..] } else { &spans };
        // A text that consists of nothing but a mask adds nothing to the masked line.
        let is_news = |meaning: &Vec<u8>| !meaning.is_empty() && meaning != SECRET;
        self.meaning = Some(self.mask(&message, spans).into_owned()).filter(is_news);
    }

    /// Takes the decoded text of the last response sent, with its secret masked.
    pub(crate) fn take_meaning(&mut self) -> Option<Vec<u8>> {
        self.meaning.take()
    }

    /// The decoded text of a challenge, with secrets masked. The challenge is kept, because the
    /// next response answers it.
    pub(crate) fn hear(&mut self, challenge: &[u8]) -> Option<Vec<u8>> {
        self.prompt.clear();
        if challenge.len() > LONGEST {
            return None;
        }
        if let Some((_, meaning)) = MASKED_PROOFS.iter().find(|(masked, _)| *masked == challenge) {
            return Some(meaning.to_vec());
        }
        self.prompt = LENIENT.decode(challenge).ok().filter(|prompt| !prompt.is_empty())?;
        Some(self.mask(&self.prompt, &[]).into_owned())
    }

    /// Does the same as [`Secrets::hear`] for a program that does not know the password. It learns
    /// the server's proof of SCRAM or DIGEST-MD5 from the challenge, because anybody who reads the
    /// proof can try passwords against it.
    pub(crate) fn overhear(&mut self, challenge: &[u8]) -> Option<Vec<u8>> {
        let heard = self.hear(challenge)?;
        let proof = self.prompt.strip_prefix(b"v=").or(self.prompt.strip_prefix(b"rspauth="));
        let Some(proof) = proof else { return Some(heard) };
        let end = memchr::memchr(b',', proof).unwrap_or(proof.len());
        self.learn_proof(&proof[..end]);
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
    fn a_proof_that_is_overheard_reads_the_same_when_its_recording_is_played() {
        for proof in ["v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", "rspauth=ea40f60335c427b5527b84dbabcdfffd"]
        {
            let mut secrets = Secrets::default();
            let challenge = LENIENT.encode(proof);
            let meaning = secrets.overhear(challenge.as_bytes()).unwrap();
            assert!(meaning.ends_with(b"=[SECRET]"), "{proof}");
            let recorded = masked(&secrets, &challenge);
            assert_eq!(Secrets::default().hear(recorded.as_bytes()), Some(meaning));
        }
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
    fn a_response_is_shown_without_its_secret() {
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
        // Whatever the step, the answer to a prompt is what the prompt asks for.
        assert_eq!(meaning(b"VXNlcm5hbWU6", "LOGIN", 1, b"aG9nZQ==").unwrap(), "hoge");
        assert_eq!(meaning(b"UGFzc3dvcmQ6", "LOGIN", 0, b"cHBwd3d3"), None);
        assert_eq!(meaning(b"", "NTLM", 0, b"aG9nZQ=="), None);
        assert_eq!(meaning(b"", "DIGEST-MD5", 1, b""), None);
    }
}
