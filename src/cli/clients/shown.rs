//! The results of `mailexpect clients`, on the screen and as `JUnit` XML.

use std::fmt::Write as _;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::Tried;
use super::verdict::Verdict;
use crate::report::style::{BAD, DIM, GOOD};
use crate::visible;

/// The line above the columns.
pub(super) fn head() -> String {
    let (server, wanted, did) = ("server", "the client should", "and did");
    format!("{DIM}     {server:<44} {wanted:<26} {did}{DIM:#}\n")
}

/// The line of one server: what the client should do, and what it did. If the client did something
/// else, or with `verbose`, the transcript and the client's output follow.
pub(super) fn line(family: &str, tried: &Tried, verbose: bool) -> String {
    let name = format!("{family}/{}", tried.name);
    let columns = format!("{name:<44} {:<26}", tried.wanted);
    let mut text = match &tried.verdict {
        Verdict::Good(did) => format!("{GOOD}ok{GOOD:#}   {columns} {did}\n"),
        Verdict::Bad(how) => format!("{BAD}BAD{BAD:#}  {columns} {how}\n"),
        Verdict::NotTried(why) => format!("{DIM}-    {columns} not tried: {why}{DIM:#}\n"),
    };
    let is_bad = matches!(tried.verdict, Verdict::Bad(_));
    if is_bad || verbose {
        text += &dialogue(&tried.transcript, &tried.output);
    }
    text
}

/// A dialogue with a client, and what the client printed.
pub(super) fn dialogue(transcript: &str, output: &str) -> String {
    let mut text = String::new();
    for line in transcript.lines().chain(output.lines().map(str::trim_end)) {
        let _ = writeln!(text, "       {DIM}{}{DIM:#}", visible::printable(line));
    }
    text
}

/// The last line: how many servers got which verdict.
pub(super) fn summary(tried: &[Tried]) -> String {
    let count = |is: fn(&Verdict) -> bool| tried.iter().filter(|one| is(&one.verdict)).count();
    let good = count(|verdict| matches!(verdict, Verdict::Good(_)));
    let bad = count(|verdict| matches!(verdict, Verdict::Bad(_)));
    let not_tried = count(|verdict| matches!(verdict, Verdict::NotTried(_)));
    format!("{good} as it should, {bad} not, {not_tried} not tried\n")
}

/// The results as `JUnit` XML, with a test case for each server.
pub(super) fn junit(family: &str, tried: &[Tried]) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new(format!("clients {family}"));
    for one in tried {
        let status = match &one.verdict {
            Verdict::Good(_) => TestCaseStatus::success(),
            Verdict::Bad(how) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(how.clone());
                status.set_description(visible::printable_lines(&one.transcript));
                status
            }
            Verdict::NotTried(why) => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(why.clone());
                status
            }
        };
        let mut case = TestCase::new(format!("{family}/{}", one.name), status);
        case.add_property(("should", one.wanted.as_str()));
        if let Verdict::Good(did) | Verdict::Bad(did) = &one.verdict {
            case.add_property(("did", did.as_str()));
        }
        suite.add_test_case(case);
    }
    let mut report = Report::new("mailexpect clients");
    report.add_test_suite(suite);
    report.to_string()
}
