//! The arguments of commands, except addresses.

use super::answer::{Answer, too_large};
use crate::server::dialogue::LARGEST;

/// Checks that a command has no argument.
pub(super) fn alone(argument: &str) -> Result<(), Answer> {
    if argument.is_empty() {
        Ok(())
    } else {
        Err(Answer::new(501, "5.5.4 The command takes no argument"))
    }
}

/// Checks a parameter of MAIL: SIZE (RFC 1870), BODY (RFC 6152), AUTH (RFC 4954 section 5).
pub(super) fn mail_parameter(parameter: &str) -> Result<(), Answer> {
    let (keyword, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    match keyword.to_ascii_uppercase().as_str() {
        "SIZE"
            if value.is_empty()
                || value.len() > 20
                || !value.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            Err(Answer::new(501, "5.5.4 Syntax: SIZE=octets"))
        }
        "SIZE" if value.parse::<usize>().is_ok_and(|size| size <= LARGEST) => Ok(()),
        "SIZE" => Err(too_large()),
        "BODY" if ["7BIT", "8BITMIME"].iter().any(|body| value.eq_ignore_ascii_case(body)) => {
            Ok(())
        }
        "BODY" => Err(Answer::new(501, "5.5.4 Syntax: BODY=7BIT or BODY=8BITMIME")),
        // The name is ignored, as the section allows, because nothing is relayed in its name.
        "AUTH" if !value.is_empty() => Ok(()),
        _ => Err(unknown_parameter()),
    }
}

pub(super) fn unknown_parameter() -> Answer {
    Answer::new(555, "5.5.4 Unsupported parameter")
}
