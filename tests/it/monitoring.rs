//! Scripts as checks of a monitoring system: Nagios, Prometheus, `mailexpect watch`.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use mailexpect::server::{Embedded, Replay};

use rustix::process::{Pid, Signal, kill_process};

use crate::filters::filtered;
use crate::peer::{Peer, closed_port};
use crate::program::{Ran, folder, program, run};

const SCRIPT: &str = r#"// Relay is refused.
let s = connect(param("smtp"));
s.expect(220);
step("hello");
s.ehlo("client.example");
step("a foreign recipient");
s.mail("hoge@example.com");
s.rcpt("test-user@yahoo.co.jp", #{expect: 550});
metric("answers", 3);
metric("size", 12.5, "B");
s.quit();
"#;

/// Only times and ports may vary.
const FILTERS: [(&str, &str); 4] = [
    (r"=[0-9.]+s", "=TIMEs"),
    (r"\b\d+(\.\d+)? (ms|s)\b", "TIME"),
    (r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:PORT"),
    (r"(duration|lookup_time)_seconds(\{.*\}) [0-9.e-]+", "${1}_seconds$2 TIME"),
];

fn nagios(script: &str, args: &[&str]) -> Ran {
    let folder = folder(&[("relay.rhai", script)]);
    run(folder.path(), &[&["run", "relay.rhai", "--format", "nagios"], args].concat())
}

#[test]
fn a_check_that_is_well_is_one_line_with_performance_data() {
    let ran = nagios(SCRIPT, &["-w", "total=60", "-c", "hello=30", "-w", "answers=@5:9"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    insta::assert_snapshot!(filtered(&ran.out, &FILTERS), @"SMTP OK - Relay is refused, 2 steps in TIME | total=TIMEs;60;;0 connect=TIMEs;;;0 hello=TIMEs;;30;0 'a foreign recipient'=TIMEs;;;0 answers=3;@5:9 size=12.5B");
    assert_eq!(ran.err, "");
}

#[test]
fn a_threshold_that_is_crossed_warns_or_is_critical() {
    let warning = nagios(SCRIPT, &["-w", "answers=2"]);
    assert_eq!(warning.code, Some(1), "{warning:?}");
    assert!(warning.out.starts_with("SMTP WARNING - answers is 3 (range 2), Relay"), "{warning:?}");
    let critical = nagios(SCRIPT, &["-w", "answers=2", "-c", "answers=4:"]);
    assert_eq!(critical.code, Some(2), "{critical:?}");
    assert!(critical.out.starts_with("SMTP CRITICAL - answers is 3 (range 4:)"), "{critical:?}");
    let unknown = nagios(SCRIPT, &["-w", "anwsers=2"]);
    assert_eq!(unknown.code, Some(3), "{unknown:?}");
    assert!(unknown.out.contains("no metric anwsers (there are total, connect,"), "{unknown:?}");
}

#[test]
fn a_threshold_is_judged_on_every_metric_however_many_there_are() {
    let long = "long ".repeat(30);
    let many: Vec<_> = (0..90).map(|n| format!("metric(\"{long}{n}\", {n});\n")).collect();
    let many = many.concat();
    let script = format!("// Counts.\nconnect().expect(220);\n{many}metric(\"last\", 1);\n");
    let ran = nagios(&script, &["-w", "last=0", "-c", &format!("{long}70=:69")]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let alerts = format!("SMTP CRITICAL - {long}70 is 70 (range :69), last is 1 (range 0), ");
    assert!(ran.out.starts_with(&alerts), "{ran:?}");
    let ran = nagios(&script, &["-w", "last=0"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let (_, measures) = ran.out.trim_end().split_once(" | ").unwrap();
    assert!(measures.starts_with("last=1;0 total="), "{measures}");
    assert!((3000..4096).contains(&measures.len()), "{measures}");
    let (_, last) = measures.rsplit_once(" '").unwrap();
    assert!(last.contains("'="), "the data ends with a whole metric: {measures}");
}

#[test]
fn a_wrong_reply_and_a_refused_port_are_critical_and_a_wrong_script_is_unknown() {
    let wrong = SCRIPT.replace("#{expect: 550}", "#{expect: 250}");
    let ran = nagios(&wrong, &[]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(2), ""), "{ran:?}");
    insta::assert_snapshot!(filtered(&ran.out, &FILTERS));
    let (_held, port) = closed_port();
    let ran = nagios(SCRIPT, &["--set", &format!("smtp=smtp://127.0.0.1:{port}")]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.out.starts_with("SMTP CRITICAL - cannot connect to smtp://"), "{ran:?}");
    for (script, args) in [
        ("conect();\n", &[][..]),
        ("// Nothing.\n", &[]),
        ("skip(\"not here\");\n", &[]),
        (SCRIPT, &["--set", "smpt=x"]),
        (SCRIPT, &["--no-such-option"]),
        (SCRIPT, &["-w", "total=soon"]),
        (SCRIPT, &["--format", "json=/no/such/folder/x"]),
    ] {
        let ran = nagios(script, args);
        assert_eq!((ran.code, ran.err.as_str()), (Some(3), ""), "{args:?} {ran:?}");
        assert!(ran.out.contains("UNKNOWN - "), "{ran:?}");
        assert!(!ran.out.lines().next().unwrap().is_empty());
    }
}

#[test]
fn text_of_a_server_neither_begins_performance_data_nor_is_longer_than_nagios_reads() {
    let long = "x".repeat(3000);
    let lines: Vec<_> = (0..40).map(|n| format!("S: 554-{n} | a=1 {long}")).collect();
    let server = Replay::start(&format!("{}\nS: 554 no\nclose", lines.join("\n"))).unwrap();
    let ran = nagios(SCRIPT, &["--set", &format!("smtp={}", server.url("smtp"))]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert_eq!(ran.out.matches('|').count(), 1, "{}", ran.out);
    assert!(ran.out.len() <= 8192, "{}", ran.out.len());
    server.leave();
}

#[test]
fn a_check_that_is_interrupted_says_so_and_keeps_the_exit_code_of_that() {
    let peer = Peer::parse("S: 220 hi\nC: EHLO client.example\nstall");
    let folder = folder(&[("relay.rhai", SCRIPT)]);
    let child = program()
        .current_dir(folder.path())
        .args(["run", "relay.rhai", "--format", "nagios"])
        .args(["--set", &format!("smtp={}", peer.url("smtp"))])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    peer.wait_until_heard(b"EHLO client.example\r\n");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(130), "{out}");
    assert!(out.contains("UNKNOWN - "), "{out}");
}

#[test]
fn thresholds_are_for_nagios_alone() {
    let folder = folder(&[("relay.rhai", SCRIPT)]);
    let ran = run(folder.path(), &["run", "relay.rhai", "-w", "total=1"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("thresholds are for --format nagios alone"), "{}", ran.err);
}

#[test]
fn prometheus_reads_what_a_run_came_to_from_a_file() {
    let failing = SCRIPT.replace("#{expect: 550}", "#{expect: 250}");
    let tls = "// TLS.\nlet s = connect(param(\"submissions\"), #{tls: #{ca: param(\"ca\")}});\n\
               s.expect(220);\nstep(\"say \\\"hi\\\"\");\ns.quit();\n";
    let folder = folder(&[
        ("a.rhai", SCRIPT),
        ("b.rhai", &failing),
        ("c.rhai", tls),
        ("d.rhai", "skip(\"\");"),
    ]);
    // Of two rounds, each sample is there once.
    let args =
        ["run", "--stress-count", "2", "--format", "prometheus=mail.prom", "--format", "plain"];
    let ran = run(folder.path(), &args);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let text = std::fs::read_to_string(folder.path().join("mail.prom")).unwrap();
    let shown = filtered(&text, &[FILTERS[3], (r"cert_expiry(\{.*\}) \d+", "cert_expiry$1 WHEN")]);
    insta::assert_snapshot!(shown);
    promtool(&text);
}

/// Makes sure that a text is as Prometheus requires: each sample once, below its type.
fn promtool(text: &str) {
    let mut seen = std::collections::BTreeSet::new();
    let mut metric = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            rest.split(' ').next().unwrap().clone_into(&mut metric);
        } else if !line.starts_with('#') {
            let (labels, value) = line.rsplit_once(' ').unwrap();
            assert!(labels.starts_with(&format!("{metric}{{")), "{line} is below {metric}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert!(seen.insert(labels.to_owned()), "{labels} stands there twice");
        }
    }
}

#[test]
fn a_watch_has_a_line_for_each_change() {
    let server = Embedded::start().unwrap();
    let address = server.smtp();
    let folder = folder(&[(
        "greets.rhai",
        "// The greeting.\nlet s = connect(param(\"smtp\"));\nstep(\"greeting\");\ns.expect(220);\n",
    )]);
    let set = format!("smtp={address}");
    let args = ["watch", "greets.rhai", "--every", "100ms", "--set", &set];
    let mut watching =
        program().current_dir(folder.path()).args(args).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains("Z PASS greets.rhai (") && first.contains("greeting "), "{first}");
    drop(server);
    let second = lines.next().unwrap().unwrap();
    assert!(second.contains("FAIL greets.rhai") && second.contains("cannot connect"), "{second}");
    assert!(second.contains("PASS (") && second.contains(" runs)"), "{second}");
    interrupt(watching.id());
    let ended = watching.wait().unwrap();
    assert_eq!(ended.code(), Some(3), "the last run counts");
}

fn interrupt(pid: u32) {
    let killed = std::process::Command::new("kill").args(["-INT", &pid.to_string()]).status();
    assert!(killed.unwrap().success());
}

#[test]
fn a_watch_reads_its_scripts_again_and_ends_without_a_reader() {
    let folder = folder(&[("a.rhai", "connect().expect(220);\n")]);
    let args = ["watch", "a.rhai", "--every", "50ms"];
    let mut watching =
        program().current_dir(folder.path()).args(args).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("PASS a.rhai"));
    // Renamed, so that no round reads half of the script.
    std::fs::write(folder.path().join("new"), "connect().expect(999);\n").unwrap();
    std::fs::rename(folder.path().join("new"), folder.path().join("a.rhai")).unwrap();
    let changed = lines.next().unwrap().unwrap();
    assert!(changed.contains("FAIL a.rhai") && changed.contains("999"), "{changed}");
    std::fs::remove_file(folder.path().join("a.rhai")).unwrap();
    let gone = lines.next().unwrap().unwrap();
    assert!(gone.contains("FAIL a.rhai") && gone.contains("cannot read"), "{gone}");
    drop(lines);
    assert_eq!(watching.wait().unwrap().code(), Some(2));
}

#[test]
fn a_watch_says_that_a_teardown_is_well_again() {
    let teardown = |number: u16| {
        format!("// Leaves.\nlet s = connect(param(\"smtp\"));\ns.expect({number});\ns.quit();\n")
    };
    let server = Embedded::start().unwrap();
    let folder =
        folder(&[("a.rhai", "assert(true);\n"), ("teardown.rhai", teardown(554).as_str())]);
    let set = format!("smtp={}", server.smtp());
    let args = ["watch", "a.rhai", "--every", "50ms", "--set", &set];
    let mut watching =
        program().current_dir(folder.path()).args(args).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let replace = |number| {
        // Renamed, so that no round reads half of the script.
        std::fs::write(folder.path().join("new"), teardown(number)).unwrap();
        std::fs::rename(folder.path().join("new"), folder.path().join("teardown.rhai")).unwrap();
    };
    assert!(lines.next().unwrap().unwrap().contains("PASS a.rhai"));
    for (number, line) in [(220, "FAIL teardown.rhai"), (554, "PASS teardown.rhai")] {
        let said = lines.next().unwrap().unwrap();
        assert!(said.contains(line), "{said}");
        assert_eq!(said.contains(" FAIL ("), line.starts_with("PASS"), "{said}");
        replace(number);
    }
    assert!(lines.next().unwrap().unwrap().contains("FAIL teardown.rhai"));
    interrupt(watching.id());
    assert_eq!(watching.wait().unwrap().code(), Some(1));
}

#[test]
fn a_watch_ends_after_so_many_runs() {
    let folder = folder(&[("a.rhai", "connect().expect(220);\n")]);
    let args = ["watch", "a.rhai", "--every", "10ms", "--count", "3", "-v"];
    let ran = run(folder.path(), &args);
    assert_eq!((ran.code, ran.out.lines().count()), (Some(0), 3), "{ran:?}");
}

#[test]
fn metrics_of_one_name_are_told_apart() {
    let steps = "// Steps.\nlet s = connect(param(\"smtp\"));\ns.expect(220);\n\
        step(\"a\");\ns.noop();\nstep(\"a\");\ns.noop();\nstep(\"a #2\");\ns.quit();\n";
    let server = Embedded::start().unwrap();
    let target = |name| format!("[target.{name}]\nsmtp = \"{}\"\n", server.smtp());
    let targets = format!("{}{}", target("one"), target("two"));
    let folder =
        folder(&[("a/dup.rhai", steps), ("b/dup.rhai", steps), ("mailexpect.toml", &targets)]);
    let args =
        ["run", "a", "b", "--target", "one,two", "--format", "nagios", "--format", "prometheus=m"];
    let ran = run(folder.path(), &args);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let (_, measures) = ran.out.lines().next().unwrap().split_once(" |").unwrap();
    let labels: Vec<_> =
        measures.split('=').map(|part| part.rsplit_once(" '").unwrap_or(("", part)).1).collect();
    let unique: std::collections::BTreeSet<_> = labels.iter().collect();
    assert_eq!(unique.len(), labels.len(), "{labels:?}");
    assert!(
        measures.contains("'dup@one/a'=") && measures.contains("'dup@two/a #2'="),
        "{measures}"
    );
    promtool(&std::fs::read_to_string(folder.path().join("m")).unwrap());
}
