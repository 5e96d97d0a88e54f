//! Blocks of lines that end with a lone dot, and data of a known size.

use std::fmt::Display;

use bytes::Bytes;

use super::Session;
use super::call::Call;
use super::role::Role;
use super::wait::Arrival;
use super::waiting::Wait;
use crate::error::{Error, Kind, Result};
use crate::pattern::Match;
use crate::proto::multiline::{self, Multiline};
use crate::reply::Reply;
use crate::transcript::{Excerpt, What};

/// How errors name the block as something that was wanted.
const WANTED: &str = "a block of lines up to a lone dot";
/// How errors name the block as something that is owed.
pub(super) const BLOCK: &str = "the block of lines after the +OK";
/// What errors advise the caller to expect first.
pub(super) const TAKE_IT: &str = "expect_multiline() for it, first";

impl Session {
    /// Takes `count` octets, whatever they are.
    pub(super) async fn octets(&mut self, count: usize, call: Call) -> Result<Reply> {
        let wait = self.begin(&call, "expect_octets")?;
        let limit = self.stream.buffer().limit();
        if count > limit {
            let error = format!("{count} octets are more than the {limit} that may be held");
            return Err(Error::usage(error).hint(self.larger_limit(count)));
        }
        let wanted = format!("{count} octets");
        while self.stream.held().len() < count {
            self.acknowledge();
            match self.read_for(&wanted, wait, wait.deadline()).await? {
                Arrival::Bytes => {}
                Arrival::Late => return Err(self.timed_out(wait, &wanted)),
                Arrival::End if self.stream.buffer().is_empty() => {
                    return Err(self.closed(wait, &wanted, None));
                }
                Arrival::End => return Err(self.closed(wait, &wanted, Some("the octets"))),
            }
        }
        self.turn.expected();
        let bytes = self.take(count);
        let all = 0..bytes.len();
        Ok(Reply::new(bytes, all, Match::default()))
    }

    /// Makes the error for expecting a reply while a block comes next.
    pub(super) fn block_first(&self, wanted: impl Display) -> Error {
        let error = self.fault(
            Kind::OutOfStep,
            format!("{wanted} was about to be expected while {BLOCK} is owed"),
        );
        error
            .with_expected(TAKE_IT)
            .with_got(self.shown_unread())
            .hint("a reply is one status line here; the lines after the +OK are a block")
    }

    /// Makes the error for expecting a block while a status line comes next.
    fn status_first(&self) -> Error {
        let error = self.fault(
            Kind::OutOfStep,
            format!("{WANTED} was about to be expected while a reply is owed"),
        );
        error
            .with_expected("an expect for the reply, first")
            .with_got(self.shown_unread())
            .hint("the block comes after an +OK")
    }

    /// Takes a block as part of an operation that has begun.
    pub(super) async fn multiline(&mut self, keep: bool, wait: Wait) -> Result<Reply> {
        if self.turn.speech().facts().block.is_some()
            && self.turn.owed_to_us() > 0
            && !self.turn.protocol().owes_block()
        {
            return Err(self.status_first());
        }
        let mut block = Multiline::default();
        loop {
            if let Some(length) = block.advance(self.stream.held()) {
                self.turn.expected();
                let single = block.single_dot().map(|dot| self.single_dot(dot, length, keep));
                let taken = if keep {
                    self.take_block(&block, length)
                } else {
                    self.skip_block(&block, length)
                };
                return single.map_or(Ok(taken), Err);
            }
            if !keep {
                self.skip_bytes(block.spare());
                block.dropped(block.spare());
            }
            self.acknowledge();
            match self.read_for(&self.named().1, wait, wait.deadline()).await? {
                Arrival::Bytes => {}
                Arrival::Late => return Err(self.late_block(&block, wait)),
                Arrival::End => return Err(self.cut_block(wait)),
            }
        }
    }

    /// What errors call the block that comes next, and how they name it among what was wanted.
    fn named(&self) -> (multiline::Name, &'static str) {
        match self.turn.role() {
            Role::Client => (multiline::BLOCK, WANTED),
            Role::Server => (multiline::MESSAGE, "a message up to a lone dot"),
        }
    }

    /// Undoes the dot-stuffing in place, so that there is never a second copy of the block, except
    /// the one that the transcript keeps.
    fn take_block(&mut self, block: &Multiline, length: usize) -> Reply {
        self.record.note_skipped();
        let mut bytes = self.stream.buffer_mut().take_mut(length);
        let spans = self.turn.received(&bytes, self.record.secrets_mut());
        if self.turn.role() == Role::Server {
            self.turn.note_owed(|_, _| Bytes::from_static(b"the message"));
        }
        let excerpt = Excerpt::of(&self.record.secrets().mask(&bytes, &spans));
        self.record.taken(excerpt);
        block.unstuff(&mut bytes);
        let reply = Reply::whole(bytes.freeze(), Match::default());
        self.note_capabilities(reply.bytes());
        reply
    }

    /// Makes the error for a line of the block that begins with one dot, at this offset.
    fn single_dot(&self, dot: u64, length: usize, keep: bool) -> Error {
        let message = format!("a line of the {} begins with a single dot", self.named().0.0);
        let error = self.fault(Kind::Malformed, message).with_expected(
            "two dots at its beginning, of which one is taken off (RFC 1939, 3; RFC 5321, 4.5.2)",
        );
        let line = usize::try_from(dot).ok().filter(|_| keep);
        let rest = line.and_then(|dot| self.stream.held()[..length].get(dot..));
        let line = rest.and_then(|rest| rest.split_inclusive(|byte| *byte == b'\n').next());
        let error = match line {
            Some(line) => error.with_got(self.shown_lines(line)),
            None => error,
        };
        error.hint("the sender has to double each dot at the beginning of a line; expect_bytes(...) takes octets as they come")
    }

    fn skip_block(&mut self, block: &Multiline, length: usize) -> Reply {
        let octets = block.octets(length);
        self.skip_bytes(length);
        self.record.note_skipped();
        Reply::whole(Bytes::new(), Match::default()).of_octets(octets)
    }

    /// Makes the error for a block that did not come in time. Commands with a block have to send it
    /// (RFC 1939 section 3, RFC 2449 section 5), so it is waited for; but some servers send only
    /// +OK.
    fn late_block(&mut self, block: &Multiline, wait: Wait) -> Error {
        if !self.stream.buffer().is_empty() || self.record.has_skipped() {
            let (name, wanted) = self.named();
            let missing = block.missing(self.stream.held(), name);
            return self.unfinished(wait, wanted, &format!("the {}", name.0), &missing);
        }
        if !self.turn.protocol().owes_block() {
            return self.timed_out(wait, self.named().1);
        }
        self.record.note(What::TimedOut(wait.allowed));
        let error = self.fault(Kind::Timeout, "nothing came after the +OK in time");
        let error =
            error.with_expected(WANTED).with_got(self.shown_held()).with_waited(wait.waited());
        error.hint(
            "a block has to follow this +OK; if the server sends none, write the command out: send(...), expect(\"+OK\"), \
             expect_silence(...)",
        )
    }

    fn cut_block(&mut self, wait: Wait) -> Error {
        let begun = !self.stream.buffer().is_empty() || self.record.has_skipped();
        let cut = match self.turn.role() {
            Role::Client => "a block of lines",
            Role::Server => "a message",
        };
        self.closed(wait, self.named().1, begun.then_some(cut))
    }
}
