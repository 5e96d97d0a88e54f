//! PLAIN (RFC 4616): authorization identity, NUL, user, NUL, password.

use super::{Credentials, Hidden, Mechanism, Opening, Service, Wrong, overdue};
use crate::error::Result;

#[derive(Debug)]
struct Plain {
    /// The client's only message, until it is sent.
    message: Option<Hidden>,
}

#[allow(clippy::unnecessary_wraps, reason = "mechanisms begin alike, and others can fail")]
pub(super) fn begin(credentials: &Credentials, _: &Service) -> Result<Box<dyn Mechanism>> {
    let Credentials { authzid, user, secret, .. } = credentials;
    let message = format!("{authzid}\0{user}\0{}", secret.expose()).into();
    Ok(Box::new(Plain { message: Some(message) }))
}

impl Mechanism for Plain {
    fn opening(&self) -> Opening {
        Opening::Client
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>> {
        let message = self.message.take().ok_or_else(|| overdue(challenge, "PLAIN"))?;
        Ok(message.expose().into())
    }

    fn is_done(&self) -> bool {
        self.message.is_none()
    }
}

/// What a client's message says.
pub(super) struct Message<'a> {
    pub(super) identity: &'a str,
    pub(super) user: &'a str,
    pub(super) password: &'a str,
}

/// Reads a client's message (RFC 4616 section 2).
pub(super) fn read(message: &str) -> std::result::Result<Message<'_>, Wrong> {
    let parts: Vec<_> = message.split('\0').collect();
    match parts[..] {
        [_, "", _] => Err("the user is empty"),
        [_, _, ""] => Err("the password is empty"),
        [identity, user, password] => Ok(Message { identity, user, password }),
        _ => Err("the message is not an identity, a user and a password with a NUL between them"),
    }
}
