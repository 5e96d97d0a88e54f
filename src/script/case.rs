//! One file run to an outcome.

#[cfg(feature = "cli")]
use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use rhai::{Dynamic, Engine, NativeCallContext};

use super::coroutine::{Coroutine, Stop};
use super::engine::engine;
use super::failure::End;
use super::fixtures::{self, Fixtures};
use super::library::Library;
use super::program::Program;
use super::run::{Run, Shared};
use super::settings::{Servers, Settings};
use super::{check, failure, finally, memory, serial, table};
use crate::error::{Error, Kind, Result};
use crate::outcome::{Failure, Outcome, Verdict};
use crate::redaction::Redaction;
use crate::secrets::{self, Learned};
use crate::session::Options;
use crate::tls;
#[cfg(feature = "cli")]
use crate::transcript::Event;
use crate::transport::{Pace, Thread};
#[cfg(feature = "cli")]
use crate::transport::{Recording, Segment};

/// A script to be run once, from Rust.
///
/// ```
/// use mailexpect::script::Case;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("greeting.rhai");
/// # std::fs::write(&path, "// The greeting.\nconnect().expect(220);")?;
/// let outcome = Case::new(&path).embedded().run();
/// assert!(outcome.is_ok());
/// assert_eq!(outcome.title.as_deref(), Some("The greeting."));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Case {
    pub(super) path: PathBuf,
    pub(super) settings: Settings,
    /// How many scripts run at once in this process, as far as is known.
    at_once: usize,
    /// Scripts that are given the same parameters: each of them has to be known to one.
    pub(super) others: Arc<[PathBuf]>,
}

impl Case {
    /// The script at that path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            settings: Settings::default(),
            at_once: 1,
            others: Arc::default(),
        }
    }

    /// Sets a parameter, as `--set name=value` does. One that the script does not have is an error.
    #[must_use]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "so that a value and a reference to one can both be given"
    )]
    pub fn set(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.settings.params.insert(name.into(), format!("{value}"));
        self
    }

    /// Lets the parameters `smtp`, `submission`, `imap`, `pop3s` and their like be the embedded
    /// server if none is set, as in `mailexpect run`. Without this, a script that asks for one of
    /// them fails.
    #[must_use]
    pub fn embedded(mut self) -> Self {
        self.settings.servers = Servers::Embedded;
        self
    }

    /// Sets the deadline of each operation.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.options = self.settings.options.clone().timeout(timeout);
        self
    }

    /// Sets how sessions are opened, unless the script says otherwise.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.settings.options = options.unjudged();
        self
    }

    /// Sets the deadline of the whole script.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.settings.deadline = deadline;
        self
    }

    /// Sets how TLS is put on, unless the script says otherwise.
    #[must_use]
    pub fn tls(mut self, tls: tls::Options) -> Self {
        self.settings.options = self.settings.options.tls(tls);
        self
    }

    /// Sets what is redacted in its golden transcript, unless the script says otherwise.
    #[must_use]
    pub fn redaction(mut self, redaction: Redaction) -> Self {
        self.settings.redaction = Arc::new(redaction);
        self
    }

    /// Lets the script start processes.
    #[must_use]
    pub fn allow_run(mut self) -> Self {
        self.settings.allow_run = true;
        self
    }

    /// Lets the script read files in this folder and below, besides its own and the current one.
    #[must_use]
    pub fn allow_read(mut self, folder: impl Into<PathBuf>) -> Self {
        self.settings.allow_read.push(folder.into());
        self
    }

    /// Lets the script connect to unix sockets outside of its folder and of the current one.
    #[must_use]
    pub fn allow_sockets(mut self) -> Self {
        self.settings.allow_sockets = true;
        self
    }

    /// Lets the script listen on other addresses than loopback, and on unix sockets outside of its
    /// folder and of the current one.
    #[must_use]
    pub fn allow_listen(mut self) -> Self {
        self.settings.allow_listen = true;
        self
    }

    /// Says how many scripts run at once: they share memory.
    #[must_use]
    pub(crate) fn at_once(mut self, scripts: usize) -> Self {
        self.at_once = scripts;
        self
    }

    /// Names scripts that are given the same parameters: one of theirs is no error here.
    #[must_use]
    pub(crate) fn others(mut self, others: Arc<[PathBuf]>) -> Self {
        self.others = others;
        self
    }

    /// Runs the script to its outcome, on a runtime of its own.
    ///
    /// # Panics
    /// Inside of an async runtime, whose thread it would block: await [`Case::run_async`] there.
    #[must_use]
    #[track_caller]
    pub fn run(&self) -> Outcome {
        assert!(
            tokio::runtime::Handle::try_current().is_err(),
            "a script that is run here blocks the thread, and this is the thread of an async runtime: write assert_script_async!(...).await in place of assert_script!(...), or run_async().await in place of run()"
        );
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(self.run_on(Thread::Own)),
            Err(error) => self
                .runner()
                .broken(&self.path, Error::new(Kind::Io, format!("no runtime: {error}")).into()),
        }
    }

    /// [`Case::run`] for who is in an async runtime.
    pub async fn run_async(&self) -> Outcome {
        self.run_on(Thread::Shared).await
    }

    async fn run_on(&self, thread: Thread) -> Outcome {
        let runner = self.runner();
        match self.check_params(&runner) {
            Ok(()) => {
                let mut outcome = runner.run_on(thread, &self.path, std::future::pending()).await;
                for torn in runner.tear_down(thread).await {
                    let failure = torn.failure().cloned();
                    outcome.beside.extend(failure);
                }
                let mut beside = std::mem::take(&mut outcome.beside);
                outcome.verdict = failure::failed_beside(outcome.verdict, &mut beside);
                Outcome { beside, ..outcome }
            }
            Err(error) => runner.broken(&self.path, error.into()),
        }
    }

    pub(super) fn runner(&self) -> Runner {
        Runner::new(self.settings.clone()).at_once(self.at_once)
    }
}

