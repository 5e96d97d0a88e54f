//! Closures that decide what a server in the background does.

use std::time::Duration;

use mailexpect::outcome::Outcome;
use mailexpect::script::Case;

use crate::program::folder;

fn outcome(script: &str) -> Outcome {
    let folder = folder(&[("script.rhai", script)]);
    Case::new(folder.path().join("script.rhai")).timeout(Duration::from_secs(10)).run()
}

fn passes(script: &str) {
    let outcome = outcome(script);
    assert!(outcome.is_ok(), "{outcome:#}");
}

#[test]
fn a_closure_decides_by_address_number_and_connection() {
    passes(
        r#"
        let seen = [];
        let relay = serve("smtp", #{
            GREETING: |c| if c.connection == 2 { "421 4.3.2 later\nclose" },
            MAIL: |c| if parse_int(c.parameters.SIZE) > 999 { 552 },
            RCPT: |c| {
                seen.push([c.verb, c.address, c.number, c.connection]);
                if c.address == "busy@example.com" { "450 4.2.1 busy" } else if c.number == 3 { "close" }
            },
        });
        let s = connect(relay.url);
        s.expect(220);
        s.ehlo("client.example");
        s.send("MAIL FROM:<kim@a.example> SIZE=5000");
        s.expect(552);
        s.send("MAIL FROM:<kim@a.example> SIZE=100");
        s.expect(250);
        s.rcpt("busy@example.com", #{expect: "450 4.2.1 busy"});
        s.rcpt("hoge@example.com");
        s.send("RCPT TO:<third@example.com>");
        s.expect_close();
        connect(relay.url).expect(421);
        assert_eq(seen, [["RCPT", "busy@example.com", 1, 1], ["RCPT", "hoge@example.com", 2, 1], ["RCPT", "third@example.com", 3, 1]]);
        "#,
    );
}

