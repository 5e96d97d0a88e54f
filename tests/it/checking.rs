//! `mailexpect check`: what can be known of a script without running it.

use crate::program::{folder, project, run};

#[test]
fn a_check_finds_nothing_wrong_with_scripts_that_pass() {
    let ran = run(&project(), &["check", "tests/scripts/real"]);
    assert_eq!(ran.code, Some(0), "{}", ran.out);
}

#[test]
fn a_check_finds_what_can_be_known_without_connecting() {
    let script = r#"// Slips.
import "lib/x" as x;
let s = connect("gopher://localhost");
s.expct(220);
s.expect();
s.timeot = "5s";
s.expect(re(`(`));
let unused = param("unused", "");
x::helo(s);
s.retry();
s.mail();
s.tls.versoin;
fn greet(s) { s.sned("x"); }
greeet(s);
"#;
    let folder = folder(&[
        ("a.rhai", script),
        ("lib/x.rhai", "fn hello(s) { s.expect(220) }"),
        ("b.rhai", "let x = ;"),
        ("c.rhai", "import \"nowhere\" as n;"),
        ("d.rhai", "print(1);"),
    ]);
    let ran = run(folder.path(), &["check"]);
    assert_eq!(ran.code, Some(2));
    insta::assert_snapshot!(ran.out);
}

#[test]
fn a_check_finds_slips_in_options_durations_and_what_a_telnet_hand_writes() {
    let lines = [
        ("s.expect(220, #{timeout: \"3 sec\"});", "duration"),
        ("s.mail(\"a@b\", #{expct: 250});", "did you mean `expect`?"),
        ("let t = \"1s\"; s.expect(220, #{timout: t});", "did you mean `timeout`?"),
        ("s.send(\"NOOP\\r\\n\");", "send adds the line end"),
        ("s.send(`NOOP\\r\\n`);", "between backticks"),
        ("s.expect(\"25x\");", "code(\"25x\")"),
        ("[1].any(|x| x > 0);", "some(|x| ...)"),
    ];
    for (line, said) in lines {
        let script = format!("let s = connect();\ns.expect(220);\n{line}\n");
        let folder = folder(&[("a.rhai", &script)]);
        let ran = run(folder.path(), &["check"]);
        assert_eq!(ran.code, Some(2), "{line}: {}", ran.out);
        assert!(ran.out.contains(said), "{line}: {}", ran.out);
    }
}

#[test]
fn a_check_takes_a_script_of_verbs_alone_and_data_for_what_it_is() {
    let folder = folder(&[(
        "a.rhai",
        "let s = connect();\ns.ehlo(\"a\");\nlet m = #{}; m.greet = |x| x; m.greet(1);\nmessage(#{headers: #{\"X-Timeot\": \"1\"}});\ns.quit();\n",
    )]);
    let ran = run(folder.path(), &["check"]);
    assert_eq!(ran.code, Some(0), "{}", ran.out);
}

#[test]
fn of_a_script_full_of_problems_the_first_thousand_are_described() {
    let script = format!("{}assert(true);\n", "greeet();\n".repeat(1500));
    let folder = folder(&[("a.rhai", script.as_str())]);
    let ran = run(folder.path(), &["check"]);
    assert_eq!(ran.code, Some(2));
    assert_eq!(ran.out.matches("there is no word `greeet`").count(), 1000);
    assert!(ran.out.contains("500 more problems are not shown"));
}
