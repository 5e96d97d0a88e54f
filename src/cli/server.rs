//! A server as a person names it: a URL, a host, a host and its port.

use crate::error::{Error, Result};
use crate::target::Target;
use crate::visible;

/// What is spoken at a port, by how its number ends: test servers listen at 2525 or 3143.
const PORTS: [(&str, &str); 10] = [
    ("25", "smtp"),
    ("465", "submissions"),
    ("587", "submission"),
    ("24", "lmtp"),
    ("110", "pop3"),
    ("995", "pop3s"),
    ("143", "imap"),
    ("993", "imaps"),
    ("4190", "sieve"),
    ("2000", "sieve"),
];

/// The URL of a server; the scheme is that of its port if it has none, and `other` for a port that
/// says nothing. A path is a unix socket.
///
/// # Errors
/// Usage for what is no server.
pub(super) fn url(named: &str, port: Option<u16>, other: &str) -> Result<String> {
    if named.contains("://") {
        if port.is_some() {
            let error = Error::usage("a port beside a URL, which has its own");
            return Err(error.hint("write it into the URL: smtp://localhost:2525"));
        }
        Target::parse(named)?;
        return Ok(named.to_owned());
    }
    let url = if named.starts_with('/') {
        format!("{other}+unix://{named}")
    } else {
        let host = bracketed(named);
        let host = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        let own = port.or_else(|| port_of(&host));
        let scheme = own.map_or("smtp", |port| scheme_of(port, other));
        format!("{scheme}://{host}")
    };
    Target::parse(&url).map_err(|_| {
        let shown = visible::escape(named.as_bytes());
        Error::usage(format!("`{shown}` is no server"))
            .hint("name it as smtp://localhost:2525, mail.example.com, localhost:2525 or [::1]:25")
    })?;
    Ok(url)
}

/// An IPv6 address gets the brackets that tell its colons from that of a port.
fn bracketed(host: &str) -> String {
    match host.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => host.to_owned(),
    }
}

fn port_of(host: &str) -> Option<u16> {
    host.rsplit_once(':')
        .filter(|(_, port)| !port.contains(']'))
        .and_then(|(_, port)| port.parse().ok())
}

fn scheme_of(port: u16, other: &str) -> &str {
    let port = port.to_string();
    let known = PORTS.iter().find(|(known, _)| *known == port);
    let like = || PORTS.iter().find(|(known, _)| port.ends_with(known));
    known.or_else(like).map_or(other, |(_, scheme)| scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_gets_the_scheme_of_its_port() {
        for (named, port, expected) in [
            ("mail.example.com", None, "smtp://mail.example.com"),
            ("mail.example.com", Some(25), "smtp://mail.example.com:25"),
            ("localhost:2525", None, "smtp://localhost:2525"),
            ("localhost", Some(3143), "imap://localhost:3143"),
            ("localhost", Some(465), "submissions://localhost:465"),
            ("localhost", Some(8080), "tcp://localhost:8080"),
            ("::1", Some(110), "pop3://[::1]:110"),
            ("::1", None, "smtp://[::1]"),
            ("[::1]:4190", None, "sieve://[::1]:4190"),
            ("imaps://localhost", None, "imaps://localhost"),
            ("/run/lmtp", None, "tcp+unix:///run/lmtp"),
        ] {
            assert_eq!(url(named, port, "tcp").unwrap(), expected);
        }
        for wrong in ["", "a b", "ftp://x", "localhost:0", "a/b"] {
            assert!(url(wrong, None, "tcp").is_err(), "{wrong}");
        }
        assert!(url("smtp://localhost", Some(25), "tcp").is_err());
    }
}
