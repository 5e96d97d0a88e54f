//! The bytes beneath a session: TCP, a unix socket, or a child process's stdin and stdout. On top
//! of these: TLS, DEFLATE, and cutting the stream into pieces.

mod connect;
mod deflate;
mod descendants;
#[cfg(feature = "dns")]
mod dns;
mod exchangers;
mod group;
mod pace;
mod process;
#[cfg(feature = "script")]
mod program;
mod proxy;
mod recorded;
mod resolve;
mod route;
mod segment;
mod tcp;
mod tls;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::time::Instant;

pub(crate) use connect::connect;
use deflate::Deflate;
pub(crate) use deflate::NotDeflate;
#[cfg(feature = "cli")]
pub(crate) use exchangers::{Exchanger, Exchangers, NULL_MX, exchangers_of};
#[cfg(feature = "cli")]
pub(crate) use group::{Group, kill_processes};
pub(crate) use pace::{Pace, Unheard};
pub(crate) use process::Process;
#[cfg(feature = "script")]
pub(crate) use program::{Program, Written};
pub use proxy::Proxy;
pub(crate) use recorded::{Recorded, Recording};
#[cfg(feature = "cli")]
pub(crate) use recorded::{Session as RecordedSession, Step};
#[cfg(feature = "script")]
pub(crate) use resolve::addresses;
pub use route::Family;
pub(crate) use route::Route;
use segment::Cut;
pub use segment::Segment;
use tcp::Tcp;
pub(crate) use tcp::ThreadUse;
pub(crate) use tls::{Broken, Tls};

/// A connection of any kind.
#[derive(Debug)]
pub(crate) enum Transport {
    Tcp(Tcp),
    Unix(UnixStream),
    Process(Box<Process>),
    Tls(Box<Tls>),
    Deflate(Box<Deflate<Transport>>),
    /// A session of a recording, played in place of a connection.
    Recorded(Box<Recorded>),
    /// Another transport whose stream is cut into pieces.
    Cut(Box<Cut<Self>>),
}

impl Transport {
    /// Makes a transport of an accepted connection.
    pub(crate) fn of_tcp(stream: tokio::net::TcpStream) -> Self {
        Self::Tcp(Tcp::Watched(stream))
    }

    /// Cuts the stream into pieces from here on.
    pub(crate) fn cut(self, way: Segment) -> Self {
        if way == Segment::Whole { self } else { Self::Cut(Box::new(Cut::new(self, way))) }
    }

    /// Deflates both directions from here on; bytes that have come already are compressed too. A
    /// recording holds the uncompressed data.
    pub(crate) fn deflated(self, came: Vec<u8>) -> Self {
        match self {
            Self::Cut(cut) => cut.transport.deflated(came).cut(cut.way),
            recorded @ Self::Recorded(_) => recorded,
            plain => Self::Deflate(Box::new(Deflate::new(plain, came))),
        }
    }

    /// Whether what was written may be held back until it is flushed.
    pub(crate) fn holds_back(&self) -> bool {
        match self {
            Self::Tls(_) | Self::Deflate(_) => true,
            Self::Cut(cut) => cut.transport.holds_back(),
            Self::Tcp(_) | Self::Unix(_) | Self::Process(_) | Self::Recorded(_) => false,
        }
    }

    /// Returns the transport without the cutting, and how it was cut.
    pub(crate) fn into_uncut(self) -> (Self, Segment) {
        match self {
            Self::Cut(cut) => (cut.transport, cut.way),
            whole => (whole, Segment::Whole),
        }
    }

    /// The transport without the cutting, to see everything that has arrived.
    pub(crate) fn uncut(&mut self) -> &mut Self {
        match self {
            Self::Cut(cut) => &mut cut.transport,
            whole => whole,
        }
    }

