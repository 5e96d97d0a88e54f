//! TCP, either watched by the runtime, or waited for by the thread itself for a moment.
//!
//! A server on the same machine answers in a fraction of a millisecond. Then much of the cost is
//! the runtime's: it sets a timer, polls all that it watches, and reads afterwards. A thread with
//! nothing else to do blocks in the read instead. It blocks for 10 ms at most, so that interrupts
//! and deadlines, which only the runtime sees, are not delayed. After the first read that takes
//! longer, the runtime watches the connection.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BufMut;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// How long a thread blocks in a read.
const MOMENT: Duration = Duration::from_millis(10);
/// How many bytes such a read takes at most. If more arrive at once, the data is a longer stream,
/// and the runtime reads it in larger pieces.
const PIECE: usize = 2 << 10;

/// Whether the thread that a session waits on belongs to it alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ThreadUse {
    /// Others share the thread and get their turn while the session waits.
    #[default]
    Shared,
    /// The thread belongs to the session: nothing else has to run there for a moment.
    Exclusive,
}

/// A TCP connection.
#[derive(Debug)]
pub(crate) enum Tcp {
    /// The session's thread waits for the connection, on a blocking socket.
    Near(std::net::TcpStream),
    Watched(TcpStream),
}

impl Tcp {
    /// Connects.
    ///
    /// # Errors
    /// The system's error for the attempt.
    pub(super) async fn connect(
        address: SocketAddr,
        source: Option<IpAddr>,
        thread: ThreadUse,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        ioctl_fionbio(&socket, true)?;
        if let Some(source) = source {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        // Otherwise the final dot, which is written apart from its message, would wait until the
        // peer has acknowledged the message.
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&address.into()) {
            Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => {
                Err(error)
            }
            _ if thread == ThreadUse::Exclusive && is_settled_soon(&socket)? => {
                ioctl_fionbio(&socket, false)?;
                socket.set_read_timeout(Some(MOMENT))?;
                Ok(Self::Near(socket.into()))
            }
            _ => {
                let stream = TcpStream::from_std(socket.into())?;
                stream.writable().await?;
                stream.take_error()?.map_or(Ok(Self::Watched(stream)), Err)
            }
        }
    }

    /// Reads what arrives within a moment, if the thread may wait and `until` is not sooner than
    /// that moment. Otherwise, or if nothing arrives, returns `None`.
    pub(super) fn read_soon(
        &mut self,
        room: &mut impl BufMut,
        until: Instant,
    ) -> Option<io::Result<usize>> {
        let Self::Near(near) = &*self else { return None };
        if until < Instant::now() + MOMENT {
            return None;
        }
        let mut piece = [MaybeUninit::uninit(); PIECE];
        let length = room.remaining_mut().min(PIECE);
        match recv(near, &mut piece[..length], RecvFlags::empty()) {
            Ok(((bytes, _), _)) => {
                room.put_slice(bytes);
                if bytes.len() == PIECE {
                    return Some(self.watch().map(|_| PIECE));
                }
                Some(Ok(bytes.len()))
            }
            Err(Errno::AGAIN | Errno::INTR) => None,
            Err(error) => Some(Err(error.into())),
        }
    }

    /// Lets others have the thread while the connection is waited for, from now on.
    #[cfg(feature = "script")]
    pub(super) fn share_thread(&mut self) {
        // If the system refuses, the next read that has to wait tries again and reports it.
        let _ = self.watch();
    }

    /// Hands the connection to the runtime, which watches it from now on.
    fn watch(&mut self) -> io::Result<&mut TcpStream> {
        if let Self::Near(near) = self {
            near.set_nonblocking(true)?;
            *self = Self::Watched(TcpStream::from_std(near.try_clone()?)?);
        }
        match self {
            Self::Watched(stream) => Ok(stream),
            Self::Near(_) => Err(io::Error::other("the connection is not watched")),
        }
    }

    /// Acknowledges received data at once.
    #[cfg(target_os = "linux")]
    pub(super) fn acknowledge(&self) {
        // This only affects speed: if it fails, the peer waits for the delayed acknowledgement.
        let _ = rustix::net::sockopt::set_tcp_quickack(self, true);
    }

    /// From now on, closing the connection resets it.
    pub(super) fn reset_on_close(&self) -> io::Result<()> {
        Ok(rustix::net::sockopt::set_socket_linger(self, Some(Duration::ZERO))?)
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Near(near) => near.local_addr(),
            Self::Watched(stream) => stream.local_addr(),
        }
    }

    pub(super) fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Near(near) => near.peer_addr(),
            Self::Watched(stream) => stream.peer_addr(),
        }
    }
}

/// Whether the connection is established within a moment.
///
/// # Errors
/// If the connection attempt fails in that moment.
fn is_settled_soon(socket: &Socket) -> io::Result<bool> {
    let moment = Timespec::try_from(MOMENT).ok();
    let mut watched = [PollFd::new(socket, PollFlags::OUT)];
    match poll(&mut watched, moment.as_ref()) {
        Ok(0) | Err(Errno::INTR) => Ok(false),
        Ok(_) if watched[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) => {
            socket.take_error()?.map_or(Ok(true), Err)
        }
        Ok(_) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

impl AsFd for Tcp {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Near(near) => near.as_fd(),
            Self::Watched(stream) => stream.as_fd(),
        }
    }
}

