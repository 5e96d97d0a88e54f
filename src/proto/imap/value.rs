//! What responses are made of: atoms, numbers, strings, lists (RFC 3501 section 4).

use std::borrow::Cow;

/// No list in a response is nested deeper; a message whose parts are is not one that a person
/// reads.
const DEPTH: usize = 100;
/// No response has more values: each takes some times the room of its bytes.
const MOST: usize = 1 << 20;

/// A value in a response.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// `NIL`.
    Nil,
    /// Digits alone.
    Number(u64),
    /// Any other word: a flag, a keyword, `BODY[HEADER.FIELDS (SUBJECT)]<0>`.
    Atom(Vec<u8>),
    /// A string, quoted or a literal, without its quotes and escapes.
    Text(Vec<u8>),
    /// What stands in parentheses.
    List(Vec<Value>),
}

impl Value {
    /// The bytes of an atom, a string or a number.
    #[must_use]
    pub fn bytes(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Atom(bytes) | Self::Text(bytes) => Some(bytes.into()),
            Self::Number(number) => Some(number.to_string().into_bytes().into()),
            Self::Nil | Self::List(_) => None,
        }
    }

    /// The same as text; bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        self.bytes().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The number, where it is one.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    /// The values of a list.
    #[must_use]
    pub fn list(&self) -> Option<&[Self]> {
        if let Self::List(values) = self { Some(values) } else { None }
    }

    /// The texts in a list, such as flags.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.list().unwrap_or_default().iter().filter_map(Self::text).collect()
    }
}

/// Reads the values at the start of the bytes, up to their end or to a closing bracket, and says
/// how far that was.
pub(super) fn values(bytes: &[u8], close: Option<u8>) -> Result<(Vec<Value>, usize), &'static str> {
    let mut reader = Reader { bytes, at: 0, close };
    let mut open = vec![Vec::new()];
    for _ in 0..MOST {
        let Some(byte) = reader.next_byte() else { break };
        let value = match byte {
            b'(' if open.len() > DEPTH => return Err("lists are nested too deep"),
            b'(' => {
                open.push(Vec::new());
                reader.at += 1;
                continue;
            }
            b')' => {
                reader.at += 1;
                match open.pop() {
                    Some(list) if !open.is_empty() => Value::List(list),
                    _ => return Err("a list is closed that was not opened"),
                }
            }
            b'"' => Value::Text(reader.quoted()?),
            b'{' | b'~' if reader.is_literal() => Value::Text(reader.literal()?.to_vec()),
            _ => reader.atom()?,
        };
        open.last_mut().ok_or("a list is closed that was not opened")?.push(value);
    }
    if reader.next_byte().is_some() {
        return Err("there are too many values");
    }
    match (open.pop(), open.is_empty()) {
        (Some(values), true) => Ok((values, reader.at)),
        _ => Err("a list is not closed"),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    close: Option<u8>,
}

impl<'a> Reader<'a> {
    /// The next byte that is no blank, unless all is over.
    fn next_byte(&mut self) -> Option<u8> {
        while self.bytes.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
        let byte = *self.bytes.get(self.at)?;
        (Some(byte) != self.close).then_some(byte)
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn is_literal(&self) -> bool {
        self.rest().starts_with(b"{") || self.rest().starts_with(b"~{")
    }

    /// A quoted string without its escapes (RFC 3501 section 4.3).
    fn quoted(&mut self) -> Result<Vec<u8>, &'static str> {
        let mut text = Vec::new();
        self.at += 1;
        loop {
            let rest = self.rest();
            let end =
                memchr::memchr3(b'"', b'\\', b'\n', rest).ok_or("a quoted string is not closed")?;
            text.extend_from_slice(&rest[..end]);
            self.at += end + 1;
            match rest[end] {
                b'"' => return Ok(text),
                b'\\' => {
                    text.extend(rest.get(end + 1));
                    self.at += 1;
                }
                _ => return Err("a quoted string is not closed"),
            }
        }
    }

    fn literal(&mut self) -> Result<&'a [u8], &'static str> {
        let wrong = "a literal is not what it announces";
        let line = memchr::memchr(b'\n', self.rest()).ok_or(wrong)?;
        let mut tail = super::scanner::Tail::default();
        tail.push(&self.rest()[..=line]);
        let Some(super::scanner::Announced::Octets { count, .. }) = tail.announced() else {
            return Err(wrong);
        };
        self.at += line + 1;
        let octets =
            usize::try_from(count).ok().and_then(|count| self.rest().get(..count)).ok_or(wrong)?;
        self.at += octets.len();
        Ok(octets)
    }

