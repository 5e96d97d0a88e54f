//! ANONYMOUS (RFC 4505): no identity, only a trace by which the user can be found, such as an
//! address.

use super::{Credentials, Mechanism, Opening, Service, Wrong, overdue};
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

/// Checks a client's message (RFC 4505 section 2): empty, an address, or a token of up to 255
/// characters.
pub(super) fn check(message: &str) -> std::result::Result<(), Wrong> {
    if message.chars().any(char::is_control) {
        return Err("the trace has a control character");
    }
    match message.rsplit_once('@') {
        Some((local, domain)) if local.is_empty() || domain.is_empty() => {
            Err("the trace has an @, and is not an address")
        }
        None if message.chars().count() > 255 => Err("the trace has more than 255 characters"),
        _ => Ok(()),
    }
}
