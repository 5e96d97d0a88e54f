//! `mailexpect import` of scripts with more than clients: servers and commands, literals of several
//! lines, and commands whose status stands apart.

use std::net::TcpListener;

use mailexpect::server::Replay;

use crate::import::import;
use crate::program::{program, run};

/// A port that nobody listens on.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_server_of_chamuyero_listens_and_its_commands_run() {
    let port = free_port();
    let text = format!(
        "nc tcp_listen localhost:{port}\nc tcp_connect localhost:{port}\n\n\
         nc -> 220 Hola desde expect\nc <~ 220\nc -> LHLO x\n\
         nc   <~  LHLO .*\nnc -> 250-Bienvenido!\nnc -> 250 Contame...\nc <... 250 \n\
         c -> DATA\nnc <- DATA\nnc -> 354 Dale\nc <~ 354\nc -> Subject: test\nc -> \nc -> .\n\
         nc <- Subject: test\nnc <-\nnc <- .\nnc -> 250 Recibido\nc <- 250 Recibido\n\
         p = echo one \\\n\t two; exit 3\np <- one two\np wait 3\nq = cat\nq -> a \"b\"\nq <~ a\nr |= true\nr wait 0\nnc sleep 0.1\n"
    );
    let imported = import("server.cmy", &text);
    let unread = "not read: nc sleep 0.1 (there is no waiting for a time to pass)";
    assert!(imported.said.contains(unread), "{}", imported.said);
    assert_eq!(imported.said.matches("not read:").count(), 1, "{}", imported.said);
    let ran = run(imported.folder.path(), &["run", "script.rhai", "--allow-run"]);
    assert_eq!(ran.code, Some(0), "{}\n{ran:?}", imported.script);
    let wrong = text.replace("nc <- Subject: test", "nc <- Subject: tes");
    let imported = import("server.cmy", &wrong);
    let ran = run(imported.folder.path(), &["run", "script.rhai", "--allow-run"]);
    assert_eq!(ran.code, Some(1), "{}\n{ran:?}", imported.script);
}

#[test]
fn a_server_of_exim_has_its_clients_one_after_the_other() {
    let text = "# PIPELINING\nexim -bd -oX PORT_D\n****\nserver -t 10 PORT_S 2\n220 Greetings\nEHLO\n250-Hello\n250 PIPELINING\n\
        DATA\n354 Send it!\n.\n250 OK\nQUIT\n221 OK\n*eof\n>220 second\n*sleep 2\nEHLO\n>>250 par\n>tial\n<250 x\n>LF> bare\n>*eof\n****\n\
        exim -odi a@b\nTest\n****\nkilldaemon\n";
    let imported = import("0001", text);
    for unread in
        ["line 2: not read: exim -bd", "line 17: not read: *sleep 2", "line 26: not read: Test"]
    {
        assert!(imported.said.contains(unread), "{}", imported.said);
    }
    assert_eq!(imported.said.matches("not read:").count(), 5, "{}", imported.said);
    let url = format!("tcp://127.0.0.1:{}", free_port());
    let mut server = program();
    let server = server.current_dir(imported.folder.path()).args(["run", "script.rhai"]);
    let server =
        server.args(["--set", &format!("listen={url}")]).stdout(std::process::Stdio::piped());
    let server = server.spawn().unwrap();
    let client = format!(
        "let s = retry(100, \"50ms\", || connect(\"{url}\"));\n\
         s.expect_line(\"220 Greetings\"); s.send(\"EHLO x\"); s.expect_line(\"250-\"); s.expect_line(\"250 \");\n\
         s.send_raw(\"DATA\\r\\n\"); s.expect_line(354); s.send_raw(\"a\\r\\n..b\\r\\n.\\r\\nQUIT\\r\\n\");\n\
         s.expect_line(\"250 OK\"); s.expect_line(\"221\"); s.close();\n\
         let s = connect(\"{url}\");\n\
         s.expect_line(\"220 second\"); s.send(\"EHLO y\"); s.expect_line(re(`^250 partial$`));\n\
         s.send_raw(\"250 x\\r\\n\"); s.expect_bytes(\"bare\\n\"); s.expect_close();\n"
    );
    let ran = run(imported.folder.path(), &["run", "-e", &client]);
    let output = server.wait_with_output().unwrap();
    assert_eq!(ran.code, Some(0), "{}\n{ran:?}\n{output:?}", imported.script);
    assert!(output.status.success(), "{}\n{output:?}", imported.script);
}

