//! The address of what is probed: `HOST[:PORTS]`, or a URL.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::proto::Speech;
use crate::target::{self, Target};

/// A host and its ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPorts {
    pub(crate) host: String,
    pub(crate) ports: Vec<Port>,
    /// Whether the ports were given, instead of the default ones.
    pub(crate) is_named: bool,
}

/// A port, and the URL scheme of its protocol, if that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) number: u16,
    pub(crate) scheme: Option<&'static str>,
}

/// The maximum number of ports. A probe is for mail servers; port scanners are other tools.
const MOST_PORTS: usize = 200;

impl Port {
    pub(crate) fn new(number: u16) -> Self {
        Self { number, scheme: target::scheme_of_port(number).map(|scheme| scheme.name) }
    }

    /// The protocol that the port number implies, and whether the connection begins with TLS.
    pub(super) fn speech(self) -> Option<(Speech, bool)> {
        let scheme = self.scheme?;
        Some((target::speech(&format!("{scheme}://"))?, scheme.ends_with('s')))
    }
}

impl HostPorts {
    /// Parses `mail.example.com`, `mail.example.com:25,587,imaps`, `[::1]:25` or
    /// `smtp://localhost:2525`.
    ///
    /// # Errors
    /// Usage, for any other text.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        if is_udp(text) {
            return Err(target::udp_refused());
        }
        if text.contains("://") {
            return Self::of_url(text);
        }
        let (host, ports) = split(text);
        let is_host = |c: char| !c.is_whitespace() && !"/?#".contains(c);
        // In `user:password@host`, nothing is a port.
        if host.is_empty() || !host.chars().all(is_host) || text.contains('@') {
            let error = Error::usage(format!("`{text}` names no host"));
            return Err(
                error.hint("name it as mail.example.com, mail.example.com:25,587 or [::1]:25")
            );
        }
        let host = host.to_owned();
        let Some(ports) = ports else {
            // All ports that are registered for mail, in their order.
            let usual: BTreeSet<_> = target::schemes().filter_map(|scheme| scheme.port).collect();
            let ports = usual.into_iter().map(Port::new).collect();
            return Ok(Self { host, ports, is_named: false });
        };
        Ok(Self { host, ports: self::ports(ports)?, is_named: true })
    }

    fn of_url(url: &str) -> Result<Self> {
        let target = Target::parse(url)?;
        match target.endpoint {
            target::Endpoint::Host { host, port } => {
                let speaks = target.scheme.speech != Speech::Stream;
                let scheme = speaks.then_some(target.scheme.name);
                let ports = vec![Port { number: port, scheme }];
                Ok(Self { host, ports, is_named: true })
            }
            target::Endpoint::Exchangers { domain, .. } => {
                let error = Error::usage("a domain has several exchangers, each a host of its own");
                Err(error.hint(format!("mailexpect doctor {domain} looks at all of them")))
            }
            target::Endpoint::Unix(_) => Err(Error::usage("a unix socket has no ports to probe")
                .hint("mailexpect run looks at what speaks there")),
        }
    }

    /// The URL of a port.
    pub(crate) fn url(&self, scheme: &str, port: u16) -> String {
        url(&self.host, scheme, port)
    }

    /// Adds ports that are not in the list yet.
    pub(crate) fn add(&mut self, ports: impl IntoIterator<Item = u16>) {
        for number in ports {
            if !self.ports.iter().any(|port| port.number == number) {
                self.ports.push(Port::new(number));
            }
        }
    }
}

/// The URL of a port of a host.
pub(super) fn url(host: &str, scheme: &str, port: u16) -> String {
    let is_v6 = host.contains(':');
    let (open, close) = if is_v6 { ("[", "]") } else { ("", "") };
    format!("{scheme}://{open}{host}{close}:{port}")
}

/// Splits text into host and ports. A bare IPv6 address contains colons itself.
fn split(text: &str) -> (&str, Option<&str>) {
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return (text, None);
    }
    match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, ports)) => (host, ports.strip_prefix(':')),
        None => text.split_once(':').map_or((text, None), |(host, ports)| (host, Some(ports))),
    }
}

/// Parses a list of ports: numbers, ranges and the names of mail services.
///
/// # Errors
/// Usage, for any other item, and for too many ports.
pub(crate) fn ports(list: &str) -> Result<Vec<Port>> {
    let mut found: Vec<Port> = Vec::new();
    for item in list.split(',') {
        for port in self::item(item.trim())? {
            if !found.iter().any(|known| known.number == port.number) {
                found.push(port);
            }
            if found.len() > MOST_PORTS {
                let message = format!("more than {MOST_PORTS} ports are no mail ports");
                return Err(Error::usage(message).hint("nmap scans hosts for ports"));
            }
        }
    }
    Ok(found)
}

fn item(item: &str) -> Result<Vec<Port>> {
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    if let Some(port) = number(item) {
        return Ok(vec![Port::new(port)]);
    }
    if let Some((from, to)) = item.split_once('-')
        && let (Some(from), Some(to)) = (number(from), number(to))
        && from <= to
    {
        return Ok((from..=to).take(MOST_PORTS + 1).map(Port::new).collect());
    }
    let named = target::schemes().find(|scheme| scheme.name.eq_ignore_ascii_case(item));
    let port = named.and_then(|scheme| scheme.port.or(scheme.suggested_by.first().copied()));
    port.map(|port| vec![Port::new(port)]).ok_or_else(|| {
        Error::usage(format!("`{item}` is no port"))
            .hint("a port is a number from 1 to 65535, a range as 25-26, or a name as imaps")
    })
}

/// Whether the text asks for UDP.
pub(crate) fn is_udp(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.starts_with("udp:") || text.ends_with("/udp")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, Vec<u16>) {
        let parsed = HostPorts::parse(text).unwrap();
        (parsed.host, parsed.ports.iter().map(|port| port.number).collect())
    }

    #[test]
    fn a_host_has_the_ports_that_are_named_or_those_of_mail() {
        let usual = vec![25, 110, 143, 465, 587, 993, 995, 4190];
        assert_eq!(read("mail.example.com"), ("mail.example.com".into(), usual.clone()));
        assert_eq!(read("::1"), ("::1".into(), usual.clone()));
        assert_eq!(read("[::1]"), ("::1".into(), usual));
        assert_eq!(read("[::1]:25,587"), ("::1".into(), vec![25, 587]));
        assert_eq!(read("h:smtp,IMAPS,24-26,25"), ("h".into(), vec![25, 993, 24, 26]));
        assert_eq!(read("imap://h:1143"), ("h".into(), vec![1143]));
        assert_eq!(HostPorts::parse("imap://h:1143").unwrap().ports[0].scheme, Some("imap"));
        assert_eq!(HostPorts::parse("h:2525").unwrap().ports[0].scheme, Some("smtp"));
    }

    #[test]
    fn an_address_that_cannot_be_probed_says_why() {
        for (text, why) in [
            ("h:0", "no port"),
            ("h:25,", "no port"),
            ("h:70000", "no port"),
            ("h:1-65535", "no mail ports"),
            (":25", "names no host"),
            ("h:25/udp", "proves nothing"),
            ("udp://h:25", "proves nothing"),
            ("mx://example.com", "each a host of its own"),
            ("smtp+unix:///run/x", "no ports"),
        ] {
            let error = HostPorts::parse(text).unwrap_err();
            assert!(error.is_usage() && error.message().contains(why), "{text}: {error}");
        }
    }
}
