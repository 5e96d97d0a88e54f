//! DEFLATE on a session, in both directions (RFC 4978).

use std::io;

use super::{Operation, Session};
use crate::error::{Error, Kind, Result};
use crate::transcript::{About, What};
use crate::transport::NotDeflate;

impl Session {
    /// Compresses both directions with DEFLATE from here on, without sending a command:
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

    /// Begins the compression as part of an operation that has begun.
    pub(super) fn begin_deflate(&mut self) -> Result<()> {
        self.transport()?;
        if self.ending.is_half_closed() {
            let error = "nothing can be sent after shutdown(), so nothing can be compressed";
            return Err(self.fault(Kind::Usage, error));
        }
        self.stream.deflate();
        let text = "DEFLATE, in both directions".into();
        self.record.note(What::Note { about: About::Compression, text });
        Ok(())
    }

    /// Returns the error for data that is not DEFLATE, if that is why reading failed.
    pub(super) fn deflate_broke(&self, error: &io::Error) -> Option<Error> {
        let why = NotDeflate::of(error)?;
        let message = format!("what came cannot be inflated: {why}");
        let error = self.fault(Kind::Malformed, message).with_expected("DEFLATE (RFC 1951)");
        Some(error.hint(format!(
            "the {} has to compress all that follows its answer to COMPRESS",
            self.turn.role().peer()
        )))
    }
}
