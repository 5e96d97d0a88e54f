//! The command line: takes arguments, and returns an exit code. Each command has its own file.
//!
//! # How to add a command
//!
//! Write a file here with its arguments, which end with an example (`after_help`), and a function
//! that returns the exit code or the error: errors are printed in one place, at the end of [`main`].
//! Add a variant to `Command` in `args.rs` and a line to `execute`. The help, the manual pages and
//! the completions follow from that; what completes the value of an argument is chosen by its name,
//! in `completions/values.rs`. A test fails if the help has no example or is wider than 80 columns.

mod against;
mod args;
mod attempts;
mod check;
mod clients;
mod completions;
mod descriptors;
mod dialogue;
mod diff;
mod doctor;
mod eject;
mod encode;
mod environment;
mod explain;
mod goldens;
mod import;
mod list;
mod man;
mod merge;
mod new;
mod options;
mod outlet;
mod passwords;
mod probe;
mod progress;
mod record;
mod redact;
mod reference;
mod report_file;
mod reporting;
mod rerun;
mod review;
mod run;
mod schema;
mod screen;
mod segment;
mod selection;
mod send;
mod serve;
mod server;
mod show;
mod sources;
mod talk;
mod targets;
mod tls;
mod value;
mod watch;
mod workspace;
mod written;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory as _, FromArgMatches as _};

use args::{Args, Command};
use screen::Screen;

use crate::error::{Error, Result};
use crate::outcome::ExitCode;
use crate::report;
use crate::script::shipped;
use crate::suggest;

/// The text for a user who types only the name of the program.
const OVERVIEW: &str = "\
mailexpect runs mail dialogues against servers, in lock-step.

  mailexpect probe mail.example.com        see which mail ports are open
  mailexpect talk mail.example.com 25      talk with a server, as by telnet
  mailexpect send --server HOST --to ADDR  send a message, as by swaks
  mailexpect @relay mail.example.com       run a built-in script
  mailexpect list --shipped                show all built-in scripts
  mailexpect run scripts --set smtp=URL    run your own scripts
  mailexpect run -e 's.expect(220)' URL    run a line of script
  mailexpect check scripts                 check scripts without connecting
  mailexpect review                        accept or reject changed goldens
  mailexpect serve                         run a mail server to try things with
  mailexpect explain '454 4.7.1 Denied'    explain a reply
  mailexpect reference expect              show the manual, or one word of it

`mailexpect --help` shows all commands and the exit codes, and
`mailexpect COMMAND --help` the options of a command, with examples.
";

