//! The one place that writes to the terminal, and only what [`visible::for_terminal`] lets through.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "output is made here and nowhere else"
)]

use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;
use indicatif::ProgressBar;

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
    /// How far a run has come, if that is drawn.
    bar: Arc<Mutex<Option<ProgressBar>>>,
}

impl Screen {
    pub(super) fn new(color: Color) -> Self {
        let choice = match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Self { choice, is_muted: false, failed: Arc::default(), bar: Arc::default() }
    }

    /// The same without stderr, if that is wanted.
    pub(super) fn muted(self, is_muted: bool) -> Self {
        Self { is_muted, ..self }
    }

    /// Writes to stdout.
    pub(super) fn show(&mut self, text: &str) {
        if self.failed.get().is_none() && !text.is_empty() {
            let write = || {
                let mut out = AutoStream::new(io::stdout(), self.choice).lock();
                out.write_all(visible::for_terminal(text).as_bytes()).and_then(|()| out.flush())
            };
            if let Err(error) = self.beside_bar(write) {
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

    /// Writes text of the program's own as it is, such as code for a shell: nothing in it is
    /// anybody else's.
    pub(super) fn print(&mut self, text: &str) {
        let mut out = io::stdout().lock();
        if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            self.failed.get_or_init(|| error);
        }
    }

    /// Draws a bar below all that is shown from now on, or no longer.
    pub(super) fn draw_around(&self, bar: Option<ProgressBar>) {
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = bar;
    }

    /// Tells the window or the task list how far a run has come, in percent, and whether something
    /// failed (OSC 9;4 of `ConEmu`, which several terminals understand); nothing ends that.
    pub(super) fn show_in_window(&self, percent: Option<usize>, failed: bool) {
        let understands = ["WT_SESSION", "ConEmuPID", "WEZTERM_PANE", "GHOSTTY_RESOURCES_DIR"];
        if !understands.iter().any(|name| std::env::var_os(name).is_some()) {
            return;
        }
        let state = match percent {
            None => 0,
            Some(_) if failed => 2,
            Some(_) => 1,
        };
        let text = format!("\x1b]9;4;{state};{}\x1b\\", percent.unwrap_or_default());
        // It is only a decoration.
        let _ = self.beside_bar(|| io::stderr().write_all(text.as_bytes()));
    }

    /// Writes while the bar, if there is one, is away.
    fn beside_bar<T>(&self, write: impl FnOnce() -> T) -> T {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// A text as stdout would get it, for who writes there by another way.
    pub(super) fn rendered(&self, text: &str) -> String {
        let text = visible::for_terminal(text);
        let choice = match self.choice {
            ColorChoice::Auto => AutoStream::choice(&io::stdout()),
            choice => choice,
        };
        match choice {
            ColorChoice::Never => anstream::adapter::strip_str(&text).to_string(),
            _ => text,
        }
    }

    /// Takes the prompt away that stands on the last line.
    pub(super) fn clear_line() {
        let mut out = io::stdout().lock();
        // A terminal that is gone shows no prompt.
        let _ = out.write_all(b"\r\x1b[K").and_then(|()| out.flush());
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
        // Where even stderr is gone, there is nobody left to tell.
        let _ = self.beside_bar(|| {
            let mut out = AutoStream::new(io::stderr(), self.choice).lock();
            out.write_all(visible::for_terminal(text).as_bytes())
        });
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
