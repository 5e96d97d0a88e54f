//! A listener: accepts the sessions in which a script or a test plays the server.

mod bound;
mod connect;
mod errors;
mod options;
mod taking;

pub(super) use connect::GARBAGE;
pub use options::ListenerOptions;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::Socket;
use tokio::time::{Instant, timeout_at};

use self::bound::{Bound, bound, destination, socket_at, socket_of};
use self::connect::Spoilt;
use self::errors::{Counts, unavailable};
use self::taking::{Came, Queue, Taker, Taking};
use crate::chance::Seed;
use crate::error::{Error, Kind, Result, Waited};
use crate::proto::Scheme;
use crate::session::{Faults, Incoming, Options, Session};
use crate::target::Endpoint;
use crate::tls::{Acceptor, Authority, ServerOptions};

/// How many connections the system queues until they are accepted.
const BACKLOG: i32 = 4096;

/// A listener, and the connections that wait to be accepted. By default it listens on a free port
/// of loopback.
///
/// A listener is for tests of clients: the client connects, and the test plays the server.
///
/// ```
/// use mailexpect::{Session, block_on, server::Listener};
///
/// # fn main() -> mailexpect::Result<()> {
/// let listener = block_on(Listener::bind("smtp"))?;
/// let url = listener.url();
/// let client = std::thread::spawn(move || {
///     block_on(async {
///         let mut client = Session::connect(&url).await?;
///         client.expect(220).await?;
///         client.quit().await?;
///         client.finish().await
///     })
/// });
/// let mut server = block_on(listener.accept())?;
/// block_on(server.greet("220 localhost ESMTP"))?;
/// block_on(server.expect_quit())?;
/// client.join().unwrap()?;
/// block_on(listener.finish())
/// # }
/// ```
#[derive(Debug)]
pub struct Listener {
    scheme: &'static Scheme,
    bound: Bound,
    url: String,
    options: Options,
    tls: ServerOptions,
    /// Makes the handshakes if TLS begins with the connection.
    acceptor: Option<Acceptor>,
    authority: Arc<Authority>,
    queue: Arc<Queue>,
    faults: Arc<Faults>,
    seed: Seed,
    came: Arc<AtomicU64>,
    read_rate: Option<u32>,
    state: Mutex<State>,
    /// How many sessions were accepted so far.
    accepted: AtomicU32,
    /// Connections so far that a fault has ended before they could be accepted.
    spoilt: AtomicU32,
}

#[derive(Debug)]
enum State {
    /// A task accepts connections from the system.
    Open(Taking),
    /// Connections are refused; the port stays bound by the listener.
    Refusing(Option<Socket>),
}

impl ListenerOptions {
    /// Listens. `to` is a scheme, such as `smtp`, `imaps` or `lmtp+unix`, for a free port of
    /// loopback or a new socket; or a URL, such as `smtp://127.0.0.1:2525` or
    /// `lmtp+unix:///run/lmtp`.
    ///
    /// # Errors
    /// Usage for a scheme or URL that cannot be read, and an address that cannot be listened on.
    #[allow(clippy::unused_async, reason = "it needs the runtime that it is awaited on")]
    pub async fn bind(self, to: &str) -> Result<Listener> {
        let (scheme, endpoint) = destination(to)?;
        self.bind_to(scheme, &endpoint, to)
    }

    /// Listens for a scheme at an address. Unlike the port of a URL, its port may be 0, for a free
    /// one.
    #[cfg(feature = "script")]
    #[allow(clippy::unused_async, reason = "it needs the runtime that it is awaited on")]
    pub(crate) async fn bind_at(self, scheme: &str, at: SocketAddr) -> Result<Listener> {
        let (scheme, _) = destination(scheme)?;
        let endpoint = Endpoint::Host { host: at.ip().to_string(), port: at.port() };
        self.bind_to(scheme, &endpoint, &format!("{}://{at}", scheme.name))
    }

