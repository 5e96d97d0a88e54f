//! Probes the ports of a host: which of them answer, which protocol they speak, and how far a
//! dialogue gets. All ports of all addresses are probed in parallel, each with its own deadline.

mod deadline;
mod delivery;
mod depth;
mod dialogue;
mod encrypted;
mod host_ports;
mod state;

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::timeout;
use zeroize::Zeroizing;

#[cfg(feature = "cli")]
pub(crate) use deadline::GOODBYE;
pub(crate) use depth::Depth;
pub(crate) use dialogue::Service;
pub(crate) use host_ports::{HostPorts, Port, ports};
pub(crate) use state::State;

use crate::error::{Error, Result};
use crate::sasl::Credentials;
use crate::session::Options;
use crate::transcript::{Event, Transcript};

/// How a port is probed.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    /// How connections are made, including TLS.
    pub(crate) options: Options,
    pub(crate) timeout: Duration,
    /// How far the dialogue should get.
    pub(crate) depth: Depth,
    /// Whether a port without TLS fails, because the depth of TLS was explicitly asked for.
    pub(crate) wants_tls: bool,
    /// The name for EHLO; our own address as a literal if `None`.
    pub(crate) helo: Option<String>,
    /// The account to authenticate with.
    pub(crate) account: Option<Account>,
    /// A password that is masked where a server shows it, beside that of the account.
    pub(crate) masked: Option<Zeroizing<String>>,
    /// The sender in the envelope of a transaction; empty for the null sender.
    pub(crate) from: String,
    pub(crate) rcpt: Option<String>,
    /// The IMAP URL of the mailbox in which the message is looked for after it was sent, and its
    /// account.
    pub(crate) mailbox: Option<(String, Account)>,
}

/// The account of a user.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) user: String,
    pub(crate) password: Zeroizing<String>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Account {
    fn credentials(&self) -> Credentials {
        Credentials::new(self.user.as_str(), self.password.as_str())
    }
}

/// The result of a probe at one port of one address.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) address: SocketAddr,
    pub(crate) state: State,
    /// The service at the port, if the port is open.
    pub(crate) service: Service,
    /// How far the dialogue got; `None` if it got nowhere.
    pub(crate) reached: Option<Depth>,
    /// The depth that the dialogue tried last.
    pub(crate) at: Depth,
    /// Why the dialogue did not get further.
    pub(crate) failure: Option<Error>,
    pub(crate) elapsed: Duration,
    pub(crate) transcript: Vec<Event>,
}

/// The results of a probe at all ports of a host.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: String,
    /// The results, sorted by address, then by port.
    pub(crate) found: Vec<Found>,
}

impl Host {
    /// The results at one port, for each address.
    pub(crate) fn at(&self, port: u16) -> impl Iterator<Item = &Found> {
        self.found.iter().filter(move |found| found.address.port() == port)
    }

    /// The state of a port as a client finds it that tries one address after the other: open if it
    /// is open at one address. Addresses that cannot be reached count only if no other address
    /// gives a result.
    pub(crate) fn state(&self, port: u16) -> State {
        let states: Vec<_> = self.at(port).map(|found| &found.state).collect();
        let first = |wanted: State| states.iter().find(|state| ***state == wanted);
        let found = first(State::Open).or(first(State::Filtered)).or(first(State::Closed));
        let found = found.or(states.first());
        found.map_or(State::Filtered, |state| (*state).clone())
    }
}

/// The number of ports probed in parallel, limited because each takes a file descriptor.
const AT_ONCE: usize = 256;

/// The number of bytes that a session may hold at one port: a probe needs only a greeting and short
/// replies.
const MOST_HELD: usize = 1 << 20;

/// The number of addresses that are probed. A name with more is a mistake or a joke.
const MOST_ADDRESSES: usize = 16;

impl Probe {
    /// A probe that goes as deep as possible without an account.
    pub(crate) fn new(options: Options, timeout: Duration) -> Self {
        Self {
            options: options.timeout(timeout).limit(MOST_HELD),
            timeout,
            depth: Depth::Tls,
            wants_tls: false,
            helo: None,
            account: None,
            masked: None,
            from: String::new(),
            rcpt: None,
            mailbox: None,
        }
    }

    /// Probes all ports of all addresses of a host.
    ///
    /// # Errors
    /// Unresolved for a name without an address; usage if the probe cannot be tried at all.
    pub(crate) async fn host(&self, at: &HostPorts) -> Result<Host> {
        let mut addresses = self.options.addresses(&at.host).await?;
        addresses.truncate(MOST_ADDRESSES);
        let mut tasks = JoinSet::new();
        let local = LocalSet::new();
        let turns = Rc::new(Semaphore::new(AT_ONCE));
        for (n, address) in addresses.iter().enumerate() {
            for (m, port) in at.ports.iter().enumerate() {
                let (probe, host) = (self.clone(), at.host.clone());
                let (address, port) = (*address, *port);
                let turns = Rc::clone(&turns);
                let probing = async move {
                    let turn = turns.acquire().await;
                    let found = probe.port(&host, address, port).await;
                    drop(turn);
                    ((n, m), found)
                };
                tasks.spawn_local_on(probing, &local);
            }
        }
        let all = local.run_until(tasks.join_all()).await;
        let mut found = Vec::new();
        for (order, one) in all {
            found.push((order, one?));
        }
        found.sort_by_key(|(order, _)| *order);
        let found = found.into_iter().map(|(_, found)| found).collect();
        Ok(Host { name: at.host.clone(), found })
    }

    /// The passwords that are masked.
    fn passwords(&self) -> impl Iterator<Item = &Zeroizing<String>> {
        self.account.iter().map(|account| &account.password).chain(&self.masked)
    }

    /// Probes one port of one address.
    async fn port(&self, host: &str, address: IpAddr, port: Port) -> Result<Found> {
        let started = Instant::now();
        let transcript = Transcript::new();
        self.passwords().for_each(|password| transcript.learned().keep(password.as_bytes()));
        let options = self.options.clone().pinned_to(host, address).transcript(transcript.clone());
        let mut found = Found {
            address: SocketAddr::new(address, port.number),
            state: State::Open,
            service: Service::default(),
            reached: None,
            at: Depth::Banner,
            failure: None,
            elapsed: Duration::ZERO,
            transcript: Vec::new(),
        };
        let talk = dialogue::Talk { probe: self, options, host, port, found: &mut found };
        // The operations of the dialogue share the deadline; this timeout is for time spent outside
        // of them.
        let outcome = timeout(self.timeout + GRACE, talk.run()).await;
        found.failure = match outcome {
            Ok(Ok(())) => None,
            Ok(Err(error)) if error.is_usage() => return Err(error),
            Ok(Err(error)) => Some(error),
            Err(_) => Some(late(self.timeout)),
        };
        found.elapsed = started.elapsed();
        found.transcript = transcript.take();
        Ok(found)
    }
}

/// The time beyond its deadline that a port gets for closing the dialogue.
const GRACE: Duration = Duration::from_secs(2);

fn late(allowed: Duration) -> Error {
    let shown = crate::duration::show(allowed);
    Error::new(crate::error::Kind::Timeout, format!("the dialogue was not over after {shown}"))
        .hint(format!("give it longer with --timeout {}", crate::duration::longer(allowed)))
}
