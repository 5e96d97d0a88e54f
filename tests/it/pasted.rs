//! `mailexpect import` of sessions that people paste from web pages, mails and logs, with what
//! these add to each line.

use crate::import::{Imported, import};

const SAID: &str = "S: 220 mail.example.com ESMTP\nC: EHLO me.example\nS: 250-mail.example.com\nS: 250 8BITMIME\n\
    C: MAIL FROM:<a@example.com>\nS: 250 2.1.0 Ok\nC: DATA\nS: 354 go ahead\nC: Subject: x\nC:\nC: hello\nC: .\n\
    S: 250 2.0.0 Ok: queued as 526562BE062\nC: QUIT\nS: 221 2.0.0 Bye\nclose";

const PASTED: [&str; 15] = [
    "220 mail.example.com ESMTP",
    "EHLO me.example",
    "250-mail.example.com",
    "250 8BITMIME",
    "MAIL FROM:<a@example.com>",
    "250 2.1.0 Ok",
    "DATA",
    "354 go ahead",
    "Subject: x",
    "",
    "hello",
    ".",
    "250 2.0.0 Ok: queued as 526562BE062",
    "QUIT",
    "221 2.0.0 Bye",
];

/// The indices of the client's lines in [`PASTED`].
const TYPED: [usize; 8] = [1, 4, 6, 8, 9, 10, 11, 13];

/// The pasted session. `change` converts each line, given its index and whether it is the client's.
fn pasted(change: impl Fn(usize, bool, &str) -> String) -> String {
    let lines = PASTED.iter().enumerate();
    lines.map(|(n, line)| change(n, TYPED.contains(&n), line)).collect()
}

fn says_the_same(name: &str, text: &str) -> Imported {
    let imported = import(name, text);
    imported.holds(&[("smtp", "smtp", SAID)], &[]);
    imported
}

#[test]
fn marks_of_pages_and_mails_around_a_session_are_taken_off() {
    let escape = |line: &str| line.replace('<', "&lt;").replace('>', "&gt;");
    let all = [
        ("quoted", pasted(|_, _, line| format!("> {line}\n"))),
        ("numbered", pasted(|n, _, line| format!("{:>3}  {line}\n", n + 7))),
        ("timed", pasted(|n, _, line| format!("[10:00:{n:02}] {line}\n"))),
        ("page", pasted(|_, _, line| format!("{}<br />\n", escape(line)))),
        (
            "prompts",
            pasted(|_, typed, line| format!("{}{line}\n", if typed { "> " } else { "   " })),
        ),
        ("indented", pasted(|_, _, line| format!("    {line}\r\n"))),
        ("curl", pasted(|_, typed, line| format!("{} {line}\n", if typed { '>' } else { '<' }))),
        (
            "named",
            pasted(|_, typed, line| {
                format!("{}: {line}\n", if typed { "Client" } else { "Server" })
            }),
        ),
        ("wide", pasted(|_, typed, line| format!("{}:   {line}\n", if typed { "C" } else { "S" }))),
        (
            "log",
            pasted(|_, typed, line| {
                let way = if typed { "CLIENT -> SERVER" } else { "SERVER -> CLIENT" };
                format!("2020-01-02 10:00:00\t{way}: {line}\n")
            }),
        ),
    ];
    for (name, text) in all {
        let imported = says_the_same(name, &text);
        assert!(!imported.said.contains("not read"), "{name}: {}", imported.said);
    }
}

#[test]
fn remarks_and_keys_are_no_part_of_what_was_typed() {
    let remarks = [
        "(\u{6328}\u{62f6})",
        "\u{ff08}\u{9001}\u{4fe1}\u{5143}\u{ff09}",
        "      (say hello)",
        " [Enter]",
        " \u{2190} here",
        "\u{3000}\u{203b}\u{5b9b}\u{5148}",
    ];
    for remark in remarks {
        let text = pasted(|n, typed, line| {
            let is_message = [8, 9, 10].contains(&n);
            format!("{line}{}\n", if typed && !is_message { remark } else { "" })
        });
        says_the_same("remarks", &text);
    }
    let text =
        pasted(|n, _, line| if n == 9 { "(blank line)\n".to_owned() } else { format!("{line}\n") });
    says_the_same("blank", &text);
}

