//! `mailexpect completions`, and the values that shells ask for while somebody types.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::{Args, Command, ValueEnum};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter};
use clap_complete::env::Shells;

use super::screen::Screen;
use crate::error::{Error, Result};
use crate::outcome::ExitCode;
use crate::plan;
use crate::project::Project;
use crate::redaction::{Redaction, presets};
use crate::script::{Heading, Runner, Settings};

/// The variable by which a shell asks for completions; the code that `completions` prints sets it.
const VARIABLE: &str = "COMPLETE";
const NAME: &str = "mailexpect";
/// No more scripts are read for their tags and parameters: somebody waits.
const SCRIPTS: usize = 500;

/// The arguments.
#[derive(Args, Debug)]
#[command(
    after_help = "Example: mailexpect completions bash > ~/.local/share/bash-completion/completions/mailexpect"
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
    let shells = Shells::builtins();
    let shell =
        shells.completer(args.shell.name()).ok_or_else(|| failed("no such shell".into()))?;
    let mut code = Vec::new();
    shell
        .write_registration(VARIABLE, NAME, NAME, NAME, &mut code)
        .map_err(|error| failed(error.to_string()))?;
    screen.print(&String::from_utf8_lossy(&code));
    Ok(ExitCode::Passed)
}

/// Answers a shell that asks for completions, if one does, and ends the process then.
pub(super) fn answer(command: impl Fn() -> Command) {
    CompleteEnv::with_factory(|| with_values(command())).var(VARIABLE).complete();
}

/// The command line with what its values may be.
fn with_values(command: Command) -> Command {
    let names: Vec<_> =
        command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, |command| {
            command.mut_args(|argument| match argument.get_id().as_str() {
                "paths" => argument.add(ArgValueCompleter::new(scripts())),
                "target" => argument.add(ArgValueCompleter::new(targets)),
                "set" => argument.add(ArgValueCompleter::new(parameters)),
                "redact" => argument.add(ArgValueCompleter::new(redactions)),
                "tag" => argument.add(ArgValueCompleter::new(tags)),
                _ => argument,
            })
        })
    })
}

/// Scripts, goldens, and folders on the way to them.
fn scripts() -> PathCompleter {
    let wanted = |path: &Path| {
        let extension = path.extension().and_then(OsStr::to_str);
        path.is_dir() || extension.is_some_and(|name| ["rhai", "snap", "new"].contains(&name))
    };
    PathCompleter::any().filter(wanted)
}

fn targets(current: &OsStr) -> Vec<CompletionCandidate> {
    let Ok(project) = Project::of(Path::new(".")) else { return Vec::new() };
    let names = project.targets().unwrap_or_default();
    fitting(current, names.iter().copied().chain(["all"]).map(str::to_owned))
}

/// The parameters of the scripts that a run without paths has, as `name=`.
fn parameters(current: &OsStr) -> Vec<CompletionCandidate> {
    let runner = Runner::new(Settings::default());
    let params = paths().into_iter().flat_map(|script| runner.params(&script).known.into_keys());
    fitting(current, params.map(|name| format!("{name}=")))
}

fn redactions(current: &OsStr) -> Vec<CompletionCandidate> {
    let presets = presets().flat_map(|preset| [preset.name(), preset.group()]);
    let names = presets.chain(Redaction::normalisers().map(|(name, _)| name)).map(str::to_owned);
    // What is typed may be a list, and a name may have a minus before it.
    let typed = current.to_string_lossy();
    let at = typed.rfind([',', '-']).map_or(0, |at| at + 1);
    let names: Vec<_> = names.map(|name| format!("{}{name}", &typed[..at])).collect();
    fitting(current, names)
}

fn tags(current: &OsStr) -> Vec<CompletionCandidate> {
    fitting(current, paths().into_iter().flat_map(|script| Heading::of(&script).tags))
}

fn paths() -> Vec<PathBuf> {
    let scripts = plan::scripts(&[]).unwrap_or_default();
    scripts.into_iter().take(SCRIPTS).collect()
}

/// Those that begin with what is typed, each once. None that a shell, or a terminal, would take for
/// more than text.
fn fitting(current: &OsStr, values: impl IntoIterator<Item = String>) -> Vec<CompletionCandidate> {
    let typed = current.to_string_lossy();
    let fits = |value: &String| value.starts_with(&*typed) && !value.contains(char::is_control);
    let values: std::collections::BTreeSet<_> = values.into_iter().filter(fits).collect();
    values.into_iter().map(CompletionCandidate::new).collect()
}
