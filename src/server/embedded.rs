//! The embedded server: its listening ports and the thread that serves them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{oneshot, watch};

use super::auth;
use super::connection::{self, Terms};
use super::conversation::Conversation;
use super::mail::Mail;
use super::recorder::Recorder;
use super::service::{SERVICES, Service};
use super::site::Site;
use crate::proto::Speech;
use crate::tls::Authority;
use crate::transcript::Transcript;

/// How long to wait if no connection can be accepted, most often for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A small well-behaved mail server on loopback, for trying scripts without any mail server
/// installed.
///
/// SMTP (RFC 5321) takes mail for `example.com` and `localhost` from anybody, except for `nobody`,
/// who is unknown; submission (RFC 6409) takes mail for any address from [`Embedded::USER`], by AUTH
/// PLAIN, LOGIN, CRAM-MD5 or SCRAM-SHA-256 (RFC 4954). Both know PIPELINING, SIZE, 8BITMIME,
/// STARTTLS (RFC 3207) and ENHANCEDSTATUSCODES. LMTP (RFC 2033) takes local mail. Nothing is sent
/// on: accepted mail stays in memory, at most 64 MiB of it, for [`Embedded::mails`], and mail for
/// the user is in the INBOX that IMAP (RFC 3501, with IDLE, UIDPLUS, MOVE, LITERAL+, NAMESPACE,
/// UNSELECT) and POP3 (RFC 1939) show; `ManageSieve` (RFC 5804) keeps scripts and runs none.
///
/// [`Embedded::submissions`], [`Embedded::imaps`] and [`Embedded::pop3s`] have TLS from the start
/// (RFC 8314), the others begin it when they are asked to. The certificate is for `localhost` and
/// the loopback addresses, of a CA that is made when TLS is first asked for: [`Embedded::ca`].
///
/// It runs on a thread of its own, so it may be started from any code, synchronous or not. Dropping
/// it ends the thread, and with it every connection, and closes its ports.
///
/// ```
/// use std::io::{Read as _, Write as _};
/// use mailexpect::server::Embedded;
///
/// let server = Embedded::start()?;
/// let mut client = std::net::TcpStream::connect(server.smtp().trim_start_matches("smtp://"))?;
/// client.write_all(b"HELO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nDATA\r\nHi.\r\n.\r\nQUIT\r\n")?;
/// let mut replies = String::new();
/// client.read_to_string(&mut replies)?;
/// assert!(replies.ends_with("Message accepted for delivery\r\n221 2.0.0 localhost closing connection\r\n"));
/// assert_eq!(server.mails()[0].to, ["a@example.com"]);
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Embedded {
    /// Where each service listens.
    addresses: [SocketAddr; SERVICES.len()],
    authority: Arc<Authority>,
    site: Arc<Site>,
    /// Gone once the server is told to stop.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The URL of a port.
macro_rules! urls {
    ($($(#[$meta:meta])* $scheme:ident;)*) => {$(
        $(#[$meta])*
        #[must_use]
        pub fn $scheme(&self) -> String {
            self.url(stringify!($scheme)).unwrap_or_default()
        }
    )*};
}

impl Embedded {
    /// The one user who may submit mail, and who has a mailbox.
    pub const USER: &str = auth::USER;
    /// That user's password.
    pub const PASSWORD: &str = auth::PASSWORD;

    /// Starts one on free ports of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// What the system says where it gives no port or no thread.
    pub fn start() -> io::Result<Self> {
        Self::options().start()
    }

    /// Options to start one with.
    pub fn options() -> Options {
        Options::default()
    }

    /// The schemes that are served, in the order of [`Embedded::urls`].
    pub fn schemes() -> impl Iterator<Item = &'static str> {
        SERVICES.iter().map(|service| service.scheme)
    }

    /// The URL of the port for a scheme, such as `imap://127.0.0.1:40143`; `None` if the scheme is
    /// not served.
    #[must_use]
    pub fn url(&self, scheme: &str) -> Option<String> {
        Service::place(scheme).map(|place| format!("{scheme}://{}", self.addresses[place]))
    }

    /// The URLs of all ports.
    pub fn urls(&self) -> impl Iterator<Item = String> {
        SERVICES
            .iter()
            .zip(self.addresses)
            .map(|(service, at)| format!("{}://{at}", service.scheme))
    }

    urls! {
        /// The URL of the SMTP port, as `smtp://127.0.0.1:40025`.
        smtp;
        /// The URL of the submission port, as `submission://127.0.0.1:40587`.
        submission;
        /// The URL of the submission port with TLS from the start, as
        /// `submissions://127.0.0.1:40465`.
        submissions;
        /// The URL of the LMTP port.
        lmtp;
        /// The URL of the IMAP port.
        imap;
        /// The URL of the IMAP port with TLS from the start.
        imaps;
        /// The URL of the POP3 port.
        pop3;
        /// The URL of the POP3 port with TLS from the start.
        pop3s;
        /// The URL of the `ManageSieve` port.
        sieve;
    }

    /// The certificate of the CA that the server's own is from, as PEM.
    ///
    /// ```
    /// use mailexpect::{Session, server::Embedded, tls};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Embedded::start()?;
    /// let trusting = tls::Options::new().ca(server.ca()?);
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let mut session = Session::options().tls(trusting).connect(&server.submissions()).await?;
    /// session.expect(220).await?;
    /// assert_eq!(session.peer_certificate().unwrap().subject, "CN=localhost");
    /// session.quit().await?;
    /// # session.expect_close().await?;
    /// # Ok::<_, mailexpect::Error>(())
    /// # })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Where the system gives no random numbers to make keys of.
    pub fn ca(&self) -> io::Result<&str> {
        self.authority.pem().map_err(io::Error::other)
    }

    /// The mail that was accepted on all ports, the oldest first. A message is there before its
    /// client is told so.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.site.spool.list()
    }
}

/// Ends the thread and waits for it: the ports are closed and the transcript is complete behind
/// this.
impl Drop for Embedded {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread's panic was reported when it happened.
            let _ = thread.join();
        }
    }
}

