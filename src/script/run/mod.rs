//! The state that the words of one running script share.

mod grants;
mod sessions;
mod steps;
mod values;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use rhai::{Dynamic, Engine, EvalAltResult, NativeCallContext};
use tokio::time::Instant;

use super::coroutine::{self, Stop};
use super::deferred::Deferred;
use super::ended::Ended;
use super::handle::Handle;
use super::listening::{Listening, Listens};
use super::memory;
use super::programs::Programs;
use super::questions::Questions;
use super::raise::Raised;
use super::regexes::Regexes;
use super::settings::Settings;
use super::sizes::Sizes;
use super::table::Table;
use super::{fixtures, plain};
use crate::chance::{Dice, Seed};
use crate::error::{Error, Result};
use crate::outcome::Metric;
use crate::pattern::Pattern;
use crate::redaction::Redaction;
use crate::secrets::Learned;
use crate::server::{Embedded, Ports};
use crate::transcript::{About, Transcript, Watcher, What};
use crate::transport::{Pace, ThreadUse};

/// How many checks lie between two reads of the memory of the process, because a system call takes
/// longer than a few operations of a script.
const LOOKS: u32 = 32;

/// The most values that differ from run to run and are replaced in a golden. Also the most
/// warnings.
const MOST_KNOWN: usize = 1000;

/// The state of one run of one script.
pub(crate) struct Run {
    pub(super) settings: Arc<Settings>,
    pub(super) transcript: Transcript,
    /// The engine for the closures of branches.
    pub(super) engine: Arc<Engine>,
    server: Arc<Server>,
    pace: Pace,
    thread: ThreadUse,
    regexes: Arc<Regexes>,
    sessions: RefCell<Vec<Handle>>,
    /// The listeners that the script opened.
    listeners: RefCell<Vec<Listening>>,
    /// The servers that run in the background.
    servers: RefCell<Vec<Arc<Embedded>>>,
    /// The addresses of listeners and servers, if the caller sets them.
    pub(super) listens: Option<Arc<Listens>>,
    checks: Cell<u64>,
    /// The resident memory at the first check, when the script had only just begun.
    memory: Cell<Option<usize>>,
    /// How many bytes the process may hold beyond its memory at the first check.
    allowance: usize,
    /// How many times the memory was checked.
    looks: Cell<u32>,
    step: RefCell<Option<Arc<str>>>,
    /// The steps so far, each with the time at which it began.
    steps: RefCell<Vec<(Arc<str>, Instant)>>,
    /// The metrics that the script has measured.
    metrics: RefCell<Vec<Metric>>,
    /// The parameters that the script has read, with their values, except secrets.
    params: RefCell<Vec<(String, String)>>,
    /// Whether the script asked for a parameter that has no value.
    lacks_param: Cell<bool>,
    /// The script's own changes to the redaction of the settings.
    redaction: RefCell<Option<Redaction>>,
    /// Why the script has to end, if it has to.
    ended: RefCell<Option<Ended>>,
    /// The closures that run at the end of the script.
    pub(super) deferred: Deferred,
    /// The questions of the script's servers in the background.
    pub(super) questions: Questions,
    /// The warnings that the script has caused so far.
    warned: RefCell<BTreeSet<String>>,
    /// The commands that the script started.
    pub(super) programs: Programs,
    /// The last value of the setup of the script's folder, if there is a setup.
    pub(super) fixture: Option<Arc<serde_json::Value>>,
    /// Whether the script is a setup or a teardown.
    is_fixture: bool,
    /// Whether the script is a setup, whose last value is passed to other scripts.
    is_setup: bool,
    /// The last value of a setup, if it has one.
    ended_with: RefCell<Option<Result<serde_json::Value>>>,
    /// The cases that the script runs with `cases`.
    pub(super) table: Table,
    /// Values that differ from run to run, each with the token that stands for it in a golden.
    known: RefCell<Vec<(String, String)>>,
    /// The ports that the script was given.
    ports: RefCell<Ports>,
    /// The sizes of the values that the script read.
    pub(super) sizes: Sizes,
    /// The seed of the random decisions of the script's listeners and servers.
    pub(super) seed: Seed,
    /// How many listeners and servers use the seed.
    seeded: Cell<u64>,
    /// How many random numbers and bytes the script has drawn.
    drawn: Cell<u64>,
    /// The deadline of the `eventually` in progress.
    limit: Cell<Option<Instant>>,
    /// The folder of the script.
    folder: PathBuf,
    /// The modules that are being imported, outermost first.
    pub(super) importing: RefCell<Vec<String>>,
}

