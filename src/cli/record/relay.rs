//! Passes bytes on between a client and a server, and starts TLS on both sides if the client asks
//! for it.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use tokio::time::{Instant, sleep_until, timeout};

use super::follow::Follower;
use crate::error::{Error, Kind, Result};
use crate::interrupt::Interrupt;
use crate::proto::Scheme;
use crate::target::{Endpoint, Target};
use crate::tls::{Attempt, Authority, Options};
use crate::transcript::Close;
use crate::transport::{Route, Tls, Transport, connect};

/// How many bytes are read at once.
const CHUNK: usize = 16 << 10;
/// How long one side may go on after the other has closed. Data from the server restarts the time.
const LINGER: Duration = Duration::from_secs(10);

/// The settings that all sessions share.
pub(super) struct Terms {
    /// The scheme that clients use.
    pub(super) scheme: &'static Scheme,
    pub(super) target: Target,
    /// The TLS options for the server.
    pub(super) tls: Options,
    /// Issues the certificate that clients see.
    pub(super) authority: Authority,
    /// How long connecting and each TLS handshake may take.
    pub(super) allowed: Duration,
    pub(super) interrupt: Interrupt,
}

/// The data in one direction that was read and is not written yet.
#[derive(Default)]
struct Way {
    waiting: BytesMut,
    /// Whether there is something to write or to flush.
    is_due: bool,
}

impl Way {
    fn take(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
        self.is_due = true;
    }

    /// Writes the waiting data. If it is cancelled, the rest still waits.
    async fn pass(&mut self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        while !self.waiting.is_empty() {
            if to.write_buf(&mut self.waiting).await? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        to.flush().await?;
        self.is_due = false;
        Ok(())
    }
}

/// One side of a session.
struct Side {
    read: ReadHalf<Transport>,
    write: WriteHalf<Transport>,
    /// The data to be written to this side.
    way: Way,
    is_open: bool,
}

impl Side {
    fn new(transport: Transport) -> Self {
        let (read, write) = split(transport);
        Self { read, write, way: Way::default(), is_open: true }
    }

    fn into_transport(self) -> Transport {
        self.read.unsplit(self.write)
    }
}

/// How a relay ended.
enum End {
    Over,
    /// The server goes ahead with TLS. Holds the server's words, which the client has not got yet.
    Tls(Vec<u8>),
}

impl Terms {
    /// Passes a session on until it ends.
    ///
    /// # Errors
    /// If the server cannot be reached, or if TLS fails with either side.
    pub(super) async fn pass_on(&self, client: Transport, follower: &mut Follower) -> Result<()> {
        let connected = connect(&self.target, &Route::default(), self.allowed, |_, _| {}).await?;
        let host = match &self.target.endpoint {
            Endpoint::Host { host, .. } => Some(host.clone()),
            _ => connected.exchanger.map(String::from),
        };
        let (mut client, mut server) = (client, connected.transport);
        if self.target.scheme.is_tls() {
            server = self.secure(server, host.as_deref(), follower).await?;
        }
        if self.scheme.is_tls() {
            client = self.accept(client, follower).await?;
        }
        loop {
            let (mut left, mut right) = (Side::new(client), Side::new(server));
            let said = match self.relay(&mut left, &mut right, follower).await {
                End::Over => return Ok(()),
                End::Tls(said) => said,
            };
            (client, server) = (left.into_transport(), right.into_transport());
            // The server comes first: the client must not be told to begin TLS if the server
            // cannot.
            server = self.secure(server, host.as_deref(), follower).await?;
            let told = async {
                client.write_all(&said).await?;
                client.flush().await
            };
            told.await.map_err(|error| broken("the client left before TLS", &error))?;
            client = self.accept(client, follower).await?;
        }
    }

