//! TLS options for all sessions. A script may override them.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::error::{Error, Result};
use crate::file;
use crate::tls::Options;

/// The arguments. Their names are those of curl.
#[derive(Args, Debug)]
pub(super) struct Tls {
    /// Trust the certificates in this PEM file instead of the system's.
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// Accept any certificate of a server; transcripts say what is wrong with it.
    #[arg(long)]
    insecure: bool,
    /// Present this certificate (PEM) to servers that want one: `--cert me.pem --key me.key`.
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Use this private key (PEM) with --cert.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Append the secrets of TLS sessions to this file, for Wireshark (NSS key log).
    #[arg(long, value_name = "FILE")]
    keylog: Option<PathBuf>,
}

impl Tls {
    /// The files that are read.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &Path> {
        [&self.cacert, &self.cert, &self.key].into_iter().flatten().map(PathBuf::as_path)
    }

    /// The options of the project file, changed by these arguments. Given certificates are checked.
    pub(super) fn options(&self, project: Options) -> Result<Options> {
        let mut options = if self.insecure { project.verify(false) } else { project };
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
    file::read(path).map_err(|error| Error::unreadable(path.display(), error))
}
