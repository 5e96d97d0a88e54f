//! Resources that scripts share and must not use at once: `// serial:`, and the setup and teardown
//! of a folder.

use std::process::Stdio;

use crate::program::{folder, program, run};

/// Fails if another script is between its two commands at the same time.
const ALONE: &str = "// Alone.\n// serial: carol's maildrop\n
run(\"mkdir busy\").expect_exit(0);
for n in 0..5 { let s = connect(); s.expect(220); s.ehlo(\"client.example\"); s.quit(); }
run(\"rmdir busy\").expect_exit(0);\n";

#[test]
fn scripts_of_one_name_never_run_at_once_in_any_worker_or_process() {
    let names: Vec<_> = (0..12).map(|n| format!("s{n:02}.rhai")).collect();
    let scripts: Vec<_> = names.iter().map(|name| (name.as_str(), ALONE)).collect();
    let folder = folder(&scripts);
    let part = |part: &str| {
        let args = ["run", "-j", "8", "--allow-run", "s*.rhai", "--partition", part];
        let mut command = program();
        command.current_dir(folder.path()).args(args).stdout(Stdio::piped());
        command.spawn().unwrap()
    };
    let all = part("slice:1/1");
    let other = part("slice:1/1");
    for child in [all, other] {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    // All scripts are in one part.
    let listed = |part: &str| {
        let ran = run(folder.path(), &["list", "s*.rhai", "--partition", part]);
        ran.out.lines().count()
    };
    for by in ["slice", "hash"] {
        let mut parts = [1, 2, 3].map(|n| listed(&format!("{by}:{n}/3")));
        parts.sort_unstable();
        assert_eq!(parts, [0, 0, 12], "{by}");
    }
}

#[test]
fn the_names_of_setups_and_teardowns_are_held_too() {
    let names: Vec<_> = (0..4)
        .flat_map(|n| ["setup", "teardown", "a", "b"].map(|name| format!("t{n}/{name}.rhai")))
        .collect();
    let text = |name: &str| {
        if name.contains("/a") || name.contains("/b") { "connect().expect(220);" } else { ALONE }
    };
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), text(name))).collect();
    let folder = folder(&files);
    let start = || {
        let mut command = program();
        command.current_dir(folder.path()).args(["run", "-j", "8", "--allow-run", "."]);
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    for child in [start(), start()] {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    // The parts may run on different machines, so all scripts that need the setups are in one.
    let mut parts = [1, 2, 3].map(|n| {
        let part = format!("slice:{n}/3");
        run(folder.path(), &["list", ".", "--partition", &part]).out.lines().count()
    });
    parts.sort_unstable();
    assert_eq!(parts, [0, 0, 8]);
}

const SETUP: &str =
    "run(\"mkdir up\").expect_exit(0);\n#{ name: unique(\"box\"), sizes: [1, 2] }\n";
const TEARDOWN: &str = "run(\"rmdir up\").expect_exit(0); print(fixture().name);\n";
const USER: &str = "run(\"test -d up\").expect_exit(0);\nassert(fixture().name.starts_with(\"box-\"));\nassert_eq(fixture().sizes, [1, 2]);\n";

#[test]
fn a_setup_runs_once_before_the_scripts_of_its_folder_and_a_teardown_once_after_them() {
    let folder = folder(&[
        ("t/setup.rhai", SETUP),
        ("t/teardown.rhai", TEARDOWN),
        ("t/a.rhai", USER),
        ("t/b.rhai", USER),
        ("t/below/c.rhai", USER),
    ]);
    let ran = run(folder.path(), &["run", "--allow-run", "-j", "4", "t"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("3 passed"), "{}", ran.out);
    assert!(!folder.path().join("up").exists(), "the teardown has run");
}

#[test]
fn a_setup_passes_on_what_it_knows_about_its_value() {
    let setup = "let s = connect(param(\"pop3\"));\ns.expect(\"+OK\");\n\
                 s.send(\"USER hoge\");\ns.expect(\"+OK\");\nlet word = \"zebra-crossing\" + 77;\n\
                 s.send(\"PASS \" + word);\ns.expect(\"-ERR\");\n\
                 #{ box: unique(\"box\"), port: free_port(), word: word, inner: #{ token: \"tiger-\" + 99 } }\n";
    let user = "let s = connect();\ns.expect(220);\nlet f = fixture();\n\
                s.send(`NOOP ${f.box} ${f.port} ${f.word} ${f.inner.token}`);\ns.expect(250);\n";
    let torn = "print(fixture().word);\nprint(fixture().inner.token);\nassert(false, \"torn\");\n";
    let folder = folder(&[("t/setup.rhai", setup), ("t/teardown.rhai", torn), ("t/a.rhai", user)]);
    for mode in ["--record", "--check"] {
        let ran = run(folder.path(), &["run", "-v", mode, "t"]);
        let is_secret = !ran.out.contains("zebra") && !ran.out.contains("tiger");
        assert!(is_secret && ran.out.contains("1 passed"), "{}", ran.out);
    }
    let golden = std::fs::read_to_string(folder.path().join("t/snapshots/a.snap")).unwrap();
    assert!(golden.contains("C: NOOP [BOX_1] [PORT_1] [SECRET] [SECRET]"), "{golden}");
}

#[test]
fn a_setup_that_fails_fails_every_script_of_its_folder_and_the_teardown_runs() {
    let folder = folder(&[
        ("t/setup.rhai", "run(\"mkdir up\").expect_exit(0); assert(false, \"no mailbox\");"),
        ("t/teardown.rhai", "run(\"rmdir up\").expect_exit(0);"),
        ("t/a.rhai", USER),
        ("t/b.rhai", USER),
        ("other.rhai", "connect().expect(220);"),
    ]);
    let ran = run(folder.path(), &["run", "--allow-run", "."]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("t/setup.rhai failed: no mailbox"), "{}", ran.out);
    assert!(ran.out.contains("1 passed, 2 failed"), "{}", ran.out);
    assert!(!folder.path().join("up").exists());
}

#[test]
fn the_dialogue_of_a_setup_that_failed_is_shown_once() {
    let setup = "let s = connect(); s.expect(220); s.send(\"NOOP\"); s.expect(354);";
    let user = "connect().expect(220);";
    let folder = folder(&[("t/setup.rhai", setup), ("t/a.rhai", user), ("t/b.rhai", user)]);
    let ran = run(folder.path(), &["run", "t", "--junit", "junit.xml"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let junit = std::fs::read_to_string(folder.path().join("junit.xml")).unwrap();
    for report in [&ran.out, &junit] {
        assert_eq!(report.matches("C: NOOP").count(), 1, "{report}");
    }
}

#[test]
fn a_setup_that_is_skipped_skips_every_script_of_its_folder() {
    let folder = folder(&[
        ("t/setup.rhai", "connect().expect(220); skip(\"no quota here\");"),
        ("t/a.rhai", USER),
        ("t/b.rhai", "connect().expect(220);"),
        ("other.rhai", "connect().expect(220);"),
    ]);
    let ran = run(folder.path(), &["run", "."]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let why = "t/setup.rhai is skipped: no quota here";
    assert!(ran.out.matches(why).count() >= 2, "{}", ran.out);
    assert!(ran.out.contains("1 passed, 2 skipped"), "{}", ran.out);
}

#[test]
fn a_teardown_that_fails_is_one_more_point_of_tap() {
    let folder = folder(&[
        ("t/teardown.rhai", "assert(false, \"still there\");"),
        ("t/a.rhai", "connect().expect(220);"),
        ("t/b.rhai", "connect().expect(220);"),
    ]);
    let ran = run(folder.path(), &["run", ".", "--format", "tap", "-j", "2"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("\nnot ok 3 - t/teardown.rhai\n"), "{}", ran.out);
    assert!(ran.out.ends_with("\n1..3\n"), "{}", ran.out);
}

#[test]
fn a_teardown_that_fails_is_told_as_a_script_of_its_own() {
    let folder = folder(&[
        ("t/teardown.rhai", "assert(false, \"left behind\");"),
        ("t/a.rhai", "connect().expect(220);"),
    ]);
    let ran = run(folder.path(), &["run", "t"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.out.contains("FAIL t/teardown.rhai") && ran.out.contains("left behind"),
        "{}",
        ran.out
    );
}

#[test]
fn a_teardown_that_fails_is_no_run_of_a_script() {
    let folder = folder(&[
        ("t/teardown.rhai", "assert(false, \"left behind\");"),
        ("t/a.rhai", "connect().expect(220);"),
    ]);
    let shown = |args: &[&str]| {
        let ran = run(folder.path(), &[&["run", "t", "-j", "1"], args].concat());
        assert_eq!(ran.code, Some(1), "{args:?} {ran:?}");
        assert_eq!(ran.out.matches("FAIL t/teardown.rhai").count(), 1, "{args:?} {ran:?}");
        ran.out
    };
    let out = shown(&["--repeat", "3"]);
    assert!(out.contains("t/a.rhai: 3 runs") && out.contains("passed      3\n"), "{out}");
    assert!(!out.contains("  failed "), "{out}");
    let out = shown(&["--segment"]);
    assert!(out.contains("PASS t/a.rhai") && out.contains("1 passed, 1 failed"), "{out}");
    let bad = "assert(false);";
    for name in ["t/0.rhai", "t/b.rhai"] {
        std::fs::write(folder.path().join(name), bad).unwrap();
    }
    let out = shown(&["--fail-fast"]);
    assert!(out.contains("2 not run, 2 failed"), "{out}");
    // Each event of an end has one of a beginning.
    let json = run(folder.path(), &["run", "t", "--format", "json"]).out;
    let count = |event: &str| json.matches(&format!("\"event\":\"{event}\"")).count();
    assert_eq!((count("script-started"), count("script-ended")), (4, 4), "{json}");
}

#[test]
fn the_value_of_a_setup_has_to_be_plain_data() {
    let folder = folder(&[
        ("t/setup.rhai", "let s = connect(); s.expect(220); #{ session: s }"),
        ("t/a.rhai", "connect().expect(220);"),
        ("b.rhai", "connect().expect(220); fixture();"),
    ]);
    let ran = run(folder.path(), &["run", "t"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.out.contains("a session is no plain data"), "{}", ran.out);
    let ran = run(folder.path(), &["run", "b.rhai"]);
    assert!(ran.out.contains("there is no setup.rhai for this script"), "{}", ran.out);
}

#[test]
fn a_parameter_that_a_setup_names_only_when_it_runs_may_be_set() {
    let folder = folder(&[
        ("t/setup.rhai", "let name = \"mail\"; param(name + \"box\", \"INBOX\")"),
        ("t/a.rhai", "connect().expect(220); assert_eq(fixture(), \"Lab\");"),
    ]);
    let ran = run(folder.path(), &["run", "t", "--set", "mailbox=Lab"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}
