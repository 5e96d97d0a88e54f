//! Words that several protocols have: one method, which says in each of them what is meant.

use super::Session;
use crate::error::Result;
use crate::proto::Speech;
use crate::reply::Reply;

impl Session {
    /// Logs in: `LOGIN` in IMAP (RFC 3501 section 6.2.3).
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is no success.
    pub async fn login(&mut self, user: &str, password: &str) -> Result<Reply> {
        self.secrets.learn(password.as_bytes());
        self.run_to_reply("login", "LOGIN", &[user.into(), password.into()]).await
    }

    /// Says goodbye: `LOGOUT` in IMAP (RFC 3501 section 6.1.3). The server's close is expected afterwards.
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is no success.
    pub async fn logout(&mut self) -> Result<Reply> {
        self.run_to_reply("logout", "LOGOUT", &[]).await
    }

    /// Does nothing, and wants success for it: 250 in SMTP and LMTP (RFC 5321 section 4.1.1.9), `OK` in IMAP (RFC 3501 section 6.1.2).
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is no success.
    pub async fn noop(&mut self) -> Result<Reply> {
        if self.protocol.speech() == Speech::Imap {
            return self.run_to_reply("noop", "NOOP", &[]).await;
        }
        let verb = self.verb("noop", &[Speech::Smtp, Speech::Lmtp, Speech::Imap], 250)?;
        self.ask("NOOP", &verb).await
    }

    /// Drops what was begun: the mail transaction in SMTP and LMTP (RFC 5321 section 4.1.1.5).
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is no success.
    pub async fn rset(&mut self) -> Result<Reply> {
        let verb = self.verb("rset", &[Speech::Smtp, Speech::Lmtp], 250)?;
        self.ask("RSET", &verb).await
    }

    /// Says goodbye: QUIT, answered by 221 in SMTP and LMTP (RFC 5321 section 4.1.1.10). The server's close is expected afterwards.
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is no success.
    pub async fn quit(&mut self) -> Result<Reply> {
        let verb = self.verb("quit", &[Speech::Smtp, Speech::Lmtp], 221)?;
        self.ask("QUIT", &verb).await
    }
}
