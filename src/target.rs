//! The target of a dialogue: URLs such as `smtp://host:port`, split into parts.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::proto::{Scheme, Speech};
use crate::secrets;

/// A parsed URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) scheme: &'static Scheme,
    pub(crate) endpoint: Endpoint,
}

/// Where a target is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Host {
        host: String,
        port: u16,
    },
    /// The mail exchangers of a domain.
    Exchangers {
        domain: String,
        port: u16,
    },
    Unix(PathBuf),
}

/// Planned schemes that are not supported yet, so that the error can say so.
const TO_COME: &[&str] = &["sieves"];

/// By custom, servers that may not listen below 1024 add one of these to a port: `MailHog` 1000,
/// `GreenMail` 3000, containers 10000. Other ports tell nothing about the protocol, and neither do
/// their last digits, because a test server on a free port may get any number.
const ADDED: [u16; 4] = [1000, 2000, 3000, 10_000];

/// All supported schemes.
pub(crate) fn schemes() -> impl Iterator<Item = &'static Scheme> {
    Speech::ALL.into_iter().flat_map(|speech| speech.facts().schemes)
}

/// The error that explains why nothing is said over UDP.
pub(crate) fn udp_refused() -> Error {
    let message = "a UDP \"connection\" proves nothing: connect() sends no packet, so it succeeds even if nothing listens, as `nc -vu` does";
    Error::usage(message).hint("mail protocols use only TCP: leave UDP out")
}

pub(crate) fn scheme(name: &str) -> Result<&'static Scheme> {
    if name.eq_ignore_ascii_case("udp") {
        return Err(udp_refused());
    }
    let known = schemes().find(|scheme| scheme.name.eq_ignore_ascii_case(name));
    known.ok_or_else(|| {
        let error = Error::usage(format!("the scheme `{name}` is not known"));
        if TO_COME.contains(&name.to_ascii_lowercase().as_str()) {
            return error.hint(format!(
                "it is planned; until then tcp:// speaks to any port without knowing {name}"
            ));
        }
        let names: Vec<_> = schemes().map(|scheme| scheme.name).collect();
        error.hint(format!(
            "the schemes are {}; with a socket's path smtp+unix and its like",
            names.join(", ")
        ))
    })
}

/// The error text if a port is needed and none was given.
fn without_port(scheme: &Scheme) -> String {
    let mut text = "it needs a port".to_owned();
    if let [usual, ..] = scheme.suggested_by {
        let name = scheme.speech.facts().name;
        let _ = write!(text, "; {name} has none registered, and {usual} is customary");
    }
    text
}

/// The scheme of the protocol that is usual on a port.
pub(crate) fn scheme_of_port(port: u16) -> Option<&'static Scheme> {
    schemes().find(|scheme| scheme.suggested_by.contains(&port))
}

/// The scheme of the protocol that is usual on a port, or on the port that a server without
/// privileges has in its place.
pub(crate) fn likely_scheme(port: u16) -> Option<&'static Scheme> {
    let moved = || {
        let usual = ADDED.iter().filter_map(|added| port.checked_sub(*added));
        // Ports 24 and 26 do not count: any program may be given 1024 or 1026, and amavis speaks
        // SMTP at 10024.
        usual.filter(|usual| (25..1000).contains(usual) && *usual != 26).find_map(scheme_of_port)
    };
    scheme_of_port(port).or_else(moved)
}

/// The longest URL, in bytes, with the longest path of a file. Transcripts repeat it.
const LONGEST: usize = 8 << 10;

impl Target {
    /// Parses `scheme://host[:port]`, `scheme://[v6]:port` or `scheme+unix:///path`.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        if url.len() > LONGEST {
            return Err(unreadable(url, &format!("it has more than {LONGEST} bytes")));
        }
        let (scheme, rest) =
            url.split_once("://").ok_or_else(|| unreadable(url, "it has no scheme"))?;
        if let Some(scheme) = scheme.strip_suffix("+unix") {
            let scheme = self::scheme(scheme)?;
            if !rest.starts_with('/') {
                return Err(unreadable(
                    url,
                    "a socket's path begins with a slash, which makes three: smtp+unix:///run/lmtp",
                ));
            }
            return Ok(Self { scheme, endpoint: Endpoint::Unix(Path::new(rest).to_owned()) });
        }
        let scheme = self::scheme(scheme)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('@') {
            let error = Error::usage("a URL with a user or password in it");
            return Err(error.hint("give credentials by param(...), where they can be masked"));
        }
        let (host, port) = split_port(rest)
            .ok_or_else(|| unreadable(url, "its port is not a number from 1 to 65535"))?;
        if host.is_empty() || host.contains(['/', ' ', '?', '#', '[', ']']) {
            return Err(unreadable(url, "it has no host, or more than a host and a port"));
        }
        let port = port.or(scheme.port).ok_or_else(|| unreadable(url, &without_port(scheme)))?;
        let host = host.to_owned();
        let endpoint = if scheme.name == "mx" {
            Endpoint::Exchangers { domain: host, port }
        } else {
            Endpoint::Host { host, port }
        };
        Ok(Self { scheme, endpoint })
    }
}

