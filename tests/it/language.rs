//! Words of the language besides the dialogue: expected failures, retries, cleanup at the end,
//! names and time.

use std::time::{Duration, Instant};

use mailexpect::outcome::{Outcome, Verdict};
use mailexpect::script::Case;

use crate::program::{folder, run};

fn outcome(script: &str) -> Outcome {
    outcome_of(script, |case| case)
}

fn outcome_of(script: &str, configure: impl FnOnce(Case) -> Case) -> Outcome {
    let folder = folder(&[("script.rhai", script)]);
    configure(Case::new(folder.path().join("script.rhai")).embedded()).run()
}

fn transcript(outcome: &Outcome) -> String {
    let lines = mailexpect::transcript::lines(&outcome.transcript);
    lines.iter().fold(String::new(), |text, line| format!("{text}{line}\n"))
}

fn printed(outcome: &Outcome) -> Vec<String> {
    let text = transcript(outcome);
    let prints = text.lines().filter_map(|line| line.split_once("print: "));
    prints.map(|(_, print)| print.to_owned()).collect()
}

#[test]
fn deferred_closures_run_last_first_however_the_script_ends() {
    for end in ["", "throw 1;", "skip(\"no\");", "let x = [][1];", "connect().expect(554);"] {
        let script = format!(
            "let s = connect(); s.expect(220); defer(|| print(\"a\")); defer(|| print(\"b\")); {end}"
        );
        let outcome = outcome(&script);
        assert_eq!(printed(&outcome), ["b", "a"], "{end}: {outcome:#?}");
        assert!(outcome.beside.is_empty(), "{end}");
    }
}

