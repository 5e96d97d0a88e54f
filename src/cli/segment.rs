//! `mailexpect run --segment`: checks whether results depend on how the stream is cut into packets.

use std::sync::Arc;
use std::time::Instant;

use clap::Args;

use super::screen::Screen;
use crate::error::{Error, Kind, Result};
use crate::golden::{self, Goldens};
use crate::outcome::{ExitCode, Failure, Outcome, Verdict};
use crate::report::{Human, Tally};
use crate::session::Options;
use crate::transport::Segment;
use crate::workers::{self, Against, Audience, Job, Work};

/// The arguments.
#[derive(Args, Debug)]
pub(super) struct Cutting {
    /// Cut the stream into packets: `--segment=bytes`, `lines`, `crlf` (between CR and LF) or
    /// `whole`. Without a way, run each script in each way and fail if the results differ.
    #[arg(long, value_name = "WAY", num_args = 0..=1, require_equals = true, default_missing_value = "all", value_parser = parse)]
    segment: Option<Ways>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ways {
    One(Segment),
    All,
}

fn parse(name: &str) -> Result<Ways, String> {
    if name == "all" {
        return Ok(Ways::All);
    }
    let way = Segment::parse(name).map(Ways::One);
    way.map_err(|error| format!("{}; {}", error.message(), error.next_step().unwrap_or_default()))
}

impl Cutting {
    /// Whether the results of all ways of cutting are compared.
    pub(super) fn compares(&self) -> bool {
        self.segment == Some(Ways::All)
    }

    /// Whether `--segment` was given.
    pub(super) fn is_asked_for(&self) -> bool {
        self.segment.is_some()
    }

    pub(super) fn options(&self, options: Options) -> Options {
        match self.segment {
            Some(Ways::One(way)) => options.segment(way),
            Some(Ways::All) | None => options,
        }
    }
}

/// Runs each script with every way of cutting, and shows the results.
pub(super) fn compare(work: &Work, human: Human, screen: &mut Screen) -> Result<ExitCode> {
    let (started, mut tally) = (Instant::now(), Tally::default());
    for job in &work.jobs {
        let mut teardowns = Vec::new();
        let Some(compared) = compare_one(work, job, &mut teardowns)? else { break };
        tally.add(&compared);
        screen.show(&human.outcome(&compared));
        if matches!(compared.verdict, Verdict::Passed) {
            screen.show(&Human::same(&Segment::CUTS));
        }
        // A teardown that fails after each run is shown once.
        teardowns.dedup_by(|next, last| next.path == last.path);
        for teardown in teardowns {
            tally.add_beside(&teardown);
            screen.show(&human.outcome(&teardown));
        }
    }
    screen.show(&tally.line(started.elapsed()));
    let not_run = work.jobs.len() - tally.total();
    if not_run > 0 {
        screen.show(&Human::not_run(not_run, "script"));
        return Ok(ExitCode::Interrupted);
    }
    Ok(tally.exit_code())
}

/// Runs a script in one piece and in every other way. Returns the outcome in one piece, or a
/// failure if another way differs; `None` after an interrupt. Adds the teardowns that failed.
fn compare_one(work: &Work, job: &Job, teardowns: &mut Vec<Outcome>) -> Result<Option<Outcome>> {
    let started = Instant::now();
    let mut run = |job: &Job, way| run(work, job, way, teardowns);
    let Some(mut whole) = run(job, Segment::Whole)? else { return Ok(None) };
    if !is_comparable(&whole) {
        return Ok(Some(whole));
    }
    // Only the first run is compared with its golden. The other runs are compared with the first.
    let goldens = Arc::new(Goldens::passed_over());
    let against = Arc::new(Against { goldens, ..(*job.against).clone() });
    let others = &Job { against, ..job.clone() };
    for way in Segment::CUTS {
        let Some(cut) = run(others, way)? else { return Ok(None) };
        if matches!(cut.verdict, Verdict::Interrupted(_)) {
            return Ok(Some(cut));
        }
        if let Some(parting) = Parting::between(&whole, &cut)? {
            // Cutting is to blame only if two runs without it are the same.
            let Some(again) = run(others, Segment::Whole)? else { return Ok(None) };
            let varies = Parting::between(&whole, &again)?;
            let (mut failed, error) = match varies {
                Some(varies) => (again, varies.unstable()),
                None => parting.blame(way, whole, cut),
            };
            failed.verdict = Verdict::Failed(Box::new(with_place(error, &failed)));
            failed.elapsed = started.elapsed();
            return Ok(Some(failed));
        }
    }
    whole.elapsed = started.elapsed();
    Ok(Some(whole))
}

/// Whether cutting could change the result. It cannot if the script is wrong or the server is
/// unreachable.
fn is_comparable(outcome: &Outcome) -> bool {
    match &outcome.verdict {
        Verdict::Passed => true,
        Verdict::Failed(failure) => failure.error.exit_code() == ExitCode::Failed,
        Verdict::Skipped(_) | Verdict::Interrupted(_) | Verdict::Differs(_) => false,
    }
}

fn run(
    work: &Work,
    job: &Job,
    way: Segment,
    teardowns: &mut Vec<Outcome>,
) -> Result<Option<Outcome>> {
    let runner = Arc::new(job.against.runner.segment(way));
    let against = Arc::new(Against { runner, ..(*job.against).clone() });
    let jobs = vec![Job { against, ..job.clone() }];
    let work = Work { jobs, at_once: 1, ..work.clone() };
    let (heard, _) = workers::run(work, Heard::default())?;
    teardowns.extend(heard.teardowns);
    Ok(heard.outcome)
}

/// Keeps the outcome of a single job, and the teardowns that failed after it.
#[derive(Default)]
struct Heard {
    outcome: Option<Outcome>,
    teardowns: Vec<Outcome>,
}

impl Audience for Heard {
    fn ended(&mut self, _: usize, outcome: Outcome) {
        self.outcome = Some(outcome);
    }

