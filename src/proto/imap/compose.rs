//! Commands with their arguments, as they are sent.

use crate::quoted;

/// The longest string that is sent in quotes. Longer ones are sent as literals, because servers
/// limit the length of lines (RFC 7162 section 4 says 8192 octets).
const LONGEST_QUOTED: usize = 1000;
/// The longest literal that LITERAL- allows without waiting (RFC 7888 section 5).
const LONGEST_MINUS: usize = 4096;

/// An argument of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Argument {
    /// A string, sent as an atom, in quotes or as a literal, whichever it needs.
    Text(Vec<u8>),
    /// A string that is sent as a literal.
    Literal(Vec<u8>),
    /// Bytes that may contain NUL, sent as a `literal8` (RFC 3516 section 4.4).
    Literal8(Vec<u8>),
    /// A list of arguments in parentheses.
    List(Vec<Argument>),
    /// Text that is sent unchanged: a set of messages, a list in parentheses.
    Plain(Vec<u8>),
}

impl Argument {
    /// An argument that is sent unchanged.
    pub fn plain(text: impl Into<Vec<u8>>) -> Self {
        Self::Plain(text.into())
    }

    /// An argument that is sent as a literal.
    pub fn literal(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Literal(bytes.into())
    }
}

impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

/// What a search looks for: text that is sent unchanged, or arguments, each in the form that carries
/// it (RFC 3501 section 6.4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Criteria(pub(crate) Vec<Argument>);

impl From<&str> for Criteria {
    fn from(text: &str) -> Self {
        Self(vec![Argument::plain(text)])
    }
}

impl From<&String> for Criteria {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<Vec<Argument>> for Criteria {
    fn from(arguments: Vec<Argument>) -> Self {
        Self(arguments)
    }
}

/// Whether literals are sent only after the server asks for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Literals {
    /// Every literal waits for a continuation (RFC 3501 section 4.3).
    #[default]
    Synchronizing,
    /// No literal waits: LITERAL+ (RFC 7888).
    Plus,
    /// Literals of up to 4096 octets do not wait: LITERAL- (RFC 7888 section 5).
    Minus,
}

/// A command in pieces. Each piece after the first is sent when the server has asked for it.
pub(crate) fn compose(
    tag: &str,
    text: &[u8],
    arguments: &[Argument],
    literals: Literals,
) -> Vec<Vec<u8>> {
    let mut pieces = vec![[tag.as_bytes(), b" ", text].concat()];
    // A caller may give the parentheses around a literal as separate arguments.
    let opens = text.ends_with(b"(");
    push_all(&mut pieces, arguments, opens, literals);
    push(&mut pieces, b"\r\n");
    pieces
}

/// Appends arguments with a blank before each, except after an opening parenthesis.
fn push_all(pieces: &mut Vec<Vec<u8>>, arguments: &[Argument], opens: bool, literals: Literals) {
    let mut opens = opens;
    for argument in arguments {
        let closes = matches!(argument, Argument::Plain(bytes) if bytes.starts_with(b")"));
        if !opens && !closes {
            push(pieces, b" ");
        }
        opens = matches!(argument, Argument::Plain(bytes) if bytes.ends_with(b"("));
        match argument {
            Argument::Plain(bytes) => push(pieces, bytes),
            Argument::Text(bytes) if is_atom(bytes) => push(pieces, bytes),
            Argument::Text(bytes) if bytes.len() <= LONGEST_QUOTED && is_quotable(bytes) => {
                push(pieces, &quoted::write(bytes));
            }
            Argument::Text(bytes) | Argument::Literal(bytes) => {
                push_literal(pieces, bytes, literals);
            }
            Argument::Literal8(bytes) => {
                push(pieces, b"~");
                push_literal(pieces, bytes, literals);
            }
            Argument::List(arguments) => {
                push(pieces, b"(");
                push_all(pieces, arguments, true, literals);
                push(pieces, b")");
            }
        }
    }
}

fn push(pieces: &mut Vec<Vec<u8>>, bytes: &[u8]) {
    match pieces.last_mut() {
        Some(piece) => piece.extend_from_slice(bytes),
        None => pieces.push(bytes.to_vec()),
    }
}

