//! Tests of what is shown of scripts, including scripts that do not parse.

use super::*;

/// A script with its secrets masked.
fn mask_source(script: &str) -> String {
    masked_line(script, &secret_spans(script), 1).0
}

#[test]
fn the_source_of_a_script_is_masked_where_it_says_a_secret() {
    for (line, shown) in [
        ("s.send(\"AUTH PLAIN AGFiAGNk\");", "s.send(\"AUTH PLAIN [SECRET]\");"),
        ("s.expect(250); // nothing here", "s.expect(250); // nothing here"),
        ("s.auth(\"me\", \"pw\");", "s.auth(\"me\", \"[SECRET]\");"),
        ("s.auth(`PLAIN`, [`u`, `hunter2hunter`]);", "s.auth(`PLAIN`, [`[SECRET]`, `[SECRET]`]);"),
        (
            "s.auth(`PLAIN`, user, `pw`, #{timeout: 1})",
            "s.auth(`PLAIN`, user, `[SECRET]`, #{timeout: 1})",
        ),
        (
            "s.login( \"me\", \"pw\"); s.send(\"NOOP\")",
            "s.login( \"me\", \"[SECRET]\"); s.send(\"NOOP\")",
        ),
        (
            "let x = #{password: \"pw\", user: \"me\"};",
            "let x = #{password: \"[SECRET]\", user: \"me\"};",
        ),
        ("let token = \"abc\"; print(\"x\")", "let token = \"[SECRET]\"; print(\"x\")"),
        ("param(\"password\", \"pw\")", "param(\"password\", \"[SECRET]\")"),
        (
            "s.starttls(#{key: \"-----BEGIN EC PRIVATE KEY-----\\nMC4C\"});",
            "s.starttls(#{key: \"[SECRET]\"});",
        ),
        ("param(\"user\", \"me\")", "param(\"user\", \"me\")"),
        ("param(\"port\", 2525)", "param(\"port\", 2525)"),
        ("param(\"password\", 12345678)", "param(\"password\", [SECRET])"),
        ("s.auth(\"a1\", \"pw\", #{expect: 535})", "s.auth(\"a1\", \"[SECRET]\", #{expect: 535})"),
        (
            "assert(s.auth(\"a\", \"pw\").code == 235 || x1 == 334)",
            "assert(s.auth(\"a\", \"[SECRET]\").code == 235 || x1 == 334)",
        ),
        ("assert_eq(\"a\", \"b\")", "assert_eq(\"a\", \"b\")"),
    ] {
        assert_eq!(mask_source(line), shown);
    }
}

