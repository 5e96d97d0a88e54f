//! Finds the messages in an IMAP dialogue. Commands need not be matched to replies, because IMAP
//! responses say themselves what they are.

use std::collections::HashSet;

use super::reduced::{Line, between, leading};
use super::{After, Content, Seen, Tracker, first_line, is_one_of, literal, word};
use crate::proto::{Speech, chomp};
use crate::redaction::scope::{Part, Verb};
use crate::redaction::structure;

#[derive(Debug, Default)]
pub(super) struct Imap {
    is_greeted: bool,
    tags: HashSet<Box<[u8]>>,
    /// The tags of the searches that have no result yet, and whether each is answered with UIDs.
    searches: Vec<(Box<[u8]>, bool)>,
    /// What the server says next.
    next: Next,
    /// The message in a literal that the client is sending.
    appended: Option<Content>,
    /// Whether the client's next line begins with the content of a literal of its command.
    continues: bool,
    /// Whether that literal waits for the server's go-ahead.
    waits: bool,
}

#[derive(Debug, Default)]
enum Next {
    #[default]
    Line,
    /// The message, or the part of one, in a literal.
    Message(Content),
    /// The rest of a line, after such a literal.
    Rest,
}

impl Tracker for Imap {
    fn speech(&self) -> Speech {
        Speech::Imap
    }

    fn client(&self, line: &[u8]) -> Seen {
        match &self.appended {
            Some(content) => content.seen(line),
            None if self.continues => Seen::at(Part::Command, Verb::Other, 0),
            None => Seen::at(Part::Command, Verb::Other, words(line, 2)),
        }
    }

    fn server(&self, line: &[u8]) -> Seen {
        match &self.next {
            Next::Message(content) => content.seen(line),
            Next::Rest => Seen { continues: true, ..Seen::at(Part::Reply, Verb::Other, 0) },
            Next::Line => {
                let part = if self.is_greeted { Part::Reply } else { Part::Greeting };
                let answering = if self.has_uids(line) { Verb::Uid } else { Verb::Other };
                Seen::at(part, answering, words(line, if is_fetch(line) { 3 } else { 1 }))
            }
        }
    }

    fn sent(&mut self, line: &[u8]) {
        if let Some(content) = &mut self.appended {
            content.advance(line);
            return;
        }
        self.waits = !line.trim_ascii_end().ends_with(b"+}");
        if std::mem::replace(&mut self.continues, literal(line).is_some()) {
            return;
        }
        self.searches.extend(search(line));
        let mut words = line.split(|byte| *byte == b' ');
        self.tags.extend(words.next().filter(|tag| !tag.is_empty()).map(Into::into));
        let is_append = words.next().is_some_and(|verb| is_one_of(verb, &["APPEND"]));
        self.appended = (is_append && self.continues).then(Content::message);
        self.continues &= !is_append;
    }

    fn replied(&mut self, line: &[u8]) -> bool {
        self.is_greeted = true;
        if let Next::Message(content) = &mut self.next {
            content.advance(line);
            return false;
        }
        self.next = literal(line).and_then(fetched).map_or(Next::Line, Next::Message);
        let is_result = self.tags.contains(word(line));
        self.searches.retain(|(tag, _)| **tag != *word(line));
        // A server may refuse a literal that waits for a go-ahead. Its octets then do not come.
        self.continues &= !(is_result && self.waits);
        is_result && self.appended.take().is_some()
    }

    fn reduced(&self, line: &Line<'_>) -> Option<Vec<u8>> {
        let text = line.text;
        if text.starts_with(b"+") {
            return Some(b"+".to_vec());
        }
        if line.seen.continues {
            return line.keeps_values().then(|| text.to_vec());
        }
        let Some(first) = text.iter().position(|byte| *byte == b' ') else {
            return Some(text.to_vec());
        };
        let (tag, rest) = text.split_at(first + 1);
        if let Some((status, code)) = leading(rest, Speech::Imap.facts().statuses) {
            return Some(line.with_code(&[tag, status].concat(), response_code(code)));
        }
        if tag != b"* " || line.keeps_values() || word(rest).eq_ignore_ascii_case(b"CAPABILITY") {
            return Some(text.to_vec());
        }
        let is_number = word(rest).iter().all(u8::is_ascii_digit);
        let name = rest.split(|byte| *byte == b' ').nth(usize::from(is_number));
        Some([tag, name.unwrap_or(rest)].concat())
    }

    fn is_in_literal(&self) -> bool {
        matches!(self.next, Next::Message(_))
    }

    fn after_literal(&self, bytes: &[u8]) -> Option<usize> {
        let line = first_line(bytes);
        let is_cut = !line.ends_with(b"\n") && matches!(line[0], b' ' | b')');
        (is_cut || structure::is_rest(chomp(line))).then_some(0)
    }

    fn ends_literal(&self, line: &[u8], next: Option<&[u8]>) -> Option<After> {
        // The rest of the response may have been left out of the transcript.
        if is_count_or_fetch(line) || self.is_result(line) {
            return Some(After::Response);
        }
        // A message may have lines of this form, too.
        let is_rest = structure::is_rest(line) && (line == b")" || names_attribute(line));
        let is_last = line.ends_with(b"}") || next.is_none_or(|next| self.begins_response(next));
        (is_rest && is_last).then_some(After::Rest)
    }

