//! What the program prints, and where it prints to.

use std::fs::File;
use std::process::Stdio;

use crate::program::{GREETING, folder, program, run};

#[test]
fn colours_are_for_terminals_and_for_those_who_ask() {
    let folder = folder(&[("a.rhai", GREETING)]);
    let ran = run(folder.path(), &["run", "--color", "always"]);
    assert!(ran.out.contains("\x1b["), "{ran:?}");
    let ran = run(folder.path(), &["run", "--color", "never"]);
    assert!(!ran.out.contains('\x1b'), "{ran:?}");
}

#[test]
fn prints_of_a_script_go_to_the_report_and_verbose_shows_all() {
    let folder = folder(&[(
        "a.rhai",
        "// Prints.\nprint(connect().expect(220).code); print(\"\\x1b[31mred\");",
    )]);
    let ran = run(folder.path(), &["run"]);
    assert!(ran.out.contains("     220\n     \\e[31mred\n"), "{}", ran.out);
    let ran = run(folder.path(), &["run", "-v"]);
    assert!(ran.out.contains("    S: 220 localhost ESMTP"), "{}", ran.out);
}

#[test]
fn a_secret_that_a_script_changes_is_masked_too() {
    let script = r#"// Leaks.
        let s = connect(param("submission"));
        s.expect(220);
        s.send("EHLO x");
        s.expect(250);
        s.send("AUTH PLAIN AGhvZ2VAZXhhbXBsZS5jb20AcHBwd3d3");
        s.expect(235);
        print("pppwww");
        step("with pppwww");
        assert_eq("the password is pppwww", "AGhvZ2VAZXhhbXBsZS5jb20AcHBwd3d3");
    "#;
    let ahead = "// Out of step.\nlet s = connect();\ns.send(\"AUTH PLAIN AGhvZ2VAZXhhbXBsZS5jb20AcHBwd3d3\");\n";
    let folder = folder(&[("a.rhai", script), ("b.rhai", ahead)]);
    let ran = run(folder.path(), &["run", "-v"]);
    assert_eq!(ran.code, Some(1));
    assert!(!ran.out.contains("pppwww") && !ran.out.contains("AGhvZ2VA"), "{}", ran.out);
    assert!(ran.out.contains("got: \"the password is [SECRET]\""), "{}", ran.out);
}

#[test]
fn the_default_of_a_secret_parameter_is_masked() {
    let script = "// Leaks.\nlet password = param(\"password\", \"qzx9\" + \"kkw\");\nprint(password);\nassert_eq(password, 1);\n";
    let folder = folder(&[("a.rhai", script)]);
    let ran = run(folder.path(), &["run", "-v"]);
    assert_eq!(ran.code, Some(1));
    assert!(!ran.out.contains("qzx9kkw") && ran.out.contains("[SECRET]"), "{}", ran.out);
}

#[test]
fn a_full_disk_is_named_and_fails_the_run() {
    let folder = folder(&[("a.rhai", GREETING)]);
    for args in [&["run"][..], &["list"], &["reference"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = program().current_dir(folder.path()).args(args).stdout(full).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?} {err}");
        assert!(err.contains("cannot write to stdout: No space left on device"), "{err}");
    }
    let full = File::options().write(true).open("/dev/full").unwrap();
    let down = ["run", "a.rhai", "--set", "smtp=smtp://127.0.0.1:1"];
    let output = program().current_dir(folder.path()).args(down).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "a server that cannot be reached is worse");
    let full = File::options().write(true).open("/dev/full").unwrap();
    let nagios = ["run", "a.rhai", "--format", "nagios"];
    let output = program().current_dir(folder.path()).args(nagios).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "a monitor that was told nothing knows nothing");
}

#[test]
fn the_end_of_a_run_lists_each_failure_with_its_line() {
    let folder = folder(&[
        ("a.rhai", GREETING),
        ("b.rhai", "// Wrong.\nlet s = connect();\ns.expect(554);\n"),
        ("c.rhai", "conect();\n"),
    ]);
    let ran = run(folder.path(), &["run"]);
    let end = ran.out.split_once("failures:\n").unwrap().1;
    let end = end.split_once(" (").unwrap().0;
    insta::assert_snapshot!(end, @r"
      b.rhai:3:3  the reply is not the one that was expected
      c.rhai:1:1  there is no word `conect`
    1 passed, 2 failed
    ");
}

#[test]
fn a_closed_pipe_is_no_error_of_the_run() {
    let folder = folder(&[("a.rhai", GREETING), ("b.rhai", GREETING)]);
    let mut child = program()
        .current_dir(folder.path())
        .args(["run", "-v"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), String::from_utf8(output.stderr).unwrap()),
        (Some(0), String::new())
    );
}

