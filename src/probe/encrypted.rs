//! Whether a password may be sent.

use crate::error::{Error, Kind, Result};
use crate::session::Session;

/// Fails if a password would go in clear. Somebody on the way may have taken the offer of TLS out.
pub(super) fn check_encrypted(session: &Session) -> Result<()> {
    if session.tls().is_some() || !session.verifies() {
        return Ok(());
    }
    let tls = session.speech().facts().tls.map_or("TLS", |tls| tls.command);
    let error = Error::new(Kind::Mismatch, "the password is not sent in clear");
    Err(error
        .with_expected(format!("{tls}, or a port with TLS"))
        .with_got(format!("a server that does not offer {tls}"))
        .hint("--insecure sends it in clear, and accepts any certificate"))
}
