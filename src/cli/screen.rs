//! Writes to the terminal. All output goes through here, and only the characters that
//! [`visible::for_terminal`] allows are written.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "output is made here and nowhere else"
)]

use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;
use indicatif::ProgressBar;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{outlet, passwords};
use crate::error::{Error, Kind, Result};
use crate::outcome::ExitCode;
use crate::secrets::Learned;
use crate::visible;

/// When output has colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// The output of a command: results go to stdout, errors and notes to stderr.
#[derive(Clone, Debug)]
pub(super) struct Screen {
    choice: ColorChoice,
    /// Whether notes are suppressed, because a monitor reads only stdout.
    is_muted: bool,
    /// The first error in writing to stdout. After it, nothing more is written there.
    failed: Arc<OnceLock<io::Error>>,
    /// The progress bar, if one is drawn.
    bar: Arc<Mutex<Option<ProgressBar>>>,
    /// The passwords in the arguments, which are masked in errors and notes.
    passwords: Learned,
}

impl Screen {
    pub(super) fn new(color: Color) -> Self {
        let choice = match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Self {
            choice,
            is_muted: false,
            failed: Arc::default(),
            bar: Arc::default(),
            passwords: passwords::given(),
        }
    }

    /// The passwords in the arguments.
    pub(super) fn passwords(&self) -> &Learned {
        &self.passwords
    }

    /// The same screen, without notes on stderr if `is_muted`.
    pub(super) fn muted(self, is_muted: bool) -> Self {
        Self { is_muted, ..self }
    }

    /// Writes to stdout.
    pub(super) fn show(&mut self, text: &str) {
        if self.failed.get().is_none() && !text.is_empty() {
            let text = self.rendered(text);
            let write = || outlet::write(&io::stdout().lock(), text.as_bytes());
            if let Err(error) = self.beside_bar(write) {
                self.failed.get_or_init(|| error);
            }
        }
    }

    /// The width of a line in columns: `COLUMNS`, else the width of the terminal, else 80 as in a
    /// pipe.
    pub(super) fn width() -> usize {
        let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let terminal =
            || rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| size.ws_col.into());
        said.or_else(terminal).filter(|columns| *columns > 0).unwrap_or(80)
    }

    /// Writes text of the program itself without escaping it, such as code for a shell. The text
    /// must not contain anything from outside.
    pub(super) fn print(&mut self, text: &str) {
        let mut out = io::stdout().lock();
        if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            self.failed.get_or_init(|| error);
        }
    }

    /// Sets the bar that is drawn below all output from now on; `None` for no bar.
    pub(super) fn draw_around(&self, bar: Option<ProgressBar>) {
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = bar;
    }

    /// Shows the progress of a run, in percent and whether something failed, in the terminal's
    /// window or task bar (OSC 9;4 of `ConEmu`, which several terminals understand). `None` removes
    /// the display.
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
        // An error does no harm, because the display is only a decoration.
        let _ = self.beside_bar(|| io::stderr().write_all(text.as_bytes()));
    }

    /// Writes while the bar, if there is one, is hidden.
    fn beside_bar<T>(&self, write: impl FnOnce() -> T) -> T {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Renders a text as `show` would write it to stdout, for code that writes there in another
    /// way.
    pub(super) fn rendered(&self, text: &str) -> String {
        self.rendered_for(&io::stdout(), text)
    }

    fn rendered_for(&self, stream: &impl RawStream, text: &str) -> String {
        let text = visible::for_terminal(text);
        let choice = match self.choice {
            ColorChoice::Auto => AutoStream::choice(stream),
            choice => choice,
        };
        match choice {
            ColorChoice::Never => anstream::adapter::strip_str(&text).to_string(),
            _ => text,
        }
    }

    /// Clears the last line, which holds a prompt.
    pub(super) fn clear_line() {
        let mut out = io::stdout().lock();
        // If the terminal is gone, there is no prompt to clear.
        let _ = out.write_all(b"\r\x1b[K").and_then(|()| out.flush());
    }

    /// Whether nobody reads stdout any more: it could not be written, or is a pipe without a reader.
    pub(super) fn is_gone(&self) -> bool {
        let out = io::stdout();
        let mut polled = [PollFd::new(&out, PollFlags::empty())];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let is_closed = poll(&mut polled, Some(&at_once)).is_ok_and(|count| count > 0)
            && polled[0].revents().contains(PollFlags::ERR);
        self.failed.get().is_some() || is_closed
    }

    /// Whether a signal came and nobody took what was to be written.
    pub(super) fn is_stuck(&self) -> bool {
        self.failed.get().is_some_and(|error| error.kind() == io::ErrorKind::Interrupted)
    }

    /// Checks that all output was written. A reader that has closed its pipe (`| head`) is no
    /// error.
    ///
    /// # Errors
    /// Io if writing to stdout failed, for example because the disk is full.
    pub(super) fn written(&self) -> Result<()> {
        match self.failed.get() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let error = Error::new(Kind::Io, format!("cannot write to stdout: {error}"));
                Err(error.hint("what was shown is not complete"))
            }
            _ => Ok(()),
        }
    }

    /// Shows help, or clap's error about the arguments. The text has no colours, so that an
    /// argument in the error cannot bring its own escape sequences.
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

    /// Writes a note to stderr.
    pub(super) fn note(&self, text: &str) {
        if self.is_muted {
            return;
        }
        let mut text = text.to_owned();
        self.passwords.mask_data(&mut text);
        // If stderr fails too, the user cannot be told.
        let _ = self.beside_bar(|| self.write_error(&text));
    }

    /// Writes an error to stderr.
    pub(super) fn complain(&self, error: &Error) {
        let style = anstyle::AnsiColor::Red.on_default().bold();
        // If stderr fails too, the user cannot be told.
        let _ = self.write_error(&format!("{style}error{style:#}: {error}\n"));
    }

    fn write_error(&self, text: &str) -> io::Result<()> {
        let text = self.rendered_for(&io::stderr(), text);
        outlet::write(&io::stderr().lock(), text.as_bytes())
    }
}
