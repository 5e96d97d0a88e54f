//! What the program prints, and where it prints to.

use std::fs::File;
use std::process::Stdio;

use crate::program::{GREETING, folder, program, run};

#[test]
fn colours_are_for_terminals_and_for_those_who_ask() {
    let folder = folder(&[("a.rhai", GREETING)]);
    let ran = run(folder.path(), &["run", "--color", "always"]);
    assert!(ran.out.contains("\x1b["), "{ran:?}");
    let ran = run(folder.path(), &["run", "--color", "never"]);
    assert!(!ran.out.contains('\x1b'), "{ran:?}");
}

#[test]
fn prints_of_a_script_go_to_the_report_and_verbose_shows_all() {
    let folder = folder(&[(
        "a.rhai",
        "// Prints.\nprint(connect().expect(220).code); print(\"\\x1b[31mred\");",
    )]);
    let ran = run(folder.path(), &["run"]);
    assert!(ran.out.contains("     220\n     \\e[31mred\n"), "{}", ran.out);
    let ran = run(folder.path(), &["run", "-v"]);
    assert!(ran.out.contains("    S: 220 localhost ESMTP"), "{}", ran.out);
}

#[test]
fn a_secret_that_a_script_changes_is_masked_too() {
    let script = r#"// Leaks.
        let s = connect(param("submission"));
        s.expect(220);
        s.send("EHLO x");
        s.expect(250);
        s.send("AUTH PLAIN AGhvZ2VAZXhhbXBsZS5jb20AcHBwd3d3");
        s.expect(235);
        print("pppwww");
        step("with pppwww");
        assert_eq("the password is pppwww", "AGhvZ2VAZXhhbXBsZS5jb20AcHBwd3d3");
    "#;
    let ahead = "// Out of step.\nlet s = connect();\ns.send(\"AUTH PLAIN AGhvZ2VAZXhhbXBsZS5jb20AcHBwd3d3\");\n";
    let folder = folder(&[("a.rhai", script), ("b.rhai", ahead)]);
    let ran = run(folder.path(), &["run", "-v"]);
    assert_eq!(ran.code, Some(1));
    assert!(!ran.out.contains("pppwww") && !ran.out.contains("AGhvZ2VA"), "{}", ran.out);
    assert!(ran.out.contains("got: \"the password is [SECRET]\""), "{}", ran.out);
}

#[test]
fn the_default_of_a_secret_parameter_is_masked() {
    let script = "// Leaks.\nlet password = param(\"password\", \"qzx9\" + \"kkw\");\nprint(password);\nassert_eq(password, 1);\n";
    let folder = folder(&[("a.rhai", script)]);
    let ran = run(folder.path(), &["run", "-v"]);
    assert_eq!(ran.code, Some(1));
    assert!(!ran.out.contains("qzx9kkw") && ran.out.contains("[SECRET]"), "{}", ran.out);
}

#[test]
fn a_full_disk_is_named_and_fails_the_run() {
    let folder = folder(&[("a.rhai", GREETING)]);
    for args in [&["run"][..], &["list"], &["reference"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = program().current_dir(folder.path()).args(args).stdout(full).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?} {err}");
        assert!(err.contains("cannot write to stdout: No space left on device"), "{err}");
    }
}

#[test]
fn the_end_of_a_run_lists_each_failure_with_its_line() {
    let folder = folder(&[
        ("a.rhai", GREETING),
        ("b.rhai", "// Wrong.\nlet s = connect();\ns.expect(554);\n"),
        ("c.rhai", "conect();\n"),
    ]);
    let ran = run(folder.path(), &["run"]);
    let end = ran.out.split_once("failures:\n").unwrap().1;
    let end = end.split_once(" (").unwrap().0;
    insta::assert_snapshot!(end, @r"
      b.rhai:3:3  the reply is not the one that was expected
      c.rhai:1:1  there is no word `conect`
    1 passed, 2 failed
    ");
}

#[test]
fn a_closed_pipe_is_no_error_of_the_run() {
    let folder = folder(&[("a.rhai", GREETING), ("b.rhai", GREETING)]);
    let mut child = program()
        .current_dir(folder.path())
        .args(["run", "-v"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), String::from_utf8(output.stderr).unwrap()),
        (Some(0), String::new())
    );
}
