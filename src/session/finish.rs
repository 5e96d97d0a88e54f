//! The end of a session: a green run must have proved something.

use super::Session;
use super::multiline::BLOCK;
use crate::error::{Error, Kind, Result};
use crate::transcript::{Close, Excerpt, What};
use crate::transport::Transport;

impl Session {
    /// Closes the connection, after making sure that nothing was left unexpected;
    /// [`Session::reset`] leaves without asking.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 hi\nC: NOOP\nS: 250 ok")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.send("NOOP").await?;
    /// assert!(session.close().await.unwrap_err().is_vacuous(), "the reply was not expected");
    /// session.expect(250).await?;
    /// session.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Session::finish`].
    pub async fn close(&mut self) -> Result<()> {
        if self.transport.is_none() && self.end_noted {
            return Ok(());
        }
        self.transport()?;
        self.look().await?;
        self.check_settled()?;
        self.hang_up();
        Ok(())
    }

    /// Resets the connection (RST where it is TCP), whatever is still owed.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 hi\nC: DATA\nS: 354 go on")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.send("DATA").await?;
    /// session.reset()?;
    /// assert!(session.transcript().to_string().ends_with("*** reset by the client\n"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A usage error where it is closed already; i/o where the system refuses.
    pub fn reset(&mut self) -> Result<()> {
        self.transport()?;
        self.record_unread();
        self.record(What::Closed(Close::ResetByClient));
        self.waive();
        let reset = self.transport.take().map_or(Ok(()), Transport::reset);
        reset.map_err(|error| self.fault(Kind::Io, format!("the reset failed: {error}")))
    }

    /// Makes sure that nothing was left unexpected, then closes the connection if it is open.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 hi\nC: NOOP\nS: 250 ok")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.send("NOOP").await?;
    /// let vacuous = session.finish().await.unwrap_err();
    /// assert_eq!(vacuous.message(), "the reply to the last command was never expected");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Vacuous where a reply was never expected or input was left unread; closed where the peer
    /// closed and nobody expected it. After the reply to QUIT, and after 421, the close is
    /// expected.
    pub async fn finish(&mut self) -> Result<()> {
        if self.transport.is_none() {
            return Ok(());
        }
        let looked = self.look().await;
        let settled = looked.and_then(|()| self.check_settled());
        self.hang_up();
        settled
    }

    /// Ends the session without judging it; what is unread goes into the transcript.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 hi\nC: NOOP\nS: 250 ok")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.send("NOOP").await?;
    /// session.hang_up();
    /// assert!(session.transcript().to_string().ends_with("*** closed by the client\n"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn hang_up(&mut self) {
        if self.transport.is_none() {
            return;
        }
        self.record_unread();
        if let Some(mut transport) = self.transport.take() {
            transport.farewell();
        }
        if self.protocol.is_closing() && !self.end_noted {
            self.end_noted = true;
            self.record(What::Closed(Close::Agreed));
        } else if self.ended.is_some() {
            self.note_end();
        } else {
            self.record(What::Closed(Close::ByClient));
        }
    }

    fn check_settled(&mut self) -> Result<()> {
        let owed = self.protocol.owed();
        if owed > 0 {
            return Err(self.never_expected(owed));
        }
        if !self.buffer.is_empty() {
            let error = self
                .fault(Kind::Vacuous, "input was left unread")
                .with_expected("everything that came to be expected");
            return Err(error.with_got(self.shown_held()).hint("expect it, or leave with reset()"));
        }
        if self.ended.is_some() && !self.end_noted && !self.protocol.is_closing() {
            let error =
                self.fault(Kind::Closed, "the server closed the connection and nobody expected it");
            return Err(error
                .with_expected("an open connection")
                .with_got("the close")
                .hint("if the close is right, say so with expect_close()"));
        }
        Ok(())
    }

    fn never_expected(&self, owed: usize) -> Error {
        let message = match (&self.last_sent, owed) {
            (_, 1) if self.protocol.owes_block() => format!("{BLOCK} was never taken"),
            (None, _) if self.expectations == 0 => "the greeting was never expected".to_owned(),
            (_, 1) => "the reply to the last command was never expected".to_owned(),
            (_, owed) => format!("{owed} replies were never expected"),
        };
        let error = self
            .fault(Kind::Vacuous, message)
            .with_expected("an expectation for every reply")
            .with_got(self.shown_unread());
        if self.owes_to_an_empty_line() {
            return error.hint(super::slip::EMPTY_LINE);
        }
        if self.protocol.owes_block() {
            return error.hint("take it with expect_multiline(), or leave with reset()");
        }
        error.hint("add the expect, say expect_silence(...) where no reply must come, or leave with reset()")
    }

    fn record_unread(&mut self) {
        self.record_skipped();
        if let Some((complaints, status)) = self.transport.as_mut().and_then(Transport::complaints)
        {
            if !complaints.is_empty() {
                self.record(What::Complaint(Excerpt::from(self.masked(complaints.into()))));
            }
            if let Some(status) = status {
                self.record(What::Exited(status));
            }
        }
        if !self.buffer.is_empty() {
            let unread = self.buffer.take(self.buffer.held().len());
            self.record(What::Unread(Excerpt::from(self.masked(unread))));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.hang_up();
    }
}
