//! Runs each script in a folder as a test of its own, with the arguments of libtest.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use libtest_mimic::{Arguments, Completion, Failed, FormatSetting, Trial};

use super::fixture::Fixture;
use super::{case_of, from_here, report, run_and_hold};
use crate::error::Error;
use crate::outcome::{Outcome, Verdict};
use crate::plan;
use crate::report::Human;
use crate::script::{self, Case, Fixtures};

/// The scripts in a folder as the tests of a target without libtest. This is what
/// [`scripts!`](crate::scripts) uses, with more control over how each script runs. The `setup.rhai`
/// and `teardown.rhai` of a folder run once around those of its scripts that run in one process;
/// cargo-nextest runs each script in a process of its own.
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

/// Prepares a case with the fixture.
type Prepare<F> = dyn Fn(&F, Case) -> Case + Send + Sync;

impl Scripts {
    /// The scripts in a folder, given relative to the crate's folder.
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
    /// Sets a fixture that the scripts need, and how to prepare each case with it. `start` makes
    /// the fixture when the first script runs; it is dropped after the last script. If `start`
    /// panics, every script fails with the message of the panic.
    pub fn with<G: Send + Sync + 'static>(
        self,
        start: impl FnOnce() -> G + Send + 'static,
        prepare: impl Fn(&G, Case) -> Case + Send + Sync + 'static,
    ) -> Scripts<G> {
        let Self { crate_folder, folder, .. } = self;
        Scripts { crate_folder, folder, fixture: Fixture::new(start), prepare: Box::new(prepare) }
    }

    /// Does what the arguments of the process ask for. The exit code is libtest's: 101 if a script
    /// failed.
    #[must_use = "`main` gives it back"]
    pub fn run(self) -> ExitCode {
        self.run_as(std::env::args_os())
    }

    /// As [`Scripts::run`], with other arguments; the first one is the name of the program.
    #[must_use = "`main` gives it back"]
    pub fn run_as<A: Into<OsString> + Clone>(
        self,
        arguments: impl IntoIterator<Item = A>,
    ) -> ExitCode {
        let arguments = Arguments::from_iter(arguments);
        let found = plan::scripts(std::slice::from_ref(&self.folder));
        let scripts = match found {
            Ok(scripts) => scripts,
            // The error is reported as a failed test, so that filters apply to it as well.
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
        // The fixture lives until the teardowns have run.
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
                // libtest-mimic shows no reason for tests that it ignores by itself, so an ignored
                // test is made that reports one.
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
        // A parameter that only another script of the folder has is not an error.
        let case = case.others(Arc::clone(&plan.scripts));
        let fixture = self
            .fixture
            .get()
            .map_err(|why| format!("what the scripts need was not started: {why}"))?;
        let case = (self.prepare)(fixture, case).sharing(plan.fixtures.clone());
        let outcome = run_and_hold(&case);
        *plan.last() = Some(case);
        showing.conclude(outcome)
    }
}

/// The scripts to run, and what they share.
struct Plan {
    scripts: Arc<[PathBuf]>,
    at_once: usize,
    /// The setups and teardowns of folders, shared by all scripts.
    fixtures: Fixtures,
    /// The case that ran last. Teardowns get the same parameters.
    last: Mutex<Option<Case>>,
}

impl Plan {
    fn last(&self) -> MutexGuard<'_, Option<Case>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the teardowns of the folders whose scripts have run. Returns whether all of them
    /// passed.
    fn tear_down(&self) -> bool {
        let torn = self.last().take().map(|case| case.tear_down()).unwrap_or_default();
        let failed: Vec<_> = torn.iter().filter(|outcome| !outcome.is_ok()).collect();
        for outcome in &failed {
            anstream::eprintln!("{}", report(outcome));
        }
        failed.is_empty()
    }
}

/// A test that fails with an error about the folder.
fn broken(folder: &Path, error: Error, showing: Showing) -> Trial {
    let outcome = Outcome::new(folder, Verdict::Failed(Box::new(error.into())));
    Trial::ignorable_test(folder.to_string_lossy(), move || showing.conclude(outcome))
}

/// The name of a script's test: its path in the folder, without the extension.
fn name(folder: &Path, script: &Path) -> String {
    script.strip_prefix(folder).unwrap_or(script).with_extension("").to_string_lossy().into_owned()
}

fn ignored_for(why: String) -> Completion {
    if why.is_empty() { Completion::ignored() } else { Completion::ignored_with(why) }
}

/// How outcomes are shown.
#[derive(Clone, Copy)]
struct Showing {
    /// Whether the report may contain colours. libtest-mimic removes them if the output is not a
    /// terminal.
    colours: bool,
    /// Whether scripts that pass are shown as well.
    passed: bool,
}

impl Showing {
    fn of(arguments: &Arguments) -> Self {
        let colours = arguments.format != Some(FormatSetting::Json);
        Self { colours, passed: arguments.nocapture || arguments.show_output }
    }

    /// The outcome as libtest-mimic reports it. A script that skips itself is ignored, with its
    /// reason.
    fn conclude(self, outcome: Outcome) -> Result<Completion, Failed> {
        match outcome.verdict {
            Verdict::Passed => {
                if self.passed {
                    anstream::eprint!(
                        "{}",
                        Human { verbose: true, ..Human::default() }.outcome(&outcome)
                    );
                }
                Ok(Completion::Completed)
            }
            Verdict::Skipped(reason) => Ok(ignored_for(reason)),
            _ if self.colours => Err(report(&outcome).into()),
            _ => Err(anstream::adapter::strip_str(&report(&outcome)).into()),
        }
    }
}
