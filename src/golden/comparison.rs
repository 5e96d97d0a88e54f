//! Compares the transcript of a run with its golden.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::numbers::{self, Names};
use super::skipped::Kept;
use super::{Files, Goldens, Policy, file, header, secret, sections, text};
use crate::error::{Error, Kind, Result};
use crate::outcome::{Difference, Golden, Outcome, Verdict};
use crate::redaction::Redaction;
use crate::stoppable::stoppable;
use crate::transcript::Event;

/// How long a comparison may take after the script's time is up.
const GRACE: Duration = Duration::from_millis(300);
/// Transcripts of fewer bytes are compared in less time than it takes to start a thread.
const SMALL: usize = 16 << 10;

/// A golden of a script, and its path; `None` if there is none.
type There = Option<(PathBuf, file::Recorded)>;
/// The path of the golden, and what was found out about it; `None` if there is nothing to compare.
/// Nothing has been written, and the outcome is as it was.
type Found = Option<(PathBuf, Said)>;

/// What of a script is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    /// The cases that passed, of a script in which others failed or which skipped its rest.
    Cases,
}

impl Goldens {
    /// Compares the transcript of a run that passed with its golden, if there is one or if one is
    /// to be made. The comparison ends a moment after the script's time is up, and when `interrupt`
    /// is ready.
    pub(crate) async fn hold(
        &self,
        mut outcome: Outcome,
        interrupt: impl Future<Output = ()>,
    ) -> Outcome {
        let Some(part) = self.part(&outcome) else { return outcome };
        let there = self.there(&outcome, part);
        if is_quick(&outcome, &there) {
            let found = there.and_then(|there| self.find(&outcome, part, there));
            self.conclude(&mut outcome, part, found);
            return outcome;
        }
        let late = outcome.until.map(|until| until.max(Instant::now()) + GRACE);
        let late = async move {
            match late {
                // This is no pause: it bounds how long the comparison may take.
                Some(late) => tokio::time::sleep_until(late.into()).await,
                None => std::future::pending().await,
            }
        };
        let stop = async {
            tokio::select! {
                () = late => Stop::Late,
                () = interrupt => Stop::Interrupt,
            }
        };
        let shared = Arc::new(outcome);
        let (goldens, of_thread) = (self.clone(), Arc::clone(&shared));
        let find = move || there.and_then(|there| goldens.find(&of_thread, part, there));
        let found = stoppable(find, stop).await;
        // A thread that was stopped may still look at the outcome.
        let mut outcome = Arc::try_unwrap(shared).unwrap_or_else(|shared| (*shared).clone());
        match found {
            Ok(Ok(found)) => self.conclude(&mut outcome, part, found),
            Ok(Err(stop)) => stopped(&mut outcome, stop),
            Err(error) => {
                let error =
                    Error::new(Kind::Io, format!("no thread to compare the golden: {error}"));
                fail(&mut outcome, error);
            }
        }
        outcome
    }

    /// What of a script is compared; `None` if nothing is.
    fn part(&self, outcome: &Outcome) -> Option<Part> {
        // Of a script that skips its rest, nothing is written, so a golden that is to be overwritten
        // stays as it is.
        let is_skipped = matches!(outcome.verdict, Verdict::Skipped(_))
            && !outcome.cases.is_empty()
            && !(self.force_pass || self.policy.writes(false));
        if self.policy == Policy::Ignore {
            None
        } else if outcome.failed_by_cases || is_skipped {
            Some(Part::Cases)
        } else {
            matches!(outcome.verdict, Verdict::Passed).then_some(Part::Whole)
        }
    }

    /// Reads the golden that the outcome is compared with.
    fn there(&self, outcome: &Outcome, part: Part) -> Result<There> {
        let files = Files::of(&outcome.path, self.target.as_deref());
        let is_own = part == Part::Whole && self.policy.records();
        if is_own { files.own_there() } else { files.there() }
    }

