//! `mailexpect completions`, and the answers to shells that ask for completions.

mod bash;
mod typed;
mod values;

use clap::{Args, Command, ValueEnum};
use clap_complete::CompleteEnv;
use clap_complete::env::{Elvish, Fish, Powershell, Shells, Zsh};

use super::screen::Screen;
use crate::error::{Error, Kind, Result};
use crate::outcome::ExitCode;

/// The variable with which a shell asks for completions. The code that `completions` prints sets
/// it.
const VARIABLE: &str = "COMPLETE";
const NAME: &str = "mailexpect";
/// Completion for bash is our own, because clap's gets words that bash has cut at `=`, `:` and `@`.
const SHELLS: Shells<'static> = Shells(&[&bash::Bash, &Elvish, &Fish, &Powershell, &Zsh]);

/// The arguments.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  mailexpect completions bash \\\n    > ~/.local/share/bash-completion/completions/mailexpect\n  mailexpect completions zsh > ~/.zfunc/_mailexpect  # before compinit\n  mailexpect completions fish > ~/.config/fish/completions/mailexpect.fish\n  mailexpect completions powershell >> $PROFILE"
)]
pub(super) struct Completions {
    /// The shell to print code for.
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

impl Shell {
    fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Elvish => "elvish",
            Self::Fish => "fish",
            Self::Powershell => "powershell",
            Self::Zsh => "zsh",
        }
    }
}

/// Prints the code that a shell has to run once. From then on, the shell asks this program for
/// completions.
pub(super) fn completions(args: &Completions, screen: &mut Screen) -> Result<ExitCode> {
    let failed = |why: String| Error::new(Kind::Io, format!("no completions: {why}"));
    let shell =
        SHELLS.completer(args.shell.name()).ok_or_else(|| failed("no such shell".into()))?;
    let mut code = Vec::new();
    shell
        .write_registration(VARIABLE, NAME, NAME, NAME, &mut code)
        .map_err(|error| failed(error.to_string()))?;
    screen.print(&String::from_utf8_lossy(&code));
    Ok(ExitCode::Passed)
}

/// Answers a shell that asks for completions, and then ends the process. Returns if no shell asks.
pub(super) fn answer(command: impl Fn() -> Command) {
    let command = || values::with_values(command());
    CompleteEnv::with_factory(command).var(VARIABLE).shells(SHELLS).complete();
}
