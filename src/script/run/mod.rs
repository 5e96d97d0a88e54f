//! What the words of one running script share.

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
use super::table::Table;
use super::{fixtures, plain};
use crate::chance::Seed;
use crate::error::{Error, Result};
use crate::outcome::Metric;
use crate::pattern::Pattern;
use crate::redaction::Redaction;
use crate::secrets::Learned;
use crate::server::{Embedded, Ports};
use crate::transcript::{About, Transcript, Watcher, What};
use crate::transport::{Pace, Thread};

/// The memory of the process is looked at each so many times that it is asked for: a call of the
/// system takes longer than a few operations of a script.
const LOOKS: u32 = 32;

/// So many values are looked for when a golden is made.
const MOST_KNOWN: usize = 1000;

/// The state of one run of one script.
pub(crate) struct Run {
    pub(super) settings: Arc<Settings>,
    pub(super) transcript: Transcript,
    /// What runs the closures of branches.
    pub(super) engine: Arc<Engine>,
    server: Arc<Server>,
    pace: Pace,
    thread: Thread,
    regexes: Arc<Regexes>,
    sessions: RefCell<Vec<Handle>>,
    /// Listeners that the script opened.
    listeners: RefCell<Vec<Listening>>,
    /// Servers in the background.
    servers: RefCell<Vec<Arc<Embedded>>>,
    /// Where they are to be, if the caller says so.
    pub(super) listens: Option<Arc<Listens>>,
    checks: Cell<u64>,
    /// The resident memory when it was first looked at: the script had only just begun.
    memory: Cell<Option<usize>>,
    /// How much may be added to it.
    allowance: usize,
    /// How many times it was asked for.
    looks: Cell<u32>,
    step: RefCell<Option<Arc<str>>>,
    /// The steps so far, each with when it began.
    steps: RefCell<Vec<(Arc<str>, Instant)>>,
    /// What the script has measured.
    metrics: RefCell<Vec<Metric>>,
    /// The parameters that were asked for, with their values, except secrets.
    params: RefCell<Vec<(String, String)>>,
    /// The script asked for a parameter that has no value.
    lacks_param: Cell<bool>,
    /// What the script has said of redaction, on top of the settings.
    redaction: RefCell<Option<Redaction>>,
    /// Why the script has to end, once it has to.
    ended: RefCell<Option<Ended>>,
    /// What is to be done at its end.
    pub(super) deferred: Deferred,
    /// What its servers in the background ask.
    pub(super) questions: Questions,
    /// What it was warned of.
    warned: RefCell<BTreeSet<String>>,
    /// The commands that it runs.
    pub(super) programs: Programs,
    /// What the setup of its folder ended with, if there is one.
    pub(super) fixture: Option<Arc<serde_json::Value>>,
    /// Whether it stands around others.
    is_fixture: bool,
    /// Whether what it ends with is handed over to others.
    is_setup: bool,
    /// What it ended with, if it does.
    ended_with: RefCell<Option<Result<serde_json::Value>>>,
    /// The rows of its tables.
    pub(super) table: Table,
    /// Values that the script had made up, each with what stands for it in its golden.
    known: RefCell<Vec<(String, String)>>,
    /// The ports that it was given.
    ports: RefCell<Ports>,
    /// Decides what its listeners and servers leave to chance.
    pub(super) seed: Seed,
    /// How many of those there are.
    seeded: Cell<u64>,
    /// When what is being tried has to have passed.
    limit: Cell<Option<Instant>>,
    /// The folder of the script.
    folder: PathBuf,
    /// The modules that are being imported just now, outermost first.
    pub(super) importing: RefCell<Vec<String>>,
}

/// What the runs of one runner share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(super) settings: Arc<Settings>,
    /// Those among the parameters.
    pub(super) secrets: Learned,
    pub(super) server: Arc<Server>,
    pub(super) pace: Pace,
    pub(super) regexes: Arc<Regexes>,
    pub(super) engine: Arc<Engine>,
    /// Who is told of each event as it happens.
    pub(super) watcher: Option<Watcher>,
    /// Where listeners are to be, if the caller says so.
    pub(super) listens: Option<Arc<Listens>>,
    /// How much the process may come to hold while scripts run.
    pub(super) allowance: usize,
    /// Whether what goes by is recorded.
    #[cfg(feature = "cli")]
    pub(super) taped: bool,
}

