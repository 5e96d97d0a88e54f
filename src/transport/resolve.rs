//! Names to addresses: what is pinned, what a name server says, or what the system knows.

use std::net::{IpAddr, SocketAddr};
#[cfg(feature = "script")]
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::{Instant, timeout_at};

use super::exchangers::addresses_of;
#[cfg(feature = "cli")]
use super::exchangers::exchangers;
use super::reason;
use super::route::{Family, Route};
use crate::error::{Error, Kind, Result};
#[cfg(feature = "script")]
use crate::target::Endpoint;

/// Returns the mail exchangers of a domain, each with its preference.
#[cfg(feature = "cli")]
pub(crate) async fn exchangers_of(
    domain: &str,
    route: &Route,
    allowed: Duration,
) -> Result<Vec<(u16, String)>> {
    let found = timeout_at(Instant::now() + allowed, exchangers(domain, route.nameserver)).await;
    let found =
        found.map_err(|_| unresolved(domain, "the look-up of its mail exchangers timed out"))??;
    Ok(found.into_iter().map(|exchanger| (exchanger.preference, exchanger.host)).collect())
}

/// Returns the addresses of a host in the order in which a connection would try them.
#[cfg(feature = "script")]
pub(crate) async fn addresses(host: &str, route: &Route, allowed: Duration) -> Result<Vec<IpAddr>> {
    /// Nothing is connected to, so the port does not matter.
    const PORT: u16 = 25;
    route.check(&Endpoint::Host { host: host.to_owned(), port: PORT })?;
    let found = resolve(host, PORT, route, Instant::now() + allowed).await?;
    Ok(found.into_iter().map(|address| address.ip()).collect())
}

pub(super) async fn resolve(
    host: &str,
    port: u16,
    route: &Route,
    deadline: Instant,
) -> Result<Vec<SocketAddr>> {
    let pinned: Vec<_> = route
        .pinned
        .iter()
        .filter(|(name, _)| dotless(name).eq_ignore_ascii_case(dotless(host)))
        .map(|(_, ip)| *ip)
        .collect();
    let found: Vec<_> = match host.parse::<IpAddr>() {
        _ if !pinned.is_empty() => pinned.into_iter().map(|ip| SocketAddr::new(ip, port)).collect(),
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => match timeout_at(deadline, look_up(host, port, route.nameserver)).await {
            Ok(found) => found?,
            Err(_) => return Err(unresolved(host, "the look-up timed out")),
        },
    };
    let family = route
        .family
        .or(route.source_ip.map(|ip| if ip.is_ipv4() { Family::V4 } else { Family::V6 }));
    let mut fitting: Vec<SocketAddr> = found
        .into_iter()
        .filter(|address| family.is_none_or(|family| family.has(&address.ip())))
        .collect();
    let mut seen = std::collections::HashSet::new();
    fitting.retain(|address| seen.insert(*address));
    if fitting.is_empty() {
        let error = unresolved(host, "it has no address of the wanted family");
        return Err(error.hint("leave out `family`, or give a `source_ip` of the server's family"));
    }
    Ok(fitting)
}

/// A name without the dot of the root at its end.
fn dotless(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// Looks up the addresses of a name. If a name server was given, it is asked for all names except
/// those of this machine (RFC 6761 section 6.3); otherwise the system looks the name up.
async fn look_up(host: &str, port: u16, nameserver: Option<SocketAddr>) -> Result<Vec<SocketAddr>> {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let is_local = name == "localhost" || name.ends_with(".localhost");
    match nameserver.filter(|_| !is_local) {
        Some(nameserver) => {
            let found =
                addresses_of(host, nameserver).await.map_err(|why| unresolved(host, &why))?;
            Ok(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
        }
        None => match lookup_host((host, port)).await {
            Ok(found) => Ok(found.collect()),
            Err(error) => Err(unresolved(host, &reason(&error))),
        },
    }
}

pub(super) fn unresolved(host: &str, why: &str) -> Error {
    Error::new(Kind::Unresolved, format!("the host `{host}` cannot be found"))
        .with_expected("an address to connect to")
        .with_got(why)
        .hint("look for a slip in the name, or give an address")
}
