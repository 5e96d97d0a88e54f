//! What the words of one running script share.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rhai::{Dynamic, Engine, EvalAltResult, NativeCallContext};
use tokio::time::Instant;

use super::branch::Branch;
use super::coroutine::{self, Stop};
use super::deferred::Deferred;
use super::ended::Ended;
use super::handle::Handle;
use super::listening::Listening;
use super::memory;
use super::programs::Programs;
use super::raise::Raised;
use super::regexes::Regexes;
use super::settings::Settings;
use super::table::Table;
use super::{fixtures, plain};
use crate::error::{Error, Result};
use crate::file;
use crate::outcome::{Measured, Metric};
use crate::pattern::Pattern;
use crate::redaction::Redaction;
use crate::secrets::{Learned, is_secret_name};
use crate::server::{Embedded, Ports};
use crate::session::{Options, Session};
use crate::target::{Place, Target};
use crate::transcript::{About, Transcript, Watcher, What};
use crate::transport::{Pace, Thread};

/// The memory of the process is looked at each so many times that it is asked for: a call of the
/// system takes longer than a few operations of a script.
const LOOKS: u32 = 32;

/// So many values are looked for when a golden is made.
const MOST_KNOWN: usize = 1000;

/// So many steps are timed, and so many metrics kept: more are no use to a monitor.
const MOST_MEASURED: usize = 1000;

