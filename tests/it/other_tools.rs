//! `mailexpect import` of transcripts and scripts that other tools write.

use mailexpect::server::Replay;

use crate::import::import;

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
