//! Prepares what a script needs before it runs: the names that no other script may hold, and the
//! setup of its folder. Also runs the teardowns.

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use super::Runner;
use crate::error::{Error, Kind, Result};
use crate::file;
use crate::outcome::{Failure, Outcome, Verdict};
use crate::script::fixtures::Given;
use crate::script::stoppable::stoppable;
use crate::script::{fixtures, serial};
use crate::transport::ThreadUse;

/// What a script holds or gets while it runs.
#[derive(Default)]
pub(super) struct Around {
    /// The locks of its names.
    _locks: Vec<std::fs::File>,
    pub(super) given: Option<Arc<Given>>,
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
        let mut interrupt = pin!(interrupt);
        let failed = |failure: Failure| Verdict::Failed(Box::new(failure));
        self.prepare(&path.to_string_lossy(), interrupt.as_mut()).await?;
        // If the script cannot be read, its own run reports that.
        let Ok(unit) = self.library.load(self.engine(), &path.to_string_lossy()) else {
            return Ok(Around::default());
        };
        if unit.serial.is_empty() && unit.fixture.is_none() {
            return Ok(Around::default());
        }
        let ready = async {
            let given = match &unit.fixture {
                Some(folder) => self.set_up(thread, folder).await?,
                None => None,
            };
            let locks = serial::hold(&unit.serial).await;
            let locks = locks.map_err(|error| failed(error.into()))?;
            Ok(Around { _locks: locks, given })
        };
        tokio::select! {
            ready = ready => ready,
            () = interrupt => Err(interrupted()),
        }
    }

    /// Reads, compiles and checks a script with its imports, so that this need not be done when it
    /// runs. What is wrong with the script is reported by its run.
    ///
    /// # Errors
    /// The verdict of the script if it was stopped before that was done.
    pub(super) async fn prepare(
        &self,
        name: &str,
        interrupt: impl Future<Output = ()>,
    ) -> Result<(), Verdict> {
        if self.library.is_prepared(name) {
            return Ok(());
        }
        let failed = |error: Error| Verdict::Failed(Box::new(error.into()));
        let stop = async {
            // This is no pause: it bounds how long the script may take to compile.
            tokio::select! {
                () = tokio::time::sleep(self.shared.settings.deadline) => {
                    let error = Error::new(Kind::Timeout, "the deadline of the whole script ran out before it was compiled");
                    failed(error.hint("give it longer with --deadline"))
                }
                () = interrupt => interrupted(),
            }
        };
        let (runner, name) = (self.clone(), name.to_owned());
        match stoppable(move || drop(runner.compile(&name)), stop).await {
            Ok(prepared) => prepared,
            Err(error) => Err(failed(Error::new(
                Kind::Io,
                format!("no thread to compile the script: {error}"),
            ))),
        }
    }

    /// Returns what the setup of a folder passes on. Runs the setup if it has not run yet.
    ///
    /// # Errors
    /// The verdict of the scripts that need the setup, if it did not pass.
    async fn set_up(
        &self,
        thread: ThreadUse,
        folder: &Path,
    ) -> Result<Option<Arc<Given>>, Verdict> {
        let setup = self.fixtures.of(folder);
        let run = async {
            let path = folder.join(fixtures::SETUP);
            if !file::is_there(&path) {
                return Ok(None);
            }
            let (outcome, value) =
                self.run_alone(thread, &path, None, std::future::pending()).await;
            if let Verdict::Skipped(reason) = &outcome.verdict {
                return Err(Verdict::Skipped(format!("{} is skipped: {reason}", path.display())));
            }
            match outcome.failure() {
                Some(failure) => {
                    let message = format!("{} failed: {}", path.display(), failure.error.message());
                    let error = failure.error.clone().say(&message);
                    Err(Verdict::Failed(Box::new(Failure { error, ..failure.clone() })))
                }
                None => Ok(Some(Arc::new(Given::of(outcome, value)))),
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
                let given = setup.get().and_then(|setup| setup.clone().ok().flatten());
                let torn = self.run_alone(thread, &path, given, interrupt()).await;
                outcomes.push(torn.0);
            }
        }
        outcomes
    }
}

fn interrupted() -> Verdict {
    let error = Error::new(Kind::Timeout, "interrupted before it began");
    Verdict::Interrupted(Box::new(error.into()))
}
