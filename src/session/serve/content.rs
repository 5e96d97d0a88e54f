//! Taking the data after a command: messages and chunks.

use bytes::{Bytes, BytesMut};

use super::super::Session;
use super::super::operation::Operation;
use super::command::Command;
use crate::error::{Error, Kind};
use crate::pattern::{IntoPattern as _, Match};
use crate::proto::smtp;
use crate::reply::Reply;

/// A chunk of a message (RFC 3030).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Chunk {
    /// The command that announced the chunk.
    pub command: Command,
    /// The octets of the chunk.
    pub bytes: Bytes,
    /// Whether the chunk is the last one of the message.
    pub is_last: bool,
}

/// Server: taking messages, and the end of IDLE.
impl Session {
    /// Takes the message that the client sends after 354, without the final dot and with doubled
    /// dots made single. With `false` for [`Operation::keep`], the message is not kept. The server
    /// has to reply next.
    ///
    /// # Errors
    /// Out of step if the server has not asked for a message; a time-out or a close before its end.
    pub fn expect_message(&mut self) -> Operation<'_, Reply> {
        self.operation(|session, mut call| {
            Box::pin(async move {
                let keep = call.keeps();
                let wait = session.begin_serving(&call, "expect_message")?;
                if !session.turn.wants_message() {
                    return Err(session.not_asked());
                }
                session.multiline(keep, wait).await
            })
        })
    }

    /// Takes a BDAT command and the octets that it announces. The server has to reply next.
    ///
    /// # Errors
    /// A mismatch if another command comes; a time-out or a close before the last octet.
    pub fn expect_bdat(&mut self) -> Operation<'_, Chunk> {
        self.operation(|session, call| {
            Box::pin(async move {
                let wait = session.begin_next_command(&call, "expect_bdat")?;
                let command = session.command_matching(&"BDAT".into_pattern()?, wait).await?;
                let announced = smtp::size_of_chunk(command.bytes());
                let (size, is_last) = announced.ok_or_else(|| session.no_size(&command))?;
                let mut bytes = BytesMut::new();
                if size > 0 {
                    let chunk = session.next_frame(&"the octets of the chunk", wait).await?;
                    let wanted = "the octets of the chunk";
                    bytes.extend_from_slice(
                        &chunk.ok_or_else(|| session.closed(wait, wanted, Some("a chunk")))?,
                    );
                }
                session.turn.expected();
                Ok(Chunk { command, bytes: bytes.freeze(), is_last })
            })
        })
    }

    /// Takes DONE, by which the client ends IDLE (RFC 2177).
    ///
    /// # Errors
    /// See [`Session::expect_command`].
    pub fn expect_done(&mut self) -> Operation<'_, Reply> {
        self.operation(|session, call| {
            Box::pin(async move {
                let wait = session.begin_serving(&call, "expect_done")?;
                let line = session.next_line(&"DONE", wait).await?;
                if line.eq_ignore_ascii_case(b"DONE\r\n") {
                    session.turn.expected();
                    return Ok(Reply::whole(line, Match::default()));
                }
                let error = session.fault(Kind::Mismatch, "the client did not end its IDLE");
                Err(error.with_expected("DONE").with_got(session.shown_lines(&line)))
            })
        })
    }

    fn not_asked(&self) -> Error {
        let error = self.fault(Kind::OutOfStep, "the client was not told to send a message");
        let speech = self.turn.speech();
        let hint = if speech.facts().has_messages {
            "serve(\"DATA\", 354) goes before it"
        } else {
            "only SMTP and LMTP have messages after a command of their own"
        };
        error.with_expected("354 in answer to DATA, first").hint(hint)
    }

    fn no_size(&self, command: &Command) -> Error {
        let error = self.fault(Kind::Malformed, "BDAT does not say how many octets follow");
        error
            .with_expected("BDAT, a number, and LAST or nothing (RFC 3030, 2)")
            .with_got(command.text())
    }
}
