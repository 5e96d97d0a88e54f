//! Branches of one script that run at the same time.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use mailexpect::outcome::Outcome;
use mailexpect::script::Case;
use mailexpect::transcript::lines;

use crate::program::{folder, run};

fn outcome(script: &str, deadline: Duration) -> Outcome {
    let folder = folder(&[("script.rhai", script)]);
    Case::new(folder.path().join("script.rhai")).embedded().deadline(deadline).run()
}

fn said(outcome: &Outcome) -> String {
    outcome.failure().map(|failure| failure.error.to_string()).unwrap_or_default()
}

const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn two_hundred_branches_run_at_once_and_meet() {
    let script = "
        let met = [];
        let branches = [];
        for n in 0..200 {
            let own = n;
            branches.push(|| {
                let s = connect();
                s.expect(220);
                met.push(own);
                barrier();
                assert_eq(met.len(), 200);
                s.quit();
                own
            });
        }
        let numbers = together(branches);
        assert_eq(numbers.len(), 200);
        assert_eq([numbers[0], numbers[77], numbers[199]], [0, 77, 199]);";
    let outcome = outcome(script, MINUTE);
    assert!(outcome.is_ok(), "{}", said(&outcome));
}

/// The transcript of two branches, each of which waits before it does something.
fn recorded(waits: [&str; 2]) -> String {
    let branch = |name, wait| {
        format!(
            "|| {{
                let quiet = connect();
                quiet.expect(220);
                quiet.expect_silence(\"{wait}\");
                let s = connect();
                s.expect(220);
                print(\"{name}\");
                barrier();
                s.quit();
            }}"
        )
    };
    let script =
        format!("together([{}, {}]);", branch("left", waits[0]), branch("right", waits[1]));
    let outcome = outcome(&script, MINUTE);
    assert!(outcome.is_ok(), "{}", said(&outcome));
    let mut text = String::new();
    for line in lines(&outcome.transcript) {
        let _ = writeln!(text, "{line}");
    }
    text.replace("50 ms", "WAIT").replace("1 ms", "WAIT")
}

#[test]
fn the_transcript_does_not_depend_on_which_branch_is_quicker() {
    let port = regex::Regex::new(r"127\.0\.0\.1:\d+").unwrap();
    let [left, right] = [["50ms", "1ms"], ["1ms", "50ms"]]
        .map(|waits| port.replace_all(&recorded(waits), "PORT").into_owned());
    assert_eq!(left, right);
    let place = |text: &str| left.find(text).unwrap_or_else(|| panic!("no {text} in {left}"));
    assert!(place("left") < place("right") && place("b1.s2 S: 220") < place("b2.s1 S: 220"));
    assert!(place("right") < place("b1.s2 C: QUIT"), "the barrier is between: {left}");
}

