//! Rhai code that the program writes.

use std::fmt::Write as _;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::sasl::Known;
use crate::visible;

/// Returns a text as a literal. Characters that could control a terminal are escaped.
pub(crate) fn string(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for c in text.chars() {
        match c {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            '\r' => literal.push_str("\\r"),
            '\n' => literal.push_str("\\n"),
            '\t' => literal.push_str("\\t"),
            c if visible::is_shown(c) => literal.push(c),
            c if u32::from(c) < 0x1_0000 => {
                let _ = write!(literal, "\\u{:04x}", u32::from(c));
            }
            c => {
                let _ = write!(literal, "\\U{:08x}", u32::from(c));
            }
        }
    }
    literal.push('"');
    literal
}

/// Returns a text as an expression in which the parameter `password` stands for each occurrence of
/// the password, so that a script that is kept does not contain it. `None` and an empty password
/// stand for no password.
pub(crate) fn without_password(text: &str, password: Option<&str>) -> String {
    match password {
        Some(password) if !password.is_empty() && text.contains(password) => {
            let parts: Vec<_> = text.split(password).map(string).collect();
            parts.join(" + param(\"password\") + ")
        }
        _ => string(text),
    }
}

/// Returns a message as a literal. A message in UTF-8 is a text literal with `\n` as its line ends,
/// unless a CR stands alone in it.
pub(crate) fn message(bytes: &[u8]) -> String {
    match text_of(bytes) {
        Some(text) => string(&text.replace("\r\n", "\n")),
        None => format!("base64_bytes({})", string(&BASE64_STANDARD.encode(bytes))),
    }
}

/// Returns a message as text, if its line ends are LF or CRLF. They become CRLF when it is sent.
pub(crate) fn text_of(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.replace("\r\n", "").contains('\r'))
}

/// Returns the call for a SASL exchange. The secret is a parameter.
pub(crate) fn auth(user: &str, mechanism: Option<&str>) -> String {
    let named = mechanism.map(|name| format!("{}, ", string(&name.to_uppercase())));
    let (named, user) = (named.unwrap_or_default(), string(user));
    let takes_secret = !mechanism.is_some_and(Known::takes_no_secret);
    let secret = if takes_secret { ", param(\"password\")" } else { "" };
    format!("s.auth({named}param(\"user\", {user}){secret});")
}

/// Returns the call for APOP. The secret is a parameter.
pub(crate) fn apop(user: &str) -> String {
    format!("s.apop(param(\"user\", {}), param(\"password\"));", string(user))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_read_back_as_the_text_that_it_was() {
        let engine = rhai::Engine::new();
        for text in
            ["", "a \"b\" \\ c", "\r\n\t\0\u{7f}\u{85}", "\u{2028}日本 ${x} `y`", "\u{1f600}"]
        {
            assert_eq!(engine.eval::<String>(&string(text)).unwrap(), text);
        }
    }
}
