//! `mailexpect completions`, and the answers to shells that complete what somebody types.

mod bash;
mod typed;
mod values;

use clap::{Args, Command, ValueEnum};
use clap_complete::CompleteEnv;
use clap_complete::env::{Elvish, Fish, Powershell, Shells, Zsh};

use super::screen::Screen;
use crate::error::{Error, Result};
use crate::outcome::ExitCode;

/// The variable by which a shell asks for completions; the code that `completions` prints sets it.
const VARIABLE: &str = "COMPLETE";
const NAME: &str = "mailexpect";
/// Bash's is our own: the words that clap's takes from it are cut at `=`, `:` and `@`.
const SHELLS: Shells<'static> = Shells(&[&bash::Bash, &Elvish, &Fish, &Powershell, &Zsh]);

/// The arguments.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  mailexpect completions bash > ~/.local/share/bash-completion/completions/mailexpect\n  mailexpect completions zsh > ~/.zfunc/_mailexpect     # a folder of $fpath, before compinit\n  mailexpect completions fish > ~/.config/fish/completions/mailexpect.fish\n  mailexpect completions powershell >> $PROFILE"
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

/// Prints what a shell has to run once, to ask this program from then on.
pub(super) fn completions(args: &Completions, screen: &mut Screen) -> Result<ExitCode> {
    let failed = |why: String| Error::usage(format!("no completions: {why}"));
    let shell =
        SHELLS.completer(args.shell.name()).ok_or_else(|| failed("no such shell".into()))?;
    let mut code = Vec::new();
    shell
        .write_registration(VARIABLE, NAME, NAME, NAME, &mut code)
        .map_err(|error| failed(error.to_string()))?;
    screen.print(&String::from_utf8_lossy(&code));
    Ok(ExitCode::Passed)
}

/// Answers a shell that asks for completions, if one does, and ends the process then.
pub(super) fn answer(command: impl Fn() -> Command) {
    let command = || values::with_values(command());
    CompleteEnv::with_factory(command).var(VARIABLE).shells(SHELLS).complete();
}
