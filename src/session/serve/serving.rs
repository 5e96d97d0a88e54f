//! State that only sessions of the server's side have.

use std::sync::Arc;

use crate::tls::{Authority, ServerOptions};

/// What the server's side needs for TLS: its options, and the authority that issues its
/// certificates.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(super) tls: ServerOptions,
    pub(super) authority: Arc<Authority>,
}

impl Serving {
    pub(crate) fn new(tls: ServerOptions, authority: Arc<Authority>) -> Self {
        Self { tls, authority }
    }
}
