//! Listening ports and the thread that serves them.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::connection::{self, Terms};
use super::conversation::Conversation;
use super::dialogue::Dialogue;
use super::mail::Spool;
use super::recorder::Recorder;
use crate::proto::Speech;
use crate::runtime;
use crate::tls::Authority;
use crate::transcript::Transcript;

/// How long to wait if no connection can be accepted, most often for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// How many clients may wait to be accepted, as far as the system allows. With few, those of a burst
/// try again after a second.
const BACKLOG: i32 = 4096;

/// Makes the server's side of a connection from this address.
pub(super) type Make = dyn Fn(SocketAddr) -> Box<dyn Dialogue> + Send + Sync;

/// A listening port, and what is spoken there.
pub(super) struct Port {
    pub(super) listener: TcpListener,
    pub(super) speech: Speech,
    pub(super) make: Arc<Make>,
    /// TLS comes before anything is said.
    pub(super) is_tls: bool,
    /// How long a client may be silent.
    pub(super) idle: Duration,
    /// Rings when there may be news for clients.
    pub(super) changes: Option<watch::Receiver<()>>,
}

/// What all connections share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) authority: Arc<Authority>,
    pub(super) transcript: Option<Transcript>,
    pub(super) spool: Arc<Spool>,
    /// How many dialogues are under way.
    pub(super) open: Arc<watch::Sender<usize>>,
    /// How many octets a second are read of a client, unless it is as many as come.
    pub(super) read_rate: Option<NonZeroU32>,
}

/// Serves ports until it is dropped: they are closed and the transcript is complete after that. The
/// dialogues that are under way then have the grace to come to their end.
pub(super) struct Host {
    /// How long the grace is; gone once the server is told to stop.
    stop: Mutex<Option<oneshot::Sender<Duration>>>,
    /// How many dialogues are under way.
    open: watch::Receiver<usize>,
    grace: Duration,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop(self.grace);
        if let Some(thread) = self.thread.take() {
            // The thread's panic was reported when it happened.
            let _ = thread.join();
        }
    }
}

impl Host {
    /// Serves when this returns.
    ///
    /// # Errors
    /// What the system says if it gives no thread or no runtime.
    pub(super) fn start(ports: Vec<Port>, shared: Shared, grace: Duration) -> io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = sync_channel(1);
        let open = shared.open.subscribe();
        let run = move || run(ports, &shared, &ready, stopped);
        let thread = thread::Builder::new().name("server".into()).spawn(run)?;
        started.recv().map_err(io::Error::other)??;
        Ok(Self { stop: Mutex::new(Some(stop)), open, grace, thread: Some(thread) })
    }

    /// Takes no more connections, and gives the dialogues under way so long to come to their end.
    /// Only the first time counts.
    pub(super) fn stop(&self, grace: Duration) {
        let mut stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        // The thread is gone if it panicked.
        let _ = stop.take().map(|stop| stop.send(grace));
    }

    /// Waits until the dialogues under way have come to their end.
    #[cfg(feature = "script")]
    pub(super) async fn idle(&self) {
        // Its other end goes with the thread.
        let _ = self.open.clone().wait_for(|open| *open == 0).await;
    }
}

/// Listens there.
///
/// # Errors
/// What the system says, with the address.
pub(super) fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    let bound = || {
        let socket = Socket::new(Domain::for_address(at), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&at.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    };
    bound().map_err(|error: io::Error| io::Error::new(error.kind(), format!("{at}: {error}")))
}

/// The life of the thread: says whether it could start, then serves until the other end of
/// `stopped` is gone.
fn run(
    ports: Vec<Port>,
    shared: &Shared,
    ready: &SyncSender<io::Result<()>>,
    stopped: oneshot::Receiver<Duration>,
) {
    let (runtime, ports) = match prepare(ports) {
        Ok(prepared) => prepared,
        Err(error) => return drop(ready.send(Err(error))),
    };
    let _ = ready.send(Ok(()));
    runtime.block_on(async {
        let pressure = Arc::new(watch::Sender::new(()));
        let accepting: Vec<_> = ports
            .into_iter()
            .map(|(listener, port)| {
                tokio::spawn(accept(listener, port, shared.clone(), Arc::clone(&pressure)))
            })
            .collect();
        let grace = stopped.await.unwrap_or_default();
        accepting.iter().for_each(tokio::task::JoinHandle::abort);
        let mut open = shared.open.subscribe();
        let _ = timeout(grace, open.wait_for(|open| *open == 0)).await;
        // With the runtime go all its tasks.
    });
}

/// A port without its listener.
type Spoken = (Speech, Arc<Make>, bool, Duration, Option<watch::Receiver<()>>);

fn prepare(ports: Vec<Port>) -> io::Result<(Runtime, Vec<(tokio::net::TcpListener, Spoken)>)> {
    let runtime = runtime::build()?;
    let guard = runtime.enter();
    let ports = ports.into_iter().map(|port| {
        let listener = tokio::net::TcpListener::from_std(port.listener)?;
        Ok((listener, (port.speech, port.make, port.is_tls, port.idle, port.changes)))
    });
    let ports = ports.collect::<io::Result<_>>();
    drop(guard);
    Ok((runtime, ports?))
}

/// Takes in one connection after the other and serves each by a task of its own.
async fn accept(
    listener: tokio::net::TcpListener,
    (speech, make, is_tls, idle, changes): Spoken,
    shared: Shared,
    pressure: Arc<watch::Sender<()>>,
) {
    let terms = Terms {
        idle,
        authority: Arc::clone(&shared.authority),
        implicit: is_tls,
        changes,
        pressure: pressure.subscribe(),
        read_rate: shared.read_rate,
        open: Arc::clone(&shared.open),
    };
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // No descriptor is left, perhaps: clients that have been silent for long make room.
            // Asking again at once would only burn the core.
            pressure.send_replace(());
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let recorder = shared.transcript.clone();
        let recorder = recorder.map(|transcript| Recorder::open(transcript, speech, peer));
        let conversation = Conversation::new(make(peer), Arc::clone(&shared.spool), recorder);
        tokio::spawn(connection::serve(stream, conversation, terms.clone()));
    }
}
