//! A dialogue with one peer: what to send, what to expect, and the rules that every session keeps.

mod blocking;
mod call;
mod caller;
mod child;
mod deflate;
mod dropping;
mod ending;
mod enhanced;
mod expect;
mod finish;
#[cfg(feature = "cli")]
mod hear;
mod hint;
mod known;
mod multiline;
mod near;
mod opening;
mod operation;
mod options;
mod payload;
mod reading;
mod ready;
mod record;
mod request;
mod role;
mod send;
mod serve;
mod slip;
mod stream;
mod take;
mod taken;
mod tls;
mod turn;
mod unanswered;
mod verbs;
mod wait;
mod waiting;
mod write;

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

pub use blocking::block_on;
#[cfg(feature = "script")]
pub(crate) use call::Call;
use caller::Caller;
use ending::Ending;
#[cfg(feature = "cli")]
pub(crate) use hear::Heard;
pub(crate) use opening::Incoming;
pub use operation::Operation;
pub(crate) use options::DEFAULT_GRACE;
pub use options::Options;
pub use payload::Payload;
use record::{Record, SHOWN};
use role::Role;
#[cfg(feature = "script")]
pub(crate) use serve::FAULTS;
use serve::serving::Serving;
pub use serve::{Answer, Authenticated, Chunk, Command, Fault, Then, Users};
pub(crate) use serve::{CONNECT, Faults, GREETING, MESSAGE, Named, OnConnection, RESPONSE, Set};
use stream::Stream;
use turn::Turn;
pub use verbs::imap::Untagged;
pub use verbs::{Maildrop, Scan, SieveScript, UniqueId};

use crate::error::{Error, Kind, Result};
#[cfg(feature = "script")]
use crate::proto::Speech;
use crate::proto::capabilities::Capabilities;
use crate::target::{Endpoint, Target};
use crate::transcript::Excerpt;
use crate::transport::{Proxy, Transport};
use crate::visible;

/// A dialogue with one peer.
///
/// The dialogue is in lock-step: [`Session::send`] fails while a reply is owed or unread.
/// [`Session::pipeline`] and [`Session::send_raw`] send ahead on purpose. Every operation has one
/// deadline, 10 s unless set. [`Session::finish`] fails if anything was left that no operation
/// expected. A session that is dropped while a reply is owed or unread panics, unless the thread
/// panics already or an operation of the session has failed. [`Session::leave`] ends a session
/// without this check.
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
///
/// # Methods
///
/// | what | methods |
/// | --- | --- |
/// | connecting | [`connect`](Self::connect), [`options`](Self::options) |
/// | what is known | [`id`](Self::id), [`peer`](Self::peer), [`protocol`](Self::protocol), [`timeout`](Self::timeout), [`owed`](Self::owed), [`transcript`](Self::transcript), [`capabilities`](Self::capabilities), [`tls`](Self::tls) |
/// | sending | [`send`](Self::send), [`pipeline`](Self::pipeline), [`send_message`](Self::send_message), [`send_raw`](Self::send_raw) |
/// | expecting | [`expect`](Self::expect), [`expect_any`](Self::expect_any), [`expect_until`](Self::expect_until), [`refute`](Self::refute), [`expect_silence`](Self::expect_silence), [`expect_close`](Self::expect_close) and others |
/// | ending | [`finish`](Self::finish), [`shutdown`](Self::shutdown), [`reset`](Self::reset), [`leave`](Self::leave) |
/// | TLS, compression | [`starttls`](Self::starttls), [`tls_handshake`](Self::tls_handshake), [`deflate`](Self::deflate) |
/// | client, several protocols | [`auth`](Self::auth), [`login`](Self::login), [`capability`](Self::capability), [`noop`](Self::noop), [`rset`](Self::rset), [`quit`](Self::quit) |
/// | client, SMTP and LMTP | [`ehlo`](Self::ehlo), [`mail`](Self::mail), [`rcpt`](Self::rcpt), [`data`](Self::data), [`bdat`](Self::bdat) and others |
/// | client, POP3 | [`apop`](Self::apop), [`stat`](Self::stat), [`list_messages`](Self::list_messages), [`retr`](Self::retr), [`dele`](Self::dele) and others |
/// | client, IMAP | any command: [`command`](Self::command); mailboxes: [`select`](Self::select) and others; messages: [`fetch`](Self::fetch) and others; extensions: [`idle`](Self::idle) and others |
/// | client, ManageSieve | [`putscript`](Self::putscript), [`getscript`](Self::getscript), [`setactive`](Self::setactive) and others |
/// | server | [`greet`](Self::greet), [`expect_command`](Self::expect_command), [`reply`](Self::reply), [`serve`](Self::serve), [`expect_message`](Self::expect_message), [`expect_auth`](Self::expect_auth), [`expect_starttls`](Self::expect_starttls) and others |
#[derive(Debug)]
pub struct Session {
    /// The URL or the command that the session speaks with.
    peer: String,
    /// The mail exchanger that was reached, if the URL stands for several (`mx://domain`).
    exchanger: Option<Box<str>>,
    /// The PROXY header that the connection began with.
    proxy: Option<Proxy>,
    turn: Turn,
    ending: Ending,
    record: Record,
    stream: Stream,
    /// The capabilities that the peer announced last.
    capabilities: Option<Box<Capabilities>>,
    tags: verbs::imap::Tags,
    /// How long the lookup of the host took; how long the lookup and connecting took together; the
    /// peer's address.
    #[cfg(feature = "script")]
    opened: Option<(Duration, Duration, Option<std::net::IpAddr>)>,
    /// State that only the server's side of a dialogue has.
    serving: Option<Box<Serving>>,
    /// The Rust code that uses the session; `None` for sessions of scripts and of the program.
    caller: Option<Caller>,
    /// The reply that was taken last, for hints about near misses.
    before: Option<near::Before>,
}

