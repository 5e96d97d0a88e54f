//! A listener: the server's side of dialogues that a script or a test plays itself.

use std::collections::VecDeque;
use std::fs::DirBuilder;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::error::{Error, Kind, Result};
use crate::proto::Scheme;
use crate::session::{Incoming, Options, Session};
use crate::target::{self, Place, Target};
use crate::tls::{Authority, ServerOptions};
use crate::transport::{Tls, Transport};

/// Connections that wait in the system until they are taken off it.
const BACKLOG: i32 = 4096;
/// How many connections wait to be accepted by the script; the system holds the others.
const WAITING: usize = 1024;

/// A listener and the connections that wait to be accepted. It is open to loopback, on a free port,
/// unless told otherwise.
///
/// It is for tests of clients: the client connects, and the test is the server.
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
    place: Bound,
    url: String,
    options: Options,
    tls: ServerOptions,
    authority: Arc<Authority>,
    queue: Arc<Queue>,
    state: Mutex<State>,
    /// Sessions that were accepted so far.
    accepted: AtomicU32,
}

/// Where it listens.
#[derive(Clone, Debug)]
enum Bound {
    Tcp(SocketAddr),
    /// The path, and the folder that was made for it.
    Unix(PathBuf, Option<PathBuf>),
}

#[derive(Debug)]
enum State {
    /// Connections are taken off the system by a task.
    Open(JoinHandle<()>),
    /// Connections are refused; the port stays ours.
    Refusing(Option<Socket>),
}

/// Connections that came and were not accepted.
#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<VecDeque<Result<Incoming>>>,
    more: Notify,
    room: Notify,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Result<Incoming>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, incoming: Result<Incoming>) {
        self.lock().push_back(incoming);
        self.more.notify_one();
    }

    fn pop(&self) -> Option<Result<Incoming>> {
        let next = self.lock().pop_front()?;
        self.room.notify_one();
        Some(next)
    }
}

/// How to listen.
#[derive(Clone, Debug, Default)]
#[must_use = "nothing listens until it is bound"]
pub struct ListenerOptions {
    session: Options,
    tls: ServerOptions,
}

impl ListenerOptions {
    /// What holds on the sessions that are accepted: deadlines, the transcript, how writes are cut.
    pub fn session(self, session: Options) -> Self {
        Self { session, ..self }
    }

    /// How TLS is put on, from the start or by STARTTLS.
    pub fn tls(self, tls: ServerOptions) -> Self {
        Self { tls, ..self }
    }

    /// Listens. `to` is a scheme, as `smtp`, `imaps` or `lmtp+unix`, for a free port of loopback or
    /// a new socket; or a URL, as `smtp://127.0.0.1:2525` or `lmtp+unix:///run/lmtp`.
    ///
    /// # Errors
    /// Usage for a scheme or URL that cannot be read, and an address that cannot be listened on.
    #[allow(clippy::unused_async, reason = "it needs the runtime that it is awaited on")]
    pub async fn bind(self, to: &str) -> Result<Listener> {
        let (scheme, place) = destination(to)?;
        let authority = Arc::<Authority>::default();
        let (socket, bound) = bound(&place).map_err(|error| unavailable(to, &error))?;
        let url = match &bound {
            Bound::Tcp(address) => format!("{}://{address}", scheme.name),
            Bound::Unix(path, _) => format!("{}+unix://{}", scheme.name, path.display()),
        };
        let listener = Listener {
            scheme,
            place: bound,
            url,
            options: self.session,
            tls: self.tls,
            authority,
            queue: Arc::default(),
            state: Mutex::new(State::Refusing(Some(socket))),
            accepted: AtomicU32::new(0),
        };
        listener.resume()?;
        Ok(listener)
    }
}

impl Listener {
    /// Listens with the default options; see [`ListenerOptions::bind`].
    ///
    /// # Errors
    /// As [`ListenerOptions::bind`].
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

    /// The address of a client's connection; empty for a unix socket.
    #[must_use]
    pub fn host(&self) -> String {
        match &self.place {
            Bound::Tcp(address) => address.ip().to_string(),
            Bound::Unix(..) => String::new(),
        }
    }

