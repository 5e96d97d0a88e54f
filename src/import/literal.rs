//! Texts, regexes and bytes as expressions of a script.

use std::fmt::Write as _;

use data_encoding::HEXLOWER;

pub(super) use crate::script::written::string as text;
use crate::visible;

/// A regex that can stand beside others.
pub(super) fn grouped(regex: &str) -> String {
    if regex.contains('|') { format!("(?:{regex})") } else { regex.to_owned() }
}

/// A regex that matches only this text.
pub(super) fn escaped(text: &str) -> String {
    let mut regex = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\r' => regex.push_str("\\r"),
            '\n' => regex.push_str("\\n"),
            '\u{fffd}' => regex.push('.'),
            _ if !visible::is_shown(character) => {
                let _ = write!(regex, "\\x{{{:x}}}", u32::from(character));
            }
            _ => {
                if "\\.+*?()|[]{}^$".contains(character) {
                    regex.push('\\');
                }
                regex.push(character);
            }
        }
    }
    regex
}

/// A regex as an expression of the script.
pub(super) fn regex(pattern: &str) -> String {
    let is_raw = !pattern.contains('`') && !pattern.contains("${") && !pattern.contains('\n');
    if is_raw { format!("re(`{pattern}`)") } else { format!("re({})", text(pattern)) }
}

/// Bytes as an expression of the script.
pub(super) fn bytes(raw: &[u8]) -> String {
    if let Ok(shown) = std::str::from_utf8(raw) {
        return text(shown);
    }
    format!("hex(\"{}\")", HEXLOWER.encode(raw))
}