/// Connecting.
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
    /// Unreachable, with each address that was tried; a usage error for a URL that cannot be read.
    pub async fn connect(url: &str) -> Result<Self> {
        Options::new().connect(url).await
    }

    /// Returns the default options, to change before connecting.
    #[must_use]
    pub fn options() -> Options {
        Options::new()
    }

    /// The protocol that is spoken.
    #[cfg(feature = "script")]
    pub(crate) fn speech(&self) -> Speech {
        self.turn.speech()
    }

    /// The number of expectations that were met.
    #[cfg(feature = "script")]
    pub(crate) fn expectations(&self) -> u64 {
        self.turn.expectations()
    }

    /// Our own address as a literal, as a client without a name gives it in EHLO (RFC 5321 section
    /// 4.1.3). It is the literal of loopback if the address is not known or TLS is on.
    #[cfg(feature = "script")]
    pub(crate) fn own_literal(&self) -> String {
        match self.stream.transport().and_then(Transport::own_address) {
            Some(std::net::IpAddr::V6(ip)) => format!("[IPv6:{ip}]"),
            Some(ip) => format!("[{ip}]"),
            None => "[127.0.0.1]".to_owned(),
        }
    }

    /// Our own address and the peer's; `None` unless the connection is TCP without TLS.
    #[cfg(feature = "cli")]
    pub(crate) fn addresses(&self) -> Option<(std::net::IpAddr, std::net::IpAddr)> {
        let transport = self.stream.transport()?;
        Some((transport.own_address()?, transport.peer_address()?))
    }

    /// How long opening the session took, step by step; `None` if it speaks with a process.
    #[cfg(feature = "script")]
    pub(crate) fn opened(&self) -> Option<crate::outcome::Opened> {
        let (lookup, elapsed, address) = self.opened?;
        let tls = self.stream.tls().map(crate::tls::Established::measured);
        let protocol = self.turn.speech().facts().name;
        let connect = elapsed.saturating_sub(lookup);
        Some(crate::outcome::Opened { protocol, lookup, connect, address, tls })
    }

    /// Whether the protocol has replies, so that `expect` takes them whole.
    fn is_framed(&mut self) -> bool {
        self.turn.framing().is_some()
    }

    /// The name of the host that the session speaks with, which the host's certificate has to
    /// contain.
    fn host(&self) -> Option<String> {
        match Target::parse(&self.peer).ok()?.endpoint {
            Endpoint::Host { host, .. } => Some(host),
            Endpoint::Exchangers { .. } => self.exchanger.as_deref().map(str::to_owned),
            Endpoint::Unix(_) => None,
        }
    }

    /// Takes `count` bytes off the front of the buffer and writes them into the transcript.
    fn take(&mut self, count: usize) -> Bytes {
        self.record.note_skipped();
        let bytes = self.stream.buffer_mut().take(count);
        let spans = self.count_received(&bytes);
        let meaning = match self.turn.role() {
            Role::Client => self
                .turn
                .protocol()
                .challenge(&bytes)
                .and_then(|challenge| self.record.secrets_mut().hear(challenge)),
            Role::Server => self
                .record
                .secrets_mut()
                .take_meaning()
                .filter(|_| self.turn.framing().is_some() && turn::is_one_line(&bytes)),
        };
        let masked = self.record.masked(bytes.clone(), &spans);
        self.record.taken(Excerpt::from(masked).with_meaning(meaning));
        bytes
    }

    /// Counts bytes that were taken off the front of the buffer as received. Returns the spans of
    /// them that are secret by their place in the dialogue.
    fn count_received(&mut self, bytes: &Bytes) -> Vec<Range<usize>> {
        let spans = self.turn.received(bytes, self.record.secrets_mut());
        if self.turn.role() == Role::Server {
            let record = &self.record;
            self.turn.note_owed(|part, own| record.masked_part(bytes, &spans[own], part));
        }
        spans
    }

    /// The bytes as an error shows them: secrets masked, long ones cut.
    fn shown(&self, bytes: &[u8]) -> String {
        let part = record::looked_through(bytes);
        let spans = self.turn.unread_secrets(part, &mut self.record.secrets().clone());
        self.record.shown(bytes, &spans)
    }

    /// A reply as an error shows it: its lines, without line ends, secrets masked.
    fn shown_lines(&self, bytes: &[u8]) -> String {
        self.record.shown_lines(bytes)
    }

    /// The bytes that have arrived and were not taken, as an error shows them.
    fn shown_held(&self) -> String {
        if self.stream.held().is_empty() {
            "nothing".to_owned()
        } else {
            self.shown(self.stream.held())
        }
    }

    /// The bytes that have arrived and were not taken, as an error about a missing expectation
    /// shows them.
    fn shown_unread(&self) -> String {
        if self.stream.held().is_empty() {
            "nothing yet".to_owned()
        } else {
            format!("unread: {}", self.shown(self.stream.held()))
        }
    }

    /// The session's number and peer, as errors name the session.
    pub(crate) fn name(&self) -> String {
        format!("{}, {}", self.record.id(), self.peer)
    }

    /// Makes an error about this session, with the line that was sent last.
    fn fault(&self, kind: Kind, message: impl Into<String>) -> Error {
        // If the error is about a reply that came, the line that the reply answers is shown; if it
        // is about a reply that is missing, the first line without an answer.
        let about_what_came =
            kind == Kind::Mismatch || (kind == Kind::Unexpected && self.stream.held().is_empty());
        let line = match self.turn.role() {
            Role::Client if about_what_came => self.turn.answered(),
            Role::Client => self.turn.first_unanswered(),
            Role::Server => None,
        };
        let sent = line.filter(|line| !line.is_empty()).or(self.turn.last_sent());
        let by_hand = sent.is_some_and(|line| hint::is_proxy_header(line));
        let sent = sent.map(|line| visible::excerpt(line, SHOWN));
        let error = Error::new(kind, message).with_session(self.name()).with_sent(sent);
        match self.proxy {
            None if by_hand => error.hint(hint::PROXY_BY_HAND),
            Some(proxy) if self.turn.expectations() <= 1 && kind != Kind::Usage => {
                error.hint(hint::proxy_refused(proxy))
            }
            _ => error,
        }
    }

    /// Fails if the connection is closed on our side, so that nothing can be sent or read.
    fn check_open(&self) -> Result<()> {
        if self.stream.is_open() {
            return Ok(());
        }
        let error = self.fault(Kind::Usage, "the session is closed");
        Err(error.hint(match self.turn.role() {
            Role::Client => "connect again for another dialogue",
            Role::Server => "accept() takes the next client, for another dialogue",
        }))
    }

    fn transport(&mut self) -> Result<&mut Transport> {
        self.check_open()?;
        self.stream.transport_mut().ok_or_else(|| Error::usage("the session is closed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A script that waits holds its operation in a box, and ten thousand scripts may wait at once,
    /// so an operation has to stay small.
    #[tokio::test]
    async fn operations_under_way_are_small() {
        let mut session = Session::options().unjudged().pipe(&["cat".to_owned()], "tcp").unwrap();
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
