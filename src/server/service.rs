//! The services of the embedded server: one row for each port that it listens on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::dialogue::Dialogue;
use super::imap::Imap;
use super::pop3::Pop3;
use super::sieve::Sieve;
use super::site::Site;
use super::smtp::{Role, Smtp};
use crate::proto::Speech;

/// A scheme that is served, and the protocol that is spoken there.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) scheme: &'static str,
    pub(super) speech: Speech,
    /// Makes the server's side of one connection.
    pub(super) dialogue: fn(Arc<Site>, SocketAddr) -> Box<dyn Dialogue>,
    /// How long a client may be silent (RFC 5321 section 4.5.3.2.7, RFC 1939 section 3, RFC 3501
    /// section 5.4).
    pub(super) idle: Duration,
}

impl Service {
    /// Whether TLS starts before the greeting.
    pub(super) fn is_tls(&self) -> bool {
        self.scheme.ends_with('s')
    }

    /// The row of a scheme in [`SERVICES`]; `None` if the scheme is not served.
    pub(super) fn place(scheme: &str) -> Option<usize> {
        SERVICES.iter().position(|service| service.scheme == scheme)
    }
}

/// All services, in the order in which they are shown.
pub(super) const SERVICES: [Service; 9] = [
    row("smtp", Speech::Smtp, smtp, 5),
    row("submission", Speech::Smtp, submission, 5),
    row("submissions", Speech::Smtp, submission, 5),
    row("lmtp", Speech::Lmtp, lmtp, 5),
    row("imap", Speech::Imap, imap, 30),
    row("imaps", Speech::Imap, imap, 30),
    row("pop3", Speech::Pop3, pop3, 10),
    row("pop3s", Speech::Pop3, pop3, 10),
    row("sieve", Speech::Sieve, sieve, 30),
];

const fn row(
    scheme: &'static str,
    speech: Speech,
    dialogue: fn(Arc<Site>, SocketAddr) -> Box<dyn Dialogue>,
    minutes: u64,
) -> Service {
    Service { scheme, speech, dialogue, idle: Duration::from_mins(minutes) }
}

fn smtp(site: Arc<Site>, peer: SocketAddr) -> Box<dyn Dialogue> {
    Box::new(Smtp::new(Role::Smtp, site, peer))
}

fn submission(site: Arc<Site>, peer: SocketAddr) -> Box<dyn Dialogue> {
    Box::new(Smtp::new(Role::Submission, site, peer))
}

fn lmtp(site: Arc<Site>, peer: SocketAddr) -> Box<dyn Dialogue> {
    Box::new(Smtp::new(Role::Lmtp, site, peer))
}

fn imap(site: Arc<Site>, _: SocketAddr) -> Box<dyn Dialogue> {
    Box::new(Imap::new(site))
}

fn pop3(site: Arc<Site>, _: SocketAddr) -> Box<dyn Dialogue> {
    Box::new(Pop3::new(site))
}

fn sieve(site: Arc<Site>, _: SocketAddr) -> Box<dyn Dialogue> {
    Box::new(Sieve::new(site))
}
