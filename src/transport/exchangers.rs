//! The mail exchangers of a domain (RFC 5321 section 5.1).

use std::net::{IpAddr, SocketAddr};

#[cfg(any(feature = "dns", test))]
use crate::error::Kind;
use crate::error::{Error, Result};

/// The error for a domain that announces that it takes no mail.
#[cfg(any(feature = "dns", feature = "cli", test))]
pub(crate) const NULL_MX: &str = "a null MX: the domain says that it accepts no mail (RFC 7505)";

/// A host that takes mail for a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exchanger {
    pub(super) preference: u16,
    pub(super) host: String,
}

/// Looks up the exchangers of a domain, the preferred first. A domain without exchangers but with
/// addresses is its own exchanger. A look-up that fails is an error, because it does not show
/// whether there are exchangers.
#[cfg(feature = "dns")]
pub(super) async fn exchangers(
    domain: &str,
    nameserver: Option<SocketAddr>,
) -> Result<Vec<Exchanger>> {
    use hickory_resolver::proto::op::ResponseCode;
    use hickory_resolver::proto::rr::RData;

    let resolver = resolver(nameserver).map_err(|error| failed(domain, &error.to_string()))?;
    let found = match resolver.mx_lookup(absolute(domain)).await {
        Ok(found) => found,
        Err(error) => {
            return match answered(&error) {
                Some(ResponseCode::NXDomain) => Err(failed(domain, "there is no such domain")),
                Some(ResponseCode::NoError) => of_its_own(&resolver, domain).await,
                Some(code) => {
                    let number = u16::from(code);
                    let why = format!("the name server answered with error {number} ({code})");
                    Err(failed(domain, &why).hint("the name server, or the zone, is at fault"))
                }
                None => Err(failed(domain, &error.to_string())),
            };
        }
    };
    let exchangers = found.answers().iter().filter_map(|record| match &record.data {
        RData::MX(mx) => {
            Some(Exchanger { preference: mx.preference, host: relative(&mx.exchange.to_ascii()) })
        }
        _ => None,
    });
    let exchangers: Vec<_> = exchangers.collect();
    if exchangers.is_empty() {
        return of_its_own(&resolver, domain).await;
    }
    in_order(domain, exchangers)
}

/// The response code of an answer that lacks the requested records; `None` if there was no answer.
#[cfg(feature = "dns")]
fn answered(
    error: &hickory_resolver::net::NetError,
) -> Option<hickory_resolver::proto::op::ResponseCode> {
    use hickory_resolver::net::{DnsError, NetError};

    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => Some(none.response_code),
        NetError::Dns(DnsError::ResponseCode(code)) => Some(*code),
        _ => None,
    }
}

/// Returns the domain as its own exchanger, unless it is an alias that leads nowhere.
#[cfg(feature = "dns")]
async fn of_its_own(
    resolver: &hickory_resolver::TokioResolver,
    domain: &str,
) -> Result<Vec<Exchanger>> {
    use hickory_resolver::proto::rr::{RData, RecordType};

    /// The longest chain of aliases that is followed; a longer chain is a mistake in the zone.
    const MOST: usize = 8;
    let mut names = vec![absolute(domain).to_lowercase()];
    while let Ok(found) = resolver.lookup(names[names.len() - 1].as_str(), RecordType::CNAME).await
    {
        let alias = found.answers().iter().find_map(|record| match &record.data {
            RData::CNAME(alias) => Some(absolute(&alias.to_ascii()).to_lowercase()),
            _ => None,
        });
        let Some(alias) = alias else { break };
        let is_circle = names.contains(&alias);
        names.push(alias);
        if is_circle || names.len() > MOST {
            let how = if is_circle { "lead in a circle" } else { "lead too far" };
            let names: Vec<_> = names.iter().map(|name| relative(name)).collect();
            let why = format!("its aliases (CNAME) {how}: {}", names.join(", "));
            return Err(failed(domain, &why).hint("the zone is at fault"));
        }
    }
    Ok(vec![Exchanger { preference: 0, host: domain.to_owned() }])
}

#[cfg(not(feature = "dns"))]
#[allow(clippy::unused_async, reason = "the other one waits")]
pub(super) async fn exchangers(domain: &str, _: Option<SocketAddr>) -> Result<Vec<Exchanger>> {
    let error = Error::usage(format!(
        "this build cannot look up mail exchangers, such as those of {domain}"
    ));
    Err(error.hint("build with the feature `dns`, or connect to a host by smtp://"))
}

