//! How to open a session.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::Session;
use super::caller::{Caller, explain_clock};
use super::ending::Ending;
use super::record::Record;
use super::role::Role;
use super::serve::OnConnection;
use super::serve::serving::Serving;
use super::stream::{Stream, Terms};
use super::turn::Turn;
use super::waiting::Wait;
use crate::buffer::DEFAULT_LIMIT;
use crate::error::{Error, Kind, Result};
use crate::proto::{Protocol, Scheme};
use crate::target::Target;
use crate::tls;
use crate::transcript::{SessionId, Transcript, What};
#[cfg(feature = "script")]
use crate::transport::Thread;
use crate::transport::{
    Family, Pace, Process, Proxy, Recording, Route, Segment, Transport, connect,
};

/// The deadline of an operation, unless set.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the peer must send nothing before a regex match that more bytes could still extend is
/// taken as it stands, unless set.
const DEFAULT_SETTLE: Duration = Duration::from_millis(200);

/// How long the end of a dialogue waits for what the server still sends, unless set.
pub(crate) const DEFAULT_GRACE: Duration = Duration::from_secs(1);

/// A connection that a listener has accepted.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) transport: Transport,
    /// The address that the connection comes from.
    pub(crate) peer: String,
    /// What goes wrong on it.
    pub(crate) faults: OnConnection,
    /// How many bytes a second are read of it, unless it is as many as come.
    pub(crate) read_rate: Option<u32>,
    /// TLS was to be on from the start, and this came of it.
    pub(crate) tls_failed: Option<std::io::Error>,
}

/// How to open a session, and the limits that it keeps.
///
/// ```
/// use std::time::Duration;
/// use mailexpect::{Session, Transcript, server::Embedded};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Embedded::start()?;
/// let transcript = Transcript::new();
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let options = Session::options().timeout(Duration::from_secs(2)).transcript(transcript.clone());
/// let mut session = options.connect(&server.smtp()).await?;
/// session.expect(220).await?;
/// # Ok::<_, mailexpect::Error>(())
/// # })?;
/// assert!(transcript.to_string().contains("S: 220 "));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    timeout: Duration,
    settle: Duration,
    grace: Duration,
    limit: usize,
    route: Route,
    pace: Pace,
    transcript: Transcript,
    tls: tls::Options,
    segment: Segment,
    /// A recording whose sessions are played instead of connecting to servers.
    recording: Option<Arc<Recording>>,
    /// Whether the sessions belong to Rust code, so that dropping one checks what was left
    /// unexpected.
    is_judged: bool,
}

impl Options {
    /// The defaults: 10 s for each operation, at most 32 MiB unread, and a new transcript.
    #[must_use]
    pub fn new() -> Self {
        Self {
            timeout: DEFAULT_TIMEOUT,
            settle: DEFAULT_SETTLE,
            grace: DEFAULT_GRACE,
            limit: DEFAULT_LIMIT,
            route: Route::default(),
            pace: Pace::default(),
            transcript: Transcript::new(),
            tls: tls::Options::new(),
            segment: Segment::Whole,
            recording: None,
            is_judged: true,
        }
    }

    /// The deadline of each operation.
    #[cfg(feature = "script")]
    pub(crate) fn operation_timeout(&self) -> Duration {
        self.timeout
    }

    /// How long the end of a session may wait for the server.
    #[cfg(feature = "script")]
    pub(crate) fn end_grace(&self) -> Duration {
        self.grace
    }

    /// Turns off the check on drop, for sessions of scripts and of the program, which are judged at
    /// the end of the run.
    pub(crate) fn unjudged(mut self) -> Self {
        self.is_judged = false;
        self
    }

    /// Sets the deadline of each operation, including connecting.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how long the peer must send nothing before a regex match that more bytes could still
    /// extend is taken as it stands; 200 ms unless set.
    #[must_use]
    pub fn settle(mut self, settle: Duration) -> Self {
        self.settle = settle;
        self
    }

