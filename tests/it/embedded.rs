//! The embedded server, used from Rust, from scripts and by the program.

use mailexpect::script::Case;
use mailexpect::server::Embedded;
use mailexpect::{Session, Transcript, block_on, tls};

use crate::program::{folder, project, run};

/// Runs a script against its own embedded server.
fn passes(script: &str) {
    let folder = folder(&[("s.rhai", script)]);
    let outcome = Case::new(folder.path().join("s.rhai")).embedded().run();
    assert!(outcome.is_ok(), "{outcome:#}");
}

#[test]
fn the_readmes_script_over_three_protocols_needs_nothing_installed() {
    let readme = std::fs::read_to_string(project().join("README.md")).unwrap();
    let blocks = readme.split("```rhai\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let script = blocks.into_iter().find(|block| block.contains("imap.idle()")).unwrap();
    let folder = folder(&[("mail.rhai", script)]);
    let ran = run(folder.path(), &["run", "mail.rhai", "-v"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.out.contains(Embedded::PASSWORD), "{}", ran.out);
}

#[test]
fn every_mechanism_of_sasl_logs_in_by_every_protocol() {
    for (scheme, greeting, end) in
        [("imap", "* OK", "logout"), ("pop3", "+OK", "quit"), ("sieve", "OK", "logout")]
    {
        for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"] {
            passes(&format!(
                r#"// Log in.
                let s = connect(param("{scheme}"));
                s.expect("{greeting}");
                s.auth(param("user"), param("password"), #{{mechanism: "{mechanism}"}});
                s.{end}();
                "#
            ));
        }
    }
}

#[test]
fn mail_by_lmtp_is_in_the_mailbox_that_pop3_and_imap_show() {
    passes(
        r#"// LMTP has a reply for each recipient; POP3 deletes what IMAP then misses.
        let l = connect(param("lmtp"));
        l.expect(220);
        l.lhlo("client.example");
        l.mail("kim@example.com");
        l.rcpt(param("user"));
        l.rcpt("nobody@example.com", #{expect: 550});
        l.rcpt("other@example.com");
        let replies = l.data("Subject: by LMTP\r\n\r\nHi.\r\n");
        assert_eq(replies.len(), 2);
        l.quit();

        let imap = connect(param("imaps"), #{tls: #{ca: param("ca")}});
        imap.expect("* OK");
        imap.login(param("user"), param("password"));
        imap.select("INBOX");
        assert_eq(imap.search("SUBJECT lmtp"), [1]);
        imap.idle();

        let p = connect(param("pop3"));
        p.expect("+OK");
        p.apop(param("user"), param("password"));
        assert_eq(p.stat().messages, 1);
        p.dele(1);
        p.quit();

        imap.expect("* 1 EXPUNGE");
        imap.done();
        imap.logout();
        "#,
    );
}

#[test]
fn scripts_of_sieve_are_kept_and_given_back() {
    passes(
        r#"// ManageSieve keeps scripts.
        let s = connect(param("sieve"));
        s.expect("OK");
        s.starttls(#{ca: param("ca")});
        s.auth(param("user"), param("password"));
        s.putscript("main", "keep;\r\nstop;\r\n");
        s.putscript("a \"b\"", "discard;");
        s.setactive("main");
        assert_eq(s.getscript("main").text, "keep;\r\nstop;");
        assert_eq(s.listscripts().len(), 2);
        s.deletescript("main", #{expect: "NO (ACTIVE)"});
        s.renamescript("a \"b\"", "other");
        s.deletescript("other");
        s.havespace("main", 99999999, #{expect: "NO (QUOTA"});
        s.logout();
        "#,
    );
}

/// The error text of a script that fails.
fn fails(script: &str) -> String {
    let folder = folder(&[("s.rhai", script)]);
    let outcome = Case::new(folder.path().join("s.rhai")).embedded().run();
    assert!(!outcome.is_ok());
    outcome.to_string()
}

#[test]
fn a_server_in_the_background_does_as_it_is_told_and_is_asked_afterwards() {
    passes(
        r#"// A relay that is busy at first, and one that limits connections.
        let relay = serve("smtp", #{
            RCPT: [451, "421 4.3.2 busy\nclose"],
            MESSAGE: "wait 50ms\n250-2.0.0 taken\n250 2.0.0 indeed",
        });
        let s = connect(relay.url);
        s.expect(220);
        s.ehlo("client.example");
        s.mail("kim@example.com");
        s.rcpt("a@elsewhere.example", #{expect: 451});
        s.rcpt("a@elsewhere.example", #{expect: 421});
        s.expect_close();
        let s = connect(relay.url);
        s.expect(220);
        s.ehlo("client.example");
        s.mail("kim@example.com");
        s.rcpt("hoge@example.com");
        s.data("Subject: late\r\n\r\nHi.\r\n");
        s.quit();
        let mail = relay.expect_message(#{from: "kim@example.com", to: "hoge@example.com"});
        assert_eq(mail.message.subject, "late");
        assert_eq([relay.connections, relay.messages.len()], [2, 1]);
        assert(relay.commands.contains("MAIL FROM:<kim@example.com>"));

        let imap = serve("imap", #{users: #{"kim": "s3cret-pw"}, limit: [1, "1h"], "LOGIN": ["NO [UNAVAILABLE] later"]});
        let i = connect(imap.url);
        i.expect("* OK");
        i.login("kim", "s3cret-pw", #{expect: "NO"});
        i.login("kim", "s3cret-pw");
        connect(imap.url).expect("* BYE Too many");
        i.logout();
        assert(!imap.commands.contains("s3cret-pw"));

        let tls = serve("pop3s", #{certificate: "expired"});
        let why = "";
        try { connect(tls.url, #{tls: #{ca: tls.ca}}); } catch (e) { why = e.message; }
        assert(why.contains("expired"), why);
        serve("pop3s", #{certificate: "not_yet_valid"});
        "#,
    );
}

#[test]
fn a_server_in_the_background_that_is_told_nonsense_or_has_no_mail_says_so() {
    let said = fails(
        "// No mail.\nlet r = serve(\"smtp\");\nr.expect_message(#{to: \"a@b\", timeout: \"50ms\"});",
    );
    for part in [
        "the smtp server has no such message",
        "expected: a message to <a@b>",
        "got: no connection",
    ] {
        assert!(said.contains(part), "{said}");
    }
    for (options, why) in [
        ("#{RCPT: 42}", "42 is no reply code"),
        ("#{RCPT: true}", "a closure decides each time"),
        ("#{RCTP: |c| 250}", "did you mean `RCPT`"),
        ("#{RCPT: \"cut x\"}", "has no number of octets"),
        ("#{user: 1}", "did you mean `users`"),
        ("#{RCTP: 451}", "did you mean `RCPT`"),
        ("#{limit: 3}", "limit: [20, \"1m\"]"),
        ("#{certificate: \"bad\"}", "`bad` is no flaw"),
    ] {
        let said = fails(&format!("// Nonsense.\nlet r = serve(\"smtp\", {options});"));
        assert!(said.contains(why), "{options}: {said}");
    }
    assert!(fails("// Nonsense.\nlet r = serve(\"nntp\");").contains("no server speaks `nntp`"));
}

#[test]
fn every_port_has_its_url_and_greets_in_its_protocol() {
    let server = Embedded::start().unwrap();
    let ca = mailexpect::tls::Options::new().ca(server.ca().unwrap());
    assert_eq!(Embedded::schemes().count(), 9);
    for url in server.urls() {
        let url = &url;
        let ca = ca.clone();
        block_on(async move {
            let mut session = Session::options().tls(ca).connect(url).await?;
            let greeting = match url.split(':').next() {
                Some("imap" | "imaps") => "* OK",
                Some("pop3" | "pop3s") => "+OK",
                Some("sieve") => "OK",
                _ => "220",
            };
            session.expect(greeting).await?;
            session.finish().await
        })
        .unwrap();
    }
    assert!(server.imaps().starts_with("imaps://127.0.0.1:"));
    assert_eq!(server.url("nntp"), None);
}

#[test]
fn passwords_are_masked_in_the_transcript_of_every_protocol() {
    let transcript = Transcript::new();
    let server = Embedded::options().transcript(transcript.clone()).start().unwrap();
    block_on(async {
        let mut imap = Session::connect(&server.imap()).await?;
        imap.expect("* OK").await?;
        imap.send("a LOGIN hoge@example.com {6+}").await?;
        imap.send_raw(format!("{}\r\n", Embedded::PASSWORD)).await?;
        imap.expect("a OK").await?;
        imap.send("b LOGOUT").await?;
        imap.expect_until("b OK").await?;
        let mut pop3 = Session::connect(&server.pop3()).await?;
        pop3.expect("+OK").await?;
        pop3.login(Embedded::USER, Embedded::PASSWORD).await?;
        pop3.quit().await
    })
    .unwrap();
    drop(server);
    let shown = transcript.to_string();
    assert!(shown.contains("C: PASS [SECRET]") && shown.contains("C: [SECRET]"), "{shown}");
    assert!(!shown.contains(Embedded::PASSWORD), "{shown}");
}

#[test]
fn after_an_answer_of_a_rule_comes_what_the_client_goes_by() {
    let server = Embedded::options()
        .answer("DATA", ["354 send it"])
        .and_then(|options| options.answer("QUIT", ["221 bye"]))
        .and_then(|options| options.answer("STARTTLS", ["220 go"]))
        .and_then(|options| options.answer("APPEND", ["NO [OVERQUOTA] full", "OK so be it"]))
        .unwrap()
        .start()
        .unwrap();
    let ca = tls::Options::new().ca(server.ca().unwrap());
    block_on(async {
        let mut smtp = Session::options().tls(ca).connect(&server.smtp()).await?;
        smtp.expect(220).await?;
        smtp.ehlo("client.example").await?;
        smtp.starttls().await?;
        smtp.ehlo("client.example").await?;
        smtp.mail("kim@example.com").await?;
        smtp.rcpt(Embedded::USER).await?;
        smtp.data("Subject: hi\r\n\r\nHi.\r\n").await?;
        smtp.quit().await?;
        let mut imap = Session::connect(&server.imap()).await?;
        imap.expect("* OK").await?;
        imap.login(Embedded::USER, Embedded::PASSWORD).await?;
        for (tag, status) in [("a", "NO"), ("b", "OK so"), ("c", "OK")] {
            imap.send(format!("{tag} APPEND INBOX {{13+}}")).await?;
            imap.send_raw("Subject: hi\r\n\r\n").await?;
            // The literal ends within the header, so the rest of the command is an empty line.
            imap.expect_until(format!("{tag} {status}")).await?;
        }
        imap.quit().await.map(drop)
    })
    .unwrap();
    assert_eq!(server.mails().len(), 1);
}
