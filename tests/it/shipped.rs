//! Scripts that are no files of the user's: of the command line, of stdin, inside of the program.

use std::io::Write as _;
use std::process::Stdio;

use mailexpect::server::Embedded;

use crate::program::{folder, program, run};

#[test]
fn code_of_the_command_line_speaks_with_the_server_beside_it() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    let code = "s.expect(220); s.ehlo(\"x\")";
    let host = server.smtp().trim_start_matches("smtp://").to_owned();
    for named in [server.smtp(), host] {
        let ran = run(folder.path(), &["run", "-e", code, &named]);
        assert_eq!((ran.code, ran.out.contains("PASS -e")), (Some(0), true), "{ran:?}");
    }
    let ran = run(folder.path(), &["run", "-e", "s.expect(554)", &server.smtp()]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("; s.expect(554)\n") && ran.out.contains("expected: 554"), "{ran:?}");
    let ran = run(folder.path(), &["run", "-e", "connect().expect(220)"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn a_script_on_stdin_runs_against_the_server_that_is_named() {
    let server = Embedded::start().unwrap();
    let mut child = program()
        .args(["run", "-", &server.smtp()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let script = "// On stdin.\nlet s = connect(param(\"smtp\"));\ns.expect(221);\n";
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{out}");
    assert!(out.contains("FAIL -") && out.contains("On stdin.") && out.contains("-:3:3"), "{out}");
    assert!(out.contains(&server.smtp()), "{out}");
}

#[test]
fn a_script_inside_of_the_program_is_run_by_its_name_and_by_the_name_alone() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    for args in [vec!["run", "@relay"], vec!["@relay"]] {
        let url = server.smtp();
        let ran = run(folder.path(), &[args, vec![url.as_str(), "-v"]].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.out.contains("PASS @relay") && ran.out.contains(&url), "{ran:?}");
    }
    let ran = run(folder.path(), &["@rely"]);
    assert_eq!((ran.code, ran.err.contains("did you mean @relay?")), (Some(2), true), "{ran:?}");
}

#[test]
fn a_golden_of_a_script_inside_of_the_program_lies_in_the_current_folder() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    let ran = run(folder.path(), &["@relay", &server.smtp(), "--record"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(folder.path().join("snapshots/@relay.snap").exists());
    let ran = run(folder.path(), &["@relay", &server.smtp()]);
    assert!(ran.out.contains("as in snapshots/@relay.snap"), "{ran:?}");
    let ran = run(folder.path(), &["run", "-e", "s.expect(220)", &server.smtp(), "--record"]);
    assert_eq!((ran.code, ran.err.contains("has no golden")), (Some(2), true), "{ran:?}");
}

#[test]
fn every_script_inside_of_the_program_is_listed_with_its_title_and_can_be_ejected() {
    let folder = folder(&[]);
    let listed = run(folder.path(), &["list", "--shipped"]).out;
    let names: Vec<_> = listed.lines().map(|line| line.split("  ").next().unwrap()).collect();
    assert!(names.contains(&"@relay") && names.contains(&"@smoke"), "{listed}");
    assert!(listed.lines().all(|line| line.split("  ").count() == 2), "without a title: {listed}");
    let ran = run(folder.path(), &[&["eject"], &names[..]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for name in &names {
        assert!(folder.path().join(format!("{}.rhai", &name[1..])).exists(), "{name}");
    }
    let ran = run(folder.path(), &["check"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = run(folder.path(), &["eject", "relay"]);
    assert_eq!((ran.code, ran.err.contains("--force replaces it")), (Some(2), true), "{ran:?}");
    let ran = run(folder.path(), &["eject", "relay", "--force"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn a_server_is_the_parameter_of_its_scheme_or_of_its_protocol() {
    let script =
        "connect(param(\"submission\")).expect(220);\nconnect(param(\"imap\")).expect(\"* OK\");\n";
    let folder = folder(&[("both.rhai", script)]);
    let complaint = |servers: &[&str]| {
        let ran = run(folder.path(), &[&["run", "both.rhai"], servers].concat());
        assert_eq!(ran.code, Some(2), "{ran:?}");
        ran.err
    };
    let err = complaint(&["smtp://127.0.0.1:9"]);
    assert!(err.contains("more servers than were named") && err.contains("imap://HOST"), "{err}");
    let err = complaint(&["smtp://127.0.0.1:9", "pop3://127.0.0.1:9"]);
    assert!(err.contains("no use for the server pop3://127.0.0.1:9"), "{err}");
    let ran =
        run(folder.path(), &["run", "both.rhai", "smtps://127.0.0.1:9", "imap://127.0.0.1:9"]);
    assert!(ran.code == Some(3) && ran.out.contains("smtps://127.0.0.1:9"), "{ran:?}");
}

#[test]
fn all_parameters_that_are_missing_are_named_at_once() {
    let script = "let a = param(\"user\");\nlet b = param(\"password\");\nlet c = param(\"d\", 1);\n\
                  connect(param(\"imap\"));\n";
    let folder = folder(&[("a.rhai", script)]);
    let ran = run(folder.path(), &["run", "a.rhai", "--set", "user=hoge"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.out.contains("the parameters `imap` and `password` have no value"), "{ran:?}");
    assert!(ran.out.contains("--set imap=... --set password=env:NAME"), "{ran:?}");
}