    /// Finds how the texts differ.
    fn find(&self, outcome: &Outcome, part: Part, there: There) -> Result<Found> {
        let run = outcome.redaction.as_deref().cloned().unwrap_or_default();
        if part == Part::Cases {
            let Some((path, golden)) = there else { return Ok(None) };
            return Ok(Some((path, Said::beside(golden, outcome, &run)?)));
        }
        if there.is_none() && !self.policy.makes_new() {
            return Ok(None);
        }
        let (path, said) = match there {
            Some((path, golden)) if self.policy.records() => {
                let names = Names::of(outcome, &run);
                let text = text::redacted(outcome, &run)?;
                let kept = Kept::of(outcome, &golden.text, text, &names);
                let old = if golden.redaction.keeps_as(&run) { golden.text } else { String::new() };
                (path, Said::whole(Some(old), kept, run, &names))
            }
            Some((path, golden)) => (path, Said::beside(golden, outcome, &run)?),
            None => {
                let names = Names::of(outcome, &run);
                let kept = Kept::of(outcome, "", text::redacted(outcome, &run)?, &names);
                let own = Files::of(&outcome.path, self.target.as_deref()).own();
                (own, Said::whole(None, kept, run, &names))
            }
        };
        secret::check_text(&said.new, &outcome.secrets)?;
        secret::check_regexes(&said.redaction, &outcome.secrets)?;
        Ok(Some((path, said)))
    }

    /// Writes what the policy says, and gives the outcome its verdict.
    fn conclude(&self, outcome: &mut Outcome, part: Part, found: Result<Found>) {
        match (part, found) {
            (Part::Whole, found) => self.conclude_whole(outcome, found),
            // Nothing is written, because the failed cases and the rest have nothing to write.
            (Part::Cases, Ok(Some((path, said)))) => {
                let old = said.old.unwrap_or_default();
                sections::mark(outcome, &path, (&old, &said.shown), &said.cases);
                outcome.fail_by_cases();
            }
            (Part::Cases, Ok(None)) => {}
            // An unreadable golden is not the fault of any case.
            (Part::Cases, Err(error)) => outcome.beside.push(error.into()),
        }
    }

    fn conclude_whole(&self, outcome: &mut Outcome, found: Result<Found>) {
        let held = found.and_then(|found| {
            let Some((path, said)) = found else { return Ok(Held::As(Golden::None)) };
            self.settle(outcome, path, said)
        });
        match held {
            Ok(Held::As(golden)) => outcome.golden = golden,
            Ok(Held::Differs(difference, cases)) => {
                let (golden, old) = (&difference.golden, difference.old.as_deref());
                let (old, new) = (old.unwrap_or_default(), &difference.new);
                let is_marked = sections::mark(outcome, golden, (old, new), &cases);
                if is_marked && !outcome.cases.is_empty() {
                    outcome.failed_by_cases = true;
                }
                outcome.verdict = Verdict::Differs(Box::new(difference));
            }
            Err(error) => outcome.verdict = Verdict::Failed(Box::new(error.into())),
        }
    }

    /// Writes the golden or the pending file as the policy says, for a transcript that differs from
    /// the golden or has none.
    fn settle(&self, outcome: &Outcome, path: PathBuf, said: Said) -> Result<Held> {
        file::refer(&path)?;
        if said.old.as_deref().is_some_and(|old| file::is_same(old, &said.shown)) {
            if self.policy.writes_pending() {
                file::forget_pending(&path);
            }
            return Ok(Held::As(Golden::Same(path)));
        }
        let title = outcome.title.as_deref();
        let snapshot = file::render(&outcome.path, title, &said.redaction, &said.new);
        // A golden that could not be read again is not written.
        header::check(&snapshot).map_err(|why| {
            let error = Error::unwritable(format_args!("the golden {}", path.display()), why);
            error.hint("make the title, and the regexes of redact(...), fewer or shorter")
        })?;
        let is_new = said.old.is_none();
        if self.policy.writes(is_new) {
            file::write(&path, &snapshot)?;
            file::forget_pending(&path);
            return Ok(Held::As(if is_new {
                Golden::Recorded(path)
            } else {
                Golden::Updated(path)
            }));
        }
        let pending = self.policy.leaves_pending(is_new).then(|| file::pending(&path));
        let written = pending.as_ref().map_or(Ok(()), |pending| file::write(pending, &snapshot));
        let unwritten = written.err().map(|error| error.message().to_owned());
        match pending.filter(|_| unwritten.is_none()) {
            Some(pending) if self.force_pass => Ok(Held::As(Golden::Pending(pending))),
            None if self.force_pass => Ok(Held::As(Golden::None)),
            pending => {
                let (old, new) = (said.old, said.shown);
                let difference = Difference { golden: path, old, new, pending, unwritten };
                Ok(Held::Differs(difference, said.cases))
            }
        }
    }
}

