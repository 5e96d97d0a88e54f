//! A dialogue with one peer: what to send, what to expect, and the promises that hold between them.

mod assignment;
mod blocking;
mod capabilities;
mod child;
mod expect;
mod finish;
mod hint;
mod message;
mod multiline;
mod operation;
mod options;
mod ready;
mod said;
mod send;
mod slip;
mod take;
mod taken;
mod tls;
mod verbs;
mod wait;
mod waiting;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

pub use blocking::block_on;
pub use message::Message;
#[cfg(feature = "script")]
pub(crate) use operation::Call;
pub use operation::Operation;
pub use options::Options;
use said::Said;
pub use verbs::imap::Untagged;
pub use verbs::{Maildrop, Scan, Script, UniqueId};
use waiting::Waiting;

use crate::buffer::Buffer;
use crate::error::{Error, Kind, Result};
use crate::proto::Protocol;
#[cfg(feature = "script")]
use crate::proto::Speech;
use crate::secrets::Secrets;
use crate::target::{Place, Target};
use crate::tls::Established;
use crate::transcript::{Close, Excerpt, Gathering, SessionId, Transcript, What};
use crate::transport::{Proxy, Transport, Unheard};
use crate::visible;

/// How much of what came an error shows.
const SHOWN: usize = 1000;

/// A dialogue with one peer.
///
/// It is in lock-step: [`Session::send`] fails while a reply is owed or unread;
/// [`Session::pipeline`] and [`Session::send_raw`] send ahead on purpose. Every operation has one
/// deadline, 10 s unless set. [`Session::finish`] holds that nothing was left unexpected.
///
/// ```
/// use mailexpect::{Regex, Session, server::Embedded};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Embedded::start()?;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let mut session = Session::connect(&server.smtp()).await?;
/// session.expect(220).await?;
/// session.send("EHLO client.example").await?;
/// let reply = session.expect(250).await?;
/// assert!(reply.lines().iter().any(|line| line.contains("PIPELINING")));
/// session.send("MAIL FROM:<hoge@example.com>").await?;
/// session.expect((250, "2.1.0")).await?;
/// session.send("RCPT TO:<test-user@yahoo.co.jp>").await?;
/// session.expect(Regex::new(r"^550 5\.7\.1 .*Relaying denied")?).await?;
/// session.send("QUIT").await?;
/// session.expect(221).await?;
/// session.finish().await?;
/// # Ok::<_, mailexpect::Error>(())
/// # })?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Session {
    id: SessionId,
    peer: String,
    /// The mail exchanger that was reached, of those that the URL stands for.
    exchanger: Option<Box<str>>,
    /// `None` once we have closed it.
    transport: Option<Transport>,
    buffer: Buffer,
    /// Room for the next lines to be sent.
    outgoing: BytesMut,
    protocol: Box<dyn Protocol>,
    secrets: Secrets,
    transcript: Transcript,
    timeout: Duration,
    /// What the peer said last that it can do.
    said: Option<Said>,
    tags: verbs::imap::Tags,
    settle: Duration,
    /// How long the server's last words are waited for at the end.
    grace: Duration,
    /// How the peer ended its side, once that was seen.
    ended: Option<Close>,
    /// The peer's end is in the transcript: something expected it, or failed over it.
    end_noted: bool,
    waiting: Waiting,
    /// We have said that we will send no more.
    half_closed: bool,
    /// What a search has let go of and not recorded yet.
    skipped: Gathering,
    /// The lines that replies are owed for, masked, the first to be answered first; the greeting's
    /// is empty.
    unanswered: VecDeque<Bytes>,
    /// The line that the reply taken last was the answer to.
    answered: Option<Bytes>,
    /// The last line that was sent, masked.
    last_sent: Option<Bytes>,
    expectations: u64,
    /// A byte has come at least once.
    heard: bool,
    /// The PROXY header that the connection began with.
    proxy: Option<Proxy>,
    /// Held until then, so that others do not connect too fast.
    unheard: Option<Unheard>,
    /// How TLS is put on.
    tls_options: crate::tls::Options,
    /// TLS as it is spoken, once it is.
    tls: Option<Box<Established>>,
}

impl Session {
    /// Connects with the default options; see [`Options::connect`].
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 mail.example ESMTP")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// assert_eq!((session.protocol(), session.owed()), ("smtp", 1));
    /// session.expect(220).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Unreachable, with each address that was tried; usage for a URL that cannot be read.
    pub async fn connect(url: &str) -> Result<Self> {
        Options::new().connect(url).await
    }

    /// Options to connect with.
    #[must_use]
    pub fn options() -> Options {
        Options::new()
    }

    /// The session's number in its transcript.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Whom it speaks with: the URL or the command.
    #[must_use]
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// The protocol's name: the scheme of its URL, or `stream` where there is no framing.
    #[must_use]
    pub fn protocol(&self) -> &str {
        self.protocol.name()
    }

    /// Which protocol that is.
    #[cfg(feature = "script")]
    pub(crate) fn speech(&self) -> Speech {
        self.protocol.speech()
    }

    /// The deadline of each operation.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sets the deadline of each operation from now on.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Sets how much may be held unread before that is an error, in bytes; 32 MiB unless set.
    pub fn set_limit(&mut self, limit: usize) {
        self.buffer.set_limit(limit);
    }

    /// How many replies the peer owes: one after connecting, and one for each command; for a
    /// message over LMTP, one for each recipient that was accepted.
    #[must_use]
    pub fn owed(&self) -> usize {
        self.protocol.owed()
    }

    /// How often something that was expected came.
    #[must_use]
    pub fn expectations(&self) -> u64 {
        self.expectations
    }

