//! Golden transcripts that wait for review.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Stdio;

use crate::golden::{HELLO, SCRIPT, files, golden, hello, run};
use crate::program::{folder, program};

/// Three pending changes: of `a.rhai`, of `b.rhai`, and of `c.rhai`, which has no golden yet.
fn waiting() -> tempfile::TempDir {
    let golden = |word: &str| format!("---\nsource: x.rhai\n---\nS: 220 {word}\nC: QUIT\n");
    let (old, new) = (golden("old"), golden("new"));
    let names = ["a.snap", "a.snap.new", "b.snap", "b.snap.new", "c.snap.new"];
    let files = names
        .map(|name| (format!("snapshots/{name}"), if name.ends_with("new") { &new } else { &old }));
    folder(&files.each_ref().map(|(name, text)| (&**name, text.as_str())))
}

fn review(folder: &Path, answers: &str) -> String {
    let answered = folder.join("answers");
    fs::write(&answered, answers).unwrap();
    let output = program()
        .stdin(fs::File::open(answered).unwrap())
        .current_dir(folder)
        .arg("review")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn changes_are_reviewed_one_by_one() {
    let folder = waiting();
    insta::assert_snapshot!("review", review(folder.path(), "what\na\nr\ns\n"));
    assert_eq!(files(folder.path()), ["a.snap", "b.snap", "c.snap.new"]);
    assert!(
        golden(folder.path(), "a.snap").contains("new")
            && golden(folder.path(), "b.snap").contains("old")
    );
    assert!(review(folder.path(), "").ends_with("1 still to be reviewed\n"), "nobody answered");
    assert!(review(folder.path(), "A\n").ends_with("1 accepted\n"));
    assert_eq!(review(folder.path(), ""), "nothing to review\n");
}

/// A run writes the transcript anew while the user looks at it.
#[test]
fn what_was_not_shown_is_not_accepted() {
    let folder = waiting();
    let mut child = program()
        .current_dir(folder.path())
        .args(["review", "a.rhai"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut answers, mut shown) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut said = String::new();
    let mut read_to = |end: &str| {
        while !said.ends_with(end) {
            let mut byte = [0];
            assert_eq!(shown.read(&mut byte).unwrap(), 1, "{said}");
            said.push(byte[0].into());
        }
        std::mem::take(&mut said)
    };
    let first = read_to("(q)uit? ");
    assert!(first.contains("220 new"), "{first}");
    let pending = folder.path().join("snapshots/a.snap.new");
    let newer = fs::read_to_string(&pending).unwrap().replace("220 new", "220 newer");
    fs::write(&pending, newer).unwrap();
    answers.write_all(b"a\n").unwrap();
    let again = read_to("(q)uit? ");
    assert!(again.contains("changed snapshots/a.snap") && again.contains("220 newer"), "{again}");
    assert!(golden(folder.path(), "a.snap").contains("old"));
    answers.write_all(b"a\n").unwrap();
    read_to("1 accepted\n");
    assert!(child.wait().unwrap().success() && golden(folder.path(), "a.snap").contains("newer"));
}

#[test]
fn changes_are_accepted_and_rejected_by_name_or_all_at_once() {
    let folder = waiting();
    let decide = |args: &[&str]| run(folder.path(), args, &[]);
    let ran = decide(&["accept"]);
    assert!(ran.code == Some(2) && ran.err.contains("accept --all"), "{ran:?}");
    let ran = decide(&["accept", "a.rhai"]);
    assert_eq!(
        (ran.code, &*ran.out),
        (Some(0), "accepted snapshots/a.snap\n1 accepted\n"),
        "{ran:?}"
    );
    let ran = decide(&["reject", "snapshots/b.snap.new"]);
    assert_eq!((ran.code, &*ran.out), (Some(0), "rejected snapshots/b.snap\n1 rejected\n"));
    let ran = decide(&["accept", "c.txt"]);
    assert_eq!((ran.code, &*ran.out), (Some(0), "accepted snapshots/c.snap\n1 accepted\n"));
    std::fs::rename(
        folder.path().join("snapshots/c.snap"),
        folder.path().join("snapshots/c.snap.new"),
    )
    .unwrap();
    let ran = decide(&["accept", "b.rhai"]);
    assert!(
        ran.code == Some(2) && ran.err.contains("nothing waits for review at b.rhai"),
        "{ran:?}"
    );
    assert_eq!(decide(&["accept", "--all"]).code, Some(0));
    assert_eq!(files(folder.path()), ["a.snap", "b.snap", "c.snap"]);
}

#[test]
fn a_pending_change_is_found_from_anywhere_in_a_workspace() {
    let folder = waiting();
    let member = folder.path().join("other/src");
    std::fs::create_dir_all(&member).unwrap();
    std::fs::write(folder.path().join("Cargo.toml"), "[workspace]\n").unwrap();
    let ran = run(&member, &["review", "--show"], &[]);
    assert!(ran.code == Some(1) && ran.out.contains("../../snapshots/a.snap"), "{ran:?}");
    let ran = run(&member, &["accept", "--all"], &[]);
    assert!(ran.code == Some(0) && ran.out.ends_with("3 accepted\n"), "{ran:?}");
}

#[test]
fn an_empty_transcript_is_never_accepted() {
    let golden = "---\nsource: a.rhai\n---\nS: 220 old\n";
    for empty in ["", "---\nsource: a.rhai\n---\n\n"] {
        let folder = folder(&[("snapshots/a.snap", golden), ("snapshots/a.snap.new", empty)]);
        let ran = run(folder.path(), &["accept", "--all"], &[]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert_eq!(fs::read_to_string(folder.path().join("snapshots/a.snap")).unwrap(), golden);
    }
}

#[test]
fn a_pending_change_is_shown_without_a_terminal_and_by_another_program() {
    let folder = folder(&[("hello.rhai", SCRIPT)]);
    hello(folder.path(), HELLO, &["--record"], &[]);
    let ran = run(folder.path(), &["review", "--show"], &[]);
    assert!(ran.code == Some(0) && ran.out == "nothing to review\n", "{ran:?}");
    hello(folder.path(), &HELLO.replace("SIZE 100", "SIZE 200"), &[], &[]);
    let ran = run(folder.path(), &["review", "--show", "snapshots/hello.snap"], &[]);
    assert!(ran.code == Some(1) && ran.out.contains("SIZE 200"), "{ran:?}");
    assert!(ran.out.ends_with("1 still to be reviewed\n"), "{ran:?}");
    let ran = run(folder.path(), &["review", "--show", "--diff-tool", "diff -U0"], &[]);
    assert!(
        ran.code == Some(1) && ran.out.contains("+++ ") && ran.out.contains("SIZE 200"),
        "{ran:?}"
    );
    let ran = run(folder.path(), &["review", "--show", "--diff-tool", "no-such-tool"], &[]);
    assert!(ran.code == Some(2) && ran.err.contains("cannot show a change"), "{ran:?}");
    assert_eq!(files(folder.path()), ["hello.snap", "hello.snap.new"], "nothing was decided");
}
