//! Annotations for GitHub Actions: a failure is shown at its line in the changes of a pull request.

use super::{Human, InOrder, Report, Summary, explained};
use crate::outcome::{Failure, Outcome, Verdict};

/// Writes a workflow command for each failure, and for each script that passed only after a retry,
/// in the order of the scripts.
#[derive(Debug, Default)]
pub(crate) struct Github {
    in_order: InOrder,
}

impl Report for Github {
    fn script_ended(&mut self, number: usize, outcome: &Outcome) -> String {
        let annotations = outcome.reported().into_iter().map(annotation).collect();
        self.in_order.next(number, annotations)
    }

    fn run_ended(&mut self, _: &Summary) -> String {
        self.in_order.rest()
    }
}

fn annotation(outcome: &Outcome) -> String {
    match &outcome.verdict {
        Verdict::Passed if outcome.is_flaky() => {
            outcome.failed_attempts.last().map_or_else(String::new, |failed| {
                command("warning", "passed only when it was retried: ", failed)
            })
        }
        Verdict::Passed | Verdict::Skipped(_) => String::new(),
        Verdict::Failed(_) | Verdict::Differs(_) | Verdict::Interrupted(_) => {
            command("error", "", outcome)
        }
    }
}

fn command(level: &str, lead: &str, outcome: &Outcome) -> String {
    let place = outcome.failure().and_then(|failure| failure.place.as_ref());
    let place = match place {
        Some(place) => {
            format!("file={},line={},col={}", property(&place.file), place.line, place.column)
        }
        None => format!("file={}", property(&outcome.path.to_string_lossy())),
    };
    let mut title = outcome.title.clone().unwrap_or_else(|| "mailexpect".to_owned());
    if let Some(target) = &outcome.target {
        title = format!("{title} @{target}");
    }
    let case = outcome.case.as_ref().map(|case| format!("{case}: ")).unwrap_or_default();
    let message = format!("{case}{lead}{}{}", Human::fault(outcome).1, notes(outcome.failure()));
    format!("::{level} {place},title={}::{}\n", property(&title), data(&message))
}

fn notes(failure: Option<&Failure>) -> String {
    let notes = failure.map(explained::notes).unwrap_or_default();
    notes.iter().flat_map(|(name, part)| ["\n", name, ": ", part]).collect()
}

/// The message of a workflow command. Line ends are escaped, because the command ends with its
/// line.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property. Commas and colons are escaped as well, because they end the value.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
