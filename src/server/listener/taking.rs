//! Takes connections from the system, and keeps them until they are accepted.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::connect::{self, Spoilt};
use crate::error::{Error, Kind, Result};
use crate::session::{CONNECT, Faults, Incoming};
use crate::tls::Acceptor;
use crate::transport::{Tls, Transport};

/// How many connections wait to be accepted by the script; the system queues the others.
const WAITING: usize = 1024;

/// A connection that has arrived.
#[derive(Debug)]
pub(super) enum Came {
    /// The connection can be accepted, or its handshake took too long.
    Ready(Box<Result<Incoming>>),
    /// A fault has ended the connection, so the script does not have to accept it.
    Spoilt(Spoilt),
}

/// The connections that arrived and were not accepted yet.
#[derive(Debug, Default)]
pub(super) struct Queue {
    left: Mutex<Left>,
    pub(super) more: Notify,
    room: Notify,
}

#[derive(Debug, Default)]
struct Left {
    /// The connections that can be accepted and those that a fault ended, in the order in which
    /// this was decided.
    came: VecDeque<Came>,
    /// How many of `came` a fault has ended.
    spoilt: usize,
    /// The clients that connected and cannot be accepted yet, and why.
    shaking: Vec<(String, Hindered)>,
    /// Why the system gave no connection at the last attempt.
    failed: Option<String>,
}

/// Why a connection that arrived cannot be accepted yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hindered {
    Handshake,
    Fault,
}

impl Left {
    fn count(&self) -> usize {
        self.came.len() - self.spoilt + self.shaking.len()
    }

    fn push(&mut self, came: Came) {
        let is_spoilt = matches!(came, Came::Spoilt(_));
        // Connections that a fault ended are kept for the transcript only, and no more than
        // WAITING, so that their memory is bounded.
        if !is_spoilt || self.spoilt < WAITING {
            self.spoilt += usize::from(is_spoilt);
            self.came.push_back(came);
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, incoming: Incoming) {
        self.lock().push(Came::Ready(Box::new(Ok(incoming))));
        self.more.notify_one();
    }

    /// Notes a client that connected and cannot be accepted yet.
    fn begins(&self, peer: &str, why: Hindered) {
        self.lock().shaking.push((peer.to_owned(), why));
        self.more.notify_one();
    }

    /// Notes that a client can be accepted now, or never will be.
    fn ends(&self, peer: &str, came: Came) {
        let mut left = self.lock();
        let place = left.shaking.iter().position(|(shaking, _)| shaking == peer);
        place.map(|place| left.shaking.swap_remove(place));
        left.push(came);
        drop(left);
        self.more.notify_one();
    }

    pub(super) fn pop(&self) -> Option<Came> {
        let mut left = self.lock();
        let next = left.came.pop_front()?;
        left.spoilt -= usize::from(matches!(next, Came::Spoilt(_)));
        drop(left);
        self.room.notify_one();
        Some(next)
    }

    /// All that faults have ended so far.
    pub(super) fn take_spoilt(&self) -> Vec<Spoilt> {
        let mut left = self.lock();
        left.spoilt = 0;
        let (mut spoilt, mut others) = (Vec::new(), VecDeque::new());
        for came in std::mem::take(&mut left.came) {
            match came {
                Came::Spoilt(one) => spoilt.push(one),
                ready @ Came::Ready(_) => others.push_back(ready),
            }
        }
        left.came = others;
        spoilt
    }

    /// How many connections arrived and were not accepted, whether their handshake is over or not.
    pub(super) fn count(&self) -> usize {
        self.lock().count()
    }

    /// The client that has waited longest for its handshake or its fault to end, as an error shows
    /// it; if there is none, why the system gave no connection.
    pub(super) fn hindered(&self) -> Option<String> {
        let left = self.lock();
        left.shaking.first().map(hindered).or_else(|| left.failed.clone())
    }

    /// The connection that arrived first, as an error shows it.
    pub(super) fn first(&self) -> Option<String> {
        let left = self.lock();
        let ready = left.came.iter().find_map(ready);
        ready.or_else(|| left.shaking.first().map(hindered))
    }
}

fn hindered((peer, why): &(String, Hindered)) -> String {
    match why {
        Hindered::Handshake => {
            format!("a connection from {peer}, in the middle of the TLS handshake")
        }
        Hindered::Fault => format!("a connection from {peer}, held back by a fault at CONNECT"),
    }
}

/// A connection that can be accepted, as an error shows it.
fn ready(came: &Came) -> Option<String> {
    let Came::Ready(incoming) = came else { return None };
    Some(match &**incoming {
        Ok(incoming) => format!("a connection from {}", incoming.peer),
        Err(error) => error.message().to_owned(),
    })
}

/// The task that takes connections from the system while a listener is open.
#[derive(Debug)]
pub(super) struct Taking {
    task: JoinHandle<()>,
    /// A second handle of the listening socket, for connections that the task had no time to take.
    socket: Socket,
    taker: Arc<Taker>,
}

impl Taking {
    /// Takes connections from a listening socket.
    ///
    /// # Errors
    /// The system's error if tokio cannot wait on the socket.
    pub(super) fn begin(socket: Socket, taker: Taker) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let (again, taker) = (socket.try_clone()?, Arc::new(taker));
        let taking = Arc::clone(&taker);
        let task = if socket.domain()? == Domain::UNIX {
            tokio::spawn(taking.take_unix(UnixListener::from_std(socket.into())?))
        } else {
            tokio::spawn(taking.take_tcp(TcpListener::from_std(socket.into())?))
        };
        Ok(Self { task, socket: again, taker })
    }