/// Returns the addresses that a name server has for a name, those of IPv6 first; the error says why
/// there are none.
#[cfg(feature = "dns")]
pub(super) async fn addresses_of(
    host: &str,
    nameserver: SocketAddr,
) -> std::result::Result<Vec<IpAddr>, String> {
    use hickory_resolver::proto::op::ResponseCode;

    let resolver = resolver(Some(nameserver)).map_err(|error| error.to_string())?;
    match resolver.lookup_ip(absolute(host)).await {
        Ok(found) => Ok(found.iter().collect()),
        Err(error) => Err(match answered(&error) {
            Some(ResponseCode::NXDomain) => "there is no such name".to_owned(),
            Some(ResponseCode::NoError) => "the name has no address".to_owned(),
            Some(code) => {
                format!("the name server answered with error {} ({code})", u16::from(code))
            }
            None => error.to_string(),
        }),
    }
}

#[cfg(not(feature = "dns"))]
#[allow(clippy::unused_async, reason = "the other one waits")]
pub(super) async fn addresses_of(
    _: &str,
    _: SocketAddr,
) -> std::result::Result<Vec<IpAddr>, String> {
    Err("a name server can be asked only by a build with the feature `dns`".to_owned())
}

/// Creates a resolver that asks one name server, or those of the system. It caches nothing, so that
/// every run sees the current records.
#[cfg(feature = "dns")]
fn resolver(
    nameserver: Option<SocketAddr>,
) -> std::result::Result<hickory_resolver::TokioResolver, hickory_resolver::net::NetError> {
    use hickory_resolver::config::{
        LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
    };
    use hickory_resolver::net::runtime::TokioRuntimeProvider;

    let mut builder = match nameserver {
        None => hickory_resolver::TokioResolver::builder_tokio()?,
        Some(address) => {
            let mut server = NameServerConfig::udp_and_tcp(address.ip());
            for connection in &mut server.connections {
                connection.port = address.port();
            }
            let config = ResolverConfig::from_name_servers(vec![server]);
            hickory_resolver::TokioResolver::builder_with_config(
                config,
                TokioRuntimeProvider::default(),
            )
        }
    };
    let options = builder.options_mut();
    options.cache_size = 0;
    options.ip_strategy = LookupIpStrategy::Ipv6AndIpv4;
    if nameserver.is_some() {
        // The name server was given to answer all look-ups, so the hosts file is not read.
        options.use_hosts_file = ResolveHosts::Never;
    }
    builder.build()
}

/// The name with a final dot, so that no search domain is appended.
#[cfg(feature = "dns")]
fn absolute(domain: &str) -> String {
    if domain.ends_with('.') { domain.to_owned() } else { format!("{domain}.") }
}

#[cfg(feature = "dns")]
fn relative(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_owned()
}

/// Sorts by preference, and by name among equal preferences, so that each run of a script connects
/// to the same host.
#[cfg(any(feature = "dns", test))]
fn in_order(domain: &str, mut exchangers: Vec<Exchanger>) -> Result<Vec<Exchanger>> {
    if exchangers.len() == 1 && exchangers[0].host.is_empty() {
        let error = failed(domain, NULL_MX);
        return Err(error.hint("connect to one of its hosts by smtp://host to try anyway"));
    }
    exchangers.sort_by(|a, b| (a.preference, &a.host).cmp(&(b.preference, &b.host)));
    Ok(exchangers)
}

#[cfg(any(feature = "dns", test))]
fn failed(domain: &str, why: &str) -> Error {
    let error =
        Error::new(Kind::Unresolved, format!("the mail exchangers of `{domain}` cannot be found"));
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
        let hosts: Vec<_> =
            in_order("d", found).unwrap().into_iter().map(|exchanger| exchanger.host).collect();
        assert_eq!(hosts, ["a", "b", "c"]);
    }

    #[test]
    fn a_null_mx_says_that_the_domain_takes_no_mail() {
        let error = in_order("d", vec![exchanger(0, "")]).unwrap_err();
        assert!(error.is_unreachable() && error.got().unwrap().contains("RFC 7505"), "{error}");
    }
}
