//! The one place that writes to the terminal, and only what [`visible::for_terminal`] lets through.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "output is made here and nowhere else"
)]

use std::io::{self, Write as _};
use std::sync::{Arc, OnceLock};

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;

use crate::error::{Error, Kind, Result};
use crate::outcome::ExitCode;
use crate::visible;

/// When there are colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// stdout for what was asked for, stderr for what went wrong with the asking.
#[derive(Clone, Debug)]
pub(super) struct Screen {
    choice: ColorChoice,
    /// Whether nothing goes to stderr: a monitor reads stdout alone.
    is_muted: bool,
    /// The first error of writing to stdout, after which nothing more is written there.
    failed: Arc<OnceLock<io::Error>>,
}

impl Screen {
    pub(super) fn new(color: Color) -> Self {
        let choice = match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Self { choice, is_muted: false, failed: Arc::default() }
    }

    /// The same without stderr, if that is wanted.
    pub(super) fn muted(self, is_muted: bool) -> Self {
        Self { is_muted, ..self }
    }

    /// Writes to stdout.
    pub(super) fn show(&mut self, text: &str) {
        if self.failed.get().is_none() {
            let mut out = AutoStream::new(io::stdout(), self.choice).lock();
            if let Err(error) =
                out.write_all(visible::for_terminal(text).as_bytes()).and_then(|()| out.flush())
            {
                self.failed.get_or_init(|| error);
            }
        }
    }

    /// How many columns a line has: what `COLUMNS` says, or the terminal; 80 in a pipe.
    pub(super) fn width() -> usize {
        let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let terminal =
            || rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| size.ws_col.into());
        said.or_else(terminal).filter(|columns| *columns > 0).unwrap_or(80)
    }

    /// Whether all that was shown was written. A reader that has closed its pipe (`| head`) is no
    /// error.
    ///
    /// # Errors
    /// If stdout could not be written to: a full disk.
    pub(super) fn written(&self) -> Result<()> {
        match self.failed.get() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let error = Error::new(Kind::Io, format!("cannot write to stdout: {error}"));
                Err(error.hint("what was shown is not complete"))
            }
            _ => Ok(()),
        }
    }

    /// Shows help, or says what clap found wrong with the arguments: without colours, so that an
    /// argument that is shown again cannot bring its own.
    pub(super) fn show_usage(&mut self, said: &clap::Error) -> ExitCode {
        let text = said.render().to_string();
        if said.use_stderr() {
            self.note(&text);
            ExitCode::Wrong
        } else {
            self.show(&text);
            ExitCode::Passed
        }
    }

    /// Says something beside what was asked for.
    pub(super) fn note(&self, text: &str) {
        if self.is_muted {
            return;
        }
        let mut out = AutoStream::new(io::stderr(), self.choice).lock();
        let _ = out.write_all(visible::for_terminal(text).as_bytes());
    }

    /// Says what is wrong with the command line.
    pub(super) fn complain(&self, error: &Error) {
        let mut out = AutoStream::new(io::stderr(), self.choice).lock();
        let style = anstyle::AnsiColor::Red.on_default().bold();
        // Where even stderr is gone, there is nobody left to tell.
        let text = visible::for_terminal(&format!("{style}error{style:#}: {error}\n"));
        let _ = out.write_all(text.as_bytes());
    }
}
