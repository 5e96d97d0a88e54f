//! Reads a stream of events, which `report/json.rs` writes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::duration;
use crate::error::{Error, Kind, Result, Waited};
use crate::file;
use crate::outcome::{Difference, Failure, Golden, Outcome, Place, Verdict};
use crate::transcript;

/// The newest version of the stream that can be read.
const VERSION: u32 = 1;

/// The events of one run.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// The number of scripts to run, if it was known.
    pub(crate) scripts: Option<usize>,
    pub(crate) targets: Vec<Arc<str>>,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) not_run: usize,
    pub(crate) elapsed: Duration,
    pub(crate) exit_code: u8,
    /// Whether the stream includes the end of the run.
    pub(crate) is_whole: bool,
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event {
    RunStarted {
        version: u32,
        scripts: Option<usize>,
        #[serde(default)]
        targets: Vec<String>,
    },
    ScriptEnded {
        #[serde(flatten)]
        script: Box<Case>,
        #[serde(default)]
        cases: Vec<Case>,
    },
    RunEnded {
        not_run: usize,
        exit_code: u8,
        elapsed: f64,
    },
    /// An event that is unknown to this version or not needed here.
    #[serde(other)]
    Other,
}

/// A script, or a row of its tables.
#[derive(Deserialize)]
struct Case {
    #[serde(flatten)]
    attempt: Attempt,
    #[serde(default)]
    failed_attempts: Vec<Attempt>,
}

#[derive(Deserialize)]
struct Attempt {
    path: PathBuf,
    target: Option<String>,
    title: Option<String>,
    case: Option<String>,
    verdict: String,
    #[serde(default)]
    failed_by_cases: bool,
    elapsed: f64,
    #[serde(default)]
    expectations: u64,
    reason: Option<String>,
    failure: Option<Failed>,
    #[serde(default)]
    beside: Vec<Failed>,
    difference: Option<Different>,
    golden: Option<Kept>,
    seed: Option<u64>,
    #[serde(default)]
    params: BTreeMap<String, String>,
    #[serde(default)]
    transcript: Vec<String>,
    #[serde(default)]
    times: Vec<Option<f64>>,
}

#[derive(Deserialize)]
struct Failed {
    kind: String,
    message: String,
    expected: Option<String>,
    got: Option<String>,
    sent: Option<String>,
    waited: Option<Times>,
    session: Option<String>,
    hint: Option<String>,
    step: Option<String>,
    place: Option<At>,
    #[serde(default)]
    calls: Vec<Called>,
}

#[derive(Deserialize)]
struct Times {
    elapsed: f64,
    allowed: f64,
}

#[derive(Deserialize)]
struct At {
    file: String,
    line: usize,
    column: usize,
    source: Option<Box<str>>,
}

#[derive(Deserialize)]
struct Called {
    function: String,
    place: At,
}

#[derive(Deserialize)]
struct Different {
    golden: PathBuf,
    old: Option<String>,
    new: String,
    pending: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Kept {
    state: String,
    path: PathBuf,
}

impl Events {
    /// Reads the runs of a file, to which several runs may have appended their events. A run that
    /// was killed may have ended within a line, or before its first one.
    ///
    /// # Errors
    /// Usage for a file that cannot be read or is not a stream of events.
    pub(crate) fn read(path: &Path) -> Result<Vec<Self>> {
        let wrong = |why: String| {
            let error = Error::unreadable(path.display(), why);
            error.hint(
                "reports are merged from streams of events: mailexpect run --format json=FILE",
            )
        };
        let headless = || wrong("it does not tell the beginning of a run".to_owned());
        let lines = file::Lines::open(path).map_err(|error| wrong(error.to_string()))?;
        let mut lines = lines.enumerate().peekable();
        let mut runs: Vec<Self> = Vec::new();
        while let Some((number, line)) = lines.next() {
            let line = line.map_err(|error| wrong(error.to_string()))?;
            if line.trim().is_empty() {
                continue;
            }
            let event = match serde_json::from_str(&line) {
                Err(error) if error.is_eof() && lines.peek().is_none() => {
                    if runs.last().is_none_or(|run| run.is_whole) {
                        runs.push(Self::default());
                    }
                    break;
                }
                read => read.map_err(|error| wrong(format!("line {}: {error}", number + 1)))?,
            };
            if let Event::RunStarted { version, .. } = event {
                if version > VERSION {
                    let why =
                        format!("it is of version {version}, and this program reads {VERSION}");
                    return Err(wrong(why));
                }
                runs.push(Self::default());
            }
            runs.last_mut().ok_or_else(headless)?.take(event);
        }
        if runs.is_empty() {
            runs.push(Self::default());
        }
        for run in runs.iter_mut().filter(|run| !run.is_whole) {
            let ended = run.outcomes.len();
            run.not_run = run.scripts.unwrap_or(ended).saturating_sub(ended);
        }
        Ok(runs)
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::RunStarted { scripts, targets, .. } => {
                self.scripts = scripts;
                self.targets = targets.into_iter().map(Arc::from).collect();
            }
            Event::ScriptEnded { script, cases } => {
                let mut outcome = script.outcome();
                outcome.cases = cases.into_iter().map(Case::outcome).collect();
                self.outcomes.push(outcome);
            }
            Event::RunEnded { not_run, exit_code, elapsed } => {
                self.is_whole = true;
                (self.not_run, self.exit_code) = (not_run, exit_code);
                self.elapsed = seconds(elapsed);
            }
            Event::Other => {}
        }
    }
}

