//! XOAUTH2, as Google and Microsoft define it: a user and a bearer token. The client answers the
//! reason for a refusal with an empty line.

use super::bearer::{self, Bearer};
use super::{Credentials, Mechanism, Service, Wrong};
use crate::error::Result;

#[allow(clippy::unnecessary_wraps, reason = "mechanisms begin alike, and others can fail")]
pub(super) fn begin(credentials: &Credentials, _: &Service) -> Result<Box<dyn Mechanism>> {
    let Credentials { user, secret, .. } = credentials;
    let message = format!("user={user}\x01auth=Bearer {}\x01\x01", secret.expose());
    Ok(Bearer::begin("XOAUTH2", message, b""))
}

/// Reads a client's message: the user and the token.
pub(super) fn read(message: &str) -> std::result::Result<(&str, &str), Wrong> {
    let rest = message.strip_prefix("user=").ok_or("the message does not begin with user=")?;
    let parts: Vec<_> = rest.split('\x01').collect();
    let [user, auth, "", ""] = parts[..] else {
        return Err("the message is not user= and auth=, with 0x01 between and twice at the end");
    };
    if user.is_empty() || user.contains('\0') {
        return Err("user= has no user");
    }
    let auth = auth.strip_prefix("auth=").ok_or("no auth= follows the user")?;
    let (scheme, token) = auth.split_once(' ').unwrap_or((auth, ""));
    Ok((user, bearer::token(scheme, token)?))
}
