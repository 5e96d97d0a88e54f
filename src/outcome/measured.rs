//! Times and measurements of a run, for monitoring a server.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The times and measurements of a run.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Measured {
    /// How long each step took, in order.
    pub steps: Vec<(Arc<str>, Duration)>,
    /// How long opening each session took: first those that are over, of which only the first 10000
    /// are listed, then the others.
    pub sessions: Vec<Opened>,
    /// The numbers that the script measured itself.
    pub metrics: Vec<Metric>,
}

/// How long opening a session took, and its result.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Opened {
    /// The name of the session's protocol, as people write it.
    pub protocol: &'static str,
    /// How long the lookup of the host took.
    pub lookup: Duration,
    /// How long connecting took, without the lookup and without TLS.
    pub connect: Duration,
    /// The peer's address; `None` if it is not an internet address.
    pub address: Option<IpAddr>,
    /// The TLS parameters, if TLS was turned on.
    pub tls: Option<Encrypted>,
}

/// How long the TLS handshake took, and its result.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Encrypted {
    /// The duration of the handshake.
    pub handshake: Duration,
    /// The version: `1.2` or `1.3`.
    pub version: String,
    /// The cipher suite by its IANA name.
    pub cipher: String,
    /// The time at which the server's certificate expires.
    pub expiry: Option<SystemTime>,
    /// The number of whole days until the certificate expires; negative once it has expired.
    pub days_left: Option<i64>,
}

/// A number that a script measured.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metric {
    /// The metric's name.
    pub name: String,
    /// The measured number.
    pub value: f64,
    /// The unit as monitoring systems know it: `s`, `%`, `B`, `c` for a counter, or empty.
    pub unit: String,
}

impl Measured {
    /// The longest time that a session took for the step that `of` selects; `None` without
    /// sessions.
    #[cfg(feature = "cli")]
    pub(crate) fn longest(&self, of: impl Fn(&Opened) -> Option<Duration>) -> Option<Duration> {
        self.sessions.iter().filter_map(of).max()
    }

    /// The TLS parameters whose certificate expires first.
    #[cfg(feature = "cli")]
    pub(crate) fn first_to_expire(&self) -> Option<&Encrypted> {
        let encrypted = self.sessions.iter().filter_map(|opened| opened.tls.as_ref());
        encrypted.filter(|tls| tls.expiry.is_some()).min_by_key(|tls| tls.expiry)
    }
}

#[cfg(feature = "script")]
impl Metric {
    pub(crate) fn new(name: String, value: f64, unit: String) -> Self {
        Self { name, value, unit }
    }
}
