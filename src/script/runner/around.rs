//! Prepares what a script needs before it runs: the names that no other script may hold, and the
//! setup of its folder. Also runs the teardowns.

use std::cell::Cell;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::Notify;

use super::{Runner, lasting};
use crate::error::{Error, Kind, Result};
use crate::file;
use crate::outcome::{Failure, Outcome, Verdict};
use crate::script::fixtures::{Given, Unready};
use crate::script::{fixtures, serial};
use crate::stoppable::stoppable;
use crate::transport::ThreadUse;

/// What a script holds or gets while it runs.
#[derive(Default)]
pub(super) struct Around {
    /// The locks of its names.
    _locks: Vec<std::fs::File>,
    pub(super) given: Option<Arc<Given>>,
}

impl Runner {
    /// Waits for the setup of the script's folder, which the first script of the folder runs, and
    /// for the names that no other script may hold.
    ///
    /// # Errors
    /// Why the script cannot run.
    pub(super) async fn around(
        &self,
        thread: ThreadUse,
        path: &Path,
        interrupt: impl Future<Output = ()>,
    ) -> Result<Around, Unready> {
        let mut interrupt = pin!(interrupt);
        self.prepare(&path.to_string_lossy(), interrupt.as_mut()).await?;
        // If the script cannot be read, its own run reports that.
        let Ok(unit) = self.library.load(self.engine(), &path.to_string_lossy()) else {
            return Ok(Around::default());
        };
        let given = match &unit.fixture {
            Some(folder) => self.set_up(thread, folder, interrupt.as_mut()).await?,
            None => None,
        };
        Ok(Around { _locks: locked(&unit.serial, interrupt).await?, given })
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
    /// Why the scripts that need the setup cannot run, if it did not pass.
    async fn set_up(
        &self,
        thread: ThreadUse,
        folder: &Path,
        interrupt: impl Future<Output = ()>,
    ) -> Result<Option<Arc<Given>>, Unready> {
        let setup = self.fixtures.of(folder);
        let path = folder.join(fixtures::SETUP);
        let (runs_here, stop) = (Cell::new(false), Notify::new());
        // A setup that was interrupted does not count as run: the interrupt may be that of one script.
        let mut ready = pin!(setup.get_or_try_init(|| async {
            runs_here.set(true);
            if !file::is_there(&path) {
                return Ok(Ok(None));
            }
            let (outcome, value) = self.run_fixture(thread, &path, None, stop.notified()).await;
            match unready(&path, &outcome.verdict) {
                None => Ok(Ok(Some(Arc::new(Given::of(outcome, value))))),
                Some(verdict @ Verdict::Interrupted(_)) => Err(Unready::of_setup(verdict, outcome)),
                Some(verdict) => Ok(Err(Unready::of_setup(verdict, outcome))),
            }
        }));
        tokio::select! {
            biased;
            ready = ready.as_mut() => return ready?.clone(),
            () = interrupt => {}
        }
        if !runs_here.get() {
            return Err(interrupted().into());
        }
        // The setup ends as a script does, with its deferred closures.
        stop.notify_one();
        ready.await?.clone()?;
        Err(interrupted().into())
    }

    /// Runs a setup or a teardown once no other script holds its names. Returns its outcome, and for
    /// a setup its last value.
    async fn run_fixture(
        &self,
        thread: ThreadUse,
        path: &Path,
        given: Option<Arc<Given>>,
        interrupt: impl Future<Output = ()>,
    ) -> (Outcome, Option<serde_json::Value>) {
        let mut interrupt = pin!(lasting(interrupt));
        let name = path.to_string_lossy();
        let locks = async {
            self.prepare(&name, interrupt.as_mut()).await?;
            // If the file cannot be read, its run reports that.
            match self.library.load(self.engine(), &name) {
                Ok(unit) => locked(&unit.serial, interrupt.as_mut()).await,
                Err(_) => Ok(Vec::new()),
            }
        };
        match locks.await {
            Ok(_locks) => self.run_alone(thread, path, given, interrupt).await,
            Err(verdict) => (Outcome::new(path, verdict), None),
        }
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
                let torn = self.run_fixture(thread, &path, given, interrupt()).await;
                outcomes.push(torn.0);
            }
        }
        outcomes
    }
}

/// Waits until nobody else holds these names. They are held until the files are dropped.
///
/// # Errors
/// The verdict of the script that needs the names.
async fn locked(
    names: &[String],
    interrupt: impl Future<Output = ()>,
) -> Result<Vec<std::fs::File>, Verdict> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    tokio::select! {
        locks = serial::hold(names) => locks.map_err(|e| Verdict::Failed(Box::new(e.into()))),
        () = interrupt => Err(interrupted()),
    }
}

/// Returns the verdict of the scripts that need a setup with this verdict; `None` if they can run.
fn unready(setup: &Path, verdict: &Verdict) -> Option<Verdict> {
    let setup = setup.display();
    let saying = |failure: &Failure, message: &str| {
        let error = failure.error.clone().say(message);
        Box::new(Failure { error, ..failure.clone() })
    };
    match verdict {
        Verdict::Passed | Verdict::Differs(_) => None,
        Verdict::Skipped(reason) => Some(Verdict::Skipped(format!("{setup} is skipped: {reason}"))),
        Verdict::Failed(failure) => {
            let message = format!("{setup} failed: {}", failure.error.message());
            Some(Verdict::Failed(saying(failure, &message)))
        }
        Verdict::Interrupted(failure) => {
            let message = match failure.error.message() {
                "interrupted" => format!("interrupted while {setup} ran"),
                BEFORE => format!("interrupted before {setup} began"),
                failed => format!("interrupted after {setup} failed: {failed}"),
            };
            Some(Verdict::Interrupted(saying(failure, &message)))
        }
    }
}

/// The message of a script that was interrupted while it waited for what it needs.
const BEFORE: &str = "interrupted before it began";

fn interrupted() -> Verdict {
    let error = Error::new(Kind::Timeout, BEFORE);
    Verdict::Interrupted(Box::new(error.into()))
}
