//! The arguments of a command (RFC 3501 section 9).

use std::borrow::Cow;
use std::collections::VecDeque;

use super::{Refusal, bad};
use crate::proto::imap::Value;
use crate::quoted;

/// The deepest nesting of lists in a command.
const DEPTH: usize = 20;
/// The most values, spaces and parentheses of a command.
const MOST: usize = 1 << 16;

/// What was read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    /// The beginning, or an opening parenthesis.
    Opening,
    Value,
    Space,
}

/// The arguments that are not read yet: atoms, strings and lists.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arguments(VecDeque<Value>);

impl Arguments {
    pub(super) fn read(text: &[u8]) -> Result<Self, &'static str> {
        let mut open = vec![Vec::new()];
        let mut rest = text;
        let mut count = 0;
        let mut before = Last::Opening;
        while let [byte, behind @ ..] = rest {
            count += 1;
            if count > MOST || open.len() > DEPTH {
                return Err("The command is too complicated");
            }
            // One space is between two values, and none elsewhere (RFC 3501 section 9).
            match (byte, before) {
                (b' ', Last::Value) => {}
                (b' ', _) | (b')', Last::Space) => return Err("There is a space too many"),
                (b')', _) | (_, Last::Opening | Last::Space) => {}
                (_, Last::Value) => return Err("A space is missing"),
            }
            before = match byte {
                b' ' => Last::Space,
                b'(' => Last::Opening,
                _ => Last::Value,
            };
            let value = match byte {
                b' ' => {
                    rest = behind;
                    continue;
                }
                b'(' => {
                    open.push(Vec::new());
                    rest = behind;
                    continue;
                }
                b')' => {
                    rest = behind;
                    match open.pop() {
                        Some(list) if !open.is_empty() => Value::List(list),
                        _ => return Err("A list is closed that was not opened"),
                    }
                }
                b'"' => {
                    let (text, behind) = quoted::read(behind).ok_or("A string is not closed")?;
                    rest = behind;
                    Value::Text(text)
                }
                b'{' => {
                    let (octets, behind) = literal(behind).ok_or("A literal is wrong")?;
                    rest = behind;
                    Value::Text(octets.to_vec())
                }
                _ => {
                    let (atom, behind) = rest.split_at(atom_length(rest));
                    rest = behind;
                    Value::Atom(atom.to_vec())
                }
            };
            open.last_mut().ok_or("A list is closed that was not opened")?.push(value);
        }
        match (open.pop(), open.is_empty()) {
            _ if before == Last::Space => Err("There is a space too many"),
            (Some(values), true) => Ok(Self(values.into())),
            _ => Err("A list is not closed"),
        }
    }

    pub(super) fn of(values: &[Value]) -> Self {
        Self(values.iter().cloned().collect())
    }

    pub(super) fn next(&mut self) -> Result<Value, Refusal> {
        self.0.pop_front().ok_or_else(|| bad("An argument is missing"))
    }

    pub(super) fn peek(&self) -> Option<&Value> {
        self.0.front()
    }

    /// Takes an atom or a string.
    pub(super) fn string(&mut self) -> Result<Vec<u8>, Refusal> {
        let value = self.next()?;
        value.bytes().map(Cow::into_owned).ok_or_else(|| bad("A string is wanted"))
    }

    /// Takes an atom or a string as text.
    pub(super) fn text(&mut self) -> Result<String, Refusal> {
        self.string().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Takes the last argument, an atom or a string, as text.
    pub(super) fn last_text(&mut self) -> Result<String, Refusal> {
        let text = self.text()?;
        self.end().map(|()| text)
    }

    /// Takes a word, in capitals.
    pub(super) fn word(&mut self) -> Result<String, Refusal> {
        match self.next()? {
            Value::Atom(atom) => Ok(String::from_utf8_lossy(&atom).to_ascii_uppercase()),
            _ => Err(bad("A word is wanted")),
        }
    }

    /// Takes a list.
    pub(super) fn list(&mut self) -> Result<Vec<Value>, Refusal> {
        match self.next()? {
            Value::List(values) => Ok(values),
            _ => Err(bad("A list is wanted")),
        }
    }

    /// Takes the last arguments: a list, or one value or more that stand for a list of them.
    pub(super) fn last_values(&mut self) -> Result<Vec<Value>, Refusal> {
        let first = self.next()?;
        if let Value::List(values) = first {
            return self.end().map(|()| values);
        }
        let others = std::mem::take(&mut self.0);
        Ok(std::iter::once(first).chain(others).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn end(&self) -> Result<(), Refusal> {
        if self.is_empty() { Ok(()) } else { Err(bad("There are too many arguments")) }
    }
}

/// The bytes of a literal whose opening brace was read, and the text after them.
fn literal(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', text)?;
    let octets = text[..end].strip_suffix(b"\r")?.strip_suffix(b"}")?;
    let octets = octets.strip_suffix(b"+").unwrap_or(octets);
    let octets = std::str::from_utf8(octets).ok()?.parse().ok()?;
    text.get(end + 1..)?.split_at_checked(octets)
}

/// The length of an atom, which includes the section of a body:
/// `BODY[HEADER.FIELDS (Subject)]<0.10>`.
fn atom_length(text: &[u8]) -> usize {
    let mut depth = 0_usize;
    let end = text.iter().position(|byte| {
        match byte {
            b'[' => depth += 1,
            b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && b" ()\"{".contains(byte)
    });
    end.unwrap_or(text.len()).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn atom(text: &str) -> Value {
        Value::Atom(text.into())
    }

    #[test]
    fn arguments_are_atoms_strings_and_lists() {
        let mut read = Arguments::read(
            b"INBOX (\\Seen x) \"a \\\"b\" {2}\r\n)( BODY[HEADER.FIELDS (A B)]<0.9>",
        )
        .unwrap();
        assert_eq!(read.text().unwrap(), "INBOX");
        assert_eq!(read.list().unwrap(), [atom("\\Seen"), atom("x")]);
        assert_eq!(read.text().unwrap(), "a \"b");
        assert_eq!(read.string().unwrap(), b")(");
        assert_eq!(read.last_values().unwrap(), [atom("BODY[HEADER.FIELDS (A B)]<0.9>")]);
        assert!(read.next().is_err());
    }

    #[test]
    fn a_malformed_argument_is_refused() {
        for wrong in [&b"a  b"[..], b"a ", b" a", b"( a)", b"(a )", b"1(a)", b"\"a\"b", b"(a)(b)"] {
            assert!(Arguments::read(wrong).is_err(), "{}", wrong.escape_ascii());
        }
        assert!(Arguments::read(b"((a) (b)) ()").is_ok());
        for wrong in [&b"(a"[..], b"a)", b"\"a", b"{3}\r\nab", b"{x}\r\n", &b"(".repeat(50)[..]] {
            assert!(Arguments::read(wrong).is_err(), "{}", wrong.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(prop::sample::select(&b"(){}[]\"\\ \r\n+19aB\0\xff"[..]), 0..60)) {
            let _ = Arguments::read(&bytes);
        }
    }
}
