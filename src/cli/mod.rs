//! The command line: arguments in, an exit code out. A file for each command.

mod args;
mod check;
mod descriptors;
mod goldens;
mod list;
mod redact;
mod review;
mod run;
mod screen;
mod segment;
mod serve;
mod tls;

use std::process;

use clap::Parser as _;

use args::{Args, Command};
use screen::Screen;

use crate::outcome::ExitCode;

/// Runs the command line of this process.
#[must_use]
pub fn main() -> process::ExitCode {
    let args = Args::parse();
    let mut screen = Screen::new(args.color);
    let code = match args.command {
        Command::Run(run) => run::run(*run, &mut screen),
        Command::Check(check) => check::check(check, &mut screen),
        Command::List(list) => list::list(&list, &mut screen),
        Command::Redact(args) => redact::redact(&args, &mut screen),
        Command::Review(args) => review::review(args, &mut screen),
        Command::Accept(args) => review::accept(args, &mut screen),
        Command::Reject(args) => review::reject(args, &mut screen),
        Command::Serve(serve) => serve::serve(&serve, &mut screen),
        Command::Reference => {
            screen.show(&crate::script::reference::markdown());
            ExitCode::Passed
        }
    };
    process::ExitCode::from(code as u8)
}
