//! DEFLATE on a session, in both directions (RFC 4978).

use std::io;

use super::Session;
use crate::error::{Error, Kind, Result};
use crate::transcript::{About, What};
use crate::transport::NotDeflate;

impl Session {
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
