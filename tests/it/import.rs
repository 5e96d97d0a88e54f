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
    fn fails(&self, param: &str, scheme: &str, dialogue: &str) {
        let replay = Replay::start(dialogue).unwrap();
        let ran = self.run(&[format!("{param}={}", replay.url(scheme))]);
        assert_eq!(ran.code, Some(1), "{}\n{ran:?}", self.script);
        replay.leave();
    }
}

const TELNET: &str = "\
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

const SMTP: &str = "
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

const POP3: &str = "
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
fn what_the_server_says_otherwise_fails_the_script() {
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
fn what_nc_was_given_expects_success() {
    let text = "EHLO mail\nMAIL FROM:<a@b.example>\nRCPT TO:<c@d.example>\nDATA\nSubject: x\n\nhi\n.\nQUIT\n";
    let imported = import("nc.txt", text);
    let dialogue = "S: 220 hi\nC: EHLO mail\nS: 250-hi\nS: 250 SIZE\nC: MAIL FROM:<a@b.example>\nS: 250 ok\n\
        C: RCPT TO:<c@d.example>\nS: 251 ok\nC: DATA\nS: 354 go\nC: Subject: x\nC:\nC: hi\nC: .\nS: 250 ok\n\
        C: QUIT\nS: 221 bye\nclose";
    imported.holds(&[("smtp", "smtp", dialogue)], &[]);
    imported.fails("smtp", "smtp", &dialogue.replace("251 ok", "451 later"));
}

#[test]
fn a_transcript_of_swaks_is_a_script() {
    let text = "=== Trying mail.example:25...\n=== Connected to mail.example.\n<-  220 mail ESMTP\n -> EHLO me\n\
        <-  250-mail\n<-  250 SIZE 1000\n -> MAIL FROM:<a@b.example>\n<-  250 2.1.0 Ok\n -> RCPT TO:<c@d.example>\n\
        <** 550 5.7.1 Relaying denied\n -> QUIT\n<-  221 2.0.0 Bye\n=== Connection closed with remote host.\n";
    let imported = import("swaks.log", text);
    let dialogue = "S: 220 mail ESMTP\nC: EHLO me\nS: 250-mail\nS: 250 SIZE 1000\nC: MAIL FROM:<a@b.example>\n\
        S: 250 2.1.0 Ok\nC: RCPT TO:<c@d.example>\nS: 550 5.7.1 Relaying denied\nC: QUIT\nS: 221 2.0.0 Bye\nclose";
    imported.holds(&[("smtp", "smtp", dialogue)], &[]);
    assert_eq!(imported.said.lines().count(), 1, "{}", imported.said);
    let tls =
        text.replace(" -> MAIL", " -> STARTTLS\n<-  220 go\n=== TLS started w/ cipher X\n ~> MAIL");
    assert!(import("tls.log", &tls).script.contains("s.tls_handshake();"));
}

#[test]
fn a_session_with_openssl_begins_where_its_report_ends() {
    let report = "CONNECTED(00000003)\n---\nCertificate chain\n 0 s:CN = mail.example\n---\nSSL handshake has read 1 bytes\n\
        ---\nNew, TLSv1.3\nVerify return code: 0 (ok)\n---\n";
    let implicit = format!(
        "$ openssl s_client -connect mail.example:993 -crlf\n{report}* OK ready\na1 CAPABILITY\n\
        * CAPABILITY IMAP4rev1\na1 OK done\na2 LOGOUT\n* BYE bye\na2 OK done\nclosed\n"
    );
    let imported = import("imaps.txt", &implicit);
    assert!(imported.script.contains("imaps://mail.example:993"), "{}", imported.script);
    let dialogue = "S: * OK ready\nC: a1 CAPABILITY\nS: * CAPABILITY IMAP4rev1\nS: a1 OK done\nC: a2 LOGOUT\n\
        S: * BYE bye\nS: a2 OK done\nclose";
    imported.holds(&[("imaps", "imap", dialogue)], &[]);
    let starttls = format!(
        "$ openssl s_client -starttls smtp -crlf -connect mail.example:587\n{report}250 SMTPUTF8\n\
        EHLO me\n250-mail.example\n250 AUTH PLAIN\nQUIT\n221 bye\n"
    );
    let imported = import("starttls.txt", &starttls);
    assert!(imported.script.contains("s.starttls();\ns.send(\"EHLO me\");"), "{}", imported.script);
    assert!(imported.said.contains("line 12: not read: 250 SMTPUTF8"), "{}", imported.said);
}

#[test]
fn a_transcript_and_a_golden_of_this_program_are_scripts() {
    let text = "---\nsource: relay.rhai\ndescription: x\n---\n*** connecting to smtp://[HOST]\n*** [HOST] connected\n\
        S: 220 mail ESMTP [DATE]\n*** step: hello\nC: EHLO me\nS: 250-mail\nS: 250 SIZE 1000\nC: AUTH PLAIN [SECRET]\n\
        S: 235 ok\nC: half\\\nC:  more\nS: 250 queued as [QUEUE_ID#1]\nC: QUIT\nS: 221 bye\n*** closed by the server\n";
    let imported = import("relay.snap", text);
    let dialogue = "S: 220 mail ESMTP Thu\nC: EHLO me\nS: 250-mail\nS: 250 SIZE 1000\nC: AUTH PLAIN AGEAYg==\nS: 235 ok\n\
        C: half more\nS: 250 queued as 4711\nC: QUIT\nS: 221 bye\nclose";
    imported.holds(&[("smtp", "smtp", dialogue)], &["secret_1=AGEAYg=="]);
}

#[test]
fn scripts_of_james_are_regexes_of_whole_lines() {
    let text = "# A comment.\nC: a1 SELECT INBOX\nSUB {\nS: \\* FLAGS \\(.*\\)\nS: \\* \\d+ EXISTS\n}\nS: a1 OK .*\n\
        C: a2 FETCH 1 BODY[]\nS: \\* 1 FETCH \\(BODY\\[\\] \\{5\\}\nS: abc\nS: \\)\nS: a2 OK FETCH completed\\.\n\
        LOG INFO hello\nC: a3 LOGOUT\nS: \\* BYE.*\nS: a3 OK.*\n";
    let imported = import("Select.test", text);
    let dialogue = "S: * OK hi\nC: a1 SELECT INBOX\nS: * 3 EXISTS\nS: * FLAGS (\\Seen)\nS: a1 OK done\nC: a2 FETCH 1 BODY[]\n\
        S: * 1 FETCH (BODY[] {5}\nS: abc\nS: )\nS: a2 OK FETCH completed.\nC: a3 LOGOUT\nS: * BYE x\nS: a3 OK x\nclose";
    imported.holds(&[("imap", "imap", dialogue)], &[]);
    assert!(imported.said.contains("line 13: not read: LOG INFO hello"), "{}", imported.said);
    imported.fails("imap", "imap", &dialogue.replace("FETCH completed.", "FETCH completed, more"));
}

#[test]
fn scripts_of_chamuyero_read_replies_line_by_line() {
    let text = "c tcp_connect localhost:1025\n\nc <~ 220\nc -> EHLO localhost\nc <... 250 HELP\nc -> DATA\nc <~ 354\n\
        c ~> 'xxx\\r\\n.\\r\\n'\nc <- 521 5.5.2 Error\nc frobnicate\nc close\n";
    let imported = import("bad.cmy", text);
    let dialogue = "S: 220 hi\nC: EHLO localhost\nS: 250-a\nS: 250-b\nS: 250 HELP\nC: DATA\nS: 354 go\nC: xxx\nC: .\nS: 521 5.5.2 Error";
    imported.holds(&[("smtp", "smtp", dialogue)], &[]);
    assert!(imported.said.contains("line 10: not read: c frobnicate"), "{}", imported.said);
    imported.fails("smtp", "smtp", &dialogue.replace("521 5.5.2 Error", "521 5.5.2 Error, more"));
}

#[test]
fn client_scripts_of_exim_expect_prefixes() {
    let text = "exim -bd -DSERVER=server\n****\nclient 127.0.0.1 PORT_D\n??? 220\nehlo test.ex\n??? 250-\n??? 250-SIZE\n??? 250 HELP\n\
        +++ 1\nmail from:<a@b.example>\n??? 250\nquit\n??? 221\n???*\n****\nkilldaemon\n";
    let imported = import("0001", text);
    let dialogue = "S: 220 hi\nC: ehlo test.ex\nS: 250-hi\nS: 250-SIZE 10\nS: 250 HELP\nC: mail from:<a@b.example>\nS: 250 ok\n\
        C: quit\nS: 221 bye\nclose";
    imported.holds(&[("smtp", "smtp", dialogue)], &[]);
    for unread in
        ["line 1: not read: exim -bd", "line 9: not read: +++ 1", "line 16: not read: killdaemon"]
    {
        assert!(imported.said.contains(unread), "{unread}: {}", imported.said);
    }
}

#[test]
fn scripts_of_imaptest_demand_and_forbid_untagged_responses() {
    let text = "capabilities: CONDSTORE\nconnections: 1\nstate: selected\n\nok noop\n* 1 fetch (flags ($!unordered \\seen \\flagged))\n! 2 expunge\n\
        no select nosuch\n";
    let imported = import("store.tst", text);
    let dialogue = "S: * OK [CAPABILITY IMAP4rev1 CONDSTORE] hi\nC: a1 LOGIN me pw\nS: a1 OK [CAPABILITY IMAP4rev1 CONDSTORE] in\n\
        C: a2 SELECT INBOX\nS: * 3 EXISTS\nS: a2 OK done\nC: a3 noop\nS: * 1 FETCH (FLAGS (\\Flagged \\Seen))\nS: a3 OK done\n\
        C: a4 select nosuch\nS: a4 NO no such mailbox";
    imported.holds(&[("imap", "imap", dialogue)], &["user=me", "password=pw"]);
}

#[test]
fn variables_of_imaptest_have_the_value_of_their_first_response() {
    let text = "connections: 1\n\nok fetch * (uid internaldate)\n* $seq fetch (uid $uid internaldate $date)\n\
        \"\" store $seq flags $$Later\nok uid fetch $uid (internaldate)\n\
        * $seq fetch (uid $uid internaldate $date)\n! $seq expunge\nok delete ${mailbox}2\nok noop\n* $1 exists\n";
    let imported = import("expunge", text);
    let date = "\"17-Jul-1996 02:44:25 -0700\"";
    let dialogue = |uid: u32| {
        format!(
            "S: * OK [CAPABILITY IMAP4rev1] hi\nC: a1 LOGIN me pw\nS: a1 OK [CAPABILITY IMAP4rev1] in\n\
             C: a2 SELECT INBOX\nS: * 3 EXISTS\nS: a2 OK done\n\
             C: a3 fetch * (uid internaldate)\nS: * 3 FETCH (UID 17 INTERNALDATE {date})\nS: a3 OK done\n\
             C: a4 store 3 flags $Later\nS: a4 NO read-only\nC: a5 uid fetch 17 (internaldate)\n\
             S: * 3 FETCH (UID {uid} INTERNALDATE {date})\nS: a5 OK done\n\
             C: a6 delete INBOX2\nS: a6 OK done\nC: a7 noop\nS: * 4 EXISTS\nS: a7 OK done"
        )
    };
    imported.holds(&[("imap", "imap", &dialogue(17))], &["user=me", "password=pw"]);
    let replay = Replay::start(&dialogue(18)).unwrap();
    let url = format!("imap={}", replay.url("imap"));
    let ran = imported.run(&[url, "user=me".to_owned(), "password=pw".to_owned()]);
    assert!(ran.code == Some(1) && ran.out.contains("uid fetch"), "{ran:?}");
    replay.leave();
}

#[test]
fn the_queries_of_blackbox_exporter_are_a_script() {
    let text = "modules:\n  http_2xx:\n    prober: http\n  smtp:\n    prober: tcp\n    timeout: 5s\n    tcp:\n      query_response:\n\
        \x20     - expect: \"^220 ([^ ]+) ESMTP (.+)$\"\n\x20     - send: \"EHLO prober\\r\"\n\x20     - expect: \"^250-(.*)\"\n\
        \x20     - expect: '^250[ -]SIZE'\n\x20     - send: \"NOOP ${1}\\r\"\n\x20     - send: \"QUIT\\r\"\n";
    let imported = import("blackbox.yml", text);
    let dialogue = "S: 220 mail.example ESMTP x\nC: EHLO prober\nS: 250-mail\nS: 250-AUTH PLAIN\nS: 250 SIZE 1\nC: NOOP mail\n\
        S: 250 ok\nC: QUIT\nS: 221 bye\nclose";
    imported.holds(&[("smtp", "smtp", dialogue)], &[]);
}

#[test]
fn what_is_no_dialogue_is_an_error_that_says_how_it_was_read() {
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
fn what_is_too_long_for_an_import_is_refused_and_not_cut() {
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
fn what_is_cut_off_or_replaced_is_said() {
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