    /// Sets how long [`Session::close`] and [`Session::finish`] wait for the server to close too,
    /// after our side is closed; 1 s unless set. Bytes that come in this time are judged.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets how many bytes may arrive and stay unread.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Sets the local address to connect from.
    #[must_use]
    pub fn source_ip(mut self, source: IpAddr) -> Self {
        self.route.source_ip = Some(source);
        self
    }

    /// Connects only to addresses of this family.
    #[must_use]
    pub fn family(mut self, family: Family) -> Self {
        self.route.family = Some(family);
        self
    }

    /// Connects to this address for a host instead of looking the host up. Call it again to add
    /// more addresses or hosts.
    #[must_use]
    pub fn resolve(mut self, host: impl Into<String>, ip: IpAddr) -> Self {
        let pinned = self.route.pinned.iter().cloned().chain([(host.into(), ip)]);
        self.route.pinned = pinned.collect();
        self
    }

    /// Allows connections to this host, such as `mail.example.com`, `192.0.2.1` or `*.example.com`.
    /// Once a host is allowed, connections to all hosts that were not allowed are refused; without
    /// a call, all hosts are allowed. For `mx://domain`, the domain is what has to be allowed.
    #[must_use]
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        let allowed = self.route.allowed.iter().cloned().chain([host.into()]);
        self.route.allowed = allowed.collect();
        self
    }

    /// Sets the name server to ask for the addresses of hosts and for the mail exchangers of
    /// `mx://domain`; the system's name servers unless set. `localhost` is this machine whatever
    /// the name server says.
    #[must_use]
    pub fn nameserver(mut self, nameserver: SocketAddr) -> Self {
        self.route.nameserver = Some(nameserver);
        self
    }

    /// Begins the connection with a PROXY header.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.route.proxy = Some(proxy);
        self
    }

    /// Sets how bytes that are sent and bytes that arrive are cut into pieces. No result may depend
    /// on it; see [`Segment`].
    #[must_use]
    pub fn segment(mut self, way: Segment) -> Self {
        self.segment = way;
        self
    }

    /// Connects to this address, and to no other, for a host.
    #[cfg(feature = "script")]
    pub(crate) fn pinned_to(mut self, host: &str, ip: IpAddr) -> Self {
        self.route.pinned = [(host.to_owned(), ip)].into();
        self
    }

    /// Returns the addresses that a connection to the host would try, in this order.
    ///
    /// # Errors
    /// Unresolved for a name without addresses; a usage error for a host that is not allowed.
    #[cfg(feature = "script")]
    pub(crate) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>> {
        crate::transport::addresses(host, &self.route, self.timeout).await
    }

    /// Plays the sessions of a recording instead of connecting to servers.
    #[cfg(feature = "cli")]
    pub(crate) fn recording(mut self, recording: Arc<Recording>) -> Self {
        self.recording = Some(recording);
        self
    }

    /// Returns the recorded session with this number, to play in place of a connection to `peer`;
    /// `None` if no recording is played.
    fn played(&self, id: SessionId, peer: &str) -> Result<Option<Transport>> {
        let Some(recording) = &self.recording else { return Ok(None) };
        let name = id.to_string();
        let scheme = |url: &str| url.split("://").next().unwrap_or_default().to_owned();
        let got = match recording.session(&name) {
            Some((url, recorded)) if scheme(url) == scheme(peer) => {
                let result = "recorded".into();
                let attempt = What::Attempt { address: url.into(), result };
                self.transcript.record_on(id, attempt);
                return Ok(Some(Transport::Recorded(Box::new(recorded))));
            }
            Some((url, _)) => format!("one with {url}"),
            None => "no such session".to_owned(),
        };
        let error = Error::usage(format!("the recording has no session {name} with {peer}"));
        let error = error.with_expected(peer).with_got(got).with_session(format!("{name}, {peer}"));
        Err(error.hint("run against a server to record it anew: --trace on"))
    }

    /// Returns the mail exchangers of a domain, each with its preference, the preferred first.
    ///
    /// # Errors
    /// Unresolved for a domain without mail exchangers, and for a domain that takes no mail.
    #[cfg(feature = "cli")]
    pub(crate) async fn exchangers(&self, domain: &str) -> Result<Vec<(u16, String)>> {
        crate::transport::exchangers_of(domain, &self.route, self.timeout).await
    }

    /// Connects at the pace that this session shares with others.
    #[cfg(feature = "script")]
    pub(crate) fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Says whose thread the session waits on.
    #[cfg(feature = "script")]
    pub(crate) fn thread(mut self, thread: Thread) -> Self {
        self.route.thread = thread;
        self
    }

    /// Sets the transcript that records the session.
    #[must_use]
    pub fn transcript(mut self, transcript: Transcript) -> Self {
        self.transcript = transcript;
        self
    }

    /// The deadline of each operation.
    pub(crate) fn allowed(&self) -> Duration {
        self.timeout
    }

    /// The transcript that records the session.
    pub(super) fn recorded(&self) -> &Transcript {
        &self.transcript
    }

    /// How TLS is set up for these sessions.
    pub(crate) fn tls_options(&self) -> &tls::Options {
        &self.tls
    }

    /// Sets how TLS is set up, whether it begins with the connection or by [`Session::starttls`].
    #[must_use]
    pub fn tls(mut self, tls: tls::Options) -> Self {
        self.tls = tls;
        self
    }

    /// Connects to `smtp://host:port`, `smtp+unix:///path`, other schemes of these forms, or the
    /// mail exchangers of `mx://domain`. With `smtps`, `submissions`, `lmtps`, `pop3s`, `imaps`
    /// and `tls`, the TLS handshake comes before anything else (RFC 8314 section 3).
    ///
    /// # Errors
    /// Unreachable, with each address that was tried and why it failed; `tls` if the handshake
    /// fails, with the reason; a usage error for a URL that cannot be read.
    pub async fn connect(self, url: &str) -> Result<Session> {
        // The future is boxed so that a script which waits for something else later does not keep
        // room for it on its stack.
        let began = std::time::Instant::now();
        Box::pin(self.open(url)).await.map_err(|error| explain_clock(error, began.elapsed()))
    }

    async fn open(self, url: &str) -> Result<Session> {
        let target = Target::parse(url)?;
        let caller = self.caller();
        let unheard = self.pace.turn().await;
        let id = self.transcript.open();
        let peer = target.to_string();
        let started = Wait::new(self.timeout);
        let record = |what| self.transcript.record_on(id, what);
        record(What::Connecting(peer.clone()));
        let report = |address: &str, result: &str| {
            record(What::Attempt { address: address.into(), result: result.into() });
        };
        if let Some(transport) = self.played(id, &peer)? {
            let mut session = self.session(id, peer, transport, protocol(target.scheme));
            if target.scheme.is_tls() {
                session.handshake(None, started).await?;
            }
            return Ok(session);
        }
        let proxy = self.route.proxy;
        let connected = connect(&target, &self.route, self.timeout, report).await;
        let connected = connected.map_err(|error| error.with_session(format!("{id}, {peer}")))?;
        let protocol = protocol(target.scheme);
        #[cfg(feature = "script")]
        let opened = (connected.lookup, connected.elapsed, connected.transport.peer_address());
        let mut session = self.session(id, peer, connected.transport, protocol);
        #[cfg(feature = "script")]
        {
            session.opened = Some(opened);
        }
        session.exchanger = connected.exchanger;
        session.proxy = proxy;
        session.stream.hold(unheard);
        if target.scheme.is_tls() {
            session.handshake(None, started).await?;
        }
        // Set after the handshake: an error of the handshake explains itself, and the session that
        // it drops must not panic.
        session.caller = caller;
        Ok(session)
    }

    /// Starts a command without a shell, and speaks with its stdin and stdout.
    ///
    /// `protocol` is `smtp` for commands such as `sendmail -bs`, or `tcp` for a plain stream.
    ///
    /// # Errors
    /// Unreachable if the command cannot be started; a usage error for an empty command or for a
    /// protocol that mailexpect does not speak.
    pub fn pipe(self, command: &[String], protocol_name: &str) -> Result<Session> {
        let Some((program, arguments)) = command.split_first() else {
            return Err(Error::usage("no command to start").hint("pipe(\"sendmail -bs\")"));
        };
        let scheme = Target::parse(&format!("{protocol_name}://localhost:1"))?.scheme;
        if scheme.is_tls() {
            let error =
                Error::usage(format!("a command cannot be spoken with by {protocol_name} at once"));
            return Err(error.hint(
                "name the protocol without TLS, and put TLS on by starttls() or tls_handshake()",
            ));
        }
        let id = self.transcript.open();
        let peer = command.join(" ");
        self.transcript.record_on(id, What::Connecting(peer.clone()));
        if let Some(transport) = self.played(id, &peer)? {
            return Ok(self.session(id, peer, transport, protocol(scheme)));
        }
        let started = Process::start(program, arguments);
        let result = started.as_ref().map_or_else(ToString::to_string, |_| "started".to_owned());
        self.transcript.record_on(
            id,
            What::Attempt { address: program.as_str().into(), result: result.as_str().into() },
        );
        let process = started.map_err(|_| {
            let error = Error::new(Kind::Unreachable, format!("cannot start `{program}`"))
                .with_expected("a running command")
                .with_got(result);
            error
                .with_session(format!("{id}, {peer}"))
                .hint("look for a slip in its name, or give its whole path")
        })?;
        let caller = self.caller();
        let process = Transport::Process(Box::new(process));
        let mut session = self.session(id, peer, process, protocol(scheme));
        session.caller = caller;
        Ok(session)
    }

    fn caller(&self) -> Option<Caller> {
        self.is_judged.then(|| Caller::new(self.transcript.clone()))
    }

    fn session(
        self,
        id: SessionId,
        peer: String,
        transport: Transport,
        protocol: Box<dyn Protocol>,
    ) -> Session {
        self.of_role(Role::Client, id, peer, (transport, protocol))
    }

    /// Opens a session of the server's side on an accepted connection.
    pub(crate) fn accepted(
        self,
        incoming: Incoming,
        scheme: &'static Scheme,
        tls: (&tls::ServerOptions, &Arc<tls::Authority>),
    ) -> Result<Session> {
        let id = self.transcript.open();
        let from = incoming.peer;
        self.transcript.record_on(id, What::Accepted(from.clone()));
        let peer = format!("the client of {from}");
        let made = (incoming.transport, protocol(scheme));
        let caller = self.caller();
        let mut session = self.of_role(Role::Server, id, peer, made);
        session.serving =
            Some(Box::new(Serving::new(tls.0.clone(), Arc::clone(tls.1), incoming.faults)));
        if let Some(rate) = incoming.read_rate {
            session.stream.slow_down(rate);
        }
        if let Some(error) = incoming.tls_failed {
            return Err(session.client_broke_off(&error));
        }
        session.note_accepted_tls();
        session.caller = caller;
        Ok(session)
    }

    fn of_role(
        self,
        role: Role,
        id: crate::transcript::SessionId,
        peer: String,
        (transport, protocol): (Transport, Box<dyn Protocol>),
    ) -> Session {
        let record = Record::new(id, role, self.transcript);
        self.tls.secrets().for_each(|line| record.secrets().learn(line));
        let terms =
            Terms { timeout: self.timeout, settle: self.settle, limit: self.limit, tls: self.tls };
        Session {
            peer,
            exchanger: None,
            proxy: None,
            turn: Turn::new(role, protocol),
            ending: Ending::new(self.grace),
            record,
            stream: Stream::new(transport.cut(self.segment), terms),
            said: None,
            tags: super::verbs::imap::Tags::default(),
            #[cfg(feature = "script")]
            opened: None,
            serving: None,
            caller: None,
            before: None,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

fn protocol(scheme: &Scheme) -> Box<dyn Protocol> {
    (scheme.speech.facts().dialogue)(scheme.plain_name())
}
