//! Verbs: each sends a command and expects its reply, as the caller could do with `send` and
//! `expect`. There is a file for each protocol.
//!
//! A verb has one deadline for all of its steps. Its final reply must be what the protocol calls
//! success, or match [`Operation::expect`].
//!
//! # How to add a verb
//!
//! Write a method in the file of its protocol, with its RFC and an example; the word of scripts
//! that calls it is in the file of the same name in `script/bindings/`, which says how to add a
//! word. In IMAP, untagged responses that the verb needs are listed in `imap/required.rs`. Add a
//! new command to `COMMANDS` of the protocol's facts (`proto/*/facts.rs`): hints, completions and
//! imports read that list, and a test fails until the command is there. If replies to the command
//! differ in more than their text (several of them, or a block), `proto` has to count them, and
//! `redaction/dialogue` has to know what they answer.

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
use crate::error::{Error, Kind, Result};
use crate::pattern::{IntoPattern, Pattern};
use crate::proto::{Speech, Success};
use crate::reply::Reply;

/// The protocols that have the verbs of SMTP.
const SMTP: [Speech; 2] = [Speech::Smtp, Speech::Lmtp];

/// The verbs that can be used during an IDLE: the one that ends it, and the one that takes the
/// answer to what was sent by hand.
const IN_IDLE: [&str; 2] = ["done", "finish"];

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
        self.check_spoken(name, spoken)?;
        if self.turn.protocol().is_idle() && !IN_IDLE.contains(&name) {
            let error = format!("`{name}` cannot be used while an IDLE is in progress");
            let error = self.fault(Kind::OutOfStep, error).with_expected("done(), first");
            return Err(error.hint("end the IDLE with done(), and begin another with idle() afterwards; send(...) sends a line into the IDLE"));
        }
        let wanted = expect.unwrap_or_else(|| usual.into_pattern())?;
        Ok(Verb { wait, wanted: self.pattern(wanted)? })
    }

    /// Fails unless the session speaks one of the protocols that have this verb.
    fn check_spoken(&self, name: &str, spoken: &[Speech]) -> Result<()> {
        let speech = self.turn.speech();
        if spoken.contains(&speech) {
            return Ok(());
        }
        let owners: Vec<_> = spoken.iter().map(ToString::to_string).collect();
        let error = Error::usage(format!(
            "`{name}` is a verb of {}, and this session speaks {speech}",
            owners.join(" and ")
        ));
        let error = error.with_session(self.name());
        Err(error.hint(
            "connect by the scheme of the protocol, or write it out with send(...) and expect(...)",
        ))
    }

    /// Sends a line and matches the reply against the pattern of the verb.
    async fn ask(&mut self, line: impl AsRef<[u8]>, verb: &Verb) -> Result<Reply> {
        self.send_line(line.as_ref(), verb.wait).await?;
        let reply = self.answer(verb).await?;
        let reply = self.conclude(reply, verb).await?;
        if self.turn.speech() == Speech::Sieve {
            self.check_data(line.as_ref(), &reply, verb)?;
        }
        Ok(reply)
    }

    /// The next whole reply, whatever it says.
    async fn answer(&mut self, verb: &Verb) -> Result<Bytes> {
        self.next_reply(&verb.wanted, verb.wait).await
    }

    /// Whether a reply means success, whatever the verb expects.
    fn is_success(&self, reply: &[u8], success: Success) -> bool {
        success.into_pattern().is_ok_and(|success| self.matched(reply, &success).is_some())
    }

    /// Matches the final reply against the pattern of the verb.
    async fn conclude(&mut self, reply: Bytes, verb: &Verb) -> Result<Reply> {
        self.check(reply, &verb.wanted, verb.wait).await
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use regex::Regex;

    use super::*;

    #[test]
    fn the_command_of_every_verb_is_in_the_tables_of_commands() {
        let command = Regex::new("\"([A-Z]{3,})[ \"]").unwrap();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/session/verbs");
        // Words that are no commands: a name of a protocol, and of a status of scripts.
        let others = ["LMTP", "ACTIVE"];
        let mut count = 0;
        for file in [
            "smtp",
            "data",
            "pop3",
            "sieve",
            "shared",
            "imap/mod",
            "imap/mailboxes",
            "imap/messages",
            "imap/extensions",
        ] {
            let source = std::fs::read_to_string(folder.join(format!("{file}.rs"))).unwrap();
            let lines = source.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in lines.take_while(|line| !line.contains("#[cfg(test)]")) {
                for found in command.captures_iter(line).map(|found| found[1].to_owned()) {
                    let is_known = !Speech::with_command(&found).is_empty();
                    assert!(is_known || others.contains(&&*found), "{file}: no table has {found}");
                    count += usize::from(is_known);
                }
            }
        }
        assert!(count > 40, "only {count} commands were found");
    }
}
