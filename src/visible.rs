//! Making bytes visible: every byte that is not plain text becomes an escape, so that the output is
//! exact and can never control a terminal.

mod shortened;

#[cfg(feature = "script")]
use std::fmt::Write as _;

pub(crate) use shortened::{WHOLE, quoted, shortened, shortened_bytes};

/// The bytes as text in which nothing is hidden.
///
/// CR, LF, TAB, NUL and ESC become `\r`, `\n`, `\t`, `\0` and `\e`; other controls and bytes that
/// are not UTF-8 become `\xHH`. Letters and digits of any script stay. Other non-ASCII characters,
/// which could reorder or hide text, are escaped byte by byte. A backslash is doubled only if it
/// would otherwise read as one of these escapes.
#[must_use]
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        push_text(&mut shown, chunk.valid());
        for byte in chunk.invalid() {
            push_hex(&mut shown, *byte);
        }
    }
    shown
}

fn push_text(shown: &mut String, mut text: &str) {
    loop {
        // Nearly all of a dialogue is plain ASCII, which is copied in one piece.
        let plain = text
            .bytes()
            .position(|byte| !matches!(byte, b' '..=b'[' | b']'..=b'~'))
            .unwrap_or(text.len());
        let (run, rest) = text.split_at(plain);
        shown.push_str(run);
        let mut characters = rest.chars();
        let Some(character) = characters.next() else { return };
        text = characters.as_str();
        push(shown, character, characters.next());
    }
}

fn push(shown: &mut String, character: char, next: Option<char>) {
    match character {
        '\r' => shown.push_str("\\r"),
        '\n' => shown.push_str("\\n"),
        '\t' => shown.push_str("\\t"),
        '\0' => shown.push_str("\\0"),
        '\x1b' => shown.push_str("\\e"),
        '\\' if next.is_none_or(|next| "rnt0ex\\".contains(next) || !is_plain(next)) => {
            shown.push_str("\\\\");
        }
        _ if is_plain(character) => shown.push(character),
        _ => character.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| push_hex(shown, byte)),
    }
}

fn push_hex(shown: &mut String, byte: u8) {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    shown.push_str("\\x");
    shown.push(digit(byte >> 4));
    shown.push(digit(byte & 15));
}

/// Whether a character is shown as it is: printable ASCII, letters and digits, the punctuation of
/// Latin-1 and of CJK, and U+FFFD, which stands in a script's text for bytes that are not UTF-8.
/// These characters are visible and do not change the order of others.
fn is_plain(character: char) -> bool {
    matches!(character, ' '..='~' | '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{ff}' | '\u{3001}'..='\u{3029}' | '\u{ff01}'..='\u{ff5e}' | '\u{fffd}')
        || (!character.is_ascii() && character.is_alphanumeric() && !is_right_to_left(character))
}

fn is_right_to_left(character: char) -> bool {
    matches!(character, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// Reverses [`escape`].
#[must_use]
pub(crate) fn unescape(shown: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(shown.len());
    let mut rest = shown.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let escaped = if *first == b'\\' { escaped(tail) } else { None };
        let (byte, length) = escaped.unwrap_or((*first, 0));
        bytes.push(byte);
        rest = &rest[length..];
    }
    bytes
}

/// The byte that an escape stands for, and the length of the escape after its backslash.
fn escaped(tail: &[u8]) -> Option<(u8, usize)> {
    let byte = match tail.first()? {
        b'r' => b'\r',
        b'n' => b'\n',
        b't' => b'\t',
        b'0' => 0,
        b'e' => 0x1b,
        b'\\' => b'\\',
        b'x' => {
            let digits = std::str::from_utf8(tail.get(1..3)?).ok()?;
            return Some((u8::from_str_radix(digits, 16).ok()?, 3));
        }
        _ => return None,
    };
    Some((byte, 1))
}

/// Whether [`printable`] keeps a character as it is.
pub(crate) fn is_shown(character: char) -> bool {
    matches!(character, '\\' | '\u{2192}') || is_plain(character)
}

/// Escapes characters that could control a terminal in text that was made visible before, and that
/// may have been edited since, such as a golden transcript. Backslashes stay as they are.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_shown(character) {
            shown.push(character);
        } else {
            push(&mut shown, character, None);
        }
    }
    shown
}

/// Applies [`printable`] to each line, and keeps the line ends.
pub(crate) fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// JSON in which each character that is no plain text is written as `\uXXXX`, so that it can be shown
/// and stays JSON. Outside of strings, JSON has no such characters.
#[cfg(feature = "script")]
pub(crate) fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\n' | '\u{2192}') || is_plain(character) {
            shown.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to memory does not fail.
            let _ = write!(shown, "\\u{unit:04x}");
        }
    }
    shown
}

/// Text that may be written to a terminal: lines of printable text, and the colours of our own
/// output. Anything else becomes an escape, wherever it came from.
#[cfg(feature = "cli")]
pub(crate) fn for_terminal(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if let Some(colour) = colour(rest) {
            shown.push_str(&rest[..colour]);
            rest = &rest[colour..];
            continue;
        }
        match character {
            '\\' | '\n' | '\u{2192}' => shown.push(character),
            _ => push(&mut shown, character, None),
        }
        rest = &rest[character.len_utf8()..];
    }
    shown
}

