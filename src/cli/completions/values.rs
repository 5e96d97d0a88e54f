//! Candidates for the values of arguments.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::{Arg, Command};
use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};

use super::typed;
use crate::project::Project;
use crate::redaction::{Redaction, presets};
use crate::report::FORMATS;
use crate::sasl::MECHANISMS;
use crate::script::{Heading, Runner, Settings, reference, shipped};
use crate::secrets::is_secret_name;

/// How many scripts are read for their tags and parameters at most. The user waits for the answer.
const SCRIPTS: usize = 500;
/// The prefixes of the sources that a secret can be read from.
const SOURCES: [&str; 4] = ["env:", "file:", "cmd:", "prompt"];

/// Adds completers for the values of arguments to the command line.
pub(super) fn with_values(command: Command) -> Command {
    let names: Vec<_> =
        command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let command = names.into_iter().fold(command, |command, name| {
        let is_of = |commands: &[&str]| commands.contains(&name.as_str());
        let (ejects, explains) = (is_of(&["eject"]), is_of(&["reference"]));
        command.mut_subcommand(&name, |command| {
            command.mut_args(|argument| match argument.get_id().as_str() {
                "names" if ejects => may_be(argument, names_inside),
                "word" if explains => may_be(argument, words),
                _ => with_value(argument),
            })
        })
    });
    // A script as the first argument is run: `mailexpect @relay`.
    let alone =
        typed::words().into_iter().next().filter(|word| crate::cli::is_script(OsStr::new(word)));
    let is_named = alone.as_deref().is_some_and(shipped::is_named);
    command.mut_subcommand("run", |run| match alone {
        _ if is_named => run.visible_aliases(shipped::names().map(leaked)),
        Some(file) => run.alias(leaked(file)),
        None => run,
    })
}

/// Leaks a name, because clap wants names that live for ever. The process ends after its answer.
fn leaked(name: String) -> &'static str {
    name.leak()
}

fn with_value(argument: Arg) -> Arg {
    match argument.get_id().as_str() {
        "paths" => may_be(argument, scripts),
        "target" => may_be(argument, targets),
        "set" => may_be(argument, parameters),
        "redact" => may_be(argument, redactions),
        "tag" => may_be(argument, tags),
        "filter" => may_be(argument, filters),
        "strictness" => {
            may_be(argument, |typed| fitting(typed, texts(&["text", "enhanced", "codes"])))
        }
        "partition" => may_be(argument, |typed| fitting(typed, texts(&["slice:1/", "hash:1/"]))),
        "format" => may_be(argument, formats),
        "auth" | "mechanism" => may_be(argument, mechanisms),
        "password" => may_be(argument, |typed| fitting(typed, texts(&SOURCES))),
        _ => argument,
    }
}

fn may_be(
    argument: Arg,
    values: impl Fn(&OsStr) -> Vec<CompletionCandidate> + Send + Sync + 'static,
) -> Arg {
    argument.add(ArgValueCompleter::new(values))
}

/// Scripts, goldens and folders. If the sigil `@` is typed, the shipped scripts instead.
fn scripts(current: &OsStr) -> Vec<CompletionCandidate> {
    if shipped::is_named(&current.to_string_lossy()) {
        return fitting(current, shipped::names());
    }
    let wanted = |path: &Path| {
        let extension = path.extension().and_then(OsStr::to_str);
        path.is_dir() || extension.is_some_and(|name| ["rhai", "snap", "new"].contains(&name))
    };
    PathCompleter::any().filter(wanted).complete(current)
}

fn names_inside(current: &OsStr) -> Vec<CompletionCandidate> {
    let sigil = if current.to_string_lossy().starts_with('@') { "@" } else { "" };
    fitting(
        current,
        shipped::names().map(|name| format!("{sigil}{}", name.trim_start_matches('@'))),
    )
}

fn words(current: &OsStr) -> Vec<CompletionCandidate> {
    fitting(current, reference::words())
}

fn targets(current: &OsStr) -> Vec<CompletionCandidate> {
    let Ok(project) = Project::of(Path::new(".")) else { return Vec::new() };
    let names = project.targets().unwrap_or_default();
    fitting(current, names.iter().copied().chain(["all"]).map(str::to_owned))
}

/// The parameters of the named scripts, as `name=`. After `name=`, the values: the default, and the
/// sources of a secret.
fn parameters(current: &OsStr) -> Vec<CompletionCandidate> {
    let runner = Runner::new(Settings::default());
    let known = paths().into_iter().flat_map(|script| runner.params(&script).known);
    let typed = current.to_string_lossy().into_owned();
    let Some((wanted, _)) = typed.split_once('=') else {
        return fitting(current, known.map(|(name, _)| format!("{name}=")));
    };
    let defaults = known.filter(|(name, _)| name == wanted).filter_map(|(_, default)| default);
    let sources = SOURCES.map(str::to_owned).into_iter().filter(|_| is_secret_name(wanted));
    fitting(current, defaults.chain(sources).map(|value| format!("{wanted}={value}")))
}

fn redactions(current: &OsStr) -> Vec<CompletionCandidate> {
    let presets = presets().flat_map(|preset| [preset.name(), preset.group()]);
    let names = presets.chain(Redaction::normalisers().map(|(name, _)| name)).map(str::to_owned);
    // The typed text may be a list, and a minus may stand before each name.
    let typed = current.to_string_lossy();
    let at = typed.rfind(',').map_or(0, |at| at + 1);
    let at = at + usize::from(typed[at..].starts_with('-'));
    let names: Vec<_> = names.map(|name| format!("{}{name}", &typed[..at])).collect();
    fitting(current, names)
}

fn tags(current: &OsStr) -> Vec<CompletionCandidate> {
    fitting(current, all_tags())
}

fn filters(current: &OsStr) -> Vec<CompletionCandidate> {
    let tags = all_tags().map(|tag| format!("tag({tag})"));
    fitting(current, texts(&["path(", "title(", "tag(", "not "]).into_iter().chain(tags))
}

fn all_tags() -> impl Iterator<Item = String> {
    paths().into_iter().flat_map(|script| Heading::of(&script).tags)
}

fn formats(current: &OsStr) -> Vec<CompletionCandidate> {
    let names = FORMATS.iter().map(|format| format.name);
    fitting(current, names.flat_map(|name| [name.to_owned(), format!("{name}=")]))
}

/// The mechanisms of SASL, in the case in which the user types.
fn mechanisms(current: &OsStr) -> Vec<CompletionCandidate> {
    let is_large = current.to_string_lossy().starts_with(char::is_uppercase);
    let cased = |name: &str| if is_large { name.to_owned() } else { name.to_lowercase() };
    fitting(current, MECHANISMS.iter().map(|known| cased(known.name)))
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

fn paths() -> Vec<PathBuf> {
    typed::scripts().into_iter().take(SCRIPTS).collect()
}

/// The values that begin with the typed text, sorted and without duplicates. Values with control
/// characters are left out, because a shell or a terminal could execute them.
fn fitting(current: &OsStr, values: impl IntoIterator<Item = String>) -> Vec<CompletionCandidate> {
    let typed = current.to_string_lossy();
    let fits = |value: &String| value.starts_with(&*typed) && !value.contains(char::is_control);
    let values: BTreeSet<_> = values.into_iter().filter(fits).collect();
    values.into_iter().map(CompletionCandidate::new).collect()
}