#[test]
fn deferred_closures_can_speak_with_a_server_after_the_deadline_of_the_script() {
    let script = "let s = connect(); s.expect(220);
        defer(|| { s.expect_silence(\"1ms\"); s.send(\"QUIT\"); s.expect(221); print(\"quit\"); });
        s.expect_silence(\"1m\");";
    let outcome = outcome_of(script, |case| case.deadline(Duration::from_millis(200)));
    let message = outcome.failure().unwrap().error.message().to_owned();
    assert!(message.contains("deadline of the whole script"), "{message}");
    assert_eq!(printed(&outcome), ["quit"], "{}", transcript(&outcome));
}

#[test]
fn what_an_attempt_that_failed_deferred_runs_at_its_end() {
    let script = r#"
        let tries = 0;
        eventually("5s", || {
            tries += 1;
            let number = tries;
            let s = connect();
            defer(|| { s.send("QUIT"); s.expect(221); print("quit " + number); });
            s.expect(if number == 1 { 421 } else { 220 });
        });
        print("after");
    "#;
    let outcome = outcome(script);
    assert!(outcome.is_ok() && outcome.beside.is_empty(), "{outcome:#?}");
    assert_eq!(printed(&outcome), ["quit 1", "after", "quit 2"], "{}", transcript(&outcome));
}

#[test]
fn a_deferred_closure_that_never_ends_is_stopped() {
    let script = "connect().expect(220); defer(|| { loop { } }); defer(|| print(\"a\"));";
    let outcome = outcome_of(script, |case| case.deadline(Duration::from_millis(200)));
    assert_eq!(printed(&outcome), ["a"]);
    assert!(!outcome.is_ok(), "{outcome:#?}");
}

#[test]
fn a_deferred_closure_can_call_imported_functions() {
    let script = "import \"mailexpect/smtp\" as smtp; let s = connect();
        smtp::greet(s, \"client.example\"); defer(|| smtp::quit(s));";
    let outcome = outcome(script);
    assert!(outcome.is_ok(), "{outcome:#?}");
    assert!(transcript(&outcome).contains("C: QUIT"));
}

#[test]
fn a_failure_of_a_deferred_closure_is_shown_beside_and_never_in_place() {
    let outcome = outcome("defer(|| assert(false, \"beside\")); connect().expect(554);");
    assert_eq!(outcome.failure().unwrap().error.kind().name(), "mismatch");
    assert_eq!(outcome.beside[0].error.message(), "beside");
    let alone = outcome_of("defer(|| assert(false, \"beside\")); connect().expect(220);", |c| c);
    assert_eq!(alone.failure().unwrap().error.message(), "beside");
}

#[test]
fn eventually_cuts_off_what_an_attempt_waits_for_and_shows_the_last_failure() {
    let began = Instant::now();
    let outcome =
        outcome("eventually(\"300ms\", || { let s = connect(); s.expect(220); s.expect(250); });");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let error = outcome.failure().unwrap().error.clone();
    assert_eq!(error.kind().name(), "timeout");
    assert!(error.message().starts_with("it was tried once within 300 ms"), "{error}");
    assert_eq!(error.expected(), Some("250"));
    let outcome = outcome_of("eventually(\"100ms\", || assert(false, \"not yet\"));", |c| c);
    let error = outcome.failure().unwrap().error.clone();
    assert!(error.message().ends_with("failed at last: not yet"), "{error}");
}

#[test]
fn no_attempt_can_take_its_own_end_for_a_failure_of_the_server() {
    for attempt in [
        "fails(\"timeout\", || s.expect(250, #{timeout: \"1m\"}))",
        "try { s.expect(250); } catch { }",
        "together([|| { try { s.expect(250); } catch { } }])",
        "eventually(\"1m\", || fails(\"timeout\", || s.expect(250, #{timeout: \"1m\"})))",
        "retry(9, \"1ms\", || s.expect(250, #{timeout: \"1m\"}))",
    ] {
        let script = format!(
            "let s = connect(); s.expect(220); eventually(\"200ms\", || {{ {attempt}; print(\"on\"); }});"
        );
        let outcome = outcome(&script);
        let error = outcome.failure().unwrap_or_else(|| panic!("{attempt}: {outcome}"));
        let message = error.error.message();
        assert!(message.starts_with("it was tried once within 200 ms"), "{attempt}: {message}");
        assert_eq!(error.error.expected(), Some("250"), "{attempt}");
        assert!(printed(&outcome).is_empty() && error.place.is_some(), "{attempt}: {outcome}");
    }
}

#[test]
fn a_script_that_is_stopped_in_a_deferred_closure_of_a_row_or_an_attempt_goes_no_further() {
    let waits = "let s = connect(); s.expect(220); defer(|| print(\"second\")); \
                 defer(|| { s.expect_silence(\"1m\"); }); throw 1;";
    for inner in [
        format!("cases([1, 2], |row| {{ print(row); {waits} }})"),
        format!("retry(2, \"1ms\", || {{ print(1); {waits} }})"),
        format!("together([|| cases([1, 2], |row| {{ print(row); {waits} }})])"),
    ] {
        let script = format!("defer(|| print(\"last\")); {inner}; print(\"on\");");
        let outcome = outcome_of(&script, |case| case.deadline(Duration::from_millis(300)));
        let message = outcome.failure().unwrap().error.message().to_owned();
        assert_eq!(message, "the deadline of the whole script ran out", "{inner}: {outcome}");
        assert_eq!(printed(&outcome), ["1", "second", "last"], "{inner}: {outcome}");
    }
}

#[test]
fn a_closure_that_fails_for_a_server_fails_what_started_the_server() {
    let start = "let relay = serve(\"smtp\", #{RCPT: |c| { assert(n > 1, \"sent RCPT\"); 250 }}); ";
    let speak = "let s = connect(relay.url); s.expect(220); s.ehlo(\"x\"); s.mail(\"a@b\"); s.rcpt(\"c@d\"); ";
    for around in [
        "eventually(\"5s\", || { SPEAK });",
        "retry(3, \"1ms\", || { n += 1; SPEAK });",
        "try { SPEAK } catch { }",
        "fails(\"assert\", || { SPEAK });",
        "together([|| { SPEAK }, || eventually(\"5s\", || { connect().expect(220); })]);",
        "cases([1, 2], |row| { SPEAK });",
    ] {
        let around = around.replace("SPEAK", speak);
        let outcome = outcome(&format!("let n = 0; {start} {around} print(\"on\");"));
        let failure = outcome.failure().unwrap_or_else(|| panic!("{around}: {outcome}"));
        assert_eq!(failure.error.message(), "sent RCPT", "{around}: {outcome}");
        assert!(printed(&outcome).is_empty() && failure.place.is_some(), "{around}: {outcome}");
    }
    let script =
        format!("let n = 0; retry(3, \"1ms\", || {{ n += 1; {start} {speak} }}); print(n);");
    let retried = outcome(&script);
    assert!(retried.is_ok() && printed(&retried) == ["2"], "{retried}");
    // Whichever branch answers for the server, the failure belongs to the branch that started it.
    let busy = "for i in 0..50 { let t = connect(); t.expect(220); t.quit(); }";
    for branches in [
        format!("|| retry(3, \"1ms\", || {{ n += 1; {start} {speak} }}), || {{ {busy} }}"),
        format!("|| {{ {busy} }}, || retry(3, \"1ms\", || {{ n += 1; {start} {speak} }})"),
    ] {
        let retried = outcome(&format!("let n = 0; together([{branches}]); print(n);"));
        assert!(retried.is_ok() && printed(&retried) == ["2"], "{retried}");
    }
    let script = format!("cases([1, 2], |n| {{ {start} {speak} }}); print(\"on\");");
    let rows = outcome(&script);
    assert_eq!(printed(&rows), ["on"], "{rows}");
    let verdicts: Vec<_> = rows.cases.iter().map(Outcome::is_ok).collect();
    assert_eq!(verdicts, [false, true], "{rows}");
}

#[test]
fn a_property_is_not_compared_with_a_literal_of_another_type() {
    for (comparison, error) in [
        ("r.code != \"503\"", "an integer never equals text: compare with an integer"),
        ("\"503\" == r.code", "an integer never equals text: compare with an integer"),
        ("r.code >= \"500\"", "an integer never equals text: compare with an integer"),
        ("r.lines != \"220 x\"", "a list never equals text: compare with a list"),
        ("r.text == 220", "text never equals an integer: compare with text"),
    ] {
        let outcome = outcome(&format!("let r = connect().expect(220); print({comparison});"));
        let failure = outcome.failure().unwrap_or_else(|| panic!("{comparison}: {outcome}"));
        assert_eq!(failure.error.message(), error, "{comparison}");
        assert!(failure.error.is_usage() && failure.place.is_some(), "{outcome}");
    }
    let fine = "let s = connect(); let r = s.expect(220); let row = #{code: 220};
        switch r { () => throw 1, _ => {} }
        print([r.code == 220, r.code != 220.5, r.text != 'x', r.code == (), row.code == \"any\"]);";
    assert_eq!(printed(&outcome(fine)), ["[true, true, true, false, false]"]);
}

#[test]
fn a_number_and_a_text_that_reads_as_one_are_not_compared() {
    let comparisons = [
        "let code = s.expect(250).code; code != \"503\"",
        "s.expect(250).code == \"250\"",
        "[s.expect(250)][0].code != \"250\"",
        "s.expect(250).code in [\"250\", \"251\"]",
        "const NO = \"503\"; s.expect(250).code != NO",
        "s.expect(250).code == param(\"code\", \"250\")",
        "s.expect(250).code >= \"400\"",
        "[\"250\"].contains(s.expect(250).code)",
        "[s.expect(250).code] == [\"250\"]",
        "#{code: s.expect(250).code} != #{code: \"250\"}",
        "switch s.expect(250).code { \"250\" => 1, _ => 2 }",
        "let code = \"250\"; s.expect(250); switch code { 200..300 => 1, _ => 2 }",
        "let code = \"250\"; s.expect(250); switch code { 250 => 1, _ => 2 }",
        "let granted = \"true\"; s.expect(250); granted == true",
        "s.expect(250); bytes(\"mail\") == \"mail\"",
    ];
    for comparison in comparisons {
        let script = format!("let s = connect(); s.expect(220); s.send(\"NOOP\"); {comparison};");
        let outcome = outcome(&script);
        let failure = outcome.failure().unwrap_or_else(|| panic!("{comparison}: {outcome}"));
        assert!(failure.error.is_usage() && failure.place.is_some(), "{comparison}: {outcome}");
        assert!(failure.error.message().contains("never"), "{comparison}: {outcome}");
    }
    let fine =
        "connect().expect(220); let values = [5, \"INBOX\", [1], (), 'x', bytes(\"a\"), true, 1.5];
        let names = values.filter(|value| value == \"INBOX\" || value == \"x\");
        switch 250 { \"NO\" => throw 1, 200..=299 => {} }
        switch \"NO\" { 250 => throw 1, _ => {} }
        print([names, values.index_of(\"none\"), [\"quit\", \"print\"].index_of(\"print\"), 5 in values, 2 == 2.0, \"a\" < \"b\", 1.5 >= 1]);";
    let fine = outcome(fine);
    assert_eq!(printed(&fine), ["[[\"INBOX\", x], -1, 1, true, true, true, true]"], "{fine}");
}

#[test]
fn a_file_a_port_or_a_value_that_is_not_there_yet_is_waited_for() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("listen(\"smtp://{}\")", port.local_addr().unwrap());
    for (attempt, tries) in [
        ("read(\"later.txt\")", 2),
        ("mbox(\"later.mbox\")", 2),
        ("connect(\"smtps://127.0.0.1:1\", #{tls: #{ca: \"later.pem\"}})", 2),
        (&listen, 2),
        ("parse_int(\"\")", 2),
        ("#{}.later", 2),
        ("().later", 2),
        ("1.later", 1),
    ] {
        let script = format!("let n = 0; retry(2, \"1ms\", || {{ n += 1; print(n); {attempt} }});");
        let outcome = outcome(&script);
        assert_eq!(printed(&outcome).len(), tries, "{attempt}: {outcome}");
        assert_eq!(outcome.exit_code() as u8, 2, "{attempt}: {outcome}");
    }
}

#[test]
fn a_mistake_in_the_script_is_not_tried_again() {
    let outcome =
        outcome("let n = 0; eventually(\"1m\", || { n += 1; print(n); 1.sub_string(2) });");
    assert_eq!((printed(&outcome).len(), outcome.exit_code() as u8), (1, 2), "{outcome:#?}");
}

#[test]
fn the_sessions_of_attempts_that_failed_are_not_judged() {
    let script = "let n = 0; retry(3, \"1ms\", || { n += 1; let s = connect(); if n < 3 { throw \"no\"; } s.expect(220); });";
    let outcome = outcome(script);
    assert!(outcome.is_ok(), "{outcome:#?}");
}

#[test]
fn a_golden_has_one_token_for_a_name_and_no_attempts_that_failed() {
    let script = "let name = unique(\"box\"); let n = 0; let times = random(1, 4); step(name);
        let s = retry(5, \"1ms\", || { n += 1; let s = connect(); assert(n >= times, \"no\"); s });
        s.expect(220); s.send(\"NOOP \" + name); s.expect(250); print(now(\"%s\"));
        snapshot(\"port\", `:${free_port()}`);";
    let folder = folder(&[("a.rhai", script)]);
    let ran = run(folder.path(), &["run", "--record", "a.rhai"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let golden = std::fs::read_to_string(folder.path().join("snapshots/a.snap")).unwrap();
    assert!(golden.contains("C: NOOP [BOX_1]") && golden.contains("step: [BOX_1]"), "{golden}");
    assert!(golden.contains(":[PORT_1]") && !golden.contains("attempt"), "{golden}");
    for _ in 0..10 {
        let ran = run(folder.path(), &["run", "--check", "a.rhai"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
}

#[test]
fn a_skip_passes_through_what_looks_for_failures() {
    for script in ["fails(\"mismatch\", || skip(\"no\"));", "eventually(\"1s\", || skip(\"no\"));"]
    {
        assert!(matches!(outcome(script).verdict, Verdict::Skipped(_)), "{script}");
    }
}

#[test]
fn a_close_that_was_wanted_leaves_no_reply_owed() {
    for (answer, kind) in [("close", "closed"), ("reset", "closed")] {
        for wanted in [
            format!("fails(\"{kind}\", || s.noop());"),
            format!("try {{ s.noop(); }} catch (e) {{ assert_eq(e.kind, \"{kind}\"); }}"),
        ] {
            let outcome = outcome(&format!(
                "let server = serve(\"smtp\", #{{NOOP: \"{answer}\"}});
                 let s = connect(server.url); s.expect(220); {wanted}"
            ));
            assert!(outcome.is_ok(), "{answer}: {:?}", outcome.failure());
        }
    }
}
