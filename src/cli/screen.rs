//! The one place that writes to the terminal.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "output is made here and nowhere else"
)]

use std::io::{self, Write as _};

use anstream::{AutoStream, ColorChoice};

use super::args::Color;
use crate::error::Error;

/// stdout for what was asked for, stderr for what went wrong with the asking.
#[derive(Clone, Debug)]
pub(super) struct Screen {
    choice: ColorChoice,
    /// Nobody reads any more (a closed pipe): that is not an error of the run.
    deaf: bool,
}

impl Screen {
    pub(super) fn new(color: Color) -> Self {
        let choice = match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Self { choice, deaf: false }
    }

    /// Writes to stdout.
    pub(super) fn show(&mut self, text: &str) {
        if !self.deaf {
            let mut out = AutoStream::new(io::stdout(), self.choice).lock();
            self.deaf = out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err();
        }
    }

    /// Says something beside what was asked for.
    pub(super) fn note(&self, text: &str) {
        let mut out = AutoStream::new(io::stderr(), self.choice).lock();
        let _ = out.write_all(text.as_bytes());
    }

    /// Says what is wrong with the command line.
    pub(super) fn complain(&self, error: &Error) {
        let mut out = AutoStream::new(io::stderr(), self.choice).lock();
        let style = anstyle::AnsiColor::Red.on_default().bold();
        // Where even stderr is gone, there is nobody left to tell.
        let _ = writeln!(out, "{style}error{style:#}: {error}");
    }
}
