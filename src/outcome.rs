//! The outcome of a case: a verdict, and the data that explains it. Failures are data here; their
//! wording is elsewhere.

mod measured;

#[cfg(feature = "script")]
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use measured::{Encrypted, Measured, Metric, Opened};

use crate::error::{Error, Kind};
use crate::redaction::Redaction;
#[cfg(feature = "script")]
use crate::secrets::{self, Learned};
use crate::transcript::{Event, Recorded};

/// The outcome of running a script, or of finding that it cannot run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The path of the script.
    pub path: PathBuf,
    /// The target of the project file that the script was run against, if one was named.
    pub target: Option<Arc<str>>,
    /// The script's title, which is its first comment.
    pub title: Option<String>,
    /// The row of a table in the script that this outcome is for; `None` for the script as a whole.
    pub case: Option<String>,
    /// The number of that row in the transcript of the script.
    pub(crate) row: Option<u32>,
    /// Whether the case passed, and if not, why.
    pub verdict: Verdict,
    /// The outcomes of the rows of the script's tables, each a case of its own.
    pub cases: Vec<Self>,
    /// Whether the script failed only because some of its rows failed.
    pub failed_by_cases: bool,
    /// The number of expectations and assertions that were met.
    pub expectations: u64,
    /// Failures in addition to the verdict, such as those in code that the script had deferred.
    pub beside: Vec<Failure>,
    /// The events of the run, in order.
    pub transcript: Vec<Event>,
    /// How long the case took.
    pub elapsed: Duration,
    /// The parameters that the case asked for, by name, with their values; without parameters that
    /// are secrets.
    pub params: Vec<(String, String)>,
    /// Values that the case generated and that differ from run to run; each is preceded by its
    /// placeholder in the golden transcript.
    pub known: Vec<(String, String)>,
    /// The redaction of the golden transcript, if it differs from the default.
    pub redaction: Option<Arc<Redaction>>,
    /// What happened to the golden transcript.
    pub golden: Golden,
    /// The seed of the random decisions of the run, if there were any.
    pub seed: Option<u64>,
    /// The times and measurements of the run.
    pub measured: Measured,
    /// The recorded bytes of the sessions with their times, if the run was recorded.
    pub(crate) recorded: Option<Box<Recorded>>,
    /// The earlier attempts, which failed (`--retries`).
    pub failed_attempts: Vec<Self>,
    /// When the time of the script is up.
    #[cfg(feature = "script")]
    pub(crate) until: Option<std::time::Instant>,
    /// Secrets that must not be in anything that is kept of this outcome.
    #[cfg(feature = "script")]
    pub(crate) secrets: Learned,
}

/// What happened to the golden transcript of a case that passed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Golden {
    /// The golden was not looked for, or there is none.
    #[default]
    None,
    /// The transcript equals this file.
    Same(PathBuf),
    /// The file was written, and did not exist before.
    Recorded(PathBuf),
    /// The file was overwritten, because its transcript differed.
    Updated(PathBuf),
    /// The transcript differs from the golden, or there is no golden; it was left for review in
    /// this file.
    Pending(PathBuf),
}

/// The verdict on a case.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// Everything that was expected came.
    Passed,
    /// The script said that it does not apply here, for this reason.
    Skipped(String),
    /// Something failed, or the script could not be run.
    Failed(Box<Failure>),
    /// Everything that was expected came, but the transcript differs from the golden.
    Differs(Box<Difference>),
    /// The run was interrupted.
    Interrupted(Box<Failure>),
}

/// A golden transcript, and the transcript that differs from it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The file of the golden. If there is no golden yet, the file that it would have.
    pub golden: PathBuf,
    /// The golden transcript; `None` if there is no golden yet.
    pub old: Option<String>,
    /// The transcript of this run.
    pub new: String,
    /// The file in which the new transcript waits for review, if it was written.
    pub pending: Option<PathBuf>,
    /// Why the new transcript could not be written for review.
    pub unwritten: Option<String>,
}

/// A failure, and its place in the script.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The error.
    pub error: Error,
    /// The innermost place in the script.
    pub place: Option<Place>,
    /// The calls that led to this place, from the inside out: each with the function that was
    /// called, and the place of the call.
    pub calls: Vec<(String, Place)>,
    /// The step in progress.
    pub step: Option<String>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, place: None, calls: Vec::new(), step: None }
    }
}

