//! STARTTLS and its kin: the command that puts TLS on a session in clear.

use super::{Call, Operation, Session};
use crate::error::Result;
use crate::pattern::IntoPattern as _;
use crate::proto::imap::Literals;
use crate::proto::{Speech, chomp};
use crate::reply::Reply;

/// The protocols that have the verb.
const SPOKEN: [Speech; 5] = [Speech::Smtp, Speech::Lmtp, Speech::Pop3, Speech::Imap, Speech::Sieve];

impl Session {
    /// Asks for TLS, and puts it on where the server goes ahead: STARTTLS of SMTP and LMTP (RFC
    /// 3207 section 4), of IMAP (RFC 3501 section 6.2.1) and of ManageSieve, whose server then says
    /// again what it can do (RFC 5804 section 2.2), STLS of POP3 (RFC 2595 section 4).
    ///
    /// Configure it by [`Operation::tls`] or [`Options::tls`](crate::Options::tls). If another reply
    /// than the go-ahead is expected, by [`Operation::expect`], and comes, the session stays in
    /// clear. Ask again afterwards what the server can do: what it said before counts no more.
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
    pub fn starttls(&mut self) -> Operation<'_, Reply> {
        self.operation(|session, call| Box::pin(session.upgrade(call)))
    }

    async fn upgrade(&mut self, mut call: Call) -> Result<Reply> {
        let options = call.tls.take();
        let speech = self.protocol.speech();
        let (wait, reply) = if speech == Speech::Imap {
            let (course, _) = self.set_out("starttls", call)?;
            let wait = course.verb.wait;
            let answer = self.run_course(course, b"STARTTLS", &[], Literals::default()).await?;
            (wait, answer.into_reply())
        } else {
            let (command, usual) = match speech {
                Speech::Pop3 => ("STLS", "+OK".into_pattern()),
                Speech::Sieve => ("STARTTLS", "OK".into_pattern()),
                _ => ("STARTTLS", 220.into_pattern()),
            };
            let verb = self.verb(call, "starttls", &SPOKEN, usual)?;
            (verb.wait, self.ask(command, &verb).await?)
        };
        if goes_ahead(speech, reply.bytes()) {
            self.handshake(options, wait).await?;
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
