//! `JUnit` XML, as Jenkins and GitLab read it. The document is written at the end of a run, because
//! it is not complete before.

use std::collections::BTreeMap;

use quick_junit::{
    NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestRerun, TestSuite,
};

use super::{Human, Report, Summary};
use crate::outcome::{ExitCode, Outcome, Verdict};
use crate::visible;

/// One test suite with a test case for each script.
#[derive(Debug, Default)]
pub(crate) struct Junit {
    cases: BTreeMap<usize, Vec<TestCase>>,
}

impl Report for Junit {
    fn script_ended(&mut self, number: usize, outcome: &Outcome) -> String {
        self.cases.insert(number, outcome.reported().into_iter().map(case).collect());
        String::new()
    }

    fn run_ended(&mut self, summary: &Summary) -> String {
        let mut suite = TestSuite::new("mailexpect");
        suite.set_time(summary.elapsed);
        suite.add_test_cases(std::mem::take(&mut self.cases).into_values().flatten());
        let mut document = Document::new("mailexpect");
        document.set_time(summary.elapsed).add_test_suite(suite);
        // Only content that is not text cannot be serialised, and all content here is text.
        let text = document.to_string().unwrap_or_default();
        // Jenkins' schema allows this attribute only for suites.
        let text = text.replacen(&format!(" skipped=\"{}\"", document.skipped), "", 1);
        visible::printable_lines(&text)
    }
}

fn case(outcome: &Outcome) -> TestCase {
    let mut status = match &outcome.verdict {
        Verdict::Passed => TestCaseStatus::success(),
        Verdict::Skipped(reason) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason.as_str());
            status
        }
        Verdict::Failed(_) | Verdict::Differs(_) | Verdict::Interrupted(_) => {
            let mut status = TestCaseStatus::non_success(kind(outcome));
            status
                .set_type(failure_type(outcome))
                .set_message(Human::fault(outcome).1)
                .set_description(text(outcome));
            status
        }
    };
    for attempt in &outcome.failed_attempts {
        let mut rerun = TestRerun::new(kind(attempt));
        rerun
            .set_type(failure_type(attempt))
            .set_message(Human::fault(attempt).1)
            .set_description(text(attempt));
        status.add_rerun(rerun);
    }
    let mut case = TestCase::new(Human::name(outcome), status);
    let class = outcome.target.as_ref().map(|target| format!("mailexpect.{target}"));
    case.set_classname(class.as_deref().unwrap_or("mailexpect")).set_time(outcome.elapsed);
    case
}

/// A failure is an expectation that was not met; everything else is an error.
fn kind(outcome: &Outcome) -> NonSuccessKind {
    match outcome.exit_code() {
        ExitCode::Failed => NonSuccessKind::Failure,
        _ => NonSuccessKind::Error,
    }
}

fn failure_type(outcome: &Outcome) -> &'static str {
    match &outcome.verdict {
        Verdict::Interrupted(_) => "interrupted",
        _ => outcome.failure().map_or("golden", |failure| failure.error.kind().name()),
    }
}

/// The whole text of the outcome, with the transcript.
fn text(outcome: &Outcome) -> String {
    let shown = Human { verbose: true, timed: true }.outcome(outcome);
    anstream::adapter::strip_str(&shown).to_string()
}
