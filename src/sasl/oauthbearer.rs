//! OAUTHBEARER (RFC 7628): a bearer token, with the identity to act for and the server's name. The
//! client answers the reason for a refusal with a single 0x01 (section 3.2.3).

use super::bearer::{self, Bearer};
use super::{Credentials, Mechanism, Service, Wrong, attributes, scram};
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

/// Reads a client's message (section 3.1): the identity, which may be empty, and the token.
pub(super) fn read(message: &str) -> std::result::Result<(String, &str), Wrong> {
    let (header, rest) = attributes::header(message)?;
    let pairs = rest.strip_prefix('\x01').and_then(|rest| rest.strip_suffix("\x01"));
    let pairs = pairs.ok_or("the message has no 0x01 after its GS2 header and at its end")?;
    let mut known: Vec<(&str, &str)> = Vec::new();
    for pair in pairs.split_terminator('\x01') {
        let (key, value) = pair.split_once('=').ok_or("a pair has no =")?;
        let is_value = |c: char| c.is_ascii_graphic() || " \t\r\n".contains(c);
        if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphabetic()) {
            return Err("the key of a pair is not letters");
        }
        if !value.chars().all(is_value) {
            return Err("the value of a pair has other characters than printable ASCII");
        }
        if known.iter().any(|(other, _)| *other == key) {
            return Err("a key is there twice");
        }
        known.push((key, value));
    }
    // Without the last 0x01 of a pair, the message has only one at its end.
    if !pairs.is_empty() && !pairs.ends_with('\x01') {
        return Err("the message does not end with 0x01 twice");
    }
    let value = |key| known.iter().find(|(known, _)| *known == key).map(|(_, value)| *value);
    let is_port =
        |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse() != Ok(0_u16);
    if value("port").is_some_and(|port| !is_port(port) || port.parse::<u16>().is_err()) {
        return Err("port= is not a port");
    }
    let auth = value("auth").ok_or("the message has no auth=")?;
    let (scheme, token) = auth.split_once(' ').unwrap_or((auth, ""));
    Ok((header.identity, bearer::token(scheme, token.trim_start_matches(' '))?))
}