/// Runs scripts with the same settings, one engine for all of them, on as many threads as share it.
pub struct Runner {
    library: Arc<Library>,
    shared: Shared,
    fixtures: Fixtures,
}

impl Runner {
    /// A runner with these settings, of one script after the other.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let library = Arc::new(Library::default());
        let secrets = Learned::default();
        for (_, value) in settings.params.iter().filter(|(name, _)| secrets::is_secret_name(name)) {
            secrets.keep(value.as_bytes());
        }
        for value in settings.params.values() {
            if let Some(password) = secrets::password_of_url(value) {
                secrets.keep(value[password].as_bytes());
            }
        }
        let shared = Shared {
            secrets,
            settings: Arc::new(settings),
            server: Arc::default(),
            pace: Pace::default(),
            regexes: Arc::default(),
            engine: Arc::new(engine(Arc::clone(&library))),
            watcher: None,
            allowance: memory::allowance(1),
            #[cfg(feature = "cli")]
            taped: false,
        };
        Self { library, shared, fixtures: Fixtures::default() }
    }

    /// Masks these values in all that is shown of its runs.
    #[cfg(feature = "cli")]
    pub(crate) fn keep_secrets(&self, secrets: &[zeroize::Zeroizing<String>]) {
        for secret in secrets {
            self.shared.secrets.keep(secret.as_bytes());
        }
    }

    /// Says how many scripts will run at once: they share what they may hold in memory.
    #[must_use]
    pub fn at_once(mut self, scripts: usize) -> Self {
        self.shared.allowance = memory::allowance(scripts);
        self
    }

    /// One that cuts the streams of its sessions, and shares everything else with this.
    #[cfg(feature = "cli")]
    pub(crate) fn segment(&self, way: Segment) -> Self {
        let options = self.shared.settings.options.clone().segment(way);
        let settings = Arc::new(Settings { options, ..(*self.shared.settings).clone() });
        let shared = Shared { settings, ..self.shared.clone() };
        Self { library: Arc::clone(&self.library), shared, fixtures: Fixtures::default() }
    }

    /// One whose sessions are those of a recording, and whose parameters are those that were
    /// recorded, unless they are set.
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

    /// Records what goes by on the sessions of its runs.
    #[cfg(feature = "cli")]
    #[must_use]
    pub(crate) fn taped(mut self, taped: bool) -> Self {
        self.shared.taped = taped;
        self
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    pub(super) fn library(&self) -> &Library {
        &self.library
    }

    /// Runs the script at that path to its outcome. Once `interrupt` is ready, the script ends
    /// where it is.
    pub async fn run(&self, path: &Path, interrupt: impl Future<Output = ()>) -> Outcome {
        self.run_on(Thread::Shared, path, interrupt).await
    }

    /// The same, if it is known whose the thread is.
    pub(crate) async fn run_on(
        &self,
        thread: Thread,
        path: &Path,
        interrupt: impl Future<Output = ()>,
    ) -> Outcome {
        let mut interrupt = pin!(interrupt);
        let around = match self.around(thread, path, interrupt.as_mut()).await {
            Ok(around) => around,
            Err(verdict) => {
                let title = self.title(&path.to_string_lossy());
                return Outcome { title, ..Outcome::new(path, verdict) };
            }
        };
        self.run_alone(thread, path, around.fixture, interrupt).await.0
    }

    /// Runs a script without what stands around it; its outcome, and the plain data that it ended
    /// with if others are to have that.
    async fn run_alone(
        &self,
        thread: Thread,
        path: &Path,
        fixture: Option<Arc<serde_json::Value>>,
        interrupt: impl Future<Output = ()>,
    ) -> (Outcome, Option<Arc<serde_json::Value>>) {
        let started = Instant::now();
        let name = path.to_string_lossy().into_owned();
        let (title, program) = match self.compile(&name) {
            Ok(compiled) => compiled,
            Err(failure) => return (self.broken(path, failure), None),
        };
        let run = Rc::new(Run::new(self.shared.clone(), path, thread).with_fixture(fixture));
        let (ended, mut beside) = self.drive(&run, program, interrupt).await;
        run.deferred.forget();
        let mut verdict = self.judge(&run, ended).await;
        if let Verdict::Failed(failure) = &mut verdict
            && run.lacks_param()
        {
            self.name_all_lacking(path, failure);
        }
        let verdict = failure::failed_beside(verdict, &mut beside);
        let mut outcome = Outcome {
            title,
            expectations: run.proofs(),
            recorded: run.transcript.recorded().map(Box::new),
            transcript: run.transcript.take(),
            elapsed: started.elapsed(),
            params: run.take_params(),
            known: run.take_known(),
            beside,
            redaction: Some(run.redaction()),
            measured: run.measured(),
            ..Outcome::new(path, verdict)
        };
        outcome.cases = run.table.outcomes(&outcome);
        if let (Verdict::Passed, Some(error)) = (&outcome.verdict, table::failed(&outcome.cases)) {
            outcome.verdict = Verdict::Failed(Box::new(error.into()));
            outcome.failed_by_cases = true;
        }
        outcome.mask(run.secrets());
        (outcome, run.take_ended_with())
    }

    /// Waits for what has to stand around a script: the names that it must have alone, and the
    /// setup of its folder, which the first script of the folder runs.
    ///
    /// # Errors
    /// The verdict of the script if it cannot run.
    async fn around(
        &self,
        thread: Thread,
        path: &Path,
        interrupt: impl Future<Output = ()>,
    ) -> Result<Around, Verdict> {
        let failed = |failure: Failure| Verdict::Failed(Box::new(failure));
        // What is wrong with the script, its own run says.
        let Ok(unit) = self.library.load(self.engine(), &path.to_string_lossy()) else {
            return Ok(Around::default());
        };
        if unit.serial.is_empty() && unit.fixture.is_none() {
            return Ok(Around::default());
        }
        let ready = async {
            let fixture = match &unit.fixture {
                Some(folder) => self.set_up(thread, folder).await.map_err(failed)?,
                None => None,
            };
            let locks = serial::hold(&unit.serial).await;
            let locks = locks.map_err(|error| failed(error.into()))?;
            Ok(Around { _locks: locks, fixture })
        };
        tokio::select! {
            ready = ready => ready,
            () = interrupt => {
                let error = Error::new(Kind::Timeout, "interrupted before it began");
                Err(Verdict::Interrupted(Box::new(error.into())))
            }
        }
    }

    /// What the setup of a folder ended with; it is run now if it was not before.
    async fn set_up(
        &self,
        thread: Thread,
        folder: &Path,
    ) -> Result<Option<Arc<serde_json::Value>>, Failure> {
        let setup = self.fixtures.of(folder);
        let run = async {
            let path = folder.join(fixtures::SETUP);
            if !path.is_file() {
                return Ok(None);
            }
            let (outcome, value) =
                self.run_alone(thread, &path, None, std::future::pending()).await;
            match outcome.failure() {
                Some(failure) => {
                    let message = format!("{} failed: {}", path.display(), failure.error.message());
                    let error = failure.error.clone().say(&message);
                    Err(Failure { error, ..failure.clone() })
                }
                None => Ok(value),
            }
        };
        setup.get_or_init(|| run).await.clone()
    }

    /// Runs the teardowns of all folders whose scripts have run; their outcomes.
    pub(crate) async fn tear_down(&self, thread: Thread) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for (folder, setup) in self.fixtures.take() {
            let path = folder.join(fixtures::TEARDOWN);
            if path.is_file() {
                let value = setup.get().and_then(|setup| setup.clone().ok().flatten());
                let torn = self.run_alone(thread, &path, value, std::future::pending()).await;
                outcomes.push(torn.0);
            }
        }
        outcomes
    }

    /// A script that lacks one parameter is told of all that it lacks, so that they are given at
    /// once. Which it would have asked for is not known: those that its text has no default for.
    fn name_all_lacking(&self, path: &Path, failure: &mut Failure) {
        let lacking = self.lacking(path);
        let lacking: Vec<_> = lacking.iter().map(String::as_str).collect();
        if lacking.len() > 1 && failure.error.is_usage() {
            failure.error = self.shared.settings.servers.no_value(&lacking);
        }
    }

    /// The parameters that a script needs and that have no value, as its text tells them.
    pub(crate) fn lacking(&self, path: &Path) -> Vec<String> {
        let settings = &self.shared.settings;
        let mut required: Vec<_> = self.params(path).required.into_iter().collect();
        required.retain(|name| !settings.params.contains_key(name) && !settings.servers.has(name));
        required
    }

    /// Tells somebody of each event of its runs as it happens.
    #[cfg(feature = "cli")]
    pub(crate) fn watched(mut self, watcher: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.shared.watcher = Some(Arc::new(watcher));
        self
    }

    /// Takes this text for the script of that name, which is no file.
    #[cfg(feature = "cli")]
    pub(crate) fn give(&self, name: &Path, text: String) {
        self.library.give(self.engine(), &name.to_string_lossy(), text);
    }

    /// The script, with its title.
    fn compile(&self, name: &str) -> Result<(Option<String>, Arc<Program>), Failure> {
        let unit = self.library.load(self.engine(), name).map_err(|error| {
            let error = Error::usage(format!("cannot read {name}: {error}"));
            Failure::from(error.hint("look for a slip in the path"))
        })?;
        let program = unit.program().map_err(|e| failure::unparsable(e, name, &self.library))?;
        match unit.unknown_word(|| check::unknown_word(self.engine(), &self.library, name)) {
            Some(unknown) => Err(unknown),
            None => Ok((unit.title.clone(), Arc::clone(program))),
        }
    }

    /// Runs the script until it ends, its deadline runs out or it is interrupted.
    async fn drive(
        &self,
        run: &Rc<Run>,
        program: Arc<Program>,
        interrupt: impl Future<Output = ()>,
    ) -> Ran {
        let (engine, library) = (Arc::clone(&self.shared.engine), Arc::clone(&self.library));
        let shared = Rc::clone(run);
        // What the script threw is let go of on its own stack: it may be nested deep.
        let script = Coroutine::new(Rc::<Run>::clone(run), move || {
            let mut beside = Vec::new();
            let last = |context: &NativeCallContext<'_>, value: Option<&Dynamic>| {
                shared.end_with(value);
                beside = finally::run(context, &shared, 0, &library);
            };
            let ended = program.run(&engine, last);
            let ended = ended.map_err(|raised| failure::end_of(raised, program.name(), &library));
            (ended, beside)
        });
        let mut script = match script {
            Ok(script) => pin!(script.allow(memory::ALLOWANCE)),
            Err(error) => {
                let error = Error::new(Kind::Io, format!("no stack for the script: {error}"));
                return (Err(End::Failed(error.into())), Vec::new());
            }
        };
        let stop = tokio::select! {
            biased;
            ended = guarded(script.as_mut()) => return ended,
            // Not waited for: it is the deadline that the script races.
            () = tokio::time::sleep(self.shared.settings.deadline) => Stop::Deadline,
            () = interrupt => Stop::Interrupt,
        };
        script.stop(stop);
        tokio::select! {
            biased;
            ended = guarded(script.as_mut()) => return ended,
            // Not waited for either: the bound of what runs at the end of a script that was stopped.
            () = tokio::time::sleep(finally::AFTER_A_STOP) => {}
        }
        script.stop(Stop::Deadline);
        guarded(script).await
    }

    /// What it came to: the script's own end, then what its sessions say.
    async fn judge(&self, run: &Run, ended: Result<(), End>) -> Verdict {
        let ended = match (ended, run.ended()) {
            // It was swallowed on its way.
            (Ok(()), Some(reason)) => Err(failure::end_of_all(reason, None)),
            (ended, _) => ended,
        };
        let faulty = if ended.is_ok() { run.end_sessions(0).await } else { None };
        let failed = faulty.map(|(error, handle)| {
            let failure = failure::at_the_end(error, handle.last(), &self.library);
            Failure { step: handle.step(), ..failure }
        });
        let mut failed = match failed {
            None if ended.is_ok() => self.unaccepted(run).await,
            failed => failed,
        };
        run.close_listeners();
        if ended.is_ok() && failed.is_none() {
            let wrong = run.programs.end(&run.transcript).await;
            failed =
                wrong.map(|(error, spot)| failure::at_the_end(error, Some(spot), &self.library));
        }
        run.programs.kill();
        for handle in run.sessions() {
            if let Ok(mut taken) = handle.take()
                && let Ok(session) = taken.session()
            {
                session.hang_up();
            }
        }
        let with_step = |failure: Failure| Box::new(Failure { step: run.step_title(), ..failure });
        match (ended, failed) {
            (Err(End::Skipped(reason)), _) => Verdict::Skipped(reason),
            (Err(End::Interrupted(failure)), _) => Verdict::Interrupted(with_step(failure)),
            (Err(End::Failed(failure)), _) => Verdict::Failed(with_step(failure)),
            (Ok(()), Some(failure)) => Verdict::Failed(Box::new(failure)),
            (Ok(()), None) if run.has_proved_nothing() => {
                Verdict::Failed(Box::new(nothing_expected().into()))
            }
            (Ok(()), None) => match run.wrong_end() {
                Some(error) => Verdict::Failed(Box::new(error.into())),
                None => Verdict::Passed,
            },
        }
    }

    /// What the script's listeners say at its end.
    async fn unaccepted(&self, run: &Run) -> Option<Failure> {
        let (error, listening) = run.end_listeners().await?;
        let used = listening.used();
        let (spot, step) = used.map_or((None, None), |used| (Some(used.spot), used.step));
        let failure = failure::at_the_end(error, spot, &self.library);
        Some(Failure { step, ..failure })
    }

    /// The outcome of a script that could not be run.
    fn broken(&self, path: &Path, failure: Failure) -> Outcome {
        let title = self.title(&path.to_string_lossy());
        Outcome { title, ..Outcome::new(path, Verdict::Failed(Box::new(failure))) }
    }

    /// The first comment of a script.
    pub(super) fn title(&self, name: &str) -> Option<String> {
        self.library.get(name)?.title.clone()
    }
}