/// How to start an [`Embedded`] server.
///
/// ```
/// use mailexpect::server::Embedded;
/// use mailexpect::transcript::Transcript;
///
/// let transcript = Transcript::new();
/// let server = Embedded::options().smtp_at(([127, 0, 0, 1], 0).into()).transcript(transcript.clone()).start()?;
/// assert!(server.smtp().starts_with("smtp://127.0.0.1:"));
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing listens until it is started"]
pub struct Options {
    at: [SocketAddr; SERVICES.len()],
    transcript: Option<Transcript>,
    /// Instead of what each service has.
    idle: Option<Duration>,
}

/// Free ports of 127.0.0.1, no transcript.
impl Default for Options {
    fn default() -> Self {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { at: [free; SERVICES.len()], transcript: None, idle: None }
    }
}

impl Options {
    /// Where to listen for SMTP; port 0 is any free one.
    pub fn smtp_at(self, smtp: SocketAddr) -> Self {
        self.at("smtp", smtp)
    }

    /// Where to listen for submission; port 0 is any free one.
    pub fn submission_at(self, submission: SocketAddr) -> Self {
        self.at("submission", submission)
    }

    /// Where to listen for submission with TLS from the start; port 0 is any free one.
    pub fn submissions_at(self, submissions: SocketAddr) -> Self {
        self.at("submissions", submissions)
    }

    /// Where to listen for one of [`Embedded::schemes`]; port 0 is any free one. A scheme that is
    /// not served is nowhere listened for.
    pub fn at(mut self, scheme: &str, address: SocketAddr) -> Self {
        if let Some(place) = Service::place(scheme) {
            self.at[place] = address;
        }
        self
    }

