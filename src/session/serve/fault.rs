//! Faults that a server plays on purpose while it speaks.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::super::Session;
use super::super::waiting::Wait;
use crate::error::{Error, Result};
use crate::transcript::What;

/// The most bytes that are sent of an endless line.
const LONGEST: usize = 64 << 20;

/// What happens to the connection after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Then {
    /// The connection is closed, after a `close_notify` if TLS is on.
    Close,
    /// The connection is reset.
    Reset,
    /// We close for sending, and still read.
    HalfClose,
    /// Nothing more is sent, and the connection stays open.
    Silence,
    /// The connection is closed without a `close_notify`, as if an attacker had cut it.
    CutTls,
}

/// A fault that a server plays while it says something. It is an option of [`Session::greet`],
/// [`Session::reply`], [`Session::replies`] and [`Session::serve`], in clear and inside TLS.
///
/// ```
/// use std::time::Duration;
/// use mailexpect::{Session, Fault, Then, block_on, server::Listener};
///
/// # fn main() -> mailexpect::Result<()> {
/// block_on(async {
///     let listener = Listener::bind("smtp").await?;
///     let mut client = Session::connect(&listener.url()).await?;
///     let mut server = listener.accept().await?;
///     server.greet("220 hi").fault(Fault::new().cut(3).then(Then::Close)).await?;
///     let error = client.expect(220).await.unwrap_err();
///     assert!(error.message().contains("in the middle of a reply"));
///     Ok(())
/// })
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fault of its own")]
pub struct Fault {
    after: Option<Duration>,
    drip: Option<Duration>,
    cut: Option<usize>,
    then: Option<Then>,
    bare_lf: bool,
    nul: bool,
    doubled: bool,
    missing: bool,
    endless: Option<usize>,
}

impl Fault {
    /// No fault; add some by the other methods.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits for this time before anything is sent.
    #[must_use]
    pub fn after(self, pause: Duration) -> Self {
        Self { after: Some(pause), ..self }
    }

    /// Sends each byte in its own write, with this pause in between.
    #[must_use]
    pub fn drip(self, pause: Duration) -> Self {
        Self { drip: Some(pause), ..self }
    }

    /// Sends only this number of bytes and then closes, unless [`Fault::then`] says otherwise.
    #[must_use]
    pub fn cut(self, bytes: usize) -> Self {
        Self { cut: Some(bytes), ..self }
    }

    /// Sets what happens to the connection afterwards.
    #[must_use]
    pub fn then(self, then: Then) -> Self {
        Self { then: Some(then), ..self }
    }

    /// Ends lines with a bare LF.
    #[must_use]
    pub fn bare_lf(self, is_bare: bool) -> Self {
        Self { bare_lf: is_bare, ..self }
    }

    /// Puts a NUL before the end of the first line.
    #[must_use]
    pub fn nul(self, has_nul: bool) -> Self {
        Self { nul: has_nul, ..self }
    }

    /// Sends the last line twice.
    #[must_use]
    pub fn doubled(self, is_doubled: bool) -> Self {
        Self { doubled: is_doubled, ..self }
    }

    /// Leaves the last line out.
    #[must_use]
    pub fn missing(self, is_missing: bool) -> Self {
        Self { missing: is_missing, ..self }
    }

    /// Makes the last line this number of bytes long and never ends it; at most 64 MiB are sent. It
    /// is no error if the client closes in the meantime.
    #[must_use]
    pub fn endless(self, bytes: usize) -> Self {
        Self { endless: Some(bytes.min(LONGEST)), ..self }
    }

