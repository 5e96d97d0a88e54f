//! ANONYMOUS (RFC 4505): no identity, only a trace by which the user can be found, such as an
//! address.

use super::{Credentials, Mechanism, Opening, Service, overdue};
use crate::error::Result;

#[derive(Debug)]
struct Anonymous {
    trace: Option<String>,
}

#[allow(clippy::unnecessary_wraps, reason = "mechanisms begin alike, and others can fail")]
pub(super) fn begin(credentials: &Credentials, _: &Service) -> Result<Box<dyn Mechanism>> {
    Ok(Box::new(Anonymous { trace: Some(credentials.user.clone()) }))
}

impl Mechanism for Anonymous {
    fn opening(&self) -> Opening {
        Opening::Client
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>> {
        self.trace.take().map(String::into_bytes).ok_or_else(|| overdue(challenge, "ANONYMOUS"))
    }

    fn is_done(&self) -> bool {
        self.trace.is_none()
    }
}