/// The protocol of a URL. Only the scheme needs to be valid.
pub(crate) fn speech(url: &str) -> Option<Speech> {
    let (scheme, _) = url.split_once("://")?;
    let scheme = scheme.strip_suffix("+unix").unwrap_or(scheme);
    schemes().find(|known| known.name.eq_ignore_ascii_case(scheme)).map(|known| known.speech)
}

/// Splits into host and port. The outer `None` means that the port is invalid.
fn split_port(rest: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':')?)),
        None => rest.rsplit_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
    };
    match port {
        None => Some((host, None)),
        Some(port) => port.parse().ok().filter(|port| *port > 0).map(|port| (host, Some(port))),
    }
}

fn unreadable(url: &str, why: &str) -> Error {
    // The error must not show a password in the URL.
    let password = secrets::password_of_url(url);
    let url = password.map_or_else(
        || url.to_owned(),
        |span| format!("{}[SECRET]{}", &url[..span.start], &url[span.end..]),
    );
    Error::usage(format!("`{url}` is not a URL that can be connected to: {why}"))
        .hint("write scheme://host:port, such as smtp://localhost:2525 or tcp://[::1]:2525")
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.scheme.name;
        match &self.endpoint {
            Endpoint::Host { host, port } if host.contains(':') => {
                write!(f, "{scheme}://[{host}]:{port}")
            }
            Endpoint::Host { host, port } | Endpoint::Exchangers { domain: host, port } => {
                write!(f, "{scheme}://{host}:{port}")
            }
            Endpoint::Unix(path) => write!(f, "{scheme}+unix://{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_suggests_one_scheme_and_a_registered_port_suggests_one() {
        let suggested: Vec<_> = schemes().flat_map(|scheme| scheme.suggested_by).collect();
        for port in &suggested {
            assert_eq!(suggested.iter().filter(|other| *other == port).count(), 1, "{port}");
        }
        for port in schemes().filter_map(|scheme| scheme.port) {
            assert!(scheme_of_port(port).is_some(), "no scheme is suggested by {port}");
        }
        let likely = |port| likely_scheme(port).map(|scheme| scheme.name);
        assert_eq!([likely(465), likely(1025)], [Some("submissions"), Some("smtp")]);
    }

    /// The system may give any of these ports to a program that asks for a free one.
    #[test]
    fn a_free_port_says_nothing_however_it_ends() {
        for port in 20_000..=u16::MAX {
            assert_eq!(likely_scheme(port), None, "{port}");
        }
    }

    #[test]
    fn urls_read_back_as_they_were_with_their_ports() {
        for (url, shown) in [
            ("smtp://localhost:2525", "smtp://localhost:2525"),
            ("smtp://mail.example/", "smtp://mail.example:25"),
            ("SUBMISSION://127.0.0.1", "submission://127.0.0.1:587"),
            ("tcp://[::1]:110", "tcp://[::1]:110"),
            ("smtp://[2001:db8::1]", "smtp://[2001:db8::1]:25"),
            ("smtp+unix:///run/smtp.sock", "smtp+unix:///run/smtp.sock"),
            ("mx://example.com", "mx://example.com:25"),
            ("lmtp+unix:///run/dovecot/lmtp", "lmtp+unix:///run/dovecot/lmtp"),
            ("lmtp://localhost:24", "lmtp://localhost:24"),
        ] {
            assert_eq!(Target::parse(url).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn a_text_that_is_no_url_says_why() {
        for (url, why) in [
            ("localhost:25", "no scheme"),
            ("smtp://", "no host"),
            ("smtp://host:0", "port"),
            ("smtp://host:99999", "port"),
            ("tcp://host", "needs a port"),
            ("lmtp://host", "24 is customary"),
            ("smtp://host/path", "more than a host"),
            ("smtp+unix://run/x", "three"),
            ("gopher://host", "`gopher` is not known"),
            ("sieves://host", "`sieves` is not known"),
            ("smtp://me:secret@host", "a user or password"),
        ] {
            let error = Target::parse(url).unwrap_err();
            assert!(error.is_usage() && error.message().contains(why), "{url}: {error}");
        }
        assert!(
            !Target::parse("smtp://me:secret@host").unwrap_err().to_string().contains("secret")
        );
    }
}
