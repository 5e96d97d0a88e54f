//! Splits a script into names, literals and signs, as far as needed to find its secrets. This also
//! works for a script that does not parse.

use std::ops::Range;

/// A token of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A name or a keyword.
    Name(Range<usize>),
    /// A string or a number.
    Literal(Literal),
    /// Any other character, such as a bracket.
    Sign(u8),
}

/// A string or a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    /// The range without quotes.
    pub(super) inside: Range<usize>,
    /// Whether the literal is a string in double quotes that does not end on its line.
    pub(super) is_open: bool,
}

/// All tokens of a script, in order.
pub(super) fn tokens(script: &str) -> Vec<Token> {
    let bytes = script.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at = match byte {
            b'"' | b'`' => {
                let literal = text(bytes, at);
                let end = literal.inside.end + usize::from(!literal.is_open);
                tokens.push(Token::Literal(literal));
                end
            }
            b'/' if bytes[at..].starts_with(b"//") => {
                memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |length| at + length)
            }
            b'/' if bytes[at..].starts_with(b"/*") => {
                memchr::memmem::find(&bytes[at..], b"*/").map_or(bytes.len(), |end| at + end + 2)
            }
            byte if is_of_word(*byte) => {
                let length = bytes[at..].iter().position(|byte| !is_of_word(*byte));
                let end = length.map_or(bytes.len(), |length| at + length);
                tokens.push(if byte.is_ascii_digit() {
                    Token::Literal(Literal { inside: at..end, is_open: false })
                } else {
                    Token::Name(at..end)
                });
                end
            }
            byte => {
                if !byte.is_ascii_whitespace() {
                    tokens.push(Token::Sign(*byte));
                }
                at + 1
            }
        };
    }
    tokens
}

/// The string that begins with the quote at `start`. A string in double quotes ends with its line,
/// unless a backslash precedes the line end; a string in backticks extends to its closing backtick.
fn text(bytes: &[u8], start: usize) -> Literal {
    let quote = bytes[start];
    let mut end = start + 1;
    while end < bytes.len() && bytes[end] != quote {
        match bytes[end] {
            b'\\' if quote == b'"' => end += 1,
            b'\n' if quote == b'"' => break,
            _ => {}
        }
        end += 1;
    }
    let end = end.min(bytes.len());
    Literal { inside: start + 1..end, is_open: bytes.get(end) != Some(&quote) }
}

/// Whether a byte belongs to a name or a number. Bytes that are not ASCII count as letters.
fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}
