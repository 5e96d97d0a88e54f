//! What a session of the server's side has besides what every session has.

use std::sync::Arc;

use crate::tls::{Authority, ServerOptions};

/// What the server's side of a session has to show.
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