/// Forbids core dumps: the memory of a run holds passwords, and a core file would keep them.
fn forbid_core_dumps() {
    // If the system refuses, the run goes on all the same.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Runs the command line of this process. The errors of all commands are printed here only.
#[must_use]
pub fn main() -> process::ExitCode {
    completions::answer(command_line);
    forbid_core_dumps();
    let command = command_line();
    let is_for_nagios =
        reporting::is_for_nagios(with_run(std::env::args_os()).into_iter(), &command);
    let parsed = command
        .try_get_matches_from(with_run(std::env::args_os()))
        .and_then(|matches| Args::from_arg_matches(&matches));
    if std::env::args_os().len() < 2 {
        let mut screen = Screen::new(screen::Color::Auto);
        screen.show(OVERVIEW);
        return process::ExitCode::from(ExitCode::Passed as u8);
    }
    let mut serves = false;
    let (mut screen, done) = match parsed {
        Err(said) if is_for_nagios && said.use_stderr() => {
            let error = Error::usage(said.render().to_string());
            (Screen::new(screen::Color::Never), Err(error))
        }
        Ok(args) => {
            let mut screen = Screen::new(args.color).muted(is_for_nagios);
            // A server is ended by a signal, whether somebody reads what its clients say or not.
            serves = matches!(args.command, args::Command::Serve(_));
            let done = execute(args.command, &mut screen);
            (screen, done)
        }
        Err(said) => {
            let mut screen = Screen::new(screen::Color::Auto);
            let code = screen.show_usage(&without_far_suggestion(said));
            (screen, Ok(code))
        }
    };
    let code = done.unwrap_or_else(|mut error| {
        error.mask(screen.passwords());
        if is_for_nagios {
            let (text, code) = report::unknown(&error);
            screen.show(&text);
            return code;
        }
        screen.complain(&error);
        error.exit_code()
    });
    let unwritten = screen.written().err().filter(|_| !(serves && screen.is_stuck()));
    let unwritten = unwritten.map(|error| {
        screen.complain(&error);
        if screen.is_stuck() { ExitCode::Interrupted } else { error.exit_code() }
    });
    let worst = match unwritten {
        // A monitor that was not told anything must not take the server for well.
        Some(_) if is_for_nagios && code == ExitCode::Passed => ExitCode::Unreachable,
        Some(unwritten) if !is_for_nagios => code.max(unwritten),
        _ => code,
    };
    process::ExitCode::from(worst as u8)
}

/// The command line, with its environment variables.
fn command_line() -> clap::Command {
    environment::with_variables(Args::command())
}

/// The arguments, with `run` inserted if the first one is a script: `mailexpect @relay URL`, or a
/// file whose first line is `#!/usr/bin/env mailexpect`.
fn with_run(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<_> = arguments.collect();
    if arguments.get(1).is_some_and(|argument| is_script(argument)) {
        arguments.insert(1, "run".into());
    }
    arguments
}

/// Whether the first argument is a script and not a command.
fn is_script(argument: &OsStr) -> bool {
    let path = Path::new(argument);
    let is_file = path.extension().is_some_and(|extension| extension == "rhai");
    shipped::is_named(&argument.to_string_lossy()) || (is_file && path.exists())
}

/// The same error, without a suggestion that is too far from the typed word. clap also suggests a
/// word that only has the same beginning.
fn without_far_suggestion(mut error: clap::Error) -> clap::Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let pair = text(ContextKind::InvalidArg).zip(text(ContextKind::SuggestedArg));
    // Compare without the dashes, because all options begin with them.
    if let Some((typed, suggested)) = pair
        && suggest::nearest(typed.trim_start_matches('-'), [suggested.trim_start_matches('-')])
            .is_none()
    {
        error.remove(ContextKind::SuggestedArg);
    }
    if let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) {
        let commands = Args::command();
        let names = commands.get_subcommands().map(clap::Command::get_name);
        let near = suggest::nearest(typed, names).map(str::to_owned);
        error.remove(ContextKind::SuggestedSubcommand);
        if let Some(near) = near {
            let near = ContextValue::Strings(vec![near]);
            error.insert(ContextKind::SuggestedSubcommand, near);
        }
    }
    error
}

fn execute(command: Command, screen: &mut Screen) -> Result<ExitCode> {
    match command {
        Command::Run(args) => run::run(&args, screen),
        Command::Check(args) => check::check(args, screen),
        Command::List(args) => list::list(&args, screen),
        Command::Eject(args) => eject::eject(&args, screen),
        Command::Redact(args) => redact::redact(&args, screen),
        Command::Diff(args) => diff::diff(&args, screen),
        Command::Report(args) => merge::report(&args, screen),
        Command::Show(args) => show::show(&args, screen),
        Command::Review(args) => review::review(args, screen),
        Command::Accept(args) => review::accept(args, screen),
        Command::Reject(args) => review::reject(args, screen),
        Command::Talk(args) => talk::talk(args, screen),
        Command::Send(args) => send::send(&args, screen),
        Command::Serve(args) => serve::serve(&args, screen),
        Command::Record(args) => record::record(&args, screen),
        Command::New(args) => new::new(&args, screen),
        Command::Completions(args) => completions::completions(&args, screen),
        Command::Man(args) => man::man(&args, command_line(), screen),
        Command::Clients(args) => clients::clients(&args, screen),
        Command::Schema => schema::schema(screen),
        Command::Probe(args) => probe::probe(*args, screen),
        Command::Doctor(args) => doctor::doctor(*args, screen),
        Command::Import(args) => import::import(&args, screen),
        Command::Watch(args) => watch::watch(*args, screen),
        Command::Explain(args) => explain::explain(&args, screen),
        Command::Base64(args) => encode::base64(&args, screen),
        Command::Sasl(args) => encode::sasl(&args, screen),
        Command::Reference(args) => reference::reference(&args, screen),
    }
}
