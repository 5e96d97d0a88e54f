//! How to start the embedded server.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::Embedded;
use crate::chance::Seed;
use crate::error::Result;
use crate::proto::Speech;
use crate::server::accounts::Accounts;
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
#[derive(Debug)]
#[must_use = "nothing listens until it is started"]
pub struct Options {
    at: [Option<SocketAddr>; SERVICES.len()],
    transcript: Option<Transcript>,
    /// Instead of what each service has.
    idle: Option<Duration>,
    users: Vec<(String, String)>,
    rules: Rules,
    flaw: Flaw,
    faults: Vec<Fault>,
    seed: Seed,
    /// Which of a script's servers it is.
    number: u64,
    read_rate: Option<NonZeroU32>,
    grace: Duration,
    /// Nothing begins with TLS, whatever its scheme says.
    in_clear: bool,
}

/// Free ports of 127.0.0.1, no transcript.
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
        }
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
            self.at[place] = Some(address);
        }
        self
    }

    /// Serves this scheme alone.
    pub fn only(mut self, scheme: &str) -> Self {
        for (at, service) in self.at.iter_mut().zip(&SERVICES) {
            *at = at.filter(|_| service.scheme == scheme);
        }
        self
    }

    /// Where to record every connection, a session each; passwords are masked.
    pub fn transcript(self, transcript: Transcript) -> Self {
        Self { transcript: Some(transcript), ..self }
    }

    /// A user who may log in, and who has a mailbox, instead of [`Embedded::USER`]. Call it again
    /// for more.
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.users.push((name.into(), password.into()));
        self
    }

    /// Answers a command otherwise than well: the first time so, the second time so, and well after
    /// that. Turns are counted over all connections.
    ///
    /// A command is named by its first words: `RCPT`, `AUTH PLAIN`, `FETCH` (of IMAP without tag and
    /// UID); `GREETING` is what comes before any, `MESSAGE` the answer to the content of a message,
    /// `RESPONSE` that to a response of SASL. A turn is a text of lines:
    ///
    /// | line | the server |
    /// | --- | --- |
    /// | `451 4.3.0 later`, `-ERR no`, `NO [X] no` | says it; of IMAP the tag comes before it |
    /// | `S: text` | says it, with escapes as in [`Replay`](crate::server::Replay); `{tag}` at its start is the tag |
    /// | `well` | answers well |
    /// | `without WORD` | answers well without that word, or the line of it: `without STARTTLS` |
    /// | `cut N` | answers well, and closes after so many octets |
    /// | `forge` | answers well, except that its proof of SCRAM is wrong |
    /// | `flood N` | sends so many octets without a line end |
    /// | `wait 2s` | waits before all of it |
    /// | `drip`, `drip 10ms` | sends it octet by octet, with such a pause between |
    /// | `jitter 1s` | adds a random time, up to that, to what it waits |
    /// | `bare_lf`, `nul`, `doubled`, `missing`, `wrong LINE`, `endless N`, `literal N`, `uidvalidity`, `inject TEXT`, `garbage`, `read_rate N`, `half_close` | as [`Fault`] has them |
    /// | `chance 0.1` | does all of it once in ten times, and answers well otherwise |
    /// | `close`, `cut`, `reset`, `stall` | closes after it; without a `close_notify`; resets; says nothing more |
    /// | `tls` | puts TLS on after it |
    ///
    /// A turn without lines is answered well.
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
    /// Usage for a step whose number or duration cannot be read, and for a command that none of the
    /// protocols served has, unless it begins with X.
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

    /// The same each time: a turn as for [`Options::answer`].
    ///
    /// # Errors
    /// As [`Options::answer`].
    pub fn always(mut self, command: &str, turn: impl Into<String>) -> Result<Self> {
        let spoken = self.spoken();
        self.rules.add(command, (&[turn.into()], true), &spoken)?;
        Ok(self)
    }

    /// Has somebody decide what is done with a command, each time that it comes.
    ///
    /// # Errors
    /// As [`Options::answer`].
    #[cfg(feature = "script")]
    pub(crate) fn ask(mut self, command: &str, asker: Asker, decider: usize) -> Result<Self> {
        let spoken = self.spoken();
        self.rules.ask(command, (asker, decider), &spoken)?;
        Ok(self)
    }

    /// Does what addresses of SMTP and LMTP ask for: `rcpt452_4.2.2@example.com` gets that reply to
    /// RCPT, `mail451@..` to MAIL, `data554@..` to DATA, `message452@..` to the message; `close`,
    /// `reset`, `stall`, `drip` and `wait2s` stand in place of a reply, and what follows a plus sign
    /// is the client's own. EHLO from `nostarttls-noauth.example` is offered neither of these, from
    /// `size1000.example` that SIZE. So a client in any language can ask for faults.
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

    /// What is spoken where it is to listen.
    fn spoken(&self) -> Vec<Speech> {
        let services = SERVICES.iter().zip(&self.at).filter(|(_, at)| at.is_some());
        services.map(|(service, _)| service.speech).collect()
    }

    /// Turns away who connects after so many others have in that time.
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

    /// Reads no more than so many octets a second of each client: what it sends stays in its buffers,
    /// and then its writes wait.
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

    /// Has this go wrong with what the server says: by the command, the connection, the address and
    /// by chance, as the fault says. Of several, the first that fits happens.
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
    /// Usage for a fault at a command that none of the protocols served has.
    pub fn fault(mut self, fault: Fault) -> Result<Self> {
        Rules::check_fault(&fault, &self.spoken())?;
        self.faults.push(fault);
        Ok(self)
    }

    /// Decides what is left to chance in faults: the same seed has it the same again. The system
    /// chooses one if none is given; [`Embedded::seed`] says which.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Seed::of(seed), ..self }
    }

    /// The same, of a script's server with that number.
    #[cfg(feature = "script")]
    pub(crate) fn seeded(self, (seed, number): (Seed, u64)) -> Self {
        Self { seed, number, ..self }
    }

    /// How long clients that are connected have to come to their end when the server is dropped: a
    /// QUIT that comes late is answered. 1 s unless set; nothing is waited for if none is connected.
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

    /// Shows a certificate that no client should take.
    pub fn flaw(self, flaw: Flaw) -> Self {
        Self { flaw, ..self }
    }

    /// Speaks in clear where TLS is wanted from the start.
    #[cfg(feature = "cli")]
    pub(crate) fn in_clear(self, in_clear: bool) -> Self {
        Self { in_clear, ..self }
    }

    /// How long a client may be silent.
    #[cfg(any(test, feature = "cli"))]
    pub(crate) fn idle(self, idle: Duration) -> Self {
        Self { idle: Some(idle), ..self }
    }

    /// Starts the server: it listens when this returns.
    ///
    /// # Errors
    ///
    /// What the system says if an address cannot be listened at, with that address, or if it gives
    /// no thread.
    pub fn start(self) -> io::Result<Embedded> {
        let site = if self.users.is_empty() {
            Arc::<Site>::default()
        } else {
            Arc::new(Site::new(Accounts::new(self.users)))
        };
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

/// Makes the dialogues of a service, with the rules before them if there are any.
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
