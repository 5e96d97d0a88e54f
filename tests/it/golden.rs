//! Golden transcripts, as users of the program have them.

use std::fs;
use std::path::Path;

use mailexpect::server::Replay;

use crate::program::{Ran, folder, program};

pub(crate) const SCRIPT: &str = "// The hello.\nlet s = connect(param(\"smtp\"));\ns.expect(220);\ns.ehlo(\"client.example\");\ns.quit();\n";

pub(crate) const HELLO: &str = "S: 220 mail.example ESMTP\nC: EHLO client.example\nS: 250-mail.example\nS: 250-SIZE 100\nS: 250 PIPELINING\n\
    C: QUIT\nS: 221 bye\nclose\n";

/// Runs the program with no variable set that affects goldens, except those in `environment`.
pub(crate) fn run(folder: &Path, args: &[&str], environment: &[(&str, &str)]) -> Ran {
    let mut command = program();
    let output =
        command.envs(environment.iter().copied()).current_dir(folder).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Runs `hello.rhai` against a peer that plays this dialogue.
pub(crate) fn hello(
    folder: &Path,
    dialogue: &str,
    args: &[&str],
    environment: &[(&str, &str)],
) -> Ran {
    let peer = Replay::start(dialogue).unwrap();
    let url = format!("smtp={}", peer.url("smtp"));
    let ran = run(folder, &[&["run", "hello.rhai", "--set", &url], args].concat(), environment);
    // If the program refuses to run, nobody connects.
    peer.leave();
    ran
}

pub(crate) fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder.join("snapshots")) else { return Vec::new() };
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub(crate) fn golden(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join("snapshots").join(name)).unwrap()
}

#[test]
fn a_dialogue_is_recorded_once_and_compared_with_that_from_then_on() {
    let folder = folder(&[("hello.rhai", SCRIPT)]);
    let ran = hello(folder.path(), HELLO, &[], &[]);
    assert!(
        ran.code == Some(0) && files(folder.path()).is_empty(),
        "nobody asked for a golden: {ran:?}"
    );
    let ran = hello(folder.path(), HELLO, &["--record"], &[]);
    assert!(ran.code == Some(0) && ran.out.contains("recorded snapshots/hello.snap"), "{ran:?}");
    insta::assert_snapshot!("hello", golden(folder.path(), "hello.snap"));
    let shuffled =
        HELLO.replace("S: 250-SIZE 100\nS: 250 PIPELINING", "S: 250-PIPELINING\nS: 250 SIZE 100");
    let ran = hello(folder.path(), &shuffled, &[], &[]);
    assert_eq!(ran.code, Some(0), "capabilities are a set: {ran:?}");
}

#[test]
fn a_difference_fails_with_a_diff_and_waits_for_review() {
    let folder = folder(&[("hello.rhai", SCRIPT)]);
    hello(folder.path(), HELLO, &["--record"], &[]);
    let upgraded = HELLO.replace("SIZE 100", "SIZE 200").replace("221 bye", "221 2.0.0 bye");
    let ran = hello(folder.path(), &upgraded, &[], &[]);
    assert_eq!(ran.code, Some(1));
    let said = ran
        .out
        .lines()
        .skip(1)
        .filter(|line| !line.starts_with("1 failed"))
        .collect::<Vec<_>>()
        .join("\n");
    insta::assert_snapshot!("difference", said);
    assert_eq!(files(folder.path()), ["hello.snap", "hello.snap.new"]);
    let ran = hello(folder.path(), HELLO, &[], &[]);
    assert_eq!(ran.code, Some(0));
    assert_eq!(files(folder.path()), ["hello.snap"], "what waited was wrong");
    let ran = hello(folder.path(), &upgraded, &["--update"], &[]);
    assert!(ran.code == Some(0) && ran.out.contains("updated snapshots/hello.snap"), "{ran:?}");
    assert!(golden(folder.path(), "hello.snap").contains("SIZE 200"));
}

