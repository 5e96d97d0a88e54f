//! Faults on purpose: each by an option of a call, of a listener and of a background server, in
//! clear and within TLS. Faults by chance are repeated by their seed.

use std::time::Duration;

use mailexpect::outcome::Outcome;
use mailexpect::script::Case;

use crate::program::{folder, run};

pub(crate) fn outcome(script: &str) -> Outcome {
    let folder = folder(&[("script.rhai", script)]);
    Case::new(folder.path().join("script.rhai")).timeout(Duration::from_secs(10)).run()
}

pub(crate) fn passes(script: &str) {
    let outcome = outcome(script);
    assert!(outcome.is_ok(), "{script}\n{outcome:#}");
}

/// Each fault, and how the client sees it instead of `250 2.0.0 Ok`.
const FAULTS: [(&str, &str); 20] = [
    (r#"after: "300ms""#, r#"c.expect_silence("20ms"); c.expect("250 2.0.0 Ok\r\n");"#),
    (r#"after: "1ms", jitter: "1ms""#, r#"c.expect("250 2.0.0 Ok\r\n");"#),
    (r#"drip: "1ms""#, r#"c.expect("250 2.0.0 Ok\r\n");"#),
    (r#"drip: "1ms", jitter: "1ms""#, r#"c.expect("250 2.0.0 Ok\r\n");"#),
    ("cut: 6", r#"c.expect("250 2."); c.expect_close();"#),
    (r#"cut: 6, then: "reset""#, "refused(c);"),
    (r#"cut: 6, then: "half_close""#, r#"c.expect("250 2."); c.expect_close();"#),
    (r#"cut: 6, then: "silence""#, r#"c.expect("250 2."); c.expect_silence("20ms");"#),
    (r#"cut: 6, then: "cut_tls""#, r#"c.expect("250 2."); c.expect_close();"#),
    (r#"then: "close""#, r#"c.expect("250 2.0.0 Ok\r\n"); c.expect_close();"#),
    ("bare_lf: true", r#"c.expect("250 2.0.0 Ok\n");"#),
    ("nul: true", r#"c.expect("250 2.0.0 Ok\x00\r\n");"#),
    (r#"wrong: "350 what?""#, r#"c.expect("350 what?\r\n");"#),
    ("doubled: true", r#"c.expect("250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n");"#),
    ("missing: true", r#"c.expect_silence("20ms");"#),
    ("endless: 1000", r#"c.expect("250 2.0.0 Okxxxxxxxxxx");"#),
    (r#"inject: "250 evil\r\n""#, r#"c.expect("250 2.0.0 Ok\r\n250 evil\r\n");"#),
    ("read_rate: 1000", r#"c.expect("250 2.0.0 Ok\r\n");"#),
    ("chance: 1.0, cut: 6", r#"c.expect("250 2."); c.expect_close();"#),
    ("chance: 0.0, cut: 6", r#"c.expect("250 2.0.0 Ok\r\n");"#),
];

/// A client without framing, so that it sees each byte.
const CLIENT: &str = r#"
fn client(server) {
    let url = if server.url.starts_with("smtp://") || server.url.starts_with("submission://") { `tcp://${server.host}:${server.port}` } else { `tls://${server.host}:${server.port}` };
    connect(url, #{tls: #{ca: server.ca}, grace: "50ms"})
}
fn refused(c) {
    let seen = "";
    try { c.expect("250 2.0.0 Ok"); } catch (e) { seen = e.kind; }
    assert_eq(seen, "closed");
}
"#;

/// A script in which the server's side plays a fault in its answer to NOOP.
fn played(scheme: &str, options: &str, fault: &str, seen: &str) -> String {
    let answer = format!("s.serve(\"NOOP\", [250, \"2.0.0 Ok\"]{fault});");
    format!(
        r#"{CLIENT}
        let l = listen("{scheme}"{options});
        let c = ();
        let s = ();
        together([|| c = client(l), || s = l.accept()]);
        s.greet(220, "hi");
        c.expect("220 hi\r\n");
        c.send("NOOP");
        together([|| {{ {answer} }}, || {{ {seen} }}]);
        try {{ s.reset(); }} catch {{ }}
        try {{ c.reset(); }} catch {{ }}
        "#
    )
}

fn in_background(scheme: &str, options: &str, seen: &str) -> String {
    format!(
        r#"{CLIENT}
        let relay = serve("{scheme}", #{{ {options} }});
        let c = client(relay);
        c.expect(re("220 .*\r\n"));
        c.send("NOOP");
        {seen}
        try {{ c.reset(); }} catch {{ }}
        "#
    )
}

/// Runs all scripts together, in one process.
fn all_pass(scripts: impl IntoIterator<Item = String>) {
    let scripts: Vec<_> = scripts.into_iter().collect();
    let names: Vec<_> = (0..scripts.len()).map(|number| format!("{number:03}.rhai")).collect();
    let texts: Vec<_> = names.iter().zip(&scripts).map(|(n, s)| (n.as_str(), s.as_str())).collect();
    let ran = run(folder(&texts).path(), &["run", "."]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains(&format!("{} passed", scripts.len())), "{}", ran.out);
}

#[test]
fn each_fault_is_an_option_of_a_word_and_of_a_listener() {
    all_pass(["smtp", "smtps"].into_iter().flat_map(|scheme| {
        FAULTS.into_iter().flat_map(move |(fault, seen)| {
            let options = format!(", #{{ faults: #{{ at: \"NOOP\", {fault} }} }}");
            [
                played(scheme, "", &format!(", #{{ {fault} }}"), seen),
                played(scheme, &options, "", seen),
            ]
        })
    }));
}

#[test]
fn each_fault_is_an_option_of_a_server_in_the_background_and_of_its_commands() {
    all_pass(["smtp", "submissions"].into_iter().flat_map(|scheme| {
        FAULTS.into_iter().flat_map(move |(fault, seen)| {
            let of_all = format!("faults: #{{ at: \"NOOP\", {fault} }}");
            [
                in_background(scheme, &of_all, seen),
                in_background(scheme, &format!("NOOP: #{{ {fault} }}"), seen),
            ]
        })
    }));
}

#[test]
fn a_fault_happens_on_its_connection_at_its_number_and_for_its_address() {
    passes(
        r#"
        let relay = serve("smtp", #{faults: [
            #{at: "GREETING", connection: 2, wrong: "421 4.3.2 later"},
            #{at: "RCPT", number: 2, wrong: "451 4.3.0 second"},
            #{at: "MESSAGE", address: "@busy.example", wrong: "452 4.3.1 full"},
        ]});
        let s = connect(relay.url);
        s.expect(220);
        connect(relay.url).expect(421);
        s.ehlo("client.example");
        s.mail("kim@example.com");
        s.rcpt("a@localhost");
        s.rcpt("b@localhost", #{expect: 451});
        s.data("Subject: x\r\n\r\nx\r\n");
        s.mail("kim@busy.example");
        s.rcpt("a@localhost");
        s.data("Subject: x\r\n\r\nx\r\n", #{expect: 452});
        s.quit();
        "#,
    );
    passes(
        r#"
        let l = listen("smtp", #{faults: #{connection: 2, at: "GREETING", wrong: "421 later"}});
        for code in [220, 421] {
            let c = connect(l.url);
            l.accept().greet();
            c.expect(code);
        }
        "#,
    );
}

#[test]
fn garbage_and_injection_stand_before_tls() {
    for how in [
        r#"listen("smtps", #{faults: #{at: "CONNECT", garbage: true}})"#,
        r#"serve("submissions", #{faults: #{at: "CONNECT", garbage: true}})"#,
    ] {
        passes(&format!(
            r#"let l = {how};
            let kind = "";
            try {{ connect(l.url, #{{tls: #{{ca: l.ca}}}}); }} catch (e) {{ kind = e.kind; }}
            assert_eq(kind, "tls");"#
        ));
    }
    for (fault, kinds) in
        [("garbage: true", "tls injected"), (r#"inject: "250 evil\r\n""#, "injected")]
    {
        for options in [
            format!("STARTTLS: #{{ {fault} }}"),
            format!("faults: #{{at: \"STARTTLS\", {fault} }}"),
        ] {
            passes(&format!(
                r#"let relay = serve("smtp", #{{ {options} }});
                let s = connect(relay.url);
                s.expect(220);
                s.ehlo("x");
                let kind = "";
                try {{ s.starttls(#{{ca: relay.ca}}); }} catch (e) {{ kind = e.kind; }}
                assert(kind != "" && "{kinds}".contains(kind), kind);
                try {{ s.reset(); }} catch {{ }}"#
            ));
        }
        for (of_word, of_listener) in [
            (format!("#{{ {fault} }}"), String::new()),
            ("#{}".to_owned(), format!(", #{{faults: #{{at: \"STARTTLS\", {fault} }} }}")),
        ] {
            passes(&format!(
                r#"let l = listen("smtp"{of_listener});
                let c = connect(l.url);
                let s = l.accept();
                s.greet();
                c.expect(220);
                let kind = "";
                together([
                    || try {{ s.expect_starttls({of_word}); }} catch {{ }},
                    || {{ try {{ c.starttls(#{{ca: l.ca}}); }} catch (e) {{ kind = e.kind; }} try {{ c.reset(); }} catch {{ }} }},
                ]);
                assert(kind != "" && "{kinds}".contains(kind), kind);
                try {{ s.reset(); }} catch {{ }}"#
            ));
        }
    }
}

#[test]
fn a_connection_can_end_before_the_greeting() {
    for then in ["close", "reset"] {
        for how in ["listen(\"smtp\"", "serve(\"smtp\""] {
            passes(&format!(
                r#"let l = {how}, #{{faults: #{{at: "CONNECT", after: "1ms", then: "{then}"}}}});
                let kind = "";
                let c = connect(l.url);
                try {{ c.expect(220); }} catch (e) {{ kind = e.kind; }}
                try {{ c.reset(); }} catch {{ }}
                assert(kind == "closed" || kind == "unreachable", kind);"#
            ));
        }
    }
}

#[test]
fn a_client_that_is_not_read_has_to_wait() {
    for how in [
        r#"serve("smtp", #{faults: #{at: "DATA", read_rate: 0}})"#,
        r#"serve("smtp", #{DATA: #{read_rate: 0}})"#,
    ] {
        passes(&format!(
            r#"let relay = {how};
            let s = connect(relay.url);
            s.expect(220);
            s.ehlo("x");
            s.mail("kim@example.com");
            s.rcpt("a@localhost");
            s.send("DATA");
            s.expect(354);
            let kind = "";
            let line = "x".repeat(1000) + "\r\n";
            try {{ s.send_message(line.repeat(9000), #{{timeout: "300ms"}}); }} catch (e) {{ kind = e.kind; }}
            assert_eq(kind, "timeout");
            s.reset();"#
        ));
    }
    passes(
        r#"let l = listen("smtp", #{read_rate: 100});
        let c = connect(l.url);
        let s = l.accept();
        s.greet();
        c.expect(220);
        c.pipeline(["NOOP " + "x".repeat(60), "NOOP"]);
        s.expect_command("NOOP");
        s.send_raw("250 ok\r\n");
        c.expect(250);
        // The rest arrives later, at the limited rate, and not with the first read.
        let kind = "";
        try { s.expect_command("NOOP", #{timeout: "1ms"}); } catch (e) { kind = e.kind; }
        assert_eq(kind, "timeout");
        s.expect_command("NOOP");
        s.reply(250);
        c.expect(250);
        "#,
    );
}

#[test]
fn literals_and_uidvalidity_of_imap_lie() {
    for options in [
        "SELECT: #{uidvalidity: true}, FETCH: #{literal: 7}",
        r#"faults: [#{at: "SELECT", uidvalidity: true}, #{at: "FETCH", literal: 7}]"#,
    ] {
        passes(&format!(
            r#"let good = serve("imap", #{{users: #{{kim: "hunter2-hunter2"}}}});
            let bad = serve("imap", #{{users: #{{kim: "hunter2-hunter2"}}, {options} }});
            for imap in [good, bad] {{
                let c = connect(imap.url, #{{grace: "50ms"}});
                c.expect("* OK");
                c.login("kim", "hunter2-hunter2");
                c.append("INBOX", "Subject: x\r\n\r\nhi\r\n");
                let status = c.command("STATUS INBOX (UIDVALIDITY)");
                let meant = status.text.split("UIDVALIDITY ")[1].split(")")[0];
                let box = c.command("SELECT INBOX");
                assert(box.text.contains(`[UIDVALIDITY ${{meant}}]`) == (imap.url == good.url));
                c.send("f1 FETCH 1 BODY.PEEK[]");
                let literal = c.expect_line(re("\\{{(\\d+)\\}}"));
                assert_eq(literal[1], if imap.url == good.url {{ "18" }} else {{ "25" }});
                c.reset();
            }}"#
        ));
    }
}

#[test]
fn a_server_can_say_wrong_lines_and_forge_a_signature() {
    passes(
        r#"
        let imap = serve("imap", #{
            users: #{kim: "hunter2-hunter2"},
            GREETING: "* PREAUTH hi",
            IDLE: "+ idling\n* BYE over\nclose",
            APPEND: #{wrong: "* BAD junk"},
        });
        let c = connect(imap.url);
        c.expect("* PREAUTH");
        c.send("a1 IDLE");
        c.expect("+");
        c.expect("* BYE over");
        c.expect_close();
        let scram = serve("submissions", #{users: #{kim: "hunter2-hunter2"}, RESPONSE: #{forge: true}});
        let s = connect(scram.url, #{tls: #{ca: scram.ca}});
        s.expect(220);
        s.ehlo("x");
        let why = "";
        try { s.auth("SCRAM-SHA-256", "kim", "hunter2-hunter2"); } catch (e) { why = e.message; }
        assert(why.contains("signature"), why);
        try { s.reset(); } catch { }
        let junk = serve("submissions", #{faults: #{at: "AUTH", wrong: "334 ***"}});
        let s = connect(junk.url, #{tls: #{ca: junk.ca}});
        s.expect(220);
        s.ehlo("x");
        let kind = "";
        try { s.auth("CRAM-MD5", "kim", "hunter2-hunter2"); } catch (e) { kind = e.kind; }
        assert_eq(kind, "malformed");
        try { s.reset(); } catch { }
        "#,
    );
}

const SPOILT: &str = r#"// The first is reset, the second hears no TLS, and the third is served.
let l = listen("smtp", #{faults: [
    #{at: "CONNECT", connection: 1, then: "reset"},
    #{at: "CONNECT", connection: 2, garbage: true},
    #{at: "CONNECT", connection: 4, then: "close"},
]});
connect(l.url).expect_close();
let c = connect("tcp" + l.url.sub_string(4));
c.send_raw("x");
c.expect("220 this is no TLS\r\n");
c.expect_close();
let c = connect(l.url);
let s = l.accept();
s.greet(220, "hi");
c.expect(220);
c.send("QUIT");
s.expect_quit();
c.expect(221);
connect(l.url).expect_close();
if param("more", false) { l.accept(#{timeout: "100ms"}); }
"#;

#[test]
fn a_connection_that_a_fault_ends_before_the_greeting_is_in_the_transcript() {
    let folder = folder(&[("spoilt.rhai", SPOILT)]);
    let ran = run(folder.path(), &["run", "spoilt.rhai", "--record", "-v"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let golden = std::fs::read_to_string(folder.path().join("snapshots/spoilt.snap")).unwrap();
    let wanted = [
        ("s4", "*** reset by the server"),
        ("s5", "S: 220 this is no TLS"),
        ("s5", "*** closed by the server"),
        ("s6", "S: 220 hi"),
        ("s8", "*** closed by the server"),
    ];
    for (session, line) in wanted {
        assert!(golden.contains(&format!("{session} {line}\n")), "{session} {line}: {golden}");
        assert!(golden.contains(&format!("{session} *** accepted from smtp://")), "{golden}");
    }
    let again = run(folder.path(), &["run", "spoilt.rhai", "--check"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let ran = run(folder.path(), &["run", "spoilt.rhai", "--set", "more=true", "--check"]);
    let got = "= got: 1 that was accepted before, and 3 that a fault at CONNECT has ended";
    assert!(ran.out.contains(got) && !ran.out.contains("--seed"), "{}", ran.out);
}

#[test]
fn a_fault_that_could_never_happen_is_refused() {
    for (options, said) in [
        (r#"faults: #{at: "RCTP", cut: 1}"#, "did you mean `RCPT`?"),
        (r#"faults: #{at: "RCPT", cutt: 1}"#, "did you mean `cut`?"),
        ("faults: #{connection: 0, cut: 1}", "the first is 1"),
        ("faults: 3", "is a map, or a list of maps"),
        ("RCPT: #{chance: 7}", "a number from 0 to 1"),
        (r#"RCPT: #{then: "explode"}"#, "no end of a connection"),
        ("RCPT: #{repy: 451}", "did you mean `reply`?"),
    ] {
        let outcome = outcome(&format!("serve(\"smtp\", #{{ {options} }});"));
        let text = format!("{outcome:#}");
        assert!(text.contains(said), "{options}: {text}");
    }
}
