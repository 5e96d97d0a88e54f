//! The mail exchangers of a domain (RFC 5321 section 5.1).

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
#[cfg(feature = "cli")]
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::resolve::AT_FAULT;
#[cfg(feature = "cli")]
use super::route::Route;
use crate::error::{Error, Kind, Result};

/// Why no mail can be sent to a domain with a null MX.
pub(crate) const NULL_MX: &str = "a null MX: the domain says that it accepts no mail (RFC 7505)";

/// Why an exchanger that is written as an address is passed over.
const ADDRESS: &str = "an address, and an MX record has to name a host (RFC 5321, 5.1)";

/// A host that takes mail for a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exchanger {
    pub(crate) preference: u16,
    pub(crate) host: String,
}

impl Exchanger {
    /// Whether the record has an address in the place of a name. Senders look it up as a name, and
    /// find nothing.
    pub(crate) fn is_address(&self) -> bool {
        let host = &self.host;
        let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        inside.unwrap_or(host).trim_start_matches("IPv6:").parse::<IpAddr>().is_ok()
    }
}

/// The hosts that take mail for a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exchangers {
    /// The hosts, the preferred first; empty if the domain takes no mail.
    pub(crate) hosts: Vec<Exchanger>,
    /// Whether MX records name the hosts. A domain without MX records is its own exchanger.
    pub(crate) are_listed: bool,
    /// Whether there is a null MX, which is no host. Beside hosts it is a mistake (RFC 7505 section
    /// 3), and means nothing.
    pub(crate) has_null: bool,
}

impl Exchangers {
    /// A domain without MX records.
    pub(crate) fn of_its_own(domain: &str) -> Self {
        let own = Exchanger { preference: 0, host: domain.to_owned() };
        Self { hosts: vec![own], are_listed: false, has_null: false }
    }

    /// The hosts with each name once, by its first record. Names have no case (RFC 4343).
    pub(crate) fn distinct(self) -> Vec<Exchanger> {
        let mut seen = HashSet::new();
        let mut hosts = self.hosts;
        hosts.retain(|exchanger| seen.insert(exchanger.host.to_ascii_lowercase()));
        hosts
    }

    /// Sorts by preference, and by name among equal preferences, so that each run of a script
    /// connects to the same host.
    #[cfg(any(feature = "dns", test))]
    fn listed(mut hosts: Vec<Exchanger>) -> Self {
        let all = hosts.len();
        // The name of a null MX is the root, which has no name.
        hosts.retain(|exchanger| !exchanger.host.is_empty());
        let has_null = hosts.len() < all;
        hosts.sort_by(|a, b| (a.preference, &a.host).cmp(&(b.preference, &b.host)));
        hosts.dedup();
        Self { hosts, are_listed: true, has_null }
    }

    /// The hosts as a transcript shows them.
    pub(super) fn shown(&self) -> String {
        if !self.are_listed {
            return "none, so the domain is its own exchanger".to_owned();
        }
        let hosts = self.hosts.iter();
        let mut shown: Vec<_> =
            hosts.map(|exchanger| format!("{} {}", exchanger.preference, exchanger.host)).collect();
        if self.has_null {
            shown.push("a null MX, which may not stand beside others (RFC 7505)".to_owned());
        }
        shown.join(", ")
    }
}

/// Returns the mail exchangers of a domain.
#[cfg(feature = "cli")]
pub(crate) async fn exchangers_of(
    domain: &str,
    route: &Route,
    allowed: Duration,
) -> Result<Exchangers> {
    exchangers(domain, route.nameserver, Instant::now() + allowed).await
}

/// Looks up the exchangers of a domain. A look-up that fails is an error, because it does not show
/// whether there are exchangers.
pub(super) async fn exchangers(
    domain: &str,
    nameserver: Option<SocketAddr>,
    deadline: Instant,
) -> Result<Exchangers> {
    match timeout_at(deadline, look_up(domain, nameserver)).await {
        Ok(found) => found,
        Err(_) => Err(failed(domain, "the look-up of its mail exchangers timed out")),
    }
}

