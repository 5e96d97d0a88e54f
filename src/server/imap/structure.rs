//! The parts of a message (RFC 2045, RFC 2046), and BODYSTRUCTURE (RFC 3501 section 7.4.2).

use super::{MOST_READ, envelope};
use crate::quoted;

/// The deepest nesting of parts. Deeper parts are not found, and not shown.
pub(super) const DEPTH: usize = 20;
/// The most parts of one multipart; later parts are ignored.
const MOST: usize = 1000;
/// What a part costs besides its bytes, as if this many bytes were read.
const PART_READ: usize = 2 << 10;
/// How many fields of a part's header are looked for, each from the header's beginning.
const FIELDS: usize = 5;

/// A message or a part of a message: its header with the blank line, and its body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    pub(super) header: &'a [u8],
    pub(super) body: &'a [u8],
    /// Whether it is a part of a multipart/digest: such parts are messages by default (RFC 2046
    /// section 5.1.5).
    is_in_digest: bool,
}

/// The value of Content-Type.
struct Kind {
    main: String,
    sub: String,
    parameters: Vec<(String, String)>,
}

impl<'a> Part<'a> {
    pub(super) fn of(data: &'a [u8]) -> Self {
        let mut end = 0;
        for line in data.split_inclusive(|byte| *byte == b'\n') {
            end += line.len();
            if matches!(line, [b'\n'] | [b'\r', b'\n']) {
                break;
            }
        }
        let (header, body) = data.split_at(end);
        Self { header, body, is_in_digest: false }
    }

    /// The part with these numbers (RFC 3501 section 6.4.5).
    pub(super) fn at(self, path: &[usize]) -> Option<Self> {
        let Some((number, rest)) = path.split_first() else { return Some(self) };
        // The numbers continue inside of a message that is a part: they count the parts of that
        // message.
        let inside = self.message().unwrap_or(self);
        let parts = inside.parts();
        let part = match (parts.is_empty(), number) {
            // A message without parts is its own first part.
            (true, 1) => inside,
            (true, _) => return None,
            (false, number) => *parts.get(number - 1)?,
        };
        if parts.is_empty() && !rest.is_empty() {
            return None;
        }
        part.at(rest)
    }

    /// The message in this part, if the part is a message.
    pub(super) fn message(self) -> Option<Self> {
        let kind = self.kind();
        (kind.main == "MESSAGE" && kind.sub == "RFC822").then(|| Part::of(self.body))
    }

    fn kind(self) -> Kind {
        let field = envelope::field(self.header, "Content-Type");
        let default =
            if self.is_in_digest { "message/rfc822" } else { "text/plain; charset=us-ascii" };
        let mut words = parameters(field.as_deref().unwrap_or(default));
        let (main, sub) = words.remove(0).0.split_once('/').map_or_else(
            || ("TEXT".to_owned(), "PLAIN".to_owned()),
            |(main, sub)| (main.trim().to_ascii_uppercase(), sub.trim().to_ascii_uppercase()),
        );
        Kind { main, sub, parameters: words }
    }

    /// The parts of a multipart; empty if it is not one.
    fn parts(self) -> Vec<Self> {
        let kind = self.kind();
        let boundary = kind.parameters.iter().find(|(name, _)| name == "BOUNDARY");
        match boundary {
            Some((_, boundary)) if kind.main == "MULTIPART" => {
                let mut parts = parts(self.body, boundary.as_bytes());
                for part in &mut parts {
                    part.is_in_digest = kind.sub == "DIGEST";
                }
                parts
            }
            _ => Vec::new(),
        }
    }
}

/// The texts between the boundary lines (RFC 2046 section 5.1.1).
fn parts<'a>(body: &'a [u8], boundary: &[u8]) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (None, 0);
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let from = at;
        at += line.len();
        let Some(rest) = line.strip_prefix(b"--").and_then(|line| line.strip_prefix(boundary))
        else {
            continue;
        };
        let is_last = rest.starts_with(b"--");
        if !is_last && !rest.trim_ascii().is_empty() {
            continue;
        }
        if let Some(start) = start {
            // The line end before a boundary belongs to the boundary.
            let part = &body[start..from];
            let part = part.strip_suffix(b"\n").unwrap_or(part);
            parts.push(Part::of(part.strip_suffix(b"\r").unwrap_or(part)));
        }
        if is_last || parts.len() >= MOST {
            return parts;
        }
        start = Some(at);
    }
    if let Some(start) = start {
        parts.push(Part::of(&body[start..]));
    }
    parts
}

/// The value of a field, and its parameters with their names in capitals, without comments.
fn parameters(field: &str) -> Vec<(String, String)> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let (mut is_quoted, mut escaped) = (false, false);
    let field = quoted::without_comments(field.as_bytes());
    for char in String::from_utf8_lossy(&field).chars() {
        match char {
            _ if std::mem::take(&mut escaped) => word.push(char),
            '\\' if is_quoted => escaped = true,
            '"' => is_quoted = !is_quoted,
            ';' if !is_quoted => words.push(std::mem::take(&mut word)),
            _ => word.push(char),
        }
    }
    words.push(word);
    let split =
        words.into_iter().enumerate().filter_map(|(place, word)| match word.split_once('=') {
            Some((name, value)) if place > 0 => {
                Some((name.trim().to_ascii_uppercase(), value.trim().to_owned()))
            }
            _ if place == 0 => Some((word.trim().to_owned(), String::new())),
            _ => None,
        });
    split.collect()
}

