//! A script cannot read, run, recurse or allocate more than its caller has granted, and it can
//! always be stopped.

use std::time::Duration;

use mailexpect::outcome::Outcome;
use mailexpect::script::Case;

use crate::program::{folder, program, run};

pub(crate) fn outcome(script: &str, configure: impl FnOnce(Case) -> Case) -> Outcome {
    let folder = folder(&[("script.rhai", script)]);
    configure(Case::new(folder.path().join("script.rhai")).embedded()).run()
}

pub(crate) fn message(script: &str) -> (u8, String) {
    let outcome = outcome(script, |case| case.deadline(Duration::from_mins(1)));
    let failure = outcome.failure().unwrap_or_else(|| panic!("{script} passed"));
    (outcome.exit_code() as u8, failure.error.to_string())
}

#[test]
fn a_process_is_started_only_where_that_was_granted() {
    let script = "let s = pipe(\"cat\"); s.send(\"x\"); s.expect(\"x\\r\\n\"); s.shutdown(); s.expect_close();";
    let (code, text) = message(script);
    assert_eq!(code, 2);
    assert!(text.contains("may not start a process") && text.contains("--allow-run"), "{text}");
    let granted = outcome(script, Case::allow_run);
    assert!(granted.is_ok(), "{granted:#?}");
}

#[test]
fn a_child_that_ended_badly_fails_the_script_at_the_same_place_each_time() {
    for _ in 0..5 {
        let failed = outcome("pipe(\"false\").expect_close();", Case::allow_run);
        let failure = failed.failure().unwrap();
        assert_eq!((failure.error.kind().name(), failed.exit_code() as u8), ("unexpected", 1));
        assert!(failure.error.message().contains("exit status: 1"), "{failure:?}");
        let last = format!("{:?}", failed.transcript.last());
        assert!(last.contains("exit status: 1"), "{last}");
    }
    let passed = outcome("pipe(\"true\").expect_close();", Case::allow_run);
    assert!(passed.is_ok(), "{passed:#?}");
}

#[test]
fn there_are_no_words_for_files_the_environment_or_code_from_text() {
    for script in [
        "open_file(\"/etc/passwd\");",
        "read(\"/etc/passwd\");",
        "env(\"HOME\");",
        "eval(\"1\");",
        "import \"/etc/passwd\" as p;",
        "sleep(1);",
    ] {
        let (code, text) = message(script);
        assert_eq!(code, 2, "{script}: {text}");
    }
}

#[test]
fn recursion_ends_in_words_and_not_in_a_crash() {
    for script in [
        "fn f(n) { f(n + 1) } f(0);",
        "fn f(n) { 1 + f(n + 1) } f(0);",
        "fn f(n) { let a = [f(n + 1)]; a[0] } f(0);",
        "fn f(n) { [1].map(|x| f(n + x)) } f(0);",
        "fn f(n) { if n > 0 { for i in 0..1 { try { switch n { 1 => 2, _ => f(n + 1) } } catch (e) { throw e } } } } f(5);",
        "fn f(n) { `a ${f(n + 1)}` } f(0);",
    ] {
        let (code, text) = message(script);
        assert_eq!(code, 2, "{script}: {text}");
        assert!(text.contains("out of bounds"), "{script}: {text}");
    }
    let deep = format!("let x = {}1{}; x", "(1 + ".repeat(400), ")".repeat(400));
    assert_eq!(message(&deep).0, 2);
}

#[test]
fn memory_has_bounds() {
    for script in [
        "let s = \"x\"; loop { s += s; }",
        "let a = []; loop { a += a; a.push(1); }",
        "let a = []; a.pad(1000000000, 0);",
        "let b = blob(10000000000);",
        "let s = \"x\"; for i in 0..22 { s += s; } let t = s; s.replace(\"x\", t);",
        "let a = [\"x\"]; loop { let s = a[0]; a[0] = s + s; }",
        "let m = #{}; let n = 0; let s = \"x\"; for i in 0..20 { s += s; } loop { m[`${n}`] = s + n; n += 1; }",
    ] {
        let (code, text) = message(script);
        assert_eq!(code, 2, "{script}: {text}");
    }
}

#[test]
fn no_list_is_copied_that_a_script_has_no_room_for() {
    for grow in ["t.push(t);", "t = [t, t];"] {
        let script = format!("// Grows.\nlet t = [1]; loop {{ {grow} }}");
        let folder = folder(&[("a.rhai", script.as_str())]);
        // The limit is in KiB. 2 GiB of it are reserved for the stacks of scripts. The rest has
        // room for what the script may hold, but not for twice as much.
        let limited = "ulimit -v 3150000; exec \"$0\" run --memory 512M a.rhai";
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", limited]).arg(program().get_program()).current_dir(folder.path());
        let output = shell.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(2), "{grow}: {text}");
        assert!(text.contains("--memory 1G lets it hold more"), "{grow}: {text}");
    }
}

