//! Finds the secrets in decoded messages of SASL mechanisms.

use std::ops::Range;

use memchr::memmem;

use super::prompt::{Asked, asked_for};

/// The position of a response in an exchange.
pub(super) struct Turn<'a> {
    /// The number of responses sent before this one.
    pub(super) step: usize,
    /// The challenge that the response answers; empty if it was sent without a challenge.
    pub(super) prompt: &'a [u8],
}

/// The secret part of a client's message. It is empty for messages that hold no secret, and the
/// whole message if that is malformed. `None` if the mechanism is unknown.
///
/// A client may send the message of another mechanism than the one that it has named, such as the
/// whole message of PLAIN in answer to LOGIN's question for the user.
pub(super) fn secret_of_response(
    mechanism: &str,
    turn: &Turn<'_>,
    message: &[u8],
) -> Option<Range<usize>> {
    let secret = secret_of_mechanism(mechanism, turn, message);
    let is_found = secret.as_ref().is_some_and(|secret| !secret.is_empty());
    if is_found || (secret.is_none() && !mechanism.is_empty()) {
        return secret;
    }
    secret_of_any(message).or(secret)
}

/// The password or the token in a message that has the form of PLAIN, XOAUTH2 or OAUTHBEARER.
pub(super) fn secret_of_any(message: &[u8]) -> Option<Range<usize>> {
    if let Some(token) = bearer(message) {
        return Some(token);
    }
    let is_text = std::str::from_utf8(message)
        .is_ok_and(|text| !text.contains(|c: char| c != '\0' && c.is_control()));
    let separators = memchr::memchr_iter(0, message).count();
    let password = behind_nul(message);
    (is_text && (1..=2).contains(&separators) && !password.is_empty()).then_some(password)
}

fn secret_of_mechanism(mechanism: &str, turn: &Turn<'_>, message: &[u8]) -> Option<Range<usize>> {
    let all = 0..message.len();
    let nothing = Some(0..0);
    Some(match mechanism.to_ascii_uppercase().as_str() {
        "PLAIN" => behind_nul(message),
        "LOGIN" => match asked_for(turn.prompt) {
            Some(Asked::User) => return nothing,
            // A first response without a challenge is the user name.
            None if turn.step == 0 && turn.prompt.is_empty() => return nothing,
            _ => all,
        },
        "CRAM-MD5" => memchr::memrchr(b' ', message).map_or(all, |blank| blank + 1..message.len()),
        "EXTERNAL" | "ANONYMOUS" => return nothing,
        _ if message.is_empty() => return nothing,
        "DIGEST-MD5" => value(message, b"response=", b',').unwrap_or(all),
        "XOAUTH2" | "OAUTHBEARER" if message == [1] => return nothing,
        "XOAUTH2" | "OAUTHBEARER" => bearer(message).unwrap_or(all),
        scram if scram.starts_with("SCRAM-") => match message {
            [b'n' | b'y', b',', ..] => return nothing,
            [b'c', b'=', ..] => value(message, b",p=", b',').unwrap_or(all),
            _ => all,
        },
        _ => return None,
    })
}

/// Whether the secret in messages of this mechanism is a proof of the password, not the password
/// itself.
pub(super) fn is_proof(mechanism: &str) -> bool {
    let mechanism = mechanism.to_ascii_uppercase();
    mechanism.starts_with("SCRAM-") || mechanism == "CRAM-MD5" || mechanism == "DIGEST-MD5"
}

/// The password of PLAIN, after the authorization identity and the user (RFC 4616), each of which
/// ends with NUL. If a NUL is missing, everything after the last one.
fn behind_nul(message: &[u8]) -> Range<usize> {
    let start = memchr::memchr_iter(0, message).take(2).last().map_or(0, |nul| nul + 1);
    start..message.len()
}

fn value(message: &[u8], name: &[u8], end: u8) -> Option<Range<usize>> {
    let start = memmem::find(message, name)? + name.len();
    let end = memchr::memchr(end, &message[start..]).map_or(message.len(), |length| start + length);
    Some(start..end)
}

/// The token after `auth=Bearer `.
fn bearer(message: &[u8]) -> Option<Range<usize>> {
    let auth = value(message, b"auth=", 1)?;
    let scheme =
        message[auth.clone()].get(..7).filter(|scheme| scheme.eq_ignore_ascii_case(b"Bearer "));
    Some(auth.start + scheme.map_or(0, <[u8]>::len)..auth.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mechanism_has_its_secret_where_its_rfc_puts_it() {
        for (mechanism, step, message, secret) in [
            ("PLAIN", 0, "\0tim\0tanstaaftanstaaf", Some("tanstaaftanstaaf")),
            ("plain", 0, "tim\0pw", Some("pw")),
            ("PLAIN", 0, "a\0b\0c\0d", Some("c\0d")),
            ("PLAIN", 0, "no structure", Some("no structure")),
            ("LOGIN", 0, "tim", Some("")),
            ("LOGIN", 0, "\0tim\0pw", Some("pw")),
            ("LOGIN", 0, "user=u\x01auth=Bearer ya29\x01\x01", Some("ya29")),
            ("EXTERNAL", 0, "tim\0tim\0pw", Some("pw")),
            ("LOGIN", 1, "pw", Some("pw")),
            ("CRAM-MD5", 0, "tim tom b913a602", Some("b913a602")),
            ("CRAM-MD5", 0, "b913a602", Some("b913a602")),
            ("DIGEST-MD5", 0, "username=\"chris\",response=d388,qop=auth", Some("d388")),
            ("DIGEST-MD5", 1, "", Some("")),
            ("DIGEST-MD5", 0, "what", Some("what")),
            ("SCRAM-SHA-256", 0, "n,,n=user,r=abc", Some("")),
            ("SCRAM-SHA-256", 1, "c=biws,r=abcdef,p=dHzb=", Some("dHzb=")),
            ("SCRAM-SHA-256", 1, "c=biws,r=abcdef", Some("c=biws,r=abcdef")),
            ("SCRAM-SHA-1", 0, "password", Some("password")),
            ("XOAUTH2", 0, "user=u\x01auth=Bearer ya29\x01\x01", Some("ya29")),
            ("OAUTHBEARER", 0, "n,a=u,\x01auth=secret\x01\x01", Some("secret")),
            ("OAUTHBEARER", 1, "\x01", Some("")),
            ("XOAUTH2", 0, "ya29", Some("ya29")),
            ("EXTERNAL", 0, "me", Some("")),
            ("NTLM", 0, "x", None),
            ("NTLM", 0, "password\0tim", None),
            ("", 0, "x", None),
            ("", 0, "\0tim\0pw", Some("pw")),
            ("", 0, "NTLMSSP\0\x01", None),
        ] {
            let turn = Turn { step, prompt: b"" };
            let found =
                secret_of_response(mechanism, &turn, message.as_bytes()).map(|span| &message[span]);
            assert_eq!(found, secret, "{mechanism} {message:?}");
        }
    }
}
