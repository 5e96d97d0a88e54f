//! Telling the program that started a server where it listens.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

use rustix::fs::OFlags;

use crate::error::{Error, Result};

/// A descriptor that the program was started with, most often the write end of a pipe.
#[derive(Debug)]
pub(super) struct Ready {
    number: u32,
    file: File,
}

impl Ready {
    /// Opens a descriptor again that stands open already.
    ///
    /// # Errors
    /// Usage if there is no such descriptor, nobody reads from the pipe, or it is a socket.
    pub(super) fn open(number: u32) -> Result<Self> {
        // Without waiting: a pipe that nobody reads from would hold the program up for ever.
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
        let file = OpenOptions::new()
            .append(true)
            .custom_flags(flags)
            .open(format!("/dev/fd/{number}"))
            .map_err(|error| failed(number, &error))?;
        Ok(Self { number, file })
    }

    /// Writes a line.
    ///
    /// # Errors
    /// Usage if nobody reads it.
    pub(super) fn tell(&mut self, line: &str) -> Result<()> {
        self.file.write_all(line.as_bytes()).map_err(|error| failed(self.number, &error))
    }
}

fn failed(number: u32, error: &std::io::Error) -> Error {
    Error::usage(format!("cannot write to the descriptor {number} of --ready-fd: {error}"))
        .hint("it is the write end of a pipe that the server inherits, such as 3 in the shell's 3>ready.json")
}