    fn teardown_failed(&mut self, outcome: Outcome) {
        self.teardowns.push(outcome);
    }
}

/// The first difference of two runs: a line of each transcript.
#[derive(Debug)]
struct Parting {
    one: String,
    other: String,
}

impl Parting {
    /// The first line in which the transcripts differ, after redaction. Two runs that fail count as
    /// equal, because how far each came may depend on when the failure was noticed.
    fn between(one: &Outcome, other: &Outcome) -> Result<Option<Self>> {
        let parting = Self::of(&golden::text(one)?, &golden::text(other)?);
        let both_pass =
            [one, other].iter().all(|outcome| matches!(outcome.verdict, Verdict::Passed));
        Ok(match (both_pass, one.is_ok() == other.is_ok()) {
            (true, _) => parting,
            (false, true) => None,
            (false, false) => Some(parting.unwrap_or_default()),
        })
    }

    fn of(one: &str, other: &str) -> Option<Self> {
        let (mut ones, mut others) = (one.lines(), other.lines());
        let pairs = std::iter::from_fn(|| Some((ones.next(), others.next())));
        let mut pairs = pairs.take_while(|(one, other)| one.is_some() || other.is_some());
        let (one, other) = pairs.find(|(one, other)| one != other)?;
        let shown = |line: Option<&str>| line.unwrap_or("the end of the transcript").to_owned();
        Some(Self { one: shown(one), other: shown(other) })
    }

    fn error(&self, message: String) -> Error {
        Error::new(Kind::Mismatch, message).with_expected(&self.one).with_got(self.other.clone())
    }

    /// The error for a difference that cutting made, with the outcome to show: the failed one, if
    /// one failed.
    fn blame(self, way: Segment, whole: Outcome, cut: Outcome) -> (Outcome, Error) {
        let is_whole = whole.failure().is_some();
        let (good, bad) = if is_whole { (way, Segment::Whole) } else { (Segment::Whole, way) };
        let (shown, parting) = if is_whole { (whole, self.turned()) } else { (cut, self) };
        let what = match shown.failure() {
            Some(failure) => {
                format!("{good}, the script passes; {bad}, {}", failure.error.message())
            }
            None => format!("{bad}, the dialogue is another one than {good}"),
        };
        let error = parting.error(format!("the result depends on packet boundaries: {what}"));
        let hint = format!(
            "a reader must go on until it has a whole line, however many reads that takes, and keep the bytes after it; \
             --segment={} -v shows this run alone",
            bad.name()
        );
        (shown, error.hint(hint))
    }

    fn turned(self) -> Self {
        Self { one: self.other, other: self.one }
    }

    fn unstable(&self) -> Error {
        let error = self.error("the dialogue varies from run to run even without cuts".to_owned());
        error.hint("redact what varies by redact(...) or --redact, and leave the server as the script found it")
    }
}

/// The difference of two runs with equal transcripts and different verdicts.
impl Default for Parting {
    fn default() -> Self {
        Self { one: "the same".to_owned(), other: "the same dialogue, and another end".to_owned() }
    }
}

/// A failure with the given error, and the place in the script if the outcome has one.
fn with_place(error: Error, outcome: &Outcome) -> Failure {
    match outcome.failure() {
        Some(failure) => Failure { error, ..failure.clone() },
        None => error.into(),
    }
}