    /// The bytes that are sent in place of `bytes`.
    fn spoilt(&self, bytes: &Bytes) -> Bytes {
        let start = memchr::memrchr(b'\n', &bytes[..bytes.len().saturating_sub(1)]);
        let (before, last) = bytes.split_at(start.map_or(0, |at| at + 1));
        let mut spoilt = BytesMut::from(before);
        if !self.missing {
            spoilt.extend_from_slice(last);
        }
        if self.doubled {
            spoilt.extend_from_slice(last);
        }
        if let Some(length) = self.endless {
            spoilt.truncate(crate::proto::chomp(&spoilt).len());
            spoilt.resize(spoilt.len() + length, b'x');
        }
        if self.nul
            && let Some(at) = memchr::memchr(b'\r', &spoilt)
        {
            let rest = spoilt.split_off(at);
            spoilt.extend_from_slice(b"\0");
            spoilt.unsplit(rest);
        }
        if self.bare_lf {
            let bare = spoilt.iter().copied().filter(|byte| *byte != b'\r').collect::<Vec<_>>();
            spoilt = BytesMut::from(&bare[..]);
        }
        let length = self.cut.map_or(spoilt.len(), |cut| cut.min(spoilt.len()));
        spoilt.freeze().slice(..length)
    }
}

impl Session {
    /// Sends bytes if it is our turn, with the fault if there is one.
    pub(super) async fn utter(
        &mut self,
        bytes: impl Into<Bytes>,
        fault: Option<Box<Fault>>,
        wait: Wait,
    ) -> Result<()> {
        let bytes = bytes.into();
        let Some(fault) = fault else { return self.send_in_turn(bytes, wait).await };
        self.check_turn(&bytes).await?;
        if let Some(after) = fault.after {
            tokio::time::sleep(after).await;
        }
        let spoilt = fault.spoilt(&bytes);
        // The deadline limits how long the client may take to read, and not the pauses on purpose.
        let wait = Wait::new(wait.allowed);
        let said = match fault.drip {
            None => self.write_for(&bytes, spoilt, wait).await,
            Some(pause) => self.drip(&bytes, &spoilt, (pause, wait.allowed)).await,
        };
        match said {
            Err(error) if error.is_closed() && fault.endless.is_some() => {
                self.turn.settle_all();
                self.hang_up();
                return Ok(());
            }
            said => said?,
        }
        self.end_by(fault.then.or(fault.cut.map(|_| Then::Close))).await
    }

    /// Sends each byte on its own, with a pause in between. The client has the time `allowed` to
    /// read each byte.
    async fn drip(
        &mut self,
        meant: &Bytes,
        bytes: &Bytes,
        (pause, allowed): (Duration, Duration),
    ) -> Result<()> {
        self.note_sent(meant, bytes);
        for at in 0..bytes.len() {
            if at > 0 {
                tokio::time::sleep(pause).await;
            }
            self.write_rest(&bytes.slice(at..=at), 0, Wait::new(allowed)).await?;
        }
        Ok(())
    }

    async fn end_by(&mut self, then: Option<Then>) -> Result<()> {
        match then {
            None | Some(Then::Silence) => Ok(()),
            Some(Then::Close) => {
                self.turn.settle_all();
                self.hang_up();
                Ok(())
            }
            Some(Then::Reset) => self.reset(),
            Some(Then::HalfClose) => self.shutdown().await,
            Some(Then::CutTls) => {
                self.turn.settle_all();
                if self.stream.take_transport().is_none() {
                    return Err(Error::usage("the session is closed"));
                }
                if self.ending.note_ours() {
                    self.record.note(What::Closed(self.turn.role().closes()));
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoilt(fault: &Fault, bytes: &'static str) -> String {
        String::from_utf8(fault.spoilt(&Bytes::from_static(bytes.as_bytes())).to_vec()).unwrap()
    }

    #[test]
    fn each_fault_spoils_what_is_said_in_its_own_way() {
        let two = "250-a\r\n250 b\r\n";
        for (fault, expected) in [
            (Fault::new(), two),
            (Fault::new().bare_lf(true), "250-a\n250 b\n"),
            (Fault::new().nul(true), "250-a\0\r\n250 b\r\n"),
            (Fault::new().doubled(true), "250-a\r\n250 b\r\n250 b\r\n"),
            (Fault::new().missing(true), "250-a\r\n"),
            (Fault::new().endless(3), "250-a\r\n250 bxxx"),
            (Fault::new().cut(4), "250-"),
            (Fault::new().cut(99), two),
            (Fault::new().missing(true).cut(0), ""),
        ] {
            assert_eq!(spoilt(&fault, two), expected, "{fault:?}");
        }
        assert_eq!(spoilt(&Fault::new().missing(true), "250 a\r\n"), "");
    }
}
