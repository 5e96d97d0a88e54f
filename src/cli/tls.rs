//! How TLS is put on, unless a script says otherwise.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::error::{Error, Result};
use crate::tls::Options;

/// The arguments, by the names that curl has for them.
#[derive(Args, Debug)]
pub(super) struct Tls {
    /// Trust the certificates in this PEM file alone, in place of the system's.
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// Go on whatever is wrong with a server's certificate; transcripts say so.
    #[arg(long)]
    insecure: bool,
    /// Our own certificate, a PEM file, for servers that want one.
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Its private key, a PEM file.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Append the secrets of all TLS sessions to this file, for Wireshark (the NSS key log format).
    #[arg(long, value_name = "FILE")]
    keylog: Option<PathBuf>,
}

impl Tls {
    /// What they come to; it is made sure that it can be used.
    pub(super) fn options(self) -> Result<Options> {
        let mut options = Options::new().verify(!self.insecure);
        if let Some(path) = &self.cacert {
            options = options.ca(read(path)?);
        }
        if let Some(path) = &self.cert {
            options = options.cert(read(path)?);
        }
        if let Some(path) = &self.key {
            options = options.key(read(path)?);
        }
        if let Some(path) = &self.keylog {
            options = options.keylog(path)?;
        }
        if self.cacert.is_some() || self.cert.is_some() {
            options.check()?;
        }
        Ok(options)
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path)
        .map_err(|error| Error::usage(format!("cannot read {}: {error}", path.display())))
}
