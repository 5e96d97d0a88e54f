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
use super::connection;
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

/// A small well-behaved SMTP and submission server on loopback, for trying scripts without any mail server installed.
///
/// SMTP (RFC 5321) takes mail for `example.com` and `localhost` from anybody; submission (RFC 6409) takes mail for any
/// address from [`Embedded::USER`], by AUTH PLAIN or LOGIN (RFC 4954). Both know PIPELINING, SIZE, 8BITMIME and
/// ENHANCEDSTATUSCODES. Nothing is sent on: accepted mail stays in memory, at most 64 MiB of it, for [`Embedded::mails`].
///
/// It runs on a thread of its own, so it may be started from any code, synchronous or not. Dropping it ends the thread, and
/// with it every connection, and closes both ports.
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

    /// The mail that was accepted on both ports, the oldest first. A message is there before its client is told so.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.spool.list()
    }
}

/// Ends the thread and waits for it: the ports are closed and the transcript is complete behind this.
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
    transcript: Option<Transcript>,
    idle: Duration,
}

/// Free ports of 127.0.0.1, no transcript.
impl Default for Options {
    fn default() -> Self {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { smtp: free, submission: free, transcript: None, idle: IDLE }
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
        let (smtp, submission) = (listen(self.smtp)?, listen(self.submission)?);
        let (smtp_at, submission_at) = (smtp.local_addr()?, submission.local_addr()?);
        let spool = Arc::new(Spool::new(SPOOL));
        let shared = Shared { spool: Arc::clone(&spool), transcript: self.transcript, idle: self.idle };
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = sync_channel(1);
        let run = move || run(smtp, submission, shared, &ready, stopped);
        let thread = thread::Builder::new().name("embedded server".into()).spawn(run)?;
        started.recv().map_err(io::Error::other)??;
        Ok(Embedded { smtp: smtp_at, submission: submission_at, spool, stop: Some(stop), thread: Some(thread) })
    }
}

/// What all connections share.
#[derive(Clone)]
struct Shared {
    spool: Arc<Spool>,
    transcript: Option<Transcript>,
    idle: Duration,
}

fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(at)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The life of the thread: says whether it could start, then serves until the other end of `stopped` is gone.
fn run(
    smtp: TcpListener,
    submission: TcpListener,
    shared: Shared,
    ready: &SyncSender<io::Result<()>>,
    stopped: oneshot::Receiver<()>,
) {
    let prepared = prepare(smtp, submission);
    let (runtime, smtp, submission) = match prepared {
        Ok(parts) => parts,
        Err(error) => return drop(ready.send(Err(error))),
    };
    let _ = ready.send(Ok(()));
    runtime.block_on(async {
        tokio::select! {
            _ = stopped => {}
            () = accept(smtp, Role::Smtp, shared.clone()) => {}
            () = accept(submission, Role::Submission, shared) => {}
        }
    });
}

type Prepared = (Runtime, tokio::net::TcpListener, tokio::net::TcpListener);

fn prepare(smtp: TcpListener, submission: TcpListener) -> io::Result<Prepared> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let guard = runtime.enter();
    let (smtp, submission) = (tokio::net::TcpListener::from_std(smtp)?, tokio::net::TcpListener::from_std(submission)?);
    drop(guard);
    Ok((runtime, smtp, submission))
}

/// Takes in one connection after the other and serves each by a task of its own.
async fn accept(listener: tokio::net::TcpListener, role: Role, shared: Shared) {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let conversation = Conversation::new(role, peer, Arc::clone(&shared.spool), shared.transcript.clone());
        tokio::spawn(connection::serve(stream, conversation, shared.idle));
    }
}
