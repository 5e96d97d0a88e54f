//! Golden transcripts hold no secret.

use mailexpect::server::Replay;

use crate::golden::{HELLO, SCRIPT, golden, hello, run};
use crate::program::folder;

/// Each verb that takes a secret, and each way to send a secret by hand.
#[test]
fn no_golden_has_what_a_verb_was_given_to_keep() {
    let dialogues = [
        (
            "pop3",
            "S: +OK <1.2@mail.example>\nC: USER hoge\nS: +OK\nC: PASS correct-horse\nS: +OK correct-horse is right\nC: QUIT\nS: +OK bye\nclose\n",
            "s.expect(\"+OK\");\ns.login(\"hoge\", \"correct-horse\");\ns.quit();\n",
        ),
        (
            "pop3",
            "S: +OK <1.2@mail.example>\nC:\nS: +OK\nC: QUIT\nS: +OK bye\nclose\n",
            "s.expect(\"+OK\");\ns.apop(\"hoge\", \"correct-horse\");\ns.quit();\n",
        ),
        (
            "pop3",
            "S: +OK hi\nC: USER hoge\nS: +OK\nC: PASS correct-horse\nS: +OK\nC: QUIT\nS: +OK bye\nclose\n",
            "s.expect(\"+OK\");\ns.send(\"USER hoge\");\ns.expect(\"+OK\");\ns.send(\"PASS correct-horse\");\ns.expect(\"+OK\");\ns.quit();\n",
        ),
        (
            "imap",
            "S: * OK hi\nC: a1 LOGIN hoge correct-horse\nS: a1 OK correct-horse\nC: a2 LOGOUT\nS: * BYE bye\nS: a2 OK\nclose\n",
            "s.expect(\"* OK\");\ns.login(\"hoge\", \"correct-horse\");\ns.logout();\n",
        ),
        (
            "imap",
            "S: * OK hi\nC: x LOGIN \"hoge\" \"correct-horse\"\nS: x OK\nC: a1 LOGOUT\nS: * BYE bye\nS: a1 OK\nclose\n",
            "s.expect(\"* OK\");\ns.send(`x LOGIN \"hoge\" \"correct-horse\"`);\ns.expect(\"x OK\");\ns.logout();\n",
        ),
        (
            "imap",
            "S: * OK hi\nC: x LOGIN hoge {13+}\nC: correct-horse\nS: x OK\nC: a1 LOGOUT\nS: * BYE bye\nS: a1 OK\nclose\n",
            "s.expect(\"* OK\");\ns.send_raw(\"x LOGIN hoge {13+}\\r\\ncorrect-horse\\r\\n\");\ns.expect(\"x OK\");\ns.logout();\n",
        ),
        (
            "smtp",
            "S: 220 hi\nC: AUTH PLAIN AGhvZ2UAY29ycmVjdC1ob3JzZQ==\nS: 235 AGhvZ2UAY29ycmVjdC1ob3JzZQ==\nC: QUIT\nS: 221 bye\nclose\n",
            "s.expect(220);\ns.send(\"AUTH PLAIN AGhvZ2UAY29ycmVjdC1ob3JzZQ==\");\nsnapshot(s.expect(235));\ns.quit();\n",
        ),
        (
            "smtp",
            "S: 220 correct-horse\nC: AUTH PLAIN AGhvZ2UAY29ycmVjdC1ob3JzZQ==\nS: 235 ok\nC: QUIT\nS: 221 bye\nclose\n",
            "s.expect(220);\ns.auth(\"PLAIN\", \"hoge\", \"correct-horse\");\ns.quit();\n",
        ),
    ];
    for (scheme, dialogue, script) in dialogues {
        let peer = Replay::start(dialogue).unwrap();
        let script = format!(
            "let s = connect(\"{}\");\n{script}snapshot(\"correct-horse\");\n",
            peer.url(scheme)
        );
        let folder = folder(&[("secret.rhai", &script)]);
        let ran = run(folder.path(), &["run", "--record"], &[]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let golden = golden(folder.path(), "secret.snap");
        for form in ["correct-horse", "Y29ycmVjdC1ob3Jz", "AGhvZ2UAY29"] {
            assert!(!golden.contains(form), "{golden}");
        }
        assert!(golden.contains("*** snapshot: [SECRET]"), "{golden}");
    }
}

#[test]
fn no_golden_is_written_whose_header_would_hold_a_secret() {
    let (regex, literal) = ("redact(password, \"X\");\n", "redact(`horse\\.1`, \"X\");\n");
    for redacting in [regex, literal] {
        let script =
            SCRIPT.to_owned() + "let password = param(\"password\", \"horse.1\");\n" + redacting;
        let folder = folder(&[("hello.rhai", &script)]);
        let ran = hello(folder.path(), HELLO, &["--record"], &[]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        let said = "the golden transcript would hold a secret in its header, in the regex for X";
        assert!(ran.out.contains(said) && !ran.out.contains("horse.1"), "{ran:?}");
        assert!(!folder.path().join("snapshots/hello.snap").exists());
    }
}

#[test]
fn the_title_of_a_script_says_no_secret_in_its_golden() {
    let script = SCRIPT.replace("The hello.", "Logs in with hunter22.")
        + "param(\"password\", \"hunter22\");\n";
    let folder = folder(&[("hello.rhai", &script)]);
    let ran = hello(folder.path(), HELLO, &["--record"], &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let golden = golden(folder.path(), "hello.snap");
    assert!(golden.contains("Logs in with [SECRET].") && !golden.contains("hunter22"), "{golden}");
}

/// The bytes are dropped as they come, one by one, and yet a secret among them is found.
#[test]
fn a_secret_in_what_is_not_kept_is_masked_wherever_the_packets_were_cut() {
    let peer = Replay::start("S: the password is hunter2xyzab, and more\nS: END\nclose\n").unwrap();
    let script = format!(
        "let s = connect(\"{}\", #{{segment: \"bytes\"}});\nlet p = param(\"password\", \"hunter2xyzab\");\n\
         s.expect_bytes(\"END\\r\\n\", #{{keep: false}});\ns.expect_close();\n",
        peer.url("tcp")
    );
    let folder = folder(&[("secret.rhai", &script)]);
    let ran = run(folder.path(), &["run", "-v"], &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("S: the password is [SECRET], and more\n"), "{ran:?}");
}
