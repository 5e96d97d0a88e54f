//! `mailexpect import`: dialogues of other tools become scripts that pass with a server that says
//! the same, and fail with a server that does not.

use std::io::Write as _;
use std::process::Stdio;

use mailexpect::server::Replay;

use crate::program::{Ran, folder, program, run};

/// An imported file, and its script, which has been checked.
pub(crate) struct Imported {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) script: String,
    pub(crate) said: String,
}

pub(crate) fn import(name: &str, text: &str) -> Imported {
    let folder = folder(&[(name, text)]);
    let ran = run(folder.path(), &["import", name, "-o", "script.rhai"]);
    assert_eq!(ran.code, Some(0), "{name}: {ran:?}");
    let script = std::fs::read_to_string(folder.path().join("script.rhai")).unwrap();
    let checked = run(folder.path(), &["check", "script.rhai"]);
    assert_eq!(checked.code, Some(0), "{script}\n{checked:?}");
    Imported { folder, script, said: ran.err }
}

impl Imported {
    pub(crate) fn run(&self, set: &[String]) -> Ran {
        let mut args = vec!["run", "script.rhai", "--timeout", "3s"];
        for set in set {
            args.extend(["--set", set]);
        }
        run(self.folder.path(), &args)
    }

    /// Runs the script with servers that play these dialogues. Each server belongs to a parameter.
    pub(crate) fn holds(&self, servers: &[(&str, &str, &str)], set: &[&str]) {
        let replays: Vec<_> = servers
            .iter()
            .map(|(param, scheme, dialogue)| (param, scheme, Replay::start(dialogue).unwrap()))
            .collect();
        let mut params: Vec<_> = replays
            .iter()
            .map(|(param, scheme, replay)| format!("{param}={}", replay.url(scheme)))
            .collect();
        params.extend(set.iter().map(|set| (*set).to_owned()));
        let ran = self.run(&params);
        assert_eq!(ran.code, Some(0), "{}\n{ran:?}", self.script);
        for (_, _, replay) in replays {
            replay.finish().unwrap();
        }
    }

    /// The same for a dialogue with one different reply, which must fail.
    pub(crate) fn fails(&self, param: &str, scheme: &str, dialogue: &str) {
        let replay = Replay::start(dialogue).unwrap();
        let ran = self.run(&[format!("{param}={}", replay.url(scheme))]);
        assert_eq!(ran.code, Some(1), "{}\n{ran:?}", self.script);
        replay.leave();
    }
}

pub(crate) const TELNET: &str = "\
# A session, as somebody pasted it.
$ telnet mail.example.com 25   <- from outside
Trying 192.0.2.1...
Connected to mail.example.com (192.0.2.1).
Escape character is '^]'.
220 mail.example.com ESMTP unknown
EHLO mail.example.com
250-mail.example.com
250-SIZE 10485760
250-AUTH DIGEST-MD5 PLAIN LOGIN CRAM-MD5
250 DSN

The password is the one of last week.
AUTH PLAIN AHNhbXBsZQBwYXNzd29yZA==   \u{2190} base64
235 2.0.0 Authentication successful
MAIL FROM:sample@example.com
250 2.1.0 Ok
RCPT TO:sample@gmail.com
250 2.1.5 Ok
DATA
354 End data with <CR><LF>.<CR><LF>
SUBJECT this is test

220 is no reply here
.
250 2.0.0 Ok: queued as 526562BE062
QUIT
221 2.0.0 Bye
Connection closed by foreign host.
$ perl -MMIME::Base64 -e 'print 1'
[root@mail ~]# telnet localhost 110
Trying ::1...
telnet: connect to address ::1: Connection refused
Trying 127.0.0.1...
Connected to localhost.
Escape character is '^]'.
+OK POP3 ready.
USER sample
+OK
PASS password
+OK Logged in.
LIST
+OK 1 messages:
1 1795
.
QUIT
+OK Logging out.
Connection closed by foreign host.
";

pub(crate) const SMTP: &str = "
S: 220 mail.example.com ESMTP unknown
C: EHLO mail.example.com
S: 250-mail.example.com
S: 250-SIZE 10485760
S: 250-AUTH DIGEST-MD5 PLAIN LOGIN CRAM-MD5
S: 250 DSN
C: AUTH PLAIN AHNhbXBsZQBwYXNzd29yZA==
S: 235 2.0.0 Authentication successful
C: MAIL FROM:sample@example.com
S: 250 2.1.0 Ok
C: RCPT TO:sample@gmail.com
S: 250 2.1.5 Ok
C: DATA
S: 354 End data with <CR><LF>.<CR><LF>
C: SUBJECT this is test
C:
C: 220 is no reply here
C: .
S: 250 2.0.0 Ok: queued as 9E3F12BE0AA
C: QUIT
S: 221 2.0.0 Bye
close";

