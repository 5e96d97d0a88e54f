//! Scripts that are not files of the user: from the command line, from stdin, and shipped with the
//! program.

use std::io::Write as _;
use std::process::Stdio;

use mailexpect::outcome::Outcome;
use mailexpect::script::Case;
use mailexpect::server::Embedded;

use crate::peer::Peer;
use crate::program::{folder, program, run};
use crate::real::{available, with_parameters};
use crate::servers::{Server, exim, mailserver, sendmail};

#[test]
fn code_of_the_command_line_speaks_with_the_server_beside_it() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    let code = "s.expect(220); s.ehlo(\"x\")";
    let host = server.smtp().trim_start_matches("smtp://").to_owned();
    for named in [server.smtp(), host.clone()] {
        let ran = run(folder.path(), &["run", "-e", code, &named]);
        assert_eq!((ran.code, ran.out.contains("PASS -e")), (Some(0), true), "{ran:?}");
    }
    let ran = run(folder.path(), &["run", "-e", "s.expect(554)", &server.smtp()]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("; s.expect(554)\n") && ran.out.contains("expected: 554"), "{ran:?}");
    let ran =
        run(folder.path(), &["run", "-e", "assert_eq(s.protocol, \"POP3\")", "127.0.0.1:110"]);
    assert!(ran.out.contains("pop3://127.0.0.1:110") || ran.code == Some(0), "{ran:?}");
    let ran = run(folder.path(), &["@relay", "::1"]);
    assert!(ran.out.contains("smtp://[::1]"), "{ran:?}");
    let ran = run(folder.path(), &["run", "-", &host]);
    assert!(!ran.err.contains("there is no"), "{ran:?}");
    let ran = run(folder.path(), &["run", "-e", "connect().expect(220)"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn a_script_on_stdin_runs_against_the_server_that_is_named() {
    let server = Embedded::start().unwrap();
    let mut child = program()
        .args(["run", "-", &server.smtp()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let script = "// On stdin.\nlet s = connect(param(\"smtp\"));\ns.expect(221);\n";
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{out}");
    assert!(out.contains("FAIL -") && out.contains("On stdin.") && out.contains("-:3:3"), "{out}");
    assert!(out.contains(&server.smtp()), "{out}");
}

#[test]
fn a_script_inside_of_the_program_is_run_by_its_name_and_by_the_name_alone() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    for args in [vec!["run", "@relay"], vec!["@relay"]] {
        let url = server.smtp();
        let ran = run(folder.path(), &[args, vec![url.as_str(), "-v"]].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.out.contains("PASS @relay") && ran.out.contains(&url), "{ran:?}");
    }
    let ran = run(folder.path(), &["@rely"]);
    assert_eq!((ran.code, ran.err.contains("did you mean @relay?")), (Some(2), true), "{ran:?}");
}

#[test]
fn a_golden_of_a_script_inside_of_the_program_lies_in_the_current_folder() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    let ran = run(folder.path(), &["@relay", &server.smtp(), "--record"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(folder.path().join("snapshots/@relay.snap").exists());
    let ran = run(folder.path(), &["@relay", &server.smtp()]);
    assert!(ran.out.contains("as in snapshots/@relay.snap"), "{ran:?}");
    let ran = run(folder.path(), &["run", "-e", "s.expect(220)", &server.smtp(), "--record"]);
    assert_eq!((ran.code, ran.err.contains("has no golden")), (Some(2), true), "{ran:?}");
}

#[test]
fn every_script_inside_of_the_program_is_listed_with_its_title_and_can_be_ejected() {
    let folder = folder(&[]);
    let listed = run(folder.path(), &["list", "--shipped"]).out;
    let names: Vec<_> = listed.lines().map(|line| line.split("  ").next().unwrap()).collect();
    assert!(names.contains(&"@relay") && names.contains(&"@smoke"), "{listed}");
    assert!(listed.lines().all(|line| line.split("  ").count() == 2), "without a title: {listed}");
    let ran = run(folder.path(), &[&["eject"], &names[..]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for name in &names {
        assert!(folder.path().join(format!("{}.rhai", &name[1..])).exists(), "{name}");
    }
    let ran = run(folder.path(), &["check"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = run(folder.path(), &["eject", "relay"]);
    assert_eq!((ran.code, ran.err.contains("--force replaces it")), (Some(2), true), "{ran:?}");
    let ran = run(folder.path(), &["eject", "relay", "--force"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn a_server_is_the_parameter_of_its_scheme_or_of_its_protocol() {
    let script =
        "connect(param(\"submission\")).expect(220);\nconnect(param(\"imap\")).expect(\"* OK\");\n";
    let folder = folder(&[("both.rhai", script)]);
    let complaint = |servers: &[&str]| {
        let ran = run(folder.path(), &[&["run", "both.rhai"], servers].concat());
        assert_eq!(ran.code, Some(2), "{ran:?}");
        ran.err
    };
    let err = complaint(&["smtp://127.0.0.1:9"]);
    assert!(err.contains("more servers than were named") && err.contains("imap://HOST"), "{err}");
    let err = complaint(&["smtp://127.0.0.1:9", "pop3://127.0.0.1:9"]);
    assert!(err.contains("no use for the server pop3://127.0.0.1:9"), "{err}");
    let ran =
        run(folder.path(), &["run", "both.rhai", "smtps://127.0.0.1:9", "imap://127.0.0.1:9"]);
    assert!(ran.code == Some(3) && ran.out.contains("smtps://127.0.0.1:9"), "{ran:?}");
}

#[test]
fn a_script_that_does_not_compile_says_so_with_servers_too() {
    let wrong = "let s = connect(param(\"smtp\"));\ns.expect(220)\ns.quit();\n";
    let import = "import \"a\" as a;\nconnect(param(\"smtp\"));\n";
    let folder = folder(&[("a.rhai", wrong), ("b.rhai", import)]);
    for script in ["a.rhai", "b.rhai"] {
        for server in [&["smtp://127.0.0.1:1"][..], &["imap://127.0.0.1:1", "smtp://127.0.0.1:1"]] {
            let run = |more: &[&str]| run(folder.path(), &[more, &[script], server].concat());
            for ran in [run(&["run"]), run(&["watch", "--count", "1"])] {
                assert!(ran.code == Some(2) && ran.err.is_empty(), "{ran:?}");
                assert!(ran.out.contains("xpecting ';'"), "{ran:?}");
            }
        }
    }
}

#[test]
fn a_parameter_with_a_computed_name_takes_the_server_of_its_scheme() {
    let script = "for name in [\"smtp\"] { connect(param(name)); }\n";
    let folder = folder(&[("a.rhai", script)]);
    let ran = run(folder.path(), &["run", "a.rhai", "smtp://127.0.0.1:1"]);
    assert!(ran.code == Some(3) && ran.out.contains("smtp://127.0.0.1:1"), "{ran:?}");
}

#[test]
fn all_parameters_that_are_missing_are_named_at_once() {
    let script = "let a = param(\"user\");\nlet b = param(\"mailbox\");\nlet c = param(\"d\", 1);\n\
                  connect(param(\"imap_password\"));\n";
    let folder = folder(&[("a.rhai", script)]);
    let ran = run(folder.path(), &["run", "a.rhai", "--set", "user=hoge"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(
        ran.out.contains("the parameters `imap_password` and `mailbox` have no value"),
        "{ran:?}"
    );
    assert!(ran.out.contains("--set imap_password=env:NAME --set mailbox=..."), "{ran:?}");
}

/// The shipped scripts that need only a server for sending mail.
pub(crate) const OF_MAIL: [&str; 12] = [
    "@exchange-login",
    "@op25b",
    "@ports",
    "@postfix-auth",
    "@relay",
    "@sendmail-587-auth",
    "@smoke",
    "@smtps",
    "@starttls",
    "@submission",
    "@submission-requires-auth",
    "@typeahead",
];

/// The shipped scripts that need mailboxes.
pub(crate) const OF_MAILBOXES: [&str; 7] = [
    "@delivery",
    "@dovecot-pop3",
    "@dovecot-pop3-refused",
    "@imap-fetch",
    "@imap-idle",
    "@lmtp-recipients",
    "@managesieve",
];

fn judged(script: &str, server: &Server, more: &[(&str, String)]) -> Outcome {
    let case = with_parameters(Case::new(script), server);
    more.iter().fold(case, |case, (name, value)| case.set(*name, value)).run()
}

fn passes(script: &str, server: &Server, more: &[(&str, String)]) {
    let outcome = judged(script, server, more);
    let report = format!("{outcome:#}");
    assert!(outcome.is_ok(), "{report}\n{}", server.log());
    assert!(!report.contains("open relay"), "{report}");
}

fn tells_its_version(server: &Server) {
    let outcome = judged("@banner", server, &[]);
    let failure =
        outcome.failure().unwrap_or_else(|| panic!("no version in a greeting that has one"));
    assert!(failure.error.message().contains("tells the version"), "{}", failure.error);
}

#[test]
fn every_shipped_script_is_tried_on_some_real_server() {
    let tried = [&OF_MAIL[..], &OF_MAILBOXES, &["@banner", "@sendmail-25-noauth"]].concat();
    let listed = run(folder(&[]).path(), &["list", "--shipped"]).out;
    for name in listed.lines().map(|line| line.split("  ").next().unwrap()) {
        assert!(tried.contains(&name), "{name}");
    }
}

#[test]
fn the_scripts_inside_of_the_program_judge_postfix_and_dovecot_rightly() {
    let Some(server) = available(mailserver::start()) else { return };
    for script in [&OF_MAIL[..], &OF_MAILBOXES, &["@banner", "@sendmail-25-noauth"]].concat() {
        passes(script, &server, &[]);
    }
    passes(
        "@submission-requires-auth",
        &server,
        &[("submission", server.parameter("submission_tls"))],
    );
}

#[test]
fn the_scripts_inside_of_the_program_judge_exim_rightly() {
    let Some(server) = available(exim::start()) else { return };
    for script in OF_MAIL.into_iter().chain(["@sendmail-25-noauth"]) {
        passes(script, &server, &[]);
    }
    tells_its_version(&server);
}

#[test]
fn the_scripts_inside_of_the_program_judge_sendmail_rightly() {
    let Some(server) = available(sendmail::start()) else { return };
    for script in OF_MAIL {
        passes(script, &server, &[]);
    }
    passes("@sendmail-25-noauth", &server, &[("smtp", server.parameter("noauth"))]);
    tells_its_version(&server);
}

#[test]
fn a_refusal_of_any_kind_is_right_and_an_open_relay_is_named() {
    let dialogue = |mail: &str, rest: &str| {
        let rcpt = format!("C: RCPT TO:<test-user@yahoo.co.jp>\n{rest}");
        let rcpt = if mail.starts_with('2') { rcpt } else { String::new() };
        format!(
            "S: 220 hi\nC: EHLO client.example\nS: 250 hi\nC: MAIL FROM:<hoge@example.com>\nS: {mail}\n{rcpt}\
             C: DATA\nS: 503 RCPT first\nC: QUIT\nS: 221 bye\nclose"
        )
    };
    for (mail, rcpt) in [
        ("250 ok", "550 5.7.1 Relaying denied"),
        ("250 ok", "554 5.7.1 Relay access denied"),
        ("250 ok", "503 5.7.1 authenticate first"),
        ("250 ok", "451 4.7.1 greylisted"),
        ("250 ok", "454 4.7.1 Relay access denied"),
        ("530 5.7.0 Authentication required", ""),
    ] {
        let peer = Peer::parse(&dialogue(mail, &format!("S: {rcpt}\n")));
        let outcome = Case::new("@relay").set("smtp", peer.url("smtp")).run();
        assert!(outcome.is_ok(), "{mail} {rcpt}: {outcome:#}");
    }
    let peer = Peer::parse(&dialogue("250 ok", "S: 250 2.1.5 ok\n"));
    let outcome = Case::new("@relay").set("smtp", peer.url("smtp")).run();
    let failure = outcome.failure().unwrap();
    assert!(
        failure.error.message().contains("from a client that did not authenticate: 250 2.1.5 ok")
    );
}

#[test]
fn ports_that_are_open_and_were_to_be_closed_are_named() {
    let server = Embedded::start().unwrap();
    let url = server.smtp();
    let port = url.rsplit(':').next().unwrap();
    let folder = folder(&[]);
    let ports = |open: &str, closed: &str| {
        let (open, closed) = (format!("open={open}"), format!("closed={closed}"));
        run(folder.path(), &["@ports", &url, "--set", &open, "--set", &closed])
    };
    assert_eq!(ports(port, "1").code, Some(0));
    let ran = ports("", port);
    assert_eq!(
        (ran.code, ran.out.contains(&format!("port {port} of 127.0.0.1 is open"))),
        (Some(1), true),
        "{ran:?}"
    );
    assert_eq!(ports("1", "").code, Some(3));
    // A text that is no port must not count as a closed port.
    for wrong in ["99999", "nonsense"] {
        assert_eq!(ports("", wrong).code, Some(2), "{wrong}");
    }
    let ran = run(folder.path(), &["@op25b", "smtp://no.invalid", &server.submission()]);
    assert!(ran.code == Some(3) && ran.out.contains("cannot be found"), "{ran:?}");
    assert!(!ran.out.contains("blocked"), "{ran:?}");
}

#[test]
fn a_shipped_script_is_written_to_a_folder_that_is_made_for_it() {
    let folder = folder(&[]);
    let ran = run(folder.path(), &["eject", "relay", "--into", "a/scripts"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(folder.path().join("a/scripts/relay.rhai").is_file());
}
