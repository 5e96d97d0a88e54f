//! STARTTLS and STLS: the commands that turn TLS on in a session that began in clear.

use super::{Call, Operation, Session};
use crate::error::{Error, Kind, Result};
use crate::pattern::IntoPattern as _;
use crate::proto::Speech;
use crate::proto::imap::{Literals, Status};
use crate::reply::Reply;

/// TLS and compression.
impl Session {
    /// Asks for TLS, and makes the handshake if the server agrees: STARTTLS in SMTP and LMTP (RFC
    /// 3207 section 4), in IMAP (RFC 3501 section 6.2.1) and in ManageSieve, whose server then
    /// announces its capabilities again (RFC 5804 section 2.2); STLS in POP3 (RFC 2595 section 4).
    ///
    /// Configure it by [`Operation::tls`] or [`Options::tls`](crate::Options::tls). If
    /// [`Operation::expect`] expects another reply than the go-ahead, and that reply comes, the
    /// session stays in clear. Afterwards, ask for the server's capabilities again: those from
    /// before TLS are void.
    ///
    /// ```
    /// use mailexpect::{Session, server::Embedded, tls};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Embedded::start()?;
    /// let options = Session::options().tls(tls::Options::new().ca(server.ca()?));
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let mut session = options.connect(&server.smtp()).await?;
    /// session.expect(220).await?;
    /// session.starttls().await?;
    /// session.ehlo("client.example").await?;
    /// assert!(session.tls().unwrap().is_verified());
    /// session.quit().await?;
    /// # Ok::<_, mailexpect::Error>(())
    /// # })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the server does not agree; then
    /// see [`Session::tls_handshake`]; malformed if a `ManageSieve` server does not send its
    /// capabilities after that (RFC 5804 section 2.2).
    pub fn starttls(&mut self) -> Operation<'_, Reply> {
        self.operation(|session, call| Box::pin(session.upgrade(call)))
    }

    /// Begins TLS now, without sending a command: [`Session::starttls`] sends the command, takes
    /// its reply and does this. The session forgets the server's capabilities (RFC 3207 section
    /// 4.2).
    ///
    /// ```
    /// use mailexpect::{Session, server::Embedded, tls};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Embedded::start()?;
    /// let options = Session::options().tls(tls::Options::new().ca(server.ca()?));
    /// let mut session = options.connect(&server.smtp()).await?;
    /// session.expect(220).await?;
    /// session.send("STARTTLS").await?;
    /// session.expect(220).await?;
    /// session.tls_handshake().await?;
    /// assert!(session.tls().unwrap().is_verified());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `injected` if bytes of the server are unread, because nothing may come in clear at this
    /// point, unless [`tls::Options::keep_injected`](crate::tls::Options::keep_injected) was set;
    /// `tls` if the handshake fails, with the reason; a time-out; a usage error for wrong options.
    /// All of these close the session, except the first and the last.
    pub fn tls_handshake(&mut self) -> Operation<'_, ()> {
        self.operation(|session, mut call| {
            Box::pin(async move {
                let options = call.tls.take();
                let wait = session.begin(&call, "tls_handshake")?;
                session.handshake(options, wait).await
            })
        })
    }

    /// Compresses both directions with DEFLATE (RFC 1951) from here on, without sending a command:
    /// [`Session::compress`] sends the command of IMAP, takes its answer and then does this. A
    /// server calls this after it has told the client to go on. The transcript shows the
    /// uncompressed data.
    ///
    /// ```
    /// use mailexpect::{Session, server::Listener};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = Listener::bind("imap").await?;
    /// let mut client = Session::connect(&listener.url()).await?;
    /// let mut server = listener.accept().await?;
    /// server.greet("OK ready").await?;
    /// client.expect("* OK").await?;
    /// client.deflate().await?;
    /// server.deflate().await?;
    /// client.send("a1 NOOP").await?;
    /// server.expect_command("NOOP").await?;
    /// server.reply("OK done").await?;
    /// client.expect("a1 OK").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A usage error if the session is closed.
    pub fn deflate(&mut self) -> Operation<'_, ()> {
        self.operation(|session, call| {
            Box::pin(async move {
                session.begin(&call, "deflate")?;
                session.begin_deflate()
            })
        })
    }

    async fn upgrade(&mut self, mut call: Call) -> Result<Reply> {
        let options = call.tls.take();
        let speech = self.turn.speech();
        let Some(tls) = speech.facts().tls else { return Err(self.no_starttls(call)) };
        let (wait, reply, goes_ahead) = if speech.facts().has_tags {
            let (running, _) = self.prepare("starttls", call)?;
            let wait = running.verb.wait;
            let command = tls.command.as_bytes();
            let answer = self.run_prepared(running, command, &[], Literals::default()).await?;
            let goes_ahead = answer.status() == Some(Status::Ok);
            (wait, answer.into_reply(), goes_ahead)
        } else {
            let verb = self.verb(call, "starttls", &with_tls(), tls.success)?;
            let reply = self.ask(tls.command, &verb).await?;
            let goes_ahead = self.is_success(reply.bytes(), tls.success);
            (verb.wait, reply, goes_ahead)
        };
        if goes_ahead {
            self.handshake(options, wait).await?;
            if tls.greets_again {
                let again = tls.success.into_pattern()?;
                let said = self.next_reply(&again, wait).await?;
                let said = self.check(said, &again, wait).await?;
                self.check_capabilities(&said)?;
            }
        }
        Ok(reply)
    }

    /// Makes the error for a protocol without a command for TLS.
    fn no_starttls(&mut self, call: Call) -> Error {
        let usual = self.turn.speech().facts().success;
        match self.verb(call, "starttls", &with_tls(), usual) {
            Err(error) => error,
            Ok(_) => self.fault(Kind::OutOfStep, "nothing asks for TLS here"),
        }
    }
}

/// The protocols that have a command for TLS.
fn with_tls() -> Vec<Speech> {
    Speech::ALL.into_iter().filter(|speech| speech.facts().tls.is_some()).collect()
}
