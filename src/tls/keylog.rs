//! The secrets of handshakes, for Wireshark.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use data_encoding::HEXLOWER;

use crate::error::{Error, Kind, Result};

/// A file of secrets: a label, the client's random and a secret to a line, the last two as hex.
pub(super) struct KeyLog(Mutex<State>);

struct State {
    file: File,
    /// The first write that failed; handshakes cannot fail over it when it happens.
    failed: Option<io::Error>,
}

impl KeyLog {
    /// Appends to a file, which nobody else may read where it is made here.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
        let file = file.map_err(|error| {
            Error::usage(format!("cannot write the key log {}: {error}", path.display()))
        })?;
        Ok(Self(Mutex::new(State { file, failed: None })))
    }

    /// Says whether all secrets so far could be written.
    pub(super) fn check(&self) -> Result<()> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).failed.take() {
            Some(error) => {
                Err(Error::new(Kind::Io, format!("the key log cannot be written: {error}")))
            }
            None => Ok(()),
        }
    }
}

impl rustls::KeyLog for KeyLog {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let (random, secret) = (HEXLOWER.encode(client_random), HEXLOWER.encode(secret));
        let line = format!("{label} {random} {secret}\n");
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One write a line, so that runs that share a file do not mix theirs.
        if let Err(error) = state.file.write_all(line.as_bytes()) {
            state.failed.get_or_insert(error);
        }
    }
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLog").finish_non_exhaustive()
    }
}
