//! Failures that a script catches, and what it cannot catch.

use std::time::Duration;

use crate::program::folder;
use crate::sandbox::outcome;

#[test]
fn a_failure_can_be_caught_with_its_parts() {
    let script = r#"
        let s = connect();
        try { s.expect(554, #{timeout: "5s"}); } catch (e) {
            assert_eq([e.kind, e.expected, e.line], ["mismatch", "554", 3]);
            assert(e.got.starts_with("220 localhost"));
            assert(e.waited < 5.0);
            assert(e.file.ends_with("script.rhai"));
        }
        try { s.expect(220, #{timeout: "50ms"}); } catch (e) {
            assert_eq([e.kind, e.got], ["timeout", "nothing"]);
        }
        try { assert(false, "mine"); } catch (e) { assert_eq([e.kind, e.message], ["assert", "mine"]); }
        try { s.expect(999); } catch (e) { assert_eq(e.kind, "usage"); }
        s.send("NOOP");
        s.expect(250);
    "#;
    let outcome = outcome(script, |case| case);
    assert!(outcome.is_ok(), "{outcome:#?}");
}

#[test]
fn an_error_of_rhai_is_caught_with_the_same_parts() {
    let script = r#"
        fn broken(list) {
            let text = list[3];
        }
        connect().expect(220);
        let list = [];
        try { list[1] } catch (e) {
            assert_eq([e.kind, e.message], ["assert", "the list has no element 1"]);
            assert_eq([e.got, e.hint, e.expected, e.waited, e.sent],
                ["a list of 0", "a server may send nothing: look at len() first", (), (), ()]);
            assert_eq([e.line, e.column], [7, 20]);
            assert(e.file.ends_with("script.rhai"));
            assert_eq(`${e}`.len() > 0, true);
        }
        try { broken([1, 2]) } catch (e) { assert_eq([e.kind, e.got, e.line], ["assert", "a list of 2", 3]); }
        try { 1 / list.len() } catch (e) { assert_eq([e.kind, e.session, e.hint], ["usage", (), ()]); }
        try { let n = 1; n.nothing } catch (e) { assert_eq(e.message, "an integer has no property `nothing`"); }
        // The variable is the error wherever it is first used.
        try { 1 / list.len() } catch (e) { let kinds = [1].map(|n| e.kind); assert_eq(kinds, ["usage"]); }
        try { 1 / list.len() } catch (e) { let other = e; assert_eq(type_of(other), type_of(e)); }
        try { 1 / list.len() } catch (e) { e = 5; assert_eq(e, 5); }
        let e = fails("assert", || list[7]);
        assert_eq(e.message, "the list has no element 7");
        // A value that the script itself throws is not changed.
        try { throw "mine"; } catch (e) { assert_eq(e, "mine"); }
        try { throw #{error: "mine", message: "x"}; } catch (e) { assert_eq(e.error, "mine"); }
        let map = #{};
        map["new"] = 1;
        assert_eq(map["new"], 1);
    "#;
    let outcome = outcome(script, |case| case);
    assert!(outcome.is_ok(), "{outcome:#?}");
}

#[test]
fn an_error_of_rhai_that_is_thrown_again_is_in_our_words() {
    let script = "let s = 1;\ntry { let list = []; list[1] } catch (e) { throw e; }";
    let outcome = outcome(script, |case| case);
    let failure = outcome.failure().unwrap();
    let error = &failure.error;
    assert_eq!((error.kind().name(), error.message()), ("assert", "the list has no element 1"));
    assert_eq!(failure.place.as_ref().map(|place| (place.line, place.column)), Some((2, 27)));
}

#[test]
fn an_error_that_is_thrown_again_keeps_its_place() {
    let outcome = outcome(
        "fn f(s) {\n    s.expect(554);\n}\nlet s = connect();\ntry { f(s) } catch (e) { throw e; }",
        |case| case,
    );
    let failure = outcome.failure().unwrap();
    assert_eq!(failure.place.as_ref().map(|place| (place.line, place.column)), Some((2, 7)));
}

#[test]
fn a_caught_failure_does_not_hide_that_nothing_was_expected_of_the_rest() {
    let script =
        "let s = connect(); s.expect(220); s.send(\"NOOP\"); try { s.send(\"RSET\"); } catch { }";
    let outcome = outcome(script, |case| case);
    assert!(outcome.failure().unwrap().error.is_vacuous());
}

#[test]
fn a_callback_cannot_swallow_a_failure_or_a_stop() {
    for script in [
        "let s = connect(); s.expect(220); s.send(\"NOOP\"); [1, 2].sort(|a, b| { s.expect(550); 0 });",
        "let s = connect(); s.expect(220); s.send(\"NOOP\"); [1, 2].dedup(|a, b| { s.expect(550); true });",
        "let s = connect(); s.expect(220); s.send(\"NOOP\"); [1, 2].sort_by(|a, b| { s.expect(550); 0 });",
        "let s = connect(); s.expect(220); s.send(\"NOOP\"); [1, 2].order(|a, b| { s.expect(550); 0 });",
        "let s = connect(); s.expect(220); [1, 2].sort(|a, b| { loop { } });",
        "let s = connect(); s.expect(220); let a = []; a.pad(1000, 1); a.sort_by(|x, y| { loop { } });",
        "fn f(a, b) { assert(false); 0 } [1, 2].sort(\"f\"); connect().expect(220);",
        "fn f(a, b) { assert(false); true } [1, 2].dedup(\"f\"); connect().expect(220);",
        "let s = connect(); s.expect(220); exit(); s.expect(999);",
    ] {
        let outcome = outcome(script, |case| case.deadline(Duration::from_millis(200)));
        assert!(!outcome.is_ok(), "{script}");
        assert!(outcome.elapsed < Duration::from_secs(20), "{script}");
    }
}

#[test]
fn a_timeout_of_0_is_a_mistake_wherever_it_is_given() {
    let script = r#"
        let s = connect();
        s.expect(220);
        let server = serve("smtp");
        let log = follow("log.txt");
        let closures = [
            || s.noop(#{timeout: 0}), || s.noop(#{timeout: "0s"}), || s.expect(250, #{timeout: 0.0}),
            || s.timeout = 0, || connect(server.url, #{timeout: "0"}), || server.expect_message(#{timeout: 0}),
            || log.expect("x", #{timeout: 0}), || start("true").expect_exit(0, #{timeout: 0}),
        ];
        for f in closures {
            try { f.call(); assert(false); } catch (e) {
                assert_eq([e.kind, e.message], ["usage", "a timeout of 0 leaves no time for anything"]);
                assert(e.hint.contains("100ms"));
            }
        }
        s.expect_silence(0);
        s.noop();
    "#;
    let folder = folder(&[("script.rhai", script), ("log.txt", "")]);
    let case = mailexpect::script::Case::new(folder.path().join("script.rhai")).embedded();
    let outcome = case.allow_run().run();
    assert!(outcome.is_ok(), "{outcome}");
}