    fn bind_to(self, scheme: &'static Scheme, endpoint: &Endpoint, to: &str) -> Result<Listener> {
        let authority = Arc::<Authority>::default();
        self.tls.check(scheme.is_tls())?;
        let acceptor = scheme.is_tls().then(|| self.tls.acceptor(&authority)).transpose()?;
        let (socket, bound) = bound(endpoint).map_err(|error| unavailable(to, &error))?;
        let url = match &bound {
            Bound::Tcp(address) => format!("{}://{address}", scheme.name),
            Bound::Unix(path, _) => format!("{}+unix://{}", scheme.name, path.display()),
        };
        let listener = Listener {
            scheme,
            bound,
            url,
            options: self.session,
            tls: self.tls,
            acceptor,
            authority,
            queue: Arc::default(),
            faults: Arc::new(Faults::new(self.faults, (self.seed.clone(), self.number))),
            seed: self.seed,
            came: Arc::default(),
            read_rate: self.read_rate,
            state: Mutex::new(State::Refusing(Some(socket))),
            accepted: AtomicU32::new(0),
            spoilt: AtomicU32::new(0),
        };
        listener.resume()?;
        Ok(listener)
    }
}

impl Listener {
    /// Listens with the default options; see [`ListenerOptions::bind`].
    ///
    /// # Errors
    /// Same as [`ListenerOptions::bind`].
    pub async fn bind(to: &str) -> Result<Self> {
        ListenerOptions::default().bind(to).await
    }

    /// Options to listen with.
    pub fn options() -> ListenerOptions {
        ListenerOptions::default()
    }

    /// The URL that a client connects to.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The address that a client connects to; empty for a unix socket.
    #[must_use]
    pub fn host(&self) -> String {
        match &self.bound {
            Bound::Tcp(address) => address.ip().to_string(),
            Bound::Unix(..) => String::new(),
        }
    }

    /// The port; 0 for a unix socket.
    #[must_use]
    pub fn port(&self) -> u16 {
        match &self.bound {
            Bound::Tcp(address) => address.port(),
            Bound::Unix(..) => 0,
        }
    }

