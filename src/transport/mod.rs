//! The bytes beneath a session: TCP, a unix socket, or a child process's stdin and stdout; and TLS on any of these.

mod connect;
mod exchangers;
mod pace;
mod process;
mod proxy;
mod tls;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

pub use connect::Family;
pub(crate) use connect::{Route, connect};
pub(crate) use pace::{Pace, Unheard};
pub(crate) use process::Process;
pub use proxy::Proxy;
pub(crate) use tls::{Broken, Tls};

/// A connection of any kind.
#[derive(Debug)]
pub(crate) enum Transport {
    Tcp(TcpStream),
    Unix(UnixStream),
    Process(Box<Process>),
    Tls(Box<Tls>),
}

impl Transport {
    /// Acknowledges what has come at once. A peer that holds its next segment back until the last one is acknowledged (Nagle)
    /// would else wait for our delayed acknowledgement, 40 ms.
    pub(crate) fn acknowledge(&self) {
        #[cfg(target_os = "linux")]
        if let Self::Tcp(stream) = self {
            // Only a matter of speed: where it fails, the peer waits for the delayed one.
            let _ = stream.set_quickack(true);
        }
    }

    /// Reads what the system has already, without waiting and without asking the runtime, which learns of it only in its next
    /// turn; `None` where that cannot be done.
    pub(crate) fn read_now(&self, room: &mut [u8]) -> Option<io::Result<usize>> {
        let flags = rustix::net::RecvFlags::DONTWAIT;
        let read = match self {
            Self::Tcp(stream) => rustix::net::recv(stream, room, flags),
            Self::Unix(stream) => rustix::net::recv(stream, room, flags),
            // What the system has is not what was said.
            Self::Process(_) | Self::Tls(_) => return None,
        };
        Some(read.map(|(count, _)| count).map_err(io::Error::from))
    }

    /// What a child process has written to stderr, and how it ended if it has.
    pub(crate) fn complaints(&mut self) -> Option<(Vec<u8>, Option<String>)> {
        match self {
            Self::Process(process) => Some(process.complaints()),
            Self::Tls(tls) => tls.beneath().complaints(),
            Self::Tcp(_) | Self::Unix(_) => None,
        }
    }

    /// Says goodbye where that is more than closing, without waiting for it.
    pub(crate) fn farewell(&mut self) {
        if let Self::Tls(tls) = self {
            tls.farewell();
        }
    }

    /// Ends the connection with a reset, where there is such a thing.
    pub(crate) fn reset(self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_zero_linger(),
            Self::Tls(tls) => tls.into_beneath().reset(),
            Self::Unix(_) | Self::Process(_) => Ok(()),
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Process(process) => Pin::new(process.as_mut()).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Process(process) => Pin::new(process.as_mut()).poll_write(cx, buf),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Process(process) => Pin::new(process.as_mut()).poll_write_vectored(cx, bufs),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
            Self::Process(process) => process.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Process(process) => Pin::new(process.as_mut()).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Process(process) => Pin::new(process.as_mut()).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
        }
    }
}
