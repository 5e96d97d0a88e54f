//! The program in a shell: completions, manual pages, and a project to begin with.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::program::{folder, program, run};

/// The candidates of bash for the last piece of a line: the text after the last character that ends
/// a word in bash.
fn completed(folder: &Path, line: &str) -> Vec<String> {
    let piece = line.rsplit([' ', '=', ':', '@']).next().unwrap();
    let code = "source <(mailexpect completions bash); COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=(); \
                _clap_complete_mailexpect mailexpect \"$2\"; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut command = Command::new("bash");
    command.current_dir(folder).env("PATH", path_with_program());
    command.args(["-c", code, "bash", line, piece]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn path_with_program() -> std::ffi::OsString {
    let program = Path::new(env!("CARGO_BIN_EXE_mailexpect")).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths([program].into_iter().chain(std::env::split_paths(&path))).unwrap()
}

#[test]
fn shells_complete_scripts_targets_parameters_presets_and_tags() {
    let folder = folder(&[
        (
            "scripts/relay.rhai",
            "// Relay.\n// tags: smoke\nconnect(param(\"smtp\")); param(\"client\", \"x\");\n",
        ),
        (
            "scripts/my fetch.rhai",
            "// Fetch.\n// tags: slow\nparam(\"imap\"); param(\"password\");\n",
        ),
        ("scripts/notes.txt", "no script"),
        ("mailexpect.toml", "[target.postfix]\nsmtp = \"x\"\n[target.exim]\nsmtp = \"x\"\n"),
    ]);
    let completed = |line: &str| completed(folder.path(), line);
    assert_eq!(completed("mailexpect run scripts/r"), ["scripts/relay.rhai"]);
    assert_eq!(completed("mailexpect run scripts/m"), ["scripts/my\\ fetch.rhai"]);
    assert_eq!(completed("mailexpect run @rel"), ["relay"]);
    assert_eq!(completed("mailexpect run --target "), ["all", "exim", "postfix"]);
    assert_eq!(completed("mailexpect run --target=po"), ["postfix"]);
    assert_eq!(completed("mailexpect diff --target e"), ["exim"]);
    let all = ["client=", "imap=", "password=", "smtp="];
    assert_eq!(completed("mailexpect run --set "), all);
    assert_eq!(completed("mailexpect run scripts/relay.rhai --set "), ["client=", "smtp="]);
    assert_eq!(completed("mailexpect run scripts/relay.rhai --set client="), ["x"]);
    assert_eq!(completed("mailexpect run @lmtp-recipients --set l"), ["lmtp="]);
    assert_eq!(completed("mailexpect @lmtp-recipients --set l"), ["lmtp="]);
    assert_eq!(completed("mailexpect scripts/relay.rhai --set s"), ["smtp="]);
    assert_eq!(completed("mailexpect run --set password=e"), ["env:"]);
    assert_eq!(completed("mailexpect run --set smtp=smtp://localhost --tag "), ["slow", "smoke"]);
    assert_eq!(completed("mailexpect run --strictness c"), ["codes"]);
    assert_eq!(completed("mailexpect eject rel"), ["relay"]);
    assert_eq!(completed("mailexpect reference expect_sil"), ["expect_silence"]);
    let presets = completed("mailexpect run --redact imap,-timing");
    assert!(presets.contains(&"imap,-timing.seconds".to_owned()), "{presets:?}");
    assert!(completed("mailexpect rev").contains(&"review".to_owned()));
}

#[test]
fn each_shell_gets_code_that_asks_the_program() {
    let folder = folder(&[]);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = run(folder.path(), &["completions", shell]);
        assert!(ran.code == Some(0) && ran.out.contains("COMPLETE"), "{shell}: {ran:?}");
    }
    let code = run(folder.path(), &["completions", "bash"]).out;
    let file = folder.path().join("code");
    fs::write(&file, code).unwrap();
    let checked = Command::new("bash").arg("-n").arg(&file).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let folder = folder(&[]);
    let ran = run(folder.path(), &["man", "pages"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for page in ["mailexpect.1", "mailexpect-run.1", "mailexpect-diff.1", "mailexpect-review.1"] {
        let text = fs::read_to_string(folder.path().join("pages").join(page)).unwrap();
        assert!(text.contains(".SH NAME"), "{page}: {text}");
    }
    let page = fs::read_to_string(folder.path().join("pages/mailexpect-run.1")).unwrap();
    assert!(page.contains("MAILEXPECT_TIMEOUT"), "{page}");
    assert!(run(folder.path(), &["man"]).out.contains(".TH mailexpect 1"));
}

#[test]
fn a_new_project_runs_and_is_never_written_over() {
    let folder = folder(&[]);
    let ran = run(folder.path(), &["new", "mail"]);
    assert_eq!(
        ran.out, "written mail/mailexpect.toml\nwritten mail/scripts/hello.rhai\n",
        "{ran:?}"
    );
    let mail = folder.path().join("mail");
    let ran = run(&mail, &["run"]);
    assert!(ran.code == Some(0) && ran.out.contains("PASS scripts/hello.rhai"), "{ran:?}");
    let ran = run(&mail, &["new"]);
    assert!(ran.code == Some(2) && ran.err.contains("is there already"), "{ran:?}");
    fs::write(folder.path().join("Cargo.toml"), "").unwrap();
    let ran = run(folder.path(), &["new"]);
    assert!(ran.code == Some(0) && ran.out.contains("tests/scripts.rs"), "{ran:?}");
}

#[test]
fn a_terminal_has_a_bar_and_a_pipe_has_none() {
    let scripts: Vec<_> =
        (0..4).map(|n| (format!("{n}.rhai"), "connect().expect(220);\n")).collect();
    let scripts: Vec<_> = scripts.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let folder = folder(&scripts);
    let ran = run(folder.path(), &["run", "-j", "1"]);
    assert!(!ran.err.contains('\u{1b}') && !ran.err.contains("4/4"), "{ran:?}");
    let typed = format!("{} run -j 1", env!("CARGO_BIN_EXE_mailexpect"));
    let mut terminal = Command::new("script");
    terminal.current_dir(folder.path()).args(["-qec", &typed, "/dev/null"]);
    terminal
        .env("TERM", "xterm")
        .env("WT_SESSION", "1")
        .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    terminal.env_remove("CI").env_remove("NO_COLOR").stdin(std::process::Stdio::null());
    match terminal.output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(text.contains("/4") && text.contains("PASS"), "{text:?}");
            assert!(text.contains("\u{1b}]9;4;1;50\u{1b}\\"), "{text:?}");
            assert!(text.contains("\u{1b}]9;4;0;0\u{1b}\\"), "{text:?}");
        }
        Err(error) => eprintln!("skipped: script cannot be run: {error}"),
    }
}

#[test]
fn changed_scripts_are_run_again() {
    use std::io::BufRead as _;

    let folder = folder(&[
        ("scripts/a.rhai", "connect().expect(220);\n"),
        ("scripts/b.rhai", "connect().expect(554);\n"),
    ]);
    // `timeout` ends the test if the change it waits for never comes.
    let mut command = Command::new("timeout");
    let mut child = command
        .current_dir(folder.path())
        .args(["60", env!("CARGO_BIN_EXE_mailexpect"), "run", "--watch", "--format", "plain"])
        .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let mut round = || {
        let mut shown = Vec::new();
        for line in lines.by_ref() {
            let line = line.unwrap();
            let is_last = line.contains(" passed") || line.contains(" failed");
            shown.push(line.split(['(', ':']).next().unwrap().trim().to_owned());
            if is_last {
                break;
            }
        }
        shown
    };
    assert_eq!(round(), ["PASS scripts/a.rhai", "FAIL scripts/b.rhai", "1 passed, 1 failed"]);
    fs::write(folder.path().join("scripts/b.rhai"), "connect().expect(220);\n").unwrap();
    assert_eq!(round(), ["PASS scripts/b.rhai", "1 passed"]);
    // The project file lies above the scripts, and applies to all of them.
    fs::write(folder.path().join("mailexpect.toml"), "[run]\n").unwrap();
    assert_eq!(round(), ["PASS scripts/a.rhai", "PASS scripts/b.rhai", "2 passed"]);
    interrupt(child.id());
    assert!(child.wait().unwrap().code().is_some_and(|code| code != 0));
}

#[test]
fn a_variable_that_is_off_conflicts_with_nothing() {
    let folder = folder(&[("a.rhai", "connect().expect(220);\n")]);
    let ran = |name: &str, value: &str, args: &[&str]| {
        program().current_dir(folder.path()).env(name, value).args(args).output().unwrap()
    };
    for (name, value, args) in [
        ("MAILEXPECT_QUIET", "", &["run", "-v"][..]),
        ("MAILEXPECT_QUIET", "Off", &["run", "-v"]),
        ("MAILEXPECT_CHECK", "0", &["run", "--record"]),
    ] {
        let output = ran(name, value, args);
        assert!(output.status.success(), "{name}={value}: {output:?}");
    }
    assert_eq!(ran("MAILEXPECT_QUIET", "1", &["run", "-v"]).status.code(), Some(2));
    // A Nagios plugin reports its state, whatever is wrong.
    let output = ran("MAILEXPECT_FORMAT", "nagios", &["run", "nowhere.rhai"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(output.stdout.starts_with(b"MAIL UNKNOWN"), "{output:?}");
    // The variable applies to `run` only.
    let output = ran("MAILEXPECT_FORMAT", "nagios", &["check", "run"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn twice_verbose_shows_the_time_of_each_line_and_no_golden_holds_it() {
    let script = "let s = connect();\ns.expect(220);\ns.ehlo(\"client.example\");\ns.quit();\n";
    let folder = folder(&[("a.rhai", script)]);
    let times_a_line = |out: &str| {
        let is_time = |word: &str| {
            let (whole, parts) = word.trim_start_matches('+').split_once('.')?;
            (parts.len() == 4 && whole.parse::<u32>().is_ok()).then_some(())
        };
        let lines = out.lines().filter(|line| line.contains(" S: ") || line.contains(" C: "));
        let times = lines.map(|line| line.split_whitespace().take(2).filter_map(is_time).count());
        times.collect::<Vec<_>>()
    };
    let ran = run(folder.path(), &["run", "-v", "--record"]);
    let times = times_a_line(&ran.out);
    assert!(
        ran.code == Some(0) && times.len() > 5 && times.iter().all(|count| *count == 0),
        "{}",
        ran.out
    );
    for args in [&["run", "-vv"][..], &["run", "--verbose", "--verbose"]] {
        let ran = run(folder.path(), args);
        assert!(ran.code == Some(0), "the golden is as it was: {}", ran.out);
        assert!(times_a_line(&ran.out).iter().all(|count| *count == 2), "{}", ran.out);
    }
    let ran = |value: &str| {
        let mut program = program();
        let output =
            program.current_dir(folder.path()).env("MAILEXPECT_VERBOSE", value).arg("run").output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    assert!(times_a_line(&ran("0")).is_empty());
    assert!(
        times_a_line(&ran("yes")).iter().all(|count| *count == 0)
            && !times_a_line(&ran("yes")).is_empty()
    );
    assert!(
        times_a_line(&ran("2")).iter().all(|count| *count == 2)
            && !times_a_line(&ran("2")).is_empty()
    );
}

/// Sends SIGINT to a process, as Ctrl-C does.
fn interrupt(id: u32) {
    assert!(Command::new("kill").args(["-INT", &id.to_string()]).status().unwrap().success());
}
