//! The fixtures of a folder: `setup.rhai`, which runs once before the first script of the folder,
//! and `teardown.rhai`, which runs once after the last.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::OnceCell;

use crate::file;
use crate::outcome::{Outcome, Verdict};
use crate::secrets::{Learned, is_secret_name};

/// The script that runs before all others of its folder and of the folders below.
pub(super) const SETUP: &str = "setup.rhai";
/// The script that runs after them.
pub(super) const TEARDOWN: &str = "teardown.rhai";

/// What a folder's setup passes on, if there is a setup, or why the scripts that need it cannot run.
/// The first script that needs the setup runs it, and the others wait for it.
pub(super) type Setup = Arc<OnceCell<Result<Option<Arc<Given>>, Unready>>>;

/// Why a script cannot run.
#[derive(Clone, Debug)]
pub(super) struct Unready {
    verdict: Verdict,
    /// The outcome of the setup that did not pass. The first script that it keeps from running takes
    /// it, so that reports show the dialogue of the setup, and show it once.
    setup: Arc<Mutex<Option<Outcome>>>,
}

impl From<Verdict> for Unready {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, setup: Arc::default() }
    }
}

impl Unready {
    /// Returns the verdict of the scripts that need a setup with this outcome, which did not pass.
    pub(super) fn of_setup(verdict: Verdict, setup: Outcome) -> Self {
        Self { verdict, setup: Arc::new(Mutex::new(Some(setup))) }
    }

    /// Returns the outcome of the script.
    pub(super) fn outcome(self, script: &Path) -> Outcome {
        let setup = self.setup.lock().unwrap_or_else(PoisonError::into_inner).take();
        let outcome = Outcome::new(script, self.verdict);
        let Some(setup) = setup else { return outcome };
        let Outcome { beside, transcript, recorded, secrets, .. } = setup;
        Outcome { beside, transcript, recorded, secrets, ..outcome }
    }
}

/// What a setup passes on to the scripts of its folder: its last value, and what it knows about
/// parts of that value, which the scripts may send, and servers may echo.
#[derive(Debug)]
pub(super) struct Given {
    /// The last value, as plain data, if there is one.
    pub(super) value: Option<Value>,
    /// The secrets that the setup has learned, and the values that have the name of a secret.
    pub(super) secrets: Learned,
    /// The values that differ from run to run, each with its token.
    pub(super) known: Vec<(String, String)>,
}

impl Given {
    /// What a setup with this outcome passes on.
    pub(super) fn of(outcome: Outcome, value: Option<Value>) -> Self {
        let Outcome { secrets, known, .. } = outcome;
        if let Some(value) = &value {
            learn(&secrets, value, false);
        }
        Self { value, secrets, known }
    }
}

/// Learns the texts and numbers in a value that have the name of a secret, as parameters have.
fn learn(secrets: &Learned, value: &Value, is_secret: bool) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| learn(secrets, value, is_secret)),
        Value::Object(map) => map
            .iter()
            .for_each(|(name, value)| learn(secrets, value, is_secret || is_secret_name(name))),
        Value::String(text) if is_secret => secrets.keep(text.as_bytes()),
        Value::Number(number) if is_secret => secrets.keep(number.to_string().as_bytes()),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

/// The folders whose scripts have begun, by their paths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fixtures(Arc<Mutex<BTreeMap<PathBuf, Setup>>>);

impl Fixtures {
    /// Returns the setup of a folder.
    pub(super) fn of(&self, folder: &Path) -> Setup {
        Arc::clone(self.folders().entry(folder.to_owned()).or_default())
    }

    /// Takes the folders whose teardown is due, the innermost first.
    pub(super) fn take(&self) -> Vec<(PathBuf, Setup)> {
        std::mem::take(&mut *self.folders()).into_iter().rev().collect()
    }

    fn folders(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Setup>> {
        // A panic elsewhere leaves the map intact, because a folder is added in one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a script is a setup or a teardown.
pub(crate) fn is_fixture(script: &Path) -> bool {
    script.file_name().is_some_and(|name| name == SETUP || name == TEARDOWN)
}

/// Returns the paths of the setup and the teardown of a script, if they exist.
pub(super) fn around(script: &Path) -> impl Iterator<Item = PathBuf> {
    let folder = folder(script).map(Path::to_owned);
    let names =
        folder.into_iter().flat_map(|folder| [SETUP, TEARDOWN].map(|name| folder.join(name)));
    names.filter(|path| file::is_there(path))
}

/// Returns the folder whose setup or teardown applies to a script: the script's own folder, or the
/// nearest one above, as far as the path goes.
pub(super) fn folder(script: &Path) -> Option<&Path> {
    if is_fixture(script) {
        return None;
    }
    let has_any =
        |folder: &&Path| [SETUP, TEARDOWN].iter().any(|name| file::is_there(&folder.join(name)));
    script.ancestors().skip(1).find(has_any)
}
