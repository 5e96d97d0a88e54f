//! Redaction: the project file, the command line, and the explanations of `mailexpect redact`.

use std::fs;
use std::path::Path;

use crate::program::{Ran, folder, program, run};

const TRANSCRIPT: &str = "*** connecting to smtp://localhost:2525\nS: 220 mail.example ESMTP Postfix\nC: EHLO client.example\n\
    S: 250-mail.example\nS: 250-SIZE 100\nS: 250 PIPELINING\nC: NOOP\nS: 250 2.0.0 Ok: ticket 12 queued as 3C800131E4\n\
    C: NOOP\nS: 250 Thu, 13 Oct 2011 14:44:27 +0900 id 3C800131E4 [192.0.2.7]\n";

fn redact(folder: &Path, transcript: &str, args: &[&str]) -> Ran {
    let file = folder.join("transcript");
    fs::write(&file, transcript).unwrap();
    let output = program()
        .stdin(fs::File::open(file).unwrap())
        .current_dir(folder)
        .arg("redact")
        .args(args)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn it_is_explained_which_rule_changed_what() {
    let folder = folder(&[]);
    let ran = redact(
        folder.path(),
        TRANSCRIPT,
        &["--explain", "--redact", "-net", "--redact-regex", r"TICKET=ticket (?P<v>\d+)"],
    );
    assert_eq!((ran.code, &*ran.err), (Some(0), ""));
    insta::assert_snapshot!("explained", ran.out);
    let ran = redact(folder.path(), &ran.out.replace("     ", "     # "), &[]);
    assert!(ran.err.contains("left out: 4 lines that are no part of a transcript"), "{ran:?}");
    let ran = redact(folder.path(), "PASS\n", &[]);
    assert!(ran.code == Some(2) && ran.err.contains("there is no transcript in it"), "{ran:?}");
}

#[test]
fn the_output_of_a_run_can_be_redacted() {
    let folder = folder(&[("a.rhai", "let s = connect();\ns.expect(220);\ns.quit();\n")]);
    let shown = run(folder.path(), &["run", "-v"]).out;
    let ran = redact(folder.path(), &shown, &["--strictness", "codes"]);
    assert!(
        ran.code == Some(0) && ran.out.ends_with("S: 220\nC: QUIT\nS: 221\n*** closed as agreed\n"),
        "{ran:?}"
    );
}

#[test]
fn all_presets_are_listed_with_what_is_on() {
    let folder = folder(&[]);
    let listed = run(folder.path(), &["redact", "--list", "--redact", "imap,-dates"]).out;
    for line in [
        "  + imap.uidvalidity",
        "  - date.ctime",
        "  - size.ehlo",
        "  + ehlo",
        "  + secret.pop3_pass",
    ] {
        assert!(
            listed.lines().any(|listed| listed.starts_with(line)),
            "{line} is not in\n{listed}"
        );
    }
    assert_eq!(listed.lines().filter(|line| line.starts_with("  ")).count(), 99 + 6);
}

#[test]
fn the_project_file_is_for_all_scripts_below_it() {
    let project = "[golden]\nstrictness = \"enhanced\"\nredact = [\"-net\"]\n\n[redact.greeting]\nregex = 'mailexpect (?P<v>\\w+)'\ntoken = \"KIND\"\n\n\
        [target.mine]\nclient = \"other.example\"\nsmtp = \"";
    let server = mailexpect::server::Embedded::start().unwrap();
    let project = format!("{project}{}\"\n", server.smtp());
    let script = "let s = connect();\ns.expect(220);\ns.ehlo(param(\"client\", \"client.example\"));\nsnapshot(\"mailexpect embedded\");\ns.quit();\n";
    let folder = folder(&[("mailexpect.toml", &project), ("sub/a.rhai", script)]);
    let sub = folder.path().join("sub");
    let ran = run(&sub, &["run", "--record", "--target", "mine", "-v"]);
    assert!(ran.code == Some(0) && ran.out.contains("EHLO other.example"), "{ran:?}");
    let golden = fs::read_to_string(sub.join("snapshots/a@mine.snap")).unwrap();
    assert!(golden.contains("S: 250 STARTTLS\n*** snapshot: mailexpect [KIND#1]\n"), "{golden}");
    assert_eq!(run(&sub, &["run", "--target", "mine"]).code, Some(0));
    fs::write(folder.path().join("mailexpect.toml"), project.replace("smtp =", "smpt =")).unwrap();
    let ran = run(&sub, &["run", "--target", "mine", "--check"]);
    assert!(ran.code == Some(2) && ran.err.contains("did you mean `smtp`?"), "{ran:?}");
    let ran = run(&sub, &["run", "--target", "mien"]);
    assert!(ran.code == Some(2) && ran.err.contains("did you mean `mine`?"), "{ran:?}");
    fs::write(folder.path().join("mailexpect.toml"), "[golden]\nredact = [\"imaps\"]\n").unwrap();
    let ran = run(&sub, &["run"]);
    assert!(
        ran.code == Some(2)
            && ran.err.contains("golden.redact: there is no preset or group `imaps`"),
        "{ran:?}"
    );
}

#[test]
fn secrets_of_somebody_elses_transcript_are_learned_from_it() {
    let folder = folder(&[]);
    // The password is hunter2-abc, and the token is tok.en-4711.
    let smtp = "S: 220 mail ESMTP, try hunter2-abc\nC: EHLO x\nS: 250 AUTH PLAIN LOGIN\nC: AUTH LOGIN\n\
        S: 334 VXNlcm5hbWU6\nC: am9obg==\nS: 334 UGFzc3dvcmQ6\nC: aHVudGVyMi1hYmM=\nS: 535 no HUNTER2-ABC, hunter2%2Dabc\n\
        C: AUTH PLAIN AGpvaG4AaHVudGVyMi1hYmM=\nS: 535 not john with unter2-a nor aHVudGVyMi1h\nC: QUIT\nS: 221 bye\n";
    let pop3 = "S: +OK tok.en-4711 is old\nC: USER john\nS: +OK\nC: PASS tok.en-4711\nS: -ERR TOK.EN-4711\nC: AUTH PLAIN\n\
        S: +\nC: AGpvaG4AdG9rLmVuLTQ3MTE=\nS: -ERR AGpvaG4AdG9rLmVuLTQ3MTE=\n";
    let imap = "S: * OK hi\nC: a LOGIN john \"tok.en-4711\"\nS: a NO tok.en-4711\nC: b AUTHENTICATE PLAIN AGpvaG4AaHVudGVyMi1hYmM=\n\
        S: b NO hunter2-abc\nC: c LOGIN {4}\nS: + go\nC: john {8}\nS: + go\nC: lit3ral!\nS: c NO lit3ral!\n";
    let url = "*** connecting to smtp://john:tok.en-4711@mail.example\nS: 220 hi tok.en-4711\n";
    // No greeting tells the protocol. A value that was masked before is not learned as a secret.
    let nothing = "C: AUTH PLAIN AGpvaG4AaHVudGVyMi1hYmM=\nS: 235 hunter2-abc\nC: AUTH LOGIN\nC: QUIT\nS: 221 QUIT\n";
    let masked = "S: 220 no secret\nC: AUTH PLAIN [SECRET]\nS: 235 [SECRET] is no secret\nC: QUIT\nS: 221 bye\n";
    for (transcript, kept) in [
        (smtp, "C: QUIT\nS: 221 bye\n"),
        (pop3, "C: USER john\n"),
        (imap, "C: c LOGIN {4}\n"),
        (url, "S: 220 hi [SECRET]\n"),
        (nothing, "C: QUIT\nS: 221 QUIT\n"),
        (masked, masked),
    ] {
        for args in [&[][..], &["--explain"]] {
            let ran = redact(folder.path(), transcript, args);
            assert_eq!((ran.code, &*ran.err), (Some(0), ""), "{transcript}");
            let shown = ran.out.to_lowercase();
            for secret in ["unter2", "tok.en", "aHVudGVyMi1h", "lit3ral", "AGpvaG4A", "VyMi1hYm"] {
                assert!(!shown.contains(&secret.to_lowercase()), "{secret}: {}", ran.out);
            }
            assert!(!args.is_empty() || ran.out.contains(kept), "{kept}: {}", ran.out);
        }
    }
}

#[test]
fn secrets_of_an_excerpt_without_its_greeting_are_masked() {
    let folder = folder(&[]);
    for excerpt in [
        "C: a1 LOGIN joe {9}\nC: hunter2xy\n",
        "S: * 3 EXISTS\nC: a1 LOGIN joe hunter2xy\n",
        "C: AUTHENTICATE \"PLAIN\" \"AGpvZQBodW50ZXIyeHk=\"\n",
        "C: AUTHENTICATE \"PLAIN\" {20+}\nC: AGpvZQBodW50ZXIyeHk=\n",
        "S: OK\nC: AUTHENTICATE \"LOGIN\"\nS: \"VXNlcm5hbWU6\"\nC: \"am9l\"\nC: \"aHVudGVyMnh5\"\n",
        "C: AUTH LOGIN\nC: am9l\nC: aHVudGVyMnh5\n",
        "C: USER joe\nS: +OK\nC: PASS hunter2xy\n",
        "*** snapshot x: hunter2xy\n*** snapshot y:\n***   | hunter2xy\nC: PASS hunter2xy\n",
    ] {
        let ran = redact(folder.path(), excerpt, &[]);
        assert!(ran.code == Some(0) && ran.out.contains("[SECRET]"), "{excerpt} {ran:?}");
        let shown = ["hunter2", "odW50ZXIy", "aHVudGVy"].iter().any(|part| ran.out.contains(part));
        assert!(!shown, "{excerpt} {ran:?}");
    }
}
