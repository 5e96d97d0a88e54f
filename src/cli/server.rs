//! A server as the user names it: a URL, a host, or a host and a port.

use crate::error::{Error, Result};
use crate::target::Target;
use crate::visible;

/// The schemes of well-known ports.
const PORTS: [(u16, &str); 12] = [
    (24, "lmtp"),
    (25, "smtp"),
    (26, "smtp"),
    (110, "pop3"),
    (143, "imap"),
    (465, "submissions"),
    (587, "submission"),
    (993, "imaps"),
    (995, "pop3s"),
    (2000, "sieve"),
    (2525, "smtp"),
    (4190, "sieve"),
];
/// What servers that may not listen below 1024 add to a port, by custom: `MailHog` 1000,
/// `GreenMail` 3000, containers 10000. Other ports tell nothing about the protocol, and neither do
/// their last digits, because a test server on a free port may get any number.
const ADDED: [u16; 4] = [1000, 2000, 3000, 10_000];

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

fn scheme_of(port: u16, other: &str) -> &str {
    let scheme = |port| PORTS.iter().find(|(known, _)| *known == port).map(|(_, scheme)| *scheme);
    let moved = || {
        let usual = ADDED.iter().filter_map(|added| port.checked_sub(*added));
        // Ports 24 and 26 do not count: any program may be given 1024 or 1026, and amavis speaks
        // SMTP at 10024.
        usual.filter(|usual| (25..1000).contains(usual) && *usual != 26).find_map(scheme)
    };
    scheme(port).or_else(moved).unwrap_or(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The system may give any of these ports to a program that asks for a free one.
    #[test]
    fn a_free_port_says_nothing_however_it_ends() {
        for port in 20_000..=u16::MAX {
            assert_eq!(scheme_of(port, "tcp"), "tcp", "{port}");
        }
    }

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
