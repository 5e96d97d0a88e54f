//! One line for each script, without colours, for `grep` and logs.

use super::{Human, InOrder, Report, Summary};
use crate::outcome::{Outcome, Verdict};
use crate::visible;

/// Writes `PASS path`, `SKIP path: reason`, or
/// `FAIL path:line:column: message; expected ...; got ...`.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    in_order: InOrder,
}

impl Report for Plain {
    fn script_ended(&mut self, number: usize, outcome: &Outcome) -> String {
        self.in_order.next(number, outcome.reported().into_iter().map(line).collect())
    }

    fn run_ended(&mut self, summary: &Summary) -> String {
        let mut text = self.in_order.rest();
        text.push_str(&anstream::adapter::strip_str(&summary.line()).to_string());
        text
    }
}

fn line(outcome: &Outcome) -> String {
    let path = visible::escape(Human::name(outcome).as_bytes());
    match &outcome.verdict {
        Verdict::Passed if outcome.is_flaky() => {
            format!("FLAKY {path}: passed at attempt {}\n", outcome.failed_attempts.len() + 1)
        }
        Verdict::Passed => format!("PASS {path}\n"),
        Verdict::Skipped(reason) => {
            format!("SKIP {path}: {}\n", visible::escape(reason.as_bytes()))
        }
        Verdict::Failed(_) | Verdict::Differs(_) => format!("FAIL {}\n", fault(outcome)),
        Verdict::Interrupted(_) => format!("STOP {}\n", fault(outcome)),
    }
}

fn fault(outcome: &Outcome) -> String {
    let (mut place, message) = Human::fault(outcome);
    if let Some(target) = &outcome.target {
        place = format!("{place} @{}", visible::escape(target.as_bytes()));
    }
    let error = outcome.failure().map(|failure| &failure.error);
    let part = |name: &str, part: Option<&str>| {
        let part = part.map(|part| visible::escape(part.as_bytes()));
        part.map(|part| format!("; {name} {part}")).unwrap_or_default()
    };
    let expected = part("expected", error.and_then(|error| error.expected()));
    let got = part("got", error.and_then(|error| error.got()));
    let case = outcome.case.as_ref().map(|case| format!(" [{case}]")).unwrap_or_default();
    format!("{place}{case}: {message}{expected}{got}")
}
