//! Cutting a stream into pieces: sent bytes into writes, and received bytes into reads.
//!
//! TCP keeps no boundaries, and no reader may depend on them; a server that takes the result of one
//! read for a line does depend on them. The stream is cut above TLS, where each piece becomes a
//! record of its own, because the server's own code shall be tested. Cut records would only test
//! its TLS library.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::error::{Error, Result};

/// The pause after a piece, in which a server can read it: pieces that are in the receive queue
/// together are read together.
const PAUSE: Duration = Duration::from_millis(1);
/// How many bytes at the beginning and at the end of a write have pauses after their pieces.
/// Commands and the dot after a message are there. With pauses in all of it, a message would take
/// seconds.
const PACED: usize = 64;
/// How many bytes at the beginning and at the end of a write are cut. The middle of a large message
/// is sent in one piece. Also how many bytes are cut of what is received between two writes. In one
/// second, about a third of a megabyte is read byte by byte.
const CUT: usize = 64 << 10;

/// How a stream is cut into pieces.
///
/// ```
/// use mailexpect::{Segment, Session, server::Embedded};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Embedded::start()?;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let mut session = Session::options().segment(Segment::Bytes).connect(&server.smtp()).await?;
/// session.expect(220).await?;
/// session.quit().await?;
/// session.finish().await?;
/// # Ok::<_, mailexpect::Error>(())
/// # })?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Segment {
    /// No cuts: bytes that are sent at once are one write.
    #[default]
    Whole,
    /// Cuts after each byte.
    Bytes,
    /// Cuts after each line.
    Lines,
    /// Cuts between CR and LF.
    Crlf,
}

impl Segment {
    /// The variants that cut.
    pub const CUTS: [Self; 3] = [Self::Bytes, Self::Lines, Self::Crlf];

    /// The name of this variant: `whole`, `bytes`, `lines` or `crlf`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Bytes => "bytes",
            Self::Lines => "lines",
            Self::Crlf => "crlf",
        }
    }

    /// Parses a [name](Self::name).
    ///
    /// # Errors
    /// A usage error for any other word.
    pub fn parse(name: &str) -> Result<Self> {
        let known = [Self::Whole].into_iter().chain(Self::CUTS).find(|way| way.name() == name);
        known.ok_or_else(|| {
            let error = Error::usage(format!(
                "`{}` is no way to cut a stream",
                crate::visible::quoted(name)
            ));
            error.hint("the ways are whole, bytes, lines and crlf (between CR and LF)")
        })
    }

    /// Whether a piece ends after this byte.
    fn ends_behind(self, byte: u8) -> bool {
        match self {
            Self::Whole => false,
            Self::Bytes => true,
            Self::Lines => byte == b'\n',
            Self::Crlf => byte == b'\r',
        }
    }
}

/// Describes a dialogue that is cut like this: `byte by byte`.
impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole => "in one piece",
            Self::Bytes => "byte by byte",
            Self::Lines => "line by line",
            Self::Crlf => "with CR and LF apart",
        })
    }
}

/// A transport whose stream is cut into pieces.
#[derive(Debug)]
pub(crate) struct Cut<T> {
    pub(super) transport: T,
    pub(super) way: Segment,
    /// How many bytes of the present write are sent, and how many are left.
    gone: usize,
    left: usize,
    /// How many bytes were received since the last write.
    came: usize,
    pause: Option<Pin<Box<Sleep>>>,
    /// The error that came after the bytes of the last piece.
    broke: Option<io::Error>,
}

impl<T> Cut<T> {
    pub(super) fn new(transport: T, way: Segment) -> Self {
        Self { transport, way, gone: 0, left: 0, came: 0, pause: None, broke: None }
    }

