//! The options of the embedded server.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::Embedded;
use crate::chance::Seed;
use crate::error::Result;
use crate::proto::Speech;
use crate::server::budget::Budget;
use crate::server::host::{self, Host, Make, Port, Shared};
use crate::server::overridden::Overridden;
#[cfg(feature = "script")]
use crate::server::question::Asker;
use crate::server::rules::Rules;
use crate::server::service::{SERVICES, Service};
use crate::server::site::Site;
use crate::session::{DEFAULT_GRACE, Fault, Faults};
use crate::tls::{Authority, Flaw};
use crate::transcript::Transcript;

/// The options of an [`Embedded`] server.
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
#[derive(Debug)]
#[must_use = "nothing listens until it is started"]
pub struct Options {
    at: [Option<SocketAddr>; SERVICES.len()],
    transcript: Option<Transcript>,
    /// The idle time of all services, in place of their own.
    idle: Option<Duration>,
    users: Vec<(String, String)>,
    rules: Rules,
    flaw: Flaw,
    faults: Vec<Fault>,
    seed: Seed,
    /// The number of the server in its script: servers with the same seed make different choices.
    number: u64,
    read_rate: Option<NonZeroU32>,
    grace: Duration,
    /// No service begins with TLS, whatever its scheme says.
    in_clear: bool,
    budget: Budget,
}

/// Listens on free ports of 127.0.0.1, without a transcript.
impl Default for Options {
    fn default() -> Self {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            at: [Some(free); SERVICES.len()],
            transcript: None,
            idle: None,
            users: Vec::new(),
            rules: Rules::default(),
            flaw: Flaw::None,
            faults: Vec::new(),
            seed: Seed::default(),
            number: 0,
            read_rate: None,
            grace: DEFAULT_GRACE,
            in_clear: false,
            budget: Budget::default(),
        }
    }
}

impl Options {
    /// The address for SMTP; port 0 takes a free port.
    pub fn smtp_at(self, smtp: SocketAddr) -> Self {
        self.at("smtp", smtp)
    }

    /// The address for submission; port 0 takes a free port.
    pub fn submission_at(self, submission: SocketAddr) -> Self {
        self.at("submission", submission)
    }

    /// The address for submission with TLS from the start; port 0 takes a free port.
    pub fn submissions_at(self, submissions: SocketAddr) -> Self {
        self.at("submissions", submissions)
    }

    /// The address for one of [`Embedded::schemes`]; port 0 takes a free port. Any other scheme is
    /// ignored.
    pub fn at(mut self, scheme: &str, address: SocketAddr) -> Self {
        if let Some(place) = Service::place(scheme) {
            self.at[place] = Some(address);
        }
        self
    }

    /// Serves only this scheme.
    pub fn only(mut self, scheme: &str) -> Self {
        for (at, service) in self.at.iter_mut().zip(&SERVICES) {
            *at = at.filter(|_| service.scheme == scheme);
        }
        self
    }

    /// Records every connection in this transcript, each as a session; passwords are masked.
    pub fn transcript(self, transcript: Transcript) -> Self {
        Self { transcript: Some(transcript), ..self }
    }

