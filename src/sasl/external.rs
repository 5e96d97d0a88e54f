//! EXTERNAL (RFC 4422 appendix A): the server identifies the client by other means, such as a
//! client certificate. The message holds only the identity to act for.

use super::{Credentials, Mechanism, Opening, Service, overdue};
use crate::error::Result;

#[derive(Debug)]
struct External {
    authzid: Option<String>,
}

#[allow(clippy::unnecessary_wraps, reason = "mechanisms begin alike, and others can fail")]
pub(super) fn begin(credentials: &Credentials, _: &Service) -> Result<Box<dyn Mechanism>> {
    let identity =
        if credentials.authzid.is_empty() { &credentials.user } else { &credentials.authzid };
    Ok(Box::new(External { authzid: Some(identity.clone()) }))
}

impl Mechanism for External {
    fn opening(&self) -> Opening {
        Opening::Client
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>> {
        self.authzid.take().map(String::into_bytes).ok_or_else(|| overdue(challenge, "EXTERNAL"))
    }

    fn is_done(&self) -> bool {
        self.authzid.is_none()
    }
}
