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
fn only_what_s_client_says_itself_is_no_part_of_the_dialogue() {
    let idle = "S: * OK ready\nC: c idle\nS: + idling\nS: * 4 EXISTS\nC: DONE\nS: c OK done\n\
                C: e logout\nS: * BYE bye\nS: e OK bye\nclose";
    let mail = "S: +OK ready\nC: retr 1\nS: +OK 60 octets\nS: closed for maintenance\nS: depth=3\n\
                S: DONE\nS: ---\nS: .\nC: quit\nS: +OK bye\nclose";
    for (place, scheme, said) in
        [("imap.example:993", "imaps", idle), ("pop.example:995", "pop3s", mail)]
    {
        let lines = said.lines().filter_map(|line| Some(line.split_once(": ")?.1));
        let pasted: Vec<_> = lines.collect();
        let text =
            format!("$ openssl s_client -connect {place} -quiet\n{}\nDONE\n", pasted.join("\n"));
        let imported = import("session.txt", &text);
        imported.holds(&[(scheme, scheme.trim_end_matches('s'), said)], &[]);
        assert!(!imported.said.contains("not read"), "{}", imported.said);
        let small = said.replace("DONE", "done");
        let text =
            format!("$ telnet {} 143\n{}\n", place, pasted.join("\n").replace("DONE", "done"));
        if scheme == "imaps" {
            import("telnet.txt", &text).holds(&[("imap", "imap", &small)], &[]);
        }
    }
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

/// Runs a script that was imported from a format against a server of SMTP, which has to be what the
/// script expects with the first dialogues, and not with the others.
fn tells_apart(name: &str, text: &str, right: &[String], wrong: &[String]) {
    let imported = import(name, text);
    for dialogue in right {
        imported.holds(&[("smtp", "smtp", dialogue)], &[]);
    }
    for dialogue in wrong {
        imported.fails("smtp", "smtp", dialogue);
    }
}

#[test]
fn a_line_more_or_less_in_a_reply_is_noticed_as_the_source_tool_notices_it() {
    let with = |ehlo: &str, noop: &str| {
        format!("S: 220 hi\nC: ehlo x\n{ehlo}\nC: noop\n{noop}\nC: quit\nS: 221 bye\nclose")
    };
    let (ehlo, noop) = ("S: 250-hi\nS: 250 HELP", "S: 250 fine");
    let right = [with(ehlo, noop)];
    let wrong = [
        with("S: 250-hi\nS: 250-STARTTLS\nS: 250 HELP", noop),
        with("S: 250 HELP", noop),
        with(ehlo, "S: 250-the disk is full\nS: 250 fine"),
        with(ehlo, "S: 250-fine\nS: 250 or not"),
    ];
    let exim = "client 127.0.0.1 PORT_D\n??? 220\nehlo x\n??? 250-\n??? 250 HELP\nnoop\n??? 250 fine\n\
        quit\n??? 221\n???*\n****\n";
    tells_apart("0001", exim, &right, &wrong);
    let chamuyero = "c tcp_connect localhost:25\nc <~ 220\nc -> ehlo x\nc <~ 250-.*\nc <- 250 HELP\nc -> noop\n\
        c <- 250 fine\nc -> quit\nc <~ 221\n";
    tells_apart("whole.cmy", chamuyero, &right, &wrong);
    tells_apart("whole.cmy", chamuyero, &[], &[with(ehlo, "S: 250 fine, more")]);
    let james =
        "S: 220.*\nC: ehlo x\nS: 250-.*\nS: 250 HELP\nC: noop\nS: 250 fine\nC: quit\nS: 221.*\n";
    tells_apart("whole.test", james, &right, &wrong);
}

#[test]
fn chamuyero_reads_lines_up_to_the_first_that_matches() {
    let text = "c tcp_connect localhost:25\nc <~ 220\nc -> EHLO x\nc <... 250-SIZE\nc <~ 250-|251-\nc <... 250 HELP\n";
    let dialogue = |lines: &str| format!("S: 220 hi\nC: EHLO x\n{lines}\nclose");
    let right = dialogue("S: 250-a\nS: 250-b\nS: 250-SIZE 1\nS: 250-c\nS: 250-d\nS: 250 HELP");
    let wrong = dialogue("S: 250-a\nS: 250-SIZE 1\nS: 250-b\nS: 250 HELPLESS");
    tells_apart("until.cmy", text, &[right], &[wrong.replace("250 HELPLESS", "250 DSN")]);
}

#[test]
fn a_line_that_exim_need_not_read_may_be_missing_and_no_other_stands_in_its_place() {
    let text = "client 127.0.0.1 PORT_D\n??? 220\nehlo x\n??? 250-\n??? 250-SIZE\n???? 250-8BITMIME\n??? 250-PIPELINING\n\
        ??? 250 HELP\nquit\n???? 221\n****\n";
    let dialogue = |lines: &str| {
        format!(
            "S: 220 hi\nC: ehlo x\nS: 250-hi\nS: 250-SIZE 1\n{lines}S: 250-PIPELINING\nS: 250 HELP\nC: quit\nclose"
        )
    };
    let right = [dialogue(""), dialogue("S: 250-8BITMIME\n")];
    let wrong = [dialogue("S: 250-VRFY\n"), dialogue("S: 250-8BITMIME\nS: 250-VRFY\n")];
    let imported = import("0002", text);
    assert!(imported.said.contains("line 10: not read: ???? 221"), "{}", imported.said);
    let expects_close = text.replace("???? 221", "???*");
    tells_apart("0003", &expects_close, &right, &wrong);
}

#[test]
fn a_text_with_a_dollar_sign_and_a_dot_is_no_session() {
    let text = "c tcp_connect localhost:25\nc <~ 220 for 5\\$.\nc -> QUIT\nc <- 221 5$.\n";
    let dialogue = "S: 220 for 5$.\nC: QUIT\nS: 221 5$.\nclose";
    tells_apart(
        "dollar.cmy",
        text,
        &[dialogue.to_owned()],
        &[dialogue.replace("221 5$.", "221 5s.")],
    );
    let exim = "client 127.0.0.1 PORT_D\n??? 220 for 5$.\nQUIT\n??? 221 5$.\n****\n";
    tells_apart("0004", exim, &[dialogue.to_owned()], &[dialogue.replace("221 5$.", "221 5s.")]);
}

#[test]
fn the_queries_of_blackbox_exporter_match_a_line_each() {
    let text = "modules:\n  smtp:\n    prober: tcp\n    tcp:\n      query_response:\n      - expect: '^220 .*ESMTP|^220 x'\n\
        \x20     - send: \"EHLO prober\\r\"\n      - expect: '^250'\n      - expect: 'SIZE|DSN'\n      - send: \"QUIT\\r\"\n";
    let dialogue = |lines: &str| {
        format!("S: 220 a ESMTP\nC: EHLO prober\n{lines}\nC: QUIT\nS: 221 bye\nclose")
    };
    let right =
        [dialogue("S: 250-a\nS: 250 DSN"), dialogue("S: 250-a\nS: 250-SIZE 1\nS: 250 HELP")];
    tells_apart("lines.yml", text, &right, &[dialogue("S: 250-SIZE\nS: 250 HELP")]);
}
