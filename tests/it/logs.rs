//! Logs that a script follows while its dialogue runs.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use mailexpect::outcome::Outcome;
use mailexpect::script::Case;
use tempfile::TempDir;

use crate::filters::filtered;
use crate::peer::answering;
use crate::program::folder;

fn append(log: &Path, text: &str) {
    let mut file = File::options().append(true).create(true).open(log).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// Runs a script in a folder with a `mail.log`. The server calls `log` with the path of the log
/// before it answers `250 2.0.0 Ok: queued as 4dJtW01Zk7z1x` to the first command.
fn ran(script: &str, log: impl Fn(&Path) + Send + Sync + 'static) -> (Outcome, TempDir) {
    let folder = folder(&[("s.rhai", script), ("mail.log", "an old line\n")]);
    let path = folder.path().join("mail.log");
    let server = answering("220 localhost ESMTP\r\n", move |_| {
        log(&path);
        "250 2.0.0 Ok: queued as 4dJtW01Zk7z1x\r\n".into()
    });
    let mut case =
        Case::new(folder.path().join("s.rhai")).set("smtp", format!("smtp://{server}")).allow_run();
    if script.contains("param(\"log\")") {
        case = case.set("log", folder.path().join("mail.log").display());
    }
    (case.run(), folder)
}

const QUEUE: &str = "// Follows.
let log = follow(\"mail.log\");
let s = connect(param(\"smtp\"));
s.expect(220);
s.send(\"NOOP\");
let queued = s.expect(250);
";

const POSTFIX: &str =
    "Nov 29 05:12:31 mx postfix/cleanup[12]: 4dJtW01Zk7z1x: message-id=<1@client.example>
Nov 29 05:12:31 mx postfix/lmtp[13]: 4dJtW99Other0: to=<b@b.example>, relay=other, status=sent (ok)
";

#[test]
fn lines_about_the_message_that_was_sent_are_waited_for_and_stand_in_the_transcript() {
    let script = [
        QUEUE,
        r#"let sent = log.expect(re(`relay=(\S+), .*status=(\w+)`), #{id: queued});
        assert_eq([sent[1], sent[2]], ["mine", "sent"]);
        log.expect("message-id=", #{id: "<1@client.example>"});
        log.expect_delivered("4dJtW99Other0");
        log.refute("an old line");
        log.refute(re(`warning|fatal`));
        s.reset();"#,
    ]
    .concat();
    let sent = "Nov 29 05:12:32 mx postfix/lmtp[13]: 4dJtW01Zk7z1x: to=<a@b.example>, relay=mine, dsn=2.0.0, status=sent (ok)\n";
    let (outcome, _folder) = ran(&script, move |log| append(log, &[POSTFIX, sent].concat()));
    assert!(outcome.is_ok(), "{outcome:#}");
    let shown = format!("{outcome:#}");
    assert!(shown.contains("*** log: Nov 29 05:12:32 mx postfix/lmtp[13]"), "{shown}");
    assert!(!shown.contains("an old line"), "{shown}");
}

#[test]
fn a_log_that_is_rotated_or_comes_later_loses_no_line() {
    let script = [
        QUEUE,
        r#"log.expect("before"); log.expect("in the new file"); log.expect("after");
        let later = follow("later.log");
        s.send("NOOP");
        s.expect(250);
        later.expect("late");
        s.reset();"#,
    ]
    .concat();
    let (outcome, _folder) = ran(&script, |log| {
        append(log, "before\n");
        let rotated = log.with_extension("1");
        if !rotated.exists() {
            fs::rename(log, &rotated).unwrap();
        }
        append(&rotated, "after\n");
        append(log, "in the new file\n");
        append(&log.with_file_name("later.log"), "late\n");
    });
    assert!(outcome.is_ok(), "{outcome:#}");
}

#[test]
fn the_output_of_a_command_can_be_followed() {
    let script = [
        QUEUE,
        r#"let journal = follow(start(["tail", "-n", "+1", "-f", param("log")]));
        journal.expect("an old line");
        journal.expect("a new one");
        s.reset();"#,
    ]
    .concat();
    let (outcome, _folder) = ran(&script, |log| append(log, "a new one\n"));
    assert!(outcome.is_ok(), "{outcome:#}");
}

/// The error text of a script that fails.
fn fails(words: &str, text: &'static str) -> String {
    let (outcome, _folder) = ran(&[QUEUE, words].concat(), move |log| append(log, text));
    assert!(!outcome.is_ok(), "{outcome:#}");
    outcome.failure().unwrap().error.to_string()
}

#[test]
fn a_failure_says_what_the_log_has_and_what_to_do() {
    let bounced = "Nov 29 05:12:32 mx postfix/smtp[13]: 4dJtW01Zk7z1x: to=<a@b.example>, status=bounced (550 no such user)\n";
    let deferred = "Nov 29 05:12:32 mx postfix/smtp[13]: 4dJtW01Zk7z1x: to=<a@b.example>, status=deferred (connect to b.example[192.0.2.1]:25: Connection refused)\n";
    let short = "#{id: queued, timeout: \"200ms\"}";
    let shown = [
        fails("log.expect_delivered(queued);", bounced),
        fails(&format!("log.expect(\"status=sent\", {short});"), deferred),
        fails("log.refute(\"status=bounced\");", bounced),
        fails("log.expect(\"x\", #{timeout: \"50ms\"});", ""),
        fails("follow(\"other.log\").expect(\"x\", #{timeout: \"50ms\"});", ""),
        fails("follow(\"other.log\").refute(\"x\");", ""),
        fails("follow(start(\"cat no-such-log\")).expect(\"x\");", ""),
        fails("log.expect(250);", ""),
        fails("log.expect(\"x\", #{idd: queued});", ""),
        fails("follow(\"/etc/passwd\");", ""),
        fails("log.expect(\"x\", #{id: \"a b\"});", ""),
    ];
    let times = [(r"waited: [\d.]+ m?s", "waited: TIME")];
    insta::assert_snapshot!(filtered(&shown.join("\n\n"), &times));
}

#[test]
fn a_secret_in_a_log_is_masked() {
    let script = [
        "// Follows.\nlet password = param(\"password\");\n",
        QUEUE.trim_start_matches("// Follows.\n"),
        "log.expect(\"pass=\"); log.refute(\"pass=\"); s.reset();",
    ]
    .concat();
    let folder = folder(&[("s.rhai", script.as_str()), ("mail.log", "")]);
    let path = folder.path().join("mail.log");
    let server = answering("220 localhost ESMTP\r\n", move |_| {
        append(&path, "auth: pass=correct-horse refused\n");
        "250 ok\r\n".into()
    });
    let case = Case::new(folder.path().join("s.rhai"));
    let outcome =
        case.set("smtp", format!("smtp://{server}")).set("password", "correct-horse").run();
    let shown = format!("{outcome:#}");
    assert!(shown.contains("pass=") && !shown.contains("correct-horse"), "{shown}");
}

#[test]
fn words_in_another_place_are_no_delivery() {
    for text in [
        "mx postfix/smtp[1]: 4dJtW01Zk7z1x: to=<a@b>, status=deferred (host said: status=sent)\n",
        "mx postfix/qmgr[1]: 4dJtW01Zk7z1x: from=<status=sent@x>, size=1 (queue active)\n",
        "mx postfix/smtp[1]: 4dJtW99Other0: to=<a@b>, status=sent (queued as 4dJtW01Zk7z1x)\n",
    ] {
        let error = fails("log.expect_delivered(queued, #{timeout: \"50ms\"});", text);
        assert!(error.contains("has not come in time"), "{error}");
    }
}
