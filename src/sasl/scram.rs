//! SCRAM-SHA-1 (RFC 5802) and SCRAM-SHA-256 (RFC 7677), without channel binding: both sides prove
//! that they know the password without sending it.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::{
    Credentials, Hidden, Mechanism, Opening, Service, attributes, nonce, overdue, unreadable,
};
use crate::error::{Error, Kind, Result};

/// The maximum number of rounds, above what servers ask for. A hostile server could keep the
/// machine busy with more.
const MOST_ROUNDS: u32 = 1_000_000;

/// The hash function of a SCRAM mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
}

impl Hash {
    fn hash(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(data).to_vec(),
            Self::Sha256 => Sha256::digest(data).to_vec(),
        }
    }

    fn hmac(self, key: &[u8], data: &str) -> Vec<u8> {
        match self {
            Self::Sha1 => mac::<Hmac<Sha1>>(key, data),
            Self::Sha256 => mac::<Hmac<Sha256>>(key, data),
        }
    }

    fn salted(self, password: &[u8], salt: &[u8], rounds: u32) -> Vec<u8> {
        match self {
            Self::Sha1 => pbkdf2::pbkdf2_hmac_array::<Sha1, 20>(password, salt, rounds).to_vec(),
            Self::Sha256 => {
                pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt, rounds).to_vec()
            }
        }
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], data: &str) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(data.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The proofs of both sides, in base64.
pub(crate) struct Proofs {
    pub(crate) client: String,
    pub(crate) server: String,
}

impl Proofs {
    /// The proofs for a password and the messages of an exchange, joined by commas (RFC 5802
    /// section 3).
    pub(crate) fn new(
        hash: Hash,
        password: &[u8],
        (salt, rounds): (&[u8], u32),
        messages: &str,
    ) -> Self {
        let salted = hash.salted(password, salt, rounds);
        let key = hash.hmac(&salted, "Client Key");
        let signature = hash.hmac(&hash.hash(&key), messages);
        let client: Vec<u8> =
            key.iter().zip(&signature).map(|(key, signature)| key ^ signature).collect();
        let server = hash.hmac(&hash.hmac(&salted, "Server Key"), messages);
        Self { client: BASE64_STANDARD.encode(client), server: BASE64_STANDARD.encode(server) }
    }
}

#[derive(Debug)]
struct Scram {
    hash: Hash,
    /// The GS2 header, which gives the identity to act for and says that there is no channel
    /// binding.
    header: String,
    /// The first message after the GS2 header.
    first: String,
    nonce: String,
    password: Hidden,
    stage: Stage,
    /// Whether the server is a recording, which need not prove itself.
    is_believed: bool,
}

#[derive(Debug)]
enum Stage {
    First,
    Challenge,
    /// The client has sent its proof; the server has to prove itself with this value.
    Proof(String),
    /// The server has refused in its last message.
    Refused,
    Done,
}

/// The mechanisms, each with its hash function.
const MECHANISMS: [(&str, Hash); 2] =
    [("SCRAM-SHA-1", Hash::Sha1), ("SCRAM-SHA-256", Hash::Sha256)];

impl Hash {
    /// The hash function of a mechanism, given in capitals; `None` if the mechanism is not SCRAM.
    pub(super) fn of(mechanism: &str) -> Option<Self> {
        MECHANISMS.iter().find(|(name, _)| *name == mechanism).map(|(_, hash)| *hash)
    }
}

pub(super) fn sha_1(credentials: &Credentials, _: &Service) -> Result<Box<dyn Mechanism>> {
    begin(Hash::Sha1, credentials)
}

pub(super) fn sha_256(credentials: &Credentials, _: &Service) -> Result<Box<dyn Mechanism>> {
    begin(Hash::Sha256, credentials)
}

fn begin(hash: Hash, credentials: &Credentials) -> Result<Box<dyn Mechanism>> {
    let nonce = nonce::nonce(credentials)?;
    Ok(Box::new(Scram {
        hash,
        header: header(&credentials.authzid),
        first: format!("n={},r={nonce}", name(&prepared(&credentials.user))),
        nonce,
        password: prepared(credentials.secret.expose()).into(),
        stage: Stage::First,
        is_believed: false,
    }))
}

/// The GS2 header (RFC 5801 section 4) of a client without channel binding.
pub(super) fn header(authzid: &str) -> String {
    if authzid.is_empty() { "n,,".to_owned() } else { format!("n,a={},", name(authzid)) }
}

/// A name in which `=` and `,` are escaped, so that no character is taken for syntax.
fn name(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// The text prepared by SASLprep (RFC 4013). A text that SASLprep forbids is left unchanged, so
/// that a script can send it to a server and see the reply.
pub(super) fn prepared(text: &str) -> String {
    stringprep::saslprep(text).map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned)
}

impl Mechanism for Scram {
    fn opening(&self) -> Opening {
        Opening::Client
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>> {
        match std::mem::replace(&mut self.stage, Stage::Refused) {
            Stage::First => {
                self.stage = Stage::Challenge;
                Ok(format!("{}{}", self.header, self.first).into())
            }
            Stage::Challenge => {
                let (message, proof) = self.prove(challenge)?;
                self.stage = Stage::Proof(proof);
                Ok(message.into())
            }
            Stage::Proof(proof) => {
                if self.is_believed || verify(challenge, &proof)? {
                    self.stage = Stage::Done;
                }
                Ok(Vec::new())
            }
            Stage::Refused | Stage::Done => Err(overdue(challenge, "SCRAM")),
        }
    }

    fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    fn proof(&self) -> Option<&str> {
        match &self.stage {
            Stage::Proof(proof) => Some(proof),
            _ => None,
        }
    }

    fn believe(&mut self) {
        self.is_believed = true;
    }
}

impl Scram {
    /// The client's last message, and the value with which the server has to prove itself.
    fn prove(&self, challenge: &[u8]) -> Result<(String, String)> {
        let Terms { text, nonce, salt, rounds } = self.terms(challenge)?;
        let last = format!("c={},r={nonce}", BASE64_STANDARD.encode(&self.header));
        let messages = format!("{},{text},{last}", self.first);
        let proofs =
            Proofs::new(self.hash, self.password.expose().as_bytes(), (&salt, rounds), &messages);
        Ok((format!("{last},p={}", proofs.client), proofs.server))
    }

    /// Reads the server's first message (RFC 5802 section 5.1).
    fn terms<'a>(&self, challenge: &'a [u8]) -> Result<Terms<'a>> {
        let wrong =
            |why: &str| unreadable(challenge, why, "r=nonce,s=salt,i=rounds (RFC 5802, 5.1)");
        let text = std::str::from_utf8(challenge)
            .map_err(|_| wrong("the server's first message is not UTF-8"))?;
        if text.starts_with("m=") {
            return Err(wrong(
                "the server's first message requires an extension that is not known here",
            ));
        }
        let mut parts = text.split(',');
        let mut next = |name: &str| parts.next().and_then(|part| part.strip_prefix(name));
        let nonce = next("r=")
            .ok_or_else(|| wrong("the server's first message does not begin with a nonce"))?;
        if !self.is_believed && !nonce.starts_with(&self.nonce) {
            return Err(wrong(
                "the server's nonce does not begin with the client's: it answers another client",
            ));
        }
        if nonce.len() == self.nonce.len() {
            return Err(wrong("the server added nothing to the client's nonce"));
        }
        if !attributes::is_nonce(nonce) {
            return Err(wrong("the server's nonce has other characters than printable ASCII"));
        }
        let salt = next("s=")
            .ok_or_else(|| wrong("the server's first message has no salt after its nonce"))?;
        let salt = BASE64_STANDARD.decode(salt).ok().filter(|salt| !salt.is_empty());
        let salt =
            salt.ok_or_else(|| wrong("the salt in the server's first message is not base64"))?;
        let rounds = next("i=").ok_or_else(|| {
            wrong("the server's first message has no number of rounds after its salt")
        })?;
        attributes::extensions(parts)
            .map_err(|why| wrong(&format!("in the server's first message, {why}")))?;
        // The first digit is not 0 (`posit-number` in RFC 5802 section 7).
        let digits = !rounds.is_empty()
            && !rounds.starts_with('0')
            && rounds.bytes().all(|byte| byte.is_ascii_digit());
        let rounds = if digits { rounds.parse().unwrap_or(u64::MAX) } else { 0 };
        match u32::try_from(rounds) {
            Ok(0) => Err(wrong(
                "the number of rounds in the server's first message is no number above 0",
            )),
            Ok(rounds @ ..=MOST_ROUNDS) => Ok(Terms { text, nonce, salt, rounds }),
            _ => Err(wrong(&format!(
                "the server demands more than {MOST_ROUNDS} rounds of hashing, the most that is done here"
            ))),
        }
    }
}