/// The state that the runs of one runner share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(super) settings: Arc<Settings>,
    /// The secrets among the parameters.
    pub(super) secrets: Learned,
    pub(super) server: Arc<Server>,
    pub(super) pace: Pace,
    pub(super) regexes: Arc<Regexes>,
    pub(super) engine: Arc<Engine>,
    /// The function that is told of each event as it happens.
    pub(super) watcher: Option<Watcher>,
    /// The addresses of listeners, if the caller sets them.
    pub(super) listens: Option<Arc<Listens>>,
    /// How many bytes the process may add while scripts run.
    pub(super) allowance: usize,
    /// Whether the bytes of sessions are recorded.
    #[cfg(feature = "cli")]
    pub(super) taped: bool,
}

/// Makes the transcript of a run, which knows the secrets that all runs share.
fn transcript(shared: &Shared) -> Transcript {
    let transcript = Transcript::of(shared.secrets.copy(), shared.watcher.clone());
    #[cfg(feature = "cli")]
    let transcript = if shared.taped { transcript.taped() } else { transcript };
    transcript
}

/// The embedded server, which is started when a script first asks for it, or the error of its
/// start.
#[derive(Default)]
pub(crate) struct Server(OnceLock<std::io::Result<Embedded>>);

impl Server {
    fn started(&self) -> Result<&Embedded> {
        let started = self.0.get_or_init(Embedded::start).as_ref();
        started.map_err(|error| Error::usage(format!("the embedded server cannot start: {error}")))
    }

    fn ca(&self) -> Result<String> {
        let ca = self.started()?.ca().map(str::to_owned);
        ca.map_err(|error| Error::usage(format!("the embedded server has no CA: {error}")))
    }
}

impl Run {
    pub(super) fn new(shared: Shared, script: &Path, thread: ThreadUse) -> Self {
        let transcript = transcript(&shared);
        let seed = shared.settings.seed.map_or_else(Seed::default, Seed::of);
        Self {
            folder: script.parent().map(Path::to_owned).unwrap_or_default(),
            settings: shared.settings,
            engine: shared.engine,
            transcript,
            server: shared.server,
            pace: shared.pace,
            thread,
            regexes: shared.regexes,
            sessions: RefCell::default(),
            listeners: RefCell::default(),
            servers: RefCell::default(),
            listens: shared.listens,
            checks: Cell::new(0),
            memory: Cell::default(),
            allowance: shared.allowance,
            looks: Cell::default(),
            step: RefCell::default(),
            steps: RefCell::default(),
            metrics: RefCell::default(),
            params: RefCell::default(),
            lacks_param: Cell::default(),
            redaction: RefCell::default(),
            ended: RefCell::default(),
            deferred: Deferred::default(),
            questions: Questions::default(),
            warned: RefCell::default(),
            programs: Programs::default(),
            fixture: None,
            is_fixture: fixtures::is_fixture(script),
            is_setup: script.ends_with(fixtures::SETUP),
            ended_with: RefCell::default(),
            table: Table::default(),
            known: RefCell::default(),
            ports: RefCell::default(),
            sizes: Sizes::default(),
            seed,
            seeded: Cell::default(),
            drawn: Cell::default(),
            limit: Cell::default(),
            importing: RefCell::default(),
        }
    }

    /// Returns the run that the calling word belongs to.
    pub(super) fn current() -> Result<Rc<Self>> {
        coroutine::context().ok_or_else(|| Error::usage("this word works in a running script only"))
    }

    /// Returns the seed for the random decisions of the next listener or server, and its number.
    pub(super) fn seeded(&self) -> (Seed, u64) {
        let number = self.seeded.get();
        self.seeded.set(number + 1);
        (self.seed.clone(), number)
    }

    /// Returns the source of the next random number or bytes that the script draws.
    pub(super) fn dice(&self) -> Dice {
        /// Keeps draws apart from listeners and servers.
        const DRAWS: u64 = u64::MAX;
        let number = self.drawn.get();
        self.drawn.set(number + 1);
        self.seed.dice(&[DRAWS, number])
    }

    /// Returns the same run with the last value of the setup of its folder.
    pub(super) fn with_fixture(self, fixture: Option<Arc<serde_json::Value>>) -> Self {
        Self { fixture, ..self }
    }