#[test]
fn a_project_file_setup_or_teardown_that_cannot_be_read_is_an_error() {
    for name in ["mailexpect.toml", "setup.rhai", "teardown.rhai"] {
        let folder = folder(&[("a.rhai", "// Greets.\nconnect().expect(220);\n")]);
        std::os::unix::fs::symlink("nowhere", folder.path().join(name)).unwrap();
        let ran = run(folder.path(), &["run", "a.rhai"]);
        assert_eq!(ran.code, Some(2), "{name}: {ran:?}");
    }
}

#[test]
fn modules_that_import_each_other_are_told_so() {
    let folder = folder(&[
        ("a.rhai", "import \"b\" as b;"),
        ("b.rhai", "import \"c\" as c;"),
        ("c.rhai", "import \"b\" as b;"),
    ]);
    let outcome = Case::new(folder.path().join("a.rhai")).run();
    let text = outcome.failure().unwrap().error.to_string();
    assert!(text.contains("modules import each other in a circle"), "{text}");
}

#[test]
fn the_deadline_of_a_run_ends_a_script_wherever_it_is() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    for script in [
        "loop { }",
        "let n = 0; loop { try { loop { n += 1; } } catch { } }",
        "let s = connect(param(\"submission\")); s.expect(220); loop { s.send(\"NOOP\"); s.expect(250); }",
        "let s = connect(param(\"smtp\")); s.expect(220, #{timeout: \"1h\"});",
        "let s = connect(param(\"smtp\")); loop { try { s.expect(220, #{timeout: \"1h\"}); } catch { } }",
    ] {
        let silent = |case: Case| {
            if script.contains("\"smtp\"") { case.set("smtp", &url) } else { case }
        };
        let outcome = outcome(script, |case| silent(case).deadline(Duration::from_millis(100)));
        let failure = outcome.failure().unwrap();
        assert!(failure.error.is_timeout(), "{script}: {failure:?}");
        assert!(failure.error.message().contains("deadline of the whole script"), "{script}");
        assert!(failure.place.is_some(), "{script}: where it was is known");
        assert!(outcome.elapsed < Duration::from_secs(30), "{script}");
    }
}

#[test]
fn values_nested_deep_are_shown_and_dropped() {
    let outcome = outcome(
        "let a = []; for i in 0..3000 { a = [a]; } print(`${a}`); assert_eq(a, a); throw a;",
        |case| case,
    );
    assert!(!outcome.is_ok());
}

/// Ways to nest a value deeply: each statement adds one level to `x`.
const NESTING: [&str; 4] = [
    "let y = x; x = || y;",
    "let y = #{ x: x }; x = || y;",
    "let y = [x]; x = || y;",
    "let y = x; let z = 1; x = || { y; z };",
];

#[test]
fn however_deep_a_value_is_nested_the_script_has_a_verdict_and_so_have_others() {
    for (level, last) in NESTING.iter().zip(["throw x;", "x = 0;", "assert(false, `${x}`);", ""]) {
        let script = format!("let x = 0; for i in 0..100000 {{ {level} }} {last}");
        let outcome = outcome(&script, |case| case);
        assert!(!outcome.is_ok(), "{script}");
    }
}

#[test]
fn data_that_a_server_did_not_send_is_a_failed_check_and_no_mistake_of_the_script() {
    let (code, text) = message("let s = connect(); s.expect(220); let none = []; none[0];");
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("no element 0") && text.contains("s1, smtp://"), "{text}");
}

#[test]
fn a_busy_script_ends_soon_after_its_deadline() {
    for script in [
        "let a = []; a.pad(100000, 1); loop { a.map(|x| x + 1); }",
        "let a = []; a.pad(100000, 1); loop { a.sort(|x, y| 1); }",
        "let a = []; a.pad(1000000, 1); let b = a; loop { a == b; }",
        "let a = []; a.pad(1000000, 1); loop { a.index_of(2); }",
        "let s = \"x \"; for i in 0..20 { s += s; } loop { s.split(\" \"); }",
        "let a = []; a.pad(100000, 1); loop { a.to_string(); }",
        // Nested regexes, which are slow to compile and to search with.
        "let n = 0; loop { n += 1; re(`((((x{1,6}){1,6}){1,6}y){1,6}${n})`); }",
        "let s = \"x\"; for i in 0..20 { s += s; } let r = re(`(x+x+)+(x+x+)+y`); loop { find(s, r); }",
        "let s = \"x\"; for i in 0..23 { s += s; } loop { find(s, re(`(?:x?){200}y`)); }",
    ] {
        let outcome = outcome(script, |case| case.deadline(Duration::from_millis(500)));
        let failure = outcome.failure().unwrap();
        assert!(failure.error.is_timeout(), "{script}: {failure:?}");
        // Half a second is the aim, but the machine may be busy.
        assert!(outcome.elapsed < Duration::from_secs(5), "{script}: {:?}", outcome.elapsed);
    }
}

