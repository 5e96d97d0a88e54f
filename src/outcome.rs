//! What a case produced: a verdict, and what is needed to explain it. Failure is data here; nothing
//! is worded.

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

/// What running a script, or finding that it cannot run, came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The script.
    pub path: PathBuf,
    /// The target of the project file that it was run against, if one was named.
    pub target: Option<Arc<str>>,
    /// The script's first comment, which is its title.
    pub title: Option<String>,
    /// The row of a table in the script that it is about; `None` for the script as a whole.
    pub case: Option<String>,
    /// What it came to.
    pub verdict: Verdict,
    /// The rows of the script's tables, each a case of its own.
    pub cases: Vec<Self>,
    /// Whether it failed for nothing else than that some of those did.
    pub failed_by_cases: bool,
    /// How often something was expected or asserted.
    pub expectations: u64,
    /// What failed beside the verdict: what the script had deferred.
    pub beside: Vec<Failure>,
    /// What happened, in order.
    pub transcript: Vec<Event>,
    /// How long it took.
    pub elapsed: Duration,
    /// The parameters that it asked for, by name, each with the value it was given; those of
    /// secrets are not here.
    pub params: Vec<(String, String)>,
    /// Values that it had made up and that differ from run to run, each after what stands for it
    /// in its golden transcript.
    pub known: Vec<(String, String)>,
    /// What is to be redacted in its golden transcript, if that is anything but what is redacted
    /// by default.
    pub redaction: Option<Arc<Redaction>>,
    /// What became of its golden transcript.
    pub golden: Golden,
    /// What it took and measured.
    pub measured: Measured,
    /// What went by, as it went, if that was recorded.
    pub(crate) recorded: Option<Box<Recorded>>,
    /// The attempts before this one, which failed (`--retries`).
    pub failed_attempts: Vec<Self>,
    /// What must not get into anything that is kept of it.
    #[cfg(feature = "script")]
    pub(crate) secrets: Learned,
}

/// What became of the golden transcript of a case that passed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Golden {
    /// It was not looked for, or there is none.
    #[default]
    None,
    /// The transcript is that of this file.
    Same(PathBuf),
    /// The file was written, and there was none before.
    Recorded(PathBuf),
    /// The file was written in place of one that had another transcript.
    Updated(PathBuf),
    /// It differs, or there was none, and was left for review in this file.
    Pending(PathBuf),
}

/// What a case came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// Everything that was expected came.
    Passed,
    /// The script said that it does not apply here, and why.
    Skipped(String),
    /// Something failed, or could not be run.
    Failed(Box<Failure>),
    /// Everything that was expected came, and what was said is not what the golden transcript says.
    Differs(Box<Difference>),
    /// Somebody stopped it.
    Interrupted(Box<Failure>),
}

/// A golden transcript, and what was said instead.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The file of the golden; if there is none yet, the file that it would have.
    pub golden: PathBuf,
    /// What it says; nothing if it is not there yet.
    pub old: Option<String>,
    /// What was said.
    pub new: String,
    /// The file in which that waits for review, if it was to be left.
    pub pending: Option<PathBuf>,
    /// Why it could not be left there.
    pub unwritten: Option<String>,
}

/// What failed, and where in the script.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// What went wrong.
    pub error: Error,
    /// The place in the script, innermost.
    pub place: Option<Place>,
    /// The places that called it, from the inside out, each with the function it called.
    pub calls: Vec<(String, Place)>,
    /// The step that was under way.
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
    /// The file, as it was given or imported.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The text of the line, secrets masked, if the file could be read.
    pub source: Option<Box<str>>,
    /// The column in that text: what is masked may be shorter than it was.
    pub caret: usize,
}

/// What the process's exit code says (and every outcome has one; the worst wins).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
pub enum ExitCode {
    /// All passed.
    Passed = 0,
    /// An expectation failed.
    Failed = 1,
    /// A script or the command line is wrong.
    Wrong = 2,
    /// A server could not be reached or talked to.
    Unreachable = 3,
    /// Somebody stopped the run (128 and SIGINT).
    Interrupted = 130,
}

impl Outcome {
    /// Whether nothing failed; a skipped case did not fail.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.exit_code() == ExitCode::Passed
    }

    /// Whether it passed after an attempt that failed.
    #[must_use]
    pub fn is_flaky(&self) -> bool {
        matches!(self.verdict, Verdict::Passed) && !self.failed_attempts.is_empty()
    }

    /// What reports tell of, each a case of its own: the script, or the rows of its tables, and
    /// then the script only if it failed for another reason than theirs.
    #[must_use]
    pub fn reported(&self) -> Vec<&Self> {
        let is_apart = !self.is_ok() && !self.failed_by_cases;
        let script = (self.cases.is_empty() || is_apart).then_some(self);
        self.cases.iter().chain(script).collect()
    }

    /// What a report calls it: the path of the script, and the row after that.
    #[must_use]
    pub fn name(&self) -> String {
        let path = self.path.to_string_lossy();
        match &self.case {
            Some(case) => format!("{path}::{case}"),
            None => path.into_owned(),
        }
    }

    /// What failed, if something did.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match &self.verdict {
            Verdict::Failed(failure) | Verdict::Interrupted(failure) => Some(failure),
            Verdict::Passed | Verdict::Skipped(_) | Verdict::Differs(_) => None,
        }
    }

    /// What it means for the process's exit code.
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
    /// An outcome of which nothing is known yet but the verdict.
    pub(crate) fn new(path: &Path, verdict: Verdict) -> Self {
        Self {
            path: path.to_owned(),
            target: None,
            title: None,
            case: None,
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
            measured: Measured::default(),
            recorded: None,
            failed_attempts: Vec::new(),
            secrets: Learned::default(),
        }
    }

    /// Masks what the run knows to be secret in all that its transcript does not hold, and so has
    /// not masked itself.
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

#[cfg(feature = "script")]
impl Place {
    /// Masks secrets in the texts of the line: its names are none, whatever their letters.
    fn mask(&mut self, secrets: &Learned) {
        let Some(line) = &mut self.source else { return };
        let mut spans = Vec::new();
        for text in secrets::literal_spans(line) {
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
    /// The exit code that the error leads to.
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
        for kind in [Kind::Unreachable, Kind::Refused, Kind::Filtered, Kind::Unresolved, Kind::Tls]
        {
            assert_eq!(Error::new(kind, "x").exit_code() as u8, 3);
        }
    }
}