/// A transcript of a run that knows the secrets of all.
fn transcript(shared: &Shared) -> Transcript {
    let transcript = Transcript::of(shared.secrets.copy(), shared.watcher.clone());
    #[cfg(feature = "cli")]
    let transcript = if shared.taped { transcript.taped() } else { transcript };
    transcript
}

/// The embedded server, started when a script first asks for it; if it cannot start, why.
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
    pub(super) fn new(shared: Shared, script: &Path, thread: Thread) -> Self {
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
            seed,
            seeded: Cell::default(),
            limit: Cell::default(),
            importing: RefCell::default(),
        }
    }

    /// The run that the calling word belongs to.
    pub(super) fn current() -> Result<Rc<Self>> {
        coroutine::context().ok_or_else(|| Error::usage("this word works in a running script only"))
    }

    /// What decides what the next listener or server leaves to chance, and its number.
    pub(super) fn seeded(&self) -> (Seed, u64) {
        let number = self.seeded.get();
        self.seeded.set(number + 1);
        (self.seed.clone(), number)
    }

    /// The same run, with what the setup of its folder ended with.
    pub(super) fn with_fixture(self, fixture: Option<Arc<serde_json::Value>>) -> Self {
        Self { fixture, ..self }
    }

    /// Takes what a setup ended with.
    pub(super) fn end_with(&self, value: Option<&Dynamic>) {
        let Some(value) = value.filter(|_| self.is_setup) else { return };
        let ended = plain::of(value);
        // What its last word gave is nothing to hand over, unless it is meant to be: a list or a map.
        if ended.is_ok() || value.is_map() || value.is_array() {
            self.ended_with.replace(Some(ended));
        }
    }

    /// What it ended with, as plain data; nothing if it was none, or nobody wants it.
    pub(super) fn take_ended_with(&self) -> Option<Arc<serde_json::Value>> {
        self.ended_with.take().and_then(Result::ok).map(Arc::new)
    }

    /// What is wrong with what it ended with.
    pub(super) fn wrong_end(&self) -> Option<Error> {
        self.ended_with.borrow().as_ref().and_then(|ended| ended.as_ref().err().cloned())
    }

    /// Takes note of something that the script does beside its dialogues.
    pub(super) fn note(&self, about: About, text: impl Into<Box<str>>) {
        self.transcript.note(What::Note { about, text: text.into() });
    }

    /// Warns of something in the transcript; of the same only once.
    pub(super) fn warn(&self, text: &str) {
        let mut warned = self.warned.borrow_mut();
        if warned.len() < MOST_KNOWN && warned.insert(text.to_owned()) {
            self.note(About::Warning, text);
        }
    }

    /// Whether the process has come to hold more than it may since this run began. It is asked
    /// every few operations, and the system only sometimes; not at all if what each script holds is
    /// counted.
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

    /// The regex of that source, compiled once for all runs.
    pub(super) fn regex(&self, source: &str) -> Result<Pattern> {
        self.regexes.get(source)
    }

    pub(super) fn count_check(&self) {
        self.checks.set(self.checks.get() + 1);
    }

    /// Keeps a secret that the script says.
    pub(super) fn keep_secret(&self, secret: &str) {
        self.secrets().keep(secret.as_bytes());
    }

    /// What is known to be secret: the parameters that are, and what the script and its sessions
    /// have said.
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

    /// Remembers why the script has to end; the first reason counts.
    pub(super) fn end(&self, ended: Ended) {
        // A branch ends that others may go on without.
        if matches!(ended, Ended::Stopped(Stop::Abandoned, _)) {
            return;
        }
        self.ended.borrow_mut().get_or_insert(ended);
    }

    /// Sets why the script has to end, or that it need not.
    pub(super) fn set_ended(&self, ended: Option<Ended>) {
        self.ended.replace(ended);
    }

    /// When what is being tried has to have passed, if something is.
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