/// The content of the server's first message.
struct Terms<'a> {
    text: &'a str,
    nonce: &'a str,
    salt: Vec<u8>,
    rounds: u32,
}

/// Checks the server's signature. Returns false if the server reports an error instead, after which
/// its verdict follows.
fn verify(challenge: &[u8], proof: &str) -> Result<bool> {
    let wrong = |why: &str| {
        let wanted = "v=..., the server's own proof, or e=..., its error (RFC 5802, 5.1)";
        unreadable(challenge, why, wanted)
    };
    let text = std::str::from_utf8(challenge)
        .map_err(|_| wrong("the server's last message of SCRAM is not UTF-8"))?;
    let mut parts = text.split(',');
    let first = parts.next().unwrap_or_default();
    if !first.starts_with("v=") && !first.starts_with("e=") {
        return Err(wrong("the server's last message of SCRAM has no signature"));
    }
    attributes::extensions(parts)
        .map_err(|why| wrong(&format!("in the server's last message of SCRAM, {why}")))?;
    match first.strip_prefix("v=") {
        None => Ok(false),
        Some(said) if said == proof => Ok(true),
        Some(_) => Err(Error::new(
            Kind::Unexpected,
            "the server's own signature is wrong: it does not know the password, or is not the server that it claims to be",
        )
        .with_expected("v=..., made with the password (RFC 5802, 3)")
        .with_got(crate::visible::excerpt(first.as_bytes(), 100))),
    }
}
