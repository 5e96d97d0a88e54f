//! Answers of POP3 with a line for each message, or with a block of lines.

use std::collections::HashSet;

use super::{Operation, Session, Verb};
use crate::error::{Error, Kind, Result};
use crate::proto::{Speech, chomp, pop3};
use crate::reply::Reply;
use crate::room;

/// The protocols that have these verbs.
pub(super) const POP3: [Speech; 1] = [Speech::Pop3];
/// The status that means success in POP3.
pub(super) const OK: &str = "+OK";

impl Session {
    /// A verb whose command is answered with a block on success.
    pub(super) fn listing(
        &mut self,
        name: &'static str,
        line: impl Into<Vec<u8>>,
    ) -> Operation<'_, Listing> {
        let line = line.into();
        self.operation(move |session, mut call| {
            Box::pin(async move {
                let keep = call.keeps();
                let verb = session.verb(call, name, &POP3, OK)?;
                session.take_listing(line, &verb, keep).await
            })
        })
    }

    pub(super) async fn take_listing(
        &mut self,
        line: Vec<u8>,
        verb: &Verb,
        keep: bool,
    ) -> Result<Listing> {
        let status = self.ask(line, verb).await?;
        if !self.turn.protocol().owes_block() {
            return Ok(Listing::Refusal(status));
        }
        self.multiline(keep, verb.wait).await.map(Listing::Block)
    }

    /// A verb whose command is answered with a line for each message, or with one line if it names
    /// a message.
    pub(super) fn each<T: Send + 'static>(
        &mut self,
        name: &'static str,
        message: Option<i64>,
        read: fn(&[u8]) -> Option<T>,
    ) -> Operation<'_, Vec<T>> {
        self.operation(move |session, call| {
            Box::pin(async move {
                let verb = session.verb(call, name, &POP3, OK)?;
                let command = name.to_ascii_uppercase();
                let unreadable = |session: &Self, line: &[u8]| {
                    let why = format!(
                        "a line of {command} does not say what it should of one more message (RFC 1939, 5 and 7)"
                    );
                    session.unreadable(line, &why)
                };
                if let Some(message) = message {
                    let reply = session.ask(format!("{command} {message}"), &verb).await?;
                    if !is_ok(&reply) {
                        return Ok(Vec::new());
                    }
                    let said = chomp(&reply.bytes()[OK.len()..]);
                    let found = read(said).ok_or_else(|| unreadable(session, reply.bytes()))?;
                    session.check_message(message, said, &reply)?;
                    return Ok(vec![found]);
                }
                match session.take_listing(command.clone().into(), &verb, true).await? {
                    Listing::Block(block) => {
                        let lines = block.bytes().split_inclusive(|byte| *byte == b'\n');
                        let mut known = HashSet::new();
                        let read = lines.map(|line| {
                            let is_new = known.insert(words(line).next().and_then(number));
                            let found = read(chomp(line)).filter(|_| is_new);
                            found.ok_or_else(|| unreadable(session, line))
                        });
                        room::collect(read).map_err(|error| error.with_session(session.name()))
                    }
                    Listing::Refusal(_) => Ok(Vec::new()),
                }
            })
        })
    }

    /// Fails unless the answer is about the message that was asked for.
    pub(super) fn check_message(&self, asked: i64, said: &[u8], reply: &Reply) -> Result<()> {
        let told = words(said).next().and_then(number);
        if told.is_some() && told == u64::try_from(asked).ok() {
            return Ok(());
        }
        let error = self.fault(Kind::Mismatch, "the answer is about another message");
        let error = error.with_expected(format!("+OK {asked} ... (RFC 1939, 5)"));
        Err(error.with_got(self.shown_lines(reply.bytes())))
    }

    /// Makes the error for a reply that lacks the data which its command asks for.
    pub(super) fn unreadable(&self, line: &[u8], why: &str) -> Error {
        let error = self.fault(Kind::Malformed, why).with_got(self.shown_lines(line));
        error.hint("write the command out with send(...) and expect(...) to take whatever comes")
    }
}

/// The outcome of a command with a block after its `+OK`.
pub(super) enum Listing {
    Block(Reply),
    /// The status line of a refusal that the caller expected.
    Refusal(Reply),
}

impl Listing {
    pub(super) fn reply(self) -> Reply {
        match self {
            Self::Block(reply) | Self::Refusal(reply) => reply,
        }
    }
}

pub(super) fn is_ok(reply: &Reply) -> bool {
    pop3::Status::of(reply.bytes()) == Some(pop3::Status::Ok)
}

pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

pub(super) fn number(word: &[u8]) -> Option<u64> {
    let digits = word.iter().all(u8::is_ascii_digit).then_some(word)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
