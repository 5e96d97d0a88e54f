//! What is left of a server's lines at a strictness.

use super::Strictness;
use super::dialogue::Unit;
use super::scope::{Place, Verb};
use crate::pattern::Enhanced;
use crate::proto::{Speech, chomp};

/// The lines of a server, in their order, as far as they count. Half lines are kept: nobody knows
/// what they would have been.
pub(super) fn lines(
    strictness: Strictness,
    speech: Speech,
    lines: Vec<Vec<u8>>,
    units: &[Unit],
) -> Vec<Vec<u8>> {
    if strictness == Strictness::Text || speech == Speech::Stream {
        return lines;
    }
    let reduced = lines.iter().zip(units).enumerate().filter_map(|(at, (line, unit))| {
        if !line.ends_with(b"\n") {
            return Some(line.clone());
        }
        let next = lines.get(at + 1).map(|next| chomp(next));
        let text = chomp(line);
        let reduced = Line { strictness, text, unit, next }.reduced(speech)?;
        Some([&reduced, &line[text.len()..]].concat())
    });
    reduced.collect()
}

/// A whole line, and what it is.
struct Line<'a> {
    strictness: Strictness,
    text: &'a [u8],
    unit: &'a Unit,
    /// The line after it, if it came with it.
    next: Option<&'a [u8]>,
}

impl Line<'_> {
    fn reduced(&self, speech: Speech) -> Option<Vec<u8>> {
        if !matches!(self.unit.seen.place, Place::Greeting | Place::Reply) {
            // The dot that ends a message says where the server goes on.
            return (self.text == b"." && speech == Speech::Pop3).then(|| self.text.to_vec());
        }
        match speech {
            Speech::Smtp | Speech::Lmtp => self.smtp(),
            Speech::Pop3 => self.pop3(),
            Speech::Imap => self.imap(),
            Speech::Sieve => Some(self.sieve()),
            Speech::Stream => Some(self.text.to_vec()),
        }
    }

    fn keeps_values(&self) -> bool {
        self.strictness == Strictness::Enhanced
    }

    /// The whole line, or its first word if values do not count.
    fn data(&self) -> Vec<u8> {
        if self.keeps_values() { self.text.to_vec() } else { word(self.text).to_vec() }
    }

    fn smtp(&self) -> Option<Vec<u8>> {
        let Some((code, separator, rest)) = smtp_parts(self.text) else {
            return Some(self.text.to_vec());
        };
        let seen = &self.unit.seen;
        let head = [code, separator].concat();
        if seen.answering == Verb::Ehlo && code == b"250" {
            let keyword = if seen.continues { self.capability(rest, b"AUTH") } else { b"" };
            return Some([&head, keyword].concat().trim_ascii_end().to_vec());
        }
        let status = self.smtp_status(self.text);
        if separator == b"-" && self.next.is_some_and(|next| self.smtp_status(next) == status) {
            return None;
        }
        let enhanced = status.and_then(|(_, enhanced)| enhanced).unwrap_or_default();
        Some([&head, enhanced].concat().trim_ascii_end().to_vec())
    }

    /// The code of a line and its enhanced code, as far as that counts.
    fn smtp_status<'t>(&self, text: &'t [u8]) -> Option<(&'t [u8], Option<&'t [u8]>)> {
        let (code, _, rest) = smtp_parts(text)?;
        Some((code, enhanced(rest).filter(|_| self.keeps_values())))
    }

    /// A keyword with what it is followed by if that counts: the mechanisms of SASL always do.
    fn capability<'t>(&self, text: &'t [u8], sasl: &[u8]) -> &'t [u8] {
        let is_sasl = text.get(..sasl.len()).is_some_and(|start| start.eq_ignore_ascii_case(sasl));
        if self.keeps_values() || is_sasl { text } else { word(text) }
    }

    fn pop3(&self) -> Option<Vec<u8>> {
        let answering = self.unit.seen.answering;
        if let Some((status, rest)) = leading(self.text, Speech::Pop3.facts().statuses) {
            if self.keeps_values() && is_figure(answering, rest) {
                return Some(self.text.to_vec());
            }
            return Some(self.with_code(status, between(rest, b'[', b']')));
        }
        match answering {
            _ if self.text == b"." => Some(self.text.to_vec()),
            Verb::Capa => Some(self.capability(self.text, b"SASL").to_vec()),
            Verb::List | Verb::Uidl => Some(self.data()),
            Verb::Retrieve | Verb::Other => None,
            _ => Some(self.text.to_vec()),
        }
    }

    fn imap(&self) -> Option<Vec<u8>> {
        let text = self.text;
        if text.starts_with(b"+") {
            return Some(b"+".to_vec());
        }
        if text.starts_with(b")") {
            return self.keeps_values().then(|| text.to_vec());
        }
        let Some(first) = text.iter().position(|byte| *byte == b' ') else {
            return Some(text.to_vec());
        };
        let (tag, rest) = text.split_at(first + 1);
        if let Some((status, code)) = leading(rest, Speech::Imap.facts().statuses) {
            return Some(self.with_code(&[tag, status].concat(), imap_code(code)));
        }
        if tag != b"* " || self.keeps_values() || word(rest).eq_ignore_ascii_case(b"CAPABILITY") {
            return Some(text.to_vec());
        }
        let is_number = word(rest).iter().all(u8::is_ascii_digit);
        let name = rest.split(|byte| *byte == b' ').nth(usize::from(is_number));
        Some([tag, name.unwrap_or(rest)].concat())
    }

    fn sieve(&self) -> Vec<u8> {
        if let Some((status, rest)) = leading(self.text, Speech::Sieve.facts().statuses) {
            return self.with_code(status, between(rest, b'(', b')'));
        }
        let lists = [&b"\"SASL\""[..], b"\"SIEVE\"", b"\"NOTIFY\""];
        let is_list = lists.iter().any(|name| word(self.text).eq_ignore_ascii_case(name));
        if is_list { self.text.to_vec() } else { self.data() }
    }

    /// A status with its response code, if that counts. What a server offers in one always does.
    fn with_code(&self, status: &[u8], code: Option<Vec<u8>>) -> Vec<u8> {
        let counts = |code: &Vec<u8>| self.keeps_values() || code.starts_with(b"[CAPABILITY ");
        match code.filter(counts) {
            Some(code) => [status, b" ", &code].concat(),
            None => status.to_vec(),
        }
    }
}

