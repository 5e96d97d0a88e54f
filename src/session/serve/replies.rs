//! Answering: the greeting, replies with their dashes and tags, and untagged data before them.

use bytes::Bytes;

use super::super::Session;
use super::super::operation::Operation;
use super::super::waiting::Wait;
use super::command::Command;
use super::fault::Fault;
use crate::error::{Error, Result};
use crate::pattern::IntoPattern;
use crate::proto::Speech;

/// An answer of a server: a status and its text, in one or more lines.
///
/// `"250 ok"` is one line that is sent as written. For `(250, "ok")` and `(250, ["a", "b"])`, the
/// dashes of further lines are added (RFC 5321 section 4.2.1). In IMAP, the tag of the command is
/// put before `"OK done"`, unless the line is untagged or a continuation already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer(pub(super) Vec<String>);

impl From<&str> for Answer {
    fn from(line: &str) -> Self {
        Self(vec![line.to_owned()])
    }
}

impl From<String> for Answer {
    fn from(line: String) -> Self {
        Self(vec![line])
    }
}

impl From<u16> for Answer {
    fn from(code: u16) -> Self {
        let text = match code {
            220 => "localhost ESMTP",
            221 => "2.0.0 bye",
            334 => "",
            354 => "go ahead",
            200..=299 => "ok",
            400..=499 => "try again later",
            _ => "no",
        };
        (code, text).into()
    }
}

impl From<(u16, &str)> for Answer {
    fn from((code, text): (u16, &str)) -> Self {
        (code, [text]).into()
    }
}

impl<T: AsRef<str>, const N: usize> From<(u16, [T; N])> for Answer {
    fn from((code, lines): (u16, [T; N])) -> Self {
        (code, lines.iter().map(AsRef::as_ref).collect::<Vec<_>>()).into()
    }
}

impl<T: AsRef<str>> From<(u16, Vec<T>)> for Answer {
    fn from((code, lines): (u16, Vec<T>)) -> Self {
        let last = lines.len().saturating_sub(1);
        let line = |(at, text): (usize, &T)| {
            format!("{code}{}{}", if at < last { '-' } else { ' ' }, text.as_ref())
        };
        Self(lines.iter().enumerate().map(line).collect())
    }
}

impl Answer {
    /// An answer of these lines, unchanged.
    pub fn of_lines(lines: impl IntoIterator<Item = String>) -> Self {
        Self(lines.into_iter().collect())
    }

    /// The lines as they are sent. In IMAP, a status gets this tag.
    fn wire(&self, speech: Speech, tag: &str) -> Bytes {
        let mut bytes = Vec::new();
        for line in &self.0 {
            let is_status = ["OK", "NO", "BAD"].iter().any(|status| {
                line.strip_prefix(status)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
            });
            if speech.facts().has_tags && is_status {
                bytes.extend_from_slice(tag.as_bytes());
                bytes.push(b' ');
            }
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.into()
    }
}

/// Server: replying.
impl Session {
    /// Sends the greeting, such as `"220 localhost ESMTP"`; an empty text stands for the protocol's
    /// usual greeting.
    ///
    /// # Errors
    /// Out of step if the client spoke first; closed; a time-out if the client does not read.
    pub fn greet(&mut self, greeting: impl Into<Answer>) -> Operation<'_, ()> {
        let greeting = greeting.into();
        self.operation(move |session, mut call| {
            Box::pin(async move {
                let fault = call.fault.take();
                let wait = session.begin(&call, "greet")?;
                let is_usual = greeting.0.iter().all(String::is_empty);
                let greeting = if is_usual { usual(session.turn.speech()) } else { greeting };
                // The greeting is untagged, because it answers no command.
                let greeting = greeting.wire(session.turn.speech(), "*");
                session.utter(greeting, fault, wait).await.map(drop)
            })
        })
    }