#[test]
fn a_script_that_holds_too_much_is_told_so_and_the_one_beside_it_goes_on() {
    let folder = folder(&[
        (
            "greedy.rhai",
            "let s = \"x\"; for i in 0..20 { s += s; } let m = #{}; let n = 0; loop { m[`${n}`] = s + n; n += 1; }",
        ),
        (
            "modest.rhai",
            "let l = []; l.pad(1000000, 1); for i in 0..3 { assert_eq(l.len(), 1000000); }",
        ),
    ]);
    let run = |name: &str| Case::new(folder.path().join(name)).run();
    let greedy = run("greedy.rhai");
    let text = greedy.failure().unwrap().error.to_string();
    assert!(text.contains("it holds too much memory"), "{text}");
    assert!(run("modest.rhai").is_ok());
}

#[test]
fn an_error_about_memory_says_what_fills_it() {
    let folder = folder(&[("prints.rhai", "let t = \"\"; t.pad(20000, 'x'); loop { print(t); }")]);
    let case = Case::new(folder.path().join("prints.rhai")).memory(8 << 20);
    let text = case.run().failure().unwrap().error.to_string();
    let hint = regex::Regex::new(
        r"it may hold 8 MiB; its transcript took \d+ MiB of them: let it do less in one run, or let it hold more with --memory 16M",
    );
    assert!(hint.unwrap().is_match(&text), "{text}");
}

#[test]
fn a_run_in_which_nothing_came_or_held_proved_nothing() {
    for script in [
        "let s = connect(); try { s.expect(554); } catch { } s.close();",
        "let s = connect(); try { assert(1 > 2); } catch { } s.reset();",
        "let s = connect(); try { assert_eq(1, 2); } catch { } s.reset();",
        "let s = connect(); s.reset();",
    ] {
        let outcome = outcome(script, |case| case);
        assert!(
            outcome.failure().is_some_and(|failure| failure.error.is_vacuous()),
            "{script}: {outcome:#?}"
        );
    }
    for script in ["let s = connect(); assert(1 < 2); s.reset();", "assert_eq(1, 1);"] {
        let outcome = outcome(script, |case| case);
        assert!(outcome.is_ok(), "{script}: {outcome:#?}");
    }
    for script in [
        "connect().expect_unordered([]);",
        "connect().expect_any([]);",
        "connect().expect(re(``));",
        "connect().expect(\"\");",
    ] {
        assert_eq!(message(script).0, 2, "{script}");
    }
}

#[test]
fn a_script_that_failed_shows_how_the_commands_ended_that_it_had_started() {
    let script = r#"
        let s = start(["sh", "-c", "echo no such user >&2; exit 3"]);
        let t = start(["sleep", "60"]);
        s.expect_output("listening");
    "#;
    let outcome = outcome(script, Case::allow_run);
    let shown = format!("{outcome:#}");
    assert_eq!(outcome.failure().unwrap().error.kind().name(), "closed", "{shown}");
    assert!(shown.contains("exit 3: exit status: 3\n    *** stderr: no such user\\n\n"), "{shown}");
    assert!(shown.contains("*** command ended: killed: sleep 60\n"), "{shown}");
    assert!(outcome.elapsed < Duration::from_secs(30));
}

#[test]
fn a_session_that_was_only_opened_has_its_place_and_step_in_an_error_of_accounting() {
    for (open, column) in [
        (
            "let l = listen(\"tcp\"); let t = connect(l.url); let s = l.accept(); t.send_raw(\"x\"); s.shutdown(); t.expect_close();",
            0,
        ),
        ("let s = pipe([\"sh\", \"-c\", \"echo 220 hi\"], #{protocol: \"smtp\"});", 9),
        ("let s = connect();", 9),
    ] {
        let script = format!("step(\"opening\");\n{open}\nstep(\"later\");\nassert(true);\n");
        let outcome = outcome(&script, Case::allow_run);
        let failure = outcome.failure().unwrap_or_else(|| panic!("{open} passed"));
        assert_eq!(failure.step.as_deref(), Some("opening"), "{outcome:#}");
        let place = failure.place.as_ref().map(|place| (place.line, place.column));
        assert!(
            place.is_some_and(|(line, at)| line == 2 && (column == 0 || at == column)),
            "{outcome:#}"
        );
    }
}

#[test]
fn a_deadline_that_cuts_a_wait_says_what_was_waited_for() {
    let outcome = outcome("let s = connect(); s.expect(220); s.expect(250);", |case| {
        case.deadline(Duration::from_millis(100))
    });
    let error = &outcome.failure().unwrap().error;
    assert_eq!((error.expected(), error.got()), (Some("250"), Some("nothing")));
    assert!(error.session().is_some());
}

#[test]
fn an_import_stays_in_the_folder_of_the_script_or_the_current_one() {
    let elsewhere = folder(&[("x.rhai", "fn f() { 220 }")]);
    let import = elsewhere.path().join("x");
    let script = format!("import \"{}\" as x; connect().expect(x::f());", import.display());
    let (code, text) = message(&script);
    assert_eq!(code, 2);
    assert!(text.contains("outside of the script's folder"), "{text}");
    let home = folder(&[
        ("a.rhai", "import \"lib/x\" as x; connect().expect(x::f());"),
        ("lib/x.rhai", "fn f() { 220 }"),
    ]);
    assert!(Case::new(home.path().join("a.rhai")).embedded().run().is_ok());
}