/// Why a comparison was stopped.
#[derive(Clone, Copy)]
enum Stop {
    Late,
    Interrupt,
}

/// Whether a comparison surely takes no time: of the regexes of a script, and of those in a golden,
/// nobody knows how long they take.
fn is_quick(outcome: &Outcome, there: &Result<There>) -> bool {
    let golden = there.as_ref().ok().and_then(Option::as_ref).map(|(_, golden)| golden);
    let events: usize = outcome.transcript.iter().map(Event::bytes).sum();
    let bytes = events + golden.map_or(0, |golden| golden.text.len());
    let redactions = [outcome.redaction.as_deref(), golden.map(|golden| &golden.redaction)];
    bytes < SMALL && !redactions.into_iter().flatten().any(Redaction::has_regexes)
}

/// Gives an outcome the verdict for a comparison that was stopped.
fn stopped(outcome: &mut Outcome, stop: Stop) {
    match stop {
        Stop::Interrupt => {
            let error = Error::new(Kind::Timeout, "interrupted while the golden was compared");
            outcome.verdict = Verdict::Interrupted(Box::new(error.into()));
        }
        Stop::Late => {
            let message = "the deadline of the whole script ran out while the golden was compared";
            let error = Error::new(Kind::Timeout, message);
            fail(
                outcome,
                error.hint("give it longer with --deadline, or redact with simpler regexes"),
            );
        }
    }
}

fn fail(outcome: &mut Outcome, error: Error) {
    match outcome.verdict {
        Verdict::Passed => outcome.verdict = Verdict::Failed(Box::new(error.into())),
        _ => outcome.beside.push(error.into()),
    }
}

/// The transcript of a run beside its golden.
struct Said {
    /// The golden, reduced to what is compared; `None` if there is none.
    old: Option<String>,
    /// The transcript, reduced to what is compared.
    shown: String,
    /// The text that would be written as the golden.
    new: String,
    /// The redaction that the golden would be written with.
    redaction: Redaction,
    /// For each section of the transcript, in order, the place of its case in the outcome.
    cases: Vec<Option<usize>>,
}

impl Said {
    /// A transcript that is compared as it is written, up to its numbers.
    fn whole(old: Option<String>, kept: Kept, redaction: Redaction, names: &Names) -> Self {
        let shown =
            old.as_deref().map(|old| numbers::as_in(old, &kept.text, names, &HashSet::new()));
        let shown = shown.unwrap_or_else(|| kept.text.clone());
        Self { old, shown, new: kept.text, redaction, cases: kept.cases }
    }

    /// Compares a transcript with a golden under the redaction that the golden was made with. If
    /// the run leaves out more, by a lower strictness or by more redactions, both texts are reduced
    /// in the same way.
    fn beside(golden: file::Recorded, outcome: &Outcome, run: &Redaction) -> Result<Self> {
        let file::Recorded { text: old, redaction: made, .. } = golden;
        let redaction = made.clone().with_additions_of(run);
        let names = Names::of(outcome, &redaction);
        let kept = Kept::of(outcome, &old, text::redacted(outcome, &redaction)?, &names);
        if redaction.keeps_as(&made) {
            return Ok(Self::whole(Some(old), kept, redaction, &names));
        }
        let old = text::reduced(&old, &redaction)?;
        let shown = text::reduced(&kept.text, &redaction)?;
        let shown = numbers::as_in(&old, &shown, &names, &HashSet::new());
        Ok(Self { old: Some(old), shown, new: kept.text, redaction, cases: kept.cases })
    }
}

/// The result of a comparison.
enum Held {
    As(Golden),
    /// The difference, and the place of the case for each section of the transcript.
    Differs(Difference, Vec<Option<usize>>),
}
