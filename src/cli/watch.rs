//! `mailexpect watch`: runs scripts repeatedly, and shows when their results change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::time::timeout;

use super::descriptors;
use super::options::{Goldens as Kept, parse_duration};
use super::screen::Screen;
use super::sources::Sources;
use super::targets::{self, Asked, Set};
use crate::error::Result;
use crate::golden::Goldens;
use crate::interrupt::Interrupt;
use crate::outcome::{ExitCode, Outcome};
use crate::plan;
use crate::project::Project;
use crate::report::Watched;
use crate::session::block_on;
use crate::workers::{self, Against, Audience, Job, Rules, Times, Work};

/// The arguments.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Watch {
    /// Scripts, globs, folders, or `@relay` and other names that `list --shipped` shows, and
    /// servers as URLs.
    #[arg(value_name = "SCRIPTS AND SERVERS", required = true)]
    paths: Vec<PathBuf>,
    /// Begin a run at this interval: `--every 5m`. A run that takes longer delays the next.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    every: Duration,
    /// End after N runs; by default, only Ctrl-C ends the watch.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Run against a server of `mailexpect.toml`. Repeat for more.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    target: Vec<String>,
    /// Show a line for each run, not only for changes.
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    reach: super::targets::Reach,
}

const EXAMPLES: &str =
    "A line shows the time, the result, and how long connecting, TLS and each step
took. Each run reads the scripts again. Transcripts are not compared with
goldens. The exit code is the worst of the last run of each script.

Example: mailexpect watch relay.rhai smtp://mail.example.com --every 60s";

pub(super) fn watch(args: Watch, screen: &mut Screen) -> Result<ExitCode> {
    let sources = Sources::of(args.paths, None)?;
    let scripts = plan::scripts(&sources.paths)?;
    let project = Project::of(Path::new("."))?;
    let at_once = workers::cores();
    let mut given = args.reach.set()?;
    sources.set(&scripts, &mut given)?;
    let set = Set::of(given, screen)?;
    let kept = Kept { target: args.target, ..Kept::default() };
    let asked = Asked {
        goldens: &kept,
        cutting: None,
        at_once,
        taped: false,
        scripts: &scripts,
        sources: Some(&sources),
        skip_incomplete: false,
    };
    let against = || targets::against(&args.reach, &asked, &project, &set, screen);
    targets::check_names(&against()?, &project, &scripts, &set, screen)?;
    let goldens = Arc::new(Goldens::passed_over());
    // A runner keeps the scripts that it has read. So each round gets new ones, and a script that
    // was changed or deleted is noticed.
    let jobs = || {
        let against = against()?;
        let job = |script: &PathBuf, against: &Arc<Against>| {
            let against = Against { goldens: Arc::clone(&goldens), ..(**against).clone() };
            Job { script: script.clone(), against: Arc::new(against) }
        };
        let of_script = |script| against.iter().map(move |against| job(script, against));
        Ok(scripts.iter().flat_map(of_script).collect())
    };
    descriptors::provide(descriptors::NEEDED)?;
    let interrupt = Interrupt::listen()?;
    let work = Work {
        jobs: Vec::new(),
        times: Times::Rounds(1),
        at_once,
        interrupt,
        rules: Rules::default(),
    };
    let watched = Watched::new(args.verbose);
    let runs = Runs { every: args.every, count: args.count };
    let told = Told { screen: screen.clone(), watched, worst: ExitCode::Passed, cut: 0 };
    follow(&work, jobs, told, &runs)
}

/// The interval and the number of runs.
struct Runs {
    every: Duration,
    count: Option<u64>,
}

/// How often a pause looks whether the output still has a reader.
const LOOK: Duration = Duration::from_millis(500);

/// Runs all scripts again and again. Returns the worst exit code of the last run.
fn follow(
    work: &Work,
    jobs: impl Fn() -> Result<Vec<Job>>,
    mut told: Told,
    runs: &Runs,
) -> Result<ExitCode> {
    let mut begun = 0;
    loop {
        let next = Instant::now() + runs.every;
        let before = std::mem::replace(&mut told.worst, ExitCode::Passed);
        (told, _) = workers::run(Work { jobs: jobs()?, ..work.clone() }, told)?;
        begun += 1;
        if work.interrupt.is_pressed() {
            if begun == 1 && told.cut > 0 {
                let count = told.cut;
                told.screen
                    .note(&format!("interrupted: {count} of the scripts had no verdict yet\n"));
                return Ok(ExitCode::Interrupted);
            }
            // The interrupted run is not complete, so the run before counts, too.
            return Ok(told.worst.max(before));
        }
        if runs.count.is_some_and(|count| begun >= count) {
            return Ok(told.worst);
        }
        if pause(&work.interrupt, next, &told.screen) {
            return Ok(told.worst);
        }
    }
}

/// Waits until a time. Returns whether the watch ends before: after Ctrl-C, or after the reader of
/// its output has gone, as in `watch | head -1`.
fn pause(interrupt: &Interrupt, until: Instant, screen: &Screen) -> bool {
    loop {
        if screen.is_gone() {
            return true;
        }
        let rest = until.saturating_duration_since(Instant::now());
        // An error here means that the time is over; otherwise Ctrl-C was pressed.
        if block_on(async { timeout(rest.min(LOOK), interrupt.pressed()).await }).is_ok() {
            return true;
        }
        if rest <= LOOK {
            return false;
        }
    }
}

struct Told {
    screen: Screen,
    watched: Watched,
    worst: ExitCode,
    /// How many scripts were interrupted.
    cut: usize,
}

impl Audience for Told {
    fn ended(&mut self, _: usize, outcome: Outcome) {
        if outcome.exit_code() == ExitCode::Interrupted {
            self.cut += 1;
            return;
        }
        self.worst = self.worst.max(outcome.exit_code());
        let line = self.watched.outcome(&outcome);
        if !line.is_empty() {
            self.screen.show(&line);
        }
    }

    fn teardown_failed(&mut self, outcome: Outcome) {
        self.ended(0, outcome);
    }

    fn teardown_passed(&mut self, outcome: Outcome) {
        self.screen.show(&self.watched.well_again(&outcome));
    }
}