const LITERALS: &str = "state: created\ncapabilities: CATENATE\n\n\
    ok append $mailbox (\\seen) catenate (text {{{\nFrom: foo@example.com\n\nHello\n}}} url \"/x\")\n\n\
    ok fetch 1 (body.peek[])\n* 1 fetch (uid $uid body[] {{{\nFrom: foo@example.com\n\nHello\n}}})\n\n\
    ok fetch 1 body[1]\n* 1 fetch (body[1] {{{\none \"line\"\n}}})\n\n\
    append nosuch catenate (url \"/x;uid=$uid\")\nno [trycreate]\n\n\
    1 tag1 create a\n1 tag2 create b\n1 tag1 ok\n1 tag2 ok\n\n\
    ok append\n* 2 exists\n\nok append foo ~{{{\nx\n}}}\n* 3 exists\n";

#[test]
fn literals_of_imaptest_are_sent_and_expected_and_a_status_may_stand_apart() {
    let imported = import("catenate", LITERALS);
    assert!(!imported.said.contains("not read"), "{}", imported.said);
    let dialogue = |body: &str, code: &str| {
        format!(
            "S: * OK [CAPABILITY IMAP4rev1 CATENATE] hi\nC: a1 LOGIN me pw\nS: a1 OK [CAPABILITY IMAP4rev1 CATENATE] in\n\
             C: a2 append INBOX (\\seen) catenate (text {{30}}\nS: + go on\nC: From: foo@example.com\nC:\nC: Hello url \"/x\")\n\
             S: a2 OK done\nC: a3 fetch 1 (body.peek[])\nS: * 1 FETCH (UID 7 BODY[] {{30}}\nS: From: foo@example.com\nS:\nS: {body})\n\
             S: a3 OK done\nC: a4 fetch 1 body[1]\nS: * 1 FETCH (BODY[1] \"one \\\"line\\\"\")\nS: a4 OK done\n\
             C: a5 append nosuch catenate (url \"/x;uid=7\")\nS: a5 NO [{code}] none\n\
             C: tag1 create a\nC: tag2 create b\nS: tag1 OK done\nS: tag2 OK done\n\
             C: a6 append INBOX {{8}}\nS: + go on\nC: Hello.\nC:\nS: * 2 EXISTS\nS: a6 OK done\n\
             C: a7 append foo ~{{1}}\nS: + go on\nC: x\nS: * 3 EXISTS\nS: a7 OK done\n"
        )
    };
    let set = ["user=me", "password=pw", "message=Hello.\r\n"];
    imported.holds(&[("imap", "imap", &dialogue("Hello", "TRYCREATE"))], &set);
    for wrong in [dialogue("hello", "TRYCREATE"), dialogue("Hello", "NONEXISTENT")] {
        let replay = Replay::start(&wrong).unwrap();
        let mut params = set.map(str::to_owned).to_vec();
        params.push(format!("imap={}", replay.url("imap")));
        let ran = imported.run(&params);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        replay.leave();
    }
}

#[test]
fn responses_of_sasl_are_secrets_in_scripts_of_chamuyero_and_exim() {
    let chamuyero = "c tcp_connect localhost:25\nc <~ 220\nc -> AUTH PLAIN\nc <~ 334\nc -> AGhvZ2UAcHBwd3d3\nc <~ 235\n";
    let exim =
        "client 127.0.0.1 PORT_D\n??? 220\nAUTH PLAIN\n??? 334\nAGhvZ2UAcHBwd3d3\n??? 235\n****\n";
    for (name, text) in [("auth.cmy", chamuyero), ("0002", exim)] {
        let imported = import(name, text);
        let secret = "param(\"secret_1\", \"AGhvZ2UAcHBwd3d3\")";
        assert!(imported.script.contains(secret), "{}", imported.script);
        let dialogue = "S: 220 hi\nC: AUTH PLAIN\nS: 334 \nC: AGhvZ2UAcHBwd3d3\nS: 235 ok";
        imported.holds(&[("smtp", "smtp", dialogue)], &[]);
    }
}

