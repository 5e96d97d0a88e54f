//! TLS on top of another transport.

use std::io::{self, IoSlice, Read as _};
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use rustls::{CommonState, ServerConfig, ServerConnection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{TlsAcceptor, TlsStream};

use super::Transport;
use crate::tls::{Attempt, looks_like_tls};

/// How many of the peer's first bytes are kept, for the error if they are no TLS.
const BEGINNING: usize = 1 << 10;
/// How many bytes in clear may come before the first record, if such bytes are let through.
const MOST_PLAIN: usize = 64 << 10;

/// TLS on another transport.
#[derive(Debug)]
pub(crate) struct Tls {
    stream: TlsStream<Beneath>,
    /// The error that broke TLS, kept until the bytes decrypted before it are read.
    broke: Option<io::Error>,
    /// TLS has failed with an alert: the stream has ended, and rustls must not be asked to read or
    /// write any more (it asserts that nothing follows a fatal alert).
    failed: bool,
}

/// A handshake that failed: the error, the transport beneath, and the peer's first bytes.
pub(crate) struct Broken {
    pub(crate) error: io::Error,
    pub(crate) transport: Transport,
    pub(crate) began: Vec<u8>,
}

impl Tls {
    /// Makes the handshake. If `lenient`, bytes in clear before the peer's first record are let
    /// through and returned.
    pub(crate) async fn connect(
        attempt: &Attempt,
        transport: Transport,
        lenient: bool,
    ) -> Result<(Self, Vec<u8>), Broken> {
        let start = if lenient { Start::Sorting(Vec::new()) } else { Start::Watching(Vec::new()) };
        match attempt
            .connector()
            .connect(attempt.name(), Beneath { transport, start, records: Records::default() })
            .into_fallible()
            .await
        {
            Ok(mut stream) => {
                let start = std::mem::replace(&mut stream.get_mut().0.start, Start::Over);
                let plain = if let Start::Sorted(plain) = start { plain } else { Vec::new() };
                Ok((Self::over(stream.into()), plain))
            }
            Err((error, Beneath { transport, start, .. })) => {
                let began = if let Start::Watching(began) = start { began } else { Vec::new() };
                Err(Broken { error, transport, began })
            }
        }
    }

    /// Waits for a client to begin the handshake, and completes it.
    pub(crate) async fn accept(
        config: Arc<ServerConfig>,
        transport: Transport,
    ) -> Result<Self, Broken> {
        let beneath =
            Beneath { transport, start: Start::Watching(Vec::new()), records: Records::default() };
        match TlsAcceptor::from(config).accept(beneath).into_fallible().await {
            Ok(mut stream) => {
                stream.get_mut().0.start = Start::Over;
                Ok(Self::over(stream.into()))
            }
            Err((error, Beneath { transport, start, .. })) => {
                let began = if let Start::Watching(began) = start { began } else { Vec::new() };
                Err(Broken { error, transport, began })
            }
        }
    }

    fn over(stream: TlsStream<Beneath>) -> Self {
        Self { stream, broke: None, failed: false }
    }

    /// The state of the connection that client and server have in common.
    pub(crate) fn connection(&self) -> &CommonState {
        self.stream.get_ref().1
    }

    /// The state of the connection that only the server's side has.
    pub(crate) fn server(&self) -> Option<&ServerConnection> {
        match &self.stream {
            TlsStream::Client(_) => None,
            TlsStream::Server(stream) => Some(stream.get_ref().1),
        }
    }

    fn layer(&mut self) -> &mut Beneath {
        match &mut self.stream {
            TlsStream::Client(stream) => stream.get_mut().0,
            TlsStream::Server(stream) => stream.get_mut().0,
        }
    }

    pub(super) fn beneath(&mut self) -> &mut Transport {
        &mut self.layer().transport
    }

    pub(super) fn into_beneath(self) -> Transport {
        match self.stream {
            TlsStream::Client(stream) => stream.into_inner().0.transport,
            TlsStream::Server(stream) => stream.into_inner().0.transport,
        }
    }

    /// Sends `close_notify`, as far as that is possible without waiting.
    pub(super) fn farewell(&mut self) {
        // If the alert cannot be sent now, it is dropped: only a peer that does not read at all has
        // no room for these few bytes.
        let _ = Pin::new(self).poll_shutdown(&mut Context::from_waker(Waker::noop()));
    }

    /// Takes bytes that were decrypted before TLS broke. They may have arrived in the same read as
    /// the bytes that broke it, and whether they are delivered must not depend on that.
    fn rescue(&mut self, buf: &mut ReadBuf<'_>) {
        // A failed read here means that there are no such bytes.
        let room = buf.initialize_unfilled();
        let read = match &mut self.stream {
            TlsStream::Client(stream) => stream.get_mut().1.reader().read(room),
            TlsStream::Server(stream) => stream.get_mut().1.reader().read(room),
        }
        .unwrap_or(0);
        buf.advance(read);
    }
}

impl AsyncRead for Tls {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if self.broke.is_none() && self.failed {
            return Poll::Ready(Ok(()));
        }
        if self.broke.is_none() {
            match Pin::new(&mut self.stream).poll_read(cx, buf) {
                Poll::Ready(Err(error)) => {
                    self.failed = error.kind() == io::ErrorKind::InvalidData;
                    self.broke = Some(error);
                }
                other => return other,
            }
        }
        self.rescue(buf);
        match self.broke.take() {
            Some(error) if buf.filled().len() == before => Poll::Ready(Err(error)),
            broke => {
                self.broke = broke;
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Tls {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.failed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.failed {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.failed {
            return Pin::new(self.beneath()).poll_shutdown(cx);
        }
        self.layer().start = Start::Closing;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The transport beneath TLS.
#[derive(Debug)]
struct Beneath {
    transport: Transport,
    start: Start,
    records: Records,
}

/// Follows the records of what the peer sends (RFC 8446 section 5.1), to know where one ends.
#[derive(Debug, Default)]
struct Records {
    /// The header of the record, as far as it has come.
    header: Vec<u8>,
    /// How many bytes of the record are still to come.
    left: usize,
}

impl Records {
    /// Takes the next bytes. Returns the offset of the first one that begins no record, if there is
    /// one; it is not taken.
    fn advance(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            if self.left > 0 {
                let count = self.left.min(bytes.len() - at);
                self.left -= count;
                at += count;
                continue;
            }
            if self.header.is_empty() && !CONTENT_TYPES.contains(&bytes[at]) {
                return Some(at);
            }
            self.header.push(bytes[at]);
            at += 1;
            if let [_, _, _, high, low] = self.header[..] {
                self.left = usize::from(u16::from_be_bytes([high, low]));
                self.header.clear();
            }
        }
        None
    }
}

/// The content types of records, from `change_cipher_spec` to `application_data` (RFC 8446 section
/// 5.1). All are control characters, so that no text begins like a record.
const CONTENT_TYPES: RangeInclusive<u8> = 20..=23;

/// What is done with the first bytes of a peer.
#[derive(Debug)]
enum Start {
    /// The first bytes are kept, for the error if they are no TLS.
    Watching(Vec<u8>),
    /// Bytes in clear are taken out, up to the first record.
    Sorting(Vec<u8>),
    /// The first record has come; these bytes in clear were taken out before it.
    Sorted(Vec<u8>),
    /// Nothing is done any more.
    Over,
    /// We have sent `close_notify`. Exim goes on in clear after that, which counts as the end.
    Closing,
}

impl Start {
    /// Looks at bytes that came, and returns whether any are left for TLS.
    fn pass(
        &mut self,
        records: &mut Records,
        buf: &mut ReadBuf<'_>,
        before: usize,
    ) -> io::Result<bool> {
        let new = &buf.filled()[before..];
        match self {
            Self::Watching(began) => {
                began.extend_from_slice(&new[..new.len().min(BEGINNING - began.len())]);
            }
            Self::Sorting(plain) if !new.is_empty() => {
                let record = (0..new.len()).find(|at| looks_like_tls(&new[*at..]));
                let (clear, rest) = new.split_at(record.unwrap_or(new.len()));
                plain.extend_from_slice(clear);
                if plain.len() > MOST_PLAIN {
                    return Err(io::Error::other("no TLS followed the bytes that came in clear"));
                }
                let rest = rest.to_vec();
                buf.set_filled(before);
                buf.put_slice(&rest);
                if record.is_none() {
                    return Ok(false);
                }
                *self = Self::Sorted(std::mem::take(plain));
            }
            Self::Sorting(_) | Self::Sorted(_) | Self::Over | Self::Closing => {}
        }
        let clear = records.advance(&buf.filled()[before..]);
        if let (Self::Closing, Some(clear)) = (self, clear) {
            buf.set_filled(before + clear);
        }
        Ok(true)
    }
}

impl Beneath {
    fn pass(&mut self, buf: &mut ReadBuf<'_>, before: usize) -> io::Result<bool> {
        self.start.pass(&mut self.records, buf, before)
    }
}

impl AsyncRead for Beneath {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        loop {
            match Pin::new(&mut self.transport).poll_read(cx, buf) {
                Poll::Ready(Ok(())) if !self.pass(buf, before)? => {}
                Poll::Pending => {
                    // Session tickets and the first reply after them come in separate segments. A
                    // server may hold back the second segment until the first is acknowledged.
                    self.transport.acknowledge();
                    return Poll::Pending;
                }
                ready @ Poll::Ready(_) => return ready,
            }
        }
    }
}

impl AsyncWrite for Beneath {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write(cx, buf)
    }

    /// Bytes that TLS writes in one go have to be in one segment: a server may close after the
    /// first of several segments.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_last_record_is_found_wherever_the_bytes_are_cut() {
        let stream = b"\x17\x03\x03\x00\x04abcd\x15\x03\x03\x00\x02ef221 bye\r\n";
        for size in 1..=stream.len() {
            let mut records = Records::default();
            let mut found = None;
            for (number, piece) in stream.chunks(size).enumerate() {
                let clear = records.advance(piece).map(|at| number * size + at);
                found = found.or(clear);
            }
            assert_eq!(found, Some(16), "{size}");
        }
    }
}
