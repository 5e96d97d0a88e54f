//! Commands that several protocols have: one method sends the command of the session's protocol.

use super::listing::OK;
use super::{Operation, Session};
use crate::proto::Speech;
use crate::proto::capabilities::Capabilities;
use crate::proto::imap::Answer;
use crate::reply::Reply;
use crate::sasl::Credentials;

/// Client: the commands that several protocols have.
impl Session {
    /// Authenticates: AUTH in SMTP (RFC 4954) and POP3 (RFC 5034), AUTHENTICATE in IMAP (RFC 3501
    /// section 6.2.2, RFC 4959) and `ManageSieve` (RFC 5804 section 2.1). Without a named
    /// mechanism, it uses the strongest that the server advertised.
    ///
    /// The whole exchange is one operation: each challenge is answered as the mechanism requires,
    /// and the final reply has to be 235, `+OK`, or OK. With a mechanism in which the server proves
    /// itself (SCRAM, DIGEST-MD5), that proof is checked. If [`Operation::expect`] matches a
    /// challenge, such as 334, the exchange stops there, and the caller has to continue it.
    ///
    /// ```
    /// use mailexpect::{Credentials, Session, server::Embedded};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Embedded::start()?;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let mut session = Session::connect(&server.submission()).await?;
    /// session.expect(220).await?;
    /// session.send("EHLO client.example").await?;
    /// session.expect(250).await?;
    /// let wrong = Credentials::new("hoge@example.com", "wrong").mechanism("LOGIN");
    /// session.auth(wrong).expect(535).await?;
    /// session.auth(("PLAIN", "hoge@example.com", "pppwww")).await?;
    /// assert!(!session.transcript().to_string().contains("pppwww"));
    /// session.quit().await?;
    /// # Ok::<_, mailexpect::Error>(())
    /// # })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the final reply is another one;
    /// a usage error for an unknown mechanism; malformed for a challenge that cannot be read, and
    /// unexpected if the server does not prove itself: both cancel the exchange.
    pub fn auth(&mut self, credentials: impl Into<Credentials>) -> Operation<'_, Reply> {
        let credentials = credentials.into();
        self.keep_secret(credentials.secret.expose());
        self.operation(move |session, call| {
            Box::pin(async move {
                if session.turn.speech().facts().has_tags {
                    session.auth_in_imap(&credentials, call).await
                } else {
                    session.auth_in_replies(&credentials, call).await
                }
            })
        })
    }

    /// Logs in: `USER` and `PASS` in POP3 (RFC 1939 section 7), `LOGIN` in IMAP (RFC 3501 section
    /// 6.2.3).
    ///
    /// ```
    /// use mailexpect::{Session, server::Replay};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: +OK\nC: USER mrose\nS: +OK\nC: PASS two words\nS: -ERR [AUTH] no\nC: QUIT\nS: +OK")?;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let mut session = Session::connect(&server.url("pop3")).await?;
    /// session.expect("+OK").await?;
    /// let refusal = session.login("mrose", "two words").expect("-ERR").await?;
    /// assert_eq!(refusal.response_code().as_deref(), Some("AUTH"));
    /// session.quit().await?;
    /// # Ok::<_, mailexpect::Error>(())
    /// # })?;
    /// # Ok(server.finish()?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the reply is no success.
    pub fn login(&mut self, user: &str, password: &str) -> Operation<'_, Reply> {
        self.record.secrets().keep(password.as_bytes());
        if self.turn.speech() == Speech::Imap {
            let arguments = [user.into(), password.into()];
            return self.imap("login", "LOGIN", arguments).map(Answer::into_reply);
        }
        let (user, password) = (user.to_owned(), password.to_owned());
        self.operation(move |session, call| {
            Box::pin(async move {
                let verb = session.verb(call, "login", &[Speech::Pop3, Speech::Imap], OK)?;
                session.login_to_maildrop(&user, &password, &verb).await
            })
        })
    }

    /// Asks for the server's capabilities: `CAPABILITY` in IMAP (RFC 3501 section 6.1.1) and in
    /// ManageSieve (RFC 5804 section 2.4), `CAPA` in POP3 (RFC 2449 section 5).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: * OK ready
    ///     C: a1 CAPABILITY
    ///     S: * CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN
    ///     S: a1 OK done
    /// ")?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// let capabilities = session.capability().await?;
    /// assert_eq!(capabilities.keywords(), ["IMAP4rev1", "IDLE", "AUTH"]);
    /// assert!(capabilities.has("AUTH=PLAIN") && !capabilities.has("MOVE"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the reply is no success.
    pub fn capability(&mut self) -> Operation<'_, Capabilities> {
        match self.turn.speech() {
            Speech::Pop3 => self.capa(),
            Speech::Imap => self.word("capability").map(Capabilities::of_words),
            _ => self.word("capability").map(crate::proto::sieve::capabilities),
        }
    }

    /// Sends NOOP and expects success: 250 in SMTP and LMTP (RFC 5321 section 4.1.1.9), `+OK` in
    /// POP3 (RFC 1939 section 5), `OK` in IMAP (RFC 3501 section 6.1.2) and ManageSieve (RFC 5804
    /// section 2.13).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: +OK ready
    ///     C: NOOP
    ///     S: +OK still here
    /// ")?;
    /// let mut session = Session::connect(&server.url("pop3")).await?;
    /// session.expect("+OK").await?;
    /// let reply = session.noop().await?;
    /// assert_eq!(reply.text(), "+OK still here");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the reply is no success.
    pub fn noop(&mut self) -> Operation<'_, Reply> {
        self.word("noop")
    }

    /// Sends RSET, which aborts the mail transaction in SMTP and LMTP (RFC 5321 section 4.1.1.5),
    /// and removes the marks of DELE in POP3 (RFC 1939 section 5).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: 220 mail.example ESMTP
    ///     C: MAIL FROM:<hoge@example.com>
    ///     S: 250 2.1.0 Ok
    ///     C: RSET
    ///     S: 250 2.0.0 Flushed
    ///     C: RCPT TO:<alice@example.com>
    ///     S: 503 5.5.1 Error: need MAIL command
    /// ")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.mail("hoge@example.com").await?;
    /// assert_eq!(session.rset().await?.text(), "250 2.0.0 Flushed");
    /// session.rcpt("alice@example.com").expect(503).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the reply is no success.
    pub fn rset(&mut self) -> Operation<'_, Reply> {
        self.word("rset")
    }

    /// Ends the dialogue: `QUIT`, answered by 221 in SMTP and LMTP (RFC 5321 section 4.1.1.10), by
    /// `+OK` in POP3 (RFC 1939 section 6); `LOGOUT` in IMAP (RFC 3501 section 6.1.3) and in
    /// ManageSieve (RFC 5804 section 2.3). The server has to close the connection afterwards.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: 220 mail.example ESMTP
    ///     C: QUIT
    ///     S: 221 2.0.0 Bye
    ///     close
    /// ")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// let reply = session.quit().await?;
    /// assert_eq!(reply.text(), "221 2.0.0 Bye");
    /// session.expect_close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the reply is no success.
    pub fn quit(&mut self) -> Operation<'_, Reply> {
        match self.turn.speech().facts().farewell {
            Some(farewell) if farewell.command == "LOGOUT" => self.logout(),
            _ => self.word("quit"),
        }
    }

    /// Ends a dialogue in IMAP or in ManageSieve.
    pub(crate) fn logout(&mut self) -> Operation<'_, Reply> {
        self.word("logout")
    }

    /// A verb whose command is its name and nothing more, in the protocols that have it.
    fn word(&mut self, name: &'static str) -> Operation<'_, Reply> {
        let command = name.to_ascii_uppercase();
        let facts = self.turn.speech().facts();
        if facts.has_tags && facts.has_command(&command) {
            return self.imap(name, command, []).map(Answer::into_reply);
        }
        let usual = facts.success_of(&command);
        self.operation(move |session, call| {
            Box::pin(async move {
                let spoken = Speech::with_command(&command);
                let verb = session.verb(call, name, &spoken, usual)?;
                session.ask(command, &verb).await
            })
        })
    }
}
