//! What a scripted server accepts from clients, and how its errors describe what a client did not
//! send.

use crate::program::{folder, run};

fn passes(script: &str) {
    let folder = folder(&[("s.rhai", script)]);
    let ran = run(folder.path(), &["run", "s.rhai"]);
    assert_eq!(ran.code, Some(0), "{script}\n{ran:?}");
}

fn fails(script: &str, said: &[&str]) {
    let folder = folder(&[("s.rhai", script)]);
    let ran = run(folder.path(), &["run", "s.rhai"]);
    assert_eq!(ran.code, Some(1), "{script}\n{ran:?}");
    for said in said {
        assert!(ran.out.contains(said), "{said}: {}", ran.out);
    }
}

/// A script with both sides of a dialogue, which begins with the greeting if `greeting` is set.
fn both(greeting: bool, rest: &str) -> String {
    let greeting = if greeting { "s.greet(); c.expect(220);" } else { "" };
    format!(
        "let l = listen(\"smtp\");\nlet c = connect(l.url);\nlet s = l.accept();\n{greeting}\n{rest}\n"
    )
}

#[test]
fn a_message_follows_each_go_ahead_of_its_class() {
    for code in [354, 351, 300] {
        passes(&both(
            true,
            &format!(
                "c.send(\"DATA\"); s.serve(\"DATA\", {code}); c.expect({code});
                 c.send_message(\"Subject: hi\\n\\n.hi\\n\");
                 assert(s.expect_message().text.contains(\"hi\"));
                 s.reply(250); c.expect(250);"
            ),
        ));
    }
}

#[test]
fn a_header_of_the_proxy_protocol_is_no_command() {
    let rest = r#"s.greet(); c.expect(220); c.send("NOOP"); s.serve("NOOP", 250); c.expect(250);"#;
    let one = r#"c.send_raw("PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\r\n");
        assert(s.expect_line("PROXY TCP4").text.contains("192.0.2.7"));"#;
    passes(&both(false, &[one, rest].concat()));
    let two = r#"c.send_raw(hex("0d0a0d0a000d0a515549540a 2111000c c0000207 c0000201 1267 0019"));
        assert_eq!(s.expect_octets(28).octets, 28);"#;
    passes(&both(false, &[two, rest].concat()));
}

#[test]
fn errors_name_the_client_as_the_one_who_did_not_speak() {
    let silent = both(true, "s.expect_command(\"EHLO\", #{timeout: \"50ms\"});");
    fails(&silent, &["give the client longer"]);
    let half = both(true, "c.send_raw(\"EH\"); s.expect_command(\"EHLO\", #{timeout: \"50ms\"});");
    fails(&half, &["the command was not whole in time", "if the client is only slow"]);
    let cut = both(true, "c.send_raw(\"EH\"); c.shutdown(); s.expect_command();");
    fails(&cut, &["in the middle of a command; it lacks"]);
    let data = "c.send(\"DATA\"); s.serve(\"DATA\", 354); c.expect(354); c.send_raw(\"a\\n.\\n\");";
    let late = both(true, &format!("{data} s.expect_message(#{{timeout: \"50ms\"}});"));
    fails(&late, &["the message was not whole in time", "RFC 5321", "which ends no message"]);
    let cut = both(true, &format!("{data} c.shutdown(); s.expect_message();"));
    fails(&cut, &["in the middle of a message", "= expected: a message up to a lone dot"]);
    let gone = both(true, "c.shutdown(); s.expect_command();");
    fails(&gone, &["the client closed the connection", "= expected: a command\n"]);
    let login = both(
        true,
        "c.send(\"AUTH CRAM-MD5\"); c.shutdown(); s.expect_auth(#{users: #{hoge: \"secret\"}});",
    );
    fails(&login, &["= expected: a response to the challenge\n"]);
    let users = "s.expect_auth(#{users: #{hoge: \"secret\"}});";
    let unknown = both(true, &format!("c.send(\"AUTH X-OWN\"); {users}"));
    let said = ["a mechanism that is not known", "= expected: one of SCRAM-", "= got: X-OWN"];
    fails(&unknown, &said);
    let closes = both(true, "c.send(\"NOOP\"); s.expect_command(\"NOOP\"); s.close();");
    fails(&closes, &["close in place of it by its option #{cut: 0}"]);
    passes(&both(true, "c.send(\"NOOP\"); s.serve(\"NOOP\", 250, #{cut: 0}); c.expect_close();"));
}

#[test]
fn a_client_that_breaks_the_rules_of_authentication_is_refused_or_at_fault() {
    let auth = |line: &str, rest: &str| {
        let users = "#{users: #{hoge: \"pppwww\"}}";
        both(true, &format!("c.send({line}); let who = s.expect_auth({users}); {rest}"))
    };
    for (name, got) in [("FOO", "= got: FOO\n"), ("", "names no mechanism"), ("=", "= got: =\n")] {
        let unknown = auth(&format!("\"AUTH {name}\""), "");
        fails(&unknown, &[got, "= expected: one of SCRAM-SHA-256, SCRAM-SHA-1, DIGEST-MD5"]);
    }
    fails(&auth("\"AUTH\"", ""), &["names no mechanism"]);
    let plain = "\"AUTH PLAIN \" + base64(\"\\x00hoge\\x00pppwww\")";
    passes(&auth(plain, "c.expect(235); assert(who.granted); assert_eq(who.malformed, \"\");"));
    let refused = "c.expect(535); assert(!who.granted); assert(who.malformed.contains";
    passes(&auth(&format!("{plain} + \" x\""), &format!("{refused}(\"more arguments\"));")));
    let cut = "\"AUTH PLAIN \" + base64(\"hoge\\x00pppwww\")";
    passes(&auth(cut, &format!("{refused}(\"a NUL between them\"));")));
    let cram = "\"AUTH CRAM-MD5 \" + base64(\"hoge 0123456789abcdef0123456789abcdef\")";
    passes(&auth(cram, &format!("{refused}(\"begins with a challenge\"));")));
}