    /// Our own address; `None` unless the transport is TCP without TLS.
    #[cfg(feature = "script")]
    pub(crate) fn own_address(&self) -> Option<std::net::IpAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr().ok().map(|address| address.ip()),
            Self::Cut(cut) => cut.transport.own_address(),
            _ => None,
        }
    }

    /// The peer's address; `None` unless the transport is TCP without TLS.
    #[cfg(feature = "script")]
    pub(crate) fn peer_address(&self) -> Option<std::net::IpAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok().map(|address| address.ip()),
            Self::Cut(cut) => cut.transport.peer_address(),
            _ => None,
        }
    }

    /// Acknowledges received data at once. Otherwise a peer that holds back its next segment until
    /// the last one is acknowledged (Nagle) would wait for our delayed acknowledgement, 40 ms.
    pub(crate) fn acknowledge(&self) {
        match self {
            #[cfg(target_os = "linux")]
            Self::Tcp(stream) => stream.acknowledge(),
            Self::Cut(cut) => cut.transport.acknowledge(),
            _ => {}
        }
    }

    /// Makes the system's receive buffer as small as it can be, so that the peer notices soon that
    /// we do not read. If the system refuses, the buffer stays larger.
    pub(crate) fn narrow(&mut self) {
        let smallest = 1;
        match self {
            Self::Tcp(stream) => {
                let _ = rustix::net::sockopt::set_socket_recv_buffer_size(stream, smallest);
            }
            Self::Unix(stream) => {
                let _ = rustix::net::sockopt::set_socket_recv_buffer_size(stream, smallest);
            }
            Self::Tls(tls) => tls.beneath().narrow(),
            Self::Deflate(deflate) => deflate.beneath().narrow(),
            Self::Cut(cut) => cut.transport.narrow(),
            Self::Process(_) | Self::Recorded(_) => {}
        }
    }

    /// Reads what the system holds already, without waiting, and without the runtime, which would
    /// report it only in its next turn. Returns `None` if the transport cannot do this.
    pub(crate) fn try_read(&self, room: &mut [u8]) -> Option<io::Result<usize>> {
        let flags = rustix::net::RecvFlags::DONTWAIT;
        let read = match self {
            Self::Tcp(stream) => rustix::net::recv(stream, room, flags),
            Self::Unix(stream) => rustix::net::recv(stream, room, flags),
            // With TLS and DEFLATE, the system holds other bytes than those of the dialogue; a
            // process and a recording have no socket.
            Self::Process(_) | Self::Tls(_) | Self::Deflate(_) | Self::Recorded(_) => return None,
            Self::Cut(cut) => return cut.transport.try_read(room),
        };
        Some(read.map(|(count, _)| count).map_err(io::Error::from))
    }

    /// Lets others have the thread while this waits, from now on.
    #[cfg(feature = "script")]
    pub(crate) fn share_thread(&mut self) {
        if let Self::Tcp(stream) = self {
            stream.share_thread();
        }
    }

    /// Reads what arrives within a moment, if the thread belongs to the session and can wait
    /// without the runtime. Returns `None` if it does not, if nothing arrives, or if `until` is
    /// sooner than that moment.
    pub(crate) fn read_soon(
        &mut self,
        room: &mut impl BufMut,
        until: Instant,
    ) -> Option<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => stream.read_soon(room, until),
            Self::Unix(_)
            | Self::Process(_)
            | Self::Tls(_)
            | Self::Deflate(_)
            | Self::Recorded(_)
            | Self::Cut(_) => None,
        }
    }

    /// What a child process has written to stderr, and its exit status if it has exited.
    pub(crate) fn complaints(&mut self) -> Option<(Vec<u8>, Option<String>)> {
        match self {
            Self::Process(process) => Some(process.complaints()),
            Self::Tls(tls) => tls.beneath().complaints(),
            Self::Deflate(deflate) => deflate.beneath().complaints(),
            Self::Cut(cut) => cut.transport.complaints(),
            Self::Tcp(_) | Self::Unix(_) | Self::Recorded(_) => None,
        }
    }

    /// The child process at the other end, if there is one.
    pub(crate) fn process(&mut self) -> Option<&mut Process> {
        match self {
            Self::Process(process) => Some(process),
            Self::Tls(tls) => tls.beneath().process(),
            Self::Deflate(deflate) => deflate.beneath().process(),
            Self::Cut(cut) => cut.transport.process(),
            Self::Tcp(_) | Self::Unix(_) | Self::Recorded(_) => None,
        }
    }

    /// Tells the peer that we close, if the transport has more for this than closing; does not
    /// wait.
    pub(crate) fn farewell(&mut self) {
        match self {
            Self::Tls(tls) => tls.farewell(),
            Self::Deflate(deflate) => deflate.beneath().farewell(),
            Self::Cut(cut) => cut.transport.farewell(),
            Self::Recorded(recorded) => recorded.close(),
            Self::Tcp(_) | Self::Unix(_) | Self::Process(_) => {}
        }
    }

    /// Resets the connection, if the transport can do that.
    pub(crate) fn reset(self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.reset_on_close(),
            Self::Tls(tls) => tls.into_beneath().reset(),
            Self::Deflate(deflate) => deflate.into_beneath().reset(),
            Self::Cut(cut) => cut.transport.reset(),
            Self::Unix(_) | Self::Process(_) | Self::Recorded(_) => Ok(()),
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Process(process) => Pin::new(process.as_mut()).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_read(cx, buf),
            Self::Deflate(deflate) => Pin::new(deflate.as_mut()).poll_read(cx, buf),
            Self::Recorded(recorded) => Pin::new(recorded.as_mut()).poll_read(cx, buf),
            Self::Cut(cut) => Pin::new(cut.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Process(process) => Pin::new(process.as_mut()).poll_write(cx, buf),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_write(cx, buf),
            Self::Deflate(deflate) => Pin::new(deflate.as_mut()).poll_write(cx, buf),
            Self::Recorded(recorded) => Pin::new(recorded.as_mut()).poll_write(cx, buf),
            Self::Cut(cut) => Pin::new(cut.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Process(process) => Pin::new(process.as_mut()).poll_write_vectored(cx, bufs),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_write_vectored(cx, bufs),
            Self::Deflate(deflate) => Pin::new(deflate.as_mut()).poll_write_vectored(cx, bufs),
            Self::Recorded(recorded) => Pin::new(recorded.as_mut()).poll_write_vectored(cx, bufs),
            Self::Cut(cut) => Pin::new(cut.as_mut()).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
            Self::Process(process) => process.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
            Self::Deflate(deflate) => deflate.is_write_vectored(),
            Self::Recorded(recorded) => recorded.is_write_vectored(),
            Self::Cut(cut) => cut.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Process(process) => Pin::new(process.as_mut()).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
            Self::Deflate(deflate) => Pin::new(deflate.as_mut()).poll_flush(cx),
            Self::Recorded(recorded) => Pin::new(recorded.as_mut()).poll_flush(cx),
            Self::Cut(cut) => Pin::new(cut.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Process(process) => Pin::new(process.as_mut()).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
            Self::Deflate(deflate) => Pin::new(deflate.as_mut()).poll_shutdown(cx),
            Self::Recorded(recorded) => Pin::new(recorded.as_mut()).poll_shutdown(cx),
            Self::Cut(cut) => Pin::new(cut.as_mut()).poll_shutdown(cx),
        }
    }
}

/// Why something failed, in the system's words and without its number.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "refused".to_owned(),
        io::ErrorKind::TimedOut => "timed out".to_owned(),
        io::ErrorKind::ConnectionReset => "reset".to_owned(),
        io::ErrorKind::NotFound => "not found".to_owned(),
        // The system's text, without the error number at its end.
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or(&text).to_lowercase()
        }
    }
}
