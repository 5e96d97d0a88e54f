//! The embedded server that all scripts of a runner share.

use std::sync::OnceLock;

use crate::error::{Error, Kind, Result};
use crate::server::Embedded;

/// The embedded server, which is started when a script first asks for it, or the error of its
/// start.
#[derive(Default)]
pub(in crate::script) struct Server(OnceLock<std::io::Result<Embedded>>);

impl Server {
    pub(super) fn started(&self) -> Result<&Embedded> {
        let started = self.0.get_or_init(Embedded::start).as_ref();
        started.map_err(|error| {
            Error::new(Kind::Io, format!("the embedded server cannot start: {error}"))
        })
    }

    /// Returns the certificate of the authority that signed the server's certificate.
    pub(super) fn ca(&self) -> Result<String> {
        let ca = self.started()?.ca().map(str::to_owned);
        ca.map_err(|error| Error::new(Kind::Io, format!("the embedded server has no CA: {error}")))
    }
}
