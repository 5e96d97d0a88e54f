//! DEFLATE (RFC 1951) on top of another transport, for the COMPRESS command of IMAP (RFC 4978).
//!
//! Data that is read is inflated directly into the reader's buffer. So a few bytes that inflate to
//! gigabytes take no more memory than that buffer. Each write ends with a sync flush, so that the
//! peer can inflate all of it without waiting for more.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most received bytes that are held before they are inflated.
const INCOMING: usize = 8 << 10;
/// The most bytes that are deflated at once. This also bounds the deflated bytes that are held
/// until they are written.
const PIECE: usize = 16 << 10;
/// The most reads in a row that inflate to nothing, before other tasks get a turn: a peer may send
/// empty blocks without end.
const EMPTY_READS: u32 = 32;

/// A transport that compresses with DEFLATE in both directions.
pub(crate) struct Deflate<T> {
    beneath: T,
    decompress: Decompress,
    /// Received bytes; those from `at` on are not inflated yet.
    incoming: Vec<u8>,
    at: usize,
    /// Whether the peer has ended its DEFLATE stream.
    over: bool,
    compress: Compress,
    /// Deflated bytes that are not written yet.
    outgoing: Vec<u8>,
}

/// The error for received data that is not DEFLATE.
#[derive(Debug)]
pub(crate) struct NotDeflate(&'static str);

impl NotDeflate {
    /// Returns this error, if a read failed because of it.
    pub(crate) fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for NotDeflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for NotDeflate {}

fn broken(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, NotDeflate(why))
}

/// Returns by how much a counter has grown.
fn moved(now: u64, before: u64) -> usize {
    usize::try_from(now.saturating_sub(before)).unwrap_or_default()
}

impl<T: AsyncRead + AsyncWrite + Unpin> Deflate<T> {
    /// Compresses both directions from here on. `came` are compressed bytes that were received
    /// already.
    pub(super) fn new(beneath: T, came: Vec<u8>) -> Self {
        Self {
            beneath,
            decompress: Decompress::new(false),
            incoming: came,
            at: 0,
            over: false,
            compress: Compress::new(Compression::default(), false),
            outgoing: Vec::new(),
        }
    }

    pub(super) fn beneath(&mut self) -> &mut T {
        &mut self.beneath
    }

    pub(super) fn into_beneath(self) -> T {
        self.beneath
    }

    /// Fails if the first received bytes are a line of text, because the peer has not begun to
    /// compress. Text would inflate to garbage, and nobody would see the reason.
    fn check_start(&self) -> io::Result<()> {
        let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
        let is_line = self.incoming.ends_with(b"\n") && self.incoming.iter().all(is_text);
        if self.decompress.total_in() == 0 && self.incoming.len() > 1 && is_line {
            return Err(broken("it is text"));
        }
        Ok(())
    }

    /// Inflates some of the received bytes. Returns whether this produced data.
    fn inflate(&mut self, buf: &mut ReadBuf<'_>) -> io::Result<bool> {
        loop {
            if self.over {
                // The end of the stream is not that of the connection: what comes after it is wrong
                // whenever it comes.
                let left = self.incoming.len() > self.at;
                return if left { Err(broken("more bytes come after its end")) } else { Ok(false) };
            }
            self.check_start()?;
            let (came, gave) = (self.decompress.total_in(), self.decompress.total_out());
            let room = buf.initialize_unfilled();
            let status =
                self.decompress.decompress(&self.incoming[self.at..], room, FlushDecompress::None);
            let status = status.map_err(|_| broken("its blocks are malformed"))?;
            let taken = moved(self.decompress.total_in(), came);
            let given = moved(self.decompress.total_out(), gave);
            self.at += taken;
            buf.advance(given);
            self.over = status == Status::StreamEnd;
            if given > 0 {
                return Ok(true);
            }
            if taken == 0 && !self.over {
                return Ok(false);
            }
        }
    }

    /// Writes the deflated bytes.
    fn drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let written = ready!(Pin::new(&mut self.beneath).poll_write(cx, &self.outgoing))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Deflate<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let this = &mut *self;
        for _ in 0..EMPTY_READS {
            if this.inflate(buf)? {
                return Poll::Ready(Ok(()));
            }
            this.incoming.resize(INCOMING, 0);
            this.at = 0;
            let mut room = ReadBuf::new(&mut this.incoming);
            let read = Pin::new(&mut this.beneath).poll_read(cx, &mut room);
            let count = room.filled().len();
            this.incoming.truncate(count);
            ready!(read)?;
            if count == 0 {
                // A peer may close without ending its DEFLATE stream.
                return Poll::Ready(Ok(()));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Deflate<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.drain(cx))?;
        let piece = &buf[..buf.len().min(PIECE)];
        let this = &mut *self;
        let mut taken = 0;
        // The flush is complete only if it leaves room in the output buffer.
        while taken < piece.len() || this.outgoing.len() == this.outgoing.capacity() {
            this.outgoing.reserve(PIECE);
            let before = this.compress.total_in();
            let deflated = this.compress.compress_vec(
                &piece[taken..],
                &mut this.outgoing,
                FlushCompress::Sync,
            );
            deflated.map_err(io::Error::other)?;
            taken += moved(this.compress.total_in(), before);
        }
        // Bytes that cannot be written now are written by `poll_flush`.
        if let Poll::Ready(Err(error)) = this.drain(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.drain(cx))?;
        Pin::new(&mut self.beneath).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.drain(cx))?;
        Pin::new(&mut self.beneath).poll_shutdown(cx)
    }
}

impl<T: fmt::Debug> fmt::Debug for Deflate<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflate").field("beneath", &self.beneath).finish_non_exhaustive()
    }
}
