//! DIGEST-MD5 (RFC 2831), for authentication only (`qop=auth`): both sides prove that they know the
//! password.

use std::borrow::Cow;
use std::fmt::Write as _;

use data_encoding::HEXLOWER;
use md5::{Digest as _, Md5};

use super::{Credentials, Hidden, Mechanism, Opening, Service, nonce, overdue, unreadable};
use crate::error::{Error, Kind, Result};
use crate::quoted;

#[derive(Debug)]
struct DigestMd5 {
    user: String,
    password: Hidden,
    authzid: String,
    realm: Option<String>,
    cnonce: String,
    uri: String,
    stage: Stage,
    /// Whether the server is a recording, which need not prove itself.
    is_believed: bool,
}

#[derive(Debug)]
enum Stage {
    Challenge,
    /// The client has responded; the server has to prove itself with this value.
    Proof(String),
    /// A challenge was wrong or could not be read.
    Broken,
    Done,
}

pub(super) fn begin(credentials: &Credentials, service: &Service) -> Result<Box<dyn Mechanism>> {
    Ok(Box::new(DigestMd5 {
        user: credentials.user.clone(),
        password: credentials.secret.clone(),
        authzid: credentials.authzid.clone(),
        realm: credentials.realm.clone(),
        cnonce: nonce::nonce(credentials)?,
        uri: format!("{}/{}", service.name, service.host),
        stage: Stage::Challenge,
        is_believed: false,
    }))
}

