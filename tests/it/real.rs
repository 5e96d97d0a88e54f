//! The shipped scripts and the quirks of `field` against a real Postfix.

use mailexpect::script::Case;

use crate::postfix::Postfix;
use crate::program::{folder, project};

/// A Postfix, or `None` where there is none to be had; then the test says so.
fn postfix() -> Option<Postfix> {
    match Postfix::start() {
        Ok(postfix) => Some(postfix),
        Err(why) => {
            assert!(std::env::var_os("MAILEXPECT_NO_SKIP").is_none(), "no test may be skipped here: {why}");
            eprintln!("skipped: {why}");
            None
        }
    }
}

fn case(script: impl Into<std::path::PathBuf>, postfix: &Postfix) -> Case {
    let case = Case::new(script).set("smtp", postfix.smtp()).set("submission", postfix.submission());
    case.set("user", postfix.user()).set("password", postfix.password())
}

fn passes(case: &Case, postfix: &Postfix) {
    let outcome = case.run();
    assert!(outcome.is_ok(), "{}\n{}", mailexpect::report::Human { verbose: true }.outcome(&outcome), postfix.log());
}

#[test]
fn the_shipped_scripts_pass_against_a_real_postfix() {
    let Some(postfix) = postfix() else { return };
    for script in ["smoke", "relay", "submission"] {
        passes(&case(project().join(format!("scripts/{script}.rhai")), &postfix), &postfix);
    }
}

#[test]
fn a_wrong_password_is_refused_with_a_hint_and_shown_nowhere() {
    let Some(postfix) = postfix() else { return };
    let outcome = case(project().join("scripts/submission.rhai"), &postfix).set("password", "not-this-one").run();
    let error = &outcome.failure().unwrap().error;
    assert!(error.is_mismatch() && error.next_step().unwrap().contains("wrong credentials"), "{error}");
    let report = mailexpect::report::Human { verbose: true }.outcome(&outcome);
    assert!(!report.contains("not-this-one") && !report.contains("bm90LXRoaXMtb25l"), "{report}");
}

#[test]
fn what_postfix_does_out_of_the_ordinary_can_be_held() {
    let script = r#"// Postfix's own ways.
        let s = connect(param("smtp"));
        s.send_raw("EHLO early.example\r\n");
        s.expect(220);
        s.expect(250);

        step("NUL and bare LF in commands");
        s.send_raw(bytes("N\x00OOP\r\n"));
        s.expect(500, "5.5.2");
        s.send_raw("NOOP\n");
        s.expect(250);

        step("a whole transaction in two writes");
        s.pipeline(["MAIL FROM:<a@client.example>", "RCPT TO:<hoge@example.com>", "RCPT TO:<nobody@example.com>", "DATA"]);
        let replies = s.expect_unordered([250, 250, code("550", "5.1.1"), 354]);
        assert_eq(replies[2].enhanced, "5.1.1");
        s.send("Subject: lines");
        s.send("");
        s.send_message(".dots\n..\n");
        let id = s.expect(re(`queued as (?P<id>[0-9A-Za-z]+)`))["id"];
        assert(id.len() > 5);

        step("a size that is too large");
        s.send("MAIL FROM:<a@client.example> SIZE=99999999999");
        s.expect(552, "5.3.4");

        step("goodbye, with nothing behind it");
        s.send("QUIT");
        s.expect(221);
        s.expect_close();
    "#;
    let Some(postfix) = postfix() else { return };
    let folder = folder(&[("ways.rhai", script)]);
    passes(&case(folder.path().join("ways.rhai"), &postfix), &postfix);
}
