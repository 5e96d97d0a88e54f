//! A stream of events as JSON, one event a line, each written when it happens. docs/json.md
//! documents the format; an incompatible change needs a new [`VERSION`].

use std::path::Path;

use serde_json::{Value, json};

use super::{Planned, Report, Summary};
use crate::outcome::{Difference, Failure, Golden, Outcome, Place, Verdict};
use crate::{transcript, visible};

/// The version of the stream, given in its first event.
const VERSION: u32 = 1;

/// Writes the events from `run-started` to `run-ended`.
#[derive(Debug, Default)]
pub(crate) struct Json;

impl Report for Json {
    fn run_started(&mut self, planned: &Planned) -> String {
        let targets: Vec<_> = planned.targets.iter().map(|target| &**target).collect();
        line(&json!({
            "event": "run-started",
            "version": VERSION,
            "scripts": planned.scripts,
            "targets": targets,
        }))
    }

    fn script_started(&mut self, number: usize, script: &Path, target: Option<&str>) -> String {
        let path = script.to_string_lossy();
        line(&json!({
            "event": "script-started",
            "number": number,
            "path": path,
            "target": target,
        }))
    }

    fn script_ended(&mut self, number: usize, outcome: &Outcome) -> String {
        let mut event = case(outcome);
        event["event"] = "script-ended".into();
        event["number"] = number.into();
        event["cases"] = outcome.cases.iter().map(case).collect::<Vec<_>>().into();
        line(&event)
    }

    fn run_ended(&mut self, summary: &Summary) -> String {
        let tally = &summary.tally;
        line(&json!({
            "event": "run-ended",
            "passed": tally.passed,
            "failed": tally.failed,
            "skipped": tally.skipped,
            "flaky": tally.flaky,
            "not_run": summary.not_run,
            "exit_code": summary.exit_code() as u8,
            "elapsed": summary.elapsed.as_secs_f64(),
        }))
    }
}

/// A value as a line that may be shown.
pub(super) fn line(value: &Value) -> String {
    let mut line = visible::json(&value.to_string());
    line.push('\n');
    line
}

/// The object for a script or a row, with the attempts before.
fn case(outcome: &Outcome) -> Value {
    let mut value = attempt(outcome);
    value["failed_attempts"] =
        outcome.failed_attempts.iter().map(attempt).collect::<Vec<_>>().into();
    value
}

/// The object for one attempt at a script or a row.
fn attempt(outcome: &Outcome) -> Value {
    let verdict = match &outcome.verdict {
        Verdict::Passed => "passed",
        Verdict::Skipped(_) => "skipped",
        Verdict::Failed(_) => "failed",
        Verdict::Differs(_) => "differs",
        Verdict::Interrupted(_) => "interrupted",
    };
    let reason = match &outcome.verdict {
        Verdict::Skipped(reason) => Some(reason),
        _ => None,
    };
    let difference = match &outcome.verdict {
        Verdict::Differs(different) => Some(difference(different)),
        _ => None,
    };
    let params: serde_json::Map<_, _> =
        outcome.params.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let (mut times, mut lines) = (Vec::new(), Vec::new());
    transcript::each_line(&outcome.transcript, |line| {
        times.push(line.at.map(|at| at.as_secs_f64()));
        lines.push(line.to_string());
    });
    json!({
        "path": outcome.path.to_string_lossy(),
        "target": outcome.target.as_deref(),
        "title": outcome.title,
        "case": outcome.case,
        "verdict": verdict,
        "failed_by_cases": outcome.failed_by_cases,
        "exit_code": outcome.exit_code() as u8,
        "elapsed": outcome.elapsed.as_secs_f64(),
        "expectations": outcome.expectations,
        "reason": reason,
        "failure": outcome.failure().map(failure),
        "beside": outcome.beside.iter().map(failure).collect::<Vec<_>>(),
        "difference": difference,
        "golden": golden(&outcome.golden),
        "seed": outcome.seed,
        "params": params,
        "transcript": lines,
        "times": times,
    })
}

fn failure(failure: &Failure) -> Value {
    let error = &failure.error;
    let calls: Vec<_> = failure
        .calls
        .iter()
        .map(|(function, at)| json!({ "function": function, "place": place(at) }))
        .collect();
    let waited = error.waited().map(|waited| {
        json!({ "elapsed": waited.elapsed.as_secs_f64(), "allowed": waited.allowed.as_secs_f64() })
    });
    json!({
        "kind": error.kind().name(),
        "message": error.message(),
        "expected": error.expected(),
        "got": error.got(),
        "sent": error.sent(),
        "waited": waited,
        "session": error.session(),
        "hint": error.next_step(),
        "step": failure.step,
        "place": failure.place.as_ref().map(place),
        "calls": calls,
    })
}

fn place(place: &Place) -> Value {
    json!({ "file": place.file, "line": place.line, "column": place.column, "source": place.source })
}

fn difference(difference: &Difference) -> Value {
    json!({
        "golden": difference.golden.to_string_lossy(),
        "old": difference.old,
        "new": difference.new,
        "pending": difference.pending.as_ref().map(|path| path.to_string_lossy()),
    })
}

fn golden(golden: &Golden) -> Option<Value> {
    let (state, path) = match golden {
        Golden::None => return None,
        Golden::Same(path) => ("same", path),
        Golden::Recorded(path) => ("recorded", path),
        Golden::Updated(path) => ("updated", path),
        Golden::Pending(path) => ("pending", path),
    };
    Some(json!({ "state": state, "path": path.to_string_lossy() }))
}