/// The script, with a panic of ours as a failure of the script: the run goes on, and the transcript
/// is there.
fn guarded(mut script: Pin<&mut Coroutine<Ran>>) -> impl Future<Output = Ran> {
    poll_fn(move |cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| script.as_mut().poll(cx)));
        polled.unwrap_or_else(|_| {
            let error = Error::new(Kind::Io, "a word of the script language panicked")
                .hint("that is a mistake of ours: please report it");
            Poll::Ready((Err(End::Failed(error.into())), Vec::new()))
        })
    })
}

/// What stands around a script while it runs.
#[derive(Default)]
struct Around {
    /// The names that it has alone.
    _locks: Vec<std::fs::File>,
    fixture: Option<Arc<serde_json::Value>>,
}

/// How a script ended, and what failed beside that.
type Ran = (Result<(), End>, Vec<Failure>);

fn nothing_expected() -> Error {
    Error::new(Kind::Vacuous, "the script expects nothing at all")
        .hint("a script that passes must have proved something: add an expect")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failure_of_the_script_and_not_of_the_run() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let script = Coroutine::new(Rc::new(()), || -> Ran { panic!("on purpose") }).unwrap();
        let (Err(End::Failed(failure)), _) = runtime.block_on(guarded(pin!(script))) else {
            panic!("not a failure")
        };
        assert!(failure.error.message().contains("panicked"), "{}", failure.error);
    }
}