/// The text of BODYSTRUCTURE; without extensions, the text of BODY. `read` counts what is read for
/// it, because parts are read again within the parts that hold them. The text is not complete if
/// this is more than [`MOST_READ`] then.
pub(super) fn structure(data: &[u8], extended: bool, read: &mut usize) -> Vec<u8> {
    let mut shown = Vec::new();
    show(Part::of(data), (extended, DEPTH), &mut shown, read);
    shown
}

fn show(part: Part<'_>, (extended, depth): (bool, usize), shown: &mut Vec<u8>, read: &mut usize) {
    *read += PART_READ + FIELDS * part.header.len() + part.body.len();
    if *read > MOST_READ {
        return;
    }
    let kind = part.kind();
    let parts = if depth > 0 { part.parts() } else { Vec::new() };
    shown.push(b'(');
    if parts.is_empty() {
        single(part, &kind, (extended, depth), shown, read);
    } else {
        for part in parts {
            show(part, (extended, depth - 1), shown, read);
        }
        shown.push(b' ');
        shown.extend_from_slice(&envelope::string(&kind.sub));
        if extended {
            shown.push(b' ');
            shown.extend_from_slice(&list(&kind.parameters));
            shown.extend_from_slice(b" NIL NIL NIL");
        }
    }
    shown.push(b')');
}

fn single(
    part: Part<'_>,
    kind: &Kind,
    (extended, depth): (bool, usize),
    shown: &mut Vec<u8>,
    read: &mut usize,
) {
    let field = |name| envelope::nstring(envelope::field(part.header, name).as_deref());
    let encoding = envelope::field(part.header, "Content-Transfer-Encoding");
    let encoding = encoding.map_or("7BIT".to_owned(), |encoding| {
        parameters(&encoding).remove(0).0.to_ascii_uppercase()
    });
    let is_message = kind.main == "MESSAGE" && kind.sub == "RFC822" && depth > 0;
    // A multipart without parts is shown as plain text, because BODYSTRUCTURE has no empty
    // multipart.
    let (main, sub) = match &*kind.main {
        "MULTIPART" => ("TEXT", "PLAIN"),
        main => (main, &*kind.sub),
    };
    let words = [
        envelope::string(main),
        envelope::string(sub),
        list(&kind.parameters),
        field("Content-ID"),
        field("Content-Description"),
        envelope::string(&encoding),
        part.body.len().to_string().into_bytes(),
    ];
    shown.extend_from_slice(&words.join(&b' '));
    let lines = memchr::memchr_iter(b'\n', part.body).count();
    if is_message {
        let inside = Part::of(part.body);
        *read += envelope::cost(inside.header);
        shown.push(b' ');
        shown.extend_from_slice(&envelope::envelope(inside.header));
        shown.push(b' ');
        show(inside, (extended, depth - 1), shown, read);
    }
    if is_message || main == "TEXT" {
        shown.extend_from_slice(format!(" {lines}").as_bytes());
    }
    if extended {
        shown.extend_from_slice(b" NIL ");
        shown.extend_from_slice(&disposition(part.header));
        shown.extend_from_slice(b" NIL NIL");
    }
}

fn disposition(header: &[u8]) -> Vec<u8> {
    let Some(field) = envelope::field(header, "Content-Disposition") else {
        return b"NIL".to_vec();
    };
    let mut words = parameters(&field);
    let kind = envelope::string(&words.remove(0).0);
    [b"(", &*kind, b" ", &*list(&words), b")"].concat()
}

fn list(parameters: &[(String, String)]) -> Vec<u8> {
    if parameters.is_empty() {
        return b"NIL".to_vec();
    }
    let words: Vec<_> = parameters
        .iter()
        .flat_map(|(name, value)| [envelope::string(name), envelope::string(value)])
        .collect();
    [&b"("[..], &words.join(&b' '), b")"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_no_parts_of_values() {
        let data = b"Content-Type: text/html (a; b=c); charset=\"(x)\"\r\nContent-Transfer-Encoding: base64 (d)\r\n\r\n";
        let shown = String::from_utf8(structure(data, false, &mut 0)).unwrap();
        assert_eq!(shown, r#"("TEXT" "HTML" ("CHARSET" "(x)") NIL NIL "BASE64" 0 0)"#);
    }

    #[test]
    fn the_parts_of_a_digest_are_messages_by_default() {
        let data = b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: in\r\n\r\nbody\r\n--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n";
        let envelope = r#"(NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL)"#;
        let inside = r#"("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 4 0)"#;
        let expected = format!(
            r#"(("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 19 {envelope} {inside} 2)("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 0) "DIGEST")"#
        );
        assert_eq!(String::from_utf8(structure(data, false, &mut 0)).unwrap(), expected);
        assert_eq!(Part::of(data).at(&[1, 1]).unwrap().body, b"body");
        assert_eq!(Part::of(data).at(&[2]).unwrap().body, b"x");
    }
}
