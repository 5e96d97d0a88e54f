//! Sending on the server's side, with faults.

use std::time::Duration;

use bytes::Bytes;

use super::super::Session;
use super::super::waiting::Wait;
use super::command::Command;
use super::fault::{Fault, Then};
use super::faults::{GREETING, MESSAGE, RESPONSE};
use crate::error::{Error, Result};
use crate::proto::Speech;
use crate::transcript::What;

impl Session {
    /// Sends bytes if it is the server's turn, with the fault that applies. Returns whether the TLS
    /// handshake that follows must be garbage.
    pub(super) async fn utter(
        &mut self,
        bytes: impl Into<Bytes>,
        fault: Option<Box<Fault>>,
        wait: Wait,
    ) -> Result<bool> {
        let bytes = bytes.into();
        self.check_turn(&bytes).await?;
        let fault = self.fault_of(fault, &bytes);
        let Some(fault) = fault else {
            self.write(bytes, wait).await?;
            return Ok(false);
        };
        self.utter_with(bytes, &fault, wait).await?;
        Ok(fault.garbage)
    }

    /// Whether the fault that was given to a word happens this time; it may have a probability.
    pub(in crate::session) fn happens(&mut self, fault: &Fault) -> bool {
        self.serving.as_mut().is_none_or(|serving| serving.faults.falls(fault))
    }

    /// Sends bytes with a fault, whether or not it is the server's turn.
    pub(in crate::session) async fn utter_with(
        &mut self,
        bytes: Bytes,
        fault: &Fault,
        wait: Wait,
    ) -> Result<()> {
        if let Some(after) = fault.after.or(fault.jitter.map(|_| Duration::ZERO)) {
            tokio::time::sleep(after + self.jitter(fault)).await;
        }
        let spoilt = fault.spoilt(&bytes);
        // The deadline bounds how long the client takes to read, so it begins after the pauses.
        let wait = Wait::new(wait.allowed);
        let said = match fault.drip {
            None => self.write_for(&bytes, spoilt, wait).await,
            Some(_) => self.drip(&bytes, &spoilt, (fault, wait.allowed)).await,
        };
        match said {
            Err(error) if error.is_closed() && fault.endless.is_some() => {
                self.turn.settle_all();
                self.hang_up();
                return Ok(());
            }
            said => said?,
        }
        if let Some(rate) = fault.read_rate {
            self.stream.slow_down(rate);
        }
        self.end_by(fault.then.or(fault.cut.map(|_| Then::Close))).await
    }

    /// Returns the fault that applies now: the one given to the word, if any was given, or else one
    /// of the listener's.
    fn fault_of(&mut self, own: Option<Box<Fault>>, bytes: &[u8]) -> Option<Box<Fault>> {
        let (at, speech) = (self.occasion(), self.turn.speech());
        let serving = self.serving.as_mut()?;
        serving.next = next_after(&at, bytes, speech);
        match own {
            Some(fault) => serving.faults.falls(&fault).then_some(fault),
            None => serving.faults.at(&at).map(Box::new),
        }
    }

    /// Returns what is about to be answered, by the name that a listener's faults use.
    fn occasion(&self) -> String {
        let Some(serving) = &self.serving else { return String::new() };
        if let Some(next) = serving.next {
            return next.to_owned();
        }
        let line = self.turn.first_unanswered().cloned().unwrap_or_default();
        if line.is_empty() && self.turn.last_sent().is_none() {
            return GREETING.to_owned();
        }
        let command = String::from_utf8_lossy(Command::body(&line, self.turn.speech()));
        let uid = command.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("UID "));
        if uid && self.turn.speech() == Speech::Imap { &command[4..] } else { &command }.to_owned()
    }

    /// Returns a random time, at most as long as the fault's jitter.
    fn jitter(&mut self, fault: &Fault) -> Duration {
        let most = fault.jitter.unwrap_or_default();
        let dice = self.serving.as_mut().map(|serving| serving.faults.dice());
        dice.map_or(Duration::ZERO, |dice| dice.up_to(most))
    }

    /// Sends byte by byte, with a pause between two bytes. `allowed` is how long the client may
    /// take to read each byte.
    async fn drip(
        &mut self,
        meant: &Bytes,
        bytes: &Bytes,
        (fault, allowed): (&Fault, Duration),
    ) -> Result<()> {
        self.note_sent(meant, bytes);
        for at in 0..bytes.len() {
            if at > 0 {
                let pause = fault.drip.unwrap_or_default() + self.jitter(fault);
                tokio::time::sleep(pause).await;
            }
            self.write_rest(&bytes.slice(at..=at), 0, Wait::new(allowed)).await?;
        }
        Ok(())
    }

    async fn end_by(&mut self, then: Option<Then>) -> Result<()> {
        match then {
            None | Some(Then::Silence) => Ok(()),
            Some(Then::Close) => {
                self.turn.settle_all();
                self.hang_up();
                Ok(())
            }
            Some(Then::Reset) => self.reset(),
            Some(Then::HalfClose) => self.shutdown().await,
            Some(Then::CutTls) => {
                self.turn.settle_all();
                if self.stream.take_transport().is_none() {
                    return Err(Error::usage("the session is closed"));
                }
                if self.ending.note_ours() {
                    self.record.note(What::Closed(self.turn.role().closes()));
                }
                Ok(())
            }
        }
    }
}

/// Returns what the client sends next after it was sent `said`, if that is not a command.
fn next_after(at: &str, said: &[u8], speech: Speech) -> Option<&'static str> {
    let sasl = speech.facts().sasl;
    let in_exchange = at == RESPONSE
        || at.get(..sasl.command.len()).is_some_and(|at| at.eq_ignore_ascii_case(sasl.command));
    match () {
        () if in_exchange && sasl.is_challenge(said) => Some(RESPONSE),
        () if speech.facts().asks_for_message(said) => Some(MESSAGE),
        () => None,
    }
}