#[test]
fn a_closure_decides_about_a_message_and_about_responses() {
    passes(
        r#"
        let relay = serve("submission", #{
            MESSAGE: |c| if c.bytes.as_string().contains("spam") { "554 5.7.1 no" },
            RESPONSE: |c| { assert(c.text.len() > 0); () },
            users: #{"kim": "hunter2-hunter2"},
        });
        let s = connect(relay.url);
        s.expect(220);
        s.ehlo("client.example");
        s.starttls(#{ca: relay.ca});
        s.ehlo("client.example");
        s.auth("LOGIN", "kim", "hunter2-hunter2");
        for text in ["spam", "ham"] {
            s.mail("kim@a.example");
            s.rcpt("hoge@example.com");
            s.data(`Subject: x\r\n\r\n${text}\r\n`, #{expect: if text == "spam" { 554 } else { 250 }});
        }
        s.quit();
        assert_eq(relay.messages.len(), 1);
        "#,
    );
}

#[test]
fn a_rule_for_responses_applies_in_every_protocol() {
    passes(
        r#"
        let rules = #{
            submission: ["535 5.7.8 wrong", "220", "NOOP", "250"],
            imap: ["NO wrong", "* OK", "b NOOP", "b OK"],
            pop3: ["-ERR wrong", "+OK", "USER kim", "+OK"],
            sieve: ["NO \"wrong\"", "OK", "NOOP", "OK"],
        };
        for scheme in ["submission", "imap", "pop3", "sieve"] {
            let refusal = rules[scheme][0];
            let greeting = rules[scheme][1];
            // The first response of each connection, and the second.
            for second in [false, true] {
                let server = serve(scheme, #{RESPONSE: |c| if c.number == 2 || !second { refusal }});
                let s = connect(server.url);
                s.expect(greeting);
                if scheme == "submission" { s.ehlo("client.example"); }
                let why = "";
                try {
                    s.auth("hoge@example.com", "pppwww", #{mechanism: "LOGIN"});
                } catch (error) {
                    why = error.got;
                }
                assert(why.contains("wrong"), `${scheme}: ${why}`);
                s.send(rules[scheme][2]);
                s.expect(rules[scheme][3]);
                s.close();
            }
        }
        let server = serve("sieve", #{RESPONSE: "NO \"wrong\""});
        let s = connect(server.url);
        s.expect("OK");
        s.send("AUTHENTICATE \"PLAIN\"");
        s.expect("\"\"");
        s.send("{4+}\r\nAGEA");
        s.expect("NO \"wrong\"");
        "#,
    );
}

#[test]
fn a_closure_decides_in_every_protocol() {
    passes(
        r#"
        let imap = serve("imap", #{users: #{"kim": "hunter2-hunter2"}, SELECT: |c| if c.number == 1 { "NO [UNAVAILABLE] later" }});
        let s = connect(imap.url);
        s.expect("* OK");
        s.login("kim", "hunter2-hunter2");
        s.select("INBOX", #{expect: "NO [UNAVAILABLE]"});
        s.select("INBOX");
        s.logout();
        let pop = serve("pop3", #{STAT: |c| "-ERR [SYS/TEMP] later"});
        let p = connect(pop.url);
        p.expect("+OK");
        p.send("USER kim@example.com");
        p.expect("+OK");
        p.send("STAT");
        p.expect("-ERR [SYS/TEMP] later");
        p.quit();
        "#,
    );
}

#[test]
fn pipelined_commands_are_answered_in_their_order() {
    passes(
        r#"
        let relay = serve("smtp", #{RCPT: |c| if c.number % 2 == 0 { 452 }});
        let s = connect(relay.url);
        s.expect(220);
        s.ehlo("client.example");
        s.pipeline(["MAIL FROM:<>", "RCPT TO:<a@example.com>", "RCPT TO:<c@example.com>", "RCPT TO:<e@example.com>", "RSET"]);
        for code in [250, 250, 452, 250, 250] { s.expect(code); }
        s.quit();
        "#,
    );
}

#[test]
fn branches_and_commands_wait_while_a_closure_decides() {
    passes(
        r#"
        let relay = serve("smtp", #{NOOP: |c| `250 2.0.0 ${c.number}`});
        fn client(relay) {
            let s = connect(relay.url);
            s.expect(220);
            s.ehlo("client.example");
            let said = s.noop().text;
            s.quit();
            said
        }
        let all = together([|| client(relay), || client(relay), || client(relay)]);
        all.sort();
        assert_eq(all, ["250 2.0.0 1", "250 2.0.0 2", "250 2.0.0 3"]);
        "#,
    );
}

#[test]
fn a_closure_that_fails_fails_the_script() {
    let outcome = outcome(
        "let relay = serve(\"smtp\", #{NOOP: |c| { assert_eq(c.verb, \"RSET\"); }});\n\
         let s = connect(relay.url);\ns.expect(220);\ns.ehlo(\"a.example\");\ns.noop();\n",
    );
    let failure = outcome.failure().unwrap();
    assert_eq!(failure.error.kind().name(), "assert");
    assert_eq!(failure.place.as_ref().map(|place| place.line), Some(1), "{outcome:#}");
}

#[test]
fn a_value_that_is_no_answer_is_told() {
    let outcome = outcome(
        "let relay = serve(\"smtp\", #{NOOP: |c| true});\n\
         let s = connect(relay.url);\ns.expect(220);\ns.ehlo(\"a.example\");\ns.noop();\n",
    );
    let error = &outcome.failure().unwrap().error;
    assert!(error.is_usage() && error.message().contains("and not of type bool"), "{error}");
}

#[test]
fn a_reply_code_is_no_answer_of_a_protocol_without_codes() {
    for (script, name) in [
        ("serve(\"imap\", #{LOGIN: 550});", "IMAP"),
        ("serve(\"pop3\", #{STAT: [(), \"550 5.0.0 no\"]});", "POP3"),
        ("serve(\"sieve\", #{GREETING: #{reply: 421}});", "ManageSieve"),
        (
            "let s = connect(serve(\"imap\", #{NOOP: |c| 550}).url);\ns.expect(\"* OK\");\ns.noop();\n",
            "IMAP",
        ),
    ] {
        let outcome = outcome(script);
        let error = &outcome.failure().unwrap().error;
        let why = format!("{name} has no reply codes");
        assert!(error.is_usage() && error.message().contains(&why), "{script}: {error}");
    }
    passes(
        r#"
        let server = serve("sieve", #{PUTSCRIPT: "NO (QUOTA) \"full\"", GREETING: "OK \"hi\"", NOOP: "S: 550 x"});
        let s = connect(server.url);
        assert_eq(s.expect("OK").text, "OK \"hi\"");
        s.auth("PLAIN", "hoge@example.com", "pppwww");
        assert(s.putscript("a", "keep;\n", #{expect: "NO"}).text.contains("(QUOTA)"));
        s.logout();
        "#,
    );
}

#[test]
fn a_server_that_reads_slowly_makes_the_client_wait() {
    passes(
        r#"
        let relay = serve("smtp", #{read_rate: 20000});
        let s = connect(relay.url);
        s.expect(220);
        s.ehlo("client.example");
        s.mail("kim@a.example");
        s.rcpt("hoge@example.com");
        let taken = s.data("Subject: x\r\n\r\n" + repeat("x", 900) + "\r\n" + repeat(repeat("y", 900) + "\r\n", 11));
        assert(taken.took >= 0.4, `${taken.took}`);
        s.quit();
        "#,
    );
    let outcome = outcome("serve(\"smtp\", #{read_rate: -1});");
    assert!(outcome.failure().unwrap().error.message().contains("octets a second"));
}

#[test]
fn a_script_that_ends_leaves_nobody_waiting() {
    passes(
        r#"
        let relay = serve("smtp", #{NOOP: |c| 451});
        let s = connect(relay.url);
        s.expect(220);
        s.ehlo("client.example");
        s.send("NOOP");
        s.reset();
        "#,
    );
}