pub(crate) const POP3: &str = "
S: +OK POP3 ready.
C: USER sample
S: +OK
C: PASS password
S: +OK Logged in.
C: LIST
S: +OK 1 messages:
S: 1 1795
S: .
C: QUIT
S: +OK Logging out.
close";

#[test]
fn a_telnet_session_with_remarks_and_prompts_is_a_script_of_both_dialogues() {
    let imported = import("session.txt", TELNET);
    insta::assert_snapshot!(imported.script);
    insta::assert_snapshot!(imported.said);
    imported.holds(&[("smtp", "smtp", SMTP), ("pop3", "pop3", POP3)], &[]);
}

#[test]
fn another_reply_of_the_server_fails_the_imported_script() {
    let smtp = TELNET.split("$ perl").next().unwrap();
    let imported = import("session.txt", smtp);
    for (was, now) in [
        ("250 2.1.5 Ok", "550 5.1.1 no such user"),
        ("250-SIZE 10485760", "250-SIZE 1"),
        ("235 2.0.0 Authentication successful", "235 2.7.0 Authentication successful"),
        ("queued as 9E3F12BE0AA", "discarded"),
    ] {
        imported.fails("smtp", "smtp", &SMTP.replace(was, now));
    }
}

#[test]
fn commands_that_were_typed_ahead_are_sent_ahead() {
    let text = "$ telnet localhost 2525\nTrying ::1...\nConnected to localhost.\n220 a42502410059 smtp4dev ready\n\
        helo user.sample.com\nmail from:<a@sample.com>\nrcpt to:<b@sample.com>\nquit\n\
        250 Nice to meet you\n250 New message started\n250 Recipient accepted\nConnection closed by foreign host.\n";
    let imported = import("ahead.txt", text);
    assert!(imported.script.contains("s.pipeline(["), "{}", imported.script);
    let dialogue = "S: 220 a42502410059 smtp4dev ready\nC: helo user.sample.com\nC: mail from:<a@sample.com>\n\
        C: rcpt to:<b@sample.com>\nC: quit\nS: 250 Nice to meet you\nS: 250 New message started\n\
        S: 250 Recipient accepted\nclose";
    imported.holds(&[("smtp", "smtp", dialogue)], &[]);
}

#[test]
fn a_port_that_could_not_be_reached_is_expected_to_be_so() {
    let refused = "$ telnet 127.0.0.1 1\nTrying 127.0.0.1...\n\
        telnet: Unable to connect to remote host: Connection refused\n";
    let imported = import("refused.txt", refused);
    assert!(imported.script.contains("expect_port("), "{}", imported.script);
    assert_eq!(imported.run(&[]).code, Some(0), "{}", imported.script);
}

#[test]
fn input_of_nc_expects_success() {
    let text = "EHLO mail\nMAIL FROM:<a@b.example>\nRCPT TO:<c@d.example>\nDATA\nSubject: x\n\nhi\n.\nQUIT\n";
    let imported = import("nc.txt", text);
    let dialogue = "S: 220 hi\nC: EHLO mail\nS: 250-hi\nS: 250 SIZE\nC: MAIL FROM:<a@b.example>\nS: 250 ok\n\
        C: RCPT TO:<c@d.example>\nS: 251 ok\nC: DATA\nS: 354 go\nC: Subject: x\nC:\nC: hi\nC: .\nS: 250 ok\n\
        C: QUIT\nS: 221 bye\nclose";
    imported.holds(&[("smtp", "smtp", dialogue)], &[]);
    imported.fails("smtp", "smtp", &dialogue.replace("251 ok", "451 later"));
}

