//! Taking whatever a peer says, for a person who reads along.

use std::time::Duration;

use tokio::time::Instant;

use super::Session;
use super::role::Role;
use super::turn::Turn;
use super::wait::Arrival;
use crate::error::Result;
use crate::proto::Speech;

/// How long to wait for the rest of a reply before the part that has come is shown.
const QUIET: Duration = Duration::from_millis(400);
/// How many bytes without an end are shown at once.
const LONG: usize = 16 << 10;
/// How long nothing at all may come: practically without limit, because a person decides when to
/// stop.
const FOREVER: Duration = Duration::from_hours(24);

/// What a peer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The peer said something, which is in the transcript.
    Something,
    /// The peer ended its side of the connection.
    End,
}

impl Session {
    /// Waits for what the peer says next and takes it into the transcript: a whole reply; a line,
    /// if it is no reply; or a part of either, once nothing more has come for a while. The caller
    /// may drop the future at any time: bytes that have come by then stay.
    ///
    /// # Errors
    /// If the connection breaks.
    pub(crate) async fn hear(&mut self) -> Result<Heard> {
        loop {
            if let Some(length) = self.whole() {
                self.take_reply(length);
                return Ok(Heard::Something);
            }
            let held = self.stream.held().len();
            if held >= LONG {
                self.take(held);
                return Ok(Heard::Something);
            }
            let patience = if held == 0 { FOREVER } else { QUIET };
            match self.read(Instant::now() + patience).await? {
                Arrival::Bytes => {}
                Arrival::Late if held == 0 => {}
                Arrival::End if held == 0 => {
                    self.turn.waive();
                    self.note_end();
                    return Ok(Heard::End);
                }
                Arrival::Late | Arrival::End => {
                    self.take(held);
                    return Ok(Heard::Something);
                }
            }
        }
    }

    /// Finds out the protocol from the greeting, if the URL does not name it. For a server that
    /// says nothing in this time, the protocol stays as it is.
    ///
    /// # Errors
    /// If the connection breaks.
    pub(crate) async fn recognise(&mut self, within: Duration) -> Result<()> {
        let until = Instant::now() + within;
        while memchr::memchr(b'\n', self.stream.held()).is_none()
            && self.stream.held().len() < LONG
            && self.read(until).await? == Arrival::Bytes
        {}
        let speech = Speech::of_greeting(self.stream.held());
        if let Some(facts) = speech.filter(|_| self.speech() == Speech::Stream).map(Speech::facts)
            && let Some(scheme) = facts.schemes.first()
        {
            self.turn = Turn::new(Role::Client, (facts.dialogue)(scheme.name));
        }
        Ok(())
    }

    /// The length of the whole reply at the front of the buffer, or of the whole line if no replies
    /// can be framed; `None` if neither is complete.
    fn whole(&mut self) -> Option<usize> {
        let is_block = self.turn.protocol().owes_block();
        let held = self.stream.held();
        let line = || memchr::memchr(b'\n', held).map(|at| at + 1);
        match self.turn.framing() {
            Some(framing) if !is_block => match framing.frame(held) {
                Ok(length) => length,
                Err(_) => line(),
            },
            _ => line(),
        }
    }
}