    /// Where to record every connection, a session each; passwords are masked.
    pub fn transcript(self, transcript: Transcript) -> Self {
        Self { transcript: Some(transcript), ..self }
    }

    /// How long a client may be silent.
    #[cfg(test)]
    pub(super) fn idle(self, idle: Duration) -> Self {
        Self { idle: Some(idle), ..self }
    }

    /// Starts the server: it listens when this returns.
    ///
    /// # Errors
    ///
    /// What the system says if an address cannot be listened at, with that address, or if it gives
    /// no thread.
    pub fn start(self) -> io::Result<Embedded> {
        let listeners = self.at.iter().map(|at| listen(*at)).collect::<io::Result<Vec<_>>>()?;
        let mut addresses = self.at;
        for (address, listener) in addresses.iter_mut().zip(&listeners) {
            *address = listener.local_addr()?;
        }
        let (site, authority) = (Arc::<Site>::default(), Arc::<Authority>::default());
        let shared = Shared {
            site: Arc::clone(&site),
            authority: Arc::clone(&authority),
            transcript: self.transcript,
            idle: self.idle,
            pressure: Arc::new(watch::Sender::new(())),
        };
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = sync_channel(1);
        let run = move || run(listeners, &shared, &ready, stopped);
        let thread = thread::Builder::new().name("embedded server".into()).spawn(run)?;
        started.recv().map_err(io::Error::other)??;
        Ok(Embedded { addresses, authority, site, stop: Some(stop), thread: Some(thread) })
    }
}

/// What all connections share.
#[derive(Clone)]
struct Shared {
    site: Arc<Site>,
    authority: Arc<Authority>,
    transcript: Option<Transcript>,
    idle: Option<Duration>,
    pressure: Arc<watch::Sender<()>>,
}

fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(at)
        .map_err(|error| io::Error::new(error.kind(), format!("{at}: {error}")))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The life of the thread: says whether it could start, then serves until the other end of
/// `stopped` is gone.
fn run(
    listeners: Vec<TcpListener>,
    shared: &Shared,
    ready: &SyncSender<io::Result<()>>,
    stopped: oneshot::Receiver<()>,
) {
    let (runtime, listeners) = match prepare(listeners) {
        Ok(prepared) => prepared,
        Err(error) => return drop(ready.send(Err(error))),
    };
    let _ = ready.send(Ok(()));
    runtime.block_on(async {
        for (listener, service) in listeners.into_iter().zip(&SERVICES) {
            tokio::spawn(accept(listener, service, shared.clone()));
        }
        // With the runtime go all its tasks.
        let _ = stopped.await;
    });
}

fn prepare(listeners: Vec<TcpListener>) -> io::Result<(Runtime, Vec<tokio::net::TcpListener>)> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let guard = runtime.enter();
    let listeners = listeners.into_iter().map(tokio::net::TcpListener::from_std);
    let listeners = listeners.collect::<io::Result<_>>();
    drop(guard);
    Ok((runtime, listeners?))
}

/// Takes in one connection after the other and serves each by a task of its own.
async fn accept(listener: tokio::net::TcpListener, service: &'static Service, shared: Shared) {
    let terms = Terms {
        idle: shared.idle.unwrap_or(service.idle),
        authority: shared.authority,
        implicit: service.is_tls(),
        changes: (service.speech == Speech::Imap).then(|| shared.site.store.watch()),
        pressure: shared.pressure.subscribe(),
    };
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // No descriptor is left, perhaps: clients that have been silent for long make room.
            // Asking again at once would only burn the core.
            shared.pressure.send_replace(());
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let dialogue = (service.dialogue)(Arc::clone(&shared.site), peer);
        let transcript = shared.transcript.clone();
        let recorder =
            transcript.map(|transcript| Recorder::open(transcript, service.speech, peer));
        let conversation = Conversation::new(dialogue, Arc::clone(&shared.site.spool), recorder);
        tokio::spawn(connection::serve(stream, conversation, terms.clone()));
    }
}
