//! Faults that a server plays on purpose while it speaks.

use std::time::Duration;

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

/// What a server does wrong on purpose while it sends something, in clear or inside TLS. It is an
/// option of [`Session::greet`], [`Session::reply`], [`Session::replies`], [`Session::serve`] and
/// the other operations by which a server sends, of a [`Listener`], and of the [`Embedded`] server.
///
/// [`Session::greet`]: crate::Session::greet
/// [`Session::reply`]: crate::Session::reply
/// [`Session::replies`]: crate::Session::replies
/// [`Session::serve`]: crate::Session::serve
/// [`Listener`]: crate::server::ListenerOptions::fault
/// [`Embedded`]: crate::server::Options::fault
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
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fault of its own")]
pub struct Fault {
    pub(crate) after: Option<Duration>,
    pub(crate) jitter: Option<Duration>,
    pub(crate) drip: Option<Duration>,
    pub(crate) cut: Option<usize>,
    pub(crate) then: Option<Then>,
    pub(crate) bare_lf: bool,
    pub(crate) nul: bool,
    pub(crate) wrong: Option<String>,
    pub(crate) doubled: bool,
    pub(crate) missing: bool,
    pub(crate) endless: Option<usize>,
    pub(crate) literal: Option<i64>,
    pub(crate) uidvalidity: bool,
    pub(crate) inject: Vec<u8>,
    pub(crate) garbage: bool,
    pub(crate) read_rate: Option<u32>,
    pub(crate) when: When,
}

/// When a fault happens. All conditions that are set must hold; without any, the fault always
/// happens.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct When {
    /// The words that the command begins with, in capitals.
    pub(crate) at: Vec<String>,
    /// The number of the connection on which the fault happens, counted from 1.
    pub(crate) connection: Option<u64>,
    /// Which of the times that the fault could happen is meant, counted from 1 over all
    /// connections.
    pub(crate) number: Option<u64>,
    /// The address, or the `@domain`, that a command or its mail transaction must have.
    pub(crate) address: Option<String>,
    /// The probability that the fault happens, from 0 to 1.
    pub(crate) chance: Option<f64>,
}

impl Fault {
    /// Makes a fault that does nothing wrong yet; the other methods add what goes wrong.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits this long before anything is sent.
    #[must_use]
    pub fn after(self, pause: Duration) -> Self {
        Self { after: Some(pause), ..self }
    }

    /// Adds a random time, at most this long, to the pause before the first byte and to the pauses
    /// between bytes. The listener's seed decides how long.
    #[must_use]
    pub fn jitter(self, most: Duration) -> Self {
        Self { jitter: Some(most), ..self }
    }

    /// Sends each byte in its own write, with this pause between two bytes.
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

    /// Sends this line in place of the last line. In IMAP, if the line is a status, the tag of the
    /// command is put before it.
    #[must_use]
    pub fn wrong(self, line: impl Into<String>) -> Self {
        Self { wrong: Some(line.into()), ..self }
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

    /// Appends this number of bytes, at most 64 MiB, to the last line, and never ends the line. It
    /// is no error if the client closes in the meantime.
    #[must_use]
    pub fn endless(self, bytes: usize) -> Self {
        Self { endless: Some(bytes.min(LONGEST)), ..self }
    }

    /// Makes each literal announce this many octets more than it has; with a negative number,
    /// fewer.
    #[must_use]
    pub fn literal(self, more: i64) -> Self {
        Self { literal: Some(more), ..self }
    }

    /// Makes UIDVALIDITY larger by one.
    #[must_use]
    pub fn uidvalidity(self, is_changed: bool) -> Self {
        Self { uidvalidity: is_changed, ..self }
    }

    /// Appends these bytes to what is sent, in the same write. After the go-ahead of STARTTLS they
    /// are sent in clear.
    #[must_use]
    pub fn inject(self, bytes: impl Into<Vec<u8>>) -> Self {
        Self { inject: bytes.into(), ..self }
    }

    /// Sends bytes that are not TLS in place of the handshake, and closes: at STARTTLS, or at
    /// CONNECT if TLS is on from the start.
    #[must_use]
    pub fn garbage(self, is_garbage: bool) -> Self {
        Self { garbage: is_garbage, ..self }
    }

    /// Reads at most this many bytes a second from the client from then on; with 0, nothing.
    #[must_use]
    pub fn read_rate(self, bytes_per_second: u32) -> Self {
        Self { read_rate: Some(bytes_per_second), ..self }
    }

    /// Sets the probability that the fault happens: 0.1 is one time in ten. The listener's seed
    /// decides which times.
    #[must_use]
    pub fn chance(mut self, chance: f64) -> Self {
        self.when.chance = Some(chance);
        self
    }

    /// For a listener: limits the fault to the answer to commands that begin with these words, such
    /// as `RCPT` or `AUTH PLAIN`. It can also be `CONNECT` (before TLS and the greeting),
    /// `GREETING`, `MESSAGE` (the reply to a message) or `RESPONSE` (the reply to a response of
    /// SASL).
    #[must_use]
    pub fn at(mut self, command: &str) -> Self {
        self.when.at = command.split_whitespace().map(str::to_ascii_uppercase).collect();
        self
    }

    /// For a listener: limits the fault to the connection with this number, counted from 1.
    #[must_use]
    pub fn connection(mut self, number: u64) -> Self {
        self.when.connection = Some(number);
        self
    }

    /// For a listener: of all times that the fault could happen, it happens only this time, counted
    /// from 1.
    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        self.when.number = Some(number);
        self
    }

    /// For a listener: limits the fault to MAIL and RCPT with this address, and to what follows in
    /// the same mail transaction. `@example.com` stands for all addresses of that domain.
    #[must_use]
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.when.address = Some(address.into());
        self
    }
}