impl Case {
    fn outcome(self) -> Outcome {
        let mut outcome = self.attempt.outcome();
        outcome.failed_attempts = self.failed_attempts.into_iter().map(Attempt::outcome).collect();
        outcome
    }
}

impl Attempt {
    fn outcome(self) -> Outcome {
        let verdict = match (self.verdict.as_str(), self.failure, self.difference) {
            ("skipped", ..) => Verdict::Skipped(self.reason.unwrap_or_default()),
            ("differs", _, Some(different)) => Verdict::Differs(Box::new(different.difference())),
            ("interrupted", Some(failed), _) => Verdict::Interrupted(Box::new(failed.failure())),
            (_, Some(failed), _) => Verdict::Failed(Box::new(failed.failure())),
            ("passed", ..) => Verdict::Passed,
            (verdict, ..) => {
                let message = format!("the script is {verdict}, and the report does not say why");
                Verdict::Failed(Box::new(Error::new(Kind::Mismatch, message).into()))
            }
        };
        let times: Vec<_> = self.times.iter().map(|at| at.map(seconds)).collect();
        let mut outcome = Outcome {
            target: self.target.map(Arc::from),
            title: self.title,
            case: self.case,
            failed_by_cases: self.failed_by_cases,
            expectations: self.expectations,
            transcript: transcript::read_timed(&self.transcript, &times),
            elapsed: seconds(self.elapsed),
            params: self.params.into_iter().collect(),
            beside: self.beside.into_iter().map(Failed::failure).collect(),
            golden: self.golden.map(Kept::golden).unwrap_or_default(),
            ..Outcome::new(&self.path, verdict)
        };
        outcome.seeded(self.seed);
        outcome
    }
}

impl Failed {
    fn failure(self) -> Failure {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == self.kind);
        let mut error = Error::new(kind.unwrap_or(Kind::Mismatch), self.message);
        if let Some(expected) = self.expected {
            error = error.with_expected(expected);
        }
        if let Some(got) = self.got {
            error = error.with_got(got);
        }
        if let Some(session) = self.session {
            error = error.with_session(session);
        }
        if let Some(Times { elapsed, allowed }) = self.waited {
            let waited = Waited { elapsed: seconds(elapsed), allowed: seconds(allowed) };
            error = error.with_waited(waited);
        }
        if let Some(hint) = self.hint {
            error = error.hint(hint);
        }
        Failure {
            error: error.with_sent(self.sent),
            place: self.place.map(At::place),
            calls: self
                .calls
                .into_iter()
                .map(|called| (called.function, called.place.place()))
                .collect(),
            step: self.step,
        }
    }
}

impl At {
    fn place(self) -> Place {
        let Self { file, line, column, source } = self;
        Place { file, line, column, source, caret: column }
    }
}

impl Different {
    fn difference(self) -> Difference {
        let Self { golden, old, new, pending } = self;
        Difference { golden, old, new, pending, unwritten: None }
    }
}

impl Kept {
    fn golden(self) -> Golden {
        match self.state.as_str() {
            "recorded" => Golden::Recorded(self.path),
            "updated" => Golden::Updated(self.path),
            "pending" => Golden::Pending(self.path),
            _ => Golden::Same(self.path),
        }
    }
}

/// A duration from the stream; zero if the number is not a possible duration.
fn seconds(seconds: f64) -> Duration {
    duration::from_seconds(seconds).unwrap_or_default()
}
