//! What a run took and measured, for those who watch a server.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// What a run took and measured.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Measured {
    /// How long each step took, in their order.
    pub steps: Vec<(Arc<str>, Duration)>,
    /// What opening each session took, in their order.
    pub sessions: Vec<Opened>,
    /// What the script measured itself.
    pub metrics: Vec<Metric>,
}

/// What opening a session took, and what it came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Opened {
    /// The name of its protocol, as people write it.
    pub protocol: &'static str,
    /// How long its host was looked up.
    pub lookup: Duration,
    /// How long the connection took, without that and without TLS.
    pub connect: Duration,
    /// The address that it is with, unless it is none of the internet.
    pub address: Option<IpAddr>,
    /// TLS, if it was put on.
    pub tls: Option<Encrypted>,
}

/// What putting on TLS took, and what it came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Encrypted {
    /// How long the handshake took.
    pub handshake: Duration,
    /// The version: `1.2` or `1.3`.
    pub version: String,
    /// The cipher suite, by its IANA name.
    pub cipher: String,
    /// When the certificate that was shown expires.
    pub expiry: Option<SystemTime>,
    /// How many whole days that is; negative after it.
    pub days_left: Option<i64>,
}

/// A number that a script measured.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metric {
    /// What it is called.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Its unit, as monitors know them: `s`, `%`, `B`, `c` for a counter, or nothing.
    pub unit: String,
}

impl Measured {
    /// The longest time that one of the sessions took for something; `None` without sessions.
    #[cfg(feature = "cli")]
    pub(crate) fn longest(&self, of: impl Fn(&Opened) -> Option<Duration>) -> Option<Duration> {
        self.sessions.iter().filter_map(of).max()
    }

    /// What is encrypted, with the certificate that expires first.
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