    /// Stops listening at once. The system resets connections that were not taken.
    pub(super) fn abort(&self) {
        self.task.abort();
    }

    /// Takes all connections that arrived so far, then stops listening. So a test's result does not
    /// depend on when the task was scheduled.
    pub(super) async fn stop(self) {
        self.task.abort();
        // The result is always the error of a cancelled task.
        let _ = self.task.await;
        while self.taker.queue.count() < WAITING {
            let taken = self.socket.accept().and_then(|(socket, from)| {
                socket.set_nonblocking(true)?;
                self.taker.taken(socket, &from)
            });
            match taken {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(_) => return,
            }
        }
    }
}

/// Takes connections from the system, and makes the handshake if TLS is on from the start.
#[derive(Debug)]
pub(super) struct Taker {
    pub(super) queue: Arc<Queue>,
    pub(super) acceptor: Option<Acceptor>,
    pub(super) allowed: Duration,
    pub(super) faults: Arc<Faults>,
    /// How many connections have arrived.
    pub(super) came: Arc<AtomicU64>,
    pub(super) read_rate: Option<u32>,
    /// The scheme of the URLs by which clients are named.
    pub(super) scheme: &'static str,
    /// The listener's URL; clients of a unix socket are named by this URL too.
    pub(super) url: String,
}

impl Taker {
    async fn take_tcp(self: Arc<Self>, listener: TcpListener) {
        loop {
            self.room().await;
            match listener.accept().await {
                Ok((stream, peer)) => self.came_by_tcp(stream, peer),
                Err(error) => self.failed(&error).await,
            }
        }
    }

    async fn take_unix(self: Arc<Self>, listener: UnixListener) {
        loop {
            self.room().await;
            match listener.accept().await {
                Ok((stream, _)) => self.arrived(Transport::Unix(stream), self.url.clone()),
                Err(error) => self.failed(&error).await,
            }
        }
    }

    fn taken(&self, socket: Socket, from: &SockAddr) -> io::Result<()> {
        if let Some(peer) = from.as_socket() {
            self.came_by_tcp(TcpStream::from_std(socket.into())?, peer);
        } else {
            let stream = UnixStream::from_std(socket.into())?;
            self.arrived(Transport::Unix(stream), self.url.clone());
        }
        Ok(())
    }

