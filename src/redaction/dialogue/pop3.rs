//! Tells which POP3 command a status line or a block answers.

use std::collections::VecDeque;

use super::reduced::{Line, between, leading};
use super::{Content, Seen, Tracker, is_one_of, word};
use crate::proto::Speech;
use crate::redaction::scope::{Part, Verb};

#[derive(Debug)]
pub(super) struct Pop3 {
    owed: VecDeque<Owed>,
    /// The block in progress: the command that it answers, and its content if it is a message.
    block: Option<(Verb, Option<Content>)>,
    /// Whether the client's next line answers a challenge.
    challenged: bool,
}

/// A command, and whether a block follows its `+OK`.
#[derive(Clone, Copy, Debug, Default)]
struct Owed {
    verb: Verb,
    has_block: bool,
}

impl Owed {
    fn line(verb: Verb) -> Self {
        Self { verb, has_block: false }
    }
}

impl Default for Pop3 {
    fn default() -> Self {
        Self { owed: VecDeque::from([Owed::line(Verb::Greeting)]), block: None, challenged: false }
    }
}

impl Tracker for Pop3 {
    fn speech(&self) -> Speech {
        Speech::Pop3
    }

    fn client(&self, line: &[u8]) -> Seen {
        Seen::at(Part::Command, Verb::Other, word(line).len())
    }

    fn server(&self, line: &[u8]) -> Seen {
        match &self.block {
            Some((_, Some(content))) => content.seen(line),
            Some((verb, None)) => Seen::at(Part::Reply, *verb, usize::from(line == b".")),
            None => {
                let owed = self.owed.front().copied().unwrap_or_default();
                // The status before a block of UIDs has none itself.
                let is_prose = owed.has_block && owed.verb == Verb::Uidl;
                let answering = if is_prose { Verb::Other } else { owed.verb };
                let part = if answering == Verb::Greeting { Part::Greeting } else { Part::Reply };
                let fixed = if is_status(line) { word(line).len() } else { 0 };
                Seen::at(part, answering, fixed)
            }
        }
    }

    fn sent(&mut self, line: &[u8]) {
        let owed = if std::mem::take(&mut self.challenged) {
            Owed::line(Verb::Auth)
        } else {
            command(line)
        };
        self.owed.push_back(owed);
    }

    fn replied(&mut self, line: &[u8]) -> bool {
        if let Some((_, content)) = &mut self.block {
            if line == b"." {
                self.block = None;
            } else if let Some(content) = content {
                content.advance(line);
            }
            return false;
        }
        if !is_status(line) {
            return false;
        }
        let Some(Owed { verb, has_block }) = self.owed.pop_front() else { return false };
        if has_block && is_one_of(word(line), &["+OK"]) {
            self.block = Some((verb, (verb == Verb::Retrieve).then(Content::message)));
        }
        self.challenged = verb == Verb::Auth && word(line) == b"+" && self.owed.is_empty();
        false
    }

    fn reduced(&self, line: &Line<'_>) -> Option<Vec<u8>> {
        let answering = line.seen.answering;
        if let Some((status, rest)) = leading(line.text, Speech::Pop3.facts().statuses) {
            if line.keeps_values() && is_figure(answering, rest) {
                return Some(line.text.to_vec());
            }
            return Some(line.with_code(status, between(rest, b'[', b']')));
        }
        match answering {
            _ if line.text == b"." => Some(line.text.to_vec()),
            Verb::Capa => Some(line.capability(line.text, b"SASL").to_vec()),
            Verb::List | Verb::Uidl => Some(line.data()),
            Verb::Retrieve | Verb::Other => None,
            _ => Some(line.text.to_vec()),
        }
    }

    fn ends_content(&self, line: &[u8]) -> bool {
        line == b"."
    }
}

fn is_status(line: &[u8]) -> bool {
    is_one_of(word(line), Speech::Pop3.facts().statuses)
}

fn command(line: &[u8]) -> Owed {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let name = words.next().unwrap_or_default();
    let is_bare = words.next().is_none();
    let verb = match &name.to_ascii_uppercase()[..] {
        b"STAT" => Verb::Stat,
        b"LIST" => Verb::List,
        b"UIDL" => Verb::Uidl,
        b"RETR" | b"TOP" => Verb::Retrieve,
        b"AUTH" if !is_bare => Verb::Auth,
        b"CAPA" | b"AUTH" => Verb::Capa,
        _ => Verb::Other,
    };
    Owed { verb, has_block: Speech::Pop3.facts().has_block(line) }
}

/// Whether the text after a POP3 status is the data that the command asked for, rather than prose.
fn is_figure(answering: Verb, rest: &[u8]) -> bool {
    let mut words = rest.trim_ascii().split(|byte| *byte == b' ');
    let is_number = |word: &[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_digit);
    match answering {
        Verb::Stat | Verb::List => words.all(is_number),
        Verb::Uidl => words.next().is_some_and(is_number) && words.count() == 1,
        _ => false,
    }
}