/// Two branches, each of which waits before it does something that is numbered or comes in an order.
const NUMBERED: &str = "
    fn branch(name, wait) {
        let quiet = connect();
        quiet.expect(220);
        quiet.expect_silence(wait);
        defer(|| { print(`${name} is over`); quiet.quit(); });
        start(`echo ${name}`);
        let l = listen(\"smtp\", #{faults: [#{at: \"NOOP\", chance: 0.5, wrong: \"451 no\"}]});
        let c = connect(l.url);
        let s = l.accept();
        s.greet();
        c.expect(220);
        let codes = [];
        for n in 0..16 {
            c.send(\"NOOP\");
            s.expect_command();
            s.reply(250);
            codes.push(c.expect(re(`.`)).code);
        }
        s.reset();
        c.reset();
        print(`${name} draws ${random(1, 1000000)} ${codes}`);
        cases([\"x\", \"y\"], |row| { print(`${name}: ${row}`); assert(true); });
        let own = || { let s = connect(); s.expect(220); s.quit(); print(name); };
        together([own, own]);
    }
    together([|| branch(\"one\", param(\"first\")), || branch(\"two\", param(\"second\"))]);
";

#[test]
fn names_numbers_orders_and_draws_do_not_depend_on_which_branch_is_quicker() {
    let port = regex::Regex::new(r"127\.0\.0\.1:\d+").unwrap();
    let ran = |first: &str, second: &str| {
        let folder = folder(&[("script.rhai", NUMBERED)]);
        let case = Case::new(folder.path().join("script.rhai")).embedded().allow_run().seed(7);
        let outcome = case.set("first", first).set("second", second).deadline(MINUTE).run();
        assert!(outcome.is_ok(), "{}", said(&outcome));
        let text: Vec<_> = lines(&outcome.transcript).iter().map(ToString::to_string).collect();
        let text: Vec<_> = text.into_iter().filter(|line| !line.contains("silence for")).collect();
        let text = text.join("\n");
        let cases: Vec<_> = outcome.cases.into_iter().map(|case| case.case.unwrap()).collect();
        (port.replace_all(&text, "PORT").into_owned(), cases)
    };
    let (text, cases) = ran("1ms", "300ms");
    assert_eq!(cases, ["x", "y", "x (2)", "y (2)"]);
    let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("no {part} in {text}"));
    assert!(place("two is over") < place("one is over"), "the last one first: {text}");
    assert!(place("one: x") < place("case: x (2)") && place("case: x (2)") < place("two: x"));
    assert!(place("b1.2.s1 C: QUIT") < place("b2.1.s1 C: QUIT"), "{text}");
    assert_eq!((text, cases), ran("300ms", "1ms"));
}

#[test]
fn branches_that_wait_do_not_lock_the_lists_and_closures_that_they_share() {
    let begin = "let a = connect(); let b = connect(); a.expect(220); b.expect(220);\n\
        fn quiet(s) { s.expect_silence(\"50ms\"); }\n\
        let t = [a, b]; let m = #{a: a, b: [b]}; let own = |s| s.expect_silence(\"50ms\");\n\
        let of_list = |place| t[place].expect_silence(\"50ms\");\n";
    for branches in [
        "|| t[0].expect_silence(\"50ms\"), || t[1].expect_silence(\"50ms\")",
        "|| m.a.expect_silence(\"50ms\"), || m.b[0].expect_silence(\"50ms\")",
        "|| own.call(a), || own.call(b)",
        "|| of_list.call(0), || of_list.call(1)",
    ] {
        let outcome =
            outcome(&format!("{begin}together([{branches}]); a.quit(); b.quit();"), MINUTE);
        assert!(outcome.is_ok(), "{branches}: {}", said(&outcome));
    }
    let changed = "let a = connect(); a.expect(220); let t = [a]; let m = #{a: a};
        together([
            || { t.push(1); m.b = 2; barrier(); },
            || { barrier(); assert_eq([t.len(), m.len()], [2, 2]); },
        ]);
        a.quit();";
    let by_a_function = "let a = connect(); a.expect(220); let m = #{a: a, wrong: 0};
        fn judge() { this.wrong += 1; }
        together([|| m.judge(), || m.judge()]);
        assert_eq(m.wrong, 2); a.quit();";
    for script in [changed, by_a_function] {
        let outcome = outcome(script, MINUTE);
        assert!(outcome.is_ok(), "{}", said(&outcome));
    }
}

/// Makes closures on this many levels. Each captures all closures of the level below, and `top`
/// those of the highest level.
pub(crate) fn closures_within_closures(width: usize, levels: usize) -> String {
    let below = |level: usize| {
        (0..width).map(|place| format!("f{level}_{place}")).collect::<Vec<_>>().join(", ")
    };
    let mut script = String::new();
    for level in 0..levels {
        let held = if level == 0 { String::new() } else { below(level - 1) };
        for place in 0..width {
            let _ = writeln!(script, "let f{level}_{place} = || {{ let z = [{held}]; {place} }};");
        }
    }
    let _ = writeln!(script, "let top = || {{ let z = [{}]; z.len() }};", below(levels - 1));
    script
}

#[test]
fn closures_that_many_closures_capture_are_copied_once_for_a_branch() {
    // 8^7 ways lead to the lowest closures: a copy for each takes 1 GiB, four times the allowance.
    let script = closures_within_closures(8, 7) + "assert_eq(together([top, top]), [8, 8]);";
    let outcome = outcome(&script, MINUTE);
    assert!(outcome.is_ok(), "{}", said(&outcome));
}

#[test]
fn a_closure_that_captures_itself_is_copied_for_a_branch() {
    let script = "
        let f = |n| n;
        let g = |n| if n == 0 { 7 } else { f.call(n - 1) };
        f = |n| g.call(n);
        assert_eq(together([|| f.call(3), || g.call(2)]), [7, 7]);";
    let outcome = outcome(script, MINUTE);
    assert!(outcome.is_ok(), "{}", said(&outcome));
}

#[test]
fn each_branch_has_tables_of_its_own_and_no_case_has_cases() {
    let script = "together([
            || cases([1, 2], |row| { barrier(); assert(true); }),
            || cases([3, 4], |row| { barrier(); assert(true); }),
        ]);";
    let both = outcome(script, MINUTE);
    assert!(both.is_ok() && both.cases.len() == 4, "{}", said(&both));
    let script = "cases([1], |row| {
        together([|| cases([2], |row| assert(true))]);
    });";
    let nested = outcome(script, MINUTE);
    let error = &nested.cases[0].failure().unwrap().error;
    assert!(error.message().contains("a case cannot have cases of its own"), "{error}");
}

/// The tables of two branches, of which that of the second ends first, and stands after the other in
/// the transcript. Row `a` says something else and fails if these parameters are given.
const TABLES: &str = "let done = [];
together([
    || {
        eventually(\"5s\", || assert_eq(done.len(), 1));
        cases([\"b\"], |row| { snapshot(\"row\", \"b\"); assert(true); });
    },
    || {
        cases([\"a\"], |row| {
            snapshot(\"row\", param(\"said\", \"a\"));
            assert(param(\"good\", true), \"a is wrong\");
        });
        done.push(1);
    },
]);
";

#[test]
fn a_row_of_a_branch_has_its_own_transcript() {
    let failed = outcome(&TABLES.replace("\"good\", true", "\"good\", false"), MINUTE);
    let case = failed.cases.iter().find(|case| case.case.as_deref() == Some("a")).unwrap();
    let text: Vec<_> = lines(&case.transcript).iter().map(ToString::to_string).collect();
    assert!(!case.is_ok() && text.contains(&"*** snapshot row: a".to_owned()), "{text:?}");
}

#[test]
fn a_row_of_a_branch_has_its_own_section_of_the_golden() {
    let folder = folder(&[("t.rhai", TABLES)]);
    run(folder.path(), &["run", "--record"]);
    let args = ["run", "--check", "--format", "plain", "--set", "said=x"];
    let ran = run(folder.path(), &args);
    let is_marked = ran.out.contains("[a]") && ran.out.contains("PASS t.rhai::b");
    assert!(ran.code == Some(1) && is_marked, "{}", ran.out);
}

#[test]
fn the_deadline_of_the_script_says_what_a_branch_was_waiting_for() {
    let script = "together([
        || { let s = connect(); s.expect(220); s.expect_until(re(`never`), #{timeout: \"1m\"}); },
        || { let s = connect(); s.expect(220); s.expect_silence(\"1m\"); },
    ]);";
    let began = Instant::now();
    let outcome = outcome(script, Duration::from_secs(1));
    assert!(began.elapsed() < Duration::from_secs(20));
    let text = said(&outcome);
    assert!(text.contains("deadline of the whole script") && text.contains("never"), "{text}");
}

#[test]
fn all_branches_of_a_script_hold_one_allowance() {
    // Each branch alone would stay within the limit.
    let branch = "|| { let held = (); for n in 0..20 { let b = blob(8000000, 1); let more = held; held = || [b, more]; } barrier(); }";
    let one = outcome(&format!("together([{branch}]); assert(true);"), MINUTE);
    assert!(one.is_ok(), "{}", said(&one));
    let two = outcome(&format!("together([{branch}, {branch}]);"), MINUTE);
    assert!(said(&two).contains("holds too much memory"), "{}", said(&two));
}

#[test]
fn a_branch_is_not_interrupted_between_two_waits() {
    let script = "
        let all = [];
        for n in 0..5000 { all.push(n); }
        let branch = || {
            for n in 0..3 {
                if !all.contains(4999 + n) { throw \"lost\"; }
                all.push(5000 + n);
            }
        };
        together([branch, branch]);
        assert_eq(all.len(), 5006);";
    let outcome = outcome(script, MINUTE);
    assert!(outcome.is_ok(), "{}", said(&outcome));
}

#[test]
fn a_failure_that_was_caught_leaves_the_variables_of_the_other_branches_usable() {
    let script = "
        let s = connect();
        s.expect(220);
        let got = ();
        try {
            together([|| s.expect_silence(\"1m\"), || throw \"no\"]);
        } catch (error) { got = error; }
        assert_eq(got, \"no\");
        s.noop();
        s.quit();";
    let outcome = outcome(script, MINUTE);
    assert!(outcome.is_ok(), "{}", said(&outcome));
}

#[test]
fn branches_have_branches_and_a_script_is_skipped_from_inside_of_one() {
    let nested = "
        let inner = || together([|| { barrier(); 1 }, || { barrier(); 2 }]);
        assert_eq(together([inner, || 3, inner]), [[1, 2], 3, [1, 2]]);
        assert_eq(together([]), []);";
    let nested = outcome(nested, MINUTE);
    assert!(nested.is_ok(), "{}", said(&nested));
    let skipped = outcome("together([|| connect().expect(220), || skip(\"why\")]);", MINUTE);
    assert!(format!("{:?}", skipped.verdict).contains("why"), "{:?}", skipped.verdict);
}

#[test]
fn values_nested_deep_in_every_branch_end_in_a_verdict() {
    let branch = "|| { let a = (); for n in 0..30000 { let b = a; a = || b; } barrier(); a }";
    let outcome =
        outcome(&format!("together([{branch}, {branch}, || {{ barrier(); throw 1; }}]);"), MINUTE);
    assert!(!outcome.is_ok());
}

#[test]
fn branches_share_listeners_and_servers_while_one_of_them_waits() {
    let script = "
        let l = listen(\"smtp\");
        let relay = serve(\"smtp\");
        together([
            || { let s = l.accept(); s.greet(220, \"mx\"); s.expect_quit(); l.accept().reset(); },
            || { let c = connect(l.url); c.expect(220); c.quit(); connect(l.url).reset(); },
            || assert_eq(relay.expect_message().from, \"kim@example.com\"),
            || {
                let s = connect(relay.url); s.expect(220); s.ehlo(\"c.example\");
                s.mail(\"kim@example.com\"); s.rcpt(\"hoge@example.com\"); s.data([\"Subject: x\", \"\", \".\"]); s.quit();
            },
        ]);
        assert_eq(relay.messages[0].message.text, \".\\r\\n\");";
    let outcome = outcome(script, MINUTE);
    assert!(outcome.is_ok(), "{}", said(&outcome));
}

#[test]
fn a_session_that_a_branch_assigns_is_the_one_of_all_branches() {
    let script = "
        let s = connect();
        s.expect(220);
        together([
            || { barrier(); s.quit(); s = connect(); barrier(); },
            || { barrier(); barrier(); s.expect(220); },
        ]);
        s.noop();
        assert_eq((1..=3).map(|n| n).len(), 3);";
    let outcome = outcome(script, MINUTE);
    assert!(outcome.is_ok(), "{}", said(&outcome));
}

#[test]
fn a_case_ends_and_counts_only_what_is_its_own() {
    let script = "
        let cleaned = false;
        together([
            || {
                cases([1], |row| { barrier(); let c = connect(); c.expect(220); c.quit(); barrier(); });
                let tries = 0;
                retry(2, \"1ms\", || { tries += 1; if tries == 1 { barrier(); barrier(); } assert(tries == 2); });
                barrier();
            },
            || {
                barrier();
                let d = connect();
                defer(|| cleaned = true);
                barrier();
                barrier();
                let e = connect();
                barrier();
                barrier();
                assert(!cleaned);
                [d, e].for_each(|| { this.expect(220); this.quit(); });
            },
        ]);";
    let outcome = outcome(script, MINUTE);
    assert!(outcome.is_ok(), "{}", said(&outcome));
}

#[test]
fn no_case_passes_by_what_another_branch_expected() {
    let script = "
        together([
            || { cases([1], |row| { barrier(); barrier(); }); },
            || { barrier(); let s = connect(); s.expect(220); s.quit(); barrier(); },
        ]);";
    let outcome = outcome(script, MINUTE);
    assert_eq!(outcome.cases.len(), 1);
    let said = said(&outcome.cases[0]);
    assert!(said.contains("the case expects nothing at all"), "{said}");
}

#[test]
fn the_time_of_eventually_is_that_of_its_branch() {
    let script = "
        together([
            || { fails(\"assert\", || eventually(\"20ms\", || assert(false))); },
            || { let s = connect(); s.expect(220); s.expect_silence(\"200ms\"); s.quit(); },
        ]);
        let s = connect();
        s.expect(220);
        s.expect_silence(\"50ms\");
        s.quit();";
    let outcome = outcome(script, MINUTE);
    assert!(outcome.is_ok(), "{}", said(&outcome));
}

#[test]
fn an_attempt_and_a_case_stay_together_over_barriers() {
    let script = "
        fn tried(name) {
            let tries = 0;
            retry(2, \"1ms\", || {
                tries += 1;
                barrier();
                print(`${name} ${tries}`);
                barrier();
                assert(tries == 2);
            });
        }
        fn listed(name) {
            cases([name], |row| { barrier(); print(row); barrier(); assert(true); });
        }
        together([|| tried(\"a\"), || tried(\"b\")]);
        together([|| listed(\"c\"), || listed(\"d\")]);";
    let outcome = outcome(script, MINUTE);
    assert!(outcome.is_ok(), "{}", said(&outcome));
    let told: Vec<_> = lines(&outcome.transcript).into_iter().map(|line| line.text).collect();
    let told: Vec<_> = told
        .iter()
        .map(|line| if line.starts_with("attempt failed") { "attempt failed" } else { line })
        .collect();
    let wanted = [
        ["attempt: 1", "print: a 1", "attempt failed"],
        ["attempt: 1", "print: b 1", "attempt failed"],
        ["attempt: 2", "print: a 2", "attempt passed: 2"],
        ["attempt: 2", "print: b 2", "attempt passed: 2"],
        ["case: c", "print: c", "end of case: c"],
        ["case: d", "print: d", "end of case: d"],
    ];
    assert_eq!(told, wanted.concat());
}

#[test]
fn what_a_failed_attempt_has_started_is_not_judged() {
    let folder = folder(&[(
        "a.rhai",
        "
        let n = 0;
        let kept = ();
        eventually(\"10s\", || {
            n += 1;
            kept = listen(\"smtp\");
            let s = connect(kept.url);
            let ran = run([\"sh\", \"-c\", if n < 3 { \"exit 69\" } else { \"echo empty\" }]);
            assert(ran.output.contains(\"empty\"), \"not yet\");
            together([
                || { let c = kept.accept(); c.greet(220, \"mx\"); c.expect_quit(); },
                || { s.expect(220); s.quit(); },
            ]);
        });",
    )]);
    let ran = run(folder.path(), &["run", "a.rhai", "--allow-run"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}