#[test]
fn prose_is_told_from_commands_though_it_begins_with_a_verb() {
    let text = pasted(|n, _, line| {
        let prose = match n {
            4 => "Mail servers want to know who sends the message.\n",
            6 => "Data is what comes next, as far as the server knows.\nSend the message:\n",
            13 => "Help is there for those who need it, and you can check that here:\n",
            _ => "",
        };
        format!("{prose}{line}\n")
    });
    let imported = says_the_same("prose", &text);
    for line in [5, 8, 9] {
        assert!(imported.said.contains(&format!("line {line}: not read")), "{}", imported.said);
    }
    let text = "* OK hi\na1 NOOP\nThe server says that nothing has happened\na1 OK done\nThen you check it.\n\
        a2 LOGOUT\n* BYE bye\na2 OK done\n";
    let dialogue =
        "S: * OK hi\nC: a1 NOOP\nS: a1 OK done\nC: a2 LOGOUT\nS: * BYE bye\nS: a2 OK done\nclose";
    import("imap", text).holds(&[("imap", "imap", dialogue)], &[]);
}

#[test]
fn losses_in_a_paste_are_reported_and_mended() {
    let text = pasted(|n, _, line| if n == 11 { String::new() } else { format!("{line}\n") });
    let imported = says_the_same("dot", &text);
    assert!(imported.said.contains("line 12: the dot that ends the message"), "{}", imported.said);

    let text = pasted(|n, _, line| if n == 0 { String::new() } else { format!("{line}\n") });
    let imported = says_the_same("greeting", &text);
    assert!(imported.said.contains("line 1: the greeting is not in the file"), "{}", imported.said);

    let text = pasted(|n, _, line| if n == 14 { String::new() } else { format!("{line}\n") });
    let imported = says_the_same("answer", &text);
    assert!(imported.said.contains("line 14: its answer is not in the file"), "{}", imported.said);

    let text =
        pasted(|n, _, line| if n == 3 { format!("...\n{line}\n") } else { format!("{line}\n") });
    let imported = import("gap", &text);
    let more = SAID.replace("S: 250 8BITMIME", "S: 250-SIZE\nS: 250-DSN\nS: 250 8BITMIME");
    imported.holds(&[("smtp", "smtp", &more)], &[]);
}

#[test]
fn a_literal_has_the_octets_that_the_paste_has() {
    let text = "* OK hi\na FETCH 1 BODY[]\n* 1 FETCH (BODY[] {342}\nSubject: x\n\nhello\n)\na OK done\n\
        b APPEND x {310}\n+ go\nSubject: y\n\nbye\n\nb OK done\nc LOGOUT\n* BYE bye\nc OK done\n";
    let imported = import("literals.txt", text);
    let dialogue = "S: * OK hi\nC: a FETCH 1 BODY[]\nS: * 1 FETCH (BODY[] {21}\nS: Subject: x\nS:\nS: hello\nS: )\nS: a OK done\n\
        C: b APPEND x {19}\nS: + go\nC: Subject: y\nC:\nC: bye\nC:\nS: b OK done\nC: c LOGOUT\nS: * BYE bye\nS: c OK done\nclose";
    imported.holds(&[("imap", "imap", dialogue)], &[]);
    assert!(
        imported.said.contains("21 octets here") && imported.said.contains("19 octets here"),
        "{}",
        imported.said
    );
}

