//! What a session knows of itself and of its peer.

use std::time::Duration;

use super::Session;
use crate::proto::capabilities::{Capabilities, Told};
use crate::tls::Established;
use crate::transcript::{SessionId, Transcript};

/// What a session knows: of itself, and of its peer.
impl Session {
    /// The session's number in its transcript.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.record.id()
    }

    /// The URL or the command that the session speaks with.
    #[must_use]
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// The protocol's name: the scheme of the session's URL, or `stream` if the protocol has no
    /// framing.
    #[must_use]
    pub fn protocol(&self) -> &str {
        self.turn.protocol().name()
    }

    /// The deadline of each operation.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.stream.timeout()
    }

    /// Sets the deadline of each operation from now on.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.stream.set_timeout(timeout);
    }

    /// Whether certificates have to be valid.
    #[cfg(feature = "script")]
    pub(crate) fn verifies(&self) -> bool {
        self.stream.tls_options().verifies()
    }

    /// Whether the server waits for a command: all replies have come, and no message, literal or
    /// SASL response is due.
    #[cfg(feature = "cli")]
    pub(crate) fn awaits_command(&self) -> bool {
        let protocol = self.turn.protocol();
        self.turn.owed_to_us() == 0
            && protocol.asks().is_none()
            && !protocol.wants_message()
            && !protocol.is_within_command()
    }

    /// Sets the deadline of all operations together, which bounds that of each.
    #[cfg(feature = "script")]
    pub(crate) fn set_until(&mut self, until: Option<std::time::Instant>) {
        self.stream.set_until(until);
    }

    /// The number of replies that the peer owes: one after connecting, and one for each command.
    /// For a message over LMTP, the peer owes one for each recipient that it accepted.
    #[must_use]
    pub fn owed(&self) -> usize {
        self.turn.owed_to_us()
    }

    /// Whether the server has said that it closes now, as in its answer to QUIT.
    #[cfg(feature = "cli")]
    pub(crate) fn is_closing(&self) -> bool {
        self.turn.protocol().is_closing()
    }

    /// The transcript that records this session.
    #[must_use]
    pub fn transcript(&self) -> &Transcript {
        self.record.transcript()
    }

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

    /// The TLS parameters of the session, once TLS is on.
    ///
    /// ```
    /// use mailexpect::{Session, server::Embedded, tls};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Embedded::start()?;
    /// let options = Session::options().tls(tls::Options::new().verify(false));
    /// let mut session = options.connect(&server.submissions()).await?;
    /// session.expect(220).await?;
    /// let tls = session.tls().unwrap();
    /// assert!(!tls.is_verified() && tls.fault.is_some(), "nobody knows the CA");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn tls(&self) -> Option<&Established> {
        self.stream.tls()
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
