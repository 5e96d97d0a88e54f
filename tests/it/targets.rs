//! Scripts with the servers of the project file.

use std::fs;
use std::path::Path;

use mailexpect::server::Replay;

use crate::filters::filtered;
use crate::program::{Ran, folder, program, project, run};

const HELLO: &str = "// The hello.\nlet s = connect(param(\"smtp\"));\ns.expect(220);\ns.ehlo(\"client.example\");\ns.quit();\n";

fn server(greeting: &str, size: &str) -> Replay {
    Replay::repeat(&format!(
        "S: 220 {greeting}\nC: EHLO client.example\nS: 250-mail.example\nS: 250 SIZE {size}\nC: QUIT\nS: 221 bye\nclose\n"
    ))
    .unwrap()
}

/// Writes a project file with a target for each server.
fn targets(folder: &Path, servers: &[(&str, &Replay)], more: &str) {
    let tables = servers
        .iter()
        .map(|(name, server)| format!("[target.{name}]\nsmtp = \"{}\"\n", server.url("smtp")));
    let text = tables.collect::<Vec<_>>().concat() + more;
    fs::write(folder.join("mailexpect.toml"), text).unwrap();
}

fn shown(ran: &Ran) -> String {
    let filters = [
        (r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:PORT"),
        (r"\b\d+(\.\d+)? (ms|s) of ", "TIME of "),
        (r"\(\d+(\.\d+)? (ms|s)\)", "(TIME)"),
    ];
    filtered(&format!("exit code {}\n{}{}", ran.code.unwrap(), ran.out, ran.err), &filters)
}

#[test]
fn each_script_runs_on_each_target_and_a_matrix_says_what_came_of_it() {
    let folder = folder(&[
        ("hello.rhai", HELLO),
        (
            "postfix.rhai",
            "// Is Postfix.\nlet s = connect(param(\"smtp\"));\ns.expect(\"220 postfix\");\ns.close();\n",
        ),
        ("tls.rhai", "// TLS.\nskip(\"no TLS here\");\n"),
    ]);
    let (postfix, exim) = (server("postfix", "100"), server("exim", "200"));
    targets(folder.path(), &[("postfix", &postfix), ("exim", &exim)], "");
    let args = ["run", "--target", "postfix", "--target", "exim", "-j", "1"];
    let ran = run(folder.path(), &args);
    insta::assert_snapshot!(shown(&ran));
    let all = run(folder.path(), &["run", "--target", "all", "-j", "1", "-q"]);
    assert!(
        all.code == Some(1) && all.out.contains("hello") == ran.out.contains("@hello"),
        "{all:?}"
    );
    let one = run(folder.path(), &["run", "--target", "exim", "hello.rhai"]);
    assert!(one.code == Some(0) && one.out.starts_with("PASS hello.rhai @exim"), "{one:?}");
    let ran = run(folder.path(), &["run", "--target", "exmi"]);
    assert!(ran.code == Some(2) && ran.err.contains("did you mean `exim`?"), "{ran:?}");
    for server in [postfix, exim] {
        server.leave();
    }
}

#[test]
fn each_target_has_its_golden_and_its_name_in_each_report() {
    let folder = folder(&[("hello.rhai", HELLO)]);
    let (postfix, exim) = (server("postfix", "100"), server("exim", "200"));
    targets(folder.path(), &[("postfix", &postfix), ("exim", &exim)], "");
    let ran = run(folder.path(), &["run", "--target", "all", "--record"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for (name, size) in [("postfix", "SIZE 100"), ("exim", "SIZE 200")] {
        let golden = folder.path().join(format!("snapshots/hello@{name}.snap"));
        assert!(fs::read_to_string(golden).unwrap().contains(size), "{name}");
    }
    assert_eq!(run(folder.path(), &["run", "--target", "all"]).code, Some(0));
    for format in ["pretty", "plain", "tap"] {
        let ran = run(folder.path(), &["run", "--target", "all", "--format", format]);
        assert!(ran.out.contains("hello.rhai @exim"), "{format}: {}", ran.out);
    }
    let ran =
        run(folder.path(), &["run", "--target", "all", "--format", "json", "--junit", "x.xml"]);
    assert!(ran.out.contains("\"targets\":[\"exim\",\"postfix\"]"), "{}", ran.out);
    assert!(ran.out.contains("\"target\":\"postfix\""), "{}", ran.out);
    let junit = fs::read_to_string(folder.path().join("x.xml")).unwrap();
    assert!(junit.contains("name=\"hello.rhai @exim\" classname=\"mailexpect.exim\""), "{junit}");
    for server in [postfix, exim] {
        server.leave();
    }
}

#[test]
fn two_targets_are_shown_side_by_side_after_redaction() {
    let folder = folder(&[("hello.rhai", HELLO)]);
    let (postfix, exim) = (server("ESMTP", "100"), server("ESMTP", "200"));
    targets(folder.path(), &[("postfix", &postfix), ("exim", &exim)], "");
    let args = ["diff", "--target", "postfix", "--target", "exim", "hello.rhai"];
    insta::assert_snapshot!(shown(&run(folder.path(), &args)));
    let alike = run(folder.path(), &[&args[..], &["--redact-regex", "N=SIZE (\\d+)"]].concat());
    assert!(alike.code == Some(0) && alike.out.starts_with("SAME hello.rhai"), "{alike:?}");
    let ran = run(folder.path(), &["diff", "--target", "exim", "hello.rhai"]);
    assert!(ran.code == Some(2) && ran.err.contains("only `exim` is named"), "{ran:?}");
    for server in [postfix, exim] {
        server.leave();
    }
}

#[test]
fn two_targets_that_no_session_reached_are_not_the_same() {
    let folder = folder(&[
        ("skips.rhai", "// Skips.\nskip(\"not here\");\n"),
        ("throws.rhai", "// Throws.\nthrow 3;\n"),
        ("hello.rhai", HELLO),
    ]);
    let (postfix, exim) = (server("ESMTP", "100"), server("ESMTP", "100"));
    targets(folder.path(), &[("postfix", &postfix), ("exim", &exim)], "");
    let diff = |scripts: &[&str]| {
        let args = ["diff", "--target", "postfix", "--target", "exim"];
        run(folder.path(), &[&args[..], scripts].concat())
    };
    let ran = diff(&["skips.rhai"]);
    assert!(ran.code == Some(2) && ran.err.contains("nothing was compared"), "{ran:?}");
    assert!(ran.out.starts_with("NOTHING COMPARED skips.rhai"), "{}", ran.out);
    let ran = diff(&["throws.rhai"]);
    assert!(ran.code == Some(1) && ran.out.starts_with("NOTHING COMPARED throws"), "{ran:?}");
    // A script that is skipped beside one that is compared is no failure.
    let ran = diff(&["skips.rhai", "hello.rhai"]);
    assert!(ran.code == Some(0) && ran.out.contains("SAME hello.rhai"), "{ran:?}");
    for server in [postfix, exim] {
        server.leave();
    }
}

#[test]
fn the_project_file_says_how_scripts_run_and_the_command_line_says_more() {
    let folder = folder(&[("a.rhai", "let s = connect(param(\"smtp\"));\ns.expect(220);\n")]);
    let silent = Replay::repeat("stall").unwrap();
    targets(folder.path(), &[("slow", &silent)], "timeout = \"150ms\"\n[run]\ntimeout = \"1h\"\n");
    let ran = run(folder.path(), &["run", "--target", "slow"]);
    assert!(ran.code == Some(3) && ran.out.contains(" of 150 ms"), "{ran:?}");
    let ran = run(folder.path(), &["run", "--target", "slow", "--timeout", "120ms"]);
    assert!(ran.out.contains(" of 120 ms"), "{ran:?}");
    let mut command = program();
    let command = command.current_dir(folder.path()).args(["run", "--target", "slow"]);
    let ran = command.env("MAILEXPECT_TIMEOUT", "130ms").output().unwrap();
    assert!(String::from_utf8_lossy(&ran.stdout).contains(" of 130 ms"), "{ran:?}");
    silent.leave();
}

#[test]
fn a_slip_in_the_name_of_a_parameter_is_named_with_its_place() {
    let folder = folder(&[
        ("a.rhai", "// A.\nlet s = connect(param(\"smtp\"));\nparam(\"client\", \"x\");\n"),
        ("mailexpect.toml", "[target.a]\nsmpt = \"smtp://127.0.0.1:1\"\n"),
    ]);
    let ran = run(folder.path(), &["run", "--target", "a"]);
    let wrong = "mailexpect.toml, line 2, target.a.smpt: no script that is run has this parameter";
    assert!(ran.code == Some(2) && ran.err.contains(wrong), "{ran:?}");
    assert!(ran.err.contains("did you mean `smtp`?") && ran.out.is_empty(), "{ran:?}");
    // The name may be meant for another script, so a script with a default runs.
    let text = "[target.a]\nsmtp = \"smtp://127.0.0.1:1\"\n\n[run.params]\nclients = \"y\"\n";
    fs::write(folder.path().join("mailexpect.toml"), text).unwrap();
    let ran = run(folder.path(), &["run", "--target", "a"]);
    let warned = "mailexpect.toml, line 5, run.params.clients: no script that is run has this \
                  parameter: did you mean `client`?";
    assert!(ran.code == Some(3) && ran.err.contains(warned), "{ran:?}");
}

#[test]
fn a_secret_of_a_target_is_fetched_and_one_in_clear_is_warned_of() {
    let folder = folder(&[(
        "a.rhai",
        "print(param(\"password\"));\nassert_eq(param(\"password\").len, 11);\n",
    )]);
    let file = folder.path().join("mailexpect.toml");
    fs::write(&file, "[target.a]\npassword = \"cmd:printf hunter2-abc\"\n").unwrap();
    let ran = run(folder.path(), &["run", "--target", "a"]);
    assert!(ran.code == Some(0) && ran.err.is_empty(), "{ran:?}");
    assert!(!ran.out.contains("hunter2") && ran.out.contains("[SECRET]"), "{ran:?}");
    fs::write(&file, "[target.a]\npassword = \"hunter2-abc\"\n").unwrap();
    let ran = run(folder.path(), &["run", "--target", "a"]);
    assert!(ran.code == Some(0) && ran.err.contains("target.a.password is in"), "{ran:?}");
    assert!(!ran.err.contains("hunter2") && !ran.out.contains("hunter2"), "{ran:?}");
}

#[test]
fn what_no_script_takes_is_not_fetched() {
    let greets = "// Greets.\nlet s = connect(param(\"smtp\"));\ns.expect(220);\n";
    let logs_in = "param(\"token\");\nconnect(param(\"smtp\")).expect(220);\n";
    let folder = folder(&[
        ("greets.rhai", greets),
        ("logs_in.rhai", logs_in),
        ("defaults.rhai", &logs_in.replace("\"token\"", "\"token\", \"none\"")),
        ("mailexpect.toml", "[run.params]\ntoken = \"env:NOT_SET_ANYWHERE\"\n"),
        ("sub/a.rhai", greets),
        ("sub/mailexpect.toml", "[run.params]\ntoken = \"cmd:touch started\"\n"),
    ]);
    assert_eq!(run(folder.path(), &["run", "greets.rhai"]).code, Some(0));
    let lacking = run(folder.path(), &["run", "greets.rhai", "logs_in.rhai"]);
    assert!(lacking.code == Some(2) && lacking.err.contains("`token` has no value"), "{lacking:?}");
    let skipped = run(folder.path(), &["run", "greets.rhai", "logs_in.rhai", "--skip-incomplete"]);
    assert_eq!(skipped.code, Some(0), "{skipped:?}");
    assert!(skipped.out.contains("no value for token"), "{skipped:?}");
    // A default is no value in its place: something else would be tested.
    let defaults = run(folder.path(), &["run", "defaults.rhai", "--skip-incomplete"]);
    assert!(
        defaults.code == Some(0) && defaults.out.contains("no value for token"),
        "{defaults:?}"
    );
    assert_eq!(run(&folder.path().join("sub"), &["run", "a.rhai"]).code, Some(0));
    assert!(!folder.path().join("sub/started").exists());
}

#[test]
fn paths_in_the_project_file_are_relative_to_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let script =
        "for name in [\"at\", \"file\", \"cmd\"] { assert(param(name).contains(\"project\")); }\n";
    let toml = "[run]\nparams = { at = \"@value\", file = \"file:value\" }\n\
                [target.a]\ncmd = \"cmd:cat value\"\n";
    let folder = folder(&[
        ("sub/a.rhai", script),
        ("mailexpect.toml", toml),
        ("value", "of the project\n"),
        ("sub/value", "of the folder\n"),
    ]);
    let value = folder.path().join("value");
    fs::set_permissions(&value, fs::Permissions::from_mode(0o600)).unwrap();
    for (from, script) in [(folder.path().join("sub"), "a.rhai"), (folder.path().into(), "sub")] {
        let ran = run(&from, &["run", "--target", "a", script]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    fs::remove_file(&value).unwrap();
    let ran = run(&folder.path().join("sub"), &["run", "--target", "a", "a.rhai"]);
    let missing = format!("cannot read {}: ", value.display());
    assert!(ran.code == Some(2) && ran.err.contains(&missing), "{ran:?}");
}

#[test]
fn parameters_come_from_the_environment_too() {
    let folder = folder(&[(
        "a.rhai",
        "assert_eq(param(\"who\", \"nobody\"), \"me\");\nparam(\"other\", \"\");\n",
    )]);
    let with = |args: &[&str]| {
        let mut command = program();
        command.current_dir(folder.path()).args(args).env("MAILEXPECT_SET_who", "me");
        command.env("MAILEXPECT_SET_unknown", "x").output().unwrap().status.code()
    };
    assert_eq!(with(&["run"]), Some(0));
    assert_eq!(with(&["run", "--set", "who=you"]), Some(1));
}

#[test]
fn the_published_schema_is_that_of_the_program() {
    let ran = run(&project(), &["schema"]);
    let file = project().join("docs/mailexpect.schema.json");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(&file, &ran.out).unwrap();
    }
    let published = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        ran.out, published,
        "write it anew: mailexpect schema > docs/mailexpect.schema.json"
    );
}

#[test]
fn scripts_are_run_again_and_again_until_one_fails_or_the_time_is_up() {
    let folder = folder(&[("hello.rhai", HELLO)]);
    let peer = Replay::start(
        "S: 220 hi\nC: EHLO client.example\nS: 250 mail.example\nC: QUIT\nS: 221 bye\nclose\n",
    )
    .unwrap();
    let url = format!("smtp={}", peer.url("smtp"));
    let ran = run(folder.path(), &["run", "--until-fail", "--set", &url, "-j", "1"]);
    assert!(ran.code == Some(3) && ran.out.contains("1 passed, 1 failed"), "{ran:?}");
    peer.leave();
    let steady = server("hi", "1");
    let url = format!("smtp={}", steady.url("smtp"));
    let ran = run(folder.path(), &["run", "--stress-count", "5", "--set", &url]);
    assert!(ran.code == Some(0) && ran.out.starts_with("5 passed ("), "{ran:?}");
    let ran =
        run(folder.path(), &["run", "--stress-for", "100ms", "--set", &url, "--format", "tap"]);
    let points = ran.out.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(ran.code == Some(0) && points > 0, "{ran:?}");
    assert!(ran.out.ends_with(&format!("\n1..{points}\n")), "the plan stands at the end: {ran:?}");
    steady.leave();
}

#[test]
fn the_golden_of_another_script_is_not_taken() {
    let folder =
        folder(&[("hello.rhai", HELLO), ("hello@exim.rhai", "assert(true); snapshot(1);")]);
    let server = server("mail.example", "100");
    let url = format!("smtp={}", server.url("smtp"));
    let of_exim = |flag| {
        run(folder.path(), &["run", "hello.rhai", "--set", &url, "--target", "exim", flag]).code
    };
    assert_eq!(of_exim("--record"), Some(0));
    for flag in ["--check", "--record"] {
        let ran = run(folder.path(), &["run", "hello@exim.rhai", flag]);
        let why = "snapshots/hello@exim.snap is the golden of hello.rhai";
        assert!(ran.code == Some(2) && ran.out.contains(why), "{ran:?}");
    }
    assert_eq!(of_exim("--check"), Some(0));
    fs::remove_file(folder.path().join("hello@exim.rhai")).unwrap();
    fs::rename(folder.path().join("hello.rhai"), folder.path().join("hello@exim.rhai")).unwrap();
    let renamed = run(folder.path(), &["run", "hello@exim.rhai"]);
    assert!(!renamed.out.contains("is the golden of"), "{renamed:?}");
    server.leave();
}