impl Mechanism for DigestMd5 {
    fn opening(&self) -> Opening {
        Opening::Server
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>> {
        match std::mem::replace(&mut self.stage, Stage::Broken) {
            Stage::Challenge => {
                let (response, proof) = self.answer(challenge)?;
                self.stage = Stage::Proof(proof);
                Ok(response.into())
            }
            Stage::Proof(proof) => {
                if !self.is_believed {
                    verify(challenge, &proof)?;
                }
                self.stage = Stage::Done;
                Ok(Vec::new())
            }
            Stage::Broken | Stage::Done => Err(overdue(challenge, "DIGEST-MD5")),
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

impl DigestMd5 {
    /// The response (section 2.1.2), and the value with which the server has to prove itself
    /// (section 2.1.3).
    fn answer(&self, challenge: &[u8]) -> Result<(String, String)> {
        let wanted = "directives with a nonce (RFC 2831, 2.1.1)";
        let directives = directives(challenge).ok_or_else(|| {
            unreadable(challenge, "the server's challenge is not a list of directives", wanted)
        })?;
        let all = |name: &'static str| {
            directives
                .iter()
                .filter(move |(known, _)| known == name)
                .map(|(_, value)| value.as_str())
        };
        let mut nonces = all("nonce").filter(|nonce| !nonce.is_empty());
        let (Some(nonce), None) = (nonces.next(), nonces.next()) else {
            return Err(unreadable(
                challenge,
                "the server's challenge has no nonce, or more than one",
                wanted,
            ));
        };
        if !all("qop").all(|qop| qop.split(',').any(|one| one.trim().eq_ignore_ascii_case("auth")))
        {
            let why = "the server's challenge does not offer qop=auth, and no other is known here";
            return Err(unreadable(challenge, why, "qop=\"auth\" among the directives"));
        }
        if !all("algorithm").all(|algorithm| algorithm.eq_ignore_ascii_case("md5-sess")) {
            return Err(unreadable(
                challenge,
                "the server's challenge requires another algorithm than md5-sess",
                "algorithm=md5-sess",
            ));
        }
        let realm = self.realm.as_deref().or_else(|| all("realm").next());
        let secret = self.secret(realm.unwrap_or_default(), nonce);
        let signed = |start: &str| self.sign(&secret, nonce, start);
        let mut response = String::new();
        if all("charset").any(|charset| charset.eq_ignore_ascii_case("utf-8")) {
            response.push_str("charset=utf-8,");
        }
        let _ = write!(response, "username={}", quoted(&self.user));
        if let Some(realm) = realm {
            let _ = write!(response, ",realm={}", quoted(realm));
        }
        let (nonce, cnonce, uri) = (quoted(nonce), quoted(&self.cnonce), quoted(&self.uri));
        let _ = write!(response, ",nonce={nonce},nc=00000001,cnonce={cnonce},digest-uri={uri}");
        let _ = write!(response, ",response={},qop=auth", signed("AUTHENTICATE"));
        if !self.authzid.is_empty() {
            let _ = write!(response, ",authzid={}", quoted(&self.authzid));
        }
        Ok((response, signed("")))
    }

    /// The hash of A1.
    fn secret(&self, realm: &str, nonce: &str) -> String {
        let password = self.password.expose();
        let user = hash(&[&latin(&self.user), b":", &latin(realm), b":", &latin(password)]);
        let mut parts: Vec<&[u8]> =
            vec![&user, b":", nonce.as_bytes(), b":", self.cnonce.as_bytes()];
        if !self.authzid.is_empty() {
            parts.extend([b":".as_slice(), self.authzid.as_bytes()]);
        }
        HEXLOWER.encode(&hash(&parts))
    }

    /// The response value, for an A2 that begins with `start`.
    fn sign(&self, secret: &str, nonce: &str, start: &str) -> String {
        let what = HEXLOWER.encode(&hash(&[start.as_bytes(), b":", self.uri.as_bytes()]));
        let signed = format!("{secret}:{nonce}:00000001:{}:auth:{what}", self.cnonce);
        HEXLOWER.encode(&hash(&[signed.as_bytes()]))
    }
}

/// Checks the server's proof, `rspauth`.
fn verify(challenge: &[u8], proof: &str) -> Result<()> {
    let directives = directives(challenge).unwrap_or_default();
    let Some((_, said)) = directives.iter().find(|(name, _)| name == "rspauth") else {
        let why = "the server's last challenge of DIGEST-MD5 has no rspauth";
        return Err(unreadable(
            challenge,
            why,
            "rspauth=..., the server's own proof (RFC 2831, 2.1.3)",
        ));
    };
    if said == proof {
        return Ok(());
    }
    Err(Error::new(
        Kind::Unexpected,
        "the server's own proof is wrong: it does not know the password, or is not the server that it claims to be",
    )
    .with_expected("an rspauth made with the password (RFC 2831, 2.1.3)")
    .with_got(format!("rspauth={}", crate::visible::excerpt(said.as_bytes(), 100))))
}

/// The directives `name=value, name="value"`, with names in lower case; `None` if the text is not a
/// list of directives.
fn directives(text: &[u8]) -> Option<Vec<(String, String)>> {
    let mut rest = text.trim_ascii();
    let mut found = Vec::new();
    while !rest.is_empty() {
        if let Some(more) = rest.strip_prefix(b",") {
            rest = more.trim_ascii_start();
            continue;
        }
        let equals = memchr::memchr(b'=', rest)?;
        let name = String::from_utf8_lossy(rest[..equals].trim_ascii()).to_ascii_lowercase();
        let (value, more) = value(rest[equals + 1..].trim_ascii_start())?;
        found.push((name, value));
        rest = more.trim_ascii_start();
        if !rest.is_empty() && !rest.starts_with(b",") {
            return None;
        }
    }
    Some(found)
}

/// A value, quoted or not, and the text after it.
fn value(text: &[u8]) -> Option<(String, &[u8])> {
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let Some(text) = text.strip_prefix(b"\"") else {
        let end = memchr::memchr(b',', text).unwrap_or(text.len());
        return Some((lossy(text[..end].trim_ascii()), &text[end..]));
    };
    quoted::read(text).map(|(value, rest)| (lossy(&value), rest))
}

/// The text as a quoted string.
fn quoted(text: &str) -> String {
    String::from_utf8_lossy(&quoted::write(text.as_bytes())).into_owned()
}

/// The text in ISO 8859-1 if that has all its characters, as section 2.1.2.1 requires before
/// hashing, otherwise in UTF-8.
fn latin(text: &str) -> Cow<'_, [u8]> {
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    bytes.map_or(Cow::Borrowed(text.as_bytes()), Cow::Owned)
}

fn hash(parts: &[&[u8]]) -> Vec<u8> {
    let mut hasher = Md5::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().to_vec()
}
/// The challenge of a server (RFC 2831 section 2.1.1).
pub(super) fn challenge(nonce: &str) -> String {
    format!("realm=\"localhost\",nonce=\"{nonce}\",qop=\"auth\",algorithm=md5-sess,charset=utf-8")
}

/// The content of a client's response, checked by a server.
pub(super) struct Checked {
    pub(super) user: String,
    /// Whether the client knows the user's password.
    pub(super) is_proved: bool,
    /// The value with which the server proves that it knows the password, too.
    pub(super) proof: String,
}

/// Checks a response to the challenge with this nonce (RFC 2831 section 2.1.2); `None` if the
/// message is not such a response.
pub(super) fn check(
    response: &[u8],
    nonce: &str,
    password: impl FnOnce(&str) -> Option<String>,
) -> Option<Checked> {
    let directives = directives(response)?;
    let value = |name: &str| {
        directives.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    let user = value("username")?;
    let known = password(&user);
    let client = DigestMd5 {
        user: user.clone(),
        password: known.clone().unwrap_or_default().into(),
        authzid: value("authzid").unwrap_or_default(),
        realm: value("realm"),
        cnonce: value("cnonce")?,
        uri: value("digest-uri")?,
        stage: Stage::Challenge,
        is_believed: false,
    };
    let secret = client.secret(client.realm.as_deref().unwrap_or_default(), nonce);
    let is_proved = known.is_some()
        && value("nonce").as_deref() == Some(nonce)
        && value("response") == Some(client.sign(&secret, nonce, "AUTHENTICATE"));
    Some(Checked { user, is_proved, proof: client.sign(&secret, nonce, "") })
}
