//! A log of the secrets of handshakes, for Wireshark.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use data_encoding::HEXLOWER;
use rustix::fs::OFlags;

use crate::error::{Error, Kind, Result};

/// A file of secrets. Each line has a label, the client's random and a secret; the last two in hex.
pub(super) struct KeyLog(Mutex<State>);

struct State {
    file: File,
    /// The error of the first failed write. It is reported later, because rustls lets no handshake
    /// fail over it.
    failed: Option<io::Error>,
}

impl KeyLog {
    /// Opens a file to append to. If the file is created here, only its owner may read it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        // Without NONBLOCK, opening a FIFO would wait for a reader.
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
        let mut options = OpenOptions::new();
        options.create(true).append(true).mode(0o600).custom_flags(flags);
        let file = options.open(path);
        let file = file.map_err(|error| {
            Error::usage(format!("cannot write the key log {}: {error}", path.display()))
        })?;
        Ok(Self(Mutex::new(State { file, failed: None })))
    }

    /// Fails if a secret could not be written.
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
        // One write for each line, so that lines of several runs in one file do not get mixed.
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
