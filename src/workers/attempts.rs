//! The attempts at a script: it is run again if it fails and may be retried.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use super::{Against, Job, Shared, Work};
use crate::duration;
use crate::error::{Error, Kind};
use crate::outcome::{ExitCode, Failure, Outcome, Verdict};
use crate::transport::ThreadUse;

/// How long the comparison with a golden may take after the run was interrupted.
const TO_COMPARE: Duration = Duration::from_millis(200);

/// Ready once the run is interrupted.
async fn interrupted(pressed: &watch::Receiver<bool>) {
    // The sender lives as long as the lanes, so this does not fail before the signal comes.
    let _ = pressed.clone().wait_for(|pressed| *pressed).await;
}

/// Runs a script, and runs it again if it fails and may be retried.
pub(super) async fn run<A>(
    shared: &Shared<A>,
    thread: ThreadUse,
    Job { script, against }: &Job,
    pressed: &watch::Receiver<bool>,
) -> Outcome {
    let work = &shared.work;
    let mut failed = Vec::new();
    if let Some(reason) = incomplete(work, against, script) {
        let mut outcome = Outcome::new(script, Verdict::Skipped(reason));
        outcome.target.clone_from(&against.target);
        return outcome;
    }
    loop {
        let mut outcome = against.runner.run_on(thread, script, interrupted(pressed)).await;
        outcome.target.clone_from(&against.target);
        outcome.cases.iter_mut().for_each(|case| case.target.clone_from(&against.target));
        let interrupt = async {
            interrupted(pressed).await;
            tokio::time::sleep(TO_COMPARE).await;
        };
        let mut outcome = against.goldens.hold(outcome, interrupt).await;
        blame_time(shared, &mut outcome);
        // A script with a usage error would fail again in the same way.
        let is_final = outcome.is_ok() || outcome.exit_code() == ExitCode::Wrong;
        if is_final || failed.len() >= work.rules.retries as usize || shared.is_cancelled() {
            let mut outcome = settled(failed, outcome);
            if work.rules.flaky_fails && outcome.is_flaky() {
                outcome.verdict = Verdict::Failed(Box::new(flaky(&outcome)));
            }
            return outcome;
        }
        failed.push(outcome);
    }
}

/// The outcome of a script after its last attempt. That is the last attempt, unless it skipped what
/// had failed before: a skip proves nothing, so the failed attempt stays the outcome.
fn settled(mut failed: Vec<Outcome>, mut last: Outcome) -> Outcome {
    let unproved = failed.iter().enumerate().rev();
    let unproved = unproved.filter_map(|(at, failed)| Some((at, skipped_after(failed, &last)?)));
    let Some((at, reason)) = unproved.map(|(at, reason)| (at, reason.to_owned())).next() else {
        last.set_failed_attempts(failed);
        return last;
    };
    let message = format!("it was skipped when it was retried: {reason}");
    let error = Error::new(Kind::Vacuous, message);
    let mut outcome = failed.remove(at);
    outcome.beside.push(error.hint("a skip after a failure proves nothing").into());
    outcome.set_failed_attempts(failed);
    outcome
}

/// The reason with which an attempt skipped what had failed in an earlier attempt; `None` if it did
/// not skip that.
fn skipped_after<'a>(failed: &Outcome, last: &'a Outcome) -> Option<&'a str> {
    let reason = |outcome: &'a Outcome| match &outcome.verdict {
        Verdict::Skipped(reason) => Some(reason.as_str()),
        _ => None,
    };
    if !last.is_ok() {
        return None;
    }
    let mut cases = failed.cases.iter().filter(|case| !case.is_ok());
    let of_case = cases.find_map(|failed| {
        let case = last.cases.iter().find(|case| case.case == failed.case);
        reason(case.unwrap_or(last))
    });
    of_case.or_else(|| reason(last).filter(|_| !failed.failed_by_cases))
}

/// The reason to skip a script because its parameters have no values; `None` if it is not to be
/// skipped.
fn incomplete(work: &Work, against: &Against, script: &Path) -> Option<String> {
    if !work.rules.skip_incomplete {
        return None;
    }
    let lacking = against.runner.lacking(script);
    (!lacking.is_empty()).then(|| format!("no value for {}", lacking.join(", ")))
}

/// Makes the outcome a failure if the time limit of the run has cut the script off.
pub(super) fn blame_time<A>(shared: &Shared<A>, outcome: &mut Outcome) {
    if let (Verdict::Interrupted(failure), Some(time), true) =
        (&outcome.verdict, shared.work.rules.time, shared.timed_out.load(Ordering::Relaxed))
    {
        outcome.verdict = Verdict::Failed(Box::new(out_of_time(failure, time)));
    }
}

/// The failure of a script that was cut off by the time limit of the run.
fn out_of_time(failure: &Failure, time: Duration) -> Failure {
    let message = format!("the time of the run, {}, is up", duration::show(time));
    let error = Error::new(Kind::Timeout, message)
        .hint("give the run more time by --global-timeout, or look for the script that takes it");
    Failure { error, ..failure.clone() }
}

/// The failure of a script that passed only after a retry, if that counts as failed.
fn flaky(outcome: &Outcome) -> Failure {
    let number = outcome.failed_attempts.len();
    let last = outcome.failed_attempts.last().and_then(Outcome::failure);
    let message = format!("the script is flaky: it passed at attempt {}", number + 1);
    let error = Error::new(Kind::Mismatch, message);
    let error = error.hint("make it pass at the first attempt, or allow it: --flaky-result pass");
    last.map_or_else(
        || error.clone().into(),
        |last| Failure { error: error.clone(), ..last.clone() },
    )
}