#[test]
fn a_secret_is_masked_in_a_call_that_is_written_wrong() {
    for (line, shown) in [
        (r#"s.login("me", "p\"w");"#, r#"s.login("me", "[SECRET]");"#),
        (
            r#"s.login("me", "p\\"); s.send("NOOP");"#,
            r#"s.login("me", "[SECRET]"); s.send("NOOP");"#,
        ),
        (r#"s.login("pw");"#, r#"s.login("[SECRET]");"#),
        (r#"s.login(user, "pw");"#, r#"s.login(user, "[SECRET]");"#),
        (r#"s.auth("EXTERNAL");"#, r#"s.auth("EXTERNAL");"#),
        (
            r#"s.auth(#{user: "me", pasword: "pw"});"#,
            r#"s.auth(#{user: "me", pasword: "[SECRET]"});"#,
        ),
        (
            r#"s.auth("X", #{user: "me", token: "pw"});"#,
            r#"s.auth("X", #{user: "me", token: "[SECRET]"});"#,
        ),
        (r#"connect("imap://me:p@w@host:1");"#, r#"connect("imap://me:[SECRET]@host:1");"#),
        (
            r#"s.command("LOGIN", ["me", bytes("pw")]);"#,
            r#"s.command("LOGIN", ["[SECRET]", bytes("[SECRET]")]);"#,
        ),
        (r#"s.command("NOOP", #{expect: "BAD"});"#, r#"s.command("NOOP", #{expect: "BAD"});"#),
        (r#"s.send("PASS abc"); step("pass it");"#, r#"s.send("PASS [SECRET]"); step("pass it");"#),
        (
            r#"s.send("AUTH PLAIN " + base64("x"));"#,
            r#"s.send("AUTH PLAIN " + base64("[SECRET]"));"#,
        ),
        (r#"s.auth("me", 12345678);"#, r#"s.auth("me", [SECRET]);"#),
        ("if (ok) { s.login(user, 0x1_f); }", "if (ok) { s.login(user, [SECRET]); }"),
        ("s.login(1234);", "s.login([SECRET]);"),
        (r#"s.login("me", "open"#, r#"s.login("[SECRET]"#),
        (r#"é("é\é")"#, r#"é("é\é")"#),
    ] {
        assert_eq!(mask_source(line), shown);
    }
}

#[test]
fn options_and_neighbours_are_no_secrets() {
    for line in [
        r#"s.login("alice", param("password"), #{expect: "NO"});"#,
        r#"s.auth("PLAIN", "alice", password, #{timeout: "1s", expect: 535});"#,
        r#"s.expect("250 AUTH CRAM-MD5 PLAIN LOGIN");"#,
        r#"s.expect("250-AUTH LOGIN PLAIN"); s.expect("SASL LOGIN PLAIN");"#,
        r#"s.mail("<alice@example.com>"); s.rcpt("bob:x <bob@example.com>");"#,
        r#"if token == () { print("none"); }"#,
        r#"let secretary = "anne"; let max_tokens = 5;"#,
    ] {
        assert_eq!(mask_source(line), line);
    }
    assert_eq!(
        mask_source(r#"s.auth("PLAIN", "alice", "pw", #{initial: false});"#),
        r#"s.auth("PLAIN", "alice", "[SECRET]", #{initial: false});"#
    );
}

#[test]
fn a_slip_in_the_word_or_in_the_quotes_shows_nothing() {
    for (line, shown) in [
        (r#"s.log_in("alice", "hunter2-pw");"#, r#"s.log_in("alice", "[SECRET]");"#),
        (r#"s.autenticate("alice", "hunter2-pw");"#, r#"s.autenticate("alice", "[SECRET]");"#),
        (
            r#"s.command("LOGIN alice hunter2-pw", #{expct: "NO"});"#,
            r#"s.command("LOGIN alice [SECRET]", #{expct: "NO"});"#,
        ),
        (r#"s.send("LOGIN alice hunter2-pw");"#, r#"s.send("LOGIN alice [SECRET]");"#),
        (r#"s.login("alice, "hunter2-pw");"#, r#"s.login("[SECRET]"#),
        (r#"s.send("PASS hunter2-pw);"#, r#"s.send("[SECRET]"#),
        (r#"s.expect("250 ok);"#, r#"s.expect("250 ok);"#),
        (r#"connect("user:hunter2@host");"#, r#"connect("user:[SECRET]@host");"#),
    ] {
        assert_eq!(mask_source(line), shown);
    }
}

#[test]
fn a_call_goes_on_over_several_lines() {
    let script = "s.login(\"alice\",\n    \"hunter2-pw\", wrong);\ns.send(\"NOOP\");";
    assert_eq!(mask_source(script), script.replace("hunter2-pw", "[SECRET]"));
}

#[test]
fn the_column_moves_with_what_is_masked_before_it() {
    let line = "s.send(\"PASS a-rather-long-password\"); s.expect(\"never\");";
    let spans = secret_spans(line);
    let column = line.find("expect").unwrap() + 1;
    let (shown, moved) = masked_line(line, &spans, column);
    assert_eq!(shown, "s.send(\"PASS [SECRET]\"); s.expect(\"never\");");
    assert_eq!(moved, shown.find("expect").unwrap() + 1);
    assert_eq!(masked_line(line, &spans, 3).1, 3);
    assert_eq!(masked_line(line, &spans, 20).1, 14, "within the secret");
    assert_eq!(masked_line("é x", &[], 3), ("é x".to_owned(), 3));
}

/// Quadratic work would take minutes here.
#[test]
fn a_script_that_does_not_parse_is_read_in_linear_time() {
    for unit in ["pass(\"x\n", "[\"x\",", "f([\"x\",", "#{a:\"x\",", "\"\n", "`x"] {
        mask_source(&unit.repeat(100_000));
    }
}

#[test]
fn a_key_counts_within_its_call_only() {
    for (line, shown) in [
        ("#{password: [[\"pw\"]], user: \"me\"}", "#{password: [[\"[SECRET]\"]], user: \"me\"}"),
        ("#{password: #{x: \"pw\"}}", "#{password: #{x: \"pw\"}}"),
        ("#{password: f(\"me\")}", "#{password: f(\"me\")}"),
        (
            "s.auth(#{user: [\"me\"], pas: [\"pw\"]})",
            "s.auth(#{user: [\"me\"], pas: [\"[SECRET]\"]})",
        ),
        ("s.send([\"PASS pw\"])", "s.send([\"PASS [SECRET]\"])"),
    ] {
        assert_eq!(mask_source(line), shown);
    }
}
