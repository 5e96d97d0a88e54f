//! The Test Anything Protocol, version 14 (testanything.org).

use std::fmt::Write as _;

use serde_json::Value;

use super::{Human, InOrder, Planned, Report, Summary, explained};
use crate::outcome::{Outcome, Verdict};
use crate::visible;

/// Writes a test point for each script, with what failed in one YAML block below it.
#[derive(Debug, Default)]
pub(crate) struct Tap {
    in_order: InOrder,
    /// The number of scripts, if it was known at the beginning.
    planned: usize,
    /// The number of test points so far.
    points: usize,
}

impl Report for Tap {
    fn run_started(&mut self, planned: &Planned) -> String {
        self.planned = planned.scripts.unwrap_or_default();
        "TAP version 14\n".to_owned()
    }

    fn script_ended(&mut self, number: usize, outcome: &Outcome) -> String {
        self.points += 1;
        self.in_order.next(number, point(number + 1, outcome))
    }

    fn run_ended(&mut self, summary: &Summary) -> String {
        let mut text = self.in_order.rest();
        // The plan comes last, because a teardown that fails is one more point.
        let _ = writeln!(text, "1..{}", self.planned.max(self.points));
        if summary.not_run > 0 {
            let _ = writeln!(text, "Bail out! {} scripts were not run", summary.not_run);
        }
        text
    }
}

fn point(number: usize, outcome: &Outcome) -> String {
    let path = escaped(&outcome.case.clone().unwrap_or_else(|| Human::name(outcome)));
    let mut text = match &outcome.verdict {
        Verdict::Passed => format!("ok {number} - {path}\n"),
        Verdict::Skipped(reason) => format!("ok {number} - {path} # SKIP {}\n", escaped(reason)),
        _ => format!("not ok {number} - {path}\n"),
    };
    text.insert_str(0, &subtests(outcome));
    text.push_str(&block(outcome));
    text
}

/// The rows of tables as subtests: indented points before that of the script.
fn subtests(outcome: &Outcome) -> String {
    if outcome.cases.is_empty() {
        return String::new();
    }
    let path = escaped(&outcome.path.to_string_lossy());
    let mut text = format!("# Subtest: {path}\n");
    let points = outcome.cases.iter().enumerate().map(|(place, case)| point(place + 1, case));
    let points = points.chain([format!("1..{}\n", outcome.cases.len())]);
    for line in points.flat_map(|point| point.lines().map(str::to_owned).collect::<Vec<_>>()) {
        let _ = writeln!(text, "    {line}");
    }
    text
}

/// Escapes `#`, which begins a comment, and all that is no plain text. Replaces line ends, which end
/// a line of the protocol.
fn escaped(text: &str) -> String {
    let text = text.replace(['\r', '\n'], " ").replace('\\', "\\\\").replace('#', "\\#");
    visible::printable(&text)
}

/// The YAML block of a point: why it failed, and the attempts before it. A consumer takes only the
/// first block after a point.
fn block(outcome: &Outcome) -> String {
    let attempts = &outcome.failed_attempts;
    let mut lines = match outcome.verdict {
        Verdict::Passed | Verdict::Skipped(_) if attempts.is_empty() => return String::new(),
        Verdict::Passed => vec![message(&format!("passed at attempt {}", attempts.len() + 1))],
        Verdict::Skipped(_) => {
            vec![message(&format!("skipped at attempt {}", attempts.len() + 1))]
        }
        _ => fault(outcome),
    };
    if !attempts.is_empty() {
        lines.push("failed_attempts:".to_owned());
    }
    for attempt in attempts {
        let items = fault(attempt).into_iter().enumerate();
        lines.extend(
            items.map(|(at, line)| format!("{}{line}", if at == 0 { "  - " } else { "    " })),
        );
    }
    format!("  ---\n  {}\n  ...\n", lines.join("\n  "))
}

/// The keys that explain why an outcome failed.
fn fault(outcome: &Outcome) -> Vec<String> {
    let (place, why) = Human::fault(outcome);
    let mut lines = vec![message(why), format!("at: {}", quoted(&place))];
    let mut calls = 0;
    for (name, part) in outcome.failure().map(explained::notes).unwrap_or_default() {
        // A key must be unique in a map, but a failure may have several calls.
        let is_call = name == "called";
        calls += usize::from(is_call);
        let number = if is_call && calls > 1 { calls.to_string() } else { String::new() };
        lines.push(format!("{name}{number}: {}", quoted(&part)));
    }
    lines
}

fn message(text: &str) -> String {
    format!("message: {}", quoted(text))
}

/// A YAML string. Every JSON string is one.
fn quoted(text: &str) -> String {
    visible::json(&Value::from(text).to_string())
}
