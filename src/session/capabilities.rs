//! The capabilities of the peer, as far as the session knows them.

use super::Session;
use crate::proto::capabilities::{Capabilities, Told};

impl Session {
    /// The capabilities that the server announced last: in its reply to EHLO, LHLO or CAPA, whether
    /// a verb or the caller sent the command; in IMAP by CAPABILITY, requested or not; in
    /// ManageSieve also by its greeting. `None` before any announcement, and after a command that
    /// makes it void: HELO, STARTTLS (RFC 3207 section 4.2, RFC 3501 section 6.2.1), STLS, XCLIENT.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 hi\nC: EHLO me\nS: 250-mail.example\nS: 250 SIZE 1000")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// assert!(session.capabilities().is_none());
    /// session.send("EHLO me").await?;
    /// session.expect(250).await?;
    /// assert!(session.capabilities().unwrap().has("SIZE"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn capabilities(&self) -> Option<&Capabilities> {
        self.capabilities.as_deref()
    }

    /// Records the capabilities that a reply, or the block after a reply, announces.
    pub(super) fn note_capabilities(&mut self, said: &[u8]) {
        let Some(answered) = self.turn.answered() else { return };
        match (self.turn.speech().facts().told)(answered, said) {
            Told::Nothing => {}
            Told::Void => self.capabilities = None,
            Told::Capabilities(announced) => self.capabilities = Some(announced),
        }
    }
}
