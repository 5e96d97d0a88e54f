//! `mailexpect explain`, `base64`, `sasl` and `reference WORD`, and the help of the program.

use crate::program::{folder, program, run};

fn says(args: &[&str]) -> String {
    let ran = run(folder(&[]).path(), args);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.lines().all(|line| line.chars().count() <= 80), "too wide: {}", ran.out);
    ran.out
}

fn complains(args: &[&str]) -> String {
    let ran = run(folder(&[]).path(), args);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    ran.err
}

#[test]
fn a_reply_is_explained_code_by_code_and_with_what_to_do() {
    let said = says(&["explain", "454 4.7.1 <b@example.net>: Relay access denied"]);
    assert!(said.contains("454        It failed for now"), "{said}");
    assert!(said.contains("4.7.1      The sender is not authorised"), "{said}");
    assert!(said.contains("mynetworks"), "{said}");
    // A reply without quotes that begins with a dash.
    let said = says(&["explain", "-ERR", "[IN-USE]", "locked"]);
    assert!(said.contains("The maildrop is locked by another session"), "{said}");
    let said = says(&["explain", "334 VXNlcm5hbWU6"]);
    assert!(said.contains("the server asks: Username:"), "{said}");
    for reply in ["235 2.7.0 Authentication successful", "250 2.1.0 Ok", "250 2.2.2 ok"] {
        let said = says(&["explain", reply]);
        assert!(!said.contains("problem") && !said.contains("full"), "{reply}: {said}");
        assert!(said.contains("It succeeded, and is about"), "{reply}: {said}");
    }
    assert!(says(&["explain", "250 2.1.5 Ok"]).contains("address is valid"));
    assert!(complains(&["explain", "hello"]).contains("is no reply of a mail server"));
}

#[test]
fn text_is_encoded_and_decoded_with_its_nuls_in_sight() {
    assert_eq!(says(&["base64", r"\0sample\0password"]), "AHNhbXBsZQBwYXNzd29yZA==\n");
    assert_eq!(says(&["base64", "-d", "AHNhbXBsZQBwYXNzd29yZA=="]), "\\0sample\\0password\n");
    assert!(complains(&["base64", "-d", "no!"]).contains("not base64"));
}

#[test]
fn the_responses_of_sasl_are_made_from_a_password_that_is_not_on_the_command_line() {
    let sasl = |args: &[&str]| {
        let output = program().arg("sasl").args(args).env("SECRET", "password").output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let from_env = ["--password", "env:SECRET"];
    let made = |args: &[&str]| sasl(&[args, &from_env].concat()).1;
    assert_eq!(made(&["plain", "sample"]), "AHNhbXBsZQBwYXNzd29yZA==\n");
    assert_eq!(made(&["login", "sample"]), "c2FtcGxl\ncGFzc3dvcmQ=\n");
    let challenge = "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+";
    assert!(made(&["cram-md5", "tim", "--challenge", challenge]).starts_with("dGlt"));
    for (args, why) in [
        (&["cram-md5", "tim", "--password", "env:SECRET"][..], "--challenge"),
        (&["scram-sha-256", "tim", "--password", "env:SECRET"], "more than one challenge"),
        (&["plain", "tim", "--password", "password"], "where others can see it"),
        (&["plan", "tim"], "did you mean plain?"),
        (&["plain", "", "--password", "env:SECRET"], "the user of PLAIN is empty"),
        (&["login", "tim", "--authzid", "tom", "--password", "env:SECRET"], "cannot carry"),
        (&["anonymous", "tim", "--authzid", "tom"], "cannot carry an authzid"),
        (&["oauthbearer", "tim", "--host", "a:99999", "--password", "env:SECRET"], "is no port"),
        (&["oauthbearer", "tim", "--host", "a:imaps", "--password", "env:SECRET"], "is no port"),
        (
            &["oauthbearer", "tim", "--host", ":25", "--password", "env:SECRET"],
            "name of the server",
        ),
    ] {
        let (code, _, err) = sasl(args);
        assert_eq!((code, err.contains(why)), (Some(2), true), "{err}");
    }
}

#[test]
fn a_word_of_the_reference_is_shown_alone() {
    let shown = |word| {
        let ran = run(folder(&[]).path(), &["reference", word]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.out
    };
    let said = shown("expect_any");
    assert!(said.contains("### `expect_any`") && !said.contains("### `expect_bytes`"), "{said}");
    // A word that stands in two chapters.
    assert_eq!(shown("auth").matches("### `auth`").count(), 2);
    assert!(complains(&["reference", "expct_any"]).contains("did you mean expect_any?"));
}

#[test]
fn the_program_alone_says_what_one_can_do() {
    let said = says(&[]);
    for task in ["mailexpect talk ", "mailexpect send ", "mailexpect @relay ", "mailexpect run "] {
        assert!(said.contains(task), "{task}: {said}");
    }
}

#[test]
fn every_command_has_help_with_an_example_within_80_columns() {
    let folder = folder(&[]);
    let listed = says(&["--help"]);
    let commands = listed.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let commands = commands.take_while(|line| line.starts_with("  "));
    // Lines with deeper indentation continue the line before.
    let commands: Vec<_> = commands.filter(|line| !line.starts_with("   ")).collect();
    let names = commands.iter().filter_map(|line| line.split_whitespace().next());
    let names: Vec<_> = names.filter(|name| *name != "help").collect();
    assert!(names.len() > 12, "{listed}");
    for name in names {
        let ran = run(folder.path(), &[name, "--help"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(
            ran.out.contains("mailexpect ") && ran.out.contains("Example"),
            "{name}: {}",
            ran.out
        );
        for line in ran.out.lines() {
            assert!(line.chars().count() <= 80, "{name}: {line}");
        }
    }
}

#[test]
fn a_slip_is_never_taken_for_something_else() {
    assert!(complains(&["rnu"]).contains("'run'"));
    assert!(complains(&["tlak"]).contains("'talk'"));
    for unrelated in ["xyzzy", "deliver", "quit"] {
        let err = complains(&[unrelated]);
        assert!(!err.contains("similar"), "{err}");
    }
    let err = complains(&["run", "--frobnicate"]);
    assert!(!err.contains("similar"), "{err}");
}
