//! Connecting: tries each address in order, and reports the outcome for each.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout_at};

use super::exchangers::{self, exchangers};
use super::resolve::{Addresses, resolve};
use super::route::Route;
use super::tcp::Tcp;
use super::{Transport, reason};
use crate::error::{Error, Kind, Result, Waited};
use crate::runtime;
use crate::target::{Endpoint, Target};

/// A connection, with the mail exchanger that it leads to, if the target is a domain.
pub(crate) struct Connected {
    pub(crate) transport: Transport,
    pub(crate) exchanger: Option<Box<str>>,
    /// How long looking up names took.
    pub(crate) lookup: Duration,
    /// How long looking up and connecting took together.
    pub(crate) elapsed: Duration,
}

impl Connected {
    fn to(transport: Transport, exchanger: Option<Box<str>>, lookup: Duration) -> Self {
        Self { transport, exchanger, lookup, elapsed: lookup }
    }
}

/// Connects within the time `allowed`, and calls `report` with each address and its outcome.
///
/// The time left is divided evenly among the addresses left, so that an address that never answers
/// leaves time for the others.
pub(crate) async fn connect(
    target: &Target,
    route: &Route,
    allowed: Duration,
    mut report: impl FnMut(&str, &str),
) -> Result<Connected> {
    let started = Instant::now();
    let connected = connect_until(target, route, started + allowed, &mut report).await;
    let elapsed = started.elapsed();
    connected
        .map(|connected| Connected { elapsed, ..connected })
        .map_err(|error| error.with_waited(Waited { elapsed, allowed }))
}

async fn connect_until(
    target: &Target,
    route: &Route,
    deadline: Instant,
    report: &mut impl FnMut(&str, &str),
) -> Result<Connected> {
    route.check(&target.endpoint)?;
    match &target.endpoint {
        Endpoint::Unix(path) => {
            let transport = connect_unix(target, path, route, deadline, report).await?;
            Ok(Connected::to(transport, None, Duration::ZERO))
        }
        Endpoint::Host { host, port } => {
            let started = Instant::now();
            let addresses = resolve(host, *port, route, deadline).await?;
            let lookup = started.elapsed();
            report_failed(host, &addresses, report);
            let mut tried = Vec::new();
            let found =
                try_addresses(&addresses.found, route, deadline, report, &mut tried).await?;
            let transport = found.ok_or_else(|| unreachable(target, &tried))?;
            Ok(Connected::to(transport, None, lookup))
        }
        Endpoint::Exchangers { .. } => connect_exchanger(target, route, deadline, report).await,
    }
}

/// Tries the exchangers of a domain in turn, the preferred first. An exchanger is looked up only
/// when it is tried, so that a failed look-up of another does not matter if this one answers.
async fn connect_exchanger(
    target: &Target,
    route: &Route,
    deadline: Instant,
    report: &mut impl FnMut(&str, &str),
) -> Result<Connected> {
    let Endpoint::Exchangers { domain, port } = &target.endpoint else {
        return Err(Error::usage(format!("{target} names no domain")));
    };
    let started = Instant::now();
    let found = exchangers(domain, route.nameserver, deadline).await?;
    let mut lookup = started.elapsed();
    if found.hosts.is_empty() {
        return Err(exchangers::null(domain));
    }
    report(&format!("MX of {domain}:"), &found.shown());
    let (mut tried, mut failure) = (Vec::new(), None);
    let hosts = found.distinct();
    let count = hosts.len();
    for (n, exchanger) in hosts.into_iter().enumerate() {
        let until = share(deadline, count - n);
        let asked = Instant::now();
        let resolved = if exchanger.is_address() {
            Err(exchangers::address(&exchanger.host))
        } else {
            resolve(&exchanger.host, *port, route, until).await
        };
        let addresses = match resolved {
            Ok(addresses) => addresses,
            Err(error) => {
                let why = error.got().unwrap_or("it has no address");
                report(&format!("{}:", exchanger.host), why);
                // A name that does not exist explains less than a look-up that failed.
                if failure.as_ref().is_none_or(|known: &Error| known.kind() != Kind::Lookup) {
                    failure = Some(error);
                }
                continue;
            }
        };
        lookup += asked.elapsed();
        report_failed(&exchanger.host, &addresses, report);
        let connected = try_addresses(&addresses.found, route, until, report, &mut tried).await?;
        if let Some(transport) = connected {
            return Ok(Connected::to(transport, Some(exchanger.host.into()), lookup));
        }
    }
    Err(match failure {
        Some(error) if tried.is_empty() => error,
        _ => unreachable(target, &tried),
    })
}

/// Reports the look-up that failed beside one that found addresses.
fn report_failed(host: &str, addresses: &Addresses, report: &mut impl FnMut(&str, &str)) {
    if let Some((kind, why)) = &addresses.failed {
        report(&format!("{kind} of {host}:"), why);
    }
}

/// The deadline for the next of `left` addresses: the time left is divided evenly among them.
fn share(deadline: Instant, left: usize) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) / u32::try_from(left.max(1)).unwrap_or(u32::MAX)
}

