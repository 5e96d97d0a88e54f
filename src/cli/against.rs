//! `mailexpect run --against`: runs scripts against a recording instead of servers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::error::{Error, Result};
use crate::secrets::{MASK, is_secret_name};
use crate::suggest;
use crate::trace::{self, Entry};
use crate::visible;
use crate::workers::{Against, Job};

/// The deadline of an operation if none is set. A recording answers at once, or never.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The arguments.
#[derive(Args, Debug)]
pub(super) struct Playing {
    /// Run against a recording, made by `--trace on`, in place of servers. Each session gets the
    /// recorded answers as long as the script sends what it sent then; any secret is accepted.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["repeat", "segment", "trace"])]
    against: Option<PathBuf>,
}

impl Playing {
    /// The recording.
    pub(super) fn recording(&self) -> Option<&Path> {
        self.against.as_deref()
    }

    /// Sets each job to run against the recording of its script.
    ///
    /// # Errors
    /// Usage for a file that is no recording, and for a script that the recording does not hold.
    pub(super) fn jobs(&self, jobs: Vec<Job>, timeout: Option<Duration>) -> Result<Vec<Job>> {
        let Some(file) = &self.against else { return Ok(jobs) };
        let entries = trace::read(file)?;
        let one = |job: Job| {
            let entry = entry(&entries, &job)?;
            let runner = &job.against.runner;
            let mut params: BTreeMap<_, _> = entry.head.params.clone();
            let secrets = runner.params(&job.script).known.into_keys();
            // A secret that is not set is its mask, which in the recording matches any value.
            params.extend(
                secrets.filter(|name| is_secret_name(name)).map(|name| (name, MASK.to_owned())),
            );
            let recording = Arc::new(entry.recording());
            let runner = runner.play(recording, &params, timeout.unwrap_or(TIMEOUT));
            let against = Against { runner: Arc::new(runner), ..(*job.against).clone() };
            Ok(Job { against: Arc::new(against), ..job })
        };
        jobs.into_iter().map(one).collect()
    }
}

/// Finds the recording of a script: its last run, on the target of the job if there is one. If the
/// recording holds one run only and the job has no target, that run serves for any script.
fn entry<'a>(entries: &'a [Entry], job: &Job) -> Result<&'a Entry> {
    let path = job.script.to_string_lossy();
    let target = job.against.target.as_deref();
    let is_of_target = |entry: &&Entry| target.is_none() || entry.head.target.as_deref() == target;
    let is_of_script =
        |entry: &&Entry| Path::new(&entry.head.path).components().eq(job.script.components());
    let found = entries.iter().rev().filter(is_of_target).find(is_of_script);
    match (found, entries) {
        (Some(entry), _) => return Ok(entry),
        (None, [entry]) if target.is_none() => return Ok(entry),
        _ => {}
    }
    let shown = visible::escape(path.as_bytes());
    let target = target.map(|target| format!(" @{target}")).unwrap_or_default();
    let error = Error::usage(format!("the recording has no run of {shown}{target}"));
    let paths = entries.iter().map(|entry| entry.head.path.as_str());
    Err(match suggest::nearest(&path, paths) {
        Some(near) => error.hint(format!("it has one of {}", visible::escape(near.as_bytes()))),
        None => error.hint("mailexpect show FILE shows which scripts it has"),
    })
}