    /// The port; 0 for a unix socket.
    #[must_use]
    pub fn port(&self) -> u16 {
        match &self.place {
            Bound::Tcp(address) => address.port(),
            Bound::Unix(..) => 0,
        }
    }

    /// The path of a unix socket; empty for a port.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match &self.place {
            Bound::Tcp(_) => PathBuf::new(),
            Bound::Unix(path, _) => path.clone(),
        }
    }

    /// The certificate of the authority that issues the listener's own, as PEM.
    ///
    /// # Errors
    /// Usage if none can be made.
    pub fn ca(&self) -> Result<String> {
        self.authority.pem().map(str::to_owned).map_err(|why| {
            Error::usage(format!("no authority can be made for the listener: {why}"))
        })
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn accepted(&self) -> u32 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Accepts the next connection, which may have come already.
    ///
    /// # Errors
    /// A time-out if no client comes; `tls` if TLS is on from the start and the handshake fails.
    pub async fn accept(&self) -> Result<Session> {
        self.accept_within(self.options.allowed()).await
    }

    /// The same, with a deadline of its own.
    ///
    /// # Errors
    /// As [`Listener::accept`].
    pub async fn accept_within(&self, allowed: Duration) -> Result<Session> {
        self.check_open()?;
        let started = Instant::now();
        loop {
            // Registered before the look, so that nothing that comes between is missed.
            let more = self.queue.more.notified();
            if let Some(incoming) = self.queue.pop() {
                self.accepted.fetch_add(1, Ordering::Relaxed);
                return self.options.clone().accepted(
                    incoming?,
                    self.scheme,
                    (&self.tls, &self.authority),
                );
            }
            if timeout_at(started + allowed, more).await.is_err() {
                return Err(self.nobody(started.elapsed(), allowed));
            }
        }
    }

    /// Makes sure that nobody connects for that long.
    ///
    /// # Errors
    /// Unexpected if a client connects.
    pub async fn expect_none(&self, span: Duration) -> Result<()> {
        let until = Instant::now() + span;
        loop {
            let more = self.queue.more.notified();
            if let Some(incoming) = self.queue.lock().front() {
                let error = Error::new(Kind::Unexpected, "a client connected and nobody was to")
                    .with_expected(format!("no connection for {}", crate::duration::show(span)));
                return Err(error.with_got(came(incoming)).with_session(self.url.clone()));
            }
            if timeout_at(until, more).await.is_err() {
                return Ok(());
            }
        }
    }

    /// Refuses connections from now on; the port stays taken. Those that came before still wait to
    /// be accepted.
    ///
    /// # Errors
    /// Usage if the port cannot be kept.
    pub async fn refuse(&self) -> Result<()> {
        let before = std::mem::replace(&mut *self.lock(), State::Refusing(None));
        let State::Open(task) = before else {
            *self.lock() = before;
            return Ok(());
        };
        task.abort();
        // It ends as cancelled, and the listening socket is closed with it.
        let _ = task.await;
        let socket = match &self.place {
            // Bound and not listening, so that the system refuses and nobody else gets the port.
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

    /// Takes connections again after [`Listener::refuse`].
    ///
    /// # Errors
    /// Usage if the address cannot be listened on any more.
    pub fn resume(&self) -> Result<()> {
        let mut state = self.lock();
        let State::Refusing(socket) = &mut *state else { return Ok(()) };
        let socket = match (socket.take(), &self.place) {
            (Some(socket), _) => Ok(socket),
            (None, Bound::Unix(path, _)) => socket_of(path),
            (None, Bound::Tcp(address)) => socket_at(*address),
        };
        let opened = socket.and_then(|socket| self.open(socket));
        let task = opened.map_err(|error| unavailable(&self.url, &error))?;
        *state = State::Open(task);
        Ok(())
    }

    /// Ends the listener: nobody may be left that connected and was not accepted.
    ///
    /// # Errors
    /// Vacuous if a connection was never accepted.
    pub async fn finish(&self) -> Result<()> {
        // What has come is taken off the system first, so that the verdict does not depend on when
        // the task had its turn.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        self.close();
        let Some(incoming) = self.queue.pop() else { return Ok(()) };
        let left = self.queue.lock().len() + 1;
        let message = match left {
            1 => "a connection was never accepted".to_owned(),
            left => format!("{left} connections were never accepted"),
        };
        let error = Error::new(Kind::Vacuous, message).with_expected("an accept() for every one");
        let error = error.with_got(came(&incoming)).with_session(self.url.clone());
        Err(error.hint("accept it, or say refuse() before a client may come"))
    }

    /// Stops listening.
    pub fn close(&self) {
        let mut state = self.lock();
        if let State::Open(task) = &*state {
            task.abort();
        }
        *state = State::Refusing(None);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_open(&self) -> Result<()> {
        let is_refusing = matches!(&*self.lock(), State::Refusing(_));
        if !is_refusing || !self.queue.lock().is_empty() {
            return Ok(());
        }
        let error = Error::usage("the listener refuses connections, and none waits");
        Err(error.with_session(self.url.clone()).hint("say resume() first"))
    }

    fn open(&self, socket: Socket) -> io::Result<JoinHandle<()>> {
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let config = if self.scheme.is_tls() {
            let config = self.tls.config(&self.authority);
            Some(config.map_err(|error| io::Error::other(error.to_string()))?)
        } else {
            None
        };
        let taker = Taker {
            queue: Arc::clone(&self.queue),
            config,
            allowed: self.options.allowed(),
            scheme: self.scheme.name,
            url: self.url.clone(),
        };
        Ok(match &self.place {
            Bound::Tcp(_) => {
                let listener = TcpListener::from_std(socket.into())?;
                tokio::spawn(taker.take_tcp(listener))
            }
            Bound::Unix(..) => {
                let listener = UnixListener::from_std(socket.into())?;
                tokio::spawn(taker.take_unix(listener))
            }
        })
    }

    fn nobody(&self, elapsed: Duration, allowed: Duration) -> Error {
        let error = Error::new(Kind::Timeout, "no client connected in time")
            .with_session(self.url.clone())
            .with_expected("a connection")
            .with_got(match self.accepted() {
                0 => "none at all".to_owned(),
                1 => "1 that was accepted before".to_owned(),
                before => format!("{before} that were accepted before"),
            })
            .with_waited(crate::error::Waited { elapsed, allowed });
        error.hint(
            "look at the client's log for where it connected to: the listener's URL is its `url`",
        )
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
        if let Bound::Unix(path, folder) = &self.place {
            // It may be gone already: refuse() removes it.
            let _ = std::fs::remove_file(path);
            if let Some(folder) = folder {
                let _ = std::fs::remove_dir(folder);
            }
        }
    }
}

/// Takes connections off the system, and puts TLS on if it is on from the start.
struct Taker {
    queue: Arc<Queue>,
    config: Option<Arc<ServerConfig>>,
    allowed: Duration,
    /// Of the URLs of clients.
    scheme: &'static str,
    /// The listener's own.
    url: String,
}

impl Taker {
    async fn take_tcp(self, listener: TcpListener) {
        loop {
            self.room().await;
            match listener.accept().await {
                Ok((stream, peer)) => {
                    // Replies are one write each; a delay for more to come would only slow them.
                    let _ = stream.set_nodelay(true);
                    self.arrived(Transport::of_tcp(stream), format!("{}://{peer}", self.scheme));
                }
                Err(error) => self.failed(&error).await,
            }
        }
    }

    async fn take_unix(self, listener: UnixListener) {
        loop {
            self.room().await;
            match listener.accept().await {
                Ok((stream, _)) => {
                    self.arrived(Transport::Unix(stream), self.url.clone());
                }
                Err(error) => self.failed(&error).await,
            }
        }
    }

    /// Waits while as many connections wait as may.
    async fn room(&self) {
        loop {
            let room = self.queue.room.notified();
            if self.queue.lock().len() < WAITING {
                return;
            }
            room.await;
        }
    }

    fn arrived(&self, transport: Transport, peer: String) {
        let Some(config) = self.config.clone() else {
            return self.queue.push(Ok(Incoming { transport, peer, tls_failed: None }));
        };
        let (queue, allowed) = (Arc::clone(&self.queue), self.allowed);
        tokio::spawn(async move {
            let handshake = Tls::accept(config, transport);
            queue.push(match timeout_at(Instant::now() + allowed, handshake).await {
                Ok(Ok(tls)) => Ok(Incoming {
                    transport: Transport::Tls(Box::new(tls)),
                    peer,
                    tls_failed: None,
                }),
                Ok(Err(broken)) => Ok(Incoming {
                    transport: broken.transport,
                    peer,
                    tls_failed: Some(broken.error),
                }),
                Err(_) => Err(Error::new(
                    Kind::Timeout,
                    format!(
                        "the client {peer} did not come to the end of the TLS handshake in time"
                    ),
                )),
            });
        });
    }

    async fn failed(&self, error: &io::Error) {
        // A client that was gone before it was accepted is no fault; no descriptor left is one, and
        // asking again at once would only burn the core.
        if error.kind() != io::ErrorKind::ConnectionAborted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn came(incoming: &Result<Incoming>) -> String {
    match incoming {
        Ok(incoming) => format!("a connection from {}", incoming.peer),
        Err(error) => error.message().to_owned(),
    }
}

fn unavailable(to: &str, error: &io::Error) -> Error {
    let error = Error::usage(format!("cannot listen on {to}: {error}"));
    error.hint("leave the port out for a free one: listen(\"smtp\")")
}

/// Where to listen: a scheme alone is loopback and a free port, or a socket in a new folder.
fn destination(to: &str) -> Result<(&'static Scheme, Place)> {
    if to.contains("://") {
        return match Target::parse(to)? {
            Target { place: Place::Exchangers { .. }, .. } => Err(nobody_on_mx()),
            target => Ok((target.scheme, target.place)),
        };
    }
    let (name, is_unix) = to.strip_suffix("+unix").map_or((to, false), |name| (name, true));
    let scheme = target::scheme(name)?;
    if scheme.name == "mx" {
        return Err(nobody_on_mx());
    }
    let loopback = || Place::Host { host: Ipv4Addr::LOCALHOST.to_string(), port: 0 };
    Ok((scheme, if is_unix { Place::Unix(PathBuf::new()) } else { loopback() }))
}

fn nobody_on_mx() -> Error {
    Error::usage("mx:// looks mail exchangers up, and nobody can listen on it")
        .hint("listen(\"smtp\")")
}

fn bound(place: &Place) -> io::Result<(Socket, Bound)> {
    match place {
        Place::Host { host, port } => {
            let ip: IpAddr = match host.as_str() {
                "localhost" => Ipv4Addr::LOCALHOST.into(),
                host => host.parse().map_err(|_| {
                    io::Error::new(io::ErrorKind::InvalidInput, "its host is no IP address")
                })?,
            };
            let socket = socket_at((ip, *port).into())?;
            let address = socket.local_addr()?.as_socket();
            let address = address.ok_or_else(|| io::Error::other("the socket has no address"))?;
            Ok((socket, Bound::Tcp(address)))
        }
        Place::Unix(path) if path.as_os_str().is_empty() => {
            let folder = own_folder()?;
            let path = folder.join("socket");
            Ok((socket_of(&path)?, Bound::Unix(path, Some(folder))))
        }
        Place::Unix(path) => Ok((socket_of(path)?, Bound::Unix(path.clone(), None))),
        Place::Exchangers { .. } => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// A socket that is bound and does not listen yet.
fn socket_at(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn socket_of(path: &Path) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    Ok(socket)
}

/// A folder that nobody else can look into.
fn own_folder() -> io::Result<PathBuf> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    for _ in 0..1000 {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("mailexpect-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| folder),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
