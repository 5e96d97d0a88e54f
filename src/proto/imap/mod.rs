//! IMAP (RFC 3501, RFC 9051): whose turn it is, and what is secret.

mod answer;
mod asked;
mod code;
mod commands;
mod compose;
mod copied;
mod envelope;
mod expunged;
mod extensions;
mod facts;
mod fetched;
mod form;
mod found;
mod items;
mod line;
mod mailbox;
mod mutf7;
mod numbering;
mod pairs;
mod response;
mod responses;
mod scanner;
mod search;
mod section;
mod selected;
mod set;
mod structure;
#[cfg(test)]
mod tests;
mod value;
pub(crate) mod wildcard;

use std::collections::VecDeque;
use std::ops::Range;

pub use answer::Answer;
pub(crate) use asked::Asked;
pub use code::Code;
use commands::Commands;
pub(crate) use compose::compose;
pub use compose::{Argument, Criteria, Literals};
pub use envelope::{Address, Envelope};
#[cfg(feature = "script")]
pub(crate) use expunged::Expunged;
#[cfg(feature = "script")]
pub(crate) use extensions::{Namespace, Resource};
pub(super) use facts::FACTS;
pub use fetched::Fetched;
use found::Wants;
pub use mailbox::Mailbox;
pub use mutf7::{mutf7, mutf7_decode};
pub use response::Response;
use responses::Responses;
pub use scanner::Status;
pub(crate) use scanner::announced;
use scanner::{Said, Scanner};
use selected::Selection;
pub(crate) use selected::{Count, Selected};
pub use set::set;
pub use structure::BodyStructure;
pub use value::Value;

use super::requests::{Next, Requests};
use super::{Framing, Protocol, RESPONSE, Speech};
use crate::pattern::Verdict;
use crate::secrets::Secrets;

/// One side of an IMAP dialogue: what was sent, and which responses are still owed.
#[derive(Clone, Debug)]
pub(crate) struct Imap {
    name: &'static str,
    responses: Responses,
    requests: Requests,
    received: Scanner,
    owed: VecDeque<Owed>,
    commands: Commands,
    closing: bool,
    selection: Selection,
    /// The first bytes of the response that is being received.
    head: Vec<u8>,
}

/// What the server owes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owed {
    Greeting,
    What(Wants),
}

impl Imap {
    /// A dialogue with a server that greets first.
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            responses: Responses::default(),
            requests: Requests::default(),
            received: Scanner::default(),
            owed: VecDeque::from([Owed::Greeting]),
            commands: Commands::default(),
            closing: false,
            selection: Selection::default(),
            head: Vec::new(),
        }
    }

    fn said(&mut self, said: Said) {
        match said {
            Said::Data => self.selection.came(&self.head),
            Said::Continuation => self.pay_continuation(),
            Said::Untagged(status) => {
                self.selection.came(&self.head);
                self.pay_untagged(status);
            }
            Said::Tagged(tag, status) => self.pay_command(&tag, status),
        }
    }

    fn pay_continuation(&mut self) {
        let place = self
            .owed
            .iter()
            .position(|owed| matches!(owed, Owed::What(Wants::Continuation(_) | Wants::Step(_))));
        if let Some(Owed::What(Wants::Continuation(tag) | Wants::Step(tag))) =
            place.and_then(|place| self.owed.remove(place))
        {
            self.commands.asked(&tag);
        }
    }

    fn pay_untagged(&mut self, status: Status) {
        self.closing |= status == Status::Bye;
        let is_logout =
            |owed: &Owed| matches!(owed, Owed::What(Wants::End { is_logout: true, .. }));
        if status == Status::Bye && !self.owed.iter().any(is_logout) {
            // The server closes unasked, and does not answer any more (RFC 3501 section 7.1.5).
            self.owed.clear();
        }
        if self.owed.front() == Some(&Owed::Greeting) {
            self.owed.pop_front();
        } else if status == Status::Bad {
            // An untagged BAD is the only answer to a line without a tag that the server can
            // repeat.
            let place = self
                .owed
                .iter()
                .position(|owed| matches!(owed, Owed::What(wants) if !is_tag(wants.tag())));
            place.and_then(|place| self.owed.remove(place));
        }
    }

    /// Records the end of a command, which settles everything that was owed for it: that stands
    /// together, and nothing of a command comes after its end. Another command may have the same
    /// tag.
    fn pay_command(&mut self, tag: &[u8], status: Status) {
        let is_of_command = |owed: &Owed| matches!(owed, Owed::What(wants) if wants.tag() == tag);
        let (mut awaits, mut is_logout) = (false, false);
        if let Some(place) = self.owed.iter().position(is_of_command) {
            while self.owed.get(place).is_some_and(is_of_command) {
                match self.owed.remove(place) {
                    // Even a literal of no octets waits, and may be refused.
                    Some(Owed::What(Wants::Continuation(_))) => awaits = true,
                    Some(Owed::What(Wants::End { is_logout: logout, .. })) => {
                        is_logout = logout;
                        break;
                    }
                    _ => {}
                }
            }
        }
        self.closing |= status == Status::Ok && is_logout;
        self.commands.over(tag, status == Status::Ok, awaits);
        self.selection.ended(tag, status == Status::Ok);
    }
}

