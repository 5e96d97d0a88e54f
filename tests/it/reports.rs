//! The reports of a run: formats, files, contents, and no secrets.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::filters::filtered;
use crate::peer::Peer;
use crate::program::{Ran, folder, program, run};

/// Only times and ports may vary.
const FILTERS: [(&str, &str); 7] = [
    (r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:PORT"),
    (r"\b\d+(\.\d+)? (ms|s) of ", "TIME of "),
    (r"\(\d+(\.\d+)? (ms|s)\)", "(TIME)"),
    (r#"time="[0-9.]+""#, r#"time="TIME""#),
    (r#""elapsed":[0-9.e-]+"#, r#""elapsed":TIME"#),
    (r#""times":\[[0-9.e,-]*\]"#, r#""times":[TIMES]"#),
    (r"(?m)^    +\d+\.\d{4} +\+\d+\.\d{4} ", "    TIME +TIME "),
];

/// A script for each kind of outcome. The script that fails knows a secret.
fn scripts() -> tempfile::TempDir {
    folder(&[
        ("a.rhai", "// Greets, <well> & \"good\".\nconnect().expect(220);\n"),
        (
            "b.rhai",
            "// Fails.\nlet s = connect(param(\"submission\"));\ns.expect(220);\ns.send(\"EHLO x\");\ns.expect(250);\n\
             s.send(\"AUTH PLAIN AGhvZ2VAZXhhbXBsZS5jb20AcHBwd3d3\");\ns.expect(235);\nprint(\"pppwww\");\n\
             step(\"after, 100%: pppwww\");\ns.send(\"NOOP pppwww\");\ns.expect(554);\n",
        ),
        ("c.rhai", "// Skips.\nskip(\"no #TLS here\");\n"),
        ("d.rhai", "// Is wrong.\nconect();\n"),
    ])
}

fn shown(ran: &Ran) -> String {
    filtered(&format!("exit code {}\n{}{}", ran.code.unwrap(), ran.out, ran.err), &FILTERS)
}

#[test]
fn a_line_for_each_script_is_plain() {
    let folder = scripts();
    insta::assert_snapshot!(shown(&run(folder.path(), &["run", "--format", "plain"])));
}

#[test]
fn tap_has_a_point_for_each_script_and_what_failed_below_it() {
    let folder = scripts();
    insta::assert_snapshot!(shown(&run(folder.path(), &["run", "--format", "tap"])));
}

#[test]
fn json_is_an_event_a_line_as_documented() {
    let folder = scripts();
    let ran = run(folder.path(), &["run", "-j", "1", "--format", "json"]);
    let events: Vec<Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names[..3], ["run-started", "script-started", "script-ended"]);
    assert_eq!((names.len(), *names.last().unwrap()), (10, "run-ended"));
    insta::assert_snapshot!(shown(&ran));
    // The documentation names each event and each part.
    let docs = std::fs::read_to_string(crate::program::project().join("docs/json.md")).unwrap();
    let mut parts = Vec::new();
    for event in &events {
        keys(event, &mut parts);
    }
    for part in parts.iter().map(String::as_str).chain(names) {
        assert!(docs.contains(&format!("`{part}`")), "docs/json.md does not say `{part}`");
    }
}

pub(crate) fn keys(value: &Value, found: &mut Vec<String>) {
    for (name, part) in value.as_object().into_iter().flatten() {
        found.push(name.clone());
        // The script chooses the names of its parameters.
        if name != "params" {
            keys(part, found);
        }
    }
}

/// Validates an XML file. Without `xmllint` (Debian package libxml2-utils), says that this is
/// skipped.
fn validate(file: &Path) {
    let schema = crate::program::project().join("tests/schemas/junit-10.xsd");
    let lint =
        Command::new("xmllint").arg("--noout").arg("--schema").arg(schema).arg(file).output();
    match lint {
        Ok(lint) => assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stderr)),
        Err(error) => eprintln!("skipped: xmllint cannot be run: {error}"),
    }
}

#[test]
fn junit_is_valid_by_the_schema_of_jenkins_and_holds_no_secret() {
    let folder = scripts();
    let ran = run(folder.path(), &["run", "--junit", "report.xml"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.out.contains("FAIL b.rhai"), "the other report is still there: {}", ran.out);
    let file = folder.path().join("report.xml");
    validate(&file);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("pppwww") && text.contains("[SECRET]"), "{text}");
    insta::assert_snapshot!(filtered(&text, &FILTERS));
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The names of all formats, as the program lists them.
pub(crate) fn formats() -> Vec<String> {
    let ran = run(std::path::Path::new("."), &["run", "--format", "none"]);
    let (_, list) = ran.err.split_once("a format is ").unwrap();
    let list = list.split(", such as").next().unwrap();
    let names: Vec<_> = list.split([',', ' ']).filter(|name| !["", "or"].contains(name)).collect();
    assert!(names.len() >= 6, "{}", ran.err);
    names.into_iter().map(str::to_owned).collect()
}

#[test]
fn no_report_shows_a_secret() {
    let folder = scripts();
    for format in formats() {
        let ran = run(folder.path(), &["run", "--format", &format]);
        assert!(!ran.out.contains("pppwww") && !ran.out.contains("AGhvZ2VA"), "{}", ran.out);
        assert!(ran.out.contains("b.rhai"), "{format} names what failed: {}", ran.out);
    }
}

#[test]
fn github_gets_an_annotation_at_the_line_of_each_failure() {
    let folder = scripts();
    let output = program()
        .current_dir(folder.path())
        .args(["run", "-q"])
        .env("GITHUB_ACTIONS", "true")
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(!err.contains("pppwww"), "{err}");
    insta::assert_snapshot!(filtered(&err, &FILTERS));
}

#[test]
fn several_reports_are_written_at_once() {
    let folder = scripts();
    let args = ["run", "--format", "tap", "--format", "json=events.json", "--junit", "junit.xml"];
    let ran = run(folder.path(), &args);
    assert!(ran.out.starts_with("TAP version 14\nok 1 "), "{}", ran.out);
    assert!(ran.out.ends_with("\n1..4\n"), "{}", ran.out);
    let events = std::fs::read_to_string(folder.path().join("events.json")).unwrap();
    assert_eq!(events.lines().count(), 10, "{events}");
    validate(&folder.path().join("junit.xml"));
    let ran = run(folder.path(), &["run", "--format", "tap", "--format", "json"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("stdout takes one format"), "{}", ran.err);
}

#[test]
fn a_report_that_cannot_be_written_fails_the_run_before_its_first_script() {
    let peer = Peer::parse("S: 220 hi\nstall");
    let folder = folder(&[("a.rhai", "// Greets.\nconnect(param(\"smtp\")).expect(220);\n")]);
    let set = format!("smtp={}", peer.url("smtp"));
    for file in ["no/such/folder/report.xml", "."] {
        let ran = run(folder.path(), &["run", "--set", &set, "--junit", file]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
        assert!(ran.err.contains(&format!("cannot write {file}: ")), "{}", ran.err);
    }
    // The peer accepts one connection. This run gets it, so no script connected before.
    assert_eq!(run(folder.path(), &["run", "--set", &set]).code, Some(0));
}

#[test]
fn a_disk_that_is_full_at_the_end_is_named() {
    let folder = folder(&[("a.rhai", "connect().expect(220);\n")]);
    let ran = run(folder.path(), &["run", "--junit", "/dev/full"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("cannot write the report /dev/full: No space left"), "{}", ran.err);
}

#[test]
fn a_report_that_cannot_be_written_costs_neither_the_others_nor_the_exit_code() {
    let folder = folder(&[
        ("a.rhai", "connect().expect(220);\n"),
        ("down.rhai", "connect(\"smtp://127.0.0.1:1\").expect(220);\n"),
    ]);
    let ran = |args: &[&str]| run(folder.path(), &[&["run"], args].concat());
    let full =
        ran(&["a.rhai", "--format", "json=/dev/full", "--junit", "a.xml", "--html", "a.html"]);
    assert_eq!(full.code, Some(1), "{full:?}");
    for report in ["a.xml", "a.html"] {
        let text = std::fs::read_to_string(folder.path().join(report)).unwrap();
        assert!(text.contains("a.rhai"), "{report}: {text}");
    }
    let down = ran(&["down.rhai", "--junit", "/dev/full", "--trace-file", "/dev/full"]);
    assert_eq!(down.code, Some(3), "the server cannot be reached, which is worse: {down:?}");
    assert_eq!(down.err.matches("cannot write the report").count(), 2, "{down:?}");
    let nagios = ["--format", "nagios", "--junit", "/dev/full"];
    let down = ran(&[&nagios[..], &["down.rhai"]].concat());
    assert_eq!(down.code, Some(2), "{down:?}");
    assert!(down.out.contains("CRITICAL") && !down.out.contains("UNKNOWN"), "{down:?}");
    assert_eq!(ran(&[&nagios[..], &["a.rhai"]].concat()).code, Some(0));
}

#[test]
fn quiet_shows_failures_and_nothing_if_there_are_none() {
    let folder = scripts();
    let ran = run(folder.path(), &["run", "-q", "a.rhai", "c.rhai"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", ""));
    let ran = run(folder.path(), &["run", "-q", "a.rhai", "d.rhai"]);
    assert!(!ran.out.contains("a.rhai") && ran.out.starts_with("FAIL d.rhai"), "{}", ran.out);
    assert!(ran.out.contains("1 passed, 1 failed"), "{}", ran.out);
}

#[test]
fn a_report_takes_the_place_of_a_link_and_not_of_what_it_leads_to() {
    let folder = folder(&[("a.rhai", "// Greets.\nconnect().expect(220);\n"), ("victim", "mine")]);
    let report = folder.path().join("report.xml");
    std::os::unix::fs::symlink(folder.path().join("victim"), &report).unwrap();
    let ran = run(folder.path(), &["run", "a.rhai", "--junit", "report.xml"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("victim"), "mine");
    assert!(!report.is_symlink() && read("report.xml").contains("<testsuites"));
}
