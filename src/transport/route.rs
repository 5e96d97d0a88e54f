//! The way to a server, and who may be spoken to.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use super::{Proxy, ThreadUse};
use crate::error::{Error, Result};
use crate::target::Endpoint;

/// The version of the internet protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Version 4 (RFC 791).
    V4,
    /// Version 6 (RFC 8200).
    V6,
}

impl Family {
    pub(super) fn has(self, address: &IpAddr) -> bool {
        (self == Self::V4) == address.is_ipv4()
    }
}

/// The way to a server: addresses, name servers, limits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Route {
    pub(crate) source_ip: Option<IpAddr>,
    pub(crate) family: Option<Family>,
    /// Hosts that are not looked up, with the addresses to use for them.
    pub(crate) pinned: Arc<[(String, IpAddr)]>,
    /// The name server to ask for addresses and mail exchangers; the system's name servers if
    /// unset.
    pub(crate) nameserver: Option<SocketAddr>,
    /// The hosts that connections are allowed to, such as `mail.example.com` or `*.example.com`;
    /// all hosts if the list is empty.
    pub(crate) allowed: Arc<[String]>,
    /// The PROXY header to begin the connection with.
    pub(crate) proxy: Option<Proxy>,
    /// Whether the thread that waits for the connection belongs to the session alone.
    pub(crate) thread: ThreadUse,
}

impl Route {
    /// Fails unless connections to this endpoint are allowed, and can come from the source address.
    pub(super) fn check(&self, endpoint: &Endpoint) -> Result<()> {
        let host = match endpoint {
            Endpoint::Host { host, .. } => host,
            Endpoint::Exchangers { domain, .. } => domain,
            Endpoint::Unix(_) => return Ok(()),
        };
        let host = host.trim_end_matches('.');
        let fits = |allowed: &String| match allowed.strip_prefix('*') {
            Some(end) if end.starts_with('.') => {
                host.len() > end.len()
                    && host
                        .get(host.len() - end.len()..)
                        .is_some_and(|tail| tail.eq_ignore_ascii_case(end))
            }
            _ => allowed.eq_ignore_ascii_case(host),
        };
        if self.allowed.is_empty() || self.allowed.iter().any(fits) {
            return self.check_source();
        }
        let error = Error::usage(format!("connections to {host} are not allowed"));
        Err(error
            .with_expected(format!("one of {}", self.allowed.join(", ")))
            .hint(format!("allow it, too: --allow-host {host}")))
    }

    /// Fails if this machine does not have the source address. When connecting, the system has the
    /// same error for a machine that has no port left.
    fn check_source(&self) -> Result<()> {
        let Some(source) = self.source_ip else { return Ok(()) };
        match UdpSocket::bind((source, 0)) {
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                let error = Error::usage(format!("this machine has no address {source}"));
                Err(error.hint("name one of its addresses as `source_ip`, as `ip address` shows them; or leave it out"))
            }
            // Other errors come back when connecting.
            _ => Ok(()),
        }
    }
}
