//! The elements of responses: atoms, numbers, strings, lists (RFC 3501 section 4).

use std::borrow::Cow;

use crate::error::Error;
use crate::{quoted, room};

/// The deepest nesting of lists that is read. Deeper lists are an error; messages with so deeply
/// nested parts are not meant for people.
const DEPTH: usize = 100;
/// How many values are read before the next check of the memory. A value takes several times the
/// memory of its bytes.
const BETWEEN_CHECKS: usize = 256;

/// Why values cannot be read.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// What is wrong with them.
    Malformed(&'static str),
    /// They take more memory than the script may hold.
    NoRoom(Error),
}

impl From<&'static str> for Unreadable {
    fn from(why: &'static str) -> Self {
        Self::Malformed(why)
    }
}

/// A value in a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// `NIL`.
    #[default]
    Nil,
    /// A word of digits only.
    Number(u64),
    /// Any other word: a flag, a keyword, `BODY[HEADER.FIELDS (SUBJECT)]<0>`.
    Atom(Vec<u8>),
    /// A quoted string, without its quotes and escapes.
    Text(Vec<u8>),
    /// A string that was sent as a literal.
    Literal(Vec<u8>),
    /// A list in parentheses.
    List(Vec<Value>),
}

impl Value {
    /// The bytes of an atom, a string or a number.
    #[must_use]
    pub fn bytes(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Atom(bytes) | Self::Text(bytes) | Self::Literal(bytes) => Some(bytes.into()),
            Self::Number(number) => Some(number.to_string().into_bytes().into()),
            Self::Nil | Self::List(_) => None,
        }
    }

    /// The bytes of an atom, a string or a number as text; bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        self.bytes().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The number, if the value is one.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    /// The values of a list; `None` if the value is not a list.
    #[must_use]
    pub fn list(&self) -> Option<&[Self]> {
        if let Self::List(values) = self { Some(values) } else { None }
    }

    /// Whether the value is this word, in letters of either case.
    pub(super) fn is_atom(&self, word: &str) -> bool {
        matches!(self, Self::Atom(atom) if atom.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// The words of a list; `None` if the value is not a list, or has anything except words.
    pub(super) fn atoms(&self) -> Option<Vec<String>> {
        let words = self.list()?.iter().map(|value| match value {
            Self::Atom(_) => value.text(),
            _ => None,
        });
        words.collect()
    }

    /// The flags in a list; `None` if the value is not a list, or has anything except flags.
    pub(super) fn flags(&self) -> Option<Vec<String>> {
        let flags = self.list()?.iter().map(|value| match value {
            Self::Atom(flag) if is_flag(flag) => value.text(),
            _ => None,
        });
        flags.collect()
    }

    /// The texts in a list, such as flags.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.list().unwrap_or_default().iter().filter_map(Self::text).collect()
    }
}

/// Whether a word is a flag: an atom, or a backslash and an atom (`flag` in RFC 3501 section 9).
/// Servers let clients make flags with a bracket in them, or in UTF-8.
fn is_flag(word: &[u8]) -> bool {
    let atom = word.strip_prefix(b"\\").unwrap_or(word);
    let is_atom_char = |byte: &u8| !byte.is_ascii_control() && !b"(){ %*\"\\".contains(byte);
    !atom.is_empty() && atom.iter().all(is_atom_char)
}

/// The context of values, which decides how a word among them is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grammar {
    /// Data without special rules.
    Data,
    /// The attributes of FETCH (`msg-att` in RFC 3501 section 9).
    Fetch,
    /// A list of flags and nothing else.
    Flags,
    /// A mailbox with its attributes, as LIST and LSUB send it.
    List,
    /// A mailbox with its items, as STATUS sends it.
    Status,
    /// A response code, which ends with a closing bracket.
    Code,
}

impl Grammar {
    /// The grammar of data with this name, given in capitals.
    pub(super) fn of(name: &str) -> Self {
        match name {
            "FETCH" => Self::Fetch,
            "FLAGS" => Self::Flags,
            "LIST" | "LSUB" | "XLIST" => Self::List,
            "STATUS" => Self::Status,
            _ => Self::Data,
        }
    }

    /// Whether a word after the values read so far is a flag or the name of a mailbox. At such
    /// places, `NIL` and `123` are names like all others.
    fn is_name(self, open: &[Vec<Value>]) -> bool {
        let before = open.first().map_or(0, Vec::len);
        match self {
            Self::Data => false,
            Self::Flags => true,
            Self::List => matches!((open.len(), before), (2, 0) | (1, 2)),
            Self::Status => open.len() == 1 && before == 0,
            Self::Fetch => open.len() > 2 && open[1].last().is_some_and(holds_names),
            Self::Code => {
                open.len() > 1 && open[0].first().is_some_and(|name| name.is_atom("PERMANENTFLAGS"))
            }
        }
    }

    /// Whether a word after the values read so far is the name of an attribute, which may have a
    /// section in brackets. At other places, a bracket is an ordinary character of an atom (RFC
    /// 3501 section 9).
    fn has_section(self, open: &[Vec<Value>]) -> bool {
        self == Self::Fetch && open.len() == 2 && open[1].len().is_multiple_of(2)
    }
}

/// Whether the list after this attribute consists of names.
fn holds_names(attribute: &Value) -> bool {
    attribute.is_atom("FLAGS") || attribute.is_atom("X-GM-LABELS")
}

/// A literal that is longer than its content takes the blank behind it.
const GLUED: &str = "a blank is missing between two values";

