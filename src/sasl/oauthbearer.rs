//! OAUTHBEARER (RFC 7628): a bearer token, with the identity to act for and the server's name. If
//! the token fails, the server first gives the reason in JSON, and refuses after the client has
//! answered with a single 0x01 (section 3.2.3).

use super::{Credentials, Hidden, Mechanism, Opening, Service, overdue, scram};
use crate::error::Result;

#[derive(Debug)]
struct Oauthbearer {
    /// The client's only message, until it is sent.
    message: Option<Hidden>,
    told_why: bool,
}

#[allow(clippy::unnecessary_wraps, reason = "mechanisms begin alike, and others can fail")]
pub(super) fn begin(credentials: &Credentials, service: &Service) -> Result<Box<dyn Mechanism>> {
    let Credentials { user, secret, authzid, .. } = credentials;
    let header = scram::header(if authzid.is_empty() { user } else { authzid });
    let port = service.port.map_or_else(String::new, |port| format!("\x01port={port}"));
    let message = format!(
        "{header}\x01host={}{port}\x01auth=Bearer {}\x01\x01",
        service.host,
        secret.expose()
    );
    Ok(Box::new(Oauthbearer { message: Some(message.into()), told_why: false }))
}

impl Mechanism for Oauthbearer {
    fn opening(&self) -> Opening {
        Opening::Client
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>> {
        if let Some(message) = self.message.take() {
            return Ok(message.expose().into());
        }
        if std::mem::replace(&mut self.told_why, true) {
            return Err(overdue(challenge, "OAUTHBEARER"));
        }
        Ok(vec![1])
    }

    fn is_done(&self) -> bool {
        self.message.is_none() && !self.told_why
    }
}