    /// Keeps the last value of a setup.
    pub(super) fn end_with(&self, value: Option<&Dynamic>) {
        let Some(value) = value.filter(|_| self.is_setup) else { return };
        let ended = plain::of(value);
        // The value of a setup's last statement is often not meant for other scripts. So a value
        // that is not plain data is an error only if it is a list or a map.
        if ended.is_ok() || value.is_map() || value.is_array() {
            self.ended_with.replace(Some(ended));
        }
    }

    /// Takes the last value of a setup as plain data. `None` if there is none, or if the script is
    /// not a setup.
    pub(super) fn take_ended_with(&self) -> Option<Arc<serde_json::Value>> {
        self.ended_with.take().and_then(Result::ok).map(Arc::new)
    }

    /// Returns why the last value of a setup is not plain data, if it is not.
    pub(super) fn wrong_end(&self) -> Option<Error> {
        self.ended_with.borrow().as_ref().and_then(|ended| ended.as_ref().err().cloned())
    }

    /// Records in the transcript something that the script does outside of its dialogues.
    pub(super) fn note(&self, about: About, text: impl Into<Box<str>>) {
        self.transcript.note(What::Note { about, text: text.into() });
    }

    /// Records a warning in the transcript, once for each text.
    pub(super) fn warn(&self, text: &str) {
        let mut warned = self.warned.borrow_mut();
        if warned.len() < MOST_KNOWN && warned.insert(text.to_owned()) {
            self.note(About::Warning, text);
        }
    }

    /// Whether the process has added more memory than it may since this run began. This is called
    /// every few operations, but reads the memory only at some of the calls. Always false if the
    /// memory of each script is counted.
    pub(super) fn holds_too_much(&self) -> bool {
        let looks = self.looks.get().wrapping_add(1);
        self.looks.set(looks);
        if coroutine::is_counted() || !looks.is_multiple_of(LOOKS) {
            return false;
        }
        let Some(now) = memory::resident() else { return false };
        let began = self.memory.get().unwrap_or(now);
        self.memory.set(Some(began));
        now > began.saturating_add(self.allowance)
    }

    /// Returns the compiled regex for a source. Each regex is compiled once for all runs.
    pub(super) fn regex(&self, source: &str) -> Result<Pattern> {
        self.regexes.get(source)
    }

    pub(super) fn count_check(&self) {
        self.checks.set(self.checks.get() + 1);
    }

    /// Adds a secret, so that its value is masked.
    pub(super) fn keep_secret(&self, secret: &str) {
        self.secrets().keep(secret.as_bytes());
    }

    /// Returns the known secrets: the secret parameters, and those that the script and its sessions
    /// have used.
    pub(super) fn secrets(&self) -> Learned {
        self.transcript.learned()
    }

    pub(super) fn checks(&self) -> u64 {
        self.checks.get()
    }

    /// Changes what is redacted in the golden of this run.
    pub(super) fn redact(&self, change: impl FnOnce(Redaction) -> Result<Redaction>) -> Result<()> {
        let before =
            self.redaction.borrow().clone().unwrap_or_else(|| (*self.settings.redaction).clone());
        self.redaction.replace(Some(change(before)?));
        Ok(())
    }

    pub(super) fn redaction(&self) -> Arc<Redaction> {
        self.redaction.take().map_or_else(|| Arc::clone(&self.settings.redaction), Arc::new)
    }

    /// Remembers why the script has to end. Only the first reason is kept.
    pub(super) fn end(&self, ended: Ended) {
        // This ends only one branch; the script may go on.
        if matches!(ended, Ended::Stopped(Stop::Abandoned, _)) {
            return;
        }
        self.ended.borrow_mut().get_or_insert(ended);
    }

    /// Sets why the script has to end; `None` if it does not have to.
    pub(super) fn set_ended(&self, ended: Option<Ended>) {
        self.ended.replace(ended);
    }

    /// Returns the deadline of the `eventually` in progress, if there is one.
    pub(super) fn limit(&self) -> Option<Instant> {
        self.limit.get()
    }

    pub(super) fn set_limit(&self, limit: Option<Instant>) {
        self.limit.set(limit);
    }

    pub(super) fn ended(&self) -> Option<Ended> {
        self.ended.borrow().clone()
    }
}

/// Ends the script in a way that it cannot catch.
#[allow(clippy::unnecessary_box_returns, reason = "Rhai's errors are boxed")]
pub(super) fn end(context: &NativeCallContext<'_>, ended: Ended) -> Raised {
    if let Ok(run) = Run::current() {
        run.end(ended.clone());
    }
    Box::new(EvalAltResult::ErrorTerminated(Dynamic::from(ended), context.call_position()))
}