    /// An atom, with what stands in brackets in it.
    fn atom(&mut self) -> Result<Value, &'static str> {
        let start = self.at;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'[' if self.close.is_none() => self.brackets()?,
                b' ' | b'(' | b')' | b'"' | b'{' | b'\r' | b'\n' => break,
                byte if Some(*byte) == self.close => break,
                _ => self.at += 1,
            }
        }
        let atom = &self.bytes[start..self.at];
        if atom.is_empty() {
            return Err("something stands where a value belongs");
        }
        Ok(of_atom(atom))
    }

    /// The section of a body: `[HEADER.FIELDS ("X" {1}...)]`.
    fn brackets(&mut self) -> Result<(), &'static str> {
        let wrong = "a bracket is not closed";
        loop {
            let offset =
                self.rest().iter().position(|byte| b"]\"{\n".contains(byte)).ok_or(wrong)?;
            self.at += offset;
            match self.bytes[self.at] {
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                b'"' => drop(self.quoted()?),
                b'{' => drop(self.literal()?),
                _ => return Err(wrong),
            }
        }
    }
}

fn of_atom(atom: &[u8]) -> Value {
    if atom.eq_ignore_ascii_case(b"NIL") {
        return Value::Nil;
    }
    // What begins with a zero would not be shown again as it came.
    let is_number = atom.iter().all(u8::is_ascii_digit) && (atom == b"0" || atom[0] != b'0');
    let number =
        std::str::from_utf8(atom).ok().filter(|_| is_number).and_then(|text| text.parse().ok());
    number.map_or_else(|| Value::Atom(atom.to_vec()), Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Vec<Value>, &'static str> {
        values(text.as_bytes(), None).map(|(values, _)| values)
    }

    fn atom(text: &str) -> Value {
        Value::Atom(text.into())
    }

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    #[test]
    fn values_of_all_kinds_are_told_apart() {
        let list = Value::List(vec![atom("\\Seen"), Value::List(vec![])]);
        for (source, wanted) in [
            (
                "1 007 0 NIL nil",
                vec![Value::Number(1), atom("007"), Value::Number(0), Value::Nil, Value::Nil],
            ),
            ("(\\Seen ()) \"a \\\"b\\\\\" \"\"", vec![list, text("a \"b\\"), text("")]),
            ("{3}\r\na\r\n {0}\r\n ~{2+}\r\n\0{", vec![text("a\r\n"), text(""), text("\0{")]),
            (
                "BODY[HEADER.FIELDS (\"a]\" {1}\r\n] b)]<0> {1}\r\nx",
                vec![atom("BODY[HEADER.FIELDS (\"a]\" {1}\r\n] b)]<0>"), text("x")],
            ),
            ("", vec![]),
            ("18446744073709551616", vec![atom("18446744073709551616")]),
        ] {
            assert_eq!(read(source), Ok(wanted), "{source}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let deep = "(".repeat(DEPTH + 1);
        let many = "1 ".repeat(MOST + 1);
        for (source, why) in [
            ("(1", "a list is not closed"),
            ("1)", "closed that was not opened"),
            ("\"a", "string is not closed"),
            ("\"a\\", "string is not closed"),
            ("\"a\n\"", "string is not closed"),
            ("{3}\r\nab", "not what it announces"),
            ("{3} abc", "not what it announces"),
            ("{18446744073709551615}\r\nab", "not what it announces"),
            ("BODY[TEXT", "a bracket is not closed"),
            ("1 \r\n", "where a value belongs"),
            (&deep, "too deep"),
            (&many, "too many"),
        ] {
            assert!(
                read(source).is_err_and(|error| error.contains(why)),
                "{why}: {:?}",
                read(source).map(|v| v.len())
            );
        }
    }

    #[test]
    fn a_code_ends_at_its_bracket() {
        let (code, length) = values(b"COPYUID 1 304,319:320 3956:3958] done", Some(b']')).unwrap();
        assert_eq!(
            code,
            [atom("COPYUID"), Value::Number(1), atom("304,319:320"), atom("3956:3958")]
        );
        assert_eq!(length, 31);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(prop::sample::select(&b"(){}[]\"\\ \r\n~+19aB\0\xff"[..]), 0..60)) {
            for close in [None, Some(b']')] {
                if let Ok((_, end)) = values(&bytes, close) {
                    prop_assert!(end <= bytes.len());
                }
            }
        }
    }
}
