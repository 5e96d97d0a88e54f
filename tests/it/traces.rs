//! Recordings of runs: writing them, showing them, and running against them.

use std::fs;
use std::path::Path;

use mailexpect::server::Replay;

use crate::filters::filtered;
use crate::program::{Ran, folder, run};

const DIALOGUE: &str = "S: 220 mail.example ESMTP\nC: EHLO client.example\nS: 250-mail.example\nS: 250 AUTH PLAIN\n\
    C:\nS: 235 2.7.0 ok\nC: MAIL FROM:<a@example.com>\nS: 250 2.1.0 ok\nC: RCPT TO:<b@example.com>\nS: 550 5.7.1 no relay\n\
    C: QUIT\nS: 221 bye\nclose\n";

fn script(code: u16) -> String {
    format!(
        "// Relay.\nlet s = connect(param(\"smtp\"));\ns.expect(220);\ns.ehlo(\"client.example\");\n\
         s.auth(\"me\", param(\"password\"), #{{mechanism: \"PLAIN\"}});\ns.mail(\"a@example.com\");\n\
         s.rcpt(\"b@example.com\", #{{expect: {code}}});\ns.quit();\n"
    )
}

/// Records a run of the script. The server is gone after the run.
fn recorded(folder: &Path, when: &str) -> Ran {
    let server = Replay::start(DIALOGUE).unwrap();
    let url = format!("smtp={}", server.url("smtp"));
    let args =
        ["run", "relay.rhai", "--set", &url, "--set", "password=hunter2-abc", "--trace", when];
    let ran = run(folder, &args);
    server.leave();
    ran
}