/// Prints and debugs a value of each type, and uses it in all the ways in which it fails.
const ALL_TYPES: &str = r#"// All types.
        let s = connect(param("imap"));
        s.expect("* OK");
        let listener = listen("smtp");
        let client = connect(listener.url);
        let server = serve("smtp");
        let taken = listener.accept();
        taken.greet(220, "hello");
        let reply = client.expect(220);
        client.send("NOOP  \there");
        let command = taken.expect_command("NOOP");
        taken.reply(250, "ok");
        client.expect(250);
        s.login(param("user"), param("password"));
        s.append("INBOX", "Subject: Hi\r\n\r\nx\r\n");
        let answer = s.select("INBOX");
        let response = answer.untagged[0];
        let structure = s.fetch("1", "BODYSTRUCTURE")[0].BODYSTRUCTURE;
        let message = parse_message("Subject: Hi\r\n\r\nx\r\n");
        let started = start("true");
        let log = follow("log.txt");
        let error = fails("assert", || assert(false));
        let values = [s, listener, server, taken, reply, command, answer, response, structure,
            s.capabilities, message, started, log, error, re("x"), || 1, 0..5, 1..=5,
            "ab".chars(), literal8("x"), (5).bits()];
        for value in values {
            print(`${type_of(value)}: ${value}`);
            debug(value);
            let tries = [
                || value == "x", || value == value, || value + 1, || "x" + value, || -value,
                || !value, || value[0], || value["x"], || value.foo, || value.text = 1,
                || s.expect(value, #{timeout: "10ms"}), || client.send(value), || assert(value), || value.len(),
                || connect(value), || [value, 1].sort(), || #{a: [value]}.to_json(),
                || assert_eq(value, "x"), || assert_eq(1, value), || assert_eq([value], [1]),
                || assert_same([value], [1]), || parse_int(value), || if value { 1 },
                || connect(server.url, #{timeout: value}), || connect(server.url, #{sni: value}),
                || step(value), || throw value, || for x in value { }, || value.call(1),
                || value < 1, || switch value { 1 => 2, _ => 3 }, || s.search(value), || unique(value), || unique(1),
            ];
            for f in tries {
                try { print(f.call()); } catch (e) { print(e); }
            }
        }
        connect(server.url).expect(220);
        client.close();
        assert(false, "shown");
    "#;

#[test]
fn a_value_of_any_type_is_printed_and_named_in_the_words_of_scripts() {
    let folder = folder(&[("a.rhai", ALL_TYPES), ("log.txt", "")]);
    let ran = run(folder.path(), &["run", "-v", "a.rhai", "--allow-run"]);
    for rust in [
        "mailexpect::",
        "rhai::",
        "std::",
        "alloc::",
        "i64",
        "ImmutableString",
        "RwLock",
        "Characters",
        "BitRange",
        "a range=",
    ] {
        assert!(!ran.out.contains(rust), "{rust}: {}", ran.out);
    }
    for line in [
        "session: session s1, imap://127.0.0.1:",
        "listener: listener smtp://127.0.0.1:",
        "server: server smtp://127.0.0.1:",
        "command: NOOP  \\there",
        "message: message `Hi`",
        "command: command `true`",
        "log: log log.txt",
        "a reply never equals text: compare a property of the reply",
        "a reply is never less or greater than an integer: compare a property of the reply",
        "a reply fits no case of switch: switch on a property of it",
    ] {
        assert!(ran.out.contains(line), "{line}: {}", ran.out);
    }
    assert!(ran.out.contains("error: shown"), "{}", ran.out);
}

#[test]
fn no_error_shows_a_password_that_stands_in_an_argument() {
    let folder = folder(&[("a.rhai", "connect(param(\"smtp\")).expect(220);\n")]);
    for url in ["me:Zq7Xy9Kw@mail.invalid", "smtp://me:Zq7Xy9Kw@mail.invalid:25"] {
        let (set, server) = (format!("smtp={url}"), format!("--server={url}"));
        for args in [
            &["doctor", url][..],
            &["probe", url],
            &["talk", url],
            &["send", "--to", "a@b.example", &server],
            &["send", url],
            &["run", "a.rhai", "--set", &set],
            &["run", "a.rhai", "--target", url],
            &["run", "a.rhai", "--format", "nagios", "--target", url],
            &["run", "a.rhai", url],
            &["record", "--listen", "smtp://127.0.0.1:0", "--to", url],
            &["serve", "--smtp", url],
            &["list", url],
            &[url],
        ] {
            let ran = run(folder.path(), args);
            assert!(!format!("{ran:?}").contains("Zq7X"), "{args:?} {ran:?}");
            assert!(ran.code != Some(0) && ran.out.len() + ran.err.len() > 0, "{args:?}");
        }
    }
}
