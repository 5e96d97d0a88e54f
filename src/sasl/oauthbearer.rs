//! OAUTHBEARER (RFC 7628): a bearer token, with the identity to act for and the server's name. The
//! client answers the reason for a refusal with a single 0x01 (section 3.2.3).

use super::bearer::Bearer;
use super::{Credentials, Mechanism, Service, scram};
use crate::error::Result;

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
    Ok(Bearer::begin("OAUTHBEARER", message, b"\x01"))
}
