//! Retries, flaky scripts, and runs that end before all scripts have run.

use mailexpect::server::Replay;

use crate::peer::Peer;
use crate::program::{folder, run};

const GREETING: &str = "// Greets.\nlet s = connect(param(\"smtp\"));\ns.expect(220);\n";

/// A server that refuses the first connection and greets on the second.
fn flaky() -> Replay {
    Replay::in_turn(["S: 421 busy\nstall", "S: 220 hi\nstall"]).unwrap()
}

#[test]
fn a_script_that_passes_when_it_is_retried_is_flaky() {
    let folder = folder(&[("a.rhai", GREETING)]);
    for (more, code, line) in [
        (&[][..], 1, "1 failed"),
        (&["--retries", "1"], 0, "1 passed (1 flaky)"),
        (&["--retries", "3", "--flaky-result", "fail"], 1, "1 failed"),
    ] {
        let server = flaky();
        let set = format!("smtp={}", server.url("smtp"));
        let ran = run(folder.path(), &[&["run", "--set", &set], more].concat());
        assert_eq!(ran.code, Some(code), "{more:?} {ran:?}");
        assert!(ran.out.contains(line), "{more:?} {}", ran.out);
        server.leave();
    }
}

#[test]
fn a_flaky_script_is_shown_as_one_in_every_report() {
    let folder = folder(&[("a.rhai", GREETING)]);
    for (format, said) in [
        ("pretty", "FLAKY a.rhai"),
        ("pretty", "attempt 1 failed: a.rhai:3:3  the reply is not the one that was expected"),
        ("plain", "FLAKY a.rhai: passed at attempt 2"),
        ("tap", "ok 1 - a.rhai\n  ---\n  message: "),
        ("json", "\"flaky\":1"),
    ] {
        let server = flaky();
        let set = format!("smtp={}", server.url("smtp"));
        let args = ["run", "--set", &set, "--retries", "1", "--format", format, "--junit", "j.xml"];
        let ran = run(folder.path(), &args);
        assert!(ran.out.contains(said), "{format}: {}", ran.out);
        let junit = std::fs::read_to_string(folder.path().join("j.xml")).unwrap();
        assert!(junit.contains("<flakyFailure message="), "{junit}");
        server.leave();
    }
}

#[test]
fn a_skip_at_a_retry_does_not_hide_what_failed_before() {
    let greets = "let s = connect(param(\"smtp\"));\n\
                  if s.expect(220).text.contains(\"no TLS\") { skip(\"no TLS\"); }\n";
    let table = format!("cases([\"x\", \"y\"], |row| {{\n{greets}}});\n");
    let folder = folder(&[
        ("whole.rhai", greets),
        ("table.rhai", &table),
        ("rest.rhai", &format!("{table}skip(\"the rest\");\n")),
    ]);
    let (busy, hi, skips) = ("S: 421 busy\nstall", "S: 220 hi\nstall", "S: 220 no TLS\nstall");
    let unproved = "error: it was skipped when it was retried: no TLS";
    for (script, connections, code, said) in [
        ("whole.rhai", vec![busy, skips], 1, unproved),
        ("whole.rhai", vec![busy, busy, skips], 1, unproved),
        ("table.rhai", vec![busy, hi, skips, hi], 1, unproved),
        ("table.rhai", vec![busy, skips, hi, skips], 0, "1 passed (1 flaky), 1 skipped"),
        ("rest.rhai", vec![busy, hi, skips, hi], 1, unproved),
        ("rest.rhai", vec![busy, hi, hi, hi], 0, "2 passed (1 flaky)"),
    ] {
        let server = Replay::in_turn(connections).unwrap();
        let set = format!("smtp={}", server.url("smtp"));
        let ran = run(folder.path(), &["run", script, "--set", &set, "--retries", "2"]);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.out.contains(said), "{}", ran.out);
        assert!(code == 0 || ran.out.contains("expected: 220"), "{}", ran.out);
        server.leave();
    }
}

#[test]
fn a_point_of_tap_has_one_block_that_begins_with_its_own_result() {
    let folder = folder(&[("a.rhai", GREETING)]);
    let failed = "message: \"the script is flaky: it passed at attempt 2\"";
    for (result, point) in [
        ("pass", "ok 1 - a.rhai\n  ---\n  message: \"passed at attempt 2\"".to_owned()),
        ("fail", format!("not ok 1 - a.rhai\n  ---\n  {failed}")),
    ] {
        let server = flaky();
        let set = format!("smtp={}", server.url("smtp"));
        let args = ["run", "--set", &set, "--retries", "1", "--flaky-result", result];
        let out = run(folder.path(), &[&args[..], &["--format", "tap"]].concat()).out;
        assert!(out.contains(&point) && out.matches("  ---\n").count() == 1, "{out}");
        let attempt = "  failed_attempts:\n    - message: \"the reply is not the one that was \
                       expected\"\n      at: \"a.rhai:3:3\"\n      expected: \"220\"\n";
        assert!(out.contains(attempt), "{out}");
        server.leave();
    }
}

#[test]
fn a_script_that_is_wrong_is_not_retried() {
    let folder = folder(&[("a.rhai", "conect();\n")]);
    let ran = run(folder.path(), &["run", "--retries", "5"]);
    assert_eq!(ran.code, Some(2));
    assert!(!ran.out.contains("attempt"), "{}", ran.out);
}

#[test]
fn after_a_failure_no_further_script_begins_if_that_is_asked_for() {
    let folder = folder(&[
        ("a.rhai", "connect().expect(554);\n"),
        ("b.rhai", "connect().expect(220);\n"),
        ("c.rhai", "connect().expect(220);\n"),
    ]);
    let ran = run(folder.path(), &["run", "-j", "1", "--fail-fast"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("2 not run, 1 failed") && !ran.out.contains("b.rhai"), "{}", ran.out);
}

#[test]
fn the_time_of_a_run_ends_the_scripts_that_are_in_progress() {
    let peer = Peer::parse("stall");
    let folder = folder(&[("a.rhai", GREETING), ("b.rhai", GREETING)]);
    let set = format!("smtp={}", peer.url("smtp"));
    let args = ["run", "-j", "1", "--set", &set, "--timeout", "1h", "--global-timeout", "300ms"];
    let ran = run(folder.path(), &args);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("the time of the run, 300 ms, is up"), "{}", ran.out);
    assert!(ran.out.contains("--> a.rhai:3:3") && ran.out.contains("1 not run, "), "{}", ran.out);
}

#[test]
fn the_time_of_a_run_ends_a_teardown_as_well() {
    let peer = Peer::parse("stall");
    let folder = folder(&[("a.rhai", "assert(true);\n"), ("teardown.rhai", GREETING)]);
    let set = format!("smtp={}", peer.url("smtp"));
    let args = ["run", "--set", &set, "--timeout", "1h", "--global-timeout", "300ms"];
    let ran = run(folder.path(), &args);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("FAIL teardown.rhai"), "{}", ran.out);
    assert!(ran.out.contains("the time of the run, 300 ms, is up"), "{}", ran.out);
}