    /// The transcript that the session writes to.
    #[must_use]
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Whether the protocol has replies, so that `expect` takes them whole.
    fn is_framed(&mut self) -> bool {
        self.protocol.framing().is_some()
    }

    /// The host that it speaks with, by the name that its certificate has to have.
    fn host(&self) -> Option<String> {
        match Target::parse(&self.peer).ok()?.place {
            Place::Host { host, .. } => Some(host),
            Place::Exchangers { .. } => self.exchanger.as_deref().map(str::to_owned),
            Place::Unix(_) => None,
        }
    }

    fn record(&self, what: What) {
        self.transcript.record_on(self.id, what);
    }

    /// Takes bytes off the front of what is held, into the transcript.
    fn take(&mut self, count: usize) -> Bytes {
        self.record_skipped();
        let bytes = self.release(count);
        let meaning =
            self.protocol.challenge(&bytes).and_then(|challenge| self.secrets.hear(challenge));
        self.record(What::Server(Excerpt::from(self.masked(bytes.clone())).with_meaning(meaning)));
        bytes
    }

    /// Takes bytes off the front of what is held: they now count as received.
    fn release(&mut self, count: usize) -> Bytes {
        let bytes = self.buffer.take(count);
        self.count_received(&bytes);
        bytes
    }

    /// Bytes that were taken off the front of what is held count as received.
    fn count_received(&mut self, bytes: &[u8]) {
        let before = self.protocol.unanswered();
        self.protocol.received(bytes);
        let after = self.protocol.unanswered();
        for _ in after..before {
            self.answered = self.unanswered.pop_front();
        }
        if after >= before && !self.unanswered.is_empty() {
            // What came is a part of the answer, and there is more of it to come.
            self.answered = self.unanswered.front().cloned();
        }
        if let Some(framing) = self.protocol.framing() {
            framing.restart();
        }
    }

    /// Writes what a search let go of into the transcript, where that has not been done with its
    /// match.
    fn record_skipped(&mut self) {
        if !self.skipped.is_empty() {
            let skipped = std::mem::take(&mut self.skipped).finish();
            self.record(What::Server(skipped));
        }
    }

    /// Nothing that is owed is waited for any more.
    fn waive(&mut self) {
        self.protocol.waive();
        self.unanswered.clear();
    }

    fn masked(&self, bytes: Bytes) -> Bytes {
        match self.secrets.mask(&bytes, &[]) {
            std::borrow::Cow::Borrowed(_) => bytes,
            std::borrow::Cow::Owned(masked) => masked.into(),
        }
    }

    /// Bytes as an error shows them.
    fn shown(&self, bytes: &[u8]) -> String {
        visible::excerpt(&self.secrets.mask(bytes, &[]), SHOWN)
    }

    /// A reply as an error shows it: its lines, without line ends.
    fn shown_lines(&self, bytes: &[u8]) -> String {
        let masked = self.secrets.mask(bytes, &[]);
        let (shown, more) = masked.split_at(masked.len().min(SHOWN));
        let lines: Vec<_> = crate::proto::chomp(shown)
            .split(|byte| *byte == b'\n')
            .map(|line| visible::escape(crate::proto::chomp(line)))
            .collect();
        let more = if more.is_empty() {
            String::new()
        } else {
            format!(" ... ({} more bytes)", more.len())
        };
        format!("{}{more}", lines.join("\n"))
    }

    /// What has arrived and was not taken, as an error shows it.
    fn shown_held(&self) -> String {
        if self.buffer.is_empty() { "nothing".to_owned() } else { self.shown(self.buffer.held()) }
    }

    /// The same, where it is something that nobody asked for.
    fn shown_unread(&self) -> String {
        if self.buffer.is_empty() {
            "nothing yet".to_owned()
        } else {
            format!("unread: {}", self.shown(self.buffer.held()))
        }
    }

    /// An error on this session.
    fn fault(&self, kind: Kind, message: impl Into<String>) -> Error {
        // What came is the answer to one line; what did not come was owed for the next.
        let about_what_came =
            kind == Kind::Mismatch || (kind == Kind::Unexpected && self.buffer.is_empty());
        let line = if about_what_came { self.answered.as_ref() } else { self.unanswered.front() };
        let sent = line
            .filter(|line| !line.is_empty())
            .or(self.last_sent.as_ref())
            .map(|line| visible::excerpt(line, SHOWN));
        let error = Error::new(kind, message)
            .with_session(format!("{}, {}", self.id, self.peer))
            .with_sent(sent);
        match self.proxy {
            Some(proxy) if self.expectations <= 1 && kind != Kind::Usage => {
                error.hint(hint::proxy_refused(proxy))
            }
            _ => error,
        }
    }

    fn transport(&mut self) -> Result<&mut Transport> {
        let closed = || {
            self.fault(Kind::Usage, "the session is closed")
                .hint("connect again for another dialogue")
        };
        match self.transport {
            Some(_) => {}
            None => return Err(closed()),
        }
        self.transport.as_mut().ok_or_else(|| Error::usage("the session is closed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each is held by a script that waits, in a box of its own, and there may be ten thousand of
    /// them.
    #[tokio::test]
    async fn operations_under_way_are_small() {
        let mut session = Session::options().pipe(&["cat".to_owned()], "tcp").unwrap();
        let connecting = size_of_val(&Session::connect("smtp://localhost:1"));
        let expecting = size_of_val(&*session.expect(250).into_future());
        let sending = size_of_val(&*session.send("NOOP").into_future());
        let largest = connecting.max(expecting).max(sending);
        assert!(
            largest <= 1280,
            "{connecting} bytes to connect, {expecting} to expect, {sending} to send"
        );
        session.reset().unwrap();
    }
}