    /// The path of a unix socket; empty for a port.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match &self.bound {
            Bound::Tcp(_) => PathBuf::new(),
            Bound::Unix(path, _) => path.clone(),
        }
    }

    /// The PEM certificate of the CA that issues the listener's certificate.
    ///
    /// # Errors
    /// Usage if no CA can be made.
    pub fn ca(&self) -> Result<String> {
        self.authority.pem().map(str::to_owned).map_err(|why| {
            Error::new(Kind::Io, format!("no authority can be made for the listener: {why}"))
        })
    }

    /// The seed of all random choices, for [`ListenerOptions::seed`]: print it if a test fails.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed.value()
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn accepted(&self) -> u32 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Accepts the next connection, which may have arrived already.
    ///
    /// # Errors
    /// A timeout if no client connects; `tls` if TLS is on from the start and the handshake fails.
    pub async fn accept(&self) -> Result<Session> {
        self.accept_within(self.options.allowed()).await
    }

    /// Same as [`Listener::accept`], with a deadline of its own.
    ///
    /// # Errors
    /// Same as [`Listener::accept`].
    pub async fn accept_within(&self, allowed: Duration) -> Result<Session> {
        self.check_open()?;
        let started = Instant::now();
        loop {
            // Registered before the queue is checked, so that no connection that arrives in between
            // is missed.
            let more = self.queue.more.notified();
            if let Some(incoming) = self.next() {
                self.accepted.fetch_add(1, Ordering::Relaxed);
                let tls = (&self.tls, &self.authority);
                return self.options.clone().accepted(incoming?, self.scheme, tls);
            }
            if timeout_at(started + allowed, more).await.is_err() {
                return Err(self.nobody(started.elapsed(), allowed));
            }
        }
    }

    /// Checks that no client connects for this time.
    ///
    /// # Errors
    /// Unexpected if a client connects or has connected already.
    pub async fn expect_none(&self, span: Duration) -> Result<()> {
        let until = Instant::now() + span;
        loop {
            let more = self.queue.more.notified();
            if let Some(came) = self.queue.first() {
                return Err(errors::unwanted(span, came).with_session(self.url.clone()));
            }
            if timeout_at(until, more).await.is_err() {
                return Ok(());
            }
        }
    }

    /// Refuses connections from now on; the port stays bound. Connections that arrived earlier
    /// still wait to be accepted.
    ///
    /// # Errors
    /// Usage if the port cannot be bound again.
    pub async fn refuse(&self) -> Result<()> {
        let before = std::mem::replace(&mut *self.lock(), State::Refusing(None));
        let State::Open(taking) = before else {
            *self.lock() = before;
            return Ok(());
        };
        taking.stop().await;
        let socket = match &self.bound {
            // The socket is bound but does not listen: the system refuses clients, and no other
            // process can take the port.
            Bound::Tcp(address) => {
                Some(socket_at(*address).map_err(|error| unavailable(&self.url, &error))?)
            }
            Bound::Unix(path, _) => {
                std::fs::remove_file(path).map_err(|error| unavailable(&self.url, &error))?;
                None
            }
        };
        *self.lock() = State::Refusing(socket);
        Ok(())
    }

    /// Accepts connections again after [`Listener::refuse`].
    ///
    /// # Errors
    /// Usage if the address cannot be listened on any more.
    pub fn resume(&self) -> Result<()> {
        let mut state = self.lock();
        let State::Refusing(socket) = &mut *state else { return Ok(()) };
        let socket = match (socket.take(), &self.bound) {
            (Some(socket), _) => Ok(socket),
            (None, Bound::Unix(path, _)) => socket_of(path),
            (None, Bound::Tcp(address)) => socket_at(*address),
        };
        let opened = socket.and_then(|socket| self.open(socket));
        let task = opened.map_err(|error| unavailable(&self.url, &error))?;
        *state = State::Open(task);
        Ok(())
    }

    /// Ends the listener, and checks that each client that connected was accepted.
    ///
    /// # Errors
    /// Vacuous if a connection was never accepted.
    pub async fn finish(&self) -> Result<()> {
        let before = std::mem::replace(&mut *self.lock(), State::Refusing(None));
        if let State::Open(taking) = before {
            taking.stop().await;
        }
        self.queue.take_spoilt().into_iter().for_each(|spoilt| self.note(spoilt));
        let left = self.queue.count();
        let Some(first) = self.queue.first() else { return Ok(()) };
        Err(errors::never_accepted(left, first).with_session(self.url.clone()))
    }

    /// Stops listening.
    pub fn close(&self) {
        let mut state = self.lock();
        if let State::Open(taking) = &*state {
            taking.abort();
        }
        *state = State::Refusing(None);
        drop(state);
        self.queue.take_spoilt().into_iter().for_each(|spoilt| self.note(spoilt));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next connection that can be accepted, if one has come. Those before it that faults have
    /// ended are written into the transcript.
    fn next(&self) -> Option<Result<Incoming>> {
        loop {
            match self.queue.pop()? {
                Came::Ready(incoming) => return Some(*incoming),
                Came::Spoilt(spoilt) => self.note(spoilt),
            }
        }
    }

    fn note(&self, Spoilt { peer, said, close }: Spoilt) {
        self.spoilt.fetch_add(1, Ordering::Relaxed);
        self.options.came_and_went(peer, said, close);
    }

    fn check_open(&self) -> Result<()> {
        let is_refusing = matches!(&*self.lock(), State::Refusing(_));
        if !is_refusing || self.queue.count() > 0 {
            return Ok(());
        }
        let error = Error::usage("the listener refuses connections, and none waits");
        Err(error.with_session(self.url.clone()).hint("say resume() first"))
    }

    fn open(&self, socket: Socket) -> io::Result<Taking> {
        socket.listen(BACKLOG)?;
        let taker = Taker {
            queue: Arc::clone(&self.queue),
            acceptor: self.acceptor.clone(),
            allowed: self.options.allowed(),
            faults: Arc::clone(&self.faults),
            came: Arc::clone(&self.came),
            read_rate: self.read_rate,
            scheme: self.scheme.name,
            url: self.url.clone(),
        };
        Taking::begin(socket, taker)
    }

    fn nobody(&self, elapsed: Duration, allowed: Duration) -> Error {
        let counts =
            Counts { accepted: self.accepted(), spoilt: self.spoilt.load(Ordering::Relaxed) };
        let error = errors::nobody(Waited { elapsed, allowed }, counts, self.queue.hindered());
        error.with_session(self.url.clone())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
        if let Bound::Unix(path, folder) = &self.bound {
            // `refuse` may have removed the socket already.
            let _ = std::fs::remove_file(path);
            if let Some(folder) = folder {
                let _ = std::fs::remove_dir(folder);
            }
        }
    }
}
