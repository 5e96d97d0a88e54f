//! The scripts of a folder, each as a test of its own, under the arguments of libtest.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use libtest_mimic::{Arguments, Completion, Failed, FormatSetting, Trial};

use super::fixture::Fixture;
use super::{case_of, from_here, held, report};
use crate::error::Error;
use crate::outcome::{Outcome, Verdict};
use crate::plan;
use crate::report::Human;
use crate::script::{self, Case, Fixtures};

/// The scripts of a folder as the tests of a target without libtest: what
/// [`scripts!`](crate::scripts) makes, with more say in how each script is run. The `setup.rhai` and
/// `teardown.rhai` of a folder run once around its scripts in one process; cargo-nextest has a
/// process for each.
///
/// ```no_run
/// use std::process::ExitCode;
/// use std::time::Duration;
/// use mailexpect::server::Embedded;
/// use mailexpect::testing::Scripts;
///
/// fn main() -> ExitCode {
///     Scripts::new(env!("CARGO_MANIFEST_DIR"), "scripts")
///         .with(
///             || Embedded::start().expect("an embedded server"),
///             |server, case| case.set("smtp", server.smtp()).timeout(Duration::from_secs(2)),
///         )
///         .run()
/// }
/// ```
#[must_use = "nothing is run before `run`"]
pub struct Scripts<F = ()> {
    crate_folder: PathBuf,
    folder: PathBuf,
    fixture: Fixture<F>,
    prepare: Box<Prepare<F>>,
}

/// Gives a case what it needs.
type Prepare<F> = dyn Fn(&F, Case) -> Case + Send + Sync;

impl Scripts {
    /// The scripts of a folder, relative to that of the crate.
    pub fn new(crate_folder: impl AsRef<Path>, folder: impl AsRef<Path>) -> Self {
        let crate_folder = crate_folder.as_ref().to_owned();
        let folder = from_here(&crate_folder.join(folder));
        Self {
            crate_folder,
            folder,
            fixture: Fixture::new(|| ()),
            prepare: Box::new(|(), case| case),
        }
    }
}

impl<F: Send + Sync + 'static> Scripts<F> {
    /// Says what the scripts need, which `start` gives when the first of them runs and which is
    /// dropped after the last, and how each case is prepared with it. Where `start` panics, every
    /// script fails with what it said.
    pub fn with<G: Send + Sync + 'static>(
        self,
        start: impl FnOnce() -> G + Send + 'static,
        prepare: impl Fn(&G, Case) -> Case + Send + Sync + 'static,
    ) -> Scripts<G> {
        let Self { crate_folder, folder, .. } = self;
        Scripts { crate_folder, folder, fixture: Fixture::new(start), prepare: Box::new(prepare) }
    }

    /// Does what the arguments of the process ask for. The exit code is libtest's: 101 where a
    /// script failed.
    #[must_use = "`main` gives it back"]
    pub fn run(self) -> ExitCode {
        self.run_as(std::env::args_os())
    }

    /// The same with arguments of your own, after the name of the program.
    #[must_use = "`main` gives it back"]
    pub fn run_as<A: Into<OsString> + Clone>(
        self,
        arguments: impl IntoIterator<Item = A>,
    ) -> ExitCode {
        let arguments = Arguments::from_iter(arguments);
        let found = plan::scripts(std::slice::from_ref(&self.folder));
        let scripts = match found {
            Ok(scripts) => scripts,
            // As a test, so that it is reported as one and filtered like one.
            Err(error) => {
                let broken = broken(&self.folder, error, Showing::of(&arguments));
                return libtest_mimic::run(&arguments, vec![broken]).exit_code();
            }
        };
        let at_once = arguments
            .test_threads
            .or_else(|| thread::available_parallelism().ok().map(Into::into))
            .unwrap_or(1);
        let plan = Arc::new(Plan {
            scripts: scripts.into(),
            at_once,
            fixtures: Fixtures::default(),
            last: Mutex::default(),
        });
        // What the scripts need is there until the teardowns are over.
        let shared = Arc::new(self);
        let trials = Self::trials(&shared, &plan, &arguments);
        let conclusion = libtest_mimic::run(&arguments, trials);
        if plan.tear_down() { conclusion.exit_code() } else { ExitCode::from(101) }
    }

    fn trials(shared: &Arc<Self>, plan: &Arc<Plan>, arguments: &Arguments) -> Vec<Trial> {
        let asked_for = arguments.ignored || arguments.include_ignored || arguments.list;
        let trial = |script: PathBuf| {
            let name = name(&shared.folder, &script);
            let ignored = script::why_ignored(&script);
            match ignored {
                // libtest-mimic has no reason for what it leaves out by itself.
                Some(why) if !asked_for => {
                    Trial::ignorable_test(name, move || Ok(ignored_for(why)))
                }
                ignored => {
                    let (shared, plan) = (Arc::clone(shared), Arc::clone(plan));
                    let showing = Showing::of(arguments);
                    Trial::ignorable_test(name, move || shared.test(&script, &plan, showing))
                        .with_ignored_flag(ignored.is_some())
                }
            }
        };
        plan.scripts.iter().cloned().map(trial).collect()
    }

    fn test(&self, script: &Path, plan: &Plan, showing: Showing) -> Result<Completion, Failed> {
        let case = case_of(&self.crate_folder, script)?.at_once(plan.at_once);
        // A parameter that only another script of the folder has is no error.
        let case = case.others(Arc::clone(&plan.scripts));
        let fixture = self
            .fixture
            .get()
            .map_err(|why| format!("what the scripts need was not started: {why}"))?;
        let case = (self.prepare)(fixture, case).sharing(plan.fixtures.clone());
        let outcome = held(case.run());
        *plan.last() = Some(case);
        showing.conclude(outcome)
    }
}

