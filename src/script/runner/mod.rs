//! Runs scripts to their outcomes, with the same settings.

mod around;
mod ending;

#[cfg(feature = "cli")]
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use rhai::Engine;

use super::coroutine::wipe_what_is_freed;
use super::engine::engine;
use super::fixtures::{Fixtures, Given};
use super::library::{self, Library};
#[cfg(feature = "cli")]
use super::listening::Listens;
use super::program::Program;
use super::run::{Run, Shared};
use super::settings::Settings;
use super::{check, failure, memory, variables};
use crate::error::Result;
use crate::outcome::{Failure, Outcome, Verdict};
use crate::secrets::{self, Learned};
#[cfg(feature = "cli")]
use crate::transcript::Event;
use crate::transport::{Pace, ThreadUse};
#[cfg(feature = "cli")]
use crate::transport::{Recording, Segment};

/// Runs scripts with the same settings and one engine. Several threads can share a runner.
#[derive(Clone)]
pub struct Runner {
    library: Arc<Library>,
    shared: Shared,
    fixtures: Fixtures,
}

impl Runner {
    /// Whether a parameter is set.
    #[cfg(feature = "cli")]
    pub(crate) fn has(&self, parameter: &str) -> bool {
        self.shared.settings.params.contains_key(parameter)
    }

    /// Whether scripts speak with the embedded servers, because no other server was named.
    #[cfg(feature = "cli")]
    pub(crate) fn is_embedded(&self) -> bool {
        self.shared.settings.is_embedded()
    }