    /// Answers the client's command.
    ///
    /// # Errors
    /// Out of step if no command waits for an answer, or if the client has sent more than was
    /// taken.
    pub fn reply(&mut self, answer: impl Into<Answer>) -> Operation<'_, ()> {
        let answer = answer.into();
        self.operation(move |session, mut call| {
            Box::pin(async move {
                let fault = call.fault.take();
                let wait = session.begin_serving(&call, "reply")?;
                session.say_with(&answer, fault, wait).await.map(drop)
            })
        })
    }

    /// Answers several commands in one write, after [`Session::expect_group`] has taken them.
    ///
    /// # Errors
    /// Out of step if fewer commands wait for an answer; otherwise see [`Session::reply`].
    pub fn replies<A: Into<Answer>>(
        &mut self,
        answers: impl IntoIterator<Item = A>,
    ) -> Operation<'_, ()> {
        let answers: Vec<Answer> = answers.into_iter().map(Into::into).collect();
        self.operation(move |session, mut call| {
            Box::pin(async move {
                let fault = call.fault.take();
                let wait = session.begin_serving(&call, "replies")?;
                let owed = session.turn.owed();
                if answers.len() > owed && session.turn.speech() != Speech::Stream {
                    return Err(session.too_many(answers.len(), owed));
                }
                let tags = session.tags_to_answer();
                let speech = session.turn.speech();
                let mut bytes = Vec::new();
                for (place, answer) in answers.iter().enumerate() {
                    let tag = tags.get(place).map_or("*", String::as_str);
                    bytes.extend_from_slice(&answer.wire(speech, tag));
                }
                session.utter(bytes, fault, wait).await.map(drop)
            })
        })
    }

    /// Takes a command and answers it: [`Session::expect_command`] and [`Session::reply`].
    ///
    /// # Errors
    /// See these two.
    pub fn serve(
        &mut self,
        pattern: impl IntoPattern,
        answer: impl Into<Answer>,
    ) -> Operation<'_, Command> {
        let (pattern, answer) = (pattern.into_pattern(), answer.into());
        self.operation(move |session, mut call| {
            Box::pin(async move {
                let (pattern, fault) = (pattern?, call.fault.take());
                let wait = session.begin_next_command(&call, "serve")?;
                let command = session.command_matching(&pattern, wait).await?;
                session.say_with(&answer, fault, wait).await?;
                Ok(command)
            })
        })
    }

    pub(super) async fn say(&mut self, answer: &Answer, wait: Wait) -> Result<()> {
        self.say_with(answer, None, wait).await.map(drop)
    }

    pub(super) async fn say_with(
        &mut self,
        answer: &Answer,
        fault: Option<Box<Fault>>,
        wait: Wait,
    ) -> Result<bool> {
        let tags = self.tags_to_answer();
        let tag = tags.first().map_or("*", String::as_str);
        self.utter(answer.wire(self.turn.speech(), tag), fault, wait).await
    }

    /// The tags of the IMAP commands that wait for an answer.
    fn tags_to_answer(&self) -> Vec<String> {
        self.turn.tags().iter().map(|tag| String::from_utf8_lossy(tag).into_owned()).collect()
    }

    fn too_many(&self, answers: usize, owed: usize) -> Error {
        let message = format!(
            "{answers} replies were about to be sent, and {owed} commands are to be answered"
        );
        let error = self.fault(crate::error::Kind::OutOfStep, message);
        error
            .with_expected("a command for every reply: expect_group([...]) first")
            .hint("say what no command asks for with send_raw(...)")
    }
}

/// The usual greeting of a server of the protocol.
pub(super) fn usual(speech: Speech) -> Answer {
    Answer::of_lines(speech.facts().server.greeting.iter().map(ToString::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(answer: impl Into<Answer>, speech: Speech) -> String {
        String::from_utf8(answer.into().wire(speech, "a7").to_vec()).unwrap()
    }

    #[test]
    fn the_dashes_and_the_tag_are_made() {
        assert_eq!(wire((250, ["a", "b"]), Speech::Smtp), "250-a\r\n250 b\r\n");
        assert_eq!(wire((250, "ok"), Speech::Smtp), "250 ok\r\n");
        assert_eq!(wire("OK done", Speech::Imap), "a7 OK done\r\n");
        assert_eq!(wire("* 1 EXISTS", Speech::Imap), "* 1 EXISTS\r\n");
        assert_eq!(wire("+ idling", Speech::Imap), "+ idling\r\n");
        assert_eq!(wire("OK", Speech::Sieve), "OK\r\n");
    }
}
