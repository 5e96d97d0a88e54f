//! `mailexpect run`: runs scripts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;

use super::descriptors;
use super::goldens;
use super::options::Goldens;
use super::outlet;
use super::progress::Progress;
use super::reporting::{Reports, Written};
use super::rerun::{self, Watch};
use super::screen::Screen;
use super::segment;
use super::selection::Failed;
use super::sources::Sources;
use super::targets::{self, Asked, Set};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::outcome::{ExitCode, Outcome};
use crate::plan;
use crate::project::Project;
use crate::report::{Cost, Human, Planned, Repeated, Tally};
use crate::script::shipped;
use crate::workers::{self, Against, Audience, Job, Times, Work};

/// The arguments.
#[derive(Args, Debug)]
pub(super) struct Run {
    /// Scripts, and the servers that they speak with. Scripts are files, globs, folders (all
    /// `*.rhai` except those in folders named `lib`), `@relay` and other names that `list
    /// --shipped` shows, or `-` for stdin; by default `scripts`, or `.` if there is no such folder.
    /// A server is a URL: `smtp://localhost:2525`; with `-e` and `@relay`, a host is enough.
    #[arg(value_name = "SCRIPTS AND SERVERS")]
    paths: Vec<PathBuf>,
    /// Run this code, in which `s` is a session with the server that is also named: `-e
    /// 's.expect(220); s.ehlo("x")' smtp://localhost:2525`.
    #[arg(short = 'e', long, value_name = "CODE", allow_hyphen_values = true)]
    #[arg(conflicts_with = "rerun_failed")]
    eval: Option<String>,
    #[command(flatten)]
    reach: super::targets::Reach,
    /// Run N scripts at once; by default as many as there are cores. A script that waits takes no
    /// thread, so N may be thousands; above the number of cores, one core is left to the servers.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    jobs: Option<u32>,
    /// Run each script N times and report rate, CPU per run and latency percentiles, with the first
    /// failure of each kind.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    #[arg(conflicts_with_all = ["format", "junit", "html", "trace", "trace_file", "quiet", "warning", "critical"])]
    repeat: Option<u32>,
    /// Run scripts again when they change, until Ctrl-C. If a module or the project file changes,
    /// all scripts run.
    #[arg(long, conflicts_with_all = ["eval", "repeat", "segment"])]
    watch: bool,
    #[command(flatten)]
    playing: super::against::Playing,
    #[command(flatten)]
    cutting: super::segment::Cutting,
    /// Show whole transcripts, also of scripts that passed (with --repeat only of failures). With
    /// -vv, each line has its time.
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    // Groups with a help heading stand last, because a heading holds for all arguments that follow.
    #[command(flatten)]
    selection: super::selection::Selection,
    #[command(flatten)]
    attempts: super::attempts::Attempts,
    #[command(flatten)]
    reporting: super::reporting::Reporting,
    #[command(flatten)]
    goldens: Goldens,
}

impl Run {
    /// The files that a run reads besides its scripts.
    fn inputs(&self, project: &Project) -> Vec<PathBuf> {
        let recording = self.playing.recording().map(Path::to_owned);
        let project = project.file().map(Path::to_owned);
        self.reach.inputs().chain(recording).chain(project).collect()
    }
}

pub(super) fn run(args: &Run, screen: &mut Screen) -> Result<ExitCode> {
    if args.watch { run_again(args, screen) } else { run_once(args, None, screen) }
}

/// Runs all scripts, and then those that change, until interrupted. An error does not end the loop,
/// because the next change may repair it.
fn run_again(args: &Run, screen: &mut Screen) -> Result<ExitCode> {
    let sources = Sources::of(args.paths.clone(), None)?;
    let interrupt = Interrupt::listen()?;
    // The first run reports what is wrong in the project file.
    let project = Project::of(Path::new(".")).unwrap_or_default();
    let mut watch = Watch::start(&plan::roots(&sources.paths), project.folder())?;
    let mut changed = Changed { interrupt: interrupt.clone(), only: None };
    loop {
        if let Err(error) = run_once(args, Some(&changed), screen) {
            screen.complain(&error);
        }
        screen.note(&Human::watching());
        let Some(files) = watch.next(&interrupt) else { return Ok(ExitCode::Interrupted) };
        let scripts = sources.select(&args.selection).unwrap_or_default();
        changed.only = Some(rerun::affected(&scripts, &files));
    }
}

/// Warns if built-in scripts run against the embedded server. A user who runs such a script usually
/// means another server.
fn note_embedded(scripts: &[PathBuf], against: &[Arc<Against>], screen: &Screen) {
    let is_shipped = |path: &PathBuf| path.to_str().is_some_and(shipped::is_named);
    if scripts.iter().any(is_shipped) && against.iter().any(|against| against.runner.is_embedded())
    {
        screen.note("no server is named: the scripts speak with the embedded one\n");
    }
}

