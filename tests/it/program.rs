//! The program as its users run it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::peer::Peer;

/// The result of a run of the program.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailexpect"));
    for name in [
        "NO_COLOR",
        "CLICOLOR_FORCE",
        "CI",
        "TF_BUILD",
        "INSTA_UPDATE",
        "INSTA_FORCE_PASS",
        "INSTA_SNAPSHOT_REFERENCES_FILE",
        "GITHUB_ACTIONS",
    ] {
        command.env_remove(name);
    }
    command.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command.stdin(Stdio::null());
    command
}

pub(crate) fn run(folder: &Path, args: &[&str]) -> Ran {
    let output = program().current_dir(folder).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Makes a folder with these scripts.
pub(crate) fn folder(scripts: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in scripts {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

pub(crate) fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) const GREETING: &str = "// The greeting.\nconnect(param(\"smtp\")).expect(220);\n";

pub(crate) const GREETING_AND_QUIT: &str =
    "let s = connect(param(\"smtp\")); s.expect(220); s.send(\"QUIT\"); s.expect(221);";

#[test]
fn the_shipped_scripts_pass_against_the_embedded_server() {
    let ran = run(&project(), &["run", "scripts"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.out.contains("PASS scripts/relay.rhai") && ran.out.contains("3 passed"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains('\x1b'), "no colours where nobody looks");
}

#[test]
fn the_shipped_scripts_have_nothing_to_find_and_are_listed() {
    let ran = run(&project(), &["check", "scripts"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = run(&project(), &["list", "--verbose"]);
    insta::assert_snapshot!(ran.out);
}

#[test]
fn the_worst_exit_code_wins() {
    let wrong = "conect();\n";
    let failing = "connect().expect(554);\n";
    let unreachable = "connect(\"smtp+unix:///no/such/socket\").expect(220);\n";
    for (scripts, code) in [
        (vec![("a.rhai", GREETING)], 0),
        (vec![("a.rhai", GREETING), ("b.rhai", failing)], 1),
        (vec![("a.rhai", wrong), ("b.rhai", failing)], 2),
        (
            vec![
                ("a.rhai", unreachable),
                ("b.rhai", wrong),
                ("c.rhai", failing),
                ("d.rhai", GREETING),
            ],
            3,
        ),
    ] {
        let folder = folder(&scripts);
        let ran = run(folder.path(), &["run"]);
        assert_eq!(ran.code, Some(code), "{ran:?}");
    }
}

#[test]
fn paths_are_files_folders_and_globs_each_script_once() {
    let folder = folder(&[
        ("a.rhai", GREETING),
        ("sub/b.rhai", GREETING),
        ("lib/c.rhai", "fn f() {}"),
        ("d.txt", "no"),
    ]);
    let listed = |args: &[&str]| {
        run(folder.path(), &[&["list"], args].concat())
            .out
            .lines()
            .filter(|line| !line.starts_with(' '))
            .map(|line| line.split("  ").next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(&[]), ["a.rhai", "sub/b.rhai"]);
    assert_eq!(listed(&["sub"]), ["sub/b.rhai"]);
    assert_eq!(
        listed(&["*/*.rhai", "a.rhai", "sub/b.rhai"]),
        ["lib/c.rhai", "sub/b.rhai", "a.rhai"]
    );
}

#[test]
fn a_wrong_command_line_says_what_would_be_right() {
    let folder = folder(&[(
        "relay.rhai",
        "// Relay.\nlet s = connect(param(\"smtp\")); s.expect(220); param(\"client\", \"x\");",
    )]);
    for (args, words) in [
        (&["run", "relay"][..], &["there is no relay", "did you mean relay.rhai?"][..]),
        (&["run", "nowhere"], &["there is no nowhere"]),
        (&["run", "*.txt"], &["there are no scripts in *.txt"]),
        (
            &["run", "--set", "smpt=x", "relay.rhai"],
            &["the script has no parameter `smpt`", "did you mean `smtp`?"],
        ),
        (&["run", "--set", "smtp", "relay.rhai"], &["name=value"]),
        (
            &["run", "--set", "client=a", "--set", "client=b", "relay.rhai"],
            &["`client` is set twice"],
        ),
        (&["run", "--timeout", "soon", "relay.rhai"], &["`soon` is not a duration", "500ms"]),
        (&["run", "--timeout", "0", "relay.rhai"], &["a deadline of 0"]),
        (&["run", "--colour", "relay.rhai"], &["--color"]),
        (&["run", "--retires", "2"], &["'--retries'"]),
        (&["rnu"], &["unrecognized subcommand"]),
    ] {
        let ran = run(folder.path(), args);
        assert_eq!(ran.code, Some(2), "{args:?} {ran:?}");
        for word in words {
            assert!(ran.err.contains(word), "{args:?}: {word:?} is not in {}", ran.err);
        }
    }
}

#[test]
fn an_option_that_is_like_no_other_is_not_taken_for_one() {
    for option in ["--repair", "--redo", "--target-host"] {
        let ran = run(&project(), &["run", option]);
        assert_eq!(ran.code, Some(2));
        assert!(
            ran.err.contains("unexpected argument") && !ran.err.contains("similar"),
            "{}",
            ran.err
        );
    }
}

#[test]
fn help_fits_80_columns() {
    for command in [
        "",
        "run",
        "check",
        "list",
        "review",
        "accept",
        "reject",
        "redact",
        "serve",
        "clients",
        "probe",
        "watch",
        "doctor",
        "import",
        "talk",
        "send",
        "sasl",
        "base64",
        "explain",
        "diff",
        "reference",
        "eject",
        "new",
        "completions",
        "man",
        "report",
        "record",
        "schema",
    ] {
        let args: Vec<_> = [command, "--help"].into_iter().filter(|arg| !arg.is_empty()).collect();
        let ran = run(&project(), &args);
        assert_eq!(ran.code, Some(0));
        let mut before = "";
        for line in ran.out.lines() {
            assert!(line.chars().count() <= 80, "{command}: {line}");
            // A line of the help text is longer than 80 columns if its last words stand alone on
            // the next line and the text goes on after them.
            let is_rest = !before.is_empty() && before.len() + line.len() > 80 && line.len() < 12;
            let is_broken = is_rest && !line.starts_with(' ') && !line.ends_with('.');
            let is_title = ran.out.starts_with(before);
            assert!(!is_broken || is_title, "{command}: {before} / {line}");
            before = line;
        }
    }
}

#[test]
fn parameters_reach_the_script_in_the_type_of_their_default() {
    let script = r#"// Parameters.
        let n = param("n", 1);
        let on = param("on", false);
        let text = param("text", "a");
        assert_eq([n + 1, on, text], [43, true, "x=y"]);
    "#;
    let folder = folder(&[("p.rhai", script)]);
    let ran =
        run(folder.path(), &["run", "--set", "n=42", "--set", "on=true", "--set", "text=x=y"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = run(folder.path(), &["run", "--set", "n=many"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.out.contains("the parameter `n` is `many`, and has to be an integer"),
        "{}",
        ran.out
    );
}

#[test]
fn a_skipped_script_is_neither_passed_nor_failed() {
    let folder = folder(&[("a.rhai", "// Skips.\nskip(\"not here\");")]);
    let ran = run(folder.path(), &["run"]);
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.out.contains("SKIP a.rhai")
            && ran.out.contains("skipped: not here")
            && ran.out.contains("1 skipped"),
        "{}",
        ran.out
    );
}

#[test]
fn an_interrupt_ends_the_script_where_it_is_and_leaves_its_transcript() {
    let peer = Peer::parse("S: 220 hi\nC\nstall");
    let script = "// Waits.\nlet s = connect(param(\"smtp\"));\ns.expect(220);\nprint(\"ready\");\ns.send(\"NOOP\");\ns.expect(250, #{timeout: \"1h\"});\n";
    let folder = folder(&[("a.rhai", script)]);
    let set = format!("smtp={}", peer.url("smtp"));
    let child = program()
        .current_dir(folder.path())
        .args(["run", "--set", &set])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The peer reads the command when the script has sent it. From then on, the script waits for
    // the reply.
    let pid = child.id().to_string();
    peer.wait_until_heard(b"NOOP\r\n");
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(130), "{out}");
    assert!(
        out.contains("STOP a.rhai")
            && out.contains("interrupted")
            && out.contains("--> a.rhai:6:3"),
        "{out}"
    );
    assert!(out.contains("C: NOOP"), "the transcript is there: {out}");
}

#[test]
fn the_server_in_the_foreground_shows_each_dialogue_and_ends_with_an_interrupt() {
    use std::io::{BufRead as _, BufReader};
    let files = folder(&[]);
    let mut child = program()
        .current_dir(files.path())
        .args(["serve", "--ca", "ca.pem"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    let url = first.split(' ').find(|word| word.starts_with("submission://")).unwrap().to_owned();
    let ca = lines.by_ref().find(|line| line.contains("CA in ca.pem"));
    let trusted = format!("ca={}", files.path().join("ca.pem").display());
    let args = ["run", "scripts/submission.rhai", &url, "--set", &trusted];
    let ran = run(&project(), &args);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ca.is_some()
            && std::fs::read_to_string(files.path().join("ca.pem"))
                .unwrap()
                .contains("BEGIN CERTIFICATE")
    );
    let shown: Vec<_> = lines.by_ref().take_while(|line| !line.contains("closed")).collect();
    assert!(shown.iter().any(|line| line == "s1 C: AUTH LOGIN"), "{shown:?}");
    assert!(
        shown.iter().any(|line| line == "s1 C: [SECRET]")
            && !shown.iter().any(|line| line.contains("cHBwd3d3")),
        "{shown:?}"
    );
    assert!(
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success()
    );
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_long_chain_of_imports_is_told_so() {
    let modules: Vec<_> = (0..400)
        .map(|n| (format!("m{n}.rhai"), format!("import \"m{}\" as next;", n + 1)))
        .collect();
    let mut files: Vec<_> =
        modules.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    files.push(("m400.rhai", "let x = 1;"));
    let folder = folder(&files);
    for command in ["check", "run"] {
        let ran = run(folder.path(), &[command, "m0.rhai"]);
        assert_eq!(ran.code, Some(2), "{command}: {}", ran.out);
        assert!(ran.out.contains("import"), "{command}: {}", ran.out);
    }
}

#[test]
fn modules_are_imported_from_beside_the_script_and_from_the_tool() {
    let folder = folder(&[
        (
            "a.rhai",
            "// Imports.\nimport \"lib/hello\" as hello;\nimport \"mailexpect/smtp\" as smtp;\nlet s = connect();\nhello::hello(s);\nsmtp::quit(s);\n",
        ),
        (
            "lib/hello.rhai",
            "import \"deeper/words\" as words;\nfn hello(s) { import \"deeper/words\" as words; s.expect(words::GREETING) }\n",
        ),
        ("lib/deeper/words.rhai", "export const GREETING = 220;\n"),
    ]);
    let ran = run(folder.path(), &["run", "a.rhai"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn outcomes_are_shown_in_the_order_of_the_scripts_whichever_ends_first() {
    let slow = "let s = connect(param(\"smtp\")); s.expect(220); s.expect_silence(\"300ms\"); s.send(\"QUIT\"); s.expect(221);";
    let folder =
        folder(&[("a.rhai", slow), ("b.rhai", GREETING_AND_QUIT), ("c.rhai", GREETING_AND_QUIT)]);
    let ran = run(folder.path(), &["run", "-j", "3", "."]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let order: Vec<_> =
        ["PASS a.rhai", "PASS b.rhai", "PASS c.rhai"].map(|line| ran.out.find(line)).into();
    assert!(order.is_sorted() && order.iter().all(Option::is_some), "{}", ran.out);
}
