//! Scripts that are run many times.

use crate::program::{GREETING_AND_QUIT, folder, run};

#[test]
fn a_script_is_repeated_many_at_once_and_only_its_numbers_are_shown() {
    let folder = folder(&[("greeting.rhai", GREETING_AND_QUIT)]);
    let ran = run(folder.path(), &["run", "--repeat", "200", "-j", "50", "greeting.rhai"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.starts_with("greeting.rhai: 200 runs, 50 at once"), "{}", ran.out);
    assert!(ran.out.contains("\n  passed      200\n") && !ran.out.contains("PASS"), "{}", ran.out);
    for row in ["  rate  ", "  CPU  ", "  latency  "] {
        assert!(ran.out.contains(row), "{}", ran.out);
    }
}

#[test]
fn of_repeated_failures_the_first_of_each_kind_is_shown_whole() {
    let folder = folder(&[(
        "wrong.rhai",
        "// Wants another greeting.\nlet s = connect(param(\"smtp\"));\ns.expect(554);\n",
    )]);
    let ran = run(folder.path(), &["run", "--repeat", "7", "-j", "3", "wrong.rhai"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.out.matches("FAIL wrong.rhai").count(), 1, "{}", ran.out);
    assert!(
        ran.out.contains("  failed      7\n              7 mismatch at wrong.rhai:3:3\n"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("latency"), "nothing passed: {}", ran.out);
}