/// Whether what follows a status of POP3 is what was asked for, and no prose.
fn is_figure(answering: Verb, rest: &[u8]) -> bool {
    let mut words = rest.trim_ascii().split(|byte| *byte == b' ');
    let is_number = |word: &[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_digit);
    match answering {
        Verb::Stat | Verb::List => words.all(is_number),
        Verb::Uidl => words.next().is_some_and(is_number) && words.count() == 1,
        _ => false,
    }
}

/// The code of a line of a reply, what stands after that, and its text (RFC 5321 section 4.2).
fn smtp_parts(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (code, rest) = text.split_at_checked(3)?;
    let (separator, rest) = rest.split_at(rest.len().min(1));
    let is_reply = code.iter().all(u8::is_ascii_digit) && matches!(separator, b"" | b" " | b"-");
    is_reply.then_some((code, separator, rest))
}

/// An enhanced status code at the start of a reply's text (RFC 2034 section 4).
fn enhanced(rest: &[u8]) -> Option<&[u8]> {
    let word = rest.trim_ascii_start().split(u8::is_ascii_whitespace).next()?;
    std::str::from_utf8(word).ok().and_then(Enhanced::parse).map(|_| word)
}

/// The response code of IMAP (RFC 3501 section 7.1); of CAPABILITY with all that it lists.
fn imap_code(rest: &[u8]) -> Option<Vec<u8>> {
    const CAPABILITY: &[u8] = b"[CAPABILITY ";
    let rest = rest.trim_ascii_start();
    if !rest.get(..CAPABILITY.len()).is_some_and(|start| start.eq_ignore_ascii_case(CAPABILITY)) {
        return between(rest, b'[', b']');
    }
    let end = memchr::memchr(b']', rest)?;
    Some([CAPABILITY, &rest[CAPABILITY.len()..=end]].concat())
}

/// The word that the text begins with, in any case, and what follows it.
fn leading<'a>(text: &'a [u8], words: &[&str]) -> Option<(&'a [u8], &'a [u8])> {
    let (word, rest) = text.split_at(word(text).len());
    words.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes())).then_some((word, rest))
}

fn word(text: &[u8]) -> &[u8] {
    text.split(u8::is_ascii_whitespace).next().unwrap_or_default()
}

/// The name of a response code, in its brackets: what follows it there differs from server to
/// server.
fn between(rest: &[u8], open: u8, close: u8) -> Option<Vec<u8>> {
    let inside = rest.trim_ascii_start().strip_prefix(&[open])?;
    let name =
        inside.iter().position(|byte| *byte == close || *byte == b' ').map(|end| &inside[..end])?;
    Some([&[open], name, &[close]].concat())
}