/// The part of the scripts that a run of `--watch` includes.
struct Changed {
    interrupt: Interrupt,
    /// The scripts that changed; `None` for all, in the first run.
    only: Option<Vec<PathBuf>>,
}

fn run_once(args: &Run, changed: Option<&Changed>, screen: &mut Screen) -> Result<ExitCode> {
    let sources = Sources::of(args.paths.clone(), args.eval.clone())?;
    let mut scripts = sources.select(&args.selection)?;
    if let Some(only) = changed.and_then(|changed| changed.only.as_ref()) {
        scripts.retain(|script| only.contains(script));
    }
    sources.check_goldens(args.goldens.record || args.goldens.update)?;
    let project = Project::of(Path::new("."))?;
    let rules = project.rules();
    let is_measured = args.repeat.is_some() || args.cutting.is_asked_for();
    let at_once = args.jobs.or(rules.jobs);
    let at_once = at_once.map_or_else(workers::cores, |jobs| jobs as usize);
    let mut given = args.reach.set()?;
    sources.set(&scripts, &mut given)?;
    let set = Set::of(given, screen)?;
    let asked = Asked {
        goldens: &args.goldens,
        cutting: Some(&args.cutting),
        at_once,
        taped: args.reporting.is_taped(),
        scripts: &scripts,
        sources: Some(&sources),
        skip_incomplete: args.attempts.rules(&rules, is_measured).skip_incomplete,
    };
    let against = targets::against(&args.reach, &asked, &project, &set, screen)?;
    note_embedded(&scripts, &against, screen);
    targets::check_names(&against, &project, &scripts, &set, screen)?;
    // The runtime of a worker takes three descriptors. Its first connection and the embedded server
    // take more.
    descriptors::provide(22 + 4 * workers::cores().min(at_once))?;
    let work = Work {
        jobs: args.playing.jobs(jobs(&scripts, &against), args.reach.timeout())?,
        times: args.attempts.times(),
        at_once,
        interrupt: changed
            .map_or_else(Interrupt::listen, |changed| Ok(changed.interrupt.clone()))?,
        rules: args.attempts.rules(&rules, is_measured),
    };
    let human = Human { verbose: args.verbose > 0, timed: args.verbose > 1 };
    let paths = [plan::roots(&sources.paths), scripts.clone()].concat();
    // Looked for after the run, which may write goldens.
    let unreferenced = || goldens::unreferenced(&args.goldens, &paths, &project);
    let mut code = match args.repeat {
        None if args.cutting.compares() && args.reporting.is_asked_for() => {
            Err(Error::usage("--segment without a way shows its own report, and has no other"))
        }
        None if args.cutting.compares() => segment::compare(&work, human, screen),
        Some(_) if args.cutting.compares() => {
            Err(Error::usage("--repeat needs one way of cutting: --segment=bytes"))
        }
        Some(times) => repeat(&work, times as usize, human, screen),
        None => {
            let brief = args.attempts.is_stress();
            let inputs = [scripts, args.inputs(&project)].concat();
            let reports = args.reporting.open(human, brief, &inputs, screen)?;
            return once(work, reports, unreferenced, args.reporting.progress(), screen);
        }
    }?;
    for outcome in unreferenced()? {
        code = code.max(outcome.exit_code());
        screen.show(&human.outcome(&outcome));
    }
    Ok(code)
}

/// A job for each script on each target. The jobs of a script follow each other.
fn jobs(scripts: &[PathBuf], against: &[Arc<Against>]) -> Vec<Job> {
    let of_script = |script: &PathBuf| {
        let job =
            |against: &Arc<Against>| Job { script: script.clone(), against: Arc::clone(against) };
        against.iter().map(job).collect::<Vec<_>>()
    };
    scripts.iter().flat_map(of_script).collect()
}

