//! Turns the events of one recorded session into steps.

use super::numbers::Numbers;
use super::{Content, Step, announced, is_chunk, literal};
use crate::proto::{Protocol, Speech, smtp};
use crate::secrets::Secrets;
use crate::transcript::{Event, Excerpt};

/// The most bytes that are made up for those that a recording has left out.
const MADE_UP: u64 = 64 << 20;

pub(super) struct Reader<'a> {
    speech: Speech,
    numbers: &'a Numbers,
    /// The line number of the client's last line.
    number: usize,
    steps: Vec<Step>,
    /// Follows the dialogue, to know which parts of lines are secret.
    tracker: Box<dyn Protocol>,
    secrets: Secrets,
    commands: literal::Commands,
}

impl<'a> Reader<'a> {
    pub(super) fn new(speech: Speech, events: &[&Event], numbers: &'a Numbers) -> Self {
        let facts = speech.facts();
        let name = facts.schemes.first().map_or("tcp", |scheme| scheme.plain_name());
        Self {
            speech,
            numbers,
            number: 0,
            steps: Vec::new(),
            tracker: (facts.dialogue)(name),
            secrets: Secrets::default(),
            commands: literal::Commands::of(speech, events),
        }
    }

    pub(super) fn steps(self) -> Vec<Step> {
        self.steps
    }

    pub(super) fn step(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// What the client sent.
    pub(super) fn heard(&mut self, excerpt: &Excerpt) {
        let bytes = whole(excerpt);
        let mut rest = bytes.as_slice();
        if self.content_follows() {
            self.steps.push(Step::Octets(Content::Message));
            let end = memchr::memmem::find(rest, b"\r\n.\r\n").map_or(rest.len(), |end| end + 5);
            rest = if rest.starts_with(b".\r\n") { &rest[3..] } else { &rest[end..] };
            self.tracker.sent(b".\r\n", &mut self.secrets);
        }
        if let [.., Step::Hear { line, .. }, Step::Say(_), Step::Octets(Content::Literal)] =
            &*self.steps
            && let Some((octets, _)) = announced(line, self.speech)
        {
            rest = self.after_literal(rest, octets);
        }
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            let (line, behind) = rest.split_at(end);
            rest = behind;
            self.line(line);
            if let Some((octets, false)) = announced(line, self.speech) {
                self.steps.push(Step::Octets(Content::Literal));
                rest = self.after_literal(rest, octets);
            } else if is_chunk(line, self.speech) {
                let octets = smtp::size_of_chunk(line).map(|(octets, _)| octets);
                self.steps.push(Step::Octets(Content::Chunk));
                let length = literal::chunk(rest, octets, &self.commands);
                rest = self.after_octets(rest, length, octets);
            }
        }
    }

    fn line(&mut self, line: &[u8]) {
        self.number = self.numbers.find(self.number, line);
        let spans = self.tracker.sent(line, &mut self.secrets);
        let shown = self.secrets.mask(line, &spans).into_owned();
        self.steps.push(Step::Hear { line: line.to_vec(), shown, number: self.number });
    }

    /// What follows the literal of this many bytes at the start of `text`.
    fn after_literal<'t>(&mut self, text: &'t [u8], octets: u64) -> &'t [u8] {
        let octets = usize::try_from(octets).unwrap_or(usize::MAX);
        let length = literal::length(text, octets, &self.commands);
        self.after_octets(text, length, Some(octets))
    }

    /// What follows the content of this length, which was announced with this many octets.
    fn after_octets<'t>(
        &mut self,
        text: &'t [u8],
        length: usize,
        octets: Option<usize>,
    ) -> &'t [u8] {
        let (content, rest) = text.split_at(length);
        match octets {
            Some(octets) if octets == length => {
                self.tracker.sent(content, &mut self.secrets);
            }
            // The tracker counts the bytes that were announced.
            Some(octets) => {
                self.tracker.sent(&made_up(octets as u64), &mut self.secrets);
            }
            None => {}
        }
        rest
    }

    /// Whether the server has asked for the content of a message.
    fn content_follows(&self) -> bool {
        let Some(Step::Say(said)) = self.steps.last() else { return false };
        self.speech.facts().asks_for_message(said)
    }

    /// What the server sent.
    pub(super) fn said(&mut self, excerpt: &Excerpt) {
        let bytes = whole(excerpt);
        self.tracker.received(&bytes);
        let goes_ahead = self.speech == Speech::Imap && bytes.starts_with(b"+");
        let after_literal = matches!(
            self.steps.last(),
            Some(Step::Hear { line, .. }) if announced(line, self.speech).is_some()
        );
        match self.steps.last_mut() {
            Some(Step::Say(before)) => before.extend(bytes),
            _ => self.steps.push(Step::Say(bytes)),
        }
        if goes_ahead && after_literal {
            self.steps.push(Step::Octets(Content::Literal));
        }
    }
}

/// The bytes of an excerpt, with others in place of those that were left out.
fn whole(excerpt: &Excerpt) -> Vec<u8> {
    [excerpt.head(), &made_up(excerpt.omitted()), excerpt.tail()].concat()
}

fn made_up(count: u64) -> Vec<u8> {
    vec![b'x'; usize::try_from(count.min(MADE_UP)).unwrap_or_default()]
}
