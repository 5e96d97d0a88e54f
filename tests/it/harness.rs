//! Scripts as tests of a test target, run with the arguments of libtest.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mailexpect::server::Embedded;
use mailexpect::testing::Scripts;

use crate::filters::filtered;
use crate::program::folder;

const GREETING: &str = "// The greeting.\nconnect(param(\"smtp\")).expect(220);\n";

/// The result of a test target with some arguments.
struct Said {
    failed: bool,
    text: String,
}

fn said<F: Send + Sync + 'static>(scripts: Scripts<F>, arguments: &[&str]) -> Said {
    let log = tempfile::NamedTempFile::new().unwrap();
    let arguments =
        [&["scripts", "--test-threads", "1", "--logfile", log.path().to_str().unwrap()], arguments]
            .concat();
    let code = scripts.run_as(arguments);
    assert!([ExitCode::SUCCESS, ExitCode::from(101)].contains(&code), "{code:?}");
    Said { failed: code != ExitCode::SUCCESS, text: std::fs::read_to_string(log.path()).unwrap() }
}

/// The names of the tests with this verdict, or of all that are listed.
fn names(said: &Said, verdict: &str) -> Vec<String> {
    let lines = said.text.lines().filter_map(|line| line.strip_suffix(verdict));
    lines
        .map(|line| line.trim_start_matches("test ").trim_end_matches([' ', '.']).to_owned())
        .collect()
}

/// Three scripts that pass, one of them ignored, and a module.
fn three() -> tempfile::TempDir {
    let slow =
        "// The greeting, with patience.\n// ignored: takes an hour\nconnect().expect(220);\n";
    folder(&[
        ("scripts/relay.rhai", GREETING),
        ("scripts/imap/idle.rhai", GREETING),
        ("scripts/slow.rhai", slow),
        ("scripts/lib/hello.rhai", "fn greet(session) { session.expect(220) }"),
    ])
}

fn scripts(folder: &Path) -> Scripts {
    Scripts::new(folder, "scripts").with(|| (), |(), case| case.embedded())
}

#[test]
fn each_script_of_a_folder_is_a_test_named_by_its_path() {
    let folder = three();
    let all = ["imap/idle", "relay", "slow"];
    for (arguments, listed) in [
        (&["--list"][..], &all[..]),
        (&["--list", "--ignored"], &all[2..]),
        (&["--list", "relay"], &all[1..2]),
    ] {
        let said = said(scripts(folder.path()), arguments);
        assert_eq!(names(&said, ": test"), listed, "{arguments:?}");
    }
    let said = said(scripts(folder.path()), &[]);
    assert_eq!(
        (names(&said, "ok"), said.failed),
        (vec!["imap/idle".into(), "relay".into()], false)
    );
    assert!(said.text.contains("test slow      ... ignored (takes an hour)\n"), "{}", said.text);
}

#[test]
fn libtests_arguments_choose_among_them() {
    let folder = three();
    for (arguments, ran) in [
        (&["idle"][..], &["imap/idle"][..]),
        (&["--exact", "idle"], &[]),
        (&["--exact", "imap/idle"], &["imap/idle"]),
        (&["--skip", "relay"], &["imap/idle"]),
        (&["--ignored"], &["slow"]),
        (&["--include-ignored"], &["imap/idle", "relay", "slow"]),
        // The arguments with which nextest runs an ignored test.
        (&["--exact", "slow", "--nocapture", "--ignored"], &["slow"]),
    ] {
        let said = said(scripts(folder.path()), arguments);
        assert_eq!(
            (&names(&said, "ok")[..], said.failed),
            (&ran.iter().map(ToString::to_string).collect::<Vec<_>>()[..], false)
        );
    }
}

