//! State that only sessions of the server's side have.

use std::sync::Arc;

use super::faults::OnConnection;
use crate::tls::{Authority, ServerOptions};

/// What the server's side needs for TLS: its options, and the authority that issues its
/// certificates.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(super) tls: ServerOptions,
    pub(super) authority: Arc<Authority>,
    /// The faults that the server plays on this connection.
    pub(super) faults: OnConnection,
    /// What the client sends next, if it is not a command.
    pub(super) next: Option<&'static str>,
}

impl Serving {
    pub(crate) fn new(tls: ServerOptions, authority: Arc<Authority>, faults: OnConnection) -> Self {
        Self { tls, authority, faults, next: None }
    }
}
