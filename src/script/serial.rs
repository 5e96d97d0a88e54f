//! Scripts that must not run at the same time: those that have a line `// serial: NAME` with the
//! same name in their first comment.
//!
//! A name is held by a lock on a file, which the system releases however the process ends. So the
//! lock works between the scripts of one run, between workers, and between runs of the same user on
//! the machine. Partitions on other machines share no files, so all scripts of a name are in the
//! same partition.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Kind, Result};

/// The pause between two attempts to get a lock that is taken: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

/// Waits until nobody else holds any of these names. Holds them until the files are dropped.
///
/// # Errors
/// The error of the system; usage if the folder of locks belongs to another user.
pub(super) async fn hold(names: &[String]) -> Result<Vec<File>> {
    let mut held = Vec::new();
    // The names are sorted, so that two scripts never wait for each other.
    for name in names {
        held.push(lock(name).await?);
    }
    Ok(held)
}

async fn lock(name: &str) -> Result<File> {
    let failed = |error: io::Error| {
        Error::new(Kind::Io, format!("cannot hold the name `{name}` of // serial: {error}"))
    };
    let file = open(name).map_err(failed)?;
    let mut pause = PAUSES.0;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            // The system does not notify other processes when a lock is released.
            Err(rustix::io::Errno::WOULDBLOCK) => tokio::time::sleep(pause).await,
            Err(error) => return Err(failed(error.into())),
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}

fn open(name: &str) -> io::Result<File> {
    let digest = Sha256::digest(name.as_bytes());
    let number = digest.iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte));
    let path = folder()?.join(format!("{number:032x}"));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let flags = rustix::fs::OFlags::NOFOLLOW.bits();
    options.custom_flags(i32::try_from(flags).unwrap_or_default()).open(path)
}

/// Returns the folder of the user's locks. A folder that another user made is an error.
fn folder() -> io::Result<PathBuf> {
    let user = rustix::process::getuid().as_raw();
    let folder = std::env::temp_dir().join(format!("mailexpect-serial-{user}"));
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = folder.symlink_metadata()?;
    if found.is_dir() && found.uid() == user {
        return Ok(folder);
    }
    Err(io::Error::other(format!("{} is not a folder of this user", folder.display())))
}
