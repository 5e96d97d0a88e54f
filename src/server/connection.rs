//! The bytes of one connection, in and out.

use std::io::{self, ErrorKind};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::conversation::{Conversation, Outgoing};
use super::dialogue::Next;
use super::listener::GARBAGE;
use super::said::Drip;
use crate::tls::Authority;
use crate::transcript::Close;

/// The most bytes of one read.
const CHUNK: usize = 8 << 10;
/// The idle time of a client starts anew after each reply and after this many bytes. If fewer bytes
/// restarted it, a client that sends single bytes could stay for ever.
const PROGRESS: usize = 4 << 10;
/// If no file descriptor is left, clients that have been silent for this long are closed to make
/// room for a new one.
const SPARED: Duration = Duration::from_secs(10);
/// The most time for a TLS handshake, because a client cannot be closed to make room during it.
const HANDSHAKE: Duration = SPARED;
/// How long a client may take to notice that the server has closed, and how many bytes it may send
/// until then.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 << 20;

/// The settings of one connection.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// How long the client may neither send nor read.
    pub(super) idle: Duration,
    pub(super) authority: Arc<Authority>,
    /// Whether TLS starts before the greeting.
    pub(super) implicit: bool,
    /// Signals that there may be news for the client; `None` if the protocol has no news.
    pub(super) changes: Option<watch::Receiver<()>>,
    /// Signals that no file descriptor is left for a new client.
    pub(super) pressure: watch::Receiver<()>,
    /// How many dialogues are in progress.
    pub(super) open: Arc<watch::Sender<usize>>,
    /// How many bytes a second are read; unlimited if `None`.
    pub(super) read_rate: Option<NonZeroU32>,
}

/// How a part of the conversation ended.
enum End {
    Closed(Close),
    /// A fault ends the connection.
    Fault(Next),
    /// A TLS handshake follows.
    Tls,
}

/// Why the server stops waiting.
enum Woken {
    Read(usize),
    Silent,
    Changed,
}

/// Counts as a dialogue in progress until it is dropped.
struct Open(Arc<watch::Sender<usize>>);

