//! DIGEST-MD5 (RFC 2831), for authentication only (`qop=auth`): both sides prove that they know the
//! password.

use std::borrow::Cow;
use std::fmt::Write as _;

use data_encoding::HEXLOWER;
use md5::{Digest as _, Md5};

use super::{Credentials, Hidden, Mechanism, Opening, Service, Wrong, nonce, overdue, unreadable};
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
            let of_name = directives.iter().filter(move |directive| directive.name == name);
            of_name.map(|directive| directive.value.as_str())
        };
        if ["qop", "charset", "algorithm", "maxbuf"].iter().any(|name| all(name).count() > 1) {
            let why = "the server's challenge has a directive twice that may be there once";
            return Err(unreadable(challenge, why, wanted));
        }
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
        if all("algorithm").next().is_none() {
            let why = "the server's challenge names no algorithm (RFC 2831, 2.1.1)";
            return Err(unreadable(challenge, why, "algorithm=md5-sess"));
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
    let mut proofs = directives.iter().filter(|directive| directive.name == "rspauth");
    let (Some(Directive { value: said, .. }), None) = (proofs.next(), proofs.next()) else {
        let why = "the server's last challenge of DIGEST-MD5 has no rspauth, or more than one";
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

/// A directive: `name=value` or `name="value"`.
struct Directive {
    /// The name in lower case.
    name: String,
    value: String,
    is_quoted: bool,
}

/// The directives of a message; `None` if the text is not a list of directives.
fn directives(text: &[u8]) -> Option<Vec<Directive>> {
    let mut rest = text.trim_ascii();
    let mut found = Vec::new();
    while !rest.is_empty() {
        if let Some(more) = rest.strip_prefix(b",") {
            rest = more.trim_ascii_start();
            continue;
        }
        let equals = memchr::memchr(b'=', rest)?;
        let name = String::from_utf8_lossy(rest[..equals].trim_ascii()).to_ascii_lowercase();
        let start = rest[equals + 1..].trim_ascii_start();
        let (value, more) = value(start)?;
        found.push(Directive { name, value, is_quoted: start.starts_with(b"\"") });
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
/// The realm that a server names.
const REALM: &str = "localhost";

/// The challenge of a server (RFC 2831 section 2.1.1).
pub(super) fn challenge(nonce: &str) -> String {
    format!("realm=\"{REALM}\",nonce=\"{nonce}\",qop=\"auth\",algorithm=md5-sess,charset=utf-8")
}

/// The content of a client's response, checked by a server.
pub(super) struct Checked {
    pub(super) user: String,
    /// The identity to act for; empty if the client names none.
    pub(super) identity: String,
    /// Whether the client knows the user's password.
    pub(super) is_proved: bool,
    /// The value with which the server proves that it knows the password, too.
    pub(super) proof: String,
}

/// Checks a response to the challenge with this nonce (RFC 2831 section 2.1.2).
pub(super) fn check(
    response: &[u8],
    nonce: &str,
    password: impl FnOnce(&str) -> Option<String>,
) -> std::result::Result<Checked, Wrong> {
    let directives = directives(response).ok_or("the response is not a list of directives")?;
    let value = |name: &str| {
        let found = directives.iter().find(|directive| directive.name == name);
        found.map(|directive| directive.value.clone())
    };
    check_form(&directives, nonce)?;
    let user = value("username").ok_or("the response has no username")?;
    let identity = value("authzid").unwrap_or_default();
    let known = password(&user);
    let client = DigestMd5 {
        user: user.clone(),
        password: known.clone().unwrap_or_default().into(),
        authzid: identity.clone(),
        realm: value("realm"),
        cnonce: value("cnonce").unwrap_or_default(),
        uri: value("digest-uri").unwrap_or_default(),
        stage: Stage::Challenge,
        is_believed: false,
    };
    let secret = client.secret(REALM, nonce);
    let is_proved =
        known.is_some() && value("response") == Some(client.sign(&secret, nonce, "AUTHENTICATE"));
    Ok(Checked { user, identity, is_proved, proof: client.sign(&secret, nonce, "") })
}

/// Checks everything in a response that does not depend on the user: which directives there are,
/// and their values.
fn check_form(directives: &[Directive], nonce: &str) -> std::result::Result<(), Wrong> {
    const QUOTED: [&str; 6] = ["username", "realm", "nonce", "cnonce", "digest-uri", "authzid"];
    const TOKENS: [&str; 6] = ["nc", "qop", "response", "maxbuf", "charset", "cipher"];
    for (n, directive) in directives.iter().enumerate() {
        let name = directive.name.as_str();
        let is_known = QUOTED.contains(&name) || TOKENS.contains(&name);
        if is_known && directives[..n].iter().any(|other| other.name == name) {
            return Err("a directive is there twice that may be there once");
        }
        if is_known && QUOTED.contains(&name) != directive.is_quoted {
            return Err("a value is quoted that may not be, or is not quoted");
        }
        let is_letter = |c: char| c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?={}".contains(c);
        if name.is_empty() || !name.chars().all(is_letter) {
            return Err("the name of a directive is not a token");
        }
    }
    let value = |name: &str| {
        let found = directives.iter().find(|directive| directive.name == name);
        found.map(|directive| directive.value.as_str())
    };
    let hexadecimal =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let uri = |uri: &str| {
        let mut parts = uri.split('/');
        let is_part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_graphic());
        (2..=3).contains(&parts.clone().count()) && parts.all(is_part)
    };
    let bytes = |size: &str| {
        let is_number = !size.is_empty() && size.bytes().all(|b| b.is_ascii_digit());
        is_number && size.parse().is_ok_and(|size: u32| (17..=16_777_215).contains(&size))
    };
    let rules: [(bool, Wrong); 11] = [
        (value("username").is_some_and(|user| !user.is_empty()), "the response has no username"),
        (value("realm") == Some(REALM), "the realm is not the one that the server names"),
        (value("nonce") == Some(nonce), "the nonce is not the one of the server"),
        (value("cnonce").is_some_and(|nonce| !nonce.is_empty()), "the response has no cnonce"),
        (value("nc") == Some("00000001"), "nc is not 00000001, the number of the first response"),
        (value("qop").is_none_or(|qop| qop == "auth"), "qop is not auth, which the server offers"),
        (value("digest-uri").is_some_and(uri), "digest-uri is not service/host"),
        (
            value("response").is_some_and(|said| said.len() == 32 && hexadecimal(said)),
            "the response value is not 32 digits of lower-case hexadecimal",
        ),
        (value("charset").is_none_or(|set| set == "utf-8"), "charset is not utf-8"),
        (value("maxbuf").is_none_or(bytes), "maxbuf is not a number from 17 to 16777215"),
        (value("authzid").is_none_or(|identity| !identity.is_empty()), "authzid is empty"),
    ];
    if value("cipher").is_some() {
        return Err("cipher is for qop=auth-conf, which the server does not offer");
    }
    rules.iter().find(|(is_kept, _)| !is_kept).map_or(Ok(()), |(_, why)| Err(*why))
}