/// No more is read of a file that a script names.
const LARGEST_FILE: u64 = 16 << 20;

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
    /// What it was warned of.
    warned: RefCell<BTreeSet<String>>,
    /// The commands that it runs.
    pub(super) programs: Programs,
    /// What the setup of its folder ended with, if there is one.
    pub(super) fixture: Option<Arc<serde_json::Value>>,
    /// Whether it stands around others.
    is_fixture: bool,
    /// What it ended with, if it does.
    ended_with: RefCell<Option<Result<serde_json::Value>>>,
    /// The rows of its tables.
    pub(super) table: Table,
    /// Values that the script had made up, each with what stands for it in its golden.
    known: RefCell<Vec<(String, String)>>,
    /// The ports that it was given.
    ports: RefCell<Ports>,
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
            warned: RefCell::default(),
            programs: Programs::default(),
            fixture: None,
            is_fixture: fixtures::is_fixture(script),
            ended_with: RefCell::default(),
            table: Table::default(),
            known: RefCell::default(),
            ports: RefCell::default(),
            limit: Cell::default(),
            importing: RefCell::default(),
        }
    }

    /// The run that the calling word belongs to.
    pub(super) fn current() -> Result<Rc<Self>> {
        coroutine::context().ok_or_else(|| Error::usage("this word works in a running script only"))
    }

    /// Whether a script may import that file: it lies in the folder of the script or in the current
    /// one, or below, symbolic links followed. What is not there is for the import to say.
    pub(super) fn may_import(&self, file: &Path) -> bool {
        let Ok(file) = file.canonicalize() else { return true };
        let current = Path::new(".");
        let folder = if self.folder.as_os_str().is_empty() { current } else { &self.folder };
        [folder, current]
            .iter()
            .any(|folder| folder.canonicalize().is_ok_and(|folder| file.starts_with(folder)))
    }

    /// Makes sure that a script may connect there: a unix socket outside of where it may import from
    /// may be anybody's, and give its user's rights away.
    pub(super) fn may_connect(&self, url: &str) -> Result<()> {
        let target = Target::parse(url)?;
        let Place::Unix(path) = &target.place else { return Ok(()) };
        let is_given = self.settings.params.values().any(|value| value == url);
        // A socket that is not there is as far away as its folder.
        let file = if path.exists() { Some(path.as_path()) } else { path.parent() };
        let is_near = file.is_none_or(|file| self.may_import(file));
        let is_ours = || self.listeners.borrow().iter().any(|own| own.listener().path() == *path);
        if is_given || self.settings.allow_sockets || is_near || is_ours() {
            return Ok(());
        }
        let error = Error::usage(format!("the script may not connect to {target}"))
            .with_expected("a unix socket in the script's folder or the current one");
        Err(error.hint("give the URL by --set, or --allow-sockets if you trust the script"))
    }

    /// The same run, with what the setup of its folder ended with.
    pub(super) fn with_fixture(self, fixture: Option<Arc<serde_json::Value>>) -> Self {
        Self { fixture, ..self }
    }

    /// Takes what a setup ended with.
    pub(super) fn end_with(&self, value: Option<&Dynamic>) {
        if let (true, Some(value)) = (self.is_fixture, value) {
            self.ended_with.replace(Some(plain::of(value)));
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

    /// Whether it has to have proved something and has not. A setup need not.
    pub(super) fn has_proved_nothing(&self) -> bool {
        self.proofs() == 0 && !self.table.has_failed() && !self.is_fixture
    }

    /// Makes sure that a script may start processes.
    pub(super) fn may_start(&self) -> Result<()> {
        if self.settings.allow_run {
            return Ok(());
        }
        let error = Error::usage("this script may not start a process");
        Err(error.hint("scripts are sandboxed; give --allow-run if you trust it"))
    }

    /// The deadline of each operation, unless a script says otherwise.
    pub(super) fn timeout(&self) -> Duration {
        self.settings.options.operation_timeout()
    }

    /// Reads a file that a script names: one that the caller has given as a parameter, or one where
    /// scripts may import from, its path relative to the script.
    pub(super) fn read(&self, path: &str) -> Result<Vec<u8>> {
        let file = self.readable(path)?;
        file::read_up_to(&file, LARGEST_FILE)
            .map_err(|error| Error::usage(format!("cannot read {path}: {error}")))
    }

    /// The file that a script names, if it may read it.
    pub(super) fn readable(&self, path: &str) -> Result<PathBuf> {
        let is_given = self.settings.params.values().any(|value| value == path);
        let file = if is_given { PathBuf::from(path) } else { self.folder.join(path) };
        if !is_given && !self.may_import(&file) && !self.is_allowed(&file) {
            let why = "it lies outside of the script's folder and of the current one";
            let error = Error::usage(format!("the script may not read {path}: {why}"));
            return Err(error.hint(
                "give its folder by --allow-read, or the path by --set and say param(...) in its place",
            ));
        }
        Ok(file)
    }

    /// Whether the file lies in a folder that the caller granted. One that is not there yet has
    /// its folder looked at.
    fn is_allowed(&self, file: &Path) -> bool {
        let there = file.canonicalize().or_else(|_| {
            let name = file.file_name().unwrap_or_default();
            Ok::<_, std::io::Error>(file.parent().unwrap_or(file).canonicalize()?.join(name))
        });
        let Ok(there) = there else { return false };
        let folders = self.settings.allow_read.iter();
        let mut folders = folders.filter_map(|folder| folder.canonicalize().ok());
        folders.any(|folder| there.starts_with(folder))
    }

    /// How sessions of this run are opened, unless a script says otherwise.
    pub(super) fn options(&self) -> Options {
        let options = self.settings.options.clone().pace(self.pace.clone());
        options.thread(self.thread).transcript(self.transcript.clone())
    }

    /// Makes sure that the script may listen there.
    pub(super) fn may_listen(&self, to: &str) -> Result<()> {
        if self.settings.allow_listen || !to.contains("://") {
            return Ok(());
        }
        let target = Target::parse(to)?;
        let is_near = match &target.place {
            Place::Host { host, .. } => {
                host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
            }
            Place::Unix(path) => path.parent().is_some_and(|folder| self.may_import(folder)),
            Place::Exchangers { .. } => true,
        };
        if is_near {
            return Ok(());
        }
        let error = Error::usage(format!("the script may not listen on {target}"))
            .with_expected("a loopback address, or a unix socket in the script's folder");
        Err(error.hint("give --allow-listen if you trust the script"))
    }

    pub(super) fn adopt_listener(&self, listening: Listening) -> Listening {
        self.listeners.borrow_mut().push(listening.clone());
        listening
    }

    /// Ends the listeners: nobody may be left that connected and was not accepted.
    pub(super) async fn end_listeners(&self) -> Option<(Error, Listening)> {
        let all = self.listeners.borrow().clone();
        for listening in all {
            if let Err(error) = listening.listener().finish().await {
                return Some((error, listening));
            }
        }
        None
    }

    /// Stops listening, without judging who came.
    pub(super) fn close_listeners(&self) {
        self.listeners.borrow().iter().for_each(|listening| listening.listener().close());
    }

    pub(super) fn adopt(&self, session: Session) -> Handle {
        let handle = Handle::new(session);
        self.sessions.borrow_mut().push(handle.clone());
        handle
    }

    pub(super) fn sessions(&self) -> Vec<Handle> {
        self.sessions.borrow().clone()
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

    /// How many sessions were opened so far.
    pub(super) fn opened(&self) -> usize {
        self.sessions.borrow().len()
    }

    /// Leaves the sessions that were opened after so many, without judging them.
    pub(super) fn leave_sessions(&self, from: usize) {
        for handle in self.sessions().into_iter().skip(from) {
            if let Ok(mut taken) = handle.take()
                && let Ok(session) = taken.session()
            {
                session.hang_up();
            }
        }
    }

    /// Ends the dialogues that are still open, of those opened after so many, up to the first that
    /// fails: its error and its handle. Our side of each is closed before the first is read to its
    /// end, so that all of them cost one grace.
    pub(super) async fn end_sessions(&self, from: usize) -> Option<(Error, Handle)> {
        let mut ending = Vec::new();
        let mut sessions = self.sessions().split_off(from.min(self.opened()));
        // Branches open theirs in any order.
        sessions.sort_by_cached_key(|handle| {
            let mut id = None;
            handle.look(|session| id = Some(session.id()));
            id
        });
        for handle in sessions {
            let Ok(mut taken) = handle.take() else { continue };
            match taken.session() {
                Ok(session) if session.is_open() => match session.close_our_side().await {
                    Ok(deadline) => ending.push((taken, handle, deadline)),
                    Err(error) => return Some((error, handle)),
                },
                _ => {}
            }
        }
        for (mut taken, handle, deadline) in ending {
            if let Ok(session) = taken.session()
                && let Err(error) = session.read_to_end(deadline).await
            {
                return Some((error, handle));
            }
        }
        None
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

    /// Begins a step: of the branch that is running, if one is.
    pub(super) fn begin_step(&self, title: &str) {
        let title: Arc<str> = title.into();
        if let Some(branch) = Branch::current() {
            // Branches run at once, so that their steps have no time of their own.
            branch.step.replace(Some(title));
            return;
        }
        self.step.replace(Some(Arc::clone(&title)));
        let mut steps = self.steps.borrow_mut();
        if steps.len() < MOST_MEASURED {
            steps.push((title, Instant::now()));
        }
    }

    /// Goes on in the step of a branch that failed.
    pub(super) fn resume_step(&self, step: Arc<str>) {
        match Branch::current() {
            Some(outer) => outer.step.replace(Some(step)),
            None => self.step.replace(Some(step)),
        };
    }

    /// Keeps a number that the script measured; one of the same name counts as it was said last.
    pub(super) fn measure(&self, metric: Metric) -> Result<()> {
        let mut metrics = self.metrics.borrow_mut();
        metrics.retain(|known| known.name != metric.name);
        if metrics.len() >= MOST_MEASURED {
            return Err(Error::usage(format!("a script has {MOST_MEASURED} metrics at most")));
        }
        metrics.push(metric);
        Ok(())
    }

    /// What the run, which ends now, took and measured.
    pub(super) fn measured(&self) -> Measured {
        let mut measured = Measured::default();
        let mut until = Instant::now();
        for (title, began) in self.steps.take().into_iter().rev() {
            measured.steps.push((title, until.saturating_duration_since(began)));
            until = began;
        }
        measured.steps.reverse();
        measured.metrics = self.metrics.take();
        for handle in self.sessions() {
            handle.look(|session| measured.sessions.extend(session.opened()));
        }
        measured
    }

    /// How often something that was expected came, or an assertion held.
    pub(super) fn proofs(&self) -> u64 {
        let mut proofs = self.checks();
        for handle in self.sessions() {
            handle.look(|session| proofs += session.expectations());
        }
        proofs
    }

    pub(super) fn step_title(&self) -> Option<String> {
        self.step().as_deref().map(str::to_owned)
    }

    pub(super) fn step(&self) -> Option<Arc<str>> {
        let of_branch = Branch::current().and_then(|branch| branch.step.borrow().clone());
        of_branch.or_else(|| self.step.borrow().clone())
    }

    /// Remembers the value that a parameter has.
    pub(super) fn note_param(&self, name: &str, value: &str) {
        if !is_secret_name(name) {
            let mut params = self.params.borrow_mut();
            if !params.iter().any(|(known, _)| known == name) {
                params.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// What is wrong with a parameter that has no value.
    pub(super) fn no_value(&self, name: &str) -> Error {
        self.lacks_param.set(true);
        self.settings.servers.no_value(&[name])
    }

    pub(super) fn lacks_param(&self) -> bool {
        self.lacks_param.get()
    }

    /// Takes note of a value that differs from run to run, and of what stands for it in a golden:
    /// a word, numbered unless all values of that word are the same to a reader.
    pub(super) fn note_known(&self, word: &str, value: &str, is_numbered: bool) {
        let mut known = self.known.borrow_mut();
        if known.len() >= MOST_KNOWN || known.iter().any(|(_, known)| known == value) {
            return;
        }
        let number = 1 + known.iter().filter(|(known, _)| known.starts_with(word)).count();
        let number = if is_numbered { format!("_{number}") } else { String::new() };
        known.push((format!("{word}{number}"), value.to_owned()));
    }

    pub(super) fn take_known(&self) -> Vec<(String, String)> {
        self.known.take()
    }

    /// A port of this machine on which nobody listens, and that no other run is given.
    pub(super) fn free_port(&self) -> Result<u16> {
        let name = self.known.borrow().len().to_string();
        let port = self.ports.borrow_mut().choose(&name)?;
        self.note_known("PORT", &port.to_string(), true);
        Ok(port)
    }

    pub(super) fn take_params(&self) -> Vec<(String, String)> {
        self.params.take()
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

    /// The value of a parameter: what the caller set, or for the names of targets the embedded
    /// server.
    pub(super) fn param(&self, name: &str) -> Result<Option<String>> {
        let value = self.value(name)?;
        if let Some(value) = &value {
            self.note_param(name, value);
        }
        Ok(value)
    }

    fn value(&self, name: &str) -> Result<Option<String>> {
        if let Some(value) = self.settings.params.get(name) {
            return Ok(Some(value.clone()));
        }
        self.settings.servers.allow(name)?;
        if Embedded::schemes().any(|scheme| scheme == name) {
            return self.server.started().map(|server| server.url(name));
        }
        match name {
            _ if !self.settings.is_embedded() => Ok(None),
            "ca" => self.server.ca().map(Some),
            "user" => Ok(Some(Embedded::USER.to_owned())),
            "password" => {
                self.keep_secret(Embedded::PASSWORD);
                Ok(Some(Embedded::PASSWORD.to_owned()))
            }
            _ => Ok(None),
        }
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