#[test]
fn a_transcript_that_cannot_be_left_for_review_says_why() {
    let folder = folder(&[("hello.rhai", SCRIPT)]);
    hello(folder.path(), HELLO, &["--record"], &[]);
    // A folder stands where the file would be written, so nobody can write the file, not even root.
    fs::create_dir(folder.path().join("snapshots/hello.snap.new")).unwrap();
    let ran = hello(folder.path(), &HELLO.replace("SIZE 100", "SIZE 200"), &[], &[]);
    let said = "it could not be left for review: cannot write the golden snapshots/hello.snap.new: Is a directory";
    assert!(ran.code == Some(1) && ran.out.contains(said), "{ran:?}");
}

#[test]
fn where_it_is_not_to_write_it_writes_nothing() {
    let folder = folder(&[("hello.rhai", SCRIPT)]);
    let refused = hello(folder.path(), HELLO, &["--record"], &[("CI", "1")]);
    insta::assert_snapshot!("record_in_ci", refused.err);
    assert_eq!(refused.code, Some(2));
    hello(folder.path(), HELLO, &["--record"], &[]);
    let changed = HELLO.replace("SIZE 100", "SIZE 200");
    for (args, environment) in [
        (&["--check"][..], &[][..]),
        (&[], &[("CI", "true")]),
        (&[], &[("CI", "1"), ("INSTA_UPDATE", "always")]),
        (&[], &[("INSTA_UPDATE", "no")]),
        (&["--check"], &[("INSTA_UPDATE", "always")]),
    ] {
        let ran = hello(folder.path(), &changed, args, environment);
        assert_eq!(ran.code, Some(1), "{args:?} {environment:?}: {ran:?}");
        assert!(ran.out.contains("nothing was written"), "{}", ran.out);
        assert_eq!(files(folder.path()), ["hello.snap"]);
        assert!(golden(folder.path(), "hello.snap").contains("SIZE 100"));
    }
    for flags in [["--record", "--check"], ["--record", "--update"], ["--check", "--update"]] {
        assert_eq!(hello(folder.path(), HELLO, &flags, &[]).code, Some(2));
    }
}

#[test]
fn the_environment_of_insta_means_what_it_means_there() {
    let changed = HELLO.replace("SIZE 100", "SIZE 200");
    let both = ["hello.snap", "hello.snap.new"];
    // Each row: the environment, and then the exit code and the files, first for a script without
    // a golden, and then for one whose golden differs.
    for (environment, unseen, left, differing, kept) in [
        ("INSTA_UPDATE=always", 0, &both[..1], 0, &both[..1]),
        ("INSTA_UPDATE=new", 1, &both[1..], 1, &both[..]),
        ("INSTA_UPDATE=unseen", 0, &both[..1], 1, &both[..]),
        ("INSTA_UPDATE=auto", 0, &[], 1, &both[..]),
        ("INSTA_FORCE_PASS=1", 0, &[], 0, &both[..]),
        ("INSTA_UPDATE=new INSTA_FORCE_PASS=1", 0, &both[1..], 0, &both[..]),
    ] {
        let variables: Vec<_> =
            environment.split(' ').filter_map(|variable| variable.split_once('=')).collect();
        let folder = folder(&[("hello.rhai", SCRIPT)]);
        let ran = hello(folder.path(), HELLO, &[], &variables);
        assert_eq!(
            (ran.code, files(folder.path()).join(" ")),
            (Some(unseen), left.join(" ")),
            "{environment}"
        );
        hello(folder.path(), HELLO, &["--record"], &[]);
        let ran = hello(folder.path(), &changed, &[], &variables);
        assert_eq!(
            (ran.code, files(folder.path()).join(" ")),
            (Some(differing), kept.join(" ")),
            "{environment}"
        );
    }
    let folder = folder(&[("hello.rhai", SCRIPT)]);
    let ran = hello(folder.path(), HELLO, &[], &[("INSTA_UPDATE", "maybe")]);
    assert!(ran.code == Some(2) && ran.err.contains("INSTA_UPDATE is `maybe`"), "{ran:?}");
}