impl AsyncRead for Tcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(self.watch()?).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Self::Near(near) = &*self {
            match write_now(near, buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
        Pin::new(self.watch()?).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.watch()?).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Writes are not buffered, so there is nothing to flush.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Near(near) => Poll::Ready(near.shutdown(Shutdown::Write)),
            Self::Watched(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// Writes as many bytes as the system takes without waiting.
fn write_now(stream: &std::net::TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let flags = SendFlags::DONTWAIT;
    // Systems without this flag need none: socket2 has set a socket option instead.
    #[cfg(not(target_vendor = "apple"))]
    let flags = flags | SendFlags::NOSIGNAL;
    Ok(send(stream, bytes, flags)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    async fn pair(thread: ThreadUse) -> (Tcp, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp = Tcp::connect(listener.local_addr().unwrap(), None, thread).await.unwrap();
        (tcp, listener.accept().unwrap().0)
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    #[tokio::test]
    async fn bytes_that_come_soon_are_read_without_the_runtime() {
        let (mut tcp, mut peer) = pair(ThreadUse::Exclusive).await;
        peer.write_all(b"220 hi\r\n").unwrap();
        let mut room = Vec::new();
        assert_eq!(tcp.read_soon(&mut room, later()).unwrap().unwrap(), 8);
        assert_eq!(room, b"220 hi\r\n");
        drop(peer);
        assert_eq!(tcp.read_soon(&mut room, later()).unwrap().unwrap(), 0);
        assert!(matches!(tcp, Tcp::Near(_)));
    }

    #[cfg(feature = "script")]
    #[tokio::test]
    async fn a_thread_that_is_shared_is_not_held_up() {
        let (mut tcp, mut peer) = pair(ThreadUse::Exclusive).await;
        tcp.share_thread();
        peer.write_all(b"220 hi\r\n").unwrap();
        assert!(tcp.read_soon(&mut Vec::new(), later()).is_none());
        let mut read = [0; 8];
        tcp.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"220 hi\r\n");
    }

    #[tokio::test]
    async fn a_longer_wait_is_for_the_runtime_from_then_on() {
        let (mut tcp, mut peer) = pair(ThreadUse::Exclusive).await;
        let mut room = Vec::new();
        assert!(tcp.read_soon(&mut room, later()).is_none());
        let mut read = [0; 2];
        let (count, _) = tokio::join!(tcp.read(&mut read), async { peer.write_all(b"ok") });
        assert_eq!((count.unwrap(), &read), (2, b"ok"));
        assert!(matches!(tcp, Tcp::Watched(_)));
        assert!(tcp.read_soon(&mut room, later()).is_none());
    }

    #[tokio::test]
    async fn a_thread_that_is_shared_waits_for_nothing_and_so_does_one_whose_time_is_short() {
        let (mut tcp, mut peer) = pair(ThreadUse::Shared).await;
        peer.write_all(b"ok").unwrap();
        assert!(tcp.read_soon(&mut Vec::new(), later()).is_none());
        let (mut tcp, mut peer) = pair(ThreadUse::Exclusive).await;
        peer.write_all(b"ok").unwrap();
        assert!(tcp.read_soon(&mut Vec::new(), Instant::now() + MOMENT / 2).is_none());
    }

    #[tokio::test]
    async fn a_stream_is_for_the_runtime() {
        let (mut tcp, mut peer) = pair(ThreadUse::Exclusive).await;
        peer.write_all(&[b'x'; 2 * PIECE]).unwrap();
        let mut room = Vec::new();
        assert_eq!(tcp.read_soon(&mut room, later()).unwrap().unwrap(), PIECE);
        tcp.read_exact(&mut [0; PIECE]).await.unwrap();
        assert!(matches!(tcp, Tcp::Watched(_)));
    }

    #[tokio::test]
    async fn bytes_that_the_system_does_not_take_at_once_are_for_the_runtime() {
        let (mut tcp, mut peer) = pair(ThreadUse::Exclusive).await;
        let much = vec![b'x'; 16 << 20];
        // The reader starts after the writer waits; before, the system might take all bytes at
        // once.
        let read = || std::thread::spawn(move || peer.read_to_end(&mut Vec::new()).unwrap());
        let (written, reader) = tokio::join!(tcp.write_all(&much), async { read() });
        written.unwrap();
        tcp.shutdown().await.unwrap();
        assert_eq!(reader.join().unwrap(), much.len());
        assert!(matches!(tcp, Tcp::Watched(_)));
    }

    #[tokio::test]
    async fn a_half_close_and_a_reset_are_seen_by_the_peer() {
        let (mut tcp, mut peer) = pair(ThreadUse::Exclusive).await;
        tcp.write_all(b"QUIT").await.unwrap();
        tcp.shutdown().await.unwrap();
        let mut said = Vec::new();
        peer.read_to_end(&mut said).unwrap();
        assert_eq!(said, b"QUIT");
        let (tcp, mut peer) = pair(ThreadUse::Exclusive).await;
        tcp.reset_on_close().unwrap();
        drop(tcp);
        assert_eq!(peer.read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn a_connection_that_is_refused_says_so_on_any_thread() {
        // Bound but not listening, so that no other process gets the port in the meantime.
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        for thread in [ThreadUse::Shared, ThreadUse::Exclusive] {
            let refused = Tcp::connect(address, None, thread).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused, "{thread:?}");
        }
    }
}
