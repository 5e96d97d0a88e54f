//! How to open a session.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::buffer::DEFAULT_LIMIT;
use crate::error::Result;
use crate::tls;
use crate::transcript::Transcript;
#[cfg(feature = "script")]
use crate::transport::ThreadUse;
use crate::transport::{Family, Pace, Proxy, Recording, Route, Segment};

/// The deadline of an operation, unless set.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the peer must send nothing before a regex match that more bytes could still extend is
/// taken as it stands, unless set.
const DEFAULT_SETTLE: Duration = Duration::from_millis(200);

/// How long the end of a dialogue waits for what the server still sends, unless set.
pub(crate) const DEFAULT_GRACE: Duration = Duration::from_secs(1);

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
    pub(super) timeout: Duration,
    pub(super) settle: Duration,
    pub(super) grace: Duration,
    pub(super) limit: usize,
    pub(super) route: Route,
    pub(super) pace: Pace,
    pub(super) transcript: Transcript,
    pub(super) tls: tls::Options,
    pub(super) segment: Segment,
    /// A recording whose sessions are played instead of connecting to servers.
    pub(super) recording: Option<Arc<Recording>>,
    /// Whether the sessions belong to Rust code, so that dropping one checks what was left
    /// unexpected.
    pub(super) is_judged: bool,
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

    /// Sets how long [`Session::finish`](crate::Session::finish) waits for the server to close too,
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
    /// Unresolved for a name without addresses; a failed look-up; a usage error for a host that is
    /// not allowed.
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

    /// Returns the mail exchangers of a domain.
    ///
    /// # Errors
    /// Unresolved for a domain that does not exist, and a failed look-up.
    #[cfg(feature = "cli")]
    pub(crate) async fn exchangers(&self, domain: &str) -> Result<crate::transport::Exchangers> {
        crate::transport::exchangers_of(domain, &self.route, self.timeout).await
    }

    /// Connects at the pace that this session shares with others.
    #[cfg(feature = "script")]
    pub(crate) fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Sets whether the thread on which the session waits belongs to the session alone.
    #[cfg(feature = "script")]
    pub(crate) fn thread(mut self, thread: ThreadUse) -> Self {
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

    /// The secrets that the sessions mask.
    #[cfg(feature = "script")]
    pub(crate) fn secrets(&self) -> crate::secrets::Learned {
        self.transcript.learned()
    }

    /// The transcript that records the session.
    pub(super) fn recorded(&self) -> &Transcript {
        &self.transcript
    }

    /// How TLS is set up for these sessions.
    pub(crate) fn tls_options(&self) -> &tls::Options {
        &self.tls
    }

    /// Sets how TLS is set up, whether it begins with the connection or by
    /// [`Session::starttls`](crate::Session::starttls).
    #[must_use]
    pub fn tls(mut self, tls: tls::Options) -> Self {
        self.tls = tls;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}
