//! STARTTLS and its kin: the command that puts TLS on a session in clear.

use super::Session;
use crate::error::Result;
use crate::pattern::IntoPattern as _;
use crate::proto::{Speech, chomp};
use crate::reply::Reply;
use crate::session::wait::Wait;

/// The protocols that have the verb.
const SPOKEN: [Speech; 5] = [Speech::Smtp, Speech::Lmtp, Speech::Pop3, Speech::Imap, Speech::Sieve];

impl Session {
    /// Asks for TLS, and puts it on where the server goes ahead: STARTTLS of SMTP and LMTP (RFC
    /// 3207 section 4), of IMAP (RFC 3501 section 6.2.1) and of ManageSieve, whose server then says
    /// again what it can do (RFC 5804 section 2.2), STLS of POP3 (RFC 2595 section 4).
    ///
    /// How is for [`Session::set_tls`] and [`Options::tls`](crate::Options::tls) to say. Where
    /// another reply than the go-ahead is expected, by [`Session::expecting`], and comes, the
    /// session stays in clear. Ask again afterwards what the server can do: what it said before
    /// counts no more.
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
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the server does not go ahead;
    /// then as [`Session::tls_handshake`].
    pub async fn starttls(&mut self) -> Result<Reply> {
        self.upgrade("starttls", &SPOKEN).await
    }

    /// [`Session::starttls`] by its name in POP3 (RFC 2595 section 4).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: +OK ready
    ///     C: STLS
    ///     S: -ERR TLS is not available
    /// ")?;
    /// let mut session = Session::connect(&server.url("pop3")).await?;
    /// session.expect("+OK").await?;
    /// let refusal = session.expecting("-ERR").stls().await?;
    /// assert_eq!(refusal.text(), "-ERR TLS is not available");
    /// assert!(session.tls().is_none());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Session::starttls`].
    pub async fn stls(&mut self) -> Result<Reply> {
        self.upgrade("stls", &[Speech::Pop3]).await
    }

    async fn upgrade(&mut self, name: &str, spoken: &[Speech]) -> Result<Reply> {
        let speech = self.protocol.speech();
        let wait = Wait::new(self.within.unwrap_or(self.timeout));
        let reply = match speech {
            Speech::Imap if spoken.contains(&speech) => {
                self.run_to_reply(name, "STARTTLS", &[]).await?
            }
            Speech::Pop3 => {
                let verb = self.verb(name, spoken, "+OK")?;
                self.ask("STLS", &verb).await?
            }
            Speech::Sieve => {
                let verb = self.verb(name, spoken, "OK")?;
                self.ask("STARTTLS", &verb).await?
            }
            _ => {
                let verb = self.verb(name, spoken, 220)?;
                self.ask("STARTTLS", &verb).await?
            }
        };
        if goes_ahead(speech, reply.bytes()) {
            self.handshake(wait).await?;
            if speech == Speech::Sieve {
                let again = "OK".into_pattern()?;
                let said = self.next_reply(&again, wait).await?;
                self.hold(said, &again, wait)?;
            }
        }
        Ok(reply)
    }
}

/// Whether a reply says that the handshake is next.
fn goes_ahead(speech: Speech, reply: &[u8]) -> bool {
    match speech {
        // Untagged responses may stand before the tagged one.
        Speech::Imap => {
            let last = chomp(reply).rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
            last.split(|byte| *byte == b' ')
                .nth(1)
                .is_some_and(|status| status.eq_ignore_ascii_case(b"OK"))
        }
        Speech::Pop3 => reply.starts_with(b"+OK"),
        Speech::Sieve => reply.get(..2).is_some_and(|status| status.eq_ignore_ascii_case(b"OK")),
        _ => reply.starts_with(b"220"),
    }
}