#[test]
fn dialogues_of_rfcs_are_read_with_their_asides_and_broken_lines() {
    let text = "10. Example\n\n      S: <wait for connection on TCP port 110>\n      S:    +OK ready\n      C:    RETR 1\n\
        \x20     S:    +OK 120 octets\n      S:    <the server sends message 1>\n      S:    .\n      C:    QUIT\n      S:    +OK bye\n\
        \x20     C:  <close connection>\n";
    let imported = import("rfc1939.txt", text);
    let dialogue = "S: +OK ready\nC: RETR 1\nS: +OK 120 octets\nS: Subject: any\nS: .\nC: QUIT\nS: +OK bye\nclose";
    imported.holds(&[("pop3", "pop3", dialogue)], &[]);
    assert!(imported.said.contains("line 3: not read: <wait"), "{}", imported.said);

    let text = "S:   * OK ready\nC:   a fetch 12 full\nS:   * 12 FETCH (FLAGS (\\Seen) RFC822.SIZE 42\n      BODY (\"TEXT\"\n      92))\n\
        S:   a OK done\nC:   b logout\nS:   * BYE bye\nS:   b OK done\n";
    let dialogue = "S: * OK ready\nC: a fetch 12 full\nS: * 12 FETCH (FLAGS (\\Seen) RFC822.SIZE 42 BODY (\"TEXT\" 92))\nS: a OK done\n\
        C: b logout\nS: * BYE bye\nS: b OK done\nclose";
    import("rfc3501.txt", text).holds(&[("imap", "imap", dialogue)], &[]);

    let text = "S: 220 hi\nC: EHLO x\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\n  ... TLS begins ...\nC: QUIT\nS: 221 bye\n";
    let imported = import("rfc4954.txt", text);
    assert!(
        imported.script.contains(".text, \"220 go\");\ns.tls_handshake();\ns.send(\"QUIT\");"),
        "{}",
        imported.script
    );
}

#[test]
fn input_of_nc_from_a_pipe_or_a_here_document_is_sent() {
    let replies = "220 hi\n250 ok\n221 bye\n";
    let dialogue = "C: HELO x\nC: QUIT\nS: 220 hi\nS: 250 ok\nS: 221 bye\nclose";
    for command in [
        "$ printf 'HELO x\\r\\nQUIT\\r\\n' | nc -w 5 localhost 25\n",
        "$ (echo HELO x; sleep 1; echo QUIT) | nc localhost 25\n",
        "$ nc localhost 25 <<EOF\nHELO x\nQUIT\nEOF\n",
    ] {
        let imported = import("nc.txt", &format!("{command}{replies}"));
        imported.holds(&[("smtp", "smtp", dialogue)], &[]);
    }
    let imported = import("cat.txt", &format!("$ cat mail.txt | nc localhost 25\n{replies}"));
    assert!(imported.said.contains("line 1: not read"), "{}", imported.said);
}

#[test]
fn a_command_that_s_client_keeps_for_itself_is_not_sent() {
    let text = "$ openssl s_client -connect mail.example:465\nCONNECTED(00000003)\n---\n220 hi\nEHLO x\n250 ok\n\
        QUIT\nDONE\n";
    let imported = import("session.txt", text);
    assert!(!imported.script.contains("QUIT\")"), "{}", imported.script);
    assert!(
        imported.said.contains("line 7: not read: QUIT (s_client took the Q"),
        "{}",
        imported.said
    );
}

#[test]
fn connections_that_telnet_could_not_make_are_expected_to_fail() {
    for (says, state) in [
        ("telnet: connect to address 192.0.2.1: No route to host", "unreachable"),
        ("telnet: connect to address 192.0.2.1: Connection timed out", "filtered"),
        ("Could not open connection to the host, on port 25: Connect failed", "closed"),
        ("\u{63a5}\u{7d9a}\u{306b}\u{5931}\u{6557}\u{3057}\u{307e}\u{3057}\u{305f}", "closed"),
    ] {
        let text =
            format!("C:\\>telnet mail.example.com 25\nConnecting To mail.example.com...\n{says}\n");
        let imported = import("failed.txt", &text);
        let wanted =
            format!("expect_port(param(\"smtp\", \"smtp://mail.example.com:25\"), \"{state}\");");
        assert!(imported.script.contains(&wanted), "{}", imported.script);
    }
}

