//! The connection of one client, plain or with TLS; blocking.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The stream to read from and write to.
#[derive(Debug)]
pub(super) enum Wire {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Wire {
    /// The TCP connection below TLS.
    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Clear(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }

    /// Makes the TLS handshake as the server.
    pub(super) fn secure(&mut self, config: Arc<ServerConfig>) -> io::Result<&ServerConnection> {
        let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
        let mut socket = self.socket().try_clone()?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        *self = Self::Tls(Box::new(StreamOwned::new(connection, socket)));
        match self {
            Self::Tls(stream) => Ok(&stream.conn),
            Self::Clear(_) => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Sends a `close_notify` if TLS is on.
    pub(super) fn farewell(&mut self) {
        if let Self::Tls(stream) = self {
            stream.conn.send_close_notify();
            // Fails if the client has closed already; then it needs no close_notify.
            let _ = stream.flush();
        }
    }

    /// Makes the next close a reset, by a linger time of zero.
    pub(super) fn reset(&self) -> io::Result<()> {
        socket2::SockRef::from(self.socket()).set_linger(Some(Duration::ZERO))
    }
}

impl Read for Wire {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.read(bytes),
            // A close without a close_notify counts as an end of file.
            Self::Tls(stream) => match stream.read(bytes) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                read => read,
            },
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
