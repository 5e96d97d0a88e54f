//! `mailexpect show`: shows a recording in the terminal.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::time::timeout;

use super::screen::Screen;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::outcome::ExitCode;
use crate::report::Replayed;
use crate::runtime;
use crate::suggest;
use crate::trace::{self, Entry};
use crate::visible;

/// The longest pause between two lines of a replay, in seconds.
const LONGEST: f64 = 5.0;

/// The arguments.
#[derive(Args, Debug)]
#[command(
    after_help = "Example: mailexpect run --trace on && mailexpect show mailexpect.trace --speed 1"
)]
pub(super) struct Show {
    /// A recording that `mailexpect run --trace on` has written.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Show only the scripts whose paths contain this text.
    #[arg(long, value_name = "TEXT")]
    script: Option<String>,
    /// Replay the recording in time: 1 as fast as it was, 2 twice as fast. By default, everything
    /// is shown at once.
    #[arg(long, value_name = "FACTOR", value_parser = parse_speed)]
    speed: Option<f64>,
}

fn parse_speed(text: &str) -> std::result::Result<f64, String> {
    let speed = text.parse().ok().filter(|speed: &f64| speed.is_finite() && *speed > 0.0);
    speed.ok_or_else(|| "a speed is a number above 0: 1 is as fast as it was".to_owned())
}

pub(super) fn show(args: &Show, screen: &mut Screen) -> Result<ExitCode> {
    let entries = trace::read(&args.file)?;
    let wanted = args.script.as_deref().unwrap_or_default();
    let mut shown: Vec<&Entry> = entries.iter().collect();
    shown.retain(|entry| entry.head.path.contains(wanted));
    if shown.is_empty() {
        let wanted_shown = visible::escape(wanted.as_bytes());
        let error = Error::usage(format!("no script of the recording contains `{wanted_shown}`"));
        let paths = entries.iter().map(|entry| entry.head.path.as_str());
        return Err(match suggest::nearest(wanted, paths) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        });
    }
    let interrupt = Interrupt::listen()?;
    let clock = runtime::current_thread()?;
    for entry in shown {
        screen.show(&Replayed::head(entry));
        let mut before = 0.0;
        let several = Replayed::has_several(entry);
        for passage in &entry.passages {
            if interrupt.is_pressed() {
                return Ok(ExitCode::Interrupted);
            }
            if let Some(speed) = args.speed {
                let pause = ((passage.at - before) / speed).clamp(0.0, LONGEST);
                let pause = Duration::from_secs_f64(pause);
                // Ctrl-C ends the pause early.
                let _ = clock.block_on(async { timeout(pause, interrupt.pressed()).await });
                before = passage.at;
            }
            screen.show(&Replayed::passage(passage, several));
        }
        screen.show("\n");
    }
    Ok(ExitCode::Passed)
}