    /// The length of the next piece.
    fn piece(&self, bytes: &[u8]) -> usize {
        if self.gone >= CUT && bytes.len() > CUT {
            return bytes.len() - CUT;
        }
        let end = bytes.iter().position(|byte| self.way.ends_behind(*byte));
        end.map_or(bytes.len(), |end| end + 1)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Cut<T> {
    /// Reads one piece, or the part of it that is there.
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let cut = self.get_mut();
        if let Some(error) = cut.broke.take() {
            return Poll::Ready(Err(error));
        }
        let before = buf.filled().len();
        if cut.came >= CUT {
            return Pin::new(&mut cut.transport).poll_read(cx, buf);
        }
        while buf.remaining() > 0 && cut.came < CUT {
            let mut one = buf.take(1);
            let read = Pin::new(&mut cut.transport).poll_read(cx, &mut one);
            let byte = one.filled().first().copied();
            let (Poll::Ready(Ok(())), Some(byte)) = (&read, byte) else {
                if buf.filled().len() == before {
                    return read;
                }
                // Bytes before an end or an error are a piece of their own. The transport returns
                // the end again, but not the error.
                if let Poll::Ready(Err(error)) = read {
                    cut.broke = Some(error);
                }
                return Poll::Ready(Ok(()));
            };
            buf.put_slice(&[byte]);
            cut.came += 1;
            if cut.way.ends_behind(byte) {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Cut<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let cut = self.get_mut();
        if let Some(pause) = &mut cut.pause {
            ready!(pause.as_mut().poll(cx));
            cut.pause = None;
        }
        if bytes.len() != cut.left {
            (cut.gone, cut.left) = (0, bytes.len());
        }
        let piece = cut.piece(bytes);
        let written = ready!(Pin::new(&mut cut.transport).poll_write(cx, &bytes[..piece]))?;
        cut.came = 0;
        cut.gone += written;
        cut.left -= written;
        if cut.left > 0 && (cut.gone <= PACED || cut.left <= PACED) {
            cut.pause = Some(Box::pin(sleep(PAUSE)));
        }
        Poll::Ready(Ok(written))
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
    use super::super::Transport;
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixStream;
    use tokio::time::Instant;

    fn cut(way: Segment) -> (Cut<Transport>, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Cut::new(Transport::Unix(ours), way), theirs)
    }

    /// The pieces in which these bytes are read.
    async fn read(way: Segment, bytes: &[u8]) -> Vec<Vec<u8>> {
        let (mut cut, mut peer) = cut(way);
        peer.write_all(bytes).await.unwrap();
        drop(peer);
        let mut pieces = Vec::new();
        loop {
            let mut room = [0; 64];
            match cut.read(&mut room).await.unwrap() {
                0 => return pieces,
                count => pieces.push(room[..count].to_vec()),
            }
        }
    }

    /// The lengths of the pieces in which these bytes are written.
    async fn written(way: Segment, bytes: &[u8]) -> Vec<usize> {
        let (mut cut, mut peer) = cut(way);
        let (mut at, mut pieces) = (0, Vec::new());
        while at < bytes.len() {
            let count = cut.write(&bytes[at..]).await.unwrap();
            let mut room = vec![0; count];
            peer.read_exact(&mut room).await.unwrap();
            assert_eq!(room, bytes[at..at + count]);
            at += count;
            pieces.push(count);
        }
        pieces
    }

    #[tokio::test]
    async fn reads_are_cut_where_the_way_says() {
        assert_eq!(read(Segment::Bytes, b"a\r\n").await, [b"a", b"\r", b"\n"]);
        assert_eq!(read(Segment::Lines, b"ab\r\nc\r\nd").await, [&b"ab\r\n"[..], b"c\r\n", b"d"]);
        assert_eq!(read(Segment::Crlf, b"ab\r\nc\r\nd").await, [&b"ab\r"[..], b"\nc\r", b"\nd"]);
    }

    #[tokio::test]
    async fn what_is_received_after_a_write_is_cut_at_its_beginning() {
        let (mut cut, mut peer) = cut(Segment::Bytes);
        let mut room = [0; 64];
        for command in [b"a1", b"a2"] {
            cut.write_all(command).await.unwrap();
            peer.read_exact(&mut room[..2]).await.unwrap();
            assert_eq!(&room[..2], command);
            peer.write_all(&vec![b'x'; CUT + 64]).await.unwrap();
            for _ in 0..CUT {
                assert_eq!(cut.read(&mut room).await.unwrap(), 1);
            }
            assert_eq!(cut.read(&mut room).await.unwrap(), 64);
        }
    }

    #[tokio::test]
    async fn writes_are_cut_where_the_way_says_and_each_has_its_time() {
        let start = Instant::now();
        assert_eq!(written(Segment::Bytes, b"QUIT\r\n").await, [1; 6]);
        assert!(start.elapsed() >= PAUSE * 5);
        assert_eq!(written(Segment::Lines, b"a\r\nbc\r\nd").await, [3, 4, 1]);
        assert_eq!(written(Segment::Crlf, b"a\r\n.\r\n").await, [2, 3, 1]);
    }

    #[tokio::test]
    async fn a_large_message_is_cut_and_paced_at_its_ends() {
        let (start, bytes) = (Instant::now(), vec![b'x'; 3 * CUT]);
        let pieces = written(Segment::Bytes, &bytes).await;
        assert_eq!(pieces.len(), 2 * CUT + 1);
        assert_eq!(pieces[CUT], CUT);
        assert!(start.elapsed() >= PAUSE * u32::try_from(2 * PACED).unwrap());
    }

    #[test]
    fn a_way_is_known_by_its_name() {
        assert!(Segment::CUTS.iter().all(|way| Segment::parse(way.name()).unwrap() == *way));
        assert!(Segment::parse("byte").unwrap_err().next_step().unwrap().contains("bytes"));
    }

    /// A transport that breaks after some bytes, and tells so once.
    struct Breaking(&'static [u8], Option<io::ErrorKind>);

    impl AsyncRead for Breaking {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if let ([first, rest @ ..], true) = (self.0, buf.remaining() > 0) {
                buf.put_slice(&[*first]);
                self.0 = rest;
                return Poll::Ready(Ok(()));
            }
            Poll::Ready(self.1.take().map_or(Ok(()), |kind| Err(kind.into())))
        }
    }

    #[tokio::test]
    async fn an_error_after_a_piece_is_returned_however_the_stream_is_cut() {
        for way in [Segment::Bytes, Segment::Lines, Segment::Crlf] {
            let mut cut =
                Cut::new(Breaking(b"221 bye\r\n2", Some(io::ErrorKind::InvalidData)), way);
            let mut room = [0; 64];
            let mut taken = 0;
            let error = loop {
                match cut.read(&mut room).await {
                    Ok(0) => panic!("{way}: the end, and no error"),
                    Ok(count) => taken += count,
                    Err(error) => break error,
                }
            };
            assert_eq!((taken, error.kind()), (10, io::ErrorKind::InvalidData), "{way}");
            assert_eq!(cut.read(&mut room).await.unwrap(), 0, "{way}");
        }
    }
}
