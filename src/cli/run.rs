//! `mailexpect run`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::args;
use super::descriptors;
use super::goldens;
use super::reporting::{Reports, Written};
use super::screen::Screen;
use super::segment;
use super::selection::Failed;
use super::sources::Sources;
use super::value;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::outcome::{ExitCode, Outcome};
use crate::plan;
use crate::project::Project;
use crate::report::{Cost, Human, Repeated, Tally};
use crate::script::{Runner, Servers, Settings};
use crate::secrets::is_secret_name;
use crate::session::Options;
use crate::visible;
use crate::workers::{self, Audience, Work};

pub(super) fn run(args: args::Run, screen: &mut Screen) -> Result<ExitCode> {
    let sources = Sources::of(args.paths, args.eval)?;
    let scripts = sources.select(&args.selection)?;
    sources.check_goldens(args.goldens.record || args.goldens.update)?;
    let options = args
        .connecting
        .options(Options::new().timeout(args.timeout).grace(args.grace))
        .tls(args.tls.options()?);
    let options = args.cutting.options(options);
    let project = Project::of(Path::new("."))?;
    let mut set = self::params(args.set)?;
    sources.set(&scripts, &mut set)?;
    let target = args.goldens.target.as_deref();
    let mut params = target.map_or_else(|| Ok(BTreeMap::new()), |name| project.target(name))?;
    let fetched = fetched(&mut params, &set, screen)?;
    let settings = Settings {
        params,
        options,
        deadline: args.deadline,
        allow_run: args.allow_processes,
        allow_sockets: args.allow_sockets,
        servers: args.goldens.target.clone().map_or(Servers::Embedded, Servers::Target),
        redaction: Arc::new(goldens::redaction(&project, target, &args.goldens.redacting)?),
    };
    let goldens = Arc::new(goldens::goldens(&args.goldens)?);
    let at_once = args.jobs.map_or_else(workers::cores, |jobs| jobs as usize);
    let runner = Runner::new(settings).at_once(at_once);
    sources.give(&runner);
    runner.keep_secrets(&fetched);
    runner.check_params(&scripts, &set)?;
    descriptors::raise_limit();
    // A worker's runtime takes three, its first connection and the embedded server some more.
    descriptors::check(16 + 4 * workers::cores().min(at_once))?;
    let interrupt = Interrupt::listen()?;
    let work = Work {
        runner: Arc::new(runner),
        scripts: scripts.clone(),
        repeat: 1,
        at_once,
        goldens,
        interrupt,
        rules: args.attempts.rules(),
    };
    let human = Human { verbose: args.verbose };
    let code = match args.repeat {
        None if args.cutting.compares() && args.reporting.is_asked_for() => {
            Err(Error::usage("--segment without a way shows its own report, and has no other"))
        }
        None if args.cutting.compares() => segment::compare(&work, human, screen),
        Some(_) if args.cutting.compares() => {
            Err(Error::usage("--repeat needs one way of cutting: --segment=bytes"))
        }
        Some(times) => repeat(&work, times as usize, human, screen),
        None => once(work, args.reporting.open(human, screen)?, screen),
    }?;
    if !args.goldens.unreferenced {
        return Ok(code);
    }
    let paths = [plan::roots(&sources.paths), scripts].concat();
    Ok(code.max(goldens::report_unreferenced(&paths, &project, screen)?))
}

/// Adds what was set on the command line, with a warning of the secrets there, and fetches what
/// lies elsewhere: the secrets that it gives.
fn fetched(
    params: &mut BTreeMap<String, String>,
    set: &BTreeMap<String, String>,
    screen: &Screen,
) -> Result<Vec<Zeroizing<String>>> {
    for (name, value) in set {
        if is_secret_name(name) && value::is_clear(value) {
            screen.note(&Human::warning(&in_clear(name)));
        }
    }
    params.extend(set.clone());
    value::fetch(params)
}

/// The warning for a secret that anybody can read in the list of the machine's processes.
fn in_clear(name: &str) -> Error {
    let name = visible::escape(name.as_bytes());
    Error::usage(format!(
        "the value of `{name}` stands on the command line, for others to see; \
         --set {name}=env:NAME, file:PATH or cmd:PROGRAM fetches it"
    ))
}

/// Runs each script once and reports on it.
fn once(work: Work, reports: Vec<Written>, screen: &Screen) -> Result<ExitCode> {
    let failed = Failed::load()?;
    let interrupt = work.interrupt.clone();
    let reports = Reports::start(reports, work.scripts.len());
    let (kept, spent) = workers::run(work, Kept { reports, failed })?;
    if let Err(error) = kept.failed.save() {
        // Only a later --rerun-failed needs it.
        screen.note(&Human::warning(&error));
    }
    let summary = kept.reports.end(spent)?;
    // Whatever had passed until then: a run that somebody stopped is no success.
    let is_cut_short = interrupt.is_pressed() && summary.not_run > 0;
    let cut = if is_cut_short { ExitCode::Interrupted } else { ExitCode::Passed };
    Ok(summary.exit_code().max(cut))
}

/// The reports, and what failed for `--rerun-failed`.
struct Kept {
    reports: Reports,
    failed: Failed,
}

impl Audience for Kept {
    fn started(&mut self, number: usize, script: &Path) {
        self.reports.started(number, script);
    }

    fn ended(&mut self, number: usize, outcome: Outcome) {
        if !Sources::is_given(&outcome.path) {
            self.failed.note(&outcome.path, outcome.is_ok());
        }
        self.reports.ended(number, outcome);
    }
}

/// Runs each script so many times, one script after the other, and shows what that came to.
fn repeat(work: &Work, times: usize, human: Human, screen: &mut Screen) -> Result<ExitCode> {
    let mut worst = ExitCode::Passed;
    let mut not_run = work.scripts.len() * times;
    for script in &work.scripts {
        if work.interrupt.is_pressed() {
            break;
        }
        let counted = Counted {
            human,
            screen: screen.clone(),
            repeated: Repeated::new(script.clone())?,
            tally: Tally::default(),
        };
        let goldens = Arc::new(work.goldens.of_many(script)?);
        let work = Work { scripts: vec![script.clone()], repeat: times, goldens, ..work.clone() };
        let at_once = work.at_once.min(times);
        let (counted, spent) = workers::run(work, counted)?;
        screen.show(&counted.repeated.table(Cost {
            at_once,
            elapsed: spent.elapsed,
            cpu: spent.cpu,
        }));
        worst = worst.max(counted.tally.exit_code());
        not_run -= counted.tally.total();
    }
    if not_run > 0 {
        screen.show(&Human::not_run(not_run, "run"));
        worst = ExitCode::Interrupted;
    }
    Ok(worst)
}

/// Counts outcomes, and shows only the first failure of each kind and place.
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
}

/// The values of parameters; the same name twice is a slip.
pub(super) fn params(set: Vec<(String, String)>) -> Result<BTreeMap<String, String>> {
    let mut params = BTreeMap::new();
    for (name, value) in set {
        if params.insert(name.clone(), value).is_some() {
            return Err(Error::usage(format!("the parameter `{name}` is set twice")));
        }
    }
    Ok(params)
}