/// What is to be run.
struct Plan {
    scripts: Arc<[PathBuf]>,
    at_once: usize,
    /// What stands around the scripts of a folder, once for all of them.
    fixtures: Fixtures,
    /// The case that has run last: teardowns are given what it was given.
    last: Mutex<Option<Case>>,
}

impl Plan {
    fn last(&self) -> MutexGuard<'_, Option<Case>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the teardowns of the folders whose scripts have run; whether all of them passed.
    fn tear_down(&self) -> bool {
        let torn = self.last().take().map(|case| case.tear_down()).unwrap_or_default();
        let failed: Vec<_> = torn.iter().filter(|outcome| !outcome.is_ok()).collect();
        for outcome in &failed {
            anstream::eprintln!("{}", report(outcome));
        }
        failed.is_empty()
    }
}

/// A test that only says what is wrong with the folder.
fn broken(folder: &Path, error: Error, showing: Showing) -> Trial {
    let outcome = Outcome::new(folder, Verdict::Failed(Box::new(error.into())));
    Trial::ignorable_test(folder.to_string_lossy(), move || showing.conclude(outcome))
}

/// What a script is called among the tests: its path in the folder.
fn name(folder: &Path, script: &Path) -> String {
    script.strip_prefix(folder).unwrap_or(script).with_extension("").to_string_lossy().into_owned()
}

fn ignored_for(why: String) -> Completion {
    if why.is_empty() { Completion::ignored() } else { Completion::ignored_with(why) }
}

/// How outcomes are shown.
#[derive(Clone, Copy)]
struct Showing {
    /// Whether the report may be coloured; if nobody looks, libtest-mimic takes the colours out.
    colours: bool,
    /// Whether what passed is shown as well.
    passed: bool,
}

impl Showing {
    fn of(arguments: &Arguments) -> Self {
        let colours = arguments.format != Some(FormatSetting::Json);
        Self { colours, passed: arguments.nocapture || arguments.show_output }
    }

    /// What an outcome is to libtest-mimic. A script that skips itself is ignored, with its reason.
    fn conclude(self, outcome: Outcome) -> Result<Completion, Failed> {
        match outcome.verdict {
            Verdict::Passed => {
                if self.passed {
                    anstream::eprint!("{}", Human { verbose: true }.outcome(&outcome));
                }
                Ok(Completion::Completed)
            }
            Verdict::Skipped(reason) => Ok(ignored_for(reason)),
            _ if self.colours => Err(report(&outcome).into()),
            _ => Err(anstream::adapter::strip_str(&report(&outcome)).into()),
        }
    }
}