/// An address that no connection could be made to.
struct Tried {
    address: String,
    why: Why,
}

/// Why an attempt to connect failed.
struct Why {
    kind: Kind,
    text: String,
}

async fn connect_unix(
    target: &Target,
    path: &Path,
    route: &Route,
    deadline: Instant,
    report: &mut impl FnMut(&str, &str),
) -> Result<Transport> {
    if route.proxy.is_some() {
        return Err(Error::usage(
            "a PROXY header names internet addresses, and a unix socket has none",
        ));
    }
    let given = [("source_ip", route.source_ip.is_some()), ("family", route.family.is_some())];
    if let Some((option, _)) = given.iter().find(|(_, is_given)| *is_given) {
        let error = format!("`{option}` is about internet addresses, and {target} has none");
        return Err(Error::usage(error).hint("leave it out for a unix socket"));
    }
    let outcome = attempt(deadline, UnixStream::connect(path)).await;
    let stream = told(outcome, &path.to_string_lossy(), report);
    stream
        .map(Transport::Unix)
        .map_err(|why| unreachable(target, &[Tried { address: path.display().to_string(), why }]))
}

/// Tries the addresses in turn. Addresses that failed are added to `tried`, with the reason.
async fn try_addresses(
    addresses: &[SocketAddr],
    route: &Route,
    deadline: Instant,
    report: &mut impl FnMut(&str, &str),
    tried: &mut Vec<Tried>,
) -> Result<Option<Transport>> {
    for (n, address) in addresses.iter().enumerate() {
        let until = share(deadline, addresses.len() - n);
        let outcome = attempt(until, Tcp::connect(*address, route.source_ip, route.thread)).await;
        match told(outcome, &address.to_string(), report) {
            Ok(stream) => {
                return introduce(stream, route, report).await.map(Transport::Tcp).map(Some);
            }
            Err(why) => tried.push(Tried { address: address.to_string(), why }),
        }
    }
    Ok(None)
}

/// Sends the PROXY header, if there is one.
async fn introduce(
    mut stream: Tcp,
    route: &Route,
    report: &mut impl FnMut(&str, &str),
) -> Result<Tcp> {
    if let Some(proxy) = route.proxy {
        let failed = |error: io::Error| {
            Error::new(Kind::Io, format!("the PROXY header could not be sent: {}", reason(&error)))
        };
        let header =
            proxy.header(stream.local_addr().map_err(failed)?, stream.peer_addr().map_err(failed)?);
        stream.write_all(&header).await.map_err(failed)?;
        report(&proxy.to_string(), "sent");
    }
    Ok(stream)
}

async fn attempt<T>(
    until: Instant,
    connecting: impl Future<Output = io::Result<T>>,
) -> Result<T, Why> {
    match timeout_at(until, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(Why { kind: kind(&error), text: reason(&error) }),
        Err(_) => Err(Why { kind: Kind::Filtered, text: "timed out".to_owned() }),
    }
}

fn kind(error: &io::Error) -> Kind {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Kind::Refused,
        io::ErrorKind::TimedOut => Kind::Filtered,
        _ => Kind::Unreachable,
    }
}

fn told<T>(
    outcome: Result<T, Why>,
    address: &str,
    report: &mut impl FnMut(&str, &str),
) -> Result<T, Why> {
    report(address, outcome.as_ref().err().map_or("connected", |why| why.text.as_str()));
    outcome
}

fn unreachable(target: &Target, tried: &[Tried]) -> Error {
    let got: Vec<_> =
        tried.iter().map(|tried| format!("{} {}", tried.address, tried.why.text)).collect();
    let error = Error::new(kind_of_all(tried), format!("cannot connect to {target}"));
    error.with_expected("a connection").with_got(got.join(", ")).hint(next_step(tried))
}

/// The kind of error that stands for all attempts. An unreachable address, such as one of an
/// address family that this machine does not have, says nothing about the server, so the error of
/// another address takes precedence.
fn kind_of_all(tried: &[Tried]) -> Kind {
    let any = |kind| tried.iter().any(|tried| tried.why.kind == kind);
    if any(Kind::Filtered) {
        Kind::Filtered
    } else if any(Kind::Refused) {
        Kind::Refused
    } else {
        Kind::Unreachable
    }
}

/// The hint on what to try next, from the reasons why the addresses failed.
fn next_step(tried: &[Tried]) -> String {
    let any = |reason: &str| tried.iter().any(|tried| tried.why.text.contains(reason));
    if any("too many open files") {
        return runtime::no_descriptors();
    }
    let step = if any("cannot assign requested address") {
        "no local port is left for that address: make fewer connections at once, or give some of them another `source_ip`"
    } else if any("reset") {
        "the server resets connections at once: a ban or a limit on connections looks like this"
    } else if tried.iter().all(|tried| ["refused", "not found"].contains(&tried.why.text.as_str()))
    {
        "nothing listens there: start the server, or name another"
    } else {
        "a firewall that drops packets looks like this; try another port, or a host that is nearer"
    };
    step.to_owned()
}