    fn is_result(&self, line: &[u8]) -> bool {
        let tag = word(line);
        let rest = line.get(tag.len() + 1..).unwrap_or_default();
        self.tags.contains(tag) && is_one_of(word(rest), Speech::Imap.facts().statuses)
    }

    fn end_literal(&mut self, after: After) {
        self.next = if after == After::Rest { Next::Rest } else { Next::Line };
    }
}

impl Imap {
    fn begins_response(&self, line: &[u8]) -> bool {
        let first = word(line);
        (first == b"*" || first == b"+" || self.tags.contains(first))
            && line.get(first.len()) == Some(&b' ')
    }

    /// Whether the numbers in a response are UIDs. The response to a search does not say so itself,
    /// but ESEARCH does (RFC 4731), and VANISHED always has UIDs (RFC 7162 section 3.2.10).
    fn has_uids(&self, line: &[u8]) -> bool {
        let Some(rest) = line.strip_prefix(b"* ") else { return false };
        match &word(rest).to_ascii_uppercase()[..] {
            b"VANISHED" => true,
            b"ESEARCH" => rest.split(|byte| *byte == b' ').any(|word| is_one_of(word, &["UID"])),
            b"SEARCH" | b"SORT" | b"THREAD" => {
                self.searches.first().is_some_and(|(_, has_uids)| *has_uids)
            }
            _ => false,
        }
    }
}

/// The tag of a command that searches, and whether it is answered with UIDs.
fn search(line: &[u8]) -> Option<(Box<[u8]>, bool)> {
    let mut words = line.split(|byte| *byte == b' ');
    let (tag, verb) = (words.next()?, words.next()?);
    let has_uids = is_one_of(verb, &["UID"]);
    let verb = if has_uids { words.next()? } else { verb };
    is_one_of(verb, &["SEARCH", "SORT", "THREAD"]).then(|| (tag.into(), has_uids))
}

/// Whether a line tells something of a message or of a mailbox by a number.
fn is_count_or_fetch(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"* ") else { return false };
    let number = word(rest);
    let name = word(rest.get(number.len() + 1..).unwrap_or_default());
    number.iter().all(u8::is_ascii_digit)
        && is_one_of(name, &["FETCH", "EXISTS", "EXPUNGE", "RECENT"])
}

/// Whether the first name in the rest of a FETCH response is in capitals, as those of attributes
/// are.
fn names_attribute(line: &[u8]) -> bool {
    let name = word(line.trim_ascii_start());
    name.len() > 1 && name[0].is_ascii_uppercase() && !name.iter().any(u8::is_ascii_lowercase)
}

fn is_fetch(line: &[u8]) -> bool {
    line.starts_with(b"* ")
        && line.split(|byte| *byte == b' ').nth(2).is_some_and(|name| is_one_of(name, &["FETCH"]))
}

/// The length of the first `count` words.
fn words(line: &[u8], count: usize) -> usize {
    let ends =
        line.iter().enumerate().filter(|(_, byte)| byte.is_ascii_whitespace()).map(|(at, _)| at);
    ends.chain([line.len()]).take(count).last().unwrap_or_default()
}

/// The message, or the part of one, that a FETCH literal holds (RFC 3501 section 7.4.2).
fn fetched(before: &[u8]) -> Option<Content> {
    let item = before.trim_ascii_end();
    let item = item
        .strip_suffix(b">")
        .and_then(|item| memchr::memrchr(b'<', item).map(|at| &item[..at]))
        .unwrap_or(item);
    if let Some(inside) = item.strip_suffix(b"]") {
        let section = &inside[memchr::memrchr(b'[', inside)? + 1..];
        let names: Vec<u8> = section.to_ascii_uppercase();
        let has = |name: &[u8]| memchr::memmem::find(&names, name).is_some();
        return Some(if section.is_empty() || has(b"HEADER") || has(b"MIME") {
            Content::message()
        } else {
            Content::text()
        });
    }
    let name = item.rsplit(|byte| matches!(byte, b' ' | b'(')).next().unwrap_or_default();
    if is_one_of(name, &["RFC822", "RFC822.HEADER"]) {
        return Some(Content::message());
    }
    is_one_of(name, &["RFC822.TEXT"]).then(Content::text)
}

/// The IMAP response code (RFC 3501 section 7.1): its name in brackets, and for CAPABILITY also the
/// list.
fn response_code(rest: &[u8]) -> Option<Vec<u8>> {
    const CAPABILITY: &[u8] = b"[CAPABILITY ";
    let rest = rest.trim_ascii_start();
    if !rest.get(..CAPABILITY.len()).is_some_and(|start| start.eq_ignore_ascii_case(CAPABILITY)) {
        return between(rest, b'[', b']');
    }
    let end = memchr::memchr(b']', rest)?;
    Some([CAPABILITY, &rest[CAPABILITY.len()..=end]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_may_follow_a_literal_that_was_refused() {
        for (announced, tags) in [("a LOGIN {5}", 2), ("a LOGIN {5+}", 1)] {
            let mut imap = Imap::default();
            imap.sent(announced.as_bytes());
            imap.replied(b"a NO not here");
            imap.sent(b"b NOOP");
            assert_eq!(imap.tags.len(), tags, "{announced}");
        }
    }
}