/// Reads the values at the start of the bytes, up to their end or to the closing bracket of a
/// response code. Returns them with the number of bytes that were read.
pub(super) fn values(bytes: &[u8], grammar: Grammar) -> Result<(Vec<Value>, usize), Unreadable> {
    let mut reader = Reader { bytes, at: 0, ends_with_bracket: grammar == Grammar::Code };
    let mut open = vec![Vec::new()];
    let mut count = 0_usize;
    // Where the last value ended, until something else comes, and whether it was a list.
    let (mut ended, mut is_list) = (None, false);
    while let Some(byte) = reader.next_byte(open.len()) {
        count += 1;
        if count.is_multiple_of(BETWEEN_CHECKS) {
            room::check().map_err(Unreadable::NoRoom)?;
        }
        // Only lists may be beside each other: addresses, parts of a body, threads.
        if ended == Some(reader.at) && byte != b')' && !(byte == b'(' && is_list) {
            return Err(GLUED.into());
        }
        let value = match byte {
            b'(' if open.len() > DEPTH => return Err("lists are nested too deep".into()),
            b'(' => {
                open.push(Vec::new());
                reader.at += 1;
                ended = None;
                continue;
            }
            b')' => {
                reader.at += 1;
                match open.pop() {
                    Some(list) if !open.is_empty() => Value::List(list),
                    _ => return Err("a list is closed that was not opened".into()),
                }
            }
            b'"' => Value::Text(reader.quoted()?),
            b'{' | b'~' if reader.is_literal() => Value::Literal(reader.literal()?.to_vec()),
            _ => {
                let atom = reader.atom(open.len(), grammar.has_section(&open))?;
                if grammar.is_name(&open) { Value::Atom(atom.to_vec()) } else { of_atom(atom) }
            }
        };
        is_list = matches!(value, Value::List(_));
        ended = Some(reader.at);
        open.last_mut().ok_or("a list is closed that was not opened")?.push(value);
    }
    match (open.pop(), open.is_empty()) {
        (Some(values), true) => Ok((values, reader.at)),
        _ => Err("a list is not closed".into()),
    }
}

/// The names of values that have parentheses although there is only one of them: modification
/// sequences (RFC 7162 section 7) and the identifiers of RFC 8474.
const SINGLE: [&str; 4] = ["EMAILID", "MAILBOXID", "MODSEQ", "THREADID"];

/// The value of this name, without parentheses that stand around a single value by its grammar.
pub(super) fn single(name: &str, value: Value) -> Value {
    match value {
        Value::List(mut values) if values.len() == 1 && SINGLE.contains(&name) => values.remove(0),
        value => value,
    }
}

/// Whether the value is an identifier of RFC 8474 in parentheses. Some look like numbers or NIL.
pub(super) fn is_identifier(value: &Value) -> bool {
    match value.list() {
        Some([Value::Nil | Value::Number(_)]) => true,
        Some([Value::Atom(word)]) => is_objectid(word),
        _ => false,
    }
}

/// Whether a word is an identifier (`objectid` in RFC 8474 section 7).
pub(super) fn is_objectid(word: &[u8]) -> bool {
    let is_of_identifier = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    (1..=255).contains(&word.len()) && word.iter().all(is_of_identifier)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Whether a closing bracket outside of lists and strings ends the values.
    ends_with_bracket: bool,
}

impl<'a> Reader<'a> {
    /// The next byte that is no blank; `None` at the end of the values. `depth` is the number of
    /// open lists; the outermost values count as one.
    fn next_byte(&mut self, depth: usize) -> Option<u8> {
        while self.bytes.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
        let byte = *self.bytes.get(self.at)?;
        (!self.is_end(byte, depth)).then_some(byte)
    }

    fn is_end(&self, byte: u8, depth: usize) -> bool {
        self.ends_with_bracket && depth == 1 && byte == b']'
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn is_literal(&self) -> bool {
        self.rest().starts_with(b"{") || self.rest().starts_with(b"~{")
    }

    /// Reads a quoted string, without its escapes (RFC 3501 section 4.3).
    fn quoted(&mut self) -> Result<Vec<u8>, &'static str> {
        let text = self.rest().get(1..).unwrap_or_default();
        let (octets, rest) = quoted::read(text).ok_or("a quoted string is not closed")?;
        if !quoted::has_escapes_of_specials(&text[..text.len() - rest.len()]) {
            return Err("a backslash in quotes stands before neither a quote nor a backslash");
        }
        self.at = self.bytes.len() - rest.len();
        Ok(octets)
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

    /// Reads an atom, or the name of an attribute with its section.
    fn atom(&mut self, depth: usize, has_section: bool) -> Result<&'a [u8], &'static str> {
        let start = self.at;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'[' if has_section => self.section()?,
                b' ' | b'(' | b')' | b'"' | b'{' | b'\r' | b'\n' => break,
                byte if self.is_end(*byte, depth) => break,
                _ => self.at += 1,
            }
        }
        let atom = &self.bytes[start..self.at];
        if atom.is_empty() {
            return Err("a value is missing");
        }
        Ok(atom)
    }

    /// Reads the section of a body: `[HEADER.FIELDS ("X" {1}...)]`.
    fn section(&mut self) -> Result<(), &'static str> {
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
    // Digits with a leading zero stay an atom, so that they are shown as they came.
    let is_number = atom.iter().all(u8::is_ascii_digit) && (atom == b"0" || atom[0] != b'0');
    let number =
        std::str::from_utf8(atom).ok().filter(|_| is_number).and_then(|text| text.parse().ok());
    number.map_or_else(|| Value::Atom(atom.to_vec()), Value::Number)
}

#[cfg(test)]
mod tests;
