//! Selection of the scripts that are run.

use std::path::Path;

use crate::program::{folder, program, run};

fn scripts() -> tempfile::TempDir {
    folder(&[
        ("imap/idle.rhai", "// Waits for mail.\n// tags: imap, slow\nconnect().expect(220);\n"),
        ("imap/login.rhai", "// Logs in.\n// tags: imap, smoke\nconnect().expect(220);\n"),
        ("relay.rhai", "// Relaying is refused.\n// tags: smoke\nconnect().expect(220);\n"),
        ("tls.rhai", "// TLS begins.\nconnect().expect(220);\n"),
    ])
}

fn listed(folder: &Path, args: &[&str]) -> Vec<String> {
    let ran = run(folder, &[&["list"], args].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.out.lines().map(|line| line.split("  ").next().unwrap().to_owned()).collect()
}

#[test]
fn filters_and_tags_choose_scripts_and_list_says_which() {
    let folder = scripts();
    let all = ["imap/idle.rhai", "imap/login.rhai", "relay.rhai", "tls.rhai"];
    for (args, chosen) in [
        (&[][..], &all[..]),
        (&["--tag", "smoke"], &all[1..3]),
        (&["--tag", "smoke", "--tag", "slow"], &all[..3]),
        (&["--filter", "path(imap/) and not tag(slow)"], &all[1..2]),
        (&["--filter", "title(TLS)", "--filter", "tag(slow)"], &[all[0], all[3]]),
        (&["--tag", "imap", "--filter", "tag(smoke)"], &all[1..2]),
    ] {
        assert_eq!(listed(folder.path(), args), chosen, "{args:?}");
    }
    let ran = run(folder.path(), &["run", "--tag", "smoke"]);
    assert!(ran.out.ends_with("s)\n") && ran.out.contains("2 passed"), "{ran:?}");
    assert!(!ran.out.contains("tls.rhai"), "{}", ran.out);
}

#[test]
fn a_selection_of_nothing_is_an_error() {
    let folder = scripts();
    for (args, said) in [
        (["run", "--tag", "smok"], "none of 4 scripts is selected"),
        (["run", "--filter", "tga(smoke)"], "did you mean `tag`?"),
        (["run", "--filter", "tag(smoke"], "wrong at column 5: there is no closing `)`"),
        (["run", "--partition", "slice:5/4"], "with M from 1 to N, such as slice:1/4"),
    ] {
        let ran = run(folder.path(), &args);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains(said), "{args:?} {}", ran.err);
    }
}

#[test]
fn partitions_share_the_scripts_and_a_shuffle_is_the_same_for_its_seed() {
    let folder = scripts();
    for kind in ["slice", "hash"] {
        let part = |n: &str| listed(folder.path(), &["--partition", &format!("{kind}:{n}/2")]);
        let mut all = [part("1"), part("2")].concat();
        all.sort();
        assert_eq!(all, listed(folder.path(), &[]));
    }
    let shuffled = |seed: &str| listed(folder.path(), &["--shuffle", seed]);
    assert_eq!(shuffled("1"), shuffled("1"));
    assert!((2..20).any(|seed: u32| shuffled(&seed.to_string()) != shuffled("1")));
}

#[test]
fn a_part_without_scripts_passes() {
    let folder = folder(&[("a.rhai", "connect().expect(220);\n")]);
    let ran = run(folder.path(), &["run", "--partition", "slice:2/2"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.starts_with("no scripts"), "{}", ran.out);
}

#[test]
fn failed_scripts_are_run_again_until_they_pass() {
    let folder = scripts();
    let state = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let mut command = program();
        command.current_dir(folder.path()).env("XDG_STATE_HOME", state.path()).args(args);
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), text + String::from_utf8(output.stderr).unwrap().as_str())
    };
    std::fs::write(folder.path().join("relay.rhai"), "connect().expect(554);\n").unwrap();
    assert_eq!(run(&["run"]).0, Some(1));
    let (code, said) = run(&["run", "--rerun-failed"]);
    assert!(
        code == Some(1) && said.contains("FAIL relay.rhai") && !said.contains("PASS"),
        "{said}"
    );
    // A script that is skipped has not passed.
    std::fs::write(folder.path().join("relay.rhai"), "skip(\"not today\");\n").unwrap();
    assert_eq!(run(&["run", "--rerun-failed"]).0, Some(0));
    std::fs::write(folder.path().join("relay.rhai"), "connect().expect(220);\n").unwrap();
    let (code, said) = run(&["run", "--rerun-failed"]);
    assert!(code == Some(0) && said.contains("PASS relay.rhai"), "{said}");
    let (code, said) = run(&["run", "--rerun-failed"]);
    assert!(code == Some(2) && said.contains("none of them failed when it last ran"), "{said}");
}

#[test]
fn a_list_of_failed_scripts_that_cannot_be_read_fails_only_its_own_option() {
    let folder = folder(&[
        ("good/a.rhai", "connect().expect(220);\n"),
        ("bad/b.rhai", "connect().expect(554);\n"),
    ]);
    let state = tempfile::tempdir().unwrap();
    let run = |home: &Path, args: &[&str]| {
        let mut command = program();
        command.current_dir(folder.path()).env("XDG_STATE_HOME", home).args(args);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(run(state.path(), &["run", "bad"]).0, Some(1));
    let kept = std::fs::read_dir(state.path().join("mailexpect")).unwrap().next().unwrap();
    let kept = kept.unwrap().path();
    // A damaged list is an error for the one who needs it, and the next run begins a new one.
    std::fs::write(&kept, [0xff, 0xfe]).unwrap();
    let (code, said) = run(state.path(), &["run", "--rerun-failed"]);
    assert!(code == Some(1) && said.contains("line 1 is not UTF-8"), "{said}");
    assert!(said.contains(kept.to_str().unwrap()) && said.contains("remove the file"), "{said}");
    assert_eq!(run(state.path(), &["run", "good"]), (Some(0), String::new()));
    assert_eq!(run(state.path(), &["run", "--rerun-failed"]).0, Some(2));
    // A folder in its place, or a state folder that is none, stays as it is.
    std::fs::remove_file(&kept).unwrap();
    std::fs::create_dir(&kept).unwrap();
    for home in [state.path(), Path::new("/dev/null")] {
        assert_eq!(run(home, &["run", "good"]), (Some(0), String::new()));
        let (code, said) = run(home, &["run", "bad"]);
        assert!(code == Some(1) && said.contains("cannot keep which scripts failed"), "{said}");
        let (code, said) = run(home, &["run", "--rerun-failed"]);
        assert!(code == Some(1) && said.contains("set XDG_STATE_HOME"), "{said}");
    }
}
