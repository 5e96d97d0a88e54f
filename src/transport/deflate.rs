//! DEFLATE (RFC 1951) on top of another transport, as COMPRESS of IMAP has it (RFC 4978).
//!
//! What is read is inflated into the room that the reader gives: however much a few bytes stand
//! for, no more of it is held than that. What is written ends with a sync flush, so that the peer
//! has all of it without waiting for more.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much of what came is held before it is inflated.
const INCOMING: usize = 8 << 10;
/// How much is deflated at once. Of what was deflated, no more than comes of this is held.
const PIECE: usize = 16 << 10;
/// After so many reads that brought nothing to inflate, others have their turn: a stream may be
/// made of empty blocks.
const EMPTY_READS: u32 = 32;

/// A transport with DEFLATE on it, in both directions.
pub(crate) struct Deflate<T> {
    beneath: T,
    decompress: Decompress,
    /// What came and was not inflated yet, from `at` on.
    incoming: Vec<u8>,
    at: usize,
    /// The peer has ended its stream of DEFLATE.
    over: bool,
    compress: Compress,
    /// What was deflated and not written yet.
    outgoing: Vec<u8>,
}

/// What came is no DEFLATE.
#[derive(Debug)]
pub(crate) struct NotDeflate(&'static str);

impl NotDeflate {
    /// Why a read failed, if it is this.
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

/// How much a counter has moved on.
fn moved(now: u64, before: u64) -> usize {
    usize::try_from(now.saturating_sub(before)).unwrap_or_default()
}

impl<T: AsyncRead + AsyncWrite + Unpin> Deflate<T> {
    /// Both directions are deflated from here on; this much has come of it already.
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

    /// Holds that a peer has begun to compress: a line of text would be inflated to something, and
    /// nobody would see what is wrong.
    fn check_start(&self) -> io::Result<()> {
        let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
        let is_line = self.incoming.ends_with(b"\n") && self.incoming.iter().all(is_text);
        if self.decompress.total_in() == 0 && is_line {
            return Err(broken("it is text"));
        }
        Ok(())
    }

    /// Inflates some of what came; whether that gave something, or the stream is over.
    fn inflate(&mut self, buf: &mut ReadBuf<'_>) -> io::Result<bool> {
        loop {
            if self.over {
                let left = self.incoming.len() > self.at;
                return if left { Err(broken("there is more behind its end")) } else { Ok(true) };
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

    /// Writes what was deflated.
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
                // A peer may close without an end of its stream.
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
        // Room that is left is what says that the flush is complete.
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
        // What cannot be written now is written by the flush.
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