#[test]
fn a_script_that_fails_shows_its_report_and_others_go_on() {
    let folder = folder(&[
        ("scripts/passes.rhai", GREETING),
        (
            "scripts/relays.rhai",
            "// Relaying.\nlet s = connect(param(\"smtp\"));\nprint(\"hi\");\ns.expect(554);\n",
        ),
        ("scripts/skips.rhai", "connect();\nskip(\"no IPv6 here\");\n"),
        ("scripts/wrong.rhai", "// A slip.\nlet s = connect(;\n"),
    ]);
    let json = said(scripts(folder.path()), &["--format", "json"]).text;
    assert!(json.contains("not the one that was expected") && !json.contains("\\u001b"), "{json}");
    let said = said(scripts(folder.path()), &[]);
    assert!(said.failed);
    let filters = [
        (r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:PORT"),
        (r"\d+(\.\d+)? (ms|s|µs) of ", "TIME of "),
        (r"\(\d+(\.\d+)? (ms|s|µs)\)", "(TIME)"),
        (r"finished in .*", "finished in TIME"),
    ];
    let text = said.text.replace(&folder.path().display().to_string(), "FOLDER");
    insta::assert_snapshot!(filtered(&text, &filters));
}

#[test]
fn a_folder_without_scripts_is_a_test_that_fails() {
    for (files, says) in
        [(&[("scripts/lib/hello.rhai", "")][..], "there are no scripts in "), (&[], "there is no ")]
    {
        let folder = folder(files);
        let said = said(scripts(folder.path()), &[]);
        assert!(said.failed && said.text.contains(says), "{}", said.text);
    }
}

#[test]
fn a_fixture_is_started_for_the_first_script_and_dropped_after_the_last() {
    struct Server(Embedded, Arc<AtomicUsize>);
    impl Drop for Server {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }
    let folder = three();
    for (arguments, times) in [(&["--list"][..], 0), (&["nothing"], 0), (&["--include-ignored"], 1)]
    {
        let (started, dropped) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (starts, drops) = (Arc::clone(&started), Arc::clone(&dropped));
        let start = move || {
            starts.fetch_add(1, Ordering::SeqCst);
            Server(Embedded::start().unwrap(), drops)
        };
        let said = said(
            scripts(folder.path()).with(start, |server, case| case.set("smtp", server.0.smtp())),
            arguments,
        );
        assert!(!said.failed, "{}", said.text);
        assert_eq!(
            (started.load(Ordering::SeqCst), dropped.load(Ordering::SeqCst)),
            (times, times),
            "{arguments:?}"
        );
    }
}

#[test]
fn setups_and_teardowns_run_once_around_all_scripts_of_a_folder() {
    let server = Embedded::options().start().unwrap();
    let greeting = "// The greeting.\nassert_eq(fixture().name, \"kim\");\n";
    let told = |word: &str| {
        format!(
            "let s = connect(param(\"smtp\")); s.expect(220); s.ehlo(\"{word}.example\"); \
             s.mail(\"{word}@example.com\"); s.rcpt(\"hoge@example.com\"); s.data(\"Subject: {word}\\r\\n\\r\\nx\\r\\n\"); s.quit();"
        )
    };
    let setup = format!("{} #{{name: \"kim\"}}", told("setup"));
    let folder = folder(&[
        ("scripts/a.rhai", greeting),
        ("scripts/b.rhai", greeting),
        ("scripts/setup.rhai", &setup),
        ("scripts/teardown.rhai", &told("teardown")),
    ]);
    let smtp = server.smtp();
    let given = scripts(folder.path()).with(move || smtp, |smtp, case| case.set("smtp", smtp));
    let said = said(given, &[]);
    assert!(!said.failed, "{}", said.text);
    assert_eq!(names(&said, "ok"), ["a", "b"]);
    let senders: Vec<_> = server.mails().into_iter().map(|mail| mail.from).collect();
    assert_eq!(senders, ["setup@example.com", "teardown@example.com"]);
}

#[test]
fn a_teardown_that_fails_fails_the_target() {
    let folder = folder(&[
        ("scripts/a.rhai", "// The greeting.\nconnect().expect(220);\n"),
        ("scripts/teardown.rhai", "assert_eq(1, 2);"),
    ]);
    let said = said(scripts(folder.path()), &[]);
    assert!(said.failed && names(&said, "ok") == ["a"], "{}", said.text);
}

#[test]
fn scripts_whose_server_does_not_start_fail_with_its_reason() {
    let folder = three();
    let said = said(
        scripts(folder.path()).with(|| -> Embedded { panic!("no port") }, |_, case| case),
        &[],
    );
    assert_eq!(
        said.text.matches("what the scripts need was not started: no port").count(),
        2,
        "{}",
        said.text
    );
}

#[test]
fn a_parameter_that_no_script_has_fails_each_and_one_that_another_has_does_not() {
    let folder = folder(&[
        ("scripts/relay.rhai", GREETING),
        ("scripts/login.rhai", "connect(param(\"imap\")).expect(\"* OK\");\n"),
    ]);
    let given = |name: &'static str| {
        let start = || Embedded::start().unwrap();
        scripts(folder.path())
            .with(start, move |server, case| case.set("smtp", server.smtp()).set(name, "imap://x"))
    };
    let known = said(given("imap"), &["relay"]);
    assert!(!known.failed, "{}", known.text);
    let unknown = said(given("imao"), &["relay"]);
    assert!(unknown.failed && unknown.text.contains("did you mean `imap`?"), "{}", unknown.text);
}

#[test]
fn a_wrong_project_file_fails_the_scripts_and_not_the_list() {
    let folder =
        folder(&[("scripts/relay.rhai", GREETING), ("mailexpect.toml", "[golden]\nstrict = 1\n")]);
    assert_eq!(names(&said(scripts(folder.path()), &["--list"]), ": test"), ["relay"]);
    let said = said(scripts(folder.path()), &[]);
    assert!(said.failed && said.text.contains("mailexpect.toml"), "{}", said.text);
}
