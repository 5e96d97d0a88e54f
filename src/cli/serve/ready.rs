//! Tells the program that started a server where the server listens.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

use rustix::fs::OFlags;

use crate::error::{Error, Result};

/// A descriptor that this program has inherited, usually the write end of a pipe.
#[derive(Debug)]
pub(super) struct Ready {
    number: u32,
    file: File,
}

impl Ready {
    /// Opens an inherited descriptor anew.
    ///
    /// # Errors
    /// Usage if there is no such descriptor, if nobody reads from the pipe, or if it is a socket.
    pub(super) fn open(number: u32) -> Result<Self> {
        // Non-blocking, because a pipe that nobody reads would block the program for ever.
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
    /// Usage if nobody reads from the pipe.
    pub(super) fn tell(&mut self, line: &str) -> Result<()> {
        self.file.write_all(line.as_bytes()).map_err(|error| failed(self.number, &error))
    }
}

fn failed(number: u32, error: &std::io::Error) -> Error {
    Error::unwritable(format_args!("to the descriptor {number} of --ready-fd"), error)
        .hint("it is the write end of a pipe that the server inherits, such as 3 in the shell's 3>ready.json")
}