#[test]
fn a_secret_among_lines_that_run_ahead_is_a_parameter_beside_bytes_too() {
    let text = "client 127.0.0.1 PORT_D\n??? 220\nAUTH PLAIN AGhvZ2UAcHBwd3d3\nMAIL FROM:<\\xff@a>\n\
        ??? 235\n??? 250\n****\n";
    let script = import("0003", text).script;
    let secret = "param(\"secret_1\", \"AGhvZ2UAcHBwd3d3\")";
    assert!(
        script.contains(&format!("s.send_raw(\"AUTH PLAIN \" + {secret} + \"\\r\\n\");")),
        "{script}"
    );
    assert_eq!(script.matches("AGhvZ2UAcHBwd3d3").count(), 1, "{script}");
}

#[test]
fn the_empty_lines_of_a_mail_are_kept() {
    let mpt = "C: a1 FETCH 1 (BODY[])\nS: \\* 1 FETCH \\(BODY\\[\\] \\{19\\}\nS: Subject: a\nS: \nS: body1\\)\n\
        S: a1 OK FETCH completed.\n";
    let imported = import("fetch.test", mpt);
    assert!(!imported.said.contains("not read"), "{}", imported.said);
    let dialogue = "S: * OK hi\nC: a1 FETCH 1 (BODY[])\nS: * 1 FETCH (BODY[] {19}\nS: Subject: a\nS:\nS: body1)\n\
        S: a1 OK FETCH completed.";
    imported.holds(&[("imap", "imap", dialogue)], &[]);
    let pasted = "$ telnet localhost 110\nConnected to localhost.\n+OK hi\n\nTOP 1 1\n+OK\nSubject: a\n\nbody\n.\n\nQUIT\n+OK bye\n\
        Connection closed by foreign host.\n$ telnet localhost 143\nConnected to localhost.\n* OK hi\n\na1 FETCH 1 BODY[]\n\
        * 1 FETCH (BODY[] {19}\nSubject: a\n\nbody1)\na1 OK done\n";
    let imported = import("mails.txt", pasted);
    let pop3 = "S: +OK hi\nC: TOP 1 1\nS: +OK\nS: Subject: a\nS:\nS: body\nS: .\nC: QUIT\nS: +OK bye\nclose";
    let imap = "S: * OK hi\nC: a1 FETCH 1 BODY[]\nS: * 1 FETCH (BODY[] {19}\nS: Subject: a\nS:\nS: body1)\nS: a1 OK done";
    imported.holds(&[("pop3", "pop3", pop3), ("imap", "imap", imap)], &[]);
}

#[test]
fn tls_begins_where_the_script_of_exim_has_read_the_answer() {
    let text = "client-gnutls 127.0.0.1 PORT_D\n??? 220\nstarttls\n??? 220\nquit\n??? 221\n****\n";
    let script = import("2002", text).script;
    let wanted =
        "s.send(\"starttls\");\ns.expect_line(\"220\");\ns.tls_handshake();\ns.send(\"quit\");";
    assert!(script.contains(wanted), "{script}");
}

#[test]
fn james_begins_again_with_new_sessions_and_sends_literals_of_sasl_as_secrets() {
    let text = "C: a AUTHENTICATE \"PLAIN\" {8+}\nC: AGEAYg==\nS: a OK done.\nREINIT\nC: b NOOP\nS: b OK done.\n";
    let imported = import("reinit.test", text);
    assert!(
        imported.script.contains("s1.send(param(\"secret_1\", \"AGEAYg==\"));"),
        "{}",
        imported.script
    );
    assert!(imported.script.contains("s1.close();\nlet s2 = connect("), "{}", imported.script);
    assert!(!imported.said.contains("not read"), "{}", imported.said);
}

