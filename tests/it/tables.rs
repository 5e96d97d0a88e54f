//! Tables: each row is a separate case in reports and in the golden.

use mailexpect::script::Case;
use mailexpect::server::Replay;

use crate::program::{folder, program, run};

/// A table of 28 rows, of which three fail and one is skipped.
const TABLE: &str = "// Greetings.
let rows = [];
for n in 0..28 { rows.push([`row ${n}`, if n % 10 == 3 { 554 } else { 220 }]); }
cases(rows, |row| {
    if row[0] == \"row 7\" { skip(\"not today\"); }
    connect().expect(row[1]);
});
print(\"went on\");
";

#[test]
fn every_row_is_a_case_in_every_report_and_a_failing_one_stops_no_other() {
    let folder = folder(&[("a.rhai", TABLE)]);
    let ran = run(folder.path(), &["run", "--junit", "a.xml", "--format", "json=a.json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("3 of 28 cases failed: row 3, row 13, row 23"), "{}", ran.out);
    assert!(ran.out.contains("went on"), "{}", ran.out);
    assert!(ran.out.contains("24 passed, 3 failed, 1 skipped"), "{}", ran.out);
    assert_eq!(ran.out.matches("FAIL a.rhai::row ").count(), 3, "{}", ran.out);
    let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let junit = text("a.xml");
    assert!(junit.contains("tests=\"28\" skipped=\"1\" errors=\"0\" failures=\"3\""), "{junit}");
    let json = text("a.json");
    let ended = json.lines().find(|line| line.contains("script-ended")).unwrap();
    let event: serde_json::Value = serde_json::from_str(ended).unwrap();
    let cases = event["cases"].as_array().unwrap();
    let failed = cases.iter().filter(|case| case["verdict"] == "failed");
    let failed: Vec<_> = failed.map(|case| case["case"].as_str().unwrap()).collect();
    assert_eq!((cases.len(), failed), (28, vec!["row 3", "row 13", "row 23"]));
    let plain = run(folder.path(), &["run", "--format", "plain"]).out;
    assert_eq!(plain.lines().filter(|line| line.starts_with("PASS a.rhai::row ")).count(), 24);
    assert!(plain.contains("FAIL a.rhai:6:15 [row 3]: "), "{plain}");
    let tap = run(folder.path(), &["run", "--format", "tap"]).out;
    assert!(tap.contains("\n    not ok 4 - row 3\n") && tap.contains("\n    1..28\n"), "{tap}");
}

#[test]
fn a_script_that_skips_its_rest_has_failed_if_a_case_of_it_has() {
    for (rest, wrong, code) in [
        ("skip(\"later\");", 2, 1),
        ("s.require_capability(\"NOPE\");", 2, 1),
        ("skip(\"later\");", 3, 0),
    ] {
        let script = format!(
            "// Rows.\nlet s = connect();\ns.expect(220);\ns.ehlo(\"x.example\");\n\
             cases([1, 2], |row| assert(row != {wrong}, \"wrong row\"));\n{rest}\n"
        );
        let folder = folder(&[("a.rhai", &script)]);
        let ran = run(folder.path(), &["run", "a.rhai"]);
        let is_told = ran.out.contains("wrong row") && ran.out.contains("FAIL a.rhai::2");
        assert!(ran.code == Some(code) && is_told == (code == 1), "{ran:?}");
    }
}

#[test]
fn in_a_test_the_script_is_one_and_names_the_rows_that_failed() {
    let folder = folder(&[("a.rhai", TABLE)]);
    let outcome = Case::new(folder.path().join("a.rhai")).embedded().run();
    let error = &outcome.failure().unwrap().error;
    assert_eq!(error.message(), "3 of 28 cases failed: row 3, row 13, row 23");
    assert_eq!(outcome.cases.len(), 28);
}

#[test]
fn a_row_that_failed_is_explained_with_and_without_the_transcript() {
    let folder = folder(&[("a.rhai", TABLE)]);
    for more in [&[][..], &["-v"]] {
        let out = run(folder.path(), &[&["run", "a.rhai"], more].concat()).out;
        assert_eq!(out.matches("expected: 554").count(), 3, "{out}");
        assert_eq!(out.matches("a.rhai:6:15").count(), 3, "{out}");
        assert_eq!(out.contains("case: row 4\n"), !more.is_empty(), "{out}");
    }
}

#[test]
fn a_row_has_a_section_of_the_golden_of_its_own_and_differs_apart() {
    let table = |rows: &str, line: &str| {
        format!(
            "cases([{rows}], |row| {{ let s = connect(); s.expect(220); s.send({line}); s.expect(250); }});"
        )
    };
    let script = table("\"a\", \"b\", \"c\"", "\"NOOP \" + row");
    let folder = folder(&[("t.rhai", &script)]);
    let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(run(folder.path(), &["run", "--record"]).code, Some(0));
    let golden = text("snapshots/t.snap");
    let section = golden.split("*** case: b\n").nth(1).unwrap().split("*** end").next().unwrap();
    assert!(!section.contains("s2") && section.contains("C: NOOP b"), "{golden}");
    // A new row does not change the others.
    std::fs::write(
        folder.path().join("t.rhai"),
        table("\"z\", \"a\", \"b\", \"c\"", "\"NOOP \" + row"),
    )
    .unwrap();
    let ran = run(folder.path(), &["run", "--check", "--format", "plain"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.out.contains("PASS t.rhai::b") && !ran.out.contains("PASS t.rhai::z"),
        "{}",
        ran.out
    );
    // If one row says something else, only this row differs.
    let other =
        table("\"a\", \"b\", \"c\"", "if row == \"b\" { \"NOOP x\" } else { \"NOOP \" + row }");
    std::fs::write(folder.path().join("t.rhai"), other).unwrap();
    let ran = run(folder.path(), &["run", "--check", "--format", "plain"]);
    assert!(
        ran.out.contains("PASS t.rhai::a") && ran.out.contains("PASS t.rhai::c"),
        "{}",
        ran.out
    );
    assert!(
        !ran.out.contains("PASS t.rhai::b") && ran.out.contains("2 passed, 1 failed"),
        "{}",
        ran.out
    );
}

#[test]
fn the_rows_of_a_script_that_skips_its_rest_are_compared() {
    let script = "cases([\"a\", \"b\"], |row| { let s = connect(); s.expect(220); s.send(\"NOOP \" + row); s.expect(250); });
if !param(\"more\", true) { skip(\"no more\"); }
let s = connect();
s.expect(220);
";
    let folder = folder(&[("t.rhai", script)]);
    assert_eq!(run(folder.path(), &["run", "--record"]).code, Some(0));
    let check = ["run", "--check", "--format", "plain", "--set", "more=false"];
    let ran = run(folder.path(), &check);
    assert!(ran.code == Some(0) && ran.out.contains("2 passed"), "{ran:?}");
    let golden = folder.path().join("snapshots/t.snap");
    let other = std::fs::read_to_string(&golden).unwrap().replace("NOOP b", "NOOP x");
    std::fs::write(&golden, other).unwrap();
    let ran = run(folder.path(), &check);
    assert!(ran.code == Some(1) && ran.out.contains("1 passed, 1 failed"), "{ran:?}");
    let ran = run(folder.path(), &["run", "--check", "--set", "more=false"]);
    assert!(ran.out.contains("1 of 2 cases failed: b"), "{}", ran.out);
}

#[test]
fn a_row_that_fails_does_not_change_the_numbers_of_the_others() {
    let script = "redact(re(`ticket-\\d+`), \"TICKET\");
cases([\"a\", \"b\", \"c\"], |row| { let s = connect(param(\"smtp\")); s.expect(220); s.reset(); });
";
    let folder = folder(&[("t.rhai", script)]);
    let greet = |number| format!("S: 220 ticket-{number}\nstall");
    for (first, args, line) in [
        (greet(10), &["--record"][..], "3 passed"),
        ("S: 421 busy\nstall".to_owned(), &["--check"], "2 passed, 1 failed"),
        // The first and the last ticket are the same now.
        (greet(12), &["--check"], "2 passed, 1 failed"),
    ] {
        let greetings = [first, greet(11), greet(12)];
        let server = Replay::in_turn(greetings.each_ref().map(String::as_str)).unwrap();
        let set = format!("smtp={}", server.url("smtp"));
        let ran = run(folder.path(), &[&["run", "--set", &set], args].concat());
        assert!(ran.out.contains(line), "{}", ran.out);
        server.leave();
    }
}

#[test]
fn a_row_is_judged_by_itself() {
    for (row, message) in [
        ("let s = connect(); s.expect(220); s.send(\"NOOP\");", "was never expected"),
        ("let x = 1;", "the case expects nothing at all"),
        ("defer(|| assert(false, \"left behind\")); connect().expect(220);", "left behind"),
    ] {
        let script = format!("cases([1, 1], |row| {{ {row} }}); connect().expect(220);");
        let folder = folder(&[("a.rhai", &script)]);
        let outcome = Case::new(folder.path().join("a.rhai")).embedded().run();
        let names: Vec<_> = outcome.cases.iter().map(|case| case.case.clone().unwrap()).collect();
        assert_eq!(names, ["1", "1 (2)"]);
        for case in &outcome.cases {
            let error = &case.failure().unwrap().error;
            assert!(error.message().contains(message), "{error}");
        }
    }
}

/// The `JUnit` report of a run that is compared with its goldens.
fn failures(folder: &std::path::Path) -> String {
    let ran = run(folder, &["run", "--check", "--junit", "a.xml", "--format", "plain"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains(" failed"), "{}", ran.out);
    std::fs::read_to_string(folder.join("a.xml")).unwrap()
}

#[test]
fn a_golden_that_differs_is_a_failure_whatever_its_rows_are_called() {
    // The golden redacts all three names, and the second and third to the same text.
    let rows = "\"smtp://127.0.0.1:2525\", \"Mon, 01 Jan 2024 10:00:00 +0000\", \"Tue, 02 Jan 2024 10:00:00 +0000\"";
    let script = format!(
        "let n = 0; cases([{rows}], |row| {{ n += 1; let s = connect(); s.expect(220); s.send(`NOOP x${{n}}`); s.expect(250); }});"
    );
    let folder = folder(&[("a.rhai", &script)]);
    assert_eq!(run(folder.path(), &["run", "--record"]).code, Some(0));
    let golden = folder.path().join("snapshots/a.snap");
    let text = std::fs::read_to_string(&golden).unwrap();
    for row in ["x1", "x2", "x3"] {
        assert!(text.contains(&format!("C: NOOP {row}\n")), "{text}");
        std::fs::write(&golden, text.replace(&format!("C: NOOP {row}\n"), "C: NOOP y\n")).unwrap();
        let junit = failures(folder.path());
        assert!(
            junit.contains("tests=\"3\"") && junit.contains("failures=\"1\""),
            "{row}: {junit}"
        );
    }
}

#[test]
fn rows_in_another_order_differ_from_the_golden() {
    let script = |rows: &str| format!("cases([{rows}], |row| connect().expect(220));");
    let folder = folder(&[("a.rhai", &script("\"one\", \"two\""))]);
    assert_eq!(run(folder.path(), &["run", "--record"]).code, Some(0));
    std::fs::write(folder.path().join("a.rhai"), script("\"two\", \"one\"")).unwrap();
    let junit = failures(folder.path());
    assert!(junit.contains("failures=\"1\""), "{junit}");
}

#[test]
fn a_row_is_not_named_by_its_secret() {
    let folder = folder(&[(
        "a.rhai",
        "cases([#{user: \"ann\", password: \"hunter2-abc\"}, #{at: #{password: \"hunter2-abc\", port: 1}}, #{password: \"hunter2-abc\"}], |row| {
             connect().expect(554);
         });
         // This secret is learned only after the case got its name.
         cases([\"hunter3-abc\"], |row| { let s = connect(param(\"submission\")); s.expect(220); s.ehlo(\"x\"); s.auth(\"a\", row, #{expect: 535, mechanism: \"PLAIN\"}); });",
    )]);
    for format in crate::reports::formats() {
        let ran = run(
            folder.path(),
            &["run", "--format", &format, "--html", "a.html", "--junit", "a.xml"],
        );
        let mut shown = format!("{}{}", ran.out, ran.err);
        for file in ["a.html", "a.xml"] {
            shown += &std::fs::read_to_string(folder.path().join(file)).unwrap();
        }
        assert!(!shown.contains("hunter"), "{format}: {shown}");
        assert!(shown.contains("a.rhai::ann") && shown.contains("[SECRET]"), "{format}: {shown}");
    }
}

#[test]
fn a_name_that_its_row_makes_a_secret_is_masked_everywhere() {
    let script = "cases([\"wrongPW77xy\", \"otherPW99z\"], |pw| {\n\
        let s = connect(param(\"imap\")); s.expect(\"* OK\");\n\
        s.login(param(\"user\"), pw, #{expect: \"NO\"}); s.logout();\n});\n";
    let folder = folder(&[("a.rhai", script)]);
    let args = ["run", "a.rhai", "-v", "--record", "--trace-file", "a.trace"];
    let ran = run(folder.path(), &[&args[..], &["--format", "json=a.json"]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for name in ["a.trace", "a.json", "snapshots/a.snap"] {
        let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(text.contains("[SECRET]") && !text.contains("PW"), "{name}: {text}");
    }
    assert!(ran.out.contains("case: [SECRET]") && !ran.out.contains("PW"), "{ran:?}");
}

#[test]
fn a_page_counts_and_shows_the_rows() {
    let folder = folder(&[("a.rhai", TABLE)]);
    assert_eq!(run(folder.path(), &["run", "--html", "a.html"]).code, Some(1));
    let page = std::fs::read_to_string(folder.path().join("a.html")).unwrap();
    assert!(page.contains("<title>3 of 28 failed"), "{page}");
    assert_eq!(page.matches("<details class=\"script fail\"").count(), 3, "{page}");
    assert!(page.contains("a.rhai::row 13"), "{page}");
}

#[test]
fn a_table_that_was_retried_is_counted_alike_in_every_report() {
    let count = |folder: &std::path::Path, args: &[&str]| {
        let ran = run(folder, &[args, &["--html", "a.html", "--junit", "a.xml"]].concat());
        let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let (page, junit) = (text("a.html"), text("a.xml"));
        let pills = page.split("<p class=\"counts\">").nth(1).unwrap();
        let pills = pills.split("</p>").next().unwrap();
        let pills = pills.split("<span class=\"pill ").skip(1);
        let pills: Vec<_> =
            pills.map(|pill| pill.split(['>', '<']).nth(1).unwrap().to_owned()).collect();
        assert!(ran.out.contains(&pills.join(", ")), "{pills:?} {}", ran.out);
        assert!(junit.contains("tests=\"2\""), "{junit}");
        (pills, page)
    };
    let fails = folder(&[("a.rhai", "cases([1, 2], |row| assert_eq(row, 1));\n")]);
    let retried = ["run", "--retries", "1", "--format", "pretty", "--format", "json=a.json"];
    let (pills, page) = count(fails.path(), &retried);
    assert_eq!(pills, ["1 passed", "1 failed"]);
    assert!(page.contains("attempt 1 failed"), "{page}");
    let (pills, _) = count(fails.path(), &["report", "merge", "a.json"]);
    assert_eq!(pills, ["1 passed", "1 failed"]);

    let server = Replay::in_turn(["S: 421 busy\nstall", "S: 220 hi\nstall"]).unwrap();
    let table = "cases([1, 2], |row| { if row == 2 { connect(param(\"smtp\")).expect(220); } \
                 else { assert(true); } });\n";
    let passes = folder(&[("a.rhai", table)]);
    let (pills, page) =
        count(passes.path(), &["run", "a.rhai", &server.url("smtp"), "--retries", "1"]);
    assert_eq!(pills, ["2 passed (1 flaky)"]);
    assert!(
        page.contains("value=\"flaky\" checked") && page.contains("attempt 1 failed"),
        "{page}"
    );
    server.leave();
}

#[test]
fn a_row_that_passes_on_a_retry_is_flaky_in_every_report() {
    let in_a_row = "cases([1, 2], |row| { if row == 2 { connect(param(\"smtp\")).expect(220); } \
                    else { assert(true); } });\n";
    let after = "cases([1, 2], |row| assert(row > 0));\nconnect(param(\"smtp\")).expect(220);\n";
    for (table, name, counts) in
        [(in_a_row, "a.rhai::2", "2 passed (1 flaky)"), (after, "a.rhai", "3 passed (1 flaky)")]
    {
        let server = Replay::in_turn(["S: 421 busy\nstall", "S: 220 hi\nstall"]).unwrap();
        let folder = folder(&[("a.rhai", table)]);
        let ran = program()
            .current_dir(folder.path())
            .env("GITHUB_ACTIONS", "true")
            .args(["run", "a.rhai", &server.url("smtp"), "--retries", "1", "--junit", "a.xml"])
            .args(["--format", "plain", "--format", "tap=a.tap", "--format", "json=a.json"])
            .output()
            .unwrap();
        assert_eq!(ran.status.code(), Some(0), "{ran:?}");
        let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let [out, annotations] =
            [ran.stdout, ran.stderr].map(|said| String::from_utf8(said).unwrap());
        let merge = ["report", "merge", "a.json", "--junit", "b.xml", "--format", "plain"];
        let merged = run(folder.path(), &merge).out;
        for plain in [&out, &merged] {
            assert!(plain.contains(&format!("FLAKY {name}: passed at attempt 2")), "{plain}");
            assert!(plain.contains("PASS a.rhai::1") && plain.contains(counts), "{plain}");
        }
        assert!(annotations.contains("::warning file=a.rhai,line="), "{annotations}");
        for junit in [text("a.xml"), text("b.xml")] {
            let case = junit.split(&format!("<testcase name=\"{name}\"")).nth(1).unwrap();
            assert!(case.split("</testcase>").next().unwrap().contains("<flaky"), "{junit}");
        }
        assert!(text("a.tap").contains("passed at attempt 2"), "{}", text("a.tap"));
        server.leave();
    }
}

#[test]
fn a_table_of_which_every_row_is_skipped_is_skipped() {
    let rows = "// Rows.\ncases([\"a\", \"b\"], |row| skip(\"not \" + row));\n";
    let folder = folder(&[("a.rhai", rows)]);
    let ran = run(folder.path(), &["run", "a.rhai"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("2 skipped") && ran.out.contains("not a"), "{ran:?}");
}
