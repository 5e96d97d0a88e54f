//! Texts, regexes and bytes as expressions of a script.

use std::fmt::Write as _;

use crate::visible;

/// A regex that matches only this text.
pub(super) fn escaped(text: &str) -> String {
    let mut regex = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\r' => regex.push_str("\\r"),
            '\n' => regex.push_str("\\n"),
            '\u{fffd}' => regex.push('.'),
            _ if !is_shown(character) => {
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

/// Whether a character can be shown as it is. Other characters are escaped in the script.
fn is_shown(character: char) -> bool {
    let text = character.to_string();
    character == '\\' || visible::printable(&text) == text
}

/// A text as an expression of the script.
pub(super) fn text(text: &str) -> String {
    let mut literal = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            '\r' => literal.push_str("\\r"),
            '\n' => literal.push_str("\\n"),
            '\t' => literal.push_str("\\t"),
            _ if is_shown(character) => literal.push(character),
            _ if u32::from(character) < 0x1_0000 => {
                let _ = write!(literal, "\\u{:04x}", u32::from(character));
            }
            _ => {
                let _ = write!(literal, "\\U{:08x}", u32::from(character));
            }
        }
    }
    literal.push('"');
    literal
}

/// Bytes as an expression of the script.
pub(super) fn bytes(raw: &[u8]) -> String {
    if let Ok(shown) = std::str::from_utf8(raw) {
        return text(shown);
    }
    let mut digits = String::new();
    for byte in raw {
        let _ = write!(digits, "{byte:02x}");
    }
    format!("hex(\"{digits}\")")
}