#[test]
fn a_file_without_a_dialogue_is_an_error_that_says_how_it_was_read() {
    let folder = folder(&[("notes.txt", "Dear diary,\ntoday I set up a server.\n")]);
    let ran = run(folder.path(), &["import", "notes.txt"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("there is no dialogue in notes.txt"), "{}", ran.err);
    assert!(ran.err.contains("line 1: not read: Dear diary"), "{}", ran.err);
    let ran = run(folder.path(), &["import", "notes.txt", "--from", "telnt"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("did you mean telnet?"), "{}", ran.err);
    let again = run(folder.path(), &["import", "no.txt"]);
    assert!(again.err.contains("cannot read no.txt"), "{}", again.err);
    std::fs::write(folder.path().join("a.txt"), "S: 220 hi\nC: QUIT\nS: 221 bye\n").unwrap();
    let write =
        |more: &[&str]| run(folder.path(), &[&["import", "a.txt", "-o", "a.rhai"], more].concat());
    assert_eq!(write(&[]).code, Some(0));
    let there = write(&[]);
    assert!(there.code == Some(2) && there.err.contains("--force replaces it"), "{there:?}");
    assert_eq!(write(&["--force"]).code, Some(0));
}

#[test]
fn only_a_regular_file_is_replaced_and_a_pipe_is_written_into() {
    let folder = folder(&[("a.txt", "S: 220 hi\nC: QUIT\nS: 221 bye\n"), ("victim", "mine")]);
    let path = |name: &str| folder.path().join(name);
    let (fifo, link) = (path("fifo"), path("link"));
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    // Open for both, so that neither this nor the program waits for the other end.
    let mut pipe = std::fs::File::options().read(true).write(true).open(&fifo).unwrap();
    for force in [&[][..], &["--force"]] {
        let ran = run(folder.path(), &[&["import", "a.txt", "-o", "fifo"], force].concat());
        assert!(ran.code == Some(0) && !fifo.is_file(), "{ran:?}");
        let mut read = vec![0; 64 << 10];
        let length = std::io::Read::read(&mut pipe, &mut read).unwrap();
        assert!(String::from_utf8_lossy(&read[..length]).contains("s.expect("), "{read:?}");
    }
    std::os::unix::fs::symlink(path("victim"), &link).unwrap();
    let ran = run(folder.path(), &["import", "a.txt", "-o", "link", "--force"]);
    assert!(ran.code == Some(2) && ran.err.contains("it is a symbolic link"), "{ran:?}");
    assert!(link.is_symlink() && std::fs::read_to_string(path("victim")).unwrap() == "mine");
    let ran = run(folder.path(), &["import", "a.txt", "-o", "/dev/stdout"]);
    assert!(ran.code == Some(0) && ran.out.contains("s.expect("), "{ran:?}");
}

#[test]
fn a_file_too_long_for_an_import_is_refused_and_not_cut() {
    let mut child = program()
        .args(["import", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = format!("S: 220 hi\nC: {}\nS: 250 ok\n", "x".repeat(16 << 20));
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("cannot read stdin: it has more than"), "{err}");
}

#[test]
fn passwords_of_imap_are_parameters_however_they_are_written() {
    let text = "$ telnet localhost 143\n* OK ready\na LOGIN \"john doe\" \"hunter two\"\na NO no\n\
        b LOGIN user \"pass word\"\nb NO no\nc LOGIN {4}\n+ go ahead\njohn {6}\n+ go ahead\ns3cret\nc NO no\n\
        d LOGIN {4}\n+ go ahead\njohn s3cret\nd OK in\ne LOGOUT\n* BYE\ne OK bye\n";
    let imported = import("login.txt", text);
    for secret in ["\"\\\"hunter two\\\"\"", "\"\\\"pass word\\\"\"", "\"s3cret\""] {
        assert!(imported.script.contains(&format!(", {secret})")), "{secret}: {}", imported.script);
    }
    assert_eq!(imported.script.matches("param(\"secret_").count(), 4, "{}", imported.script);
    let dialogue = "S: * OK ready\nC: a LOGIN \"john doe\" \"hunter two\"\nS: a NO no\nC: b LOGIN user \"pass word\"\n\
        S: b NO no\nC: c LOGIN {4}\nS: + go ahead\nC: john {6}\nS: + go ahead\nC: s3cret\nS: c NO no\n\
        C: d LOGIN {4}\nS: + go ahead\nC: john s3cret\nS: d OK in\nC: e LOGOUT\nS: * BYE\nS: e OK bye\nclose";
    imported.holds(&[("imap", "imap", dialogue)], &[]);
}

#[test]
fn a_literal_is_sent_once_the_server_goes_ahead() {
    // The commands end with an empty line. The paste has lost that of the second command.
    let text = "$ telnet localhost 143\n* OK ready\nb APPEND INBOX {18}\n+ Ready for literal\n\
        Subject: x\n\nhi\n\nb OK done\nc APPEND INBOX {4}\n+ Ready\nhi\nc OK done\nd IDLE\n+ idling\nDONE\n\
        d OK done\n";
    let imported = import("append.txt", text);
    let dialogue = "S: * OK ready\nC: b APPEND INBOX {18}\nS: + Ready for literal\nC: Subject: x\nC:\nC: hi\nC:\n\
        S: b OK done\nC: c APPEND INBOX {4}\nS: + Ready\nC: hi\nC:\nS: c OK done\nC: d IDLE\nS: + idling\n\
        C: DONE\nS: d OK done\nclose";
    imported.holds(&[("imap", "imap", dialogue)], &[]);
    assert!(!imported.script.contains("secret_"), "{}", imported.script);
}

#[test]
fn sasl_that_nc_was_given_is_answered_as_its_protocol_has_it() {
    let pop3 = "AUTH PLAIN\nAGpvaG4AaHVudGVyMg==\nAUTH LOGIN\n*\nQUIT\n";
    let folder = folder(&[("pop3.txt", pop3)]);
    let imported = |name: &str| {
        let ran = run(folder.path(), &["import", name, "--from", "nc"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.err.contains("secret_1"), "{ran:?}");
        ran.out
    };
    let smtp = imported("pop3.txt");
    assert!(smtp.contains("expect(334)") && smtp.contains("expect(501)"), "{smtp}");
    let text = format!("CAPA\n{pop3}");
    std::fs::write(folder.path().join("pop3.txt"), &text).unwrap();
    let script = imported("pop3.txt");
    std::fs::write(
        folder.path().join("imap.txt"),
        "a AUTHENTICATE LOGIN\nam9obg==\naHVudGVyMg==\nb LOGOUT\n",
    )
    .unwrap();
    let imap = imported("imap.txt");
    for (name, script, dialogue) in [
        (
            "pop3",
            script,
            "S: +OK hi\nC: CAPA\nS: +OK\nS: .\nC: AUTH PLAIN\nS: +\nC: AGpvaG4AaHVudGVyMg==\nS: +OK\n\
             C: AUTH LOGIN\nS: + VXNlcm5hbWU6\nC: *\nS: -ERR cancelled\nC: QUIT\nS: +OK\nclose",
        ),
        (
            "imap",
            imap,
            "S: * OK hi\nC: a AUTHENTICATE LOGIN\nS: +\nC: am9obg==\nS: +\nC: aHVudGVyMg==\nS: a OK in\n\
             C: b LOGOUT\nS: * BYE\nS: b OK bye\nclose",
        ),
    ] {
        std::fs::write(folder.path().join("script.rhai"), &script).unwrap();
        let replay = Replay::start(dialogue).unwrap();
        let set = format!("{name}={}", replay.url(name));
        let ran = run(folder.path(), &["run", "script.rhai", "--set", &set]);
        assert_eq!(ran.code, Some(0), "{script}\n{ran:?}");
        replay.finish().unwrap();
    }
}

#[test]
fn a_script_says_which_parts_were_cut_off_or_replaced() {
    let folder = folder(&[]);
    let bytes = [b"S: 220 hi\nC: MAIL FROM:<a".as_slice(), b"\xe9", b"@b>\nS: 250 ok\n"].concat();
    std::fs::write(folder.path().join("latin.txt"), bytes).unwrap();
    let ran = run(folder.path(), &["import", "latin.txt"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("line 2: not read") && ran.err.contains("U+FFFD"), "{}", ran.err);
    let large = format!("S: 220 hi\n{}", "C: NOOP\nS: 250 ok\n".repeat(1 << 20));
    std::fs::write(folder.path().join("large.txt"), large).unwrap();
    let stdin = std::fs::File::open(folder.path().join("large.txt")).unwrap();
    let output = program().args(["import", "-"]).stdin(stdin).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn a_connection_that_nc_could_not_make_is_a_closed_port() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = format!(
        "$ nc -v 127.0.0.1 {closed}\nnc: connect to 127.0.0.1 port {closed} (tcp) failed: Connection refused\n"
    );
    let imported = import("refused.txt", &text);
    assert!(imported.script.contains("expect_port("), "{}", imported.script);
    assert_eq!(imported.run(&[]).code, Some(0), "{}", imported.script);
    let text = "$ nc -v localhost 25\nnc: connect to localhost (::1) port 25 (tcp) failed: Connection refused\n\
        Connection to localhost (127.0.0.1) 25 port [tcp/smtp] succeeded!\n220 hi\nQUIT\n221 bye\n";
    let imported = import("second.txt", text);
    imported.holds(&[("smtp", "smtp", "S: 220 hi\nC: QUIT\nS: 221 bye\nclose")], &[]);
}

#[test]
fn a_name_belongs_to_its_last_connection_and_a_long_report_is_cut() {
    let session = "c tcp_connect localhost:1025\nc <~ 220\nc -> NOOP\nc <~ 250\n";
    let text = [&session.repeat(3), &"c sleep 1\n".repeat(60), "c -> RSET\n"].concat();
    let imported = import("many.cmy", &text);
    assert!(imported.script.trim_end().ends_with("s3.send(\"RSET\");"), "{}", imported.script);
    assert_eq!(imported.said.matches("not read:").count(), 50, "{}", imported.said);
    assert!(imported.said.contains("and 10 more: the head of the script"), "{}", imported.said);
    assert_eq!(imported.script.matches("not read:").count(), 60);
}