impl Protocol for Imap {
    fn name(&self) -> &'static str {
        self.name
    }

    fn speech(&self) -> Speech {
        Speech::Imap
    }

    fn framing(&mut self) -> Option<&mut dyn Framing> {
        Some(&mut self.responses)
    }

    fn requests(&mut self) -> Option<&mut dyn Framing> {
        Some(self.requests.wanting(Next::Literals(self.commands.octets_of_literal())))
    }

    fn is_within_command(&self) -> bool {
        self.commands.is_within_line()
    }

    fn waits_for_literal(&self) -> bool {
        let waits = |owed: &Owed| matches!(owed, Owed::What(Wants::Continuation(_)));
        self.owed.iter().any(waits)
    }

    fn tags(&self) -> Vec<&[u8]> {
        let wants = self.owed.iter().filter_map(|owed| match owed {
            Owed::What(wants) => Some(wants.tag()),
            Owed::Greeting => None,
        });
        wants.collect()
    }

    fn fork(&self) -> Box<dyn Protocol> {
        Box::new(self.clone())
    }

    fn sent(&mut self, bytes: &[u8], secrets: &mut Secrets) -> Vec<Range<usize>> {
        let found = self.commands.feed(bytes, secrets);
        self.owed.extend(found.wants.into_iter().map(Owed::What));
        found.commands.iter().for_each(|(tag, verb)| self.selection.asked(tag, verb));
        found.secret
    }

    fn secrets(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        self.commands.clone().feed(bytes, &mut Secrets::default()).secret
    }

    fn received(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (used, said) = self.received.feed(rest);
            let room = selected::HEAD.saturating_sub(self.head.len());
            self.head.extend_from_slice(&rest[..used.min(room)]);
            rest = &rest[used..];
            if let Some(said) = said {
                self.received = Scanner::default();
                // A line that is no response settles nothing.
                if let Ok(said) = said {
                    self.said(said);
                }
                self.head.clear();
            }
        }
    }

    fn owed(&self) -> usize {
        self.owed.len()
    }

    fn waive(&mut self) {
        self.owed.clear();
        self.selection.waived();
    }

    fn challenge<'a>(&self, taken: &'a [u8]) -> Option<&'a [u8]> {
        self.commands
            .is_asked_for_response()
            .then(|| super::chomp(taken).strip_prefix(b"+ "))
            .flatten()
    }

    fn verdict(&self, reply: &[u8]) -> Verdict {
        Verdict { line: 0, words: response::words_of_protocol(reply) }
    }

    fn is_idle(&self) -> bool {
        self.commands.is_idle()
    }

    fn is_our_turn(&self) -> bool {
        self.owed.is_empty() && !self.is_idle()
    }

    fn asks(&self) -> Option<&'static str> {
        if self.commands.is_in_literal() {
            return Some("the octets of the literal");
        }
        self.commands.is_asked_for_response().then_some(RESPONSE)
    }

    fn is_unasked(&self, held: &[u8]) -> bool {
        let mut rest = held;
        while !rest.is_empty() {
            let (used, said) = Scanner::default().feed(rest);
            match said {
                Some(Ok(Said::Data | Said::Untagged(_))) => rest = &rest[used..],
                Some(_) => return false,
                None => return rest.starts_with(b"* "),
            }
        }
        true
    }

    fn is_closing(&self) -> bool {
        self.closing
    }

    fn selected(&self) -> Selected {
        self.selection.now()
    }
}

/// Whether a server can repeat this tag in its answer (`tag` in RFC 3501 section 9).
pub(crate) fn is_tag(tag: &[u8]) -> bool {
    !tag.is_empty()
        && tag.iter().all(|byte| byte.is_ascii_graphic() && !b"(){%*\"\\+".contains(byte))
}