fn shown(text: &str) -> String {
    let filters = [
        (r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:PORT"),
        (r"\b\d+(\.\d+)? (ms|s) of ", "TIME of "),
        (r"\(\d+(\.\d+)? (ms|s)\)", "(TIME)"),
        (r"(?m)^ +\d+\.\d{4} ", "    0.0000 "),
    ];
    filtered(&text, &filters)
}

#[test]
fn a_script_is_mended_against_its_recording_with_the_server_gone() {
    let folder = folder(&[("relay.rhai", &script(250))]);
    let ran = recorded(folder.path(), "on");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let file = fs::read_to_string(folder.path().join("mailexpect.trace")).unwrap();
    assert!(!file.contains("hunter2") && file.contains("[SECRET]"), "{file}");
    let again = run(folder.path(), &["run", "relay.rhai", "--against", "mailexpect.trace"]);
    assert!(again.code == Some(1) && again.out.contains("550 5.7.1 no relay"), "{again:?}");
    fs::write(folder.path().join("relay.rhai"), script(550)).unwrap();
    let mended = run(folder.path(), &["run", "relay.rhai", "--against", "mailexpect.trace"]);
    assert_eq!(mended.code, Some(1), "it went no further then: {mended:?}");
    assert!(mended.out.contains("the recording has no answer to `QUIT`"), "{mended:?}");
    fs::write(folder.path().join("relay.rhai"), script(550).replace("s.quit();\n", "s.close();\n"))
        .unwrap();
    let mended = run(folder.path(), &["run", "relay.rhai", "--against", "mailexpect.trace"]);
    assert_eq!(mended.code, Some(0), "{mended:?}");
}

#[test]
fn the_server_name_of_a_handshake_may_be_a_secret() {
    let script = r#"
        let server = serve("submissions");
        let s = connect(server.url, #{tls: #{sni: param("password"), verify: false}});
        s.expect(220);
        s.quit();
    "#;
    let folder = folder(&[("a.rhai", script)]);
    let args = ["run", "a.rhai", "--set", "password=hidden.example", "--trace", "on"];
    assert_eq!(run(folder.path(), &args).code, Some(0));
    let trace = fs::read_to_string(folder.path().join("mailexpect.trace")).unwrap();
    assert!(!trace.contains("hidden") && trace.contains("\"name\":\"[SECRET]\""), "{trace}");
}

#[test]
fn the_password_in_the_script_stays_secret_against_a_recording() {
    let script = r#"
        let s = connect(param("pop3"));
        s.expect("+OK");
        s.login("hoge@example.com", param("password", "Zq7Xy9Kw2Lm"), #{expect: any("+OK", "-ERR")});
        print("I say Zq7Xy9Kw2Lm");
        s.quit();
    "#;
    let folder = folder(&[("a.rhai", script)]);
    let ran = run(folder.path(), &["run", "a.rhai", "--trace", "on"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = run(folder.path(), &["run", "a.rhai", "--against", "mailexpect.trace", "-v"]);
    assert!(ran.code == Some(0) && ran.out.contains("I say [SECRET]"), "{ran:?}");
}

#[test]
fn a_line_to_which_the_recording_has_no_answer_is_named() {
    let folder = folder(&[("relay.rhai", &script(550))]);
    assert_eq!(recorded(folder.path(), "on").code, Some(0));
    let other = script(550).replace("b@example.com", "c@example.com");
    fs::write(folder.path().join("relay.rhai"), other).unwrap();
    let ran = run(folder.path(), &["run", "relay.rhai", "--against", "mailexpect.trace"]);
    insta::assert_snapshot!(shown(&ran.out));
    let shorter = script(550).replace("s.mail(\"a@example.com\");\n", "");
    fs::write(folder.path().join("relay.rhai"), shorter).unwrap();
    let ran = run(folder.path(), &["run", "relay.rhai", "--against", "mailexpect.trace"]);
    assert_eq!(ran.code, Some(0), "a step may be left out: {ran:?}");
    fs::write(folder.path().join("other.trace"), "no recording\n").unwrap();
    let ran = run(folder.path(), &["run", "relay.rhai", "--against", "other.trace"]);
    assert!(ran.code == Some(2) && ran.err.contains("cannot read the recording"), "{ran:?}");
}

#[test]
fn a_recording_is_shown_with_its_times() {
    let folder = folder(&[("relay.rhai", &script(550))]);
    recorded(folder.path(), "on");
    let ran = run(folder.path(), &["show", "mailexpect.trace"]);
    insta::assert_snapshot!(shown(&ran.out));
    let again = run(folder.path(), &["show", "mailexpect.trace", "--speed", "1000"]);
    assert_eq!(again.out, ran.out);
    let ran = run(folder.path(), &["show", "mailexpect.trace", "--script", "rely"]);
    assert!(ran.code == Some(2) && ran.err.contains("contains `rely`"), "{ran:?}");
}

#[test]
fn recordings_may_be_kept_of_failures_alone() {
    let folder =
        folder(&[("a.rhai", "connect().expect(220);\n"), ("b.rhai", "connect().expect(554);\n")]);
    let kept = |when: &str| {
        run(folder.path(), &["run", "--trace", when]);
        let file = folder.path().join("mailexpect.trace");
        let text = fs::read_to_string(&file).unwrap_or_default();
        drop(fs::remove_file(file));
        text.lines().filter(|line| line.starts_with("{\"trace\"")).count()
    };
    assert_eq!(["on", "retain-on-failure", "off"].map(kept), [2, 1, 0]);
}

#[test]
fn tls_and_tags_are_played_again() {
    let folder = folder(&[(
        "tls.rhai",
        "let s = connect(param(\"submission\"));\ns.expect(220);\ns.ehlo(\"x\");\ns.starttls(#{ca: param(\"ca\")});\n\
         s.ehlo(\"x\");\nassert(s.peer_certificate().days_left > 0);\ns.quit();\n",
    )]);
    let ran = run(folder.path(), &["run", "--trace", "on", "tls.rhai"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = run(folder.path(), &["run", "--against", "mailexpect.trace", "tls.rhai", "-v"]);
    assert!(ran.code == Some(0) && ran.out.contains("*** TLS 1.3 with"), "{ran:?}");

    let server = Replay::start(
        "S: * OK hi\nC:\nS: a1 OK noop\nC:\nS: * STATUS x (MESSAGES 2)\nS: a2 OK status\nC:\nS: * BYE\nS: a3 OK bye\nclose\n",
    )
    .unwrap();
    let imap = |noop: &str| {
        format!(
            "let s = connect(param(\"imap\"));\ns.expect(\"* OK\");\n{noop}s.command(\"STATUS x (MESSAGES)\");\ns.logout();\n"
        )
    };
    let file = folder.path().join("imap.rhai");
    fs::write(&file, imap("s.command(\"NOOP\");\n")).unwrap();
    let url = format!("imap={}", server.url("imap"));
    let ran = run(folder.path(), &["run", "--trace", "on", "imap.rhai", "--set", &url]);
    server.leave();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    fs::write(&file, imap("")).unwrap();
    let ran = run(folder.path(), &["run", "--against", "mailexpect.trace", "imap.rhai"]);
    assert_eq!(ran.code, Some(0), "its tags are others now: {ran:?}");
}

#[test]
fn a_file_for_the_recording_is_a_recording_and_no_other_report() {
    let folder = folder(&[("a.rhai", "connect().expect(220);\n")]);
    let ran = run(folder.path(), &["run", "--trace-file", "x.trace"]);
    assert!(ran.code == Some(0) && folder.path().join("x.trace").exists(), "{ran:?}");
    let ran = run(folder.path(), &["run", "--trace", "off", "--trace-file", "y.trace"]);
    assert!(ran.code == Some(0) && !folder.path().join("y.trace").exists(), "{ran:?}");
    let ran = run(folder.path(), &["run", "--junit", "same", "--html", "./same"]);
    assert!(ran.code == Some(2) && ran.err.contains("two reports cannot be written"), "{ran:?}");
    assert!(!folder.path().join("same").exists());
}

#[test]
fn a_report_is_not_written_over_an_input() {
    let folder = folder(&[("a.rhai", "connect().expect(220);\n"), ("lib/b.rhai", "")]);
    let record = ["run", "a.rhai", "--record", "--format", "json=p.json", "--trace-file", "t"];
    assert_eq!(run(folder.path(), &record).code, Some(0));
    let b = "param(\"mail\"); connect().expect(220);\n";
    for (name, content) in [
        ("mailexpect.toml", ""),
        ("data", "x"),
        ("ca.pem", include_str!("../certificates/ca.pem")),
        ("b.rhai", b),
    ] {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    for args in [
        &["run", "a.rhai", "--junit", "a.rhai"][..],
        &["run", "a.rhai", "--html", "lib/b.rhai"],
        &["run", "a.rhai", "--format", "json=snapshots/a.snap"],
        &["report", "merge", "p.json", "--junit", "./p.json"],
        &["run", "a.rhai", "--against", "t", "--trace-file", "./t"],
        &["run", "a.rhai", "--junit", "mailexpect.toml"],
        &["run", "b.rhai", "--html", "data", "--set", "mail=@data"],
        &["run", "a.rhai", "--trace-file", "ca.pem", "--cacert", "ca.pem"],
    ] {
        let ran = run(folder.path(), args);
        assert!(ran.code == Some(2) && ran.err.contains("which is an input"), "{ran:?}");
    }
    // A report of an earlier run is no input.
    assert_eq!(run(folder.path(), &record).code, Some(0));
    let ran = run(folder.path(), &["run", "a.rhai", "--check"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn a_recording_that_is_larger_than_any_script_is_shown() {
    let folder = folder(&[]);
    let path = folder.path().join("big.trace");
    let said = "x".repeat(1 << 20);
    let line = format!("{{\"at\":0.1,\"session\":\"s1\",\"server\":\"{said}\\\\r\\\\n\"}}\n");
    let head =
        |name: &str| format!("{{\"trace\":1,\"path\":\"{name}.rhai\",\"verdict\":\"passed\"}}\n");
    fs::write(&path, [head("a"), line.repeat(65), head("b")].concat()).unwrap();
    let ran = run(folder.path(), &["show", "big.trace", "--script", "b.rhai"]);
    assert!(ran.code == Some(0) && ran.out.contains("b.rhai"), "{ran:?}");
}

#[test]
fn a_file_that_is_one_endless_line_is_refused_by_each_command_that_reads_lines() {
    let folder = folder(&[("a.rhai", "// A.\nconnect(\"tcp://127.0.0.1:1\");\n")]);
    // 1.5 GiB that take no room on the disk.
    let file = fs::File::create(folder.path().join("endless")).unwrap();
    file.set_len(3 << 29).unwrap();
    for args in [
        &["show", "endless"][..],
        &["report", "merge", "endless", "--junit", "out.xml"],
        &["run", "a.rhai", "--against", "endless"],
    ] {
        let ran = run(folder.path(), args);
        assert!(ran.code == Some(2) && ran.err.contains("line 1: it has more than"), "{ran:?}");
    }
}
