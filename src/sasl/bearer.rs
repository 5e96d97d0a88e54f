//! Mechanisms of bearer tokens. The client sends one message. If the token fails, the server first
//! gives the reason in JSON, and refuses after the client has answered that.

use super::{Hidden, Mechanism, Opening, Wrong, overdue};
use crate::error::Result;

/// An exchange of OAUTHBEARER or XOAUTH2.
#[derive(Debug)]
pub(super) struct Bearer {
    mechanism: &'static str,
    /// The client's only message, until it is sent.
    message: Option<Hidden>,
    /// The answer to the server's reason for a refusal.
    dismissal: &'static [u8],
    told_why: bool,
}

impl Bearer {
    /// Begins an exchange.
    pub(super) fn begin(
        mechanism: &'static str,
        message: String,
        dismissal: &'static [u8],
    ) -> Box<dyn Mechanism> {
        Box::new(Self { mechanism, message: Some(message.into()), dismissal, told_why: false })
    }
}

impl Mechanism for Bearer {
    fn opening(&self) -> Opening {
        Opening::Client
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>> {
        if let Some(message) = self.message.take() {
            return Ok(message.expose().into());
        }
        if std::mem::replace(&mut self.told_why, true) {
            return Err(overdue(challenge, self.mechanism));
        }
        Ok(self.dismissal.to_vec())
    }

    fn is_done(&self) -> bool {
        self.message.is_none() && !self.told_why
    }
}

/// Reads the scheme and the token of a header field of HTTP, which a message contains (RFC 6750
/// section 2.1).
pub(super) fn token<'a>(scheme: &str, token: &'a str) -> std::result::Result<&'a str, Wrong> {
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err("auth= does not begin with Bearer");
    }
    let is_letter = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
    let start = token.trim_end_matches('=');
    if start.is_empty() || !start.chars().all(is_letter) {
        return Err("what follows Bearer is not a token (RFC 6750, 2.1)");
    }
    Ok(token)
}