    fn came_by_tcp(&self, stream: TcpStream, peer: SocketAddr) {
        // Each reply is one write, so Nagle's algorithm would only delay replies.
        let _ = stream.set_nodelay(true);
        self.arrived(Transport::of_tcp(stream), format!("{}://{peer}", self.scheme));
    }

    /// Waits while the queue is full.
    async fn room(&self) {
        loop {
            let room = self.queue.room.notified();
            if self.queue.count() < WAITING {
                return;
            }
            room.await;
        }
    }

    fn arrived(&self, transport: Transport, peer: String) {
        self.queue.lock().failed = None;
        let number = self.came.fetch_add(1, Ordering::Relaxed) + 1;
        let mut faults = self.faults.on(number);
        let fault = faults.at(CONNECT);
        let read_rate = self.read_rate;
        let incoming = Incoming { transport, peer, faults, read_rate, tls_failed: None };
        if self.acceptor.is_none() && fault.is_none() {
            return self.queue.push(incoming);
        }
        let (queue, peer) = (Arc::clone(&self.queue), incoming.peer.clone());
        queue.begins(&peer, fault.as_ref().map_or(Hindered::Handshake, |_| Hindered::Fault));
        let (acceptor, allowed) = (self.acceptor.clone(), self.allowed);
        tokio::spawn(async move {
            let over = |spoilt| queue.ends(&peer, Came::Spoilt(spoilt));
            let spared = match fault {
                Some(fault) => connect::spoil(incoming, &fault, over).await,
                None => Some(incoming),
            };
            let Some(incoming) = spared else { return };
            let ready = match acceptor {
                Some(acceptor) => shake(&acceptor, incoming, allowed).await,
                None => Ok(incoming),
            };
            queue.ends(&peer, Came::Ready(Box::new(ready)));
        });
    }

    async fn failed(&self, error: &io::Error) {
        // A client that left before it was accepted is no error of the system. Other errors are,
        // most often a lack of file descriptors: without a pause, the retries would only use up the
        // CPU.
        if error.kind() != io::ErrorKind::ConnectionAborted {
            self.queue.lock().failed = Some(format!("the system gives none: {error}"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Makes the TLS handshake.
async fn shake(acceptor: &Acceptor, incoming: Incoming, allowed: Duration) -> Result<Incoming> {
    let Incoming { transport, peer, .. } = incoming;
    let attempt = acceptor.attempt();
    let handshake = Tls::accept(attempt.config(), transport);
    let (transport, tls_failed) = match timeout_at(Instant::now() + allowed, handshake).await {
        Ok(Ok(tls)) => (Transport::Tls(Box::new(tls)), None),
        Ok(Err(broken)) => (broken.transport, Some(attempt.explain(broken.error))),
        Err(_) => {
            return Err(Error::new(
                Kind::Timeout,
                format!("the client {peer} did not finish the TLS handshake in time"),
            ));
        }
    };
    Ok(Incoming { transport, peer, tls_failed, ..incoming })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn why_the_system_gives_no_connection_is_kept_until_it_gives_one() {
        let queue = Arc::<Queue>::default();
        let taker = Taker {
            queue: Arc::clone(&queue),
            acceptor: None,
            allowed: Duration::ZERO,
            faults: Arc::default(),
            came: Arc::default(),
            read_rate: None,
            scheme: "smtp",
            url: String::new(),
        };
        taker.failed(&io::ErrorKind::ConnectionAborted.into()).await;
        assert_eq!(queue.hindered(), None);
        taker.failed(&io::Error::other("too many open files")).await;
        assert_eq!(queue.hindered().unwrap(), "the system gives none: too many open files");
        let (ours, _theirs) = UnixStream::pair().unwrap();
        taker.arrived(Transport::Unix(ours), "there".to_owned());
        assert_eq!((queue.hindered(), queue.count()), (None, 1));
    }
}
