//! The server's side of a dialogue: its rules and its operations.
//!
//! A server speaks first, and afterwards only to answer. [`Session::send`] fails if no command
//! waits for an answer, or if the client has sent more than was taken. At the end, each command has
//! to have been answered.

mod auth;
mod command;
mod commands;
mod content;
mod fault;
mod faults;
mod form;
mod named;
mod replies;
pub(super) mod serving;
mod spoilt;
mod tls;
mod uttering;

pub use auth::{Authenticated, Users};
pub use command::Command;
pub use content::Chunk;
pub use fault::{Fault, Then};
pub(crate) use faults::{CONNECT, Faults, GREETING, MESSAGE, OnConnection, RESPONSE};
#[cfg(feature = "script")]
pub(crate) use named::FAULTS;
pub(crate) use named::{Named, Set};
pub use replies::Answer;

use super::{Role, Session};
use crate::error::{Error, Kind, Result};
use crate::proto::{Speech, chomp};
use crate::visible;

impl Session {
    /// Whether the session plays the server.
    pub(crate) fn is_server(&self) -> bool {
        self.turn.role() == Role::Server
    }

    /// Fails unless it is our turn to answer: a command was taken, and nothing is unread.
    pub(super) fn check_answer(&self, bytes: &[u8]) -> Result<()> {
        let is_free = self.turn.speech() == Speech::Stream || self.says_unasked(bytes);
        if (is_free || self.turn.owed() > 0) && self.stream.held().is_empty() {
            return Ok(());
        }
        let line = match chomp(&self.record.secrets().mask(bytes, &[])) {
            [] => "an empty line".to_owned(),
            line => format!("`{}`", visible::excerpt(line, super::SHOWN)),
        };
        if self.stream.held().is_empty() {
            let error = self.fault(
                Kind::OutOfStep,
                format!("{line} was about to be sent, and no command is to be answered"),
            );
            return Err(error
                .with_expected("an expect_command for what is answered, first")
                .with_got("nothing yet")
                .hint("say what no command asks for with send_raw(...)"));
        }
        let is_greeting = self.turn.first_unanswered().is_some_and(bytes::Bytes::is_empty)
            && self.turn.last_sent().is_none();
        let error = if is_greeting {
            self.fault(Kind::OutOfStep, "the client spoke before the greeting")
                .with_expected("silence until the greeting (RFC 5321, 4.3.1)")
        } else {
            self.fault(
                Kind::OutOfStep,
                format!("{line} was about to be sent while the client has said more"),
            )
            .with_expected("nothing more from the client before the reply")
        };
        Err(error.with_got(self.shown_unread()).hint(
            "take what a client pipelines with expect_group([...]) and answer it with replies([...]); send_raw(...) answers whatever is unread",
        ))
    }

    /// Whether a server may say this unasked.
    fn says_unasked(&self, bytes: &[u8]) -> bool {
        let greeted = self.turn.last_sent().is_some();
        greeted && (self.turn.speech().is_unasked(bytes) || self.turn.protocol().is_unasked(bytes))
    }

    /// Fails unless each command has been answered.
    pub(super) fn check_answered(&self) -> Result<()> {
        let owed = self.turn.owed();
        if !self.is_server() || self.turn.speech() == Speech::Stream || owed == 0 {
            return Ok(());
        }
        let message = match owed {
            1 if self.turn.last_sent().is_none() => "the greeting was never sent".to_owned(),
            1 => "the client's last command was never answered".to_owned(),
            owed => format!("{owed} replies to the client's commands were never sent"),
        };
        Err(self.never_answered(message))
    }

    fn never_answered(&self, message: String) -> Error {
        let commands: Vec<_> = self
            .turn
            .unanswered()
            .filter(|line| !line.is_empty())
            .take(10)
            .map(|line| visible::excerpt(line, super::SHOWN))
            .collect();
        let error = self.fault(Kind::Vacuous, message).with_expected("a reply for every command");
        let error = if commands.is_empty() { error } else { error.with_got(commands.join("\n")) };
        error.hint("add the reply(...), close in place of it by its option #{cut: 0}, or leave with reset()")
    }
}