#[test]
fn logs_of_libraries_and_pipelines_of_swaks_are_read() {
    let text = pasted(|_, typed, line| {
        let name = if typed { "send: '" } else { "reply: b'" };
        let told = if typed { "" } else { "reply: retcode (250); Msg: b'ok'\n" };
        format!("{name}{line}\\r\\n'\n{told}")
    });
    let imported = says_the_same("smtplib", &text);
    assert!(imported.said.contains("line 2: not read: "), "{}", imported.said);
    let text = pasted(|_, typed, line| {
        format!("Net::SMTP=GLOB(0x1d){} {line}\n", if typed { ">>>" } else { "<<<" })
    });
    says_the_same("perl", &text);

    let text = "=== Trying 127.0.0.1:25...\n=== Connected to 127.0.0.1.\n<-  220 h\n -> EHLO h\n<-  250 PIPELINING\n\
        \x20>> MAIL FROM:<a@h>\n >> RCPT TO:<b@h>\n<<  250 one\n<<  250 two\n -> QUIT\n<-  221 bye\n\
        === Connection closed with remote host.\n";
    let dialogue = "S: 220 h\nC: EHLO h\nS: 250 PIPELINING\nC: MAIL FROM:<a@h>\nC: RCPT TO:<b@h>\nS: 250 one\nS: 250 two\n\
        C: QUIT\nS: 221 bye\nclose";
    import("swaks.txt", text).holds(&[("smtp", "smtp", dialogue)], &[]);
}

#[test]
fn each_of_many_sessions_gets_the_greeting_that_its_paste_lacks() {
    let session = |n: usize| {
        format!(
            "$ telnet mail{n}.example 25\nEHLO me.example\n250 mail{n}.example\nQUIT\n221 bye\n"
        )
    };
    let imported = import("x.txt", &(1..=200).map(session).collect::<String>());
    let script = &imported.script;
    for n in 1..=200 {
        let number = if n == 1 { String::new() } else { format!("_{n}") };
        let begin = format!(
            "let s{n} = connect(param(\"smtp{number}\", \"smtp://mail{n}.example:25\"));\ns{n}.expect(220);\ns{n}.send(\"EHLO me.example\");\n"
        );
        assert!(script.contains(&begin), "{begin}\n{script}");
    }
}

#[test]
fn a_number_after_a_hash_is_part_of_a_greeting() {
    let text = "220-mail.example ESMTP Exim 4.95 #2 ready\n220 no spam\nQUIT\n221 bye\n";
    let dialogue =
        "S: 220-mail.example ESMTP Exim 4.95 #2 ready\nS: 220 no spam\nC: QUIT\nS: 221 bye\nclose";
    import("exim.txt", text).holds(&[("smtp", "smtp", dialogue)], &[]);
}

#[test]
fn a_reply_with_a_value_that_varies_has_no_other_lines() {
    let right = SAID.replace("526562BE062", "9E3F12BE0AA");
    let text = pasted(|_, typed, line| format!("{}: {line}\n", if typed { "C" } else { "S" }));
    let imported = import("whole.txt", &text);
    imported.holds(&[("smtp", "smtp", &right)], &[]);
    let queued = "S: 250 2.0.0 Ok: queued as 9E3F12BE0AA";
    for wrong in [
        format!("S: 250-2.0.0 the message is infected\n{queued}"),
        format!("{}\nS: 250 2.0.0 but deleted", queued.replace("250 ", "250-")),
    ] {
        imported.fails("smtp", "smtp", &right.replace(queued, &wrong));
    }
}

#[test]
fn a_session_without_replies_is_read_line_by_line() {
    let text = "*** connecting to tcp://localhost:7\nS: hi [DATE]\nC: who\nS: me\nS: and you\nC: bye\nS: half\\\n\
        S:  a line\n*** closed by the server\n";
    let imported = import("stream.txt", text);
    let dialogue = "S: hi Thu\nC: who\nS: me\nS: and you\nC: bye\nS: half a line\nclose";
    imported.holds(&[("tcp", "tcp", dialogue)], &[]);
    imported.fails("tcp", "tcp", &dialogue.replace("S: and", "S: only\nS: and"));
}

