//! A script that is run once, to its outcome.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::failure;
use super::fixtures::Fixtures;
use super::runner::Runner;
use super::settings::{Servers, Settings};
use crate::outcome::Outcome;
use crate::redaction::Redaction;
use crate::runtime;
use crate::session::Options;
use crate::tls;
use crate::transport::ThreadUse;

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
    /// How many scripts run at once in this process, as far as known.
    at_once: usize,
    /// Scripts that get the same parameters. A parameter is an error only if none of these scripts
    /// has it.
    pub(super) others: Arc<[PathBuf]>,
    /// The setups and teardowns that this case shares with others. The owner runs the teardowns
    /// after all cases.
    shared: Option<Fixtures>,
}

impl Case {
    /// Makes a case of the script at this path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            settings: Settings::default(),
            at_once: 1,
            others: Arc::default(),
            shared: None,
        }
    }

    /// Sets a parameter, as `--set name=value` does. A parameter that the script does not have is
    /// an error.
    #[must_use]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "so that a value and a reference to one can both be given"
    )]
    pub fn set(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.settings.params.insert(name.into(), format!("{value}"));
        self
    }

    /// Uses the embedded server for the parameters `smtp`, `submission`, `imap`, `pop3s` and the
    /// like if none of them is set, as `mailexpect run` does. Without this, a script that asks for
    /// one of them fails.
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

    /// Sets the options of sessions. Options that the script sets replace them.
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

    /// Sets how many bytes the script may hold, with its sessions and its transcript; 256 MiB
    /// unless set. The limit is exact only in programs that install
    /// [`CountingAllocator`](super::CountingAllocator).
    #[must_use]
    pub fn memory(mut self, bytes: usize) -> Self {
        self.settings.memory = bytes;
        self
    }

    /// Sets the seed of the script's random decisions (`random`, `chance`, `jitter`), as `--seed`
    /// does. The seed of a failure, [`Error::seed`](crate::Error::seed), repeats its decisions.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// Sets the TLS options of sessions. Options that the script sets replace them.
    #[must_use]
    pub fn tls(mut self, tls: tls::Options) -> Self {
        self.settings.options = self.settings.options.tls(tls);
        self
    }

    /// Sets what is redacted in the golden transcript. Redactions that the script sets replace it.
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

    /// Lets the script read files in this folder and below. It may always read its own folder and
    /// the current one.
    #[must_use]
    pub fn allow_read(mut self, folder: impl Into<PathBuf>) -> Self {
        self.settings.allow_read.push(folder.into());
        self
    }

    /// Lets the script connect to unix sockets outside of its folder and the current one.
    #[must_use]
    pub fn allow_sockets(mut self) -> Self {
        self.settings.allow_sockets = true;
        self
    }

    /// Lets the script listen on addresses other than loopback, and on unix sockets outside of its
    /// folder and the current one.
    #[must_use]
    pub fn allow_listen(mut self) -> Self {
        self.settings.allow_listen = true;
        self
    }

    /// Sets how many scripts run at once, because they share the memory of the process.
    #[must_use]
    pub(crate) fn at_once(mut self, scripts: usize) -> Self {
        self.at_once = scripts;
        self
    }

    /// Sets the scripts that get the same parameters. A parameter of one of them is no error here.
    #[must_use]
    pub(crate) fn others(mut self, others: Arc<[PathBuf]>) -> Self {
        self.others = others;
        self
    }

    /// Shares the setup of its folder with other cases. Nothing is torn down before
    /// [`Case::tear_down`].
    #[must_use]
    pub(crate) fn sharing(mut self, fixtures: Fixtures) -> Self {
        self.shared = Some(fixtures);
        self
    }

    /// Runs the teardowns of all folders whose scripts have run, including those of other cases
    /// that share their setups with this one. Returns their outcomes.
    pub(crate) fn tear_down(&self) -> Vec<Outcome> {
        match runtime::current_thread() {
            Ok(runtime) => runtime
                .block_on(self.runner().tear_down(ThreadUse::Exclusive, std::future::pending)),
            Err(error) => vec![self.runner().broken(&self.path, error.into())],
        }
    }

    /// Runs the script to its outcome, on a runtime of its own.
    ///
    /// # Panics
    /// Panics within an async runtime, because it would block the runtime's thread. Await
    /// [`Case::run_async`] there.
    #[must_use]
    #[track_caller]
    pub fn run(&self) -> Outcome {
        assert!(
            tokio::runtime::Handle::try_current().is_err(),
            "a script that is run here blocks the thread, and this is the thread of an async runtime: write assert_script_async!(...).await in place of assert_script!(...), or run_async().await in place of run()"
        );
        match runtime::current_thread() {
            Ok(runtime) => runtime.block_on(self.run_on(ThreadUse::Exclusive)),
            Err(error) => self.runner().broken(&self.path, error.into()),
        }
    }

    /// Does the same as [`Case::run`] within an async runtime.
    pub async fn run_async(&self) -> Outcome {
        self.run_on(ThreadUse::Shared).await
    }

    async fn run_on(&self, thread: ThreadUse) -> Outcome {
        let runner = self.runner();
        match self.check_params(&runner) {
            Ok(()) => {
                let mut outcome = runner.run_on(thread, &self.path, std::future::pending()).await;
                let alone = self.shared.is_none();
                let torn = if alone {
                    runner.tear_down(thread, std::future::pending).await
                } else {
                    Vec::new()
                };
                for torn in torn {
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
        let fixtures = self.shared.clone().unwrap_or_default();
        Runner::new(self.settings.clone()).at_once(self.at_once).sharing(fixtures)
    }
}