    /// Begins TLS with the server.
    async fn secure(
        &self,
        server: Transport,
        host: Option<&str>,
        follower: &mut Follower,
    ) -> Result<Transport> {
        let attempt = Attempt::new(&self.tls, host)?;
        let why = match timeout(self.allowed, Tls::connect(&attempt, server, false)).await {
            Ok(Ok((tls, _))) => {
                follower.secured(&attempt.established(tls.connection())?);
                return Ok(Transport::Tls(Box::new(tls)));
            }
            Ok(Err(broken)) => attempt.reason(&broken.error).why,
            Err(_) => "the handshake took too long".to_owned(),
        };
        follower.insecure(&why);
        let error = Error::new(Kind::Tls, format!("TLS with the server failed: {why}"));
        Err(error.hint("--cacert FILE trusts its CA, and --insecure any certificate"))
    }

    /// Begins TLS with the client.
    async fn accept(&self, client: Transport, follower: &mut Follower) -> Result<Transport> {
        let config = self.authority.config().map_err(|why| {
            Error::new(Kind::Io, format!("no certificate can be made for clients: {why}"))
        })?;
        let why = match timeout(self.allowed, Tls::accept(config, client)).await {
            Ok(Ok(tls)) => return Ok(Transport::Tls(Box::new(tls))),
            Ok(Err(broken)) => crate::tls::of_client(&broken.error, (None, None)).why,
            Err(_) => "the handshake took too long".to_owned(),
        };
        follower.closed(Close::ByClient);
        let error = Error::new(Kind::Tls, format!("TLS with the client failed: {why}"));
        Err(error.hint("the client has to trust the CA whose file is named above"))
    }

    /// Passes bytes on in both directions, until both sides have closed or TLS begins.
    async fn relay(&self, client: &mut Side, server: &mut Side, follower: &mut Follower) -> End {
        let (mut from_client, mut from_server) = (vec![0; CHUNK], vec![0; CHUNK]);
        let mut until = Instant::now();
        while client.is_open || server.is_open {
            let is_ending = !(client.is_open && server.is_open);
            // Nothing more is read from one side until the other has received what was read before.
            tokio::select! {
                () = self.interrupt.pressed() => return End::Over,
                () = sleep_until(until), if is_ending => return End::Over,
                passed = client.way.pass(&mut client.write), if client.way.is_due => {
                    if passed.is_err() {
                        if !is_ending {
                            follower.closed(Close::ResetByClient);
                        }
                        return End::Over;
                    }
                }
                passed = server.way.pass(&mut server.write), if server.way.is_due => {
                    if passed.is_err() {
                        if !is_ending {
                            follower.closed(Close::ResetByServer);
                        }
                        return End::Over;
                    }
                }
                read = server.read.read(&mut from_server), if server.is_open && !client.way.is_due => {
                    match read {
                        Ok(count @ 1..) if follower.server(&from_server[..count]) => {
                            return End::Tls(from_server[..count].to_vec());
                        }
                        Ok(count @ 1..) => {
                            client.way.take(&from_server[..count]);
                            until = Instant::now() + LINGER;
                        }
                        ended => {
                            let close = if ended.is_ok() { Close::ByServer } else { Close::ResetByServer };
                            until = leave(server, client, close, follower).await;
                        }
                    }
                }
                read = client.read.read(&mut from_client), if client.is_open && !server.way.is_due => {
                    match read {
                        Ok(count @ 1..) => {
                            follower.client(&from_client[..count]);
                            server.way.take(&from_client[..count]);
                        }
                        ended => {
                            let close = if ended.is_ok() { Close::ByClient } else { Close::ResetByClient };
                            until = leave(client, server, close, follower).await;
                        }
                    }
                }
            }
        }
        End::Over
    }
}

/// Passes the close of one side on to the other. Returns until when the other may take to close,
/// too.
async fn leave(from: &mut Side, to: &mut Side, close: Close, follower: &mut Follower) -> Instant {
    if to.is_open {
        follower.closed(close);
    }
    from.is_open = false;
    // If the other side is gone already, shutting down may fail, which does no harm.
    let _ = timeout(LINGER, to.write.shutdown()).await;
    Instant::now() + LINGER
}

fn broken(what: &str, error: &io::Error) -> Error {
    Error::new(Kind::Io, format!("{what}: {error}"))
}
