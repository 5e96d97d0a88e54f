//! Commands that scripts run: their input and output, their exit, and their end.

use std::path::Path;
use std::time::{Duration, Instant};

use mailexpect::outcome::Outcome;
use mailexpect::script::Case;

use crate::program::folder;

fn outcome(script: &str) -> Outcome {
    let folder = folder(&[("script.rhai", script)]);
    Case::new(folder.path().join("script.rhai")).embedded().allow_run().run()
}

fn lines(outcome: &Outcome) -> Vec<String> {
    let lines = mailexpect::transcript::lines(&outcome.transcript);
    lines.iter().map(ToString::to_string).collect()
}

#[test]
fn a_command_has_its_input_and_variables_and_gives_its_output_and_exit() {
    let outcome = outcome(
        "let r = run(\"sort\", #{stdin: \"b\\na\\n\", env: #{LC_ALL: \"C\"}});
         r.expect_exit(0); assert_eq(r.output, \"a\\nb\\n\");
         let r = run([\"sh\", \"-c\", \"echo $WORD; echo oops >&2; exit 3\"], #{env: #{WORD: \"x y\"}});
         assert_eq([r.output, r.errors, r.exit], [\"x y\\n\", \"oops\\n\", 3]);",
    );
    assert!(outcome.is_ok(), "{outcome:#?}");
}

#[test]
fn a_command_that_failed_and_that_nobody_looked_at_fails_the_script_at_the_same_place_each_time() {
    for _ in 0..20 {
        let outcome = outcome("run(\"false\"); connect().expect(220);");
        assert!(!outcome.is_ok());
        assert_eq!(lines(&outcome)[1], "*** command ended: false: exit status: 1");
    }
    let failed = outcome("run(\"false\"); connect().expect(220);");
    let failure = failed.failure().unwrap();
    assert!(
        failure.error.message().contains("failed, and the script did not look at that"),
        "{failure:?}"
    );
    assert_eq!(failure.place.as_ref().unwrap().line, 1);
    assert!(outcome("run(\"false\").expect_exit(1);").is_ok());
}

#[test]
fn a_command_that_goes_on_is_ended_with_all_that_it_started() {
    let folder = folder(&[(
        "a.rhai",
        "let c = start([\"sh\", \"-c\", \"sleep 1000 & echo $!; wait\"]);
         print(c.expect_output(re(`\\d+`)).text);
         connect().expect(220);",
    )]);
    let began = Instant::now();
    let outcome = Case::new(folder.path().join("a.rhai")).embedded().allow_run().run();
    assert!(outcome.is_ok(), "{outcome:#?}");
    assert!(began.elapsed() < Duration::from_mins(1));
    let lines = lines(&outcome);
    let pid = lines.iter().find_map(|line| line.strip_prefix("*** print: ")).unwrap();
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    assert!(stat.is_err() || stat.unwrap().contains(") Z "), "{pid} still runs");
    assert!(lines.last().unwrap().contains("command ended: stopped: sh"), "{lines:?}");
}

#[test]
fn a_command_that_takes_too_long_is_ended_and_says_what_it_wrote() {
    let outcome =
        outcome("run([\"sh\", \"-c\", \"echo begun; sleep 1000\"], #{timeout: \"200ms\"});");
    let error = outcome.failure().unwrap().error.clone();
    assert!(error.is_timeout() && error.message().contains("has not ended in time"), "{error}");
    assert_eq!(error.got(), Some("begun\\n"));
}

#[test]
fn a_reply_that_comes_before_its_time_fails() {
    let outcome = outcome("let s = connect(); s.expect(220, #{after: \"1m\"});");
    let error = outcome.failure().unwrap().error.clone();
    assert_eq!(error.message(), "it came earlier than it may");
    assert_eq!(error.expected(), Some("not before 60 s"));
}

#[test]
fn the_command_of_a_session_has_to_exit_as_the_script_says() {
    let of_status = |expected: &str| {
        outcome(&format!(
            "let s = pipe([\"sh\", \"-c\", \"echo bye; exit 75\"]); s.expect(\"bye\\n\"); {expected}"
        ))
    };
    assert!(of_status("s.expect_exit(75);").is_ok());
    for (wrong, got, hint) in [
        ("s.expect_exit(0);", "exit status: 75", "expect_exit(75)"),
        ("s.expect_close();", "exit status: 75", "expect_exit(75)"),
    ] {
        let failed = of_status(wrong);
        let error = &failed.failure().unwrap().error;
        assert_eq!((error.got(), error.expected()), (Some(got), Some("exit status: 0")), "{wrong}");
        assert!(error.next_step().unwrap().contains(hint), "{wrong}: {error}");
    }
    for right in ["s.expect_close(); s.expect_exit(75);", "s.expect_close(); s.reset();"] {
        let outcome = of_status(right);
        assert!(outcome.is_ok(), "{right}: {outcome:#}");
        assert_eq!(lines(&outcome).last().unwrap(), "*** ended with exit status: 75");
    }
    let goes_on = outcome(
        "let s = pipe([\"sh\", \"-c\", \"exec 1>&-; exec sleep 1000\"], #{grace: \"10ms\"}); s.expect_close(); s.expect_exit(0, #{timeout: \"10ms\"});",
    );
    assert!(goes_on.failure().unwrap().error.is_timeout(), "{goes_on:#}");
    let silent =
        outcome("pipe(\"sleep 60\", #{protocol: \"smtp\", timeout: \"50ms\"}).expect(220);");
    let error = &silent.failure().unwrap().error;
    assert_eq!(error.message(), "the command was started and never said a word");
    assert!(!error.to_string().contains("TLS"), "{error}");
}

#[test]
fn output_is_searched_from_its_start_however_much_there_is() {
    let much = outcome(
        "let c = start([\"sh\", \"-c\", \"yes | head -c 3000000; echo READY; sleep 1000\"]);
         c.expect_output(re(`\\Ay`));
         c.expect_output(\"READY\");
         c.stop();",
    );
    assert!(much.is_ok(), "{much:#?}");
    let later = outcome(
        "let c = start([\"sh\", \"-c\", \"echo ready; yes | head -c 3000001; echo; echo done; sleep 0.3; echo more; sleep 1000\"]);
         c.expect_output(\"ready\");
         run(\"sleep 0.2\").expect_exit(0);
         c.expect_output(re(`^done$`));
         assert_eq(c.expect_output(re(`^more$`)).before.len(), 0);
         c.stop();",
    );
    assert!(later.is_ok(), "{later:#?}");
    let before = outcome(
        "let c = start([\"sh\", \"-c\", \"yes | head -c 3000000; echo READY; sleep 1000\"]);
         assert_eq(c.expect_output(\"READY\").before.len(), 0);
         c.stop();
         let c = start([\"sh\", \"-c\", \"printf 'a b'; sleep 1000\"]);
         assert_eq(c.expect_output(\"b\").before.len(), 2);
         c.stop();",
    );
    assert!(before.is_ok(), "{before:#?}");
    let late = outcome(
        "let c = start([\"sh\", \"-c\", \"yes\"]);
         c.expect_output(\"READY\", #{timeout: \"200ms\"});",
    );
    let error = late.failure().unwrap().error.clone();
    assert!(error.is_timeout() && error.message().contains("has not written it"), "{error}");
    let lost = outcome(
        "run([\"sh\", \"-c\", \"yes | head -c 3000000; echo READY\"]).expect_output(\"READY\");",
    );
    let error = lost.failure().unwrap().error.clone();
    assert!(error.is_too_long() && error.message().contains("not kept any more"), "{error}");
}

#[test]
fn a_match_in_output_does_not_depend_on_how_the_output_is_cut() {
    let outcome = outcome(
        "let c = start([\"sh\", \"-c\", \"printf 'port 4'; read x; printf '711\\n'\"], #{stdin: \"\\n\"});
         assert_eq(c.expect_output(re(`port (\\d+)`))[1], \"4711\");
         let c = start([\"sh\", \"-c\", \"printf 'port 4'; sleep 1000\"]);
         assert_eq(c.expect_output(re(`port (\\d+)`))[1], \"4\");
         c.stop();
         assert_eq(run([\"printf\", \"port 4\"]).expect_output(re(`port (\\d+)`))[1], \"4\");",
    );
    assert!(outcome.is_ok(), "{outcome:#?}");
}

#[test]
fn what_a_command_writes_is_seen_while_another_branch_waits_for_it() {
    for seen in [
        "assert_eq([server.output, server.errors], [\"ready\\n\", \"PANIC\\n\"])",
        "follow(server).expect(\"ready\")",
        "server.expect_output(\"ready\")",
    ] {
        let outcome = outcome(&format!(
            "let server = start([\"sh\", \"-c\", \"echo PANIC >&2; echo ready; read x; sleep 1000\"]);
             let log = follow(server);
             log.expect(\"ready\");
             run([\"sh\", \"-c\", \"sleep 0.1\"]).expect_exit(0);
             let fails = |wait| {{
                 let error = ();
                 try {{ wait.call(); }} catch (e) {{ error = e; }}
                 assert_eq(error.kind, \"timeout\");
             }};
             together([
                 || fails.call(|| log.expect(\"never\", #{{timeout: \"300ms\"}})),
                 || {{ {seen}; }},
             ]);
             server.stop();"
        ));
        assert!(outcome.is_ok(), "{seen}: {outcome:#?}");
    }
}
