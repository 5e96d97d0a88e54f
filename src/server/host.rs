//! Listening ports and the thread that serves them.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// The pause after a connection could not be accepted, most often because no file descriptor is
/// left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// How many clients may wait to be accepted; the system may lower this number. If the queue is
/// short, clients of a burst are dropped and try again only after a second.
const BACKLOG: i32 = 4096;

/// Makes the server's side of a connection from this address.
pub(super) type Make = dyn Fn(SocketAddr) -> Box<dyn Dialogue> + Send + Sync;

/// A listening port, and the protocol spoken on it.
pub(super) struct Port {
    pub(super) listener: TcpListener,
    pub(super) speech: Speech,
    pub(super) make: Arc<Make>,
    /// Whether TLS starts before the greeting.
    pub(super) is_tls: bool,
    /// How long a client may be silent.
    pub(super) idle: Duration,
    /// Signals that there may be news for clients, such as new mail; `None` if the protocol has no
    /// news.
    pub(super) changes: Option<watch::Receiver<()>>,
}

/// What all connections share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) authority: Arc<Authority>,
    pub(super) transcript: Option<Transcript>,
    pub(super) spool: Arc<Spool>,
    /// How many dialogues are in progress.
    pub(super) open: Arc<watch::Sender<usize>>,
    /// How many bytes a second are read from a client; unlimited if `None`.
    pub(super) read_rate: Option<NonZeroU32>,
}

/// How long after the grace period the thread may go on with one command. Then nobody waits for it
/// any more: the end of a run is not held up by what a client has asked for.
const STUCK: Duration = Duration::from_millis(200);

/// Serves ports until it is dropped. A drop closes the ports, waits up to the grace period for the
/// dialogues in progress to end, and leaves the transcript complete.
pub(super) struct Host {
    /// Tells the thread to stop, with the grace period; `None` after the server was told to stop.
    stop: Mutex<Option<oneshot::Sender<Duration>>>,
    /// How many dialogues are in progress.
    open: watch::Receiver<usize>,
    /// How long they have to end, after the server was told to stop.
    grace: Mutex<Duration>,
    thread: Option<JoinHandle<()>>,
    /// Disconnected when the thread has ended.
    ended: Mutex<Receiver<()>>,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let grace = *self.grace();
        self.stop(grace);
        let most = self.grace().saturating_add(STUCK);
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        let is_stuck = ended.recv_timeout(most) == Err(RecvTimeoutError::Timeout);
        if let Some(thread) = self.thread.take().filter(|_| !is_stuck) {
            // The thread's panic was reported when it happened.
            let _ = thread.join();
        }
    }
}

impl Host {
    /// Starts to serve; the ports are served when this returns.
    ///
    /// # Errors
    /// The system's error if it gives no thread or no runtime.
    pub(super) fn start(ports: Vec<Port>, shared: Shared, grace: Duration) -> io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = sync_channel(1);
        let open = shared.open.subscribe();
        let (running, ended) = sync_channel(1);
        let run = move || {
            let _running = running;
            run(ports, &shared, &ready, stopped);
        };
        let thread = thread::Builder::new().name("server".into()).spawn(run)?;
        started.recv().map_err(io::Error::other)??;
        let (stop, ended) = (Mutex::new(Some(stop)), Mutex::new(ended));
        let grace = Mutex::new(grace);
        Ok(Self { stop, open, grace, thread: Some(thread), ended })
    }

    /// Accepts no more connections, and gives the dialogues in progress this time to end. Only the
    /// first call has an effect.
    pub(super) fn stop(&self, grace: Duration) {
        let mut stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stop) = stop.take() {
            *self.grace() = grace;
            // The thread is gone if it panicked.
            let _ = stop.send(grace);
        }
    }

    fn grace(&self) -> MutexGuard<'_, Duration> {
        self.grace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all dialogues in progress have ended.
    #[cfg(feature = "script")]
    pub(super) async fn idle(&self) {
        // An error means that the thread, which holds the sender, is gone: no dialogue is left.
        let _ = self.open.clone().wait_for(|open| *open == 0).await;
    }
}

/// Opens a listening socket at an address.
///
/// # Errors
/// The system's error, with the address.
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

/// The main function of the thread: reports whether it could start, then serves until `stopped`
/// receives the grace period or its sender is dropped.
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
        // The end of the runtime ends all tasks that are left.
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

/// Accepts connections one after the other, and serves each in a task of its own.
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
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                runtime::note_refused(&error);
                // Perhaps no file descriptor is left: the clients that have been silent for long are
                // closed to free some. Without a pause, the retries would only use up the CPU.
                pressure.send_replace(());
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let recorder = shared.transcript.clone();
        let budget = shared.spool.budget();
        let recorder = recorder.map(|transcript| Recorder::open(transcript, speech, peer, budget));
        let conversation = Conversation::new(make(peer), Arc::clone(&shared.spool), recorder);
        tokio::spawn(connection::serve(stream, conversation, terms.clone()));
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};
    use std::sync::mpsc;

    use super::*;
    use crate::server::site::Site;
    use crate::server::smtp::{Role, Smtp};

    #[test]
    fn the_end_does_not_wait_for_a_server_that_is_stuck() {
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let at = listener.local_addr().unwrap();
        let (begun, is_begun) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let released = Mutex::new(released);
        let make = move |peer| -> Box<dyn Dialogue> {
            begun.send(()).unwrap();
            let _ = released.lock().unwrap().recv();
            Box::new(Smtp::new(Role::Smtp, Arc::<Site>::default(), peer))
        };
        let port = Port {
            listener,
            speech: Speech::Smtp,
            make: Arc::new(make),
            is_tls: false,
            idle: Duration::from_mins(5),
            changes: None,
        };
        let shared = Shared {
            authority: Arc::new(Authority::default()),
            transcript: None,
            spool: Arc::clone(&Site::default().spool),
            open: Arc::new(watch::Sender::new(0)),
            read_rate: None,
        };
        let host = Host::start(vec![port], shared, Duration::ZERO).unwrap();
        let _client = TcpStream::connect(at).unwrap();
        is_begun.recv().unwrap();
        drop(host);
        drop(release);
    }
}
