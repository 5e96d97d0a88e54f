//! The state that the words of one running script share.

mod draws;
mod embedded;
mod ending;
mod fixture;
mod grants;
mod growth;
mod opened;
mod params;
mod peers;
mod sessions;
mod steps;
mod values;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use rhai::{Engine, NativeCallContext};
use tokio::time::Instant;

use self::draws::Draws;
pub(super) use self::embedded::Server;
use self::ending::Ending;
use self::fixture::Fixture;
use self::growth::Growth;
use self::peers::Peers;
use self::steps::Steps;
use self::values::Values;
use super::branch::Branch;
use super::coroutine;
use super::ended::Ended;
use super::fixtures::Given;
use super::listening::Listens;
use super::raise::Raised;
use super::regexes::Regexes;
use super::scope::Scope;
use super::settings::Settings;
use super::sizes::Sizes;
use super::table::Table;
use crate::error::{Error, Result};
use crate::pattern::Pattern;
use crate::redaction::Redaction;
use crate::secrets::Learned;
use crate::server::Budget;
use crate::transcript::{About, Transcript, Watcher, What};
use crate::transport::{Pace, ThreadUse};
use crate::visible;

/// The most warnings. Further ones are not shown.
const MOST_WARNINGS: usize = 1000;

/// The state of one run of one script.
pub(crate) struct Run {
    shared: Shared,
    thread: ThreadUse,
    /// The folder of the script.
    folder: PathBuf,
    pub(super) transcript: Transcript,
    pub(super) peers: Peers,
    pub(super) steps: Steps,
    pub(super) values: Values,
    pub(super) draws: Draws,
    pub(super) fixture: Fixture,
    pub(super) ending: Ending,
    pub(super) growth: Growth,
    /// What the servers in the background may hold together.
    pub(super) budget: Budget,
    /// The warnings that the script has caused so far.
    warned: RefCell<BTreeSet<String>>,
    /// The script's own changes to the redaction of the settings.
    redaction: RefCell<Option<Redaction>>,
    /// The cases that the script runs with `cases`.
    pub(super) table: Table,
    /// The sizes of the values that the script read.
    pub(super) sizes: Sizes,
    /// The whole script.
    pub(super) whole: Rc<Scope>,
    /// The scope that is in progress outside of all branches.
    scope: RefCell<Rc<Scope>>,
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
    /// The parameters that have no value although they should have one.
    pub(super) unset: Arc<BTreeSet<String>>,
    /// Whether the bytes of sessions are recorded.
    #[cfg(feature = "cli")]
    pub(super) taped: bool,
}

/// Makes the transcript of a run, which knows the secrets that all runs share, or those of the setup
/// of its folder, which had these too.
fn transcript(shared: &Shared, given: Option<&Given>) -> Transcript {
    let secrets = given.map_or(&shared.secrets, |given| &given.secrets);
    let transcript = Transcript::of(secrets.copy(), shared.watcher.clone());
    // A script that serves runs for any time, and its caller is told of each event.
    let transcript = if shared.listens.is_some() { transcript.recent() } else { transcript };
    #[cfg(feature = "cli")]
    let transcript = if shared.taped { transcript.taped() } else { transcript };
    transcript
}

impl Run {
    /// Makes the run of a script that gets this from the setup of its folder.
    pub(super) fn new(
        shared: Shared,
        script: &Path,
        given: Option<Arc<Given>>,
        thread: ThreadUse,
    ) -> Self {
        let whole = Rc::<Scope>::default();
        Self {
            thread,
            folder: script.parent().map(Path::to_owned).unwrap_or_default(),
            transcript: transcript(&shared, given.as_deref()),
            peers: Peers::default(),
            steps: Steps::default(),
            values: Values::with(given.as_ref().map(|given| &given.known[..]).unwrap_or_default()),
            draws: Draws::of(shared.settings.seed),
            fixture: Fixture::of(script, given),
            ending: Ending::default(),
            growth: Growth::up_to(shared.allowance),
            budget: Budget::of(shared.settings.memory / 2),
            warned: RefCell::default(),
            redaction: RefCell::default(),
            table: Table::default(),
            sizes: Sizes::default(),
            scope: RefCell::new(Rc::clone(&whole)),
            whole,
            importing: RefCell::default(),
            shared,
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Returns the engine for the closures of branches.
    pub(super) fn engine(&self) -> &Arc<Engine> {
        &self.shared.engine
    }

    /// Returns the addresses of listeners and servers, if the caller sets them.
    pub(super) fn listens(&self) -> Option<&Listens> {
        self.shared.listens.as_deref()
    }

    /// Returns the run that the calling word belongs to.
    pub(super) fn current() -> Result<Rc<Self>> {
        coroutine::context().ok_or_else(|| Error::usage("this word works in a running script only"))
    }

    /// Records in the transcript something that the script does outside of its dialogues.
    pub(super) fn note(&self, about: About, text: impl Into<Box<str>>) {
        let text = visible::shortened(text.into());
        self.transcript.note(What::Note { about, text: text.into() });
    }

    /// Records a warning in the transcript, once for each text.
    pub(super) fn warn(&self, text: &str) {
        let (text, mut warned) = (visible::shortened(text), self.warned.borrow_mut());
        if warned.len() < MOST_WARNINGS && warned.insert(text.clone()) {
            self.note(About::Warning, text);
        }
    }

    /// Returns the compiled regex for a source. Each regex is compiled once for all runs.
    pub(super) fn regex(&self, source: &str) -> Result<Pattern> {
        self.shared.regexes.get(source)
    }

    /// Counts an assertion that held.
    pub(super) fn count_check(&self) {
        self.scope().count(1);
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

    /// Changes what is redacted in the golden of this run.
    pub(super) fn redact(&self, change: impl FnOnce(Redaction) -> Result<Redaction>) -> Result<()> {
        let before = self
            .redaction
            .borrow()
            .clone()
            .unwrap_or_else(|| (*self.shared.settings.redaction).clone());
        self.redaction.replace(Some(change(before)?));
        Ok(())
    }

    pub(super) fn redaction(&self) -> Arc<Redaction> {
        self.redaction.take().map_or_else(|| Arc::clone(&self.shared.settings.redaction), Arc::new)
    }

    /// Returns the scope in which the script, or its running branch, is.
    pub(super) fn scope(&self) -> Rc<Scope> {
        match Branch::current() {
            Some(branch) => Rc::clone(&branch.scope.borrow()),
            None => Rc::clone(&self.scope.borrow()),
        }
    }

    /// Does something in a scope.
    pub(super) fn within<T>(&self, scope: &Rc<Scope>, work: impl FnOnce() -> T) -> T {
        let around = self.enter(Rc::clone(scope));
        let done = work();
        self.enter(around);
        done
    }

    /// Sets the scope in which the script, or its running branch, is. Returns the one before.
    fn enter(&self, scope: Rc<Scope>) -> Rc<Scope> {
        match Branch::current() {
            Some(branch) => branch.scope.replace(scope),
            None => self.scope.replace(scope),
        }
    }

    /// Returns the deadline of the `eventually` in progress, if there is one.
    pub(super) fn limit(&self) -> Option<Instant> {
        self.scope().limit()
    }
}

/// Ends the script in a way that it cannot catch.
#[allow(clippy::unnecessary_box_returns, reason = "Rhai's errors are boxed")]
pub(super) fn end(context: &NativeCallContext<'_>, ended: Ended) -> Raised {
    if let Ok(run) = Run::current() {
        run.ending.end(ended.clone());
    }
    ended.raised(context.call_position())
}