#[cfg(feature = "dns")]
async fn look_up(domain: &str, nameserver: Option<SocketAddr>) -> Result<Exchangers> {
    use hickory_resolver::proto::rr::{RData, RecordType};

    use super::dns::{Answer, Resolver, relative};

    let failed = |why: String| failed(domain, &why);
    let resolver = Resolver::new(nameserver).map_err(failed)?;
    match resolver.ask(domain, RecordType::MX).await.map_err(failed)? {
        Answer::Records(records) => {
            let hosts = records.iter().filter_map(|data| match data {
                RData::MX(mx) => {
                    Some(Exchanger { preference: mx.preference, host: relative(&mx.exchange) })
                }
                _ => None,
            });
            Ok(Exchangers::listed(hosts.collect()))
        }
        Answer::NoRecords => Ok(Exchangers::of_its_own(domain)),
        Answer::NoName(why) => {
            Err(absent(domain, why.as_deref().unwrap_or("there is no such domain")))
        }
    }
}

#[cfg(not(feature = "dns"))]
#[allow(clippy::unused_async, reason = "the other one waits")]
async fn look_up(domain: &str, _: Option<SocketAddr>) -> Result<Exchangers> {
    let error = Error::usage(format!(
        "this build cannot look up mail exchangers, such as those of {domain}"
    ));
    Err(error.hint("build with the feature `dns`, or connect to a host by smtp://"))
}

/// The error for a domain that announces that it takes no mail.
pub(super) fn null(domain: &str) -> Error {
    absent(domain, NULL_MX).hint("connect to one of its hosts by smtp://host to try anyway")
}

/// The error for an MX record with an address.
pub(super) fn address(host: &str) -> Error {
    let error = Error::new(Kind::Unresolved, format!("the mail exchanger `{host}` is no host"));
    error.with_expected("the name of a host").with_got(ADDRESS)
}

fn absent(domain: &str, why: &str) -> Error {
    unknown(Kind::Unresolved, domain, why)
}

fn failed(domain: &str, why: &str) -> Error {
    unknown(Kind::Lookup, domain, why).hint(AT_FAULT)
}

fn unknown(kind: Kind, domain: &str, why: &str) -> Error {
    let error = Error::new(kind, format!("the mail exchangers of `{domain}` cannot be found"));
    error.with_expected("an MX record, or an address (RFC 5321, 5.1)").with_got(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchanger(preference: u16, host: &str) -> Exchanger {
        Exchanger { preference, host: host.to_owned() }
    }

    #[test]
    fn exchangers_are_tried_by_preference() {
        let found = vec![exchanger(20, "c"), exchanger(10, "b"), exchanger(10, "a")];
        assert_eq!(Exchangers::listed(found).shown(), "10 a, 10 b, 20 c");
    }

    #[test]
    fn a_host_with_several_records_is_one_host() {
        let found =
            vec![exchanger(20, "A.example"), exchanger(30, "b"), exchanger(10, "a.example")];
        let found = Exchangers::listed(found);
        assert_eq!(found.shown(), "10 a.example, 20 A.example, 30 b");
        assert_eq!(found.distinct(), [exchanger(10, "a.example"), exchanger(30, "b")]);
    }

    #[test]
    fn an_address_is_told_from_a_name() {
        for (host, is_address) in [
            ("192.0.2.1", true),
            ("2001:db8::1", true),
            ("[192.0.2.1]", true),
            ("[IPv6:2001:db8::1]", true),
            ("192.0.2.1.example", false),
            ("1", false),
            ("mx.example.com", false),
        ] {
            assert_eq!(exchanger(10, host).is_address(), is_address, "{host}");
        }
    }

    #[test]
    fn a_null_mx_is_no_host_whether_it_is_alone_or_not() {
        for nulls in [vec![exchanger(0, "")], vec![exchanger(0, ""), exchanger(10, "")]] {
            let found = Exchangers::listed(nulls);
            assert!(found.hosts.is_empty() && found.has_null && found.are_listed, "{found:?}");
        }
        let error = null("d");
        assert!(error.is_unreachable() && error.got().unwrap().contains("RFC 7505"), "{error}");
        let beside = Exchangers::listed(vec![exchanger(0, ""), exchanger(10, "a")]);
        assert_eq!(beside.hosts, [exchanger(10, "a")]);
        assert!(beside.shown().starts_with("10 a, a null MX"), "{}", beside.shown());
    }
}
