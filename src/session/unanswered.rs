//! The errors of operations that wait: the time ran out, the peer closed, or too much came.

use std::fmt::Display;

use super::role::Role;
use super::waiting::Wait;
use super::{Session, slip};
use crate::error::{Error, Kind};
use crate::runtime;
use crate::transcript::What;

impl Session {
    /// What errors call the reply that is owed first.
    pub(super) fn next_owed(&self) -> &'static str {
        match (self.turn.owes_greeting(), self.turn.is_begun()) {
            (true, false) => "the greeting",
            (true, true) => "the rest of the greeting",
            (false, false) => "the reply",
            (false, true) => "the rest of the reply",
        }
    }

    /// The hint for a reply that is owed because of a mistake that is likely.
    pub(super) fn slip_of_owed(&self) -> Option<&'static str> {
        if self.turn.owes_to_an_empty_line() {
            return Some(slip::EMPTY_LINE);
        }
        self.turn.is_begun().then_some(slip::PART)
    }

    /// Makes the error for a buffer that is full before what is wanted has come.
    pub(super) fn too_long(&self) -> Error {
        let limit = self.stream.buffer().limit();
        let error =
            self.fault(Kind::TooLong, format!("more than {limit} bytes came without an end"));
        let error = match self.stream.waiting().since {
            Some(wait) => {
                error.with_expected(&self.stream.waiting().wanted).with_waited(wait.waited())
            }
            None => error,
        };
        error
            .with_got(format!("{} ...", self.shown(&self.stream.held()[..100.min(limit)])))
            .hint(self.larger_limit(limit))
    }

    /// Returns the hint for a limit that is too low for this many bytes. The limit that it names is
    /// enough for them, with what comes around them.
    pub(super) fn larger_limit(&self, bytes: usize) -> String {
        let limit = bytes.max(self.stream.buffer().limit()).saturating_mul(2);
        match self.turn.role() {
            Role::Client => format!(
                "raise the session's limit if the server is right to send so much: connect(url, #{{limit: {limit}}})"
            ),
            Role::Server => format!(
                "raise the limit of its sessions if the client is right to send so much: listen(url, #{{limit: {limit}}})"
            ),
        }
    }

    /// Makes the error for a deadline that ran out before the peer closed.
    pub(super) fn late_end(&mut self, wait: Wait, wanted: impl Display) -> Error {
        let error = self.late(wait, wanted);
        error.hint(self.give_longer(wait))
    }

    /// Makes the error for a deadline that ran out, without a hint.
    fn late(&mut self, wait: Wait, wanted: impl Display) -> Error {
        self.record.note(What::TimedOut(wait.allowed));
        let (kind, message) = if self.stream.has_heard() || self.turn.role() == Role::Server {
            (Kind::Timeout, "nothing that was expected came in time")
        } else {
            (
                Kind::Unreachable,
                if self.is_of_command() {
                    "the command was started and never said a word"
                } else {
                    "the server accepted the connection and never said a word"
                },
            )
        };
        self.fault(kind, message)
            .with_expected(wanted)
            .with_got(self.shown_held())
            .with_waited(wait.waited())
    }

    fn give_longer(&self, wait: Wait) -> String {
        format!(
            "give the {} longer with #{{timeout: \"{}\"}} as the last argument, or --timeout",
            self.turn.role().peer(),
            wait.longer()
        )
    }

    /// Makes the error for a deadline that ran out.
    pub(super) fn timed_out(&mut self, wait: Wait, wanted: impl Display) -> Error {
        let error = self.late(wait, wanted);
        if !self.stream.has_heard() && runtime::has_refused() {
            return error.hint(runtime::no_descriptors());
        }
        if let Some(slip) = self.turn.last_sent().and_then(|sent| slip::of_line(sent)) {
            return error.hint(slip);
        }
        if self.turn.role() == Role::Client && self.is_framed() && self.turn.owed_to_us() == 0 {
            return error.hint("no reply is owed: everything sent so far has been answered");
        }
        if self.turn.role() == Role::Client
            && !self.stream.has_heard()
            && self.stream.tls().is_none()
            && self.turn.last_sent().is_none()
            && self.is_framed()
            && !self.is_of_command()
        {
            return error.hint(format!(
                "a port that has TLS from the start is silent like this: try {}://; else give the server longer with --timeout",
                self.turn.speech().facts().tls_scheme()
            ));
        }
        error.hint(self.give_longer(wait))
    }

    /// Makes the error for a deadline that ran out while what came was searched.
    pub(super) fn late_search(&mut self, wait: Wait, wanted: impl Display) -> Error {
        self.record.note(What::TimedOut(wait.allowed));
        self.fault(Kind::Timeout, "what came could not be searched in time")
            .with_expected(wanted)
            .with_waited(wait.waited())
            .hint(
                "a repetition like `.{0,4000}` is slow on long input: say it with a simpler regex",
            )
    }

    /// Makes the error for a deadline that ran out before a reply came, or in the middle of one.
    pub(super) fn late_reply(&mut self, wait: Wait, wanted: impl Display) -> Error {
        match self.missing() {
            Some(missing) => {
                let begun = format!("the {}", self.unit());
                self.unfinished(wait, wanted, &begun, &missing)
            }
            None => self.timed_out(wait, wanted),
        }
    }

    /// Makes the error for a peer that closed in the middle of a reply.
    pub(super) fn cut_reply(&mut self, wait: Wait, wanted: impl Display) -> Error {
        let begun = format!("a {}", self.unit());
        let lacks = self.missing().map(|missing| format!("{begun}; it lacks {missing}"));
        self.closed(wait, wanted, Some(lacks.as_ref().unwrap_or(&begun)))
    }

    /// What errors call one message of the peer: a reply of a server, a command of a client.
    fn unit(&self) -> &'static str {
        match self.turn.role() {
            Role::Client => "reply",
            Role::Server => "command",
        }
    }

    /// Says what the reply that has begun still lacks. Call it after its framing was asked for the
    /// end of the reply.
    fn missing(&mut self) -> Option<String> {
        let held = self.stream.held();
        self.turn.framing().and_then(|framing| framing.missing(held))
    }

    /// Makes the error for a deadline that ran out in the middle of something that still lacks
    /// `missing`.
    pub(super) fn unfinished(
        &mut self,
        wait: Wait,
        wanted: impl Display,
        begun: &str,
        missing: &str,
    ) -> Error {
        self.record.note(What::TimedOut(wait.allowed));
        let message = format!("{begun} was not whole in time; it lacks {missing}");
        let error = self.fault(Kind::Timeout, message);
        let error = error.with_expected(wanted).with_got(self.shown_held());
        error.with_waited(wait.waited()).hint(format!(
            "if the {} is only slow, give it longer with #{{timeout: \"{}\"}} as the last argument, or --timeout; \
             if this is all that it sends, take it with expect_bytes(...)",
            self.turn.role().peer(),
            wait.longer()
        ))
    }

    /// Makes the error for a peer that closed while something else was expected.
    pub(super) fn closed(&mut self, wait: Wait, wanted: impl Display, cut: Option<&str>) -> Error {
        self.note_end();
        let peer = self.turn.role().peer();
        let how = if self.ending.of_peer() == Some(peer.resets()) { "reset" } else { "closed" };
        let (kind, message) = match cut {
            Some(cut) => {
                (Kind::Malformed, format!("the connection was {how} in the middle of {cut}"))
            }
            None if self.stream.has_heard() => {
                (Kind::Closed, format!("the {peer} {how} the connection and nobody expected it"))
            }
            None if self.turn.role() == Role::Server => {
                (Kind::Closed, format!("the client {how} the connection and never said a word"))
            }
            None => (
                Kind::Unreachable,
                format!("the {peer} {how} the connection and never said a word"),
            ),
        };
        let error = self
            .fault(kind, message)
            .with_expected(wanted)
            .with_got(self.shown_held())
            .with_waited(wait.waited());
        // Nothing more can come. A caller that takes this error must not get another one at the end
        // for the same reply.
        self.turn.settle_all();
        error.hint(if cut.is_some() {
            "if the close is right, take what there is with expect_bytes(...), then say expect_close()"
        } else {
            "if the close is right, say so with expect_close()"
        })
    }
}