fn push_literal(pieces: &mut Vec<Vec<u8>>, bytes: &[u8], literals: Literals) {
    let waits = match literals {
        Literals::Synchronizing => true,
        Literals::Plus => false,
        Literals::Minus => bytes.len() > LONGEST_MINUS,
    };
    let plus = if waits { "" } else { "+" };
    push(pieces, format!("{{{}{plus}}}\r\n", bytes.len()).as_bytes());
    if waits {
        pieces.push(bytes.to_vec());
    } else {
        push(pieces, bytes);
    }
}

/// Whether the bytes can be sent without quotes (`astring` in RFC 3501 section 9) and cannot be
/// taken for NIL.
pub(super) fn is_atom(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && !bytes.eq_ignore_ascii_case(b"NIL")
        && bytes.iter().all(|byte| byte.is_ascii_graphic() && !b"(){%*\"\\".contains(byte))
}

/// Whether the bytes can be sent in quotes: seven-bit text without line ends (`quoted` in RFC 3501
/// section 9).
fn is_quotable(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| (1..0x80).contains(byte) && *byte != b'\r' && *byte != b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn composed(arguments: &[Argument], literals: Literals) -> Vec<String> {
        let pieces = compose("a1", b"X", arguments, literals);
        pieces.into_iter().map(|piece| String::from_utf8(piece).unwrap()).collect()
    }

    #[test]
    fn a_string_takes_the_form_that_carries_it() {
        for (text, form) in [
            ("alice", "alice"),
            ("wonder-land1", "wonder-land1"),
            ("", "\"\""),
            ("nil", "\"nil\""),
            ("lab box", "\"lab box\""),
            ("*", "\"*\""),
            ("pa\"ss\\", "\"pa\\\"ss\\\\\""),
            ("Entw&APw-rfe", "Entw&APw-rfe"),
        ] {
            assert_eq!(composed(&[text.into()], Literals::default()), [format!("a1 X {form}\r\n")]);
        }
        for text in ["Gr\u{fc}\u{df}e", "a\r\nb", "\0", &"x ".repeat(600)] {
            assert_eq!(
                composed(&[text.into()], Literals::default()),
                [format!("a1 X {{{}}}\r\n", text.len()), format!("{text}\r\n")]
            );
        }
    }

    #[test]
    fn a_list_around_a_literal_has_no_blanks_inside_its_parentheses() {
        let arguments = [
            Argument::plain("CATENATE"),
            Argument::plain("("),
            Argument::plain("TEXT"),
            Argument::literal("ab"),
            Argument::plain(")"),
        ];
        assert_eq!(composed(&arguments, Literals::Plus), ["a1 X CATENATE (TEXT {2+}\r\nab)\r\n"]);
    }

    #[test]
    fn lists_and_binary_literals_are_written_with_what_is_in_them() {
        let list = Argument::List(vec![
            "a b".into(),
            Argument::List(vec![]),
            Argument::Literal8(b"\0".to_vec()),
            Argument::plain("NIL"),
        ]);
        assert_eq!(
            composed(&[list, "x".into()], Literals::Plus),
            ["a1 X (\"a b\" () ~{1+}\r\n\0 NIL) x\r\n"]
        );
    }

    #[test]
    fn literals_wait_unless_they_have_a_plus() {
        let arguments = [
            Argument::literal("ab"),
            Argument::plain("(\\Seen)"),
            Argument::literal("c".repeat(4097)),
        ];
        let long = "c".repeat(4097);
        let waiting = [
            String::from("a1 X {2}\r\n"),
            String::from("ab (\\Seen) {4097}\r\n"),
            format!("{long}\r\n"),
        ];
        assert_eq!(composed(&arguments, Literals::Synchronizing), waiting);
        assert_eq!(
            composed(&arguments, Literals::Plus),
            [format!("a1 X {{2+}}\r\nab (\\Seen) {{4097+}}\r\n{long}\r\n")]
        );
        assert_eq!(
            composed(&arguments, Literals::Minus),
            ["a1 X {2+}\r\nab (\\Seen) {4097}\r\n".to_owned(), format!("{long}\r\n")]
        );
    }
}
