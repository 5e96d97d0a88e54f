//! Prepares what a script needs before it runs: the names that no other script may hold, and the
//! setup of its folder. Also runs the teardowns.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use super::Runner;
use crate::error::{Error, Kind, Result};
use crate::file;
use crate::outcome::{Failure, Outcome, Verdict};
use crate::script::{fixtures, serial};
use crate::transport::ThreadUse;

/// What a script holds or gets while it runs.
#[derive(Default)]
pub(super) struct Around {
    /// The locks of its names.
    _locks: Vec<std::fs::File>,
    pub(super) fixture: Option<Arc<serde_json::Value>>,
}

impl Runner {
    /// Waits for the names that no other script may hold, and for the setup of the script's folder,
    /// which the first script of the folder runs.
    ///
    /// # Errors
    /// The verdict of the script if it cannot run.
    pub(super) async fn around(
        &self,
        thread: ThreadUse,
        path: &Path,
        interrupt: impl Future<Output = ()>,
    ) -> Result<Around, Verdict> {
        let failed = |failure: Failure| Verdict::Failed(Box::new(failure));
        // If the script cannot be read, its own run reports that.
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

    /// Returns the last value of the setup of a folder. Runs the setup if it has not run yet.
    async fn set_up(
        &self,
        thread: ThreadUse,
        folder: &Path,
    ) -> Result<Option<Arc<serde_json::Value>>, Failure> {
        let setup = self.fixtures.of(folder);
        let run = async {
            let path = folder.join(fixtures::SETUP);
            if !file::is_there(&path) {
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

    /// Runs the teardowns of all folders whose scripts have run, each until it is interrupted; their
    /// outcomes.
    pub(crate) async fn tear_down<I: Future<Output = ()>>(
        &self,
        thread: ThreadUse,
        interrupt: impl Fn() -> I,
    ) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for (folder, setup) in self.fixtures.take() {
            let path = folder.join(fixtures::TEARDOWN);
            if file::is_there(&path) {
                let value = setup.get().and_then(|setup| setup.clone().ok().flatten());
                let torn = self.run_alone(thread, &path, value, interrupt()).await;
                outcomes.push(torn.0);
            }
        }
        outcomes
    }
}
