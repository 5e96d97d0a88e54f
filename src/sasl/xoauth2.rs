//! XOAUTH2, as Google and Microsoft define it: a user and a bearer token. The client answers the
//! reason for a refusal with an empty line.

use super::bearer::Bearer;
use super::{Credentials, Mechanism, Service};
use crate::error::Result;

#[allow(clippy::unnecessary_wraps, reason = "mechanisms begin alike, and others can fail")]
pub(super) fn begin(credentials: &Credentials, _: &Service) -> Result<Box<dyn Mechanism>> {
    let Credentials { user, secret, .. } = credentials;
    let message = format!("user={user}\x01auth=Bearer {}\x01\x01", secret.expose());
    Ok(Bearer::begin("XOAUTH2", message, b""))
}
