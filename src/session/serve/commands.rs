//! Taking what clients send: single commands, pipelined commands, and the end of the dialogue.

use std::fmt::Display;

use bytes::{Bytes, BytesMut};

use super::super::call::Call;
use super::super::operation::Operation;
use super::super::take::AT_ONCE;
use super::super::waiting::Wait;
use super::super::{SHOWN, Session};
use super::command::Command;
use crate::error::{Error, Kind, Result};
use crate::pattern::{IntoPattern, Match, Pattern};
use crate::proto::{Speech, chomp};
use crate::visible;

/// Server: taking commands.
impl Session {
    /// Takes the client's next command and matches it against the pattern. Text is the beginning of
    /// the command, in whole words and in letters of either case; a regex may match anywhere in it.
    /// In IMAP, the pattern does not see the tag. If a client of IMAP waits before it sends a
    /// literal, it is told to go on.
    ///
    /// # Errors
    /// A mismatch at once if another command came; a time-out; a close; a line that ends with a bare
    /// LF.
    pub fn expect_command(&mut self, pattern: impl IntoPattern) -> Operation<'_, Command> {
        let pattern = pattern.into_pattern();
        self.operation(move |session, call| {
            Box::pin(async move {
                let pattern = pattern?;
                let wait = session.begin_next_command(&call, "expect_command")?;
                session.command_matching(&pattern, wait).await
            })
        })
    }

    /// Takes the client's next command, whatever it is.
    ///
    /// # Errors
    /// See [`Session::expect_command`].
    #[cfg(feature = "script")]
    pub(crate) fn expect_any_command(&mut self) -> Operation<'_, Command> {
        self.operation(|session, call| {
            Box::pin(async move {
                let wait = session.begin_next_command(&call, "expect_command")?;
                let taken = session.whole_command(&"a command", wait).await?;
                session.turn.expected();
                Ok(Command::new(taken, session.turn.speech()))
            })
        })
    }

    /// Takes the next commands, one for each pattern. The client may have sent them at once (RFC
    /// 2920). [`Session::replies`] answers them.
    ///
    /// # Errors
    /// See [`Session::expect_command`].
    pub fn expect_group<P: IntoPattern>(
        &mut self,
        patterns: impl IntoIterator<Item = P>,
    ) -> Operation<'_, Vec<Command>> {
        let patterns = patterns.into_iter().map(IntoPattern::into_pattern).collect::<Vec<_>>();
        self.operation(move |session, call| {
            Box::pin(async move {
                let wait = session.begin_serving(&call, "expect_group")?;
                let mut commands = Vec::with_capacity(patterns.len());
                for pattern in patterns {
                    commands.push(session.command_matching(&pattern?, wait).await?);
                }
                Ok(commands)
            })
        })
    }

    /// Takes QUIT (LOGOUT in IMAP and `ManageSieve`), answers it, and closes our side: the dialogue
    /// is over.
    ///
    /// # Errors
    /// See [`Session::expect_command`]; malformed if the command has arguments; vacuous if something
    /// was left unexpected.
    pub fn expect_quit(&mut self) -> Operation<'_, Command> {
        self.operation(|session, mut call| {
            Box::pin(async move {
                let fault = call.fault.take();
                let wait = session.begin_next_command(&call, "expect_quit")?;
                let farewell = session.turn.speech().facts().farewell;
                let (verb, answer) = farewell
                    .map_or(("QUIT", &["221 2.0.0 bye"][..]), |farewell| {
                        (farewell.command, farewell.answer)
                    });
                let command = session.command_alone(verb, wait).await?;
                let (last, before) = answer.split_last().unwrap_or((&"", &[]));
                for line in before {
                    session.send_in_turn(format!("{line}\r\n").into_bytes(), wait).await?;
                }
                session.say_with(&(*last).into(), fault, wait).await?;
                // The client's close is read when the session ends, as for every session.
                if session.stream.is_open() && !session.ending.is_half_closed() {
                    session.close_our_side().await?;
                }
                Ok(command)
            })
        })
    }

    /// Takes and drops whatever comes, until the client closes. Returns the number of bytes.
    ///
    /// # Errors
    /// A time-out if the client does not close.
    pub fn discard(&mut self) -> Operation<'_, u64> {
        self.operation(|session, call| {
            Box::pin(async move {
                let wait = session.begin_server(&call, "discard")?;
                session.throw_away(wait).await
            })
        })
    }

    async fn throw_away(&mut self, wait: Wait) -> Result<u64> {
        use super::super::wait::Arrival;
        let mut octets = 0;
        loop {
            let held = self.stream.held().len();
            octets += held as u64;
            self.skip_bytes(held);
            let arrival = self.read_for(&"the client's close", wait, wait.deadline()).await?;
            match arrival {
                Arrival::Bytes => {}
                Arrival::Late => return Err(self.late_end(wait, "the client's close")),
                Arrival::End => break,
            }
        }
        self.record.note_skipped();
        self.turn.settle_all();
        self.note_end();
        self.turn.expected();
        self.hang_up();
        Ok(octets)
    }

    /// Begins an operation of the server's side, whether or not the greeting was sent.
    fn begin_server(&mut self, call: &Call, operation: &str) -> Result<Wait> {
        let wait = self.begin(call, operation)?;
        if self.is_server() {
            return Ok(wait);
        }
        let error = Error::usage(format!("`{operation}` is a word of the server's side"));
        let error = error.with_session(self.name());
        Err(error.hint("listen(...) and accept() give a session of the server's side"))
    }

    /// Begins an operation that comes after the greeting.
    pub(super) fn begin_serving(&mut self, call: &Call, operation: &str) -> Result<Wait> {
        let wait = self.begin_server(call, operation)?;
        self.greeting_first(operation)?;
        Ok(wait)
    }

    /// Begins an operation that takes a command. The command before it must have been answered.
    pub(super) fn begin_next_command(&mut self, call: &Call, operation: &str) -> Result<Wait> {
        let wait = self.begin_serving(call, operation)?;
        self.answer_first(operation)?;
        Ok(wait)
    }

    fn greeting_first(&self, operation: &str) -> Result<()> {
        let is_due = self.turn.owed() > 0
            && self.turn.last_sent().is_none()
            && self.turn.first_unanswered().is_some_and(Bytes::is_empty);
        if !is_due {
            return Ok(());
        }
        let error = self.fault(Kind::OutOfStep, format!("`{operation}` before the greeting"));
        Err(error
            .with_expected("a greet() first: a client waits for it")
            .with_got(self.shown_unread())
            .hint("send_raw(\"\") takes the place of a greeting that is left out"))
    }

    /// Fails unless the command before has been answered.
    fn answer_first(&self, operation: &str) -> Result<()> {
        if self.turn.owed() == 0 || self.turn.speech() == Speech::Stream {
            return Ok(());
        }
        let line = self.turn.first_unanswered().cloned().unwrap_or_default();
        let line = visible::excerpt(&line, SHOWN);
        let message = format!("`{operation}` while `{line}` has no answer");
        let error = self.fault(Kind::OutOfStep, message);
        Err(error
            .with_expected("a reply to the command, first")
            .with_got(self.shown_unread())
            .hint(
                "expect_group([...]) takes what a client pipelines, before any of it is answered",
            ))
    }

    pub(super) async fn command_matching(
        &mut self,
        pattern: &Pattern,
        wait: Wait,
    ) -> Result<Command> {
        let speech = self.turn.speech();
        let taken = self.whole_command(pattern, wait).await?;
        if self.fits_command(pattern, &taken, wait).await? {
            self.turn.expected();
            return Ok(Command::new(taken, speech));
        }
        let came = self.turn.unanswered().last().cloned().unwrap_or_default();
        let error = self.fault(Kind::Mismatch, "the command is not the one that was expected");
        Err(error
            .with_expected(pattern)
            .with_got(visible::excerpt(&came, SHOWN))
            .with_waited(wait.waited()))
    }

    /// Whether the command matches. If that may take long, it is tried on another thread, because it
    /// would delay the deadlines of the script and of other sessions.
    async fn fits_command(&mut self, pattern: &Pattern, taken: &Bytes, wait: Wait) -> Result<bool> {
        let speech = self.turn.speech();
        if pattern.effort(taken.len()) < AT_ONCE {
            return Ok(matches(pattern, taken, speech).is_some());
        }
        let (tried, taken) = (pattern.clone(), taken.clone());
        self.aside(move || matches(&tried, &taken, speech).is_some(), pattern, wait).await
    }

    /// Takes a command that has no arguments.
    pub(super) async fn command_alone(&mut self, verb: &str, wait: Wait) -> Result<Command> {
        let command = self.command_matching(&verb.into_pattern()?, wait).await?;
        if command.is_only(verb) {
            return Ok(command);
        }
        let error = self.fault(Kind::Malformed, format!("{verb} has no arguments"));
        Err(error.with_expected(verb).with_got(visible::excerpt(command.bytes(), SHOWN)))
    }

    /// Takes a command with its literals. If the client waits before it sends a literal, it is told
    /// to go on.
    async fn whole_command(&mut self, wanted: &(dyn Display + Sync), wait: Wait) -> Result<Bytes> {
        let mut whole = BytesMut::new();
        loop {
            let Some(taken) = self.next_frame(wanted, wait).await? else {
                return Err(self.closed(wait, wanted, None));
            };
            if whole.is_empty() && !self.turn.waits_for_literal() {
                return self.well_formed(taken, wait);
            }
            whole.extend_from_slice(&taken);
            if !self.turn.waits_for_literal() {
                return self.well_formed(whole.freeze(), wait);
            }
            if whole.len() > self.stream.buffer().limit() {
                return Err(self.fault(Kind::TooLong, "the command is longer than may be held"));
            }
            self.utter(Bytes::from_static(b"+ go on\r\n"), None, wait).await?;
        }
    }
}

