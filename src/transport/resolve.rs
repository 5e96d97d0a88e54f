//! Names to addresses: what is pinned, what a name server says, or what the system knows.

use std::io;
use std::net::{IpAddr, SocketAddr};
#[cfg(feature = "script")]
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::{Instant, timeout_at};

use super::reason;
use super::route::{Family, Route};
use crate::error::{Error, Kind, Result};
#[cfg(feature = "script")]
use crate::target::Endpoint;

/// The hint about a look-up that failed.
pub(super) const AT_FAULT: &str =
    "this does not show whether the name exists: the name server, or the zone, is at fault";

/// The addresses of a host.
#[derive(Debug)]
pub(super) struct Addresses {
    /// The addresses in the order in which they are tried; at least one.
    pub(super) found: Vec<SocketAddr>,
    /// The look-up that failed beside another one that found addresses: the type of record, and why
    /// it failed.
    pub(super) failed: Option<(&'static str, String)>,
}

/// Returns the addresses of a host in the order in which a connection would try them.
#[cfg(feature = "script")]
pub(crate) async fn addresses(host: &str, route: &Route, allowed: Duration) -> Result<Vec<IpAddr>> {
    /// Nothing is connected to, so the port does not matter.
    const PORT: u16 = 25;
    route.check(&Endpoint::Host { host: host.to_owned(), port: PORT })?;
    let addresses = resolve(host, PORT, route, Instant::now() + allowed).await?;
    Ok(addresses.found.into_iter().map(|address| address.ip()).collect())
}

pub(super) async fn resolve(
    host: &str,
    port: u16,
    route: &Route,
    deadline: Instant,
) -> Result<Addresses> {
    let pinned: Vec<_> = route
        .pinned
        .iter()
        .filter(|(name, _)| dotless(name).eq_ignore_ascii_case(dotless(host)))
        .map(|(_, ip)| SocketAddr::new(*ip, port))
        .collect();
    let known = |found| Addresses { found, failed: None };
    let family = route
        .family
        .or(route.source_ip.map(|ip| if ip.is_ipv4() { Family::V4 } else { Family::V6 }));
    let mut addresses = match host.parse::<IpAddr>() {
        _ if !pinned.is_empty() => known(pinned),
        Ok(ip) => known(vec![SocketAddr::new(ip, port)]),
        Err(_) => {
            let looked_up = look_up(host, port, (route.nameserver, family), deadline);
            let found = timeout_at(deadline, looked_up).await;
            found.unwrap_or_else(|_| Err(failed(host, "the look-up timed out")))?
        }
    };
    addresses.found.retain(|address| family.is_none_or(|family| family.has(&address.ip())));
    let mut seen = std::collections::HashSet::new();
    addresses.found.retain(|address| seen.insert(*address));
    if addresses.found.is_empty() {
        let error = unresolved(host, "it has no address of the wanted family");
        return Err(error.hint("leave out `family`, or give a `source_ip` of the server's family"));
    }
    Ok(addresses)
}

/// A name without the dot of the root at its end.
fn dotless(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// Looks up the addresses of a name. If a name server was given, it is asked for all names except
/// those of this machine (RFC 6761 section 6.3); otherwise the system looks the name up. The
/// addresses may be none if a family is wanted.
async fn look_up(
    host: &str,
    port: u16,
    (nameserver, family): (Option<SocketAddr>, Option<Family>),
    deadline: Instant,
) -> Result<Addresses> {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let is_in = |domain: &str| {
        name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if is_in("invalid") {
        // Some systems ask name servers for such a name, although none exists (RFC 6761, 6.4).
        return Err(unresolved(host, "there is no such name"));
    }
    if let Some(nameserver) = nameserver.filter(|_| !is_in("localhost")) {
        return of_nameserver(host, port, (nameserver, family), deadline).await;
    }
    match lookup_host((host, port)).await {
        Ok(found) => Ok(Addresses { found: found.collect(), failed: None }),
        Err(error) => Err(of_system(host, &error)),
    }
}

/// The error for a look-up by the system, which tells only in words whether the name has no address
/// or the look-up failed.
fn of_system(host: &str, error: &io::Error) -> Error {
    /// What glibc, musl and macOS say about a name that does not exist or has no address.
    const ABSENT: [&str; 6] = [
        "not known",
        "does not resolve",
        "no address associated",
        "no usable address",
        "address family for hostname not supported",
        "no data of requested type",
    ];
    let why = reason(error);
    let is_absent = error.kind() == io::ErrorKind::InvalidInput
        || ABSENT.iter().any(|words| why.contains(words));
    if is_absent { unresolved(host, &why) } else { failed(host, &why) }
}

/// Asks a name server for the addresses of a name, those of IPv6 first.
#[cfg(feature = "dns")]
async fn of_nameserver(
    host: &str,
    port: u16,
    (nameserver, family): (SocketAddr, Option<Family>),
    deadline: Instant,
) -> Result<Addresses> {
    use hickory_resolver::proto::rr::{RData, RecordType};

    use super::dns::{Answer, Resolver, both};

    let resolver = Resolver::new(Some(nameserver)).map_err(|why| failed(host, &why))?;
    let ask = async |asked: Family, kind| match family {
        Some(family) if family != asked => Ok(Answer::NoRecords),
        _ => resolver.ask(host, kind).await,
    };
    let (six, four) =
        both(ask(Family::V6, RecordType::AAAA), ask(Family::V4, RecordType::A), deadline).await;
    let (mut found, mut failure, mut absent) = (Vec::new(), None, None);
    for (kind, answer) in [("AAAA", six), ("A", four)] {
        match answer {
            Ok(Answer::Records(records)) => {
                found.extend(records.iter().filter_map(RData::ip_addr));
            }
            Ok(Answer::NoRecords) => {}
            Ok(Answer::NoName(why)) => absent = Some(why),
            Err(why) => failure = Some((kind, why)),
        }
    }
    if !found.is_empty() {
        let found = found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
        return Ok(Addresses { found, failed: failure });
    }
    match (absent, failure) {
        (Some(why), _) => Err(unresolved(host, why.as_deref().unwrap_or("there is no such name"))),
        (None, Some((_, why))) => Err(failed(host, &why)),
        (None, None) if family.is_some() => Ok(Addresses { found: Vec::new(), failed: None }),
        (None, None) => Err(unresolved(host, "the name has no address")),
    }
}

#[cfg(not(feature = "dns"))]
#[allow(clippy::unused_async, reason = "the other one waits")]
async fn of_nameserver(
    _: &str,
    _: u16,
    _: (SocketAddr, Option<Family>),
    _: Instant,
) -> Result<Addresses> {
    let error = Error::usage("this build asks no name server");
    Err(error.hint("build with the feature `dns`, or let the system look names up"))
}

/// The error for a name that has no address.
fn unresolved(host: &str, why: &str) -> Error {
    unknown(Kind::Unresolved, host, why).hint("look for a slip in the name, or give an address")
}

/// The error for a look-up that failed.
fn failed(host: &str, why: &str) -> Error {
    unknown(Kind::Lookup, host, why).hint(AT_FAULT)
}

fn unknown(kind: Kind, host: &str, why: &str) -> Error {
    Error::new(kind, format!("the host `{host}` cannot be found"))
        .with_expected("an address to connect to")
        .with_got(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_tells_no_address_from_a_failed_look_up() {
        for (said, kind) in [
            ("Name or service not known", Kind::Unresolved),
            ("No address associated with hostname", Kind::Unresolved),
            ("nodename nor servname provided, or not known", Kind::Unresolved),
            ("Name does not resolve", Kind::Unresolved),
            ("Temporary failure in name resolution", Kind::Lookup),
            ("Non-recoverable failure in name resolution", Kind::Lookup),
            ("Try again", Kind::Lookup),
        ] {
            let error = io::Error::other(format!("failed to lookup address information: {said}"));
            assert_eq!(of_system("mail.example", &error).kind(), kind, "{said}");
        }
    }
}