/// A place in a script.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The file, as its path was given or imported.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The text of the line with secrets masked, if the file could be read.
    pub source: Option<Box<str>>,
    /// The column in `source`, where a masked secret may be shorter than it was.
    pub caret: usize,
}

/// The exit code of the process. Each outcome has one, and the worst of all is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
pub enum ExitCode {
    /// All cases passed.
    Passed = 0,
    /// An expectation failed.
    Failed = 1,
    /// A script or the command line is wrong.
    Wrong = 2,
    /// A server could not be reached or talked to.
    Unreachable = 3,
    /// The run was interrupted (128 and SIGINT).
    Interrupted = 130,
}

impl Outcome {
    /// Whether nothing failed; a skipped case did not fail.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.exit_code() == ExitCode::Passed
    }

    /// Whether the case did not fail after an attempt that failed.
    #[must_use]
    pub fn is_flaky(&self) -> bool {
        self.is_ok() && !self.failed_attempts.is_empty()
    }

    /// The outcomes that reports list, each as a case of its own: the script; or the rows of its
    /// tables, and the script too if it failed, or is flaky, for another reason than theirs.
    #[must_use]
    pub fn reported(&self) -> Vec<&Self> {
        let is_apart = if self.is_ok() {
            self.is_flaky() && !self.cases.iter().any(Self::is_flaky)
        } else {
            !self.failed_by_cases
        };
        let script = (self.cases.is_empty() || is_apart).then_some(self);
        self.cases.iter().chain(script).collect()
    }

    /// The name in reports: the path of the script, followed by the row.
    #[must_use]
    pub fn name(&self) -> String {
        let path = self.path.to_string_lossy();
        match &self.case {
            Some(case) => format!("{path}::{case}"),
            None => path.into_owned(),
        }
    }

    /// The failure, if there is one.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match &self.verdict {
            Verdict::Failed(failure) | Verdict::Interrupted(failure) => Some(failure),
            Verdict::Passed | Verdict::Skipped(_) | Verdict::Differs(_) => None,
        }
    }

    /// The exit code that the verdict leads to.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match &self.verdict {
            Verdict::Passed | Verdict::Skipped(_) => ExitCode::Passed,
            Verdict::Differs(_) => ExitCode::Failed,
            Verdict::Interrupted(_) => ExitCode::Interrupted,
            Verdict::Failed(failure) => failure.error.exit_code(),
        }
    }
}

#[cfg(feature = "script")]
impl Outcome {
    /// An outcome with only a path and a verdict.
    pub(crate) fn new(path: &Path, verdict: Verdict) -> Self {
        Self {
            path: path.to_owned(),
            target: None,
            title: None,
            case: None,
            row: None,
            verdict,
            cases: Vec::new(),
            failed_by_cases: false,
            expectations: 0,
            beside: Vec::new(),
            transcript: Vec::new(),
            elapsed: Duration::ZERO,
            params: Vec::new(),
            known: Vec::new(),
            redaction: None,
            golden: Golden::None,
            seed: None,
            measured: Measured::default(),
            recorded: None,
            failed_attempts: Vec::new(),
            until: None,
            secrets: Learned::default(),
        }
    }

    /// Sets the attempts before this one. A row of a table that failed in one of them keeps that
    /// attempt too, because most reports list rows in place of their script.
    #[cfg(feature = "cli")]
    pub(crate) fn set_failed_attempts(&mut self, attempts: Vec<Self>) {
        let rows: std::collections::HashMap<_, _> =
            self.cases.iter().enumerate().map(|(at, row)| (row.case.clone(), at)).collect();
        let failed = attempts.iter().flat_map(|attempt| &attempt.cases).filter(|row| !row.is_ok());
        for row in failed {
            if let Some(&at) = rows.get(&row.case) {
                self.cases[at].failed_attempts.push(row.clone());
            }
        }
        self.failed_attempts = attempts;
    }

    /// Makes a script whose cases failed fail because of them, if any did. The error names these
    /// cases, and its exit code is the worst of theirs.
    pub(crate) fn fail_by_cases(&mut self) {
        let failed: Vec<_> = self.cases.iter().filter(|case| !case.is_ok()).collect();
        let Some(worst) = failed.iter().max_by_key(|case| case.exit_code()) else { return };
        let kind = worst.failure().map_or(Kind::Assert, |failure| failure.error.kind());
        let all = self.cases.len();
        let noun = if all == 1 { "case" } else { "cases" };
        let names: Vec<_> = failed.iter().filter_map(|case| case.case.as_deref()).collect();
        let message = format!("{} of {all} {noun} failed: {}", failed.len(), names.join(", "));
        let mut error = Error::new(kind, message);
        error.note_seed(self.seed);
        self.verdict = Verdict::Failed(Box::new(error.into()));
        self.failed_by_cases = true;
    }