impl Open {
    fn one_more(all: &Arc<watch::Sender<usize>>) -> Self {
        all.send_modify(|open| *open += 1);
        Self(Arc::clone(all))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

/// Serves a connection until either side ends it.
pub(super) async fn serve(mut stream: TcpStream, mut conversation: Conversation, mut terms: Terms) {
    if terms.read_rate.is_some() {
        stream.narrow();
    }
    // Each reply is one write, and the server sends no more until the client answers: Nagle's
    // algorithm would only delay replies. If the option cannot be set, replies are only slower.
    let _ = stream.set_nodelay(true);
    let open = Open::one_more(&terms.open);
    let connected = conversation.connect();
    tokio::time::sleep(connected.wait).await;
    terms.read_rate = connected.read_rate.or(terms.read_rate);
    let end = if let Some(fault) = connected.last {
        End::Fault(fault)
    } else if terms.implicit {
        End::Tls
    } else {
        let greeting = conversation.greet();
        converse(&mut stream, &mut conversation, greeting, &mut terms).await
    };
    match end {
        // Boxed: TLS needs more memory, which connections without TLS should not have to hold.
        End::Tls => Box::pin(serve_secured(stream, conversation, terms, open)).await,
        End::Closed(close) => {
            drop(open);
            leave(stream, conversation, close).await;
        }
        End::Fault(fault) => {
            drop(open);
            fail(stream, conversation, fault, &terms).await;
        }
    }
}

/// A stream whose receive buffer in the system can be made small.
trait Narrow {
    /// Shrinks the receive buffer, because the system would otherwise accept what the server does
    /// not read. If the system refuses to shrink it, the client can only send more.
    fn narrow(&self);
}

impl Narrow for TcpStream {
    fn narrow(&self) {
        let _ = SockRef::from(self).set_recv_buffer_size(CHUNK);
    }
}

impl Narrow for TlsStream<TcpStream> {
    fn narrow(&self) {
        self.get_ref().0.narrow();
    }
}

async fn serve_secured(
    stream: TcpStream,
    mut conversation: Conversation,
    mut terms: Terms,
    open: Open,
) {
    let mut stream = match secure(stream, &terms).await {
        Ok(stream) => stream,
        Err(error) => {
            conversation.insecure(&error);
            return conversation.closed(blame(&error));
        }
    };
    let said = conversation.secured(stream.get_ref().1);
    let greeting = if terms.implicit { conversation.greet() } else { said };
    let end = converse(&mut stream, &mut conversation, greeting, &mut terms).await;
    drop(open);
    match end {
        End::Closed(close) => leave(stream, conversation, close).await,
        End::Fault(Next::HalfClose) => {
            // Ends TLS with a close_notify; the TCP connection below stays open for reading.
            let _ = stream.shutdown().await;
            fail(stream.into_inner().0, conversation, Next::Stall, &terms).await;
        }
        // The TLS session is dropped without a close_notify.
        End::Fault(fault) => fail(stream.into_inner().0, conversation, fault, &terms).await,
        // TLS inside of TLS is not supported: a rule that asks for it closes the connection.
        End::Tls => leave(stream, conversation, Close::ByServer).await,
    }
}

async fn secure(stream: TcpStream, terms: &Terms) -> io::Result<TlsStream<TcpStream>> {
    let config = terms.authority.config().map_err(io::Error::other)?;
    timeout(terms.idle.min(HANDSHAKE), TlsAcceptor::from(config).accept(stream)).await?
}

/// Ends a connection by a fault.
async fn fail(mut stream: TcpStream, mut conversation: Conversation, fault: Next, terms: &Terms) {
    match fault {
        Next::Reset => drop(stream.set_zero_linger()),
        Next::Stall => hear_out(&mut stream, terms).await,
        Next::HalfClose => {
            let _ = stream.shutdown().await;
            hear_out(&mut stream, terms).await;
        }
        Next::Unread => {
            stream.narrow();
            tokio::time::sleep(terms.idle).await;
        }
        Next::Garbage => {
            // The client sends first. Unread bytes would reset the connection before the client has
            // read our bytes.
            let _ = timeout(terms.idle, stream.read(&mut [0; 1 << 12])).await;
            let _ = stream.write_all(GARBAGE).await;
            let _ = timeout(LINGER, linger(&mut stream)).await;
        }
        _ => {
            // Reads what has arrived, because a close with unread bytes would become a reset.
            let mut chunk = [0; 1 << 10];
            while stream.try_read(&mut chunk).is_ok_and(|count| count > 0) {}
        }
    }
    conversation.closed(match fault {
        Next::Reset => Close::ResetByServer,
        _ => Close::ByServer,
    });
}

/// Reads and discards all input until the client closes, for the idle time at most.
async fn hear_out(stream: &mut TcpStream, terms: &Terms) {
    let heard = async {
        let mut chunk = [0; 1 << 10];
        while stream.read(&mut chunk).await.is_ok_and(|count| count > 0) {}
    };
    let _ = timeout(terms.idle, heard).await;
}

async fn leave(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    mut conversation: Conversation,
    close: Close,
) {
    conversation.closed(close);
    if close == Close::ByServer {
        let _ = timeout(LINGER, linger(&mut stream)).await;
    }
}

async fn converse(
    stream: &mut (impl AsyncRead + AsyncWrite + Narrow + Unpin),
    conversation: &mut Conversation,
    greeting: Outgoing,
    terms: &mut Terms,
) -> End {
    exchange(stream, conversation, greeting, terms)
        .await
        .unwrap_or_else(|error| End::Closed(blame(&error)))
}

async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Narrow + Unpin),
    conversation: &mut Conversation,
    mut outgoing: Outgoing,
    terms: &mut Terms,
) -> io::Result<End> {
    let mut chunk = vec![0; terms.read_rate.map_or(CHUNK, at_once)];
    let (mut since, mut progress) = (Instant::now(), 0);
    loop {
        if !outgoing.replies.is_empty() || progress >= PROGRESS {
            (since, progress) = (Instant::now(), 0);
        }
        // The delay that a rule or a fault asks for.
        if !outgoing.wait.is_zero() {
            tokio::time::sleep(outgoing.wait).await;
        }
        let replies = std::mem::take(&mut outgoing.replies);
        timeout(terms.idle, write(stream, replies, outgoing.drip.as_mut())).await??;
        conversation.taken();
        if let Some(rate) = outgoing.read_rate {
            stream.narrow();
            terms.read_rate = Some(rate);
            chunk = vec![0; at_once(rate)];
        }
        match outgoing.last {
            None => {}
            Some(Next::Close) => return Ok(End::Closed(Close::ByServer)),
            Some(Next::Tls) => return Ok(End::Tls),
            Some(Next::Ask) => {
                let conduct = timeout(terms.idle, conversation.decision()).await?;
                outgoing = conversation.decided(&conduct);
                continue;
            }
            Some(fault) => return Ok(End::Fault(fault)),
        }
        if conversation.holds_input() {
            // The other connections have their turn.
            tokio::task::yield_now().await;
            outgoing = conversation.go_on().unwrap_or_default();
            continue;
        }
        outgoing = match woken(stream, &mut chunk, since, terms).await? {
            Woken::Read(0) => return Ok(End::Closed(Close::ByClient)),
            Woken::Read(count) => {
                progress += count;
                // The pause that keeps to the read rate.
                if let Some(rate) = terms.read_rate {
                    tokio::time::sleep(taking(count, rate)).await;
                }
                conversation.receive(&chunk[..count])
            }
            Woken::Silent => conversation.idle(),
            Woken::Changed => conversation.news().unwrap_or_default(),
        };
        // A client that always has data would otherwise keep other connections from their turn.
        tokio::task::yield_now().await;
    }
}

