//! The reference manual is generated from the bindings, and its examples run.

use std::time::Duration;

use mailexpect::script::{Case, Runner, Settings, reference};
use mailexpect::server::Replay;

use crate::program::{folder, project};

#[test]
fn the_manual_in_the_repository_is_that_of_the_bindings() {
    let path = project().join("docs/reference.md");
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == reference::markdown(),
        "docs/reference.md is stale: cargo run -- reference > docs/reference.md"
    );
}

#[test]
fn every_example_of_the_manual_passes() {
    let examples = reference::examples();
    assert!(examples.len() > 30, "{} examples", examples.len());
    let mut failed = Vec::new();
    for example in examples {
        let folder = folder(&[("example.rhai", &example.script)]);
        let mut case = Case::new(folder.path().join("example.rhai"))
            .embedded()
            .timeout(Duration::from_secs(5));
        let mut server = None;
        if let Some((scheme, dialogue)) = &example.dialogue {
            let replay = Replay::start(dialogue).unwrap();
            case = case.set(scheme, replay.url(scheme));
            server = Some(replay);
        }
        let outcome = case.run();
        // A script that only computes has nothing to expect.
        let nothing_expected = outcome.failure().is_some_and(|failure| {
            failure.error.is_vacuous() && failure.error.message().contains("nothing at all")
        });
        if !outcome.is_ok() && !nothing_expected {
            failed.push(format!("`{}`: {outcome:#}", example.word));
        }
        if let Some(departure) = server.and_then(|server| server.finish().err()) {
            failed.push(format!("`{}`: {departure}", example.word));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_check_finds_nothing_wrong_with_any_example_of_the_manual() {
    let mut wrong = Vec::new();
    for example in reference::examples() {
        let folder = folder(&[("example.rhai", &example.script)]);
        let survey = Runner::new(Settings::default()).check(&folder.path().join("example.rhai"));
        let problems = survey.problems.iter().map(|problem| problem.error.message());
        wrong.extend(problems.map(|problem| format!("`{}`: {problem}", example.word)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
