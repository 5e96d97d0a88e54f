//! Words that several protocols have: one method, which says in each of them what is meant.

use super::{Session, pop3, sieve};
use crate::error::Result;
use crate::pattern::{IntoPattern as _, Pattern};
use crate::proto::Speech;
use crate::proto::capabilities::Capabilities;
use crate::reply::Reply;

impl Session {
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
    /// let refusal = session.expecting("-ERR").login("mrose", "two words").await?;
    /// assert_eq!(refusal.response_code().as_deref(), Some("AUTH"));
    /// session.quit().await?;
    /// # Ok::<_, mailexpect::Error>(())
    /// # })?;
    /// # Ok(server.finish()?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is no success.
    pub async fn login(&mut self, user: &str, password: &str) -> Result<Reply> {
        self.secrets.learn(password.as_bytes());
        if self.protocol.speech() == Speech::Imap {
            return self.run_to_reply("login", "LOGIN", &[user.into(), password.into()]).await;
        }
        let verb = self.verb("login", &[Speech::Pop3, Speech::Imap], pop3::OK)?;
        self.login_to_maildrop(user, password, &verb).await
    }

    /// Asks what the server can do: `CAPABILITY` in IMAP (RFC 3501 section 6.1.1) and in
    /// ManageSieve (RFC 5804 section 2.4).
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
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is no success.
    pub async fn capability(&mut self) -> Result<Capabilities> {
        if self.protocol.speech() == Speech::Imap {
            return self
                .run_to_reply("capability", "CAPABILITY", &[])
                .await
                .map(Capabilities::of_words);
        }
        let verb = self.verb("capability", &[Speech::Imap, Speech::Sieve], sieve::OK)?;
        self.ask("CAPABILITY", &verb).await.map(crate::proto::sieve::capabilities)
    }

    /// Says goodbye: `LOGOUT` in IMAP (RFC 3501 section 6.1.3) and in ManageSieve (RFC 5804 section
    /// 2.3). The server's close is expected afterwards.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: * OK ready
    ///     C: a1 LOGOUT
    ///     S: * BYE Logging out
    ///     S: a1 OK Logout completed.
    ///     close
    /// ")?;
    /// let mut session = Session::connect(&server.url("imap")).await?;
    /// session.expect("* OK").await?;
    /// let reply = session.logout().await?;
    /// assert_eq!(reply.lines(), ["* BYE Logging out", "a1 OK Logout completed."]);
    /// session.expect_close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is no success.
    pub async fn logout(&mut self) -> Result<Reply> {
        if self.protocol.speech() == Speech::Imap {
            return self.run_to_reply("logout", "LOGOUT", &[]).await;
        }
        let verb = self.verb("logout", &[Speech::Imap, Speech::Sieve], sieve::OK)?;
        self.ask("LOGOUT", &verb).await
    }

    /// Does nothing, and wants success for it: 250 in SMTP and LMTP (RFC 5321 section 4.1.1.9),
    /// `+OK` in POP3 (RFC 1939 section 5), `OK` in IMAP (RFC 3501 section 6.1.2) and ManageSieve
    /// (RFC 5804 section 2.13).
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
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is no success.
    pub async fn noop(&mut self) -> Result<Reply> {
        if self.protocol.speech() == Speech::Imap {
            return self.run_to_reply("noop", "NOOP", &[]).await;
        }
        let usual = self.success(250)?;
        let spoken = [Speech::Smtp, Speech::Lmtp, Speech::Pop3, Speech::Imap, Speech::Sieve];
        let verb = self.verb("noop", &spoken, usual)?;
        self.ask("NOOP", &verb).await
    }

    /// Drops what was begun: the mail transaction in SMTP and LMTP (RFC 5321 section 4.1.1.5), the
    /// marks of DELE in POP3 (RFC 1939 section 5).
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
    /// session.expecting(503).rcpt("alice@example.com").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is no success.
    pub async fn rset(&mut self) -> Result<Reply> {
        let usual = self.success(250)?;
        let verb = self.verb("rset", &[Speech::Smtp, Speech::Lmtp, Speech::Pop3], usual)?;
        self.ask("RSET", &verb).await
    }

    /// Says goodbye: QUIT, answered by 221 in SMTP and LMTP (RFC 5321 section 4.1.1.10), by `+OK`
    /// in POP3 (RFC 1939 section 6). The server's close is expected afterwards.
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
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is no success.
    pub async fn quit(&mut self) -> Result<Reply> {
        let usual = self.success(221)?;
        let verb = self.verb("quit", &[Speech::Smtp, Speech::Lmtp, Speech::Pop3], usual)?;
        self.ask("QUIT", &verb).await
    }

    /// What this session's protocol calls success: in SMTP it is this code.
    fn success(&self, code: i32) -> Result<Pattern> {
        match self.protocol.speech() {
            Speech::Pop3 => pop3::OK.into_pattern(),
            Speech::Sieve => sieve::OK.into_pattern(),
            _ => code.into_pattern(),
        }
    }
}
