//! What stands around the scripts of a folder: `setup.rhai`, run once before the first of them, and
//! `teardown.rhai`, run once after the last.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::OnceCell;

use crate::outcome::Failure;

/// The script that is run before all others of its folder and those below.
pub(super) const SETUP: &str = "setup.rhai";
/// The script that is run after them.
pub(super) const TEARDOWN: &str = "teardown.rhai";

/// What the setup of a folder ended with, or its failure; the first script that needs it runs it,
/// and the others wait for that.
pub(super) type Setup = Arc<OnceCell<Result<Option<Arc<Value>>, Failure>>>;

/// The folders whose scripts have begun, by their paths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fixtures(Arc<Mutex<BTreeMap<PathBuf, Setup>>>);

impl Fixtures {
    /// The setup of a folder.
    pub(super) fn of(&self, folder: &Path) -> Setup {
        Arc::clone(self.folders().entry(folder.to_owned()).or_default())
    }

    /// The folders whose teardown is due, the innermost first; it is not due again.
    pub(super) fn take(&self) -> Vec<(PathBuf, Setup)> {
        std::mem::take(&mut *self.folders()).into_iter().rev().collect()
    }

    fn folders(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Setup>> {
        // A panic elsewhere leaves the map whole: a folder is put in at once.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a script is one that stands around others.
pub(crate) fn is_fixture(script: &Path) -> bool {
    script.file_name().is_some_and(|name| name == SETUP || name == TEARDOWN)
}

/// The setup and the teardown that a script stands between, as far as they are there.
pub(super) fn around(script: &Path) -> impl Iterator<Item = PathBuf> {
    let folder = folder(script).map(Path::to_owned);
    let names =
        folder.into_iter().flat_map(|folder| [SETUP, TEARDOWN].map(|name| folder.join(name)));
    names.filter(|path| path.is_file())
}

/// The folder whose setup or teardown a script stands between: its own, or the nearest above, as
/// far as its path says.
pub(super) fn folder(script: &Path) -> Option<&Path> {
    if is_fixture(script) {
        return None;
    }
    let has_any = |folder: &&Path| folder.join(SETUP).is_file() || folder.join(TEARDOWN).is_file();
    script.ancestors().skip(1).find(has_any)
}