/// Runs all jobs and reports on them, and on what `others` finds after them.
fn once(
    work: Work,
    reports: Vec<Written>,
    others: impl FnOnce() -> Result<Vec<Outcome>>,
    progress: bool,
    screen: &Screen,
) -> Result<ExitCode> {
    let failed = Failed::to_update();
    let (interrupt, times) = (work.interrupt.clone(), work.times);
    outlet::set_end(work.rules.time.and_then(|time| Instant::now().checked_add(time)));
    let planned = planned(&work);
    let progress = progress.then(|| Progress::start(&planned, screen)).flatten();
    let reports = Reports::start(reports, &planned);
    let (mut kept, spent) =
        workers::run(work, Kept { reports, failed, progress, left: planned.scripts })?;
    kept.progress.take();
    if let Err(error) = kept.failed.save() {
        // Not an error of this run: only a later `--rerun-failed` needs the file.
        screen.note(&Human::warning(&error));
    }
    // What cannot be looked for leaves the reports of the run as they are.
    let (others, error) =
        others().map_or_else(|error| (Vec::new(), Some(error)), |found| (found, None));
    for outcome in others {
        kept.reports.add(&outcome);
    }
    let (summary, code) = kept.reports.end(spent.elapsed, spent.timed_out, error, screen);
    // A run that was stopped before its end is no success, even if all had passed until then. Of a
    // run of so much time, or of any, nobody knows how many scripts did not run.
    let had_more = match times {
        Times::Rounds(_) => summary.not_run > 0,
        Times::For(time) => spent.elapsed < time,
        Times::Endless => true,
    };
    if !(interrupt.is_pressed() && had_more) {
        return Ok(code);
    }
    if !matches!(times, Times::Rounds(_)) {
        screen.note("interrupted: the run would have gone on\n");
    }
    Ok(code.max(ExitCode::Interrupted))
}

fn planned(work: &Work) -> Planned {
    let mut targets: Vec<Arc<str>> = Vec::new();
    for target in work.jobs.iter().filter_map(|job| job.against.target.as_ref()) {
        if !targets.contains(target) {
            targets.push(Arc::clone(target));
        }
    }
    let scripts = match work.times {
        Times::Rounds(rounds) => Some(work.jobs.len().saturating_mul(rounds)),
        Times::For(_) | Times::Endless => None,
    };
    Planned { scripts, targets }
}

/// The reports, the failed scripts for `--rerun-failed`, and the progress bar.
struct Kept {
    reports: Reports,
    failed: Failed,
    progress: Option<Progress>,
    /// How many scripts have not ended; `None` if that is not known.
    left: Option<usize>,
}

impl Audience for Kept {
    fn started(&mut self, number: usize, job: &Job) {
        if let Some(progress) = &mut self.progress {
            progress.started(number, job);
        }
        self.reports.started(number, job);
    }

    fn ended(&mut self, number: usize, outcome: Outcome) {
        self.left = self.left.map(|left| left.saturating_sub(1));
        if self.left == Some(0) {
            outlet::note_ended();
        }
        if !Sources::is_given(&outcome.path) {
            self.failed.note(&outcome);
        }
        if let Some(progress) = &mut self.progress {
            progress.ended(number, &outcome);
        }
        self.reports.ended(number, outcome);
    }

    fn teardown_failed(&mut self, outcome: Outcome) {
        self.reports.teardown_failed(outcome);
    }
}

/// Runs each script `times` times, one script after the other, and shows the statistics of each.
fn repeat(work: &Work, times: usize, human: Human, screen: &mut Screen) -> Result<ExitCode> {
    let mut worst = ExitCode::Passed;
    let mut not_run = work.jobs.len() * times;
    for job in &work.jobs {
        if work.interrupt.is_pressed() {
            break;
        }
        let counted = Counted {
            human,
            screen: screen.clone(),
            repeated: Repeated::new(job.script.clone(), job.against.target.clone())?,
            tally: Tally::default(),
        };
        let goldens = Arc::new(job.against.goldens.of_many(&job.script)?);
        let against = Arc::new(Against { goldens, ..(*job.against).clone() });
        let jobs = vec![Job { against, ..job.clone() }];
        let work = Work { jobs, times: Times::Rounds(times), ..work.clone() };
        let at_once = work.at_once.min(times);
        let (counted, spent) = workers::run(work, counted)?;
        screen.show(&counted.repeated.table(Cost {
            at_once,
            elapsed: spent.elapsed,
            cpu: spent.cpu,
        }));
        worst = worst.max(counted.tally.exit_code());
        not_run = not_run.saturating_sub(counted.tally.total());
    }
    if not_run > 0 {
        screen.show(&Human::not_run(not_run, "run"));
        worst = ExitCode::Interrupted;
    }
    Ok(worst)
}

/// Counts the outcomes, and shows only the first failure of each kind and place.
struct Counted {
    human: Human,
    screen: Screen,
    repeated: Repeated,
    tally: Tally,
}

impl Audience for Counted {
    fn ended(&mut self, _: usize, outcome: Outcome) {
        self.tally.add(&outcome);
        if self.repeated.add(&outcome) {
            self.screen.show(&self.human.outcome(&outcome));
        }
    }

    fn teardown_failed(&mut self, outcome: Outcome) {
        self.tally.add_beside(&outcome);
        self.screen.show(&self.human.outcome(&outcome));
    }
}
