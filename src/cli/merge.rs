//! `mailexpect report`: makes reports of finished runs.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::reporting::{Reporting, Reports};
use super::screen::Screen;
use crate::error::{Error, Result};
use crate::outcome::ExitCode;
use crate::report::{Events, Human, Planned};

/// The arguments.
#[derive(Args, Debug)]
pub(super) struct Report {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make one report of several runs, such as the parts of a CI matrix.
    Merge(Box<Merge>),
}

#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: the worst of the runs.\n\nExample: mailexpect report merge part-*.json --junit report.xml"
)]
struct Merge {
    /// Streams of events: what `mailexpect run --format json=FILE` has written.
    #[arg(value_name = "FILES", required = true)]
    files: Vec<PathBuf>,
    /// Show whole transcripts, also of scripts that passed.
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    reporting: Reporting,
}

pub(super) fn report(args: &Report, screen: &mut Screen) -> Result<ExitCode> {
    let Command::Merge(args) = &args.command;
    let mut runs = Vec::new();
    for file in &args.files {
        let of_file = Events::read(file)?;
        for _ in of_file.iter().filter(|run| !run.is_whole) {
            let error = format!("{} does not tell the end of its run", file.display());
            screen.note(&Human::warning(&Error::usage(error)));
        }
        runs.extend(of_file);
    }
    let mut targets: Vec<Arc<str>> = Vec::new();
    for target in runs.iter().flat_map(|run| &run.targets) {
        if !targets.contains(target) {
            targets.push(Arc::clone(target));
        }
    }
    let not_run = runs.iter().map(|run| run.not_run).sum::<usize>();
    let elapsed = runs.iter().map(|run| run.elapsed).max().unwrap_or_default();
    let is_cut = runs.iter().any(|run| !run.is_whole);
    let worst = runs.iter().map(|run| run.exit_code).max().unwrap_or_default();
    let mut outcomes: Vec<_> = runs.into_iter().flat_map(|run| run.outcomes).collect();
    // Sorts the scripts as a single run of all would. Equal paths stay in the order of the files.
    outcomes.sort_by(|one, other| one.path.cmp(&other.path));
    let planned = Planned { scripts: Some(outcomes.len() + not_run), targets };
    let human = Human { verbose: args.verbose, timed: false };
    let reports = args.reporting.open(human, false, &args.files, screen)?;
    let mut reports = Reports::start(reports, &planned);
    for (number, outcome) in outcomes.into_iter().enumerate() {
        reports.tell_of(number, outcome);
    }
    let (_, of_reports) = reports.end(elapsed, false, None, screen);
    let cut = if is_cut { ExitCode::Failed } else { ExitCode::Passed };
    Ok(of_reports.max(cut).max(code(worst)))
}

/// The exit code of a run, from the number in its stream of events.
fn code(number: u8) -> ExitCode {
    [ExitCode::Passed, ExitCode::Failed, ExitCode::Wrong, ExitCode::Unreachable]
        .into_iter()
        .find(|code| *code as u8 == number)
        .unwrap_or(ExitCode::Interrupted)
}
