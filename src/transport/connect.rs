//! Connecting, with a report: each address is tried in order, and what came of it is told.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpSocket, UnixStream, lookup_host};
use tokio::time::{Instant, timeout_at};

use super::Transport;
use crate::error::{Error, Kind, Result, Waited};
use crate::target::{Place, Target};

/// Which of the two internets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    fn has(self, address: &IpAddr) -> bool {
        (self == Self::V4) == address.is_ipv4()
    }
}

/// How to get there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Route {
    pub(crate) source_ip: Option<IpAddr>,
    pub(crate) family: Option<Family>,
}

/// Connects within `allowed`, telling `report` each address and what came of it.
///
/// The time left is shared out evenly among the addresses left, so that one that never answers does not starve the others.
pub(crate) async fn connect(
    target: &Target,
    route: Route,
    allowed: Duration,
    mut report: impl FnMut(&str, &str),
) -> Result<Transport> {
    let started = Instant::now();
    let deadline = started + allowed;
    let waited = || Waited { elapsed: started.elapsed(), allowed };
    let (host, port) = match &target.place {
        Place::Host { host, port } => (host.as_str(), *port),
        Place::Unix(path) => {
            let outcome = attempt(deadline, UnixStream::connect(path)).await;
            let stream = told(outcome, &path.to_string_lossy(), &mut report);
            return stream
                .map(Transport::Unix)
                .map_err(|why| unreachable(target, &[(path.display().to_string(), why)]).waited(waited()));
        }
    };
    let addresses = resolve(host, port, route, deadline).await.map_err(|error| error.waited(waited()))?;
    let mut tried = Vec::new();
    for (n, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - n).unwrap_or(u32::MAX);
        let until = Instant::now() + deadline.saturating_duration_since(Instant::now()) / left;
        let outcome = attempt(until, connect_tcp(*address, route.source_ip)).await;
        match told(outcome, &address.to_string(), &mut report) {
            Ok(stream) => return Ok(Transport::Tcp(stream)),
            Err(why) => tried.push((address.to_string(), why)),
        }
    }
    Err(unreachable(target, &tried).waited(waited()))
}

async fn attempt<T>(until: Instant, connecting: impl Future<Output = io::Result<T>>) -> Result<T, String> {
    match timeout_at(until, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(reason(&error)),
        Err(_) => Err("timed out".to_owned()),
    }
}

fn told<T>(outcome: Result<T, String>, address: &str, report: &mut impl FnMut(&str, &str)) -> Result<T, String> {
    report(address, outcome.as_ref().err().map_or("connected", String::as_str));
    outcome
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "refused".to_owned(),
        io::ErrorKind::TimedOut => "timed out".to_owned(),
        io::ErrorKind::ConnectionReset => "reset".to_owned(),
        io::ErrorKind::NotFound => "not found".to_owned(),
        // The system's words, without the number that it ends them with.
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or(&text).to_lowercase()
        }
    }
}

async fn connect_tcp(address: SocketAddr, source: Option<IpAddr>) -> io::Result<tokio::net::TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(source) = source {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    // Without this, a message and its dot written apart would wait for each other's acknowledgement.
    socket.set_nodelay(true)?;
    socket.connect(address).await
}

async fn resolve(host: &str, port: u16, route: Route, deadline: Instant) -> Result<Vec<SocketAddr>> {
    let found = match host.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => match timeout_at(deadline, lookup_host((host, port))).await {
            Ok(Ok(addresses)) => addresses.collect(),
            Ok(Err(error)) => return Err(unresolved(host, &reason(&error))),
            Err(_) => return Err(unresolved(host, "the look-up timed out")),
        },
    };
    let family = route.family.or(route.source_ip.map(|ip| if ip.is_ipv4() { Family::V4 } else { Family::V6 }));
    let mut fitting: Vec<SocketAddr> =
        found.into_iter().filter(|address| family.is_none_or(|family| family.has(&address.ip()))).collect();
    let mut seen = std::collections::HashSet::new();
    fitting.retain(|address| seen.insert(*address));
    if fitting.is_empty() {
        let error = unresolved(host, "it has no address of the wanted family");
        return Err(error.hint("leave out `family`, or give a `source_ip` of the server's family"));
    }
    Ok(fitting)
}

fn unresolved(host: &str, why: &str) -> Error {
    Error::new(Kind::Unreachable, format!("the host `{host}` cannot be found"))
        .expected("an address to connect to")
        .got(why)
        .hint("look for a slip in the name, or give an address")
}

fn unreachable(target: &Target, tried: &[(String, String)]) -> Error {
    let got: Vec<_> = tried.iter().map(|(address, why)| format!("{address} {why}")).collect();
    let error = Error::new(Kind::Unreachable, format!("cannot connect to {target}"));
    error.expected("a connection").got(got.join(", ")).hint(next_step(tried))
}

/// What to try next, by what came of the addresses.
fn next_step(tried: &[(String, String)]) -> String {
    let any = |reason: &str| tried.iter().any(|(_, why)| why.contains(reason));
    if any("too many open files") {
        return no_descriptors();
    }
    let step = if any("cannot assign requested address") {
        "no local port is left for that address: fewer connections at once, or a `source_ip` of their own for some"
    } else if any("reset") {
        "the server resets connections at once: a ban or a limit on connections looks like this"
    } else if tried.iter().all(|(_, why)| why == "refused" || why == "not found") {
        "nothing listens there: start the server, or name another with --set"
    } else {
        "a firewall or a blocked port looks like this; try another port or a nearer host"
    };
    step.to_owned()
}

fn no_descriptors() -> String {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let number = |limit: Option<u64>| limit.map_or_else(|| "no end of".to_owned(), |limit| limit.to_string());
    let (now, most) = (number(limit.current), number(limit.maximum));
    format!(
        "this process may have {now} file descriptors, {most} if it asks, and has no more left: run fewer at once (-j), end \
         sessions that are done, or raise the limit (ulimit -n)"
    )
}
