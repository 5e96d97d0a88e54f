//! Verbs: each sends a command and expects its reply, as the caller could do with `send` and
//! `expect`. There is a file for each protocol.
//!
//! A verb has one deadline for all of its steps. Its final reply must be what the protocol calls
//! success, or match [`Operation::expect`].

mod auth;
mod data;
pub(super) mod imap;
mod listing;
mod pop3;
mod shared;
mod sieve;
mod smtp;
mod starttls;

use bytes::Bytes;

pub use pop3::{Maildrop, Scan, UniqueId};
pub use sieve::SieveScript;

use super::Session;
use super::call::Call;
use super::operation::Operation;
use super::waiting::Wait;
use crate::error::{Error, Result};
use crate::pattern::{IntoPattern, Pattern};
use crate::proto::{Speech, Success};
use crate::reply::Reply;

/// The protocols that have the verbs of SMTP.
const SMTP: [Speech; 2] = [Speech::Smtp, Speech::Lmtp];

/// A verb in progress.
#[derive(Debug)]
struct Verb {
    wait: Wait,
    /// The pattern that the final reply must match.
    wanted: Pattern,
}

impl Session {
    /// A verb that sends one line and takes one reply.
    fn exchange(
        &mut self,
        name: &'static str,
        spoken: &'static [Speech],
        usual: impl IntoPattern,
        line: impl Into<Vec<u8>>,
    ) -> Operation<'_, Reply> {
        let (usual, line) = (usual.into_pattern(), line.into());
        self.operation(move |session, call| {
            Box::pin(async move {
                let verb = session.verb(call, name, spoken, usual)?;
                session.ask(line, &verb).await
            })
        })
    }

    /// Begins a verb that exists in the protocols `spoken`, and whose success is `usual`.
    fn verb(
        &mut self,
        mut call: Call,
        name: &str,
        spoken: &[Speech],
        usual: impl IntoPattern,
    ) -> Result<Verb> {
        let expect = call.expect.take();
        let wait = self.begin(&call, name)?;
        let speech = self.turn.speech();
        if !spoken.contains(&speech) {
            let owners: Vec<_> = spoken.iter().map(ToString::to_string).collect();
            let error = Error::usage(format!(
                "`{name}` is a verb of {}, and this session speaks {speech}",
                owners.join(" and ")
            ));
            let error = error.with_session(self.name());
            return Err(error.hint("connect by the scheme of the protocol, or write it out with send(...) and expect(...)"));
        }
        let wanted = expect.unwrap_or_else(|| usual.into_pattern())?;
        Ok(Verb { wait, wanted: self.pattern(wanted)? })
    }

    /// Sends a line and matches the reply against the pattern of the verb.
    async fn ask(&mut self, line: impl AsRef<[u8]>, verb: &Verb) -> Result<Reply> {
        self.send_line(line.as_ref(), verb.wait).await?;
        let reply = self.answer(verb).await?;
        self.conclude(reply, verb)
    }

    /// The next whole reply, whatever it says.
    async fn answer(&mut self, verb: &Verb) -> Result<Bytes> {
        self.next_reply(&verb.wanted, verb.wait).await
    }

    /// Whether a reply means success, whatever the verb expects.
    fn is_success(&self, reply: &[u8], success: Success) -> bool {
        success.into_pattern().is_ok_and(|success| self.held_against(reply, &success).is_some())
    }

    /// Matches the final reply against the pattern of the verb.
    fn conclude(&mut self, reply: Bytes, verb: &Verb) -> Result<Reply> {
        self.hold(reply, &verb.wanted, verb.wait)
    }
}