impl Session {
    /// Fails for a command that does not have the form of its protocol.
    fn well_formed(&self, taken: Bytes, wait: Wait) -> Result<Bytes> {
        let speech = self.turn.speech();
        let command = Command::new(taken.clone(), speech);
        let Some(why) = command.malformed(speech) else { return Ok(taken) };
        let came = self.turn.unanswered().last().cloned().unwrap_or_default();
        let error = self.fault(Kind::Malformed, why);
        let error = error.with_got(visible::excerpt(&came, SHOWN)).with_waited(wait.waited());
        Err(error.hint("take what is no command with expect_line(...) or expect_bytes(...)"))
    }
}

/// Matches a command against a pattern. Text is the beginning of the command, in whole words.
fn matches(pattern: &Pattern, taken: &[u8], speech: Speech) -> Option<Match> {
    let line = Command::body(chomp(taken), speech);
    let Some(literal) = pattern.literal() else { return pattern.matches(line) };
    let begins = line.get(..literal.len()).is_some_and(|start| start.eq_ignore_ascii_case(literal));
    let ends = |byte: &u8| byte.is_ascii_whitespace();
    let is_whole = literal.last().is_none_or(|last| !last.is_ascii_alphanumeric())
        || line.get(literal.len()).is_none_or(ends)
        || line[literal.len()..].starts_with(b":");
    (begins && is_whole).then(Match::default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_how_a_command_begins_in_whole_words() {
        for (text, line, holds) in [
            ("MAIL", "mail FROM:<a@b>\r\n", true),
            ("MAIL FROM", "MAIL FROM:<a@b>\r\n", true),
            ("MAIL FROM:<a@b>", "MAIL FROM:<a@b> SIZE=1\r\n", true),
            ("MAIL", "MAILX\r\n", false),
            ("QUIT", "QUI\r\n", false),
        ] {
            let pattern = text.into_pattern().unwrap();
            let found = matches(&pattern, line.as_bytes(), Speech::Smtp);
            assert_eq!(found.is_some(), holds, "{text}: {line}");
        }
        let login = "LOGIN".into_pattern().unwrap();
        assert!(matches(&login, b"a1 login x y\r\n", Speech::Imap).is_some());
        assert!(matches(&login, b"login x y\r\n", Speech::Imap).is_none());
    }
}
