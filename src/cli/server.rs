//! A server as the user names it: a URL, a host, or a host and a port.

use crate::error::{Error, Result};
use crate::target::{Target, likely_scheme};
use crate::visible;

/// The URL of a server. If it has no scheme, the port decides: `smtp` without a port, and `other`
/// for a port that is not known. A path is a unix socket.
///
/// # Errors
/// Usage for a text that names no server.
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
        let scheme =
            own.map_or("smtp", |port| likely_scheme(port).map_or(other, |scheme| scheme.name));
        format!("{scheme}://{host}")
    };
    Target::parse(&url).map_err(|_| {
        let shown = visible::escape(named.as_bytes());
        Error::usage(format!("`{shown}` is no server"))
            .hint("name it as smtp://localhost:2525, mail.example.com, localhost:2525 or [::1]:25")
    })?;
    Ok(url)
}

/// Puts an IPv6 address in brackets, so that its colons are not taken for the one before a port.
pub(super) fn bracketed(host: &str) -> String {
    match host.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => host.to_owned(),
    }
}

/// The port of `HOST:PORT`. An IPv6 address must have brackets.
pub(super) fn port_of(host: &str) -> Option<u16> {
    host.rsplit_once(':')
        .filter(|(_, port)| !port.contains(']'))
        .and_then(|(_, port)| port.parse().ok())
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
            ("localhost", Some(1025), "smtp://localhost:1025"),
            ("localhost", Some(10_993), "imaps://localhost:10993"),
            ("localhost", Some(8080), "tcp://localhost:8080"),
            ("localhost", Some(8025), "tcp://localhost:8025"),
            ("localhost", Some(10_024), "tcp://localhost:10024"),
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