    /// Adds a user who may log in and who has a mailbox, in place of [`Embedded::USER`]. Call it
    /// again for more users.
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.users.push((name.into(), password.into()));
        self
    }

    /// Replaces the answers to a command: the first turn answers the first such command, the second
    /// turn the second, and so on. After the last turn, the server answers well again, which means
    /// as without a rule. Commands are counted over all connections.
    ///
    /// A command is named by its first words: `RCPT`, `AUTH PLAIN`, `FETCH` (in IMAP without tag
    /// and UID). `GREETING` stands for the greeting, `MESSAGE` for the reply to the content of a
    /// message, and `RESPONSE` for the reply to a SASL response. A turn is a text of lines:
    ///
    /// | line | the server |
    /// | --- | --- |
    /// | `451 4.3.0 later`, `-ERR no`, `NO [X] no` | sends this reply, which has to be one of the protocol; in IMAP, with the tag before it |
    /// | `S: text` | sends this text, with escapes as in [`Replay`](crate::server::Replay); `{tag}` at its start stands for the tag |
    /// | `well` | answers well |
    /// | `without WORD` | answers well without this word, or without its line: `without STARTTLS` |
    /// | `cut N` | answers well, and closes after N bytes |
    /// | `forge` | answers well, but with a wrong SCRAM signature |
    /// | `flood N` | sends N bytes without a line end |
    /// | `wait 2s` | waits before it answers |
    /// | `drip`, `drip 10ms` | sends the answer byte by byte, with this pause between |
    /// | `jitter 1s` | adds a random time, at most this long, to each pause |
    /// | `bare_lf`, `nul`, `doubled`, `missing`, `wrong LINE`, `endless N`, `literal N`, `uidvalidity`, `inject TEXT`, `garbage`, `read_rate N`, `half_close` | injects the fault of this name: see [`Fault`] |
    /// | `chance 0.1` | takes this turn once in ten times, and answers well otherwise |
    /// | `close`, `cut`, `reset`, `stall` | then closes; closes without a `close_notify`; resets; sends nothing more |
    /// | `tls` | then starts TLS |
    ///
    /// If a turn has no lines, the server answers well.
    ///
    /// ```
    /// use mailexpect::{Session, block_on, server::Embedded};
    ///
    /// let server = Embedded::options().answer("RCPT", ["451 4.3.0 come back", ""])?.start().unwrap();
    /// block_on(async {
    ///     let mut session = Session::connect(&server.smtp()).await?;
    ///     session.expect(220).await?;
    ///     session.ehlo("client.example").await?;
    ///     session.mail("kim@example.com").await?;
    ///     session.rcpt("hoge@example.com").expect(451).await?;
    ///     session.rcpt("hoge@example.com").await?;
    ///     session.quit().await.map(drop)
    /// })?;
    /// # Ok::<_, mailexpect::Error>(())
    /// ```
    ///
    /// # Errors
    /// Usage for a step whose number or duration cannot be read, for a reply code in a protocol that
    /// has none, and for a command that none of the served protocols has, unless it begins with X.
    pub fn answer<T: Into<String>>(
        mut self,
        command: &str,
        turns: impl IntoIterator<Item = T>,
    ) -> Result<Self> {
        let turns: Vec<_> = turns.into_iter().map(Into::into).collect();
        let spoken = self.spoken();
        self.rules.add(command, (&turns, false), &spoken)?;
        Ok(self)
    }

    /// Replaces the answer to a command each time: a turn as for [`Options::answer`].
    ///
    /// # Errors
    /// Same as [`Options::answer`].
    pub fn always(mut self, command: &str, turn: impl Into<String>) -> Result<Self> {
        let spoken = self.spoken();
        self.rules.add(command, (&[turn.into()], true), &spoken)?;
        Ok(self)
    }

    /// Asks a decider what to do with a command, each time that the command comes.
    ///
    /// # Errors
    /// Same as [`Options::answer`].
    #[cfg(feature = "script")]
    pub(crate) fn ask(mut self, command: &str, asker: Asker, decider: usize) -> Result<Self> {
        let spoken = self.spoken();
        self.rules.ask(command, (asker, decider), &spoken)?;
        Ok(self)
    }

    /// Lets SMTP and LMTP clients ask for faults by the addresses they use:
    /// `rcpt452_4.2.2@example.com` gets this reply to RCPT, `mail451@..` to MAIL, `data554@..` to
    /// DATA, `message452@..` to the message. In place of a reply code, `close`, `reset`, `stall`,
    /// `drip` and `wait2s` work too. Text after a plus sign is ignored. To EHLO from
    /// `nostarttls-noauth.example`, the server offers neither STARTTLS nor AUTH; to
    /// `size1000.example` it offers this SIZE. So clients in any language can be tested without
    /// configuring the server.
    ///
    /// ```
    /// use mailexpect::{Session, block_on, server::Embedded};
    ///
    /// let server = Embedded::options().on_demand(true).start().unwrap();
    /// block_on(async {
    ///     let mut session = Session::connect(&server.smtp()).await?;
    ///     session.expect(220).await?;
    ///     session.ehlo("nosize.example").await?;
    ///     session.mail("kim@example.com").await?;
    ///     session.rcpt("rcpt452_4.2.2@example.com").expect(452).await?;
    ///     session.quit().await.map(drop)
    /// })?;
    /// # Ok::<_, mailexpect::Error>(())
    /// ```
    pub fn on_demand(mut self, on_demand: bool) -> Self {
        self.rules.on_demand = on_demand;
        self
    }

    /// The protocols of the services that are to listen.
    fn spoken(&self) -> Vec<Speech> {
        let services = SERVICES.iter().zip(&self.at).filter(|(_, at)| at.is_some());
        services.map(|(service, _)| service.speech).collect()
    }

    /// Refuses a client that connects after this many others within this time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use mailexpect::{Session, block_on, server::Embedded};
    ///
    /// let server = Embedded::options().limit(1, Duration::from_mins(1)).start().unwrap();
    /// block_on(async {
    ///     let mut first = Session::connect(&server.smtp()).await?;
    ///     first.expect(220).await?;
    ///     let mut second = Session::connect(&server.smtp()).await?;
    ///     second.expect(421).await?;
    ///     first.quit().await.map(drop)
    /// })?;
    /// # Ok::<_, mailexpect::Error>(())
    /// ```
    pub fn limit(mut self, connections: usize, window: Duration) -> Self {
        self.rules.limit(connections, window);
        self
    }

    /// Reads at most this many bytes a second from each client. The rest stays in the client's
    /// buffers; when they are full, the client's writes wait.
    ///
    /// ```
    /// use std::num::NonZeroU32;
    /// use mailexpect::server::Embedded;
    ///
    /// let slow = NonZeroU32::new(2000).expect("not zero");
    /// let server = Embedded::options().read_rate(slow).start()?;
    /// assert!(server.smtp().starts_with("smtp://127.0.0.1:"));
    /// # Ok::<_, std::io::Error>(())
    /// ```
    pub fn read_rate(self, octets_per_second: NonZeroU32) -> Self {
        Self { read_rate: Some(octets_per_second), ..self }
    }

    /// Injects this fault into the server's answers. The fault says for which commands, connections
    /// and addresses it applies, and with what chance. Of several faults, the first that applies is
    /// injected.
    ///
    /// ```
    /// use mailexpect::{Fault, Session, block_on, server::Embedded};
    ///
    /// // The second RCPT has no reply: the server closes.
    /// let fault = Fault::new().at("RCPT").number(2).cut(0);
    /// let server = Embedded::options().fault(fault)?.start().unwrap();
    /// block_on(async {
    ///     let mut session = Session::connect(&server.smtp()).await?;
    ///     session.expect(220).await?;
    ///     session.ehlo("client.example").await?;
    ///     session.mail("kim@example.com").await?;
    ///     session.rcpt("hoge@example.com").await?;
    ///     assert!(session.rcpt("lea@example.com").await.unwrap_err().is_closed());
    ///     Ok(())
    /// })
    /// # .and_then(|()| Ok::<_, mailexpect::Error>(()))?;
    /// # Ok::<_, mailexpect::Error>(())
    /// ```
    ///
    /// # Errors
    /// Usage for a fault at a command that none of the served protocols has.
    pub fn fault(mut self, fault: Fault) -> Result<Self> {
        Rules::check_fault(&fault, &self.spoken())?;
        self.faults.push(fault);
        Ok(self)
    }

    /// The seed of all random choices in faults: the same seed gives the same choices. By default
    /// the system chooses a seed; [`Embedded::seed`] returns it.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Seed::of(seed), ..self }
    }

    /// Sets the seed, and the number of the server in its script.
    #[cfg(feature = "script")]
    pub(crate) fn seeded(self, (seed, number): (Seed, u64)) -> Self {
        Self { seed, number, ..self }
    }

    /// How long a drop of the server waits for connected clients to finish, for example so that a
    /// late QUIT is answered. The default is 1 s; without clients, a drop does not wait.
    ///
    /// ```
    /// use std::time::Duration;
    /// use mailexpect::server::Embedded;
    ///
    /// let server = Embedded::options().grace(Duration::ZERO).start()?;
    /// # Ok::<_, std::io::Error>(())
    /// ```
    pub fn grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Uses a certificate that no client should accept.
    pub fn flaw(self, flaw: Flaw) -> Self {
        Self { flaw, ..self }
    }

    /// Starts no service with TLS, even if its scheme says so.
    #[cfg(feature = "cli")]
    pub(crate) fn in_clear(self, in_clear: bool) -> Self {
        Self { in_clear, ..self }
    }

    /// Counts what the server holds against this budget.
    #[cfg(feature = "script")]
    pub(crate) fn budget(self, budget: Budget) -> Self {
        Self { budget, ..self }
    }

    /// How long a client may be silent.
    #[cfg(any(test, feature = "cli"))]
    pub(crate) fn idle(self, idle: Duration) -> Self {
        Self { idle: Some(idle), ..self }
    }

    /// Starts the server: it listens when this returns.
    ///
    /// # Errors
    /// The system's error, with the address, if an address cannot be listened on; or if the system
    /// gives no thread.
    pub fn start(self) -> io::Result<Embedded> {
        let site = Arc::new(Site::new(self.users, &self.budget));
        let authority = Arc::new(Authority::flawed(self.flaw));
        let mut rules = self.rules;
        rules.faults = Arc::new(Faults::new(self.faults, (self.seed.clone(), self.number)));
        let rules = Arc::new(rules);
        let mut addresses = self.at;
        let mut ports = Vec::new();
        for (at, service) in addresses.iter_mut().zip(&SERVICES) {
            let Some(at) = at else { continue };
            let listener = host::listen(*at)?;
            *at = listener.local_addr()?;
            ports.push(Port {
                listener,
                speech: service.speech,
                make: maker(service, &site, &rules),
                is_tls: service.is_tls() && !self.in_clear,
                idle: self.idle.unwrap_or(service.idle),
                changes: (service.speech == Speech::Imap).then(|| site.store.watch()),
            });
        }
        let shared = Shared {
            authority: Arc::clone(&authority),
            transcript: self.transcript,
            spool: Arc::clone(&site.spool),
            read_rate: self.read_rate,
            open: Arc::default(),
        };
        let host = Host::start(ports, shared, self.grace)?;
        Ok(Embedded { addresses, authority, site, seed: self.seed, host })
    }
}

/// Makes the dialogues of a service, with the rules applied to them if there are any.
fn maker(service: &'static Service, site: &Arc<Site>, rules: &Arc<Rules>) -> Arc<Make> {
    let (site, rules) = (Arc::clone(site), Arc::clone(rules));
    Arc::new(move |peer| {
        let dialogue = (service.dialogue)(Arc::clone(&site), peer);
        if rules.is_empty() {
            return dialogue;
        }
        Box::new(Overridden::new(dialogue, Arc::clone(&rules), service.speech))
    })
}