#[test]
fn a_target_has_goldens_of_its_own() {
    let folder = folder(&[("hello.rhai", SCRIPT)]);
    hello(folder.path(), HELLO, &["--record"], &[]);
    let exim = HELLO.replace("SIZE 100", "SIZE 52428800");
    assert_eq!(
        hello(folder.path(), HELLO, &["--target", "exim"], &[]).code,
        Some(0),
        "that of all holds until it has one"
    );
    assert_eq!(hello(folder.path(), &exim, &["--target", "exim", "--record"], &[]).code, Some(0));
    assert_eq!(files(folder.path()), ["hello.snap", "hello@exim.snap"]);
    assert_eq!(hello(folder.path(), &exim, &["--target", "exim"], &[]).code, Some(0));
    assert_eq!(hello(folder.path(), &exim, &[], &[]).code, Some(1));
    let ran = hello(folder.path(), &exim, &["--target", "../exim"], &[]);
    assert!(ran.code == Some(2) && ran.err.contains("cannot be the name of a target"), "{ran:?}");
}

#[test]
fn how_strictly_is_said_by_the_run_or_by_the_script() {
    let other = "S: 220 other.example\nC: EHLO client.example\nS: 250-other.example hello\nS: 250-SIZE 200\nS: 250 PIPELINING\nC: QUIT\nS: 221 2.0.0 so long\nclose\n";
    let relaxed = format!("// The hello.\nstrictness(\"codes\");\n{}", &SCRIPT[14..]);
    for (script, flags) in [(SCRIPT, &["--strictness", "codes"][..]), (&relaxed, &[])] {
        let folder = folder(&[("hello.rhai", script)]);
        hello(folder.path(), HELLO, &[flags, &["--record"]].concat(), &[]);
        let ran = hello(folder.path(), other, flags, &[]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        insta::assert_snapshot!("codes", golden(folder.path(), "hello.snap"));
    }
    let folder = folder(&[("hello.rhai", SCRIPT)]);
    let ran = hello(folder.path(), HELLO, &["--strictness", "code"], &[]);
    assert!(ran.code == Some(2) && ran.err.contains("text, enhanced and codes"), "{ran:?}");
}

#[test]
fn a_script_adds_values_and_redactions() {
    let script = "let s = connect(param(\"smtp\"));\nredact(`job (?P<v>\\d+)`, \"JOB\");\nredact(re(`ticket \\d+`), \"TICKET\");\n\
        redact(\"-net.ipv4, sizes\");\ns.expect(220);\nlet caps = s.ehlo(\"client.example\");\nsnapshot(caps.contains(\"SIZE\"));\n\
        snapshot(\"all\", #{text: \"job 12\\r\\n\", list: [1, (), 2.5, \"job 7\"], empty: [], \"a\\nb\": true, keywords: caps.keywords});\n\
        print(\"not in it\");\nsnapshot(\"bytes\", bytes(\"a\\r\\n\\xff\"));\nsnapshot(s.quit());\n";
    let dialogue = "S: 220 job 12, ticket 3, at 192.0.2.1\nC: EHLO client.example\nS: 250-job 7\nS: 250 SIZE 100\nC: QUIT\nS: 221 bye\nclose\n";
    let folder = folder(&[("hello.rhai", script)]);
    let ran = hello(folder.path(), dialogue, &["--record"], &[]);
    assert!(ran.code == Some(0) && ran.out.contains("not in it"), "{ran:?}");
    insta::assert_snapshot!("values", golden(folder.path(), "hello.snap"));
}

#[test]
fn each_change_of_a_value_is_a_difference() {
    for (before, after) in [
        ("12345678", "12345679"),
        ("\"octets\", 123456789012", "\"octets\", 223456789012"),
        ("-1.5", "1.5"),
        ("\"a\\r\\nb\"", "\"a\\nb\""),
        ("\"a\\r\\n\"", "\"a\""),
        ("\"a\\n\"", "\"a\\r\\n\""),
        ("\"a\\n\\n\"", "\"a\\n\""),
        ("bytes(\"a\\r\\nb\")", "bytes(\"a\\nb\")"),
        ("bytes(\"a\\nb\\r\\n\")", "bytes(\"a\\r\\nb\\r\\n\")"),
        ("\"a\\\\n\"", "\"a\\n\""),
    ] {
        let folder = folder(&[("hello.rhai", &format!("{SCRIPT}snapshot({before});\n"))]);
        assert_eq!(hello(folder.path(), HELLO, &["--record"], &[]).code, Some(0), "{before}");
        assert_eq!(hello(folder.path(), HELLO, &[], &[]).code, Some(0), "{before}");
        fs::write(folder.path().join("hello.rhai"), format!("{SCRIPT}snapshot({after});\n"))
            .unwrap();
        let ran = hello(folder.path(), HELLO, &[], &[]);
        assert_eq!(ran.code, Some(1), "{before} {after}: {ran:?}");
    }
}

#[test]
fn cargo_insta_is_told_which_goldens_are_in_use() {
    let folder = folder(&[("hello.rhai", SCRIPT)]);
    hello(folder.path(), HELLO, &["--record"], &[]);
    let list = folder.path().join("references");
    hello(folder.path(), HELLO, &[], &[("INSTA_SNAPSHOT_REFERENCES_FILE", list.to_str().unwrap())]);
    let golden = folder.path().canonicalize().unwrap().join("snapshots/hello.snap");
    assert_eq!(fs::read_to_string(list).unwrap(), format!("{}\n", golden.display()));
}

#[test]
fn a_golden_that_cannot_be_read_is_no_pass() {
    let folder =
        folder(&[("hello.rhai", SCRIPT), ("snapshots/hello.snap", "---\nsource: [\n---\n")]);
    let ran = hello(folder.path(), HELLO, &[], &[]);
    assert!(
        ran.code == Some(2) && ran.out.contains("cannot read the golden snapshots/hello.snap"),
        "{ran:?}"
    );
    let other = "---\nsource: tests/it/hello.rs\n---\nx\n";
    fs::write(folder.path().join("snapshots/hello.snap"), other).unwrap();
    let ran = hello(folder.path(), HELLO, &[], &[]);
    assert!(
        ran.code == Some(2) && ran.out.contains("is the snapshot of some other test"),
        "held against nothing: {ran:?}"
    );
    let ran = hello(folder.path(), HELLO, &["--record"], &[]);
    assert!(
        ran.code == Some(2) && ran.out.contains("is the snapshot of some other test"),
        "{ran:?}"
    );
    assert_eq!(golden(folder.path(), "hello.snap"), other);
}

#[test]
fn runs_that_are_repeated_are_compared_with_the_golden_and_write_nothing() {
    let folder = folder(&[("hello.rhai", "let s = connect();\ns.expect(220);\ns.quit();\n")]);
    assert_eq!(run(folder.path(), &["run", "--record"], &[]).code, Some(0));
    let ran = run(folder.path(), &["run", "--repeat", "20", "-j", "4"], &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    fs::write(
        folder.path().join("hello.rhai"),
        "let s = connect();\ns.expect(220);\nstep(\"new\");\ns.quit();\n",
    )
    .unwrap();
    let ran = run(folder.path(), &["run", "--repeat", "20", "-j", "4"], &[]);
    assert!(ran.code == Some(1) && ran.out.contains("20 golden"), "{ran:?}");
    assert_eq!(files(folder.path()), ["hello.snap"]);
}

#[test]
fn the_name_of_a_value_is_redacted_as_the_value_is() {
    let folder =
        folder(&[("hello.rhai", &format!("{SCRIPT}snapshot(\"at 192.0.2.7\", \"192.0.2.7\");\n"))]);
    let ran = hello(folder.path(), HELLO, &["--record"], &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let golden = golden(folder.path(), "hello.snap");
    assert!(golden.contains("*** snapshot at [IPV4#1]: [IPV4#1]"), "{golden}");
}

#[test]
fn a_golden_has_its_options_and_is_compared_with_them() {
    let folder = folder(&[("hello.rhai", SCRIPT)]);
    let made =
        ["--strictness", "enhanced", "--redact", "sizes", "--redact-regex", "KIND=ES(?P<v>MTP)"];
    hello(folder.path(), HELLO, &[&["--record"], &made[..]].concat(), &[]);
    insta::assert_snapshot!("made_with", golden(folder.path(), "hello.snap"));
    // Without options of the run, other prose and another size do not differ, but a missing keyword
    // does.
    let prose = HELLO.replace("221 bye", "221 so long").replace("SIZE 100", "SIZE 200");
    let ran = hello(folder.path(), &prose, &["--check"], &[]);
    assert!(ran.code == Some(0) && ran.out.contains("as in snapshots/hello.snap"), "{ran:?}");
    let gone = HELLO.replace("S: 250-SIZE 100\n", "");
    assert_eq!(hello(folder.path(), &gone, &["--check"], &[]).code, Some(1));
    // The pending file keeps the options that the golden was made with.
    assert_eq!(hello(folder.path(), &gone, &[], &[]).code, Some(1));
    let waiting = golden(folder.path(), "hello.snap.new");
    assert!(
        waiting.contains("strictness: enhanced") && waiting.contains("redact: \"sizes\""),
        "{waiting}"
    );
}

#[test]
fn a_lower_strictness_reduces_both_sides() {
    let folder = folder(&[("hello.rhai", SCRIPT)]);
    hello(folder.path(), HELLO, &["--record"], &[]);
    let other = HELLO.replace("221 bye", "221 2.0.0 so long").replace("SIZE 100", "SIZE 200");
    assert_eq!(hello(folder.path(), &other, &["--check"], &[]).code, Some(1));
    let ran = hello(folder.path(), &other, &["--check", "--strictness", "codes"], &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let prose = HELLO.replace("221 bye", "221 so long");
    let ran = hello(folder.path(), &prose, &["--check", "--strictness", "enhanced"], &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let code = HELLO.replace("221 bye", "421 bye");
    assert_ne!(
        hello(folder.path(), &code, &["--check", "--strictness", "codes"], &[]).code,
        Some(0)
    );
    // If the run has more redactions than the golden, both sides are reduced.
    let sized = HELLO.replace("SIZE 100", "SIZE 300");
    assert_eq!(hello(folder.path(), &sized, &["--check", "--redact", "sizes"], &[]).code, Some(0));
}

#[test]
fn a_run_does_not_write_through_links() {
    let folder = folder(&[("hello.rhai", SCRIPT), ("victim", "mine")]);
    hello(folder.path(), HELLO, &["--record"], &[]);
    let waiting = folder.path().join("snapshots/hello.snap.new");
    std::os::unix::fs::symlink(folder.path().join("victim"), &waiting).unwrap();
    let ran = hello(folder.path(), &HELLO.replace("SIZE 100", "SIZE 200"), &[], &[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(fs::read_to_string(folder.path().join("victim")).unwrap(), "mine");
    assert!(!waiting.is_symlink() && golden(folder.path(), "hello.snap.new").contains("SIZE 200"));
}

#[test]
fn a_difference_in_the_middle_of_a_long_message_is_noticed() {
    let script = "let s = connect(param(\"smtp\"));\ns.expect(\"+OK\");\ns.retr(1);\ns.quit();\n";
    let mail = |word: &str| {
        let lines = format!("S: {}\n", "x".repeat(70)).repeat(300);
        format!(
            "S: +OK\nC: RETR 1\nS: +OK\n{lines}S: {word}\n{lines}S: .\nC: QUIT\nS: +OK\nclose\n"
        )
    };
    let folder = folder(&[("hello.rhai", script)]);
    let run = |dialogue: &str, flag: &str| {
        let peer = Replay::start(dialogue).unwrap();
        let url = format!("smtp={}", peer.url("pop3"));
        run(folder.path(), &["run", "hello.rhai", "--set", &url, flag], &[])
    };
    assert_eq!(run(&mail("one"), "--record").code, Some(0));
    assert_eq!(run(&mail("one"), "--check").code, Some(0));
    let ran = run(&mail("two"), "--check");
    assert!(ran.code == Some(1) && ran.out.contains("bytes left out, SHA-256"), "{ran:?}");
}

#[test]
fn a_transcript_that_is_too_long_for_a_golden_is_an_error() {
    let script = "let t = \"\"; t.pad(1 << 20, \"x\"); for i in 0..9 { snapshot(t); }\n\
        redact(`(?P<v>\\w)`, \"J\"); connect().expect(220);\n";
    let folder = folder(&[("a.rhai", script)]);
    let ran = run(folder.path(), &["run", "a.rhai", "--record"], &[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("the transcript is too long for a golden"), "{ran:?}");
    assert!(ran.out.contains("at most 8 MiB") && files(folder.path()).is_empty(), "{ran:?}");
    // Without a golden, nothing is compared.
    assert_eq!(run(folder.path(), &["run", "a.rhai"], &[]).code, Some(0));
}
