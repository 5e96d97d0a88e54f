//! Rhai that the program writes.

use std::fmt::Write as _;

/// A text as a literal.
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
            c if c.is_control() => {
                let _ = write!(literal, "\\u{:04x}", u32::from(c));
            }
            c => literal.push(c),
        }
    }
    literal.push('"');
    literal
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
