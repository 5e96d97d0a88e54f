//! DATA and BDAT, and the replies to a message: one in SMTP, one for each recipient in LMTP.

use bytes::Bytes;

use super::smtp::success;
use super::{Call, Operation, SMTP, Session, Verb};
use crate::error::{Error, Kind, Result};
use crate::pattern::{IntoPattern as _, Pattern};
use crate::proto::Speech;
use crate::proto::smtp::dot_stuff;
use crate::reply::Reply;
use crate::session::Payload;

/// Client: messages of SMTP and LMTP (RFC 5321 section 4.1.1.4, RFC 3030).
impl Session {
    /// Sends a message: `DATA`, and after 354 the message with leading dots doubled and the final
    /// dot, in one write (RFC 5321 section 4.1.1.4).
    ///
    /// Returns the reply to the message. In LMTP, returns one reply for each accepted recipient, in
    /// the order of the recipients (RFC 2033 section 4.2). In SMTP, if `MAIL` asked for `PRDR` and
    /// the server used it, returns one reply for each recipient and one for all. If the server
    /// refuses `DATA` itself, the refusal is the only reply, and is matched against the expected
    /// pattern.
    ///
    /// ```
    /// use mailexpect::{Session, server::Replay};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: 220 lmtp.example ready
    ///     C: LHLO client.example
    ///     S: 250 lmtp.example
    ///     C: MAIL FROM:<hoge@example.com>
    ///     S: 250 ok
    ///     C: RCPT TO:<alice@example.com>
    ///     S: 250 ok
    ///     C: RCPT TO:<full@example.com>
    ///     S: 250 ok
    ///     C: DATA
    ///     S: 354 go on
    ///     C: Subject: hello
    ///     C: .
    ///     S: 250 2.0.0 alice has it
    ///     S: 452 4.2.2 the mailbox is full
    ///     C: QUIT
    ///     S: 221 bye
    /// ")?;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let mut session = Session::connect(&server.url("lmtp")).await?;
    /// session.expect(220).await?;
    /// session.lhlo("client.example").await?;
    /// session.mail("hoge@example.com").await?;
    /// session.rcpt("alice@example.com").await?;
    /// session.rcpt("full@example.com").await?;
    /// let replies = session.data("Subject: hello\n").expect_each([250, 452]).await?;
    /// assert_eq!(replies[1].enhanced().map(|code| code.to_string()).as_deref(), Some("4.2.2"));
    /// session.quit().await?;
    /// # Ok::<_, mailexpect::Error>(())
    /// # })?;
    /// server.finish()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if a reply is not 250, if the
    /// reply to DATA is neither 354 nor a refusal, or if [`Operation::expect_each`] gave a number
    /// of patterns that differs from the number of replies.
    pub fn data<'s, 'a: 's>(
        &'s mut self,
        message: impl Into<Payload<'a>>,
    ) -> Operation<'s, Vec<Reply>> {
        let message = message.into();
        self.operation(move |session, call| Box::pin(session.transfer(message, call)))
    }

    /// Sends a chunk of a message unchanged: `BDAT size`, with `LAST` for the last chunk, and the
    /// octets in the same write (RFC 3030 section 2).
    ///
    /// Returns the same replies as [`Session::data`] for the last chunk, and one reply for any
    /// other.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: 220 mail.example ESMTP
    ///     C: EHLO client.example
    ///     S: 250-mail.example
    ///     S: 250 CHUNKING
    ///     C: MAIL FROM:<hoge@example.com>
    ///     S: 250 ok
    ///     C: RCPT TO:<alice@example.com>
    ///     S: 250 ok
    ///     C: BDAT 16
    ///     C: Subject: hello
    ///     S: 250 16 octets
    ///     C: BDAT 5 LAST
    ///     C:
    ///     C: .
    ///     S: 250 21 octets, queued
    /// ")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.ehlo("client.example").await?;
    /// session.mail("hoge@example.com").await?;
    /// session.rcpt("alice@example.com").await?;
    /// session.bdat("Subject: hello\n", false).await?;
    /// let replies = session.bdat("\n.\n", true).await?;
    /// assert_eq!(replies[0].text(), "250 21 octets, queued");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if a reply is not 250.
    pub fn bdat<'s, 'a: 's>(
        &'s mut self,
        chunk: impl Into<Payload<'a>>,
        last: bool,
    ) -> Operation<'s, Vec<Reply>> {
        let chunk = chunk.into();
        self.operation(move |session, call| Box::pin(session.transfer_chunk(chunk, last, call)))
    }

    async fn transfer(&mut self, message: Payload<'_>, mut call: Call) -> Result<Vec<Reply>> {
        let each = call.expect_each.take().transpose()?;
        let is_given = call.expect.is_some();
        let verb = self.verb(call, "data", &SMTP, 250)?;
        self.send_line(b"DATA", verb.wait).await?;
        let go_ahead = success("data").into_pattern()?;
        let first = if is_given { &verb.wanted } else { &go_ahead };
        let reply = self.next_reply(first, verb.wait).await?;
        if !success("data").fits(&reply) {
            let is_refusal = matches!(reply.first(), None | Some(b'4' | b'5'));
            let wanted = match each.as_deref() {
                None if is_refusal => first,
                Some([wanted]) if is_refusal => wanted,
                // A reply that is no refusal is an error too, because no message was sent.
                _ => &go_ahead,
            };
            return self.check(reply, wanted, verb.wait).await.map(|reply| vec![reply]);
        }
        self.send_in_turn(dot_stuff(message.bytes()), verb.wait).await?;
        self.verdicts(&verb, each).await
    }

    async fn transfer_chunk(
        &mut self,
        chunk: Payload<'_>,
        last: bool,
        mut call: Call,
    ) -> Result<Vec<Reply>> {
        let each = call.expect_each.take().transpose()?;
        let verb = self.verb(call, "bdat", &SMTP, 250)?;
        let command =
            Bytes::from(format!("BDAT {}{}", chunk.bytes().len(), if last { " LAST" } else { "" }));
        self.send_in_turn([&command, &b"\r\n"[..], chunk.bytes()].concat(), verb.wait).await?;
        // The reply answers the BDAT command, and not the last line of the chunk.
        self.turn.rename_sent(command);
        self.verdicts(&verb, each).await
    }

    /// Takes the replies to a message or a chunk that was just sent. No other replies are owed.
    async fn verdicts(&mut self, verb: &Verb, each: Option<Vec<Pattern>>) -> Result<Vec<Reply>> {
        let mut replies = Vec::new();
        let mut announced = false;
        while self.turn.owed_to_us() > 0 {
            let (place, due) = (replies.len(), replies.len() + self.turn.owed_to_us());
            let wanted = match &each {
                Some(each) => each.get(place).ok_or_else(|| self.miscounted(each.len(), due))?,
                None => &verb.wanted,
            };
            let named = |error: Error| {
                if due > 1 { error.with_expected(self::named(wanted, place, due)) } else { error }
            };
            let reply = self.next_reply(wanted, verb.wait).await.map_err(named)?;
            // Exim announces the replies for each recipient with this 353.
            if !announced
                && reply.starts_with(b"353")
                && self.turn.owed_to_us() > 0
                && self.turn.speech() == Speech::Smtp
            {
                announced = true;
                continue;
            }
            replies.push(self.check(reply, wanted, verb.wait).await.map_err(named)?);
        }
        match each {
            Some(each) if each.len() > replies.len() => {
                Err(self.miscounted(each.len(), replies.len()))
            }
            _ => Ok(replies),
        }
    }

    fn miscounted(&self, patterns: usize, replies: usize) -> Error {
        let error = self.fault(
            Kind::Mismatch,
            "the message has another number of replies than there are patterns for them",
        );
        let error = error
            .with_expected(format!("{patterns}, as there are patterns"))
            .with_got(replies.to_string());
        error.hint("LMTP answers a message once for each recipient that was accepted (RFC 2033, 4.2), SMTP once")
    }
}

/// The expected pattern as errors show it, with its place among the replies to the message.
fn named(wanted: &Pattern, place: usize, due: usize) -> String {
    format!(
        "{wanted} (reply {} of {due} to the message: one for each recipient that was accepted)",
        place + 1
    )
}
