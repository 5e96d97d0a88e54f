//! CRAM-MD5 (RFC 2195): the client signs the challenge by HMAC-MD5 with the password.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};

use super::{Credentials, Hidden, Mechanism, Opening, Service, Wrong, overdue, unreadable};
use crate::error::Result;

#[derive(Debug)]
struct CramMd5 {
    user: String,
    password: Option<Hidden>,
}

#[allow(clippy::unnecessary_wraps, reason = "mechanisms begin alike, and others can fail")]
pub(super) fn begin(credentials: &Credentials, _: &Service) -> Result<Box<dyn Mechanism>> {
    Ok(Box::new(CramMd5 {
        user: credentials.user.clone(),
        password: Some(credentials.secret.clone()),
    }))
}

/// The signature of a challenge, in hexadecimal.
pub(crate) fn digest(challenge: &[u8], password: &[u8]) -> String {
    let mut mac = Hmac::<Md5>::new_from_slice(password).expect("HMAC takes keys of any length");
    mac.update(challenge);
    HEXLOWER.encode(&mac.finalize().into_bytes())
}

/// Reads a client's response (RFC 2195 section 2): the user and the digest.
pub(super) fn read(response: &str) -> std::result::Result<(&str, &str), Wrong> {
    let (user, digest) = response.rsplit_once(' ').ok_or("the response has no digest")?;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if digest.len() != 32 || !digest.bytes().all(is_digit) {
        return Err("the digest is not 32 digits of lower-case hexadecimal");
    }
    if user.is_empty() || user.contains('\0') {
        return Err("the response has no user");
    }
    Ok((user, digest))
}

/// The digest of APOP (RFC 1939 section 7), in hexadecimal.
pub(crate) fn apop_digest(timestamp: &[u8], password: &[u8]) -> String {
    HEXLOWER.encode(&Md5::new_with_prefix(timestamp).chain_update(password).finalize())
}

impl Mechanism for CramMd5 {
    fn opening(&self) -> Opening {
        Opening::Server
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>> {
        if challenge.is_empty() {
            let why = "the server's challenge of CRAM-MD5 is empty: there is nothing to sign";
            return Err(unreadable(
                challenge,
                why,
                "a challenge such as <1896.697170952@mail.example> (RFC 2195, 2)",
            ));
        }
        let password = self.password.take().ok_or_else(|| overdue(challenge, "CRAM-MD5"))?;
        Ok(format!("{} {}", self.user, digest(challenge, password.expose().as_bytes())).into())
    }

    fn is_done(&self) -> bool {
        self.password.is_none()
    }
}
