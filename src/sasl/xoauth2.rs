//! XOAUTH2, as Google and Microsoft define it: a user and a bearer token. If the token fails, the
//! server first gives the reason in JSON, and refuses after the client has answered with an empty
//! line.

use super::{Credentials, Hidden, Mechanism, Opening, Service, overdue};
use crate::error::Result;

#[derive(Debug)]
struct Xoauth2 {
    /// The client's only message, until it is sent.
    message: Option<Hidden>,
    told_why: bool,
}

#[allow(clippy::unnecessary_wraps, reason = "mechanisms begin alike, and others can fail")]
pub(super) fn begin(credentials: &Credentials, _: &Service) -> Result<Box<dyn Mechanism>> {
    let Credentials { user, secret, .. } = credentials;
    let message = format!("user={user}\x01auth=Bearer {}\x01\x01", secret.expose()).into();
    Ok(Box::new(Xoauth2 { message: Some(message), told_why: false }))
}

impl Mechanism for Xoauth2 {
    fn opening(&self) -> Opening {
        Opening::Client
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>> {
        if let Some(message) = self.message.take() {
            return Ok(message.expose().into());
        }
        if std::mem::replace(&mut self.told_why, true) {
            return Err(overdue(challenge, "XOAUTH2"));
        }
        Ok(Vec::new())
    }

    fn is_done(&self) -> bool {
        self.message.is_none() && !self.told_why
    }
}