/// The most bytes of one read at a rate: those of a tenth of a second.
fn at_once(rate: NonZeroU32) -> usize {
    (rate.get() as usize / 10).clamp(1, CHUNK)
}

/// How long reading this many bytes takes at a rate.
fn taking(count: usize, rate: NonZeroU32) -> Duration {
    Duration::from_nanos(1_000_000_000 * count as u64 / u64::from(rate.get()))
}

/// Writes replies, which no memory holds any more when the client has taken them.
async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    replies: Vec<u8>,
    drip: Option<&mut Drip>,
) -> io::Result<()> {
    let Some(drip) = drip else {
        stream.write_all(&replies).await?;
        return stream.flush().await;
    };
    for (place, octet) in replies.iter().enumerate() {
        let pause = drip.pause + drip.dice.up_to(drip.jitter);
        if place > 0 && !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        stream.write_all(&[*octet]).await?;
        stream.flush().await?;
    }
    Ok(())
}

/// Waits until the client sends, has been silent for too long, or there is news. Cancel safe: no
/// branch loses data.
async fn woken(
    stream: &mut (impl AsyncRead + Unpin),
    chunk: &mut [u8],
    since: Instant,
    terms: &mut Terms,
) -> io::Result<Woken> {
    let Terms { idle, changes, pressure, .. } = terms;
    let changed = async {
        match changes {
            // `changed` does not fail, because the sender lives as long as the server.
            Some(changes) => drop(changes.changed().await),
            None => std::future::pending().await,
        }
    };
    let pressed = async {
        loop {
            if pressure.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            if since.elapsed() >= SPARED {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        read = timeout_at(since + *idle, stream.read(chunk)) => match read {
            Ok(read) => Ok(Woken::Read(read?)),
            Err(_) => Ok(Woken::Silent),
        },
        () = changed => Ok(Woken::Changed),
        () = pressed => Ok(Woken::Silent),
    }
}

/// How the connection ended, judged by an error: which side is to blame.
fn blame(error: &io::Error) -> Close {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::InvalidData | ErrorKind::Other => Close::ByServer,
        ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => Close::ByClient,
        _ => Close::ResetByClient,
    }
}

/// Closes for sending, then reads until the client closes. To close with unread bytes would reset
/// the connection, and the client could lose the last replies.
async fn linger(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    stream.shutdown().await?;
    let mut chunk = vec![0; CHUNK];
    let mut left = LINGER_BYTES;
    while left > 0 {
        match stream.read(&mut chunk).await? {
            0 => break,
            count => left = left.saturating_sub(count),
        }
    }
    Ok(())
}