#[test]
fn commands_of_imaptest_with_tags_are_sent_at_once() {
    let text = "state: nonauth\n\ntag1 noop\ntag2 noop\n* 1 exists\ntag1 ok\ntag2 ok\n\n\
        tag1 check\ntag2 close\ntag1 ok\ntag2 no\n";
    let imported = import("pipeline", text);
    let dialogue = "S: * OK hi\nC: tag1 noop\nC: tag2 noop\nS: * 1 EXISTS\nS: tag1 OK done\nS: tag2 OK done\n\
        C: tag1 check\nC: tag2 close\nS: tag1 OK done\nS: tag2 NO nothing open\n";
    imported.holds(&[("imap", "imap", dialogue)], &[]);
    assert!(!imported.said.contains("not read"), "{}", imported.said);
}

#[test]
fn binary_literals_wildcards_and_directives_of_imaptest_are_read() {
    let text = "state: nonauth\n\nok append x ~{{{\na\n}}}\n\nok fetch 1 (uid flags)\n\
        * 1 fetch ($!unordered=2 uid $ flags $)\n\nok capability\n* ok [capability $] ${case:Ready}\n";
    let imported = import("binary", text);
    assert!(imported.script.contains("[atom(\"x\"), literal8(\"a\")]"), "{}", imported.script);
    assert!(!imported.said.contains("not read"), "{}", imported.said);
}

#[test]
fn any_form_of_yaml_is_read() {
    let text = "x: &quit {send: \"QUIT\"}\nmodules: {smtp: {prober: tcp, tcp: {query_response: [{expect: '^220'}, *quit,\n\
        \x20 {expect: '^221'}]}}}\n";
    let imported = import("flow.yml", text);
    imported.holds(&[("smtp", "smtp", "S: 220 hi\nC: QUIT\nS: 221 bye\nclose")], &[]);
    let text = "modules:\n  pop3s:\n    prober: tcp\n    tcp:\n      query_response:\n      - expect: \"^+OK\"\n  web:\n    prober: http\n";
    let imported = import("plus.yml", text);
    imported.holds(&[("pop3", "pop3", "S: +OK hi\nclose")], &[]);
    assert!(imported.said.contains("line 6: the + of ^+OK"), "{}", imported.said);
    assert!(imported.said.contains("line 7: not read: web:"), "{}", imported.said);
}

#[test]
fn clients_and_servers_of_exim_speak_at_once() {
    let text = "exim -bd -oX PORT_D\n****\nserver PORT_S\n220 far\nHELO\n250 hi\nQUIT\n221 bye\n*eof\n****\n\
        client 127.0.0.1 PORT_D\n??? 220\nHELO x\n??? 250\nquit\n??? 221\n****\n";
    let imported = import("0400", text);
    // Two programs play the server under test.
    let far = format!("tcp://127.0.0.1:{}", free_port());
    let replay =
        Replay::start("S: 220 near\nC: HELO x\nS: 250 ok\nC: quit\nS: 221 bye\nclose").unwrap();
    let client = format!(
        "let s = retry(100, \"50ms\", || connect(\"{far}\"));\n\
         s.expect_line(\"220 far\"); s.send(\"HELO y\"); s.expect_line(\"250 hi\"); s.send(\"QUIT\"); s.expect_line(\"221\"); s.close();"
    );
    let mut peer = program();
    let peer = peer.current_dir(imported.folder.path()).args(["run", "-e", &client]);
    let peer = peer.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let ran = imported.run(&[format!("listen={far}"), format!("smtp={}", replay.url("smtp"))]);
    let output = peer.wait_with_output().unwrap();
    assert_eq!(ran.code, Some(0), "{}\n{ran:?}\n{output:?}", imported.script);
    assert!(output.status.success(), "{}\n{output:?}", imported.script);
    replay.finish().unwrap();
    assert!(imported.script.contains("together(["), "{}", imported.script);
}