#[test]
fn a_reply_that_goes_on_after_the_imported_one_fails_the_script() {
    let imap = "* OK hi\na SEARCH ALL\n* SEARCH 1\na OK done\nb SEARCH NEW\n* SEARCH\nb OK done\n";
    let imported = import("imap.txt", imap);
    let said = "S: * OK hi\nC: a SEARCH ALL\nS: * SEARCH 1\nS: a OK done\nC: b SEARCH NEW\nS: * SEARCH\n\
        S: b OK done\nclose";
    imported.holds(&[("imap", "imap", said)], &[]);
    for (was, now) in [
        ("* SEARCH 1\n", "* SEARCH 1 2\n"),
        ("* SEARCH 1\n", "* SEARCH 15\n"),
        ("* SEARCH\n", "* SEARCH 7\n"),
        ("b OK done", "b OK done by halves"),
    ] {
        imported.fails("imap", "imap", &said.replace(was, now));
    }
    let imported = import("pop3.txt", "+OK ready\nSTAT\n+OK 2 320\nQUIT\n+OK\n");
    let said = "S: +OK ready\nC: STAT\nS: +OK 2 320\nC: QUIT\nS: +OK\nclose";
    imported.holds(&[("pop3", "pop3", said)], &[]);
    imported.fails("pop3", "pop3", &said.replace("320", "3200"));
    assert!(imported.script.contains("assert_eq(s.expect(\"+OK\").text, \"+OK 2 320\");"));
    let imported = says_the_same("smtp", &pasted(|_, _, line| format!("{line}\n")));
    imported.fails("smtp", "smtp", &SAID.replace("250 2.1.0 Ok", "250 2.1.0 Ok, but why"));
}

#[test]
fn blanks_that_a_paste_lost_or_added_at_the_end_of_a_reply_may_differ() {
    let imported = import("blank.txt", "220 hi  \nAUTH PLAIN\n334\nAGEAYg==\n235 in\n");
    let said = "S: 220 hi\nC: AUTH PLAIN\nS: 334 \nC: AGEAYg==\nS: 235 in\nclose";
    imported.holds(&[("smtp", "smtp", said)], &[]);
    imported.fails("smtp", "smtp", &said.replace("220 hi", "220 hi there"));
}

#[test]
fn the_rest_of_a_response_after_a_literal_keeps_its_blanks_and_its_empty_line() {
    let fetched = "* 1 FETCH (BODY[HEADER] {15}\nSubject: hi\n\n BODY[TEXT] {16}\n  # 1\nx // 2 \n\
        \x20FLAGS (\\Seen))\nc OK done\n";
    for margin in ["", "    "] {
        let lines = format!("* OK hi\nc FETCH 1 (BODY[HEADER] BODY[TEXT] FLAGS)\n{fetched}");
        let text: String = lines.lines().flat_map(|line| [margin, line, "\n"]).collect();
        let imported = import("fetch.txt", &text);
        let said = "S: * OK hi\nC: c FETCH 1 (BODY[HEADER] BODY[TEXT] FLAGS)\n".to_owned();
        let said = fetched.lines().fold(said, |said, line| said + "S: " + line + "\n");
        imported.holds(&[("imap", "imap", &said)], &[]);
    }
    for script in ["{5}\nkeep;\n", "{7}\nkeep;\n\n", "{16}\nkeep;\n\nstop;\n\n"] {
        let text = format!("\"SIEVE\" \"x\"\nOK\nGETSCRIPT \"a\"\n{script}OK \"done\"\n");
        let imported = import("sieve.txt", &text);
        let said = "S: \"SIEVE\" \"x\"\nS: OK\nC: GETSCRIPT \"a\"\n".to_owned();
        let said = text.lines().skip(3).fold(said, |said, line| said + "S: " + line + "\n");
        imported.holds(&[("sieve", "sieve", &said)], &[]);
    }
}

#[test]
fn a_block_keeps_the_blanks_and_the_marks_of_its_lines() {
    let lines = ["Received: by x", "    for <y>", "see // 3", "--", "   x"];
    let block = lines.map(|line| format!("  {line}\n")).concat();
    let text = format!("  +OK hi\n  RETR 1\n  +OK\n{block}  .\n  QUIT\n  +OK\n");
    let imported = import("retr.txt", &text);
    let block = lines.map(|line| format!("S: {line}\n")).concat();
    let said = format!("S: +OK hi\nC: RETR 1\nS: +OK\n{block}S: .\nC: QUIT\nS: +OK\nclose");
    imported.holds(&[("pop3", "pop3", &said)], &[]);
}
