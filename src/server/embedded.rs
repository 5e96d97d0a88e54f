//! The embedded server: two listening ports and the thread that serves them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::auth;
use super::authority::Authority;
use super::connection::{self, Terms};
use super::conversation::Conversation;
use super::dialogue::Role;
use super::mail::{Mail, Spool};
use crate::transcript::Transcript;

/// How much accepted mail is kept.
const SPOOL: usize = 64 << 20;
/// How long a client may be silent (RFC 5321 section 4.5.3.2.7).
const IDLE: Duration = Duration::from_mins(5);
/// How long to wait where no connection can be accepted, most often for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A small well-behaved SMTP and submission server on loopback, for trying scripts without any mail
/// server installed.
///
/// SMTP (RFC 5321) takes mail for `example.com` and `localhost` from anybody; submission (RFC 6409)
/// takes mail for any address from [`Embedded::USER`], by AUTH PLAIN, LOGIN, CRAM-MD5 or
/// SCRAM-SHA-256 (RFC 4954). Both know PIPELINING, SIZE, 8BITMIME, STARTTLS (RFC 3207) and
/// ENHANCEDSTATUSCODES; a third port is submission with TLS from the start (RFC 8314). The
/// certificate is for `localhost` and the loopback addresses, of a CA that is made when TLS is
/// first asked for: [`Embedded::ca`]. Nothing is sent on: accepted mail stays in memory, at most 64
/// MiB of it, for [`Embedded::mails`].
///
/// It runs on a thread of its own, so it may be started from any code, synchronous or not. Dropping
/// it ends the thread, and with it every connection, and closes both ports.
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
    smtp: SocketAddr,
    submission: SocketAddr,
    submissions: SocketAddr,
    authority: Arc<Authority>,
    spool: Arc<Spool>,
    /// Gone once the server is told to stop.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Embedded {
    /// The one user who may submit mail.
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

    /// The URL of the SMTP port, as `smtp://127.0.0.1:40025`.
    #[must_use]
    pub fn smtp(&self) -> String {
        format!("smtp://{}", self.smtp)
    }

    /// The URL of the submission port, as `submission://127.0.0.1:40587`.
    #[must_use]
    pub fn submission(&self) -> String {
        format!("submission://{}", self.submission)
    }

    /// The URL of the submission port with TLS from the start, as `submissions://127.0.0.1:40465`.
    #[must_use]
    pub fn submissions(&self) -> String {
        format!("submissions://{}", self.submissions)
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
        self.spool.list()
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
    smtp: SocketAddr,
    submission: SocketAddr,
    submissions: SocketAddr,
    transcript: Option<Transcript>,
    idle: Duration,
}

/// Free ports of 127.0.0.1, no transcript.
impl Default for Options {
    fn default() -> Self {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { smtp: free, submission: free, submissions: free, transcript: None, idle: IDLE }
    }
}

impl Options {
    /// Where to listen for SMTP; port 0 is any free one.
    pub fn smtp_at(self, smtp: SocketAddr) -> Self {
        Self { smtp, ..self }
    }

    /// Where to listen for submission; port 0 is any free one.
    pub fn submission_at(self, submission: SocketAddr) -> Self {
        Self { submission, ..self }
    }

    /// Where to listen for submission with TLS from the start; port 0 is any free one.
    pub fn submissions_at(self, submissions: SocketAddr) -> Self {
        Self { submissions, ..self }
    }

    /// Where to record every connection, a session each; passwords are masked.
    pub fn transcript(self, transcript: Transcript) -> Self {
        Self { transcript: Some(transcript), ..self }
    }

    /// How long a client may be silent.
    #[cfg(test)]
    pub(super) fn idle(self, idle: Duration) -> Self {
        Self { idle, ..self }
    }

    /// Starts the server: it listens when this returns.
    ///
    /// # Errors
    ///
    /// What the system says where an address cannot be listened at, or where it gives no thread.
    pub fn start(self) -> io::Result<Embedded> {
        let ports = Ports {
            smtp: listen(self.smtp)?,
            submission: listen(self.submission)?,
            submissions: listen(self.submissions)?,
        };
        let (smtp, submission) = (ports.smtp.local_addr()?, ports.submission.local_addr()?);
        let submissions = ports.submissions.local_addr()?;
        let (spool, authority) = (Arc::new(Spool::new(SPOOL)), Arc::<Authority>::default());
        let shared = Shared {
            spool: Arc::clone(&spool),
            authority: Arc::clone(&authority),
            transcript: self.transcript,
            idle: self.idle,
        };
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = sync_channel(1);
        let run = move || run(ports, shared, &ready, stopped);
        let thread = thread::Builder::new().name("embedded server".into()).spawn(run)?;
        started.recv().map_err(io::Error::other)??;
        Ok(Embedded {
            smtp,
            submission,
            submissions,
            authority,
            spool,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

/// Where it listens.
struct Ports<L = TcpListener> {
    smtp: L,
    submission: L,
    submissions: L,
}

/// What all connections share.
#[derive(Clone)]
struct Shared {
    spool: Arc<Spool>,
    authority: Arc<Authority>,
    transcript: Option<Transcript>,
    idle: Duration,
}

fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(at)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The life of the thread: says whether it could start, then serves until the other end of
/// `stopped` is gone.
fn run(
    ports: Ports,
    shared: Shared,
    ready: &SyncSender<io::Result<()>>,
    stopped: oneshot::Receiver<()>,
) {
    let (runtime, ports) = match prepare(ports) {
        Ok(prepared) => prepared,
        Err(error) => return drop(ready.send(Err(error))),
    };
    let _ = ready.send(Ok(()));
    runtime.block_on(async {
        tokio::select! {
            _ = stopped => {}
            () = accept(ports.smtp, Role::Smtp, false, shared.clone()) => {}
            () = accept(ports.submission, Role::Submission, false, shared.clone()) => {}
            () = accept(ports.submissions, Role::Submission, true, shared) => {}
        }
    });
}

fn prepare(ports: Ports) -> io::Result<(Runtime, Ports<tokio::net::TcpListener>)> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let guard = runtime.enter();
    let ports = Ports {
        smtp: tokio::net::TcpListener::from_std(ports.smtp)?,
        submission: tokio::net::TcpListener::from_std(ports.submission)?,
        submissions: tokio::net::TcpListener::from_std(ports.submissions)?,
    };
    drop(guard);
    Ok((runtime, ports))
}

/// Takes in one connection after the other and serves each by a task of its own.
async fn accept(listener: tokio::net::TcpListener, role: Role, implicit: bool, shared: Shared) {
    let terms = Terms { idle: shared.idle, authority: shared.authority, implicit };
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // No descriptor is left, perhaps: nothing tells when one is, and asking again at once
            // would only burn the core.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let conversation =
            Conversation::new(role, peer, Arc::clone(&shared.spool), shared.transcript.clone());
        tokio::spawn(connection::serve(stream, conversation, terms.clone()));
    }
}
