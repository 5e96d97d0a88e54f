//! POP3: which status line and which block answers which command.

use std::collections::VecDeque;

use super::{Content, Seen, is_one_of, word};
use crate::redaction::scope::{Place, Verb};

#[derive(Debug)]
pub(super) struct Pop3 {
    owed: VecDeque<Owed>,
    /// The block under way, and what it answers; a message where it is one.
    block: Option<(Verb, Option<Content>)>,
    /// The client's next line answers a challenge.
    challenged: bool,
}

/// A command, and whether lines come after its `+OK`.
#[derive(Clone, Copy, Debug, Default)]
struct Owed {
    verb: Verb,
    has_block: bool,
}

impl Owed {
    fn line(verb: Verb) -> Self {
        Self { verb, has_block: false }
    }

    fn block(verb: Verb) -> Self {
        Self { verb, has_block: true }
    }
}

impl Default for Pop3 {
    fn default() -> Self {
        Self { owed: VecDeque::from([Owed::line(Verb::Greeting)]), block: None, challenged: false }
    }
}

impl Pop3 {
    pub(super) fn server(&self, line: &[u8]) -> Seen {
        match &self.block {
            Some((_, Some(content))) => content.seen(line),
            Some((verb, None)) => Seen::at(Place::Reply, *verb, usize::from(line == b".")),
            None => {
                let answering = self.owed.front().copied().unwrap_or_default().verb;
                let place =
                    if answering == Verb::Greeting { Place::Greeting } else { Place::Reply };
                let fixed = if is_status(line) { word(line).len() } else { 0 };
                Seen::at(place, answering, fixed)
            }
        }
    }

    pub(super) fn sent(&mut self, line: &[u8]) {
        let owed = if std::mem::take(&mut self.challenged) {
            Owed::line(Verb::Auth)
        } else {
            command(line)
        };
        self.owed.push_back(owed);
    }

    pub(super) fn replied(&mut self, line: &[u8]) {
        if let Some((_, content)) = &mut self.block {
            if line == b"." {
                self.block = None;
            } else if let Some(content) = content {
                content.advance(line);
            }
            return;
        }
        if !is_status(line) {
            return;
        }
        let Some(Owed { verb, has_block }) = self.owed.pop_front() else { return };
        if has_block && is_one_of(word(line), &["+OK"]) {
            self.block = Some((verb, (verb == Verb::Retrieve).then(Content::message)));
        }
        self.challenged = verb == Verb::Auth && word(line) == b"+" && self.owed.is_empty();
    }
}

fn is_status(line: &[u8]) -> bool {
    is_one_of(word(line), &["+OK", "-ERR", "+"])
}

fn command(line: &[u8]) -> Owed {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let name = words.next().unwrap_or_default();
    let is_bare = words.next().is_none();
    match &name.to_ascii_uppercase()[..] {
        b"STAT" => Owed::line(Verb::Stat),
        b"LIST" => Owed { verb: Verb::List, has_block: is_bare },
        b"UIDL" => Owed { verb: Verb::Uidl, has_block: is_bare },
        b"RETR" | b"TOP" => Owed::block(Verb::Retrieve),
        b"AUTH" if !is_bare => Owed::line(Verb::Auth),
        b"CAPA" | b"AUTH" => Owed::block(Verb::Capa),
        b"LANG" => Owed { verb: Verb::Other, has_block: is_bare },
        _ => Owed::line(Verb::Other),
    }
}