    /// Makes a runner with these settings, for scripts that run one after the other.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let library = Arc::new(Library::default());
        let secrets = Learned::default();
        for (_, value) in settings.params.iter().filter(|(name, _)| secrets::is_secret_name(name)) {
            wipe_what_is_freed();
            secrets.keep(value.as_bytes());
        }
        for value in settings.params.values() {
            if let Some(password) = secrets::password_of_url(value) {
                wipe_what_is_freed();
                secrets.keep(value[password].as_bytes());
            }
        }
        let mut engine = engine(Arc::clone(&library));
        variables::watch(&mut engine, settings.memory);
        let shared = Shared {
            secrets,
            allowance: memory::allowance(settings.memory, 1),
            settings: Arc::new(settings),
            server: Arc::default(),
            pace: Pace::default(),
            regexes: Arc::default(),
            engine: Arc::new(engine),
            watcher: None,
            listens: None,
            unset: Arc::default(),
            #[cfg(feature = "cli")]
            taped: false,
        };
        Self { library, shared, fixtures: Fixtures::default() }
    }

    /// Masks these values in everything that is shown of its runs.
    #[cfg(feature = "cli")]
    pub(crate) fn keep_secrets(&self, secrets: &[zeroize::Zeroizing<String>]) {
        for secret in secrets {
            self.shared.secrets.keep(secret.as_bytes());
        }
    }

    /// Sets how many scripts will run at the same time, because they share the limit on memory.
    #[must_use]
    pub fn at_once(mut self, scripts: usize) -> Self {
        self.shared.allowance = memory::allowance(self.shared.settings.memory, scripts);
        self
    }

    /// Shares setups with other runners: a setup that one of them has run does not run again.
    pub(super) fn sharing(mut self, fixtures: Fixtures) -> Self {
        self.fixtures = fixtures;
        self
    }

    /// Returns a runner that cuts the streams of its sessions, and shares everything else with this
    /// one, except for setups.
    #[cfg(feature = "cli")]
    pub(crate) fn segment(&self, way: Segment) -> Self {
        let options = self.shared.settings.options.clone().segment(way);
        let settings = Arc::new(Settings { options, ..(*self.shared.settings).clone() });
        let shared = Shared { settings, ..self.shared.clone() };
        Self { library: Arc::clone(&self.library), shared, fixtures: Fixtures::default() }
    }

    /// Returns a runner whose sessions play a recording. Recorded parameters are used unless a
    /// value is set.
    #[cfg(feature = "cli")]
    pub(crate) fn play(
        &self,
        recording: Arc<Recording>,
        params: &BTreeMap<String, String>,
        timeout: Duration,
    ) -> Self {
        let mut settings = (*self.shared.settings).clone();
        settings.options = settings.options.recording(recording).timeout(timeout);
        for (name, value) in params {
            settings.params.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let shared = Shared { settings: Arc::new(settings), ..self.shared.clone() };
        Self { library: Arc::clone(&self.library), shared, fixtures: self.fixtures.clone() }
    }

    /// Sets whether the bytes of the sessions of its runs are recorded.
    #[cfg(feature = "cli")]
    #[must_use]
    pub(crate) fn taped(mut self, taped: bool) -> Self {
        self.shared.taped = taped;
        self
    }

    /// How long a script may take.
    pub(super) fn deadline(&self) -> Duration {
        self.shared.settings.deadline
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    pub(super) fn library(&self) -> &Library {
        &self.library
    }

    /// Runs a script to its outcome. When `interrupt` is ready, the script ends where it is.
    pub async fn run(&self, path: &Path, interrupt: impl Future<Output = ()>) -> Outcome {
        self.run_on(ThreadUse::Shared, path, interrupt).await
    }

    /// Does the same as [`Runner::run`], for a caller that knows whether the thread is shared.
    pub(crate) async fn run_on(
        &self,
        thread: ThreadUse,
        path: &Path,
        interrupt: impl Future<Output = ()>,
    ) -> Outcome {
        let (started, mut interrupt) = (Instant::now(), pin!(interrupt));
        let around = match self.around(thread, path, interrupt.as_mut()).await {
            Ok(around) => around,
            Err(unready) => {
                let title = self.title(&path.to_string_lossy());
                let elapsed = started.elapsed();
                return Outcome { title, elapsed, ..unready.outcome(path) };
            }
        };
        self.run_alone(thread, path, around.given, interrupt).await.0
    }

    /// Runs a script without its setup and its locks. Returns its outcome, and for a setup its last
    /// value as plain data.
    async fn run_alone(
        &self,
        thread: ThreadUse,
        path: &Path,
        given: Option<Arc<Given>>,
        interrupt: impl Future<Output = ()>,
    ) -> (Outcome, Option<serde_json::Value>) {
        let mut interrupt = pin!(lasting(interrupt));
        let started = Instant::now();
        let name = path.to_string_lossy().into_owned();
        if let Err(verdict) = self.prepare(&name, interrupt.as_mut()).await {
            return (Outcome::new(path, verdict), None);
        }
        let (title, program) = match self.compile(&name) {
            Ok(compiled) => compiled,
            Err(failure) => return (self.broken(path, failure), None),
        };
        let run = Rc::new(Run::new(self.shared.clone(), path, given, thread));
        let deadline = after(self.deadline());
        let (ended, mut beside) = self.drive(&run, program, interrupt.as_mut()).await;
        run.ending.deferred.forget();
        run.peers.questions.forget();
        let mut verdict = self.judge(&run, ended, deadline, interrupt).await;
        if let Verdict::Failed(failure) = &mut verdict
            && run.values.lacks_param()
        {
            self.name_all_lacking(path, failure);
        }
        let verdict = failure::failed_beside(verdict, &mut beside);
        if run.secrets().is_overfull() {
            run.warn(secrets::OVERFULL);
        }
        let mut outcome = Outcome {
            title,
            expectations: run.proofs(),
            recorded: run.transcript.recorded().map(Box::new),
            transcript: run.transcript.take(),
            elapsed: started.elapsed(),
            params: run.values.take_params(),
            known: run.values.take_known(),
            beside,
            redaction: Some(run.redaction()),
            measured: run.measured(),
            until: Some(deadline.into_std()),
            ..Outcome::new(path, verdict)
        };
        outcome.cases = run.table.outcomes(&mut outcome, &run.secrets());
        // The error of the script names its cases.
        outcome.cases.iter_mut().for_each(|case| case.mask(run.secrets()));
        // A script that skips its rest has failed all the same if a case of it has.
        if let Verdict::Passed | Verdict::Skipped(_) = &outcome.verdict {
            outcome.fail_by_cases();
        }
        outcome.seeded(run.draws.used());
        outcome.mask(run.secrets());
        (outcome, run.fixture.take_last())
    }

    /// If a script lacks a parameter, names all parameters that it lacks, so that the user can give
    /// them at once. It is not known which of them the script would have asked for, so these are
    /// all parameters without a default in its text.
    fn name_all_lacking(&self, path: &Path, failure: &mut Failure) {
        let lacking = self.lacking(path);
        let lacking: Vec<_> = lacking.iter().map(String::as_str).collect();
        if lacking.len() > 1 && failure.error.is_usage() {
            failure.error = self.shared.settings.servers.no_value(&lacking);
        }
    }

    /// Returns the parameters that a script needs and that have no value, as found in its text.
    pub(crate) fn lacking(&self, path: &Path) -> Vec<String> {
        let settings = &self.shared.settings;
        let params = self.params(path);
        let has = |name: &String| settings.params.contains_key(name) || settings.servers.has(name);
        let required = params.required.into_iter().filter(|name| !has(name));
        let unset = self.shared.unset.iter().filter(|name| params.known.contains_key(*name));
        required.chain(unset.cloned()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Sets which parameters have no value although they should have one, whatever a script gives as
    /// their default.
    #[cfg(feature = "cli")]
    #[must_use]
    pub(crate) fn without(mut self, unset: BTreeSet<String>) -> Self {
        self.shared.unset = Arc::new(unset);
        self
    }

    /// Calls a function for each event of its runs as it happens.
    #[cfg(feature = "cli")]
    pub(crate) fn watched(mut self, watcher: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.shared.watcher = Some(Arc::new(watcher));
        self
    }

    /// Sets the addresses on which the listeners of its scripts listen.
    #[cfg(feature = "cli")]
    pub(crate) fn listening(mut self, listens: Listens) -> Self {
        self.shared.listens = Some(Arc::new(listens));
        self
    }

    /// Uses this text as the script of this name, which is not a file.
    #[cfg(feature = "cli")]
    pub(crate) fn give(&self, name: &Path, text: String) {
        self.library.give(self.engine(), &name.to_string_lossy(), text);
    }

    /// Compiles a script. Returns its title too.
    fn compile(&self, name: &str) -> Result<(Option<String>, Arc<Program>), Failure> {
        let unit = self
            .library
            .load(self.engine(), name)
            .map_err(|error| Failure::from(library::unreadable(name, &error)))?;
        let program = unit.program().map_err(|e| failure::unparsable(e, name, &self.library))?;
        match unit.forbids_start(|| check::forbids_start(self.engine(), &self.library, name)) {
            Some(fatal) => Err(fatal),
            None => Ok((unit.title.clone(), Arc::clone(program))),
        }
    }

    /// Makes the outcome of a script that could not be run.
    pub(super) fn broken(&self, path: &Path, failure: Failure) -> Outcome {
        let title = self.title(&path.to_string_lossy());
        Outcome { title, ..Outcome::new(path, Verdict::Failed(Box::new(failure))) }
    }

    /// Returns the title of a script that was compiled.
    pub(super) fn title(&self, name: &str) -> Option<String> {
        self.library.get(name)?.title.clone()
    }
}

/// The moment at which so much time has passed from now on.
fn after(time: Duration) -> tokio::time::Instant {
    let now = tokio::time::Instant::now();
    // If the clock cannot represent the moment, a year is long enough to stand for it.
    now.checked_add(time).unwrap_or(now + Duration::from_hours(24 * 365))
}

/// The interrupt, which stays ready once it has come, so that each part of a run can look at it.
fn lasting(interrupt: impl Future<Output = ()>) -> impl Future<Output = ()> {
    let (mut interrupt, mut has_come) = (Box::pin(interrupt), false);
    poll_fn(move |cx| {
        has_come = has_come || interrupt.as_mut().poll(cx).is_ready();
        if has_come { Poll::Ready(()) } else { Poll::Pending }
    })
}
