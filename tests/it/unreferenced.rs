//! Goldens whose scripts are gone: `run --unreferenced`.

use std::fs;

use crate::golden::{HELLO, SCRIPT, hello, run};
use crate::program::folder;

const SAID: &str = "the golden is unreferenced: no script of that name is beside it";

#[test]
fn a_golden_of_no_script_is_a_failure_in_each_report() {
    let folder = folder(&[("hello.rhai", SCRIPT)]);
    let snapshots = folder.path().join("snapshots");
    hello(folder.path(), HELLO, &["--record"], &[]);
    hello(folder.path(), HELLO, &["--record", "--target", "exim"], &[]);
    assert_eq!(hello(folder.path(), HELLO, &["--unreferenced"], &[]).code, Some(0));
    fs::rename(snapshots.join("hello.snap"), snapshots.join("gone.snap")).unwrap();
    let reports = ["--unreferenced", "--junit", "r.xml", "--format", "json=r.json"];
    let ran = hello(folder.path(), HELLO, &reports, &[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("FAIL snapshots/gone.snap") && ran.out.contains(SAID), "{ran:?}");
    assert!(ran.out.contains("1 passed, 1 failed"), "{ran:?}");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(read("r.xml").contains(SAID), "{}", read("r.xml"));
    assert!(read("r.json").contains("\"exit_code\":1"), "{}", read("r.json"));
    let merged = run(folder.path(), &["report", "merge", "r.json", "--format", "tap"], &[]);
    assert!(merged.code == Some(1) && merged.out.contains("not ok 2"), "{merged:?}");
    fs::write(folder.path().join("a.rhai"), "assert(true);\n").unwrap();
    for other in [&["--repeat", "2"][..], &["--segment"]] {
        let ran = [&["run", "a.rhai", "--unreferenced"], other].concat();
        let ran = run(folder.path(), &ran, &[]);
        assert!(ran.code == Some(1) && ran.out.contains(SAID), "{ran:?}");
    }
}

#[test]
fn a_golden_that_two_paths_lead_to_is_told_once() {
    let folder = folder(&[("hello.rhai", SCRIPT)]);
    hello(folder.path(), HELLO, &["--record"], &[]);
    let snapshots = folder.path().join("snapshots");
    fs::rename(snapshots.join("hello.snap"), snapshots.join("gone.snap")).unwrap();
    let ran = hello(folder.path(), HELLO, &["--unreferenced", "."], &[]);
    assert_eq!(ran.out.matches(SAID).count(), 1, "{ran:?}");
}

#[test]
fn a_failed_script_without_a_failure_is_no_pass_in_a_merged_report() {
    let events = "{\"event\":\"run-started\",\"version\":1,\"scripts\":1}\n\
        {\"event\":\"script-ended\",\"path\":\"a.rhai\",\"verdict\":\"failed\",\"elapsed\":0.1}\n\
        {\"event\":\"run-ended\",\"not_run\":0,\"exit_code\":0,\"elapsed\":0.1}\n";
    let folder = folder(&[("r.json", events)]);
    let merged = run(folder.path(), &["report", "merge", "r.json"], &[]);
    assert!(merged.code == Some(1) && merged.out.contains("FAIL a.rhai"), "{merged:?}");
}