    /// Sets the seed of the random decisions of the run.
    pub(crate) fn seeded(&mut self, seed: Option<u64>) {
        self.seed = seed;
        self.beside.iter_mut().for_each(|failure| failure.error.note_seed(seed));
        if let Verdict::Failed(failure) | Verdict::Interrupted(failure) = &mut self.verdict {
            failure.error.note_seed(seed);
        }
        self.cases.iter_mut().for_each(|case| case.seeded(seed));
    }

    /// Masks secrets in all parts of the outcome except the transcript, which masks them itself.
    pub(crate) fn mask(&mut self, secrets: Learned) {
        for (title, _) in &mut self.measured.steps {
            let mut text = title.to_string();
            secrets.mask_text(&mut text);
            *title = text.into();
        }
        for metric in &mut self.measured.metrics {
            secrets.mask_text(&mut metric.name);
        }
        let params = self.params.iter_mut().map(|(_, value)| value);
        for text in self.title.iter_mut().chain(&mut self.case).chain(params) {
            secrets.mask_text(text);
        }
        self.beside.iter_mut().for_each(|failure| failure.mask(&secrets));
        match &mut self.verdict {
            Verdict::Failed(failure) | Verdict::Interrupted(failure) => failure.mask(&secrets),
            Verdict::Skipped(reason) => secrets.mask_text(reason),
            Verdict::Passed | Verdict::Differs(_) => {}
        }
        self.cases.iter_mut().for_each(|case| case.mask(secrets.clone()));
        self.secrets = secrets;
    }
}

#[cfg(feature = "script")]
impl Failure {
    fn mask(&mut self, secrets: &Learned) {
        self.error.mask(secrets);
        let places = self.place.iter_mut().chain(self.calls.iter_mut().map(|(_, place)| place));
        places.for_each(|place| place.mask(secrets));
        if let Some(step) = &mut self.step {
            secrets.mask_text(step);
        }
    }
}

/// A source line of this length may be a part of a longer one.
#[cfg(feature = "script")]
const LONG_LINE: usize = 1000;

#[cfg(feature = "script")]
impl Place {
    /// Masks secrets in the string literals of the line. Names are not masked, even if they contain
    /// the letters of a secret.
    fn mask(&mut self, secrets: &Learned) {
        let Some(line) = &mut self.source else { return };
        let mut spans = Vec::new();
        // A part of a long line may begin within a literal, so no literals can be told apart in it.
        let is_whole = line.len() < LONG_LINE;
        let literals = if is_whole { secrets::literal_spans(line) } else { Vec::new() };
        for text in literals.into_iter().chain((!is_whole).then_some(0..line.len())) {
            let found = secrets.spans(line[text.clone()].as_bytes());
            spans.extend(
                found.into_iter().map(|span| text.start + span.start..text.start + span.end),
            );
        }
        if !spans.is_empty() {
            let (masked, caret) = secrets::masked_line(line, &spans, self.caret);
            (*line, self.caret) = (masked.into(), caret);
        }
    }
}

impl Error {
    /// The exit code for this error.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self.kind() {
            kind if kind.is_unreachable() || kind == Kind::Tls => ExitCode::Unreachable,
            Kind::Usage | Kind::Busy => ExitCode::Wrong,
            _ => ExitCode::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_exit_code_is_the_largest() {
        let worst = [ExitCode::Wrong, ExitCode::Passed, ExitCode::Unreachable, ExitCode::Failed]
            .into_iter()
            .max();
        assert_eq!(worst, Some(ExitCode::Unreachable));
        assert_eq!(Error::usage("x").exit_code() as u8, 2);
        assert_eq!(Error::new(Kind::Timeout, "x").exit_code() as u8, 1);
        let unreachable = [Kind::Unreachable, Kind::Refused, Kind::Filtered, Kind::Unresolved];
        for kind in unreachable.into_iter().chain([Kind::Lookup, Kind::Tls]) {
            assert_eq!(Error::new(kind, "x").exit_code() as u8, 3);
        }
    }
}