/// The length of a sequence that sets a colour or a weight (SGR of ECMA-48), if the text begins
/// with one. Sequences that hide text or swap its colours do not count, because our output has
/// none.
#[cfg(feature = "cli")]
fn colour(text: &str) -> Option<usize> {
    let codes = text.strip_prefix("\x1b[")?;
    let end = codes.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    let is_ours = |code: &str| {
        matches!(code.parse(), Ok(0..=4 | 22 | 24 | 30..=37 | 39 | 90..=97u8)) || code.is_empty()
    };
    let is_colour = codes[end..].starts_with('m') && codes[..end].split(';').all(is_ours);
    is_colour.then_some("\x1b[".len() + end + 1)
}

/// A line of a source in which each character that could control a terminal, or hide or reorder
/// text, is replaced by one that cannot, so that columns stay the same.
#[cfg(feature = "script")]
pub(crate) fn source_line(line: &str) -> String {
    let plain =
        |character| if is_plain(character) || character == '\t' { character } else { '\u{b7}' };
    line.chars().map(plain).collect()
}

/// At most `limit` of the bytes, made visible, with the number of bytes that were left out.
#[must_use]
pub(crate) fn excerpt(bytes: &[u8], limit: usize) -> String {
    if bytes.len() <= limit {
        return escape(bytes);
    }
    format!("{} ... ({} more bytes)", escape(&bytes[..limit]), bytes.len() - limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_that_are_no_plain_text_are_escaped() {
        assert_eq!(escape(b"250 ok\r\n"), "250 ok\\r\\n");
        assert_eq!(escape(b"\x1b[2J\xff"), "\\e[2J\\xff");
        assert_eq!(unescape("250 ok\\r\\n"), b"250 ok\r\n");
        assert_eq!(escape("zażółć \\Seen".as_bytes()), "zażółć \\Seen");
    }

    #[test]
    fn a_backslash_is_doubled_only_where_it_would_mislead() {
        assert_eq!(escape(br"\Seen"), r"\Seen");
        assert_eq!(escape(br"\n"), r"\\n");
        assert_eq!(escape(br"\\x"), r"\\\\x");
        assert_eq!(escape(br"end\"), r"end\\");
    }

    #[test]
    fn characters_that_reorder_or_hide_text_are_escaped() {
        assert_eq!(escape("a\u{202e}b".as_bytes()), "a\\xe2\\x80\\xaeb");
        assert_eq!(escape("a\u{200b}b\u{7f}\u{85}".as_bytes()), "a\\xe2\\x80\\x8bb\\x7f\\xc2\\x85");
        assert_eq!(escape("日本語、ü".as_bytes()), "日本語、ü");
    }

    #[test]
    fn text_that_is_visible_already_stays_as_it_is() {
        assert_eq!(
            printable("S: a\\r\\n \u{2192} \\\\ \u{1b}[2J\u{202e}"),
            "S: a\\r\\n \u{2192} \\\\ \\e[2J\\xe2\\x80\\xae"
        );
    }

    #[cfg(feature = "cli")]
    #[test]
    fn json_says_the_same_after_it_was_made_visible() {
        let text = "\u{2014} \u{2192} \u{9b}2J \u{202e}\u{1f600}\u{7f}\u{e9} \"\\\n";
        let shown = json(&serde_json::json!(text).to_string());
        assert_eq!(shown, r#""\u2014 → \u009b2J \u202e\ud83d\ude00\u007fé \"\\\n""#);
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        assert_eq!(for_terminal(&shown), shown);
    }

    #[cfg(feature = "cli")]
    #[test]
    fn a_terminal_gets_text_and_our_colours_alone() {
        for (text, shown) in [
            ("a\nb \u{2192} c\\x", "a\nb \u{2192} c\\x"),
            ("\x1b[1m\x1b[31mred\x1b[0m", "\x1b[1m\x1b[31mred\x1b[0m"),
            ("\x1b[1;31mred\x1b[m", "\x1b[1;31mred\x1b[m"),
            ("\x1b[8mhidden", "\\e[8mhidden"),
            ("\x1b[2J\x1b]52;c;AAAA\x07", "\\e[2J\\e]52;c;AAAA\\x07"),
            (
                "\u{9b}2J\u{202e}\u{200b}\u{feff}\r",
                "\\xc2\\x9b2J\\xe2\\x80\\xae\\xe2\\x80\\x8b\\xef\\xbb\\xbf\\r",
            ),
        ] {
            assert_eq!(for_terminal(text), shown);
        }
    }

    proptest! {
        #[test]
        fn every_byte_can_be_read_back(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\\'), Just(b'x'), Just(b'n')], 0..64)) {
            prop_assert_eq!(unescape(&escape(&bytes)), bytes);
        }

        #[test]
        fn nothing_shown_is_a_control_character(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(!escape(&bytes).chars().any(char::is_control));
        }
    }
}
