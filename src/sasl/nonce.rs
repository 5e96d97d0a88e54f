//! The client's nonce, which makes an exchange differ from all others.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::Credentials;
use crate::error::{Error, Kind, Result};

/// The nonce given in the credentials, or a random one of 144 bits.
pub(super) fn nonce(credentials: &Credentials) -> Result<String> {
    credentials.nonce.clone().map_or_else(random, Ok)
}

/// A random nonce.
pub(crate) fn random() -> Result<String> {
    let mut random = [0; 18];
    getrandom::fill(&mut random).map_err(|error| {
        Error::new(Kind::Io, format!("the system gives no random bytes for a nonce: {error}"))
    })?;
    Ok(BASE64_STANDARD.encode(random))
}
