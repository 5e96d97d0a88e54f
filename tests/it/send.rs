//! `mailexpect send`, with the embedded server and with each real one.

use mailexpect::server::Embedded;

use crate::peer::Peer;
use crate::program::{folder, program, run};
use crate::real::available;
use crate::servers::{OTHER_USER, PASSWORD, USER, exim, mailserver, sendmail};

#[test]
fn the_dialogue_is_shown_and_its_script_passes() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[("plan.txt", "nine o'clock\n")]);
    let host = server.smtp().trim_start_matches("smtp://").to_owned();
    let args = ["send", "--server", &host, "--to", USER, "--header", "Subject: lunch"];
    let more = ["--body", "At noon?", "--attach", "plan.txt", "--save", "saved.rhai"];
    let ran = run(folder.path(), &[&args[..], &more].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for shown in [
        "S: 220",
        "C: Subject: lunch",
        "C: At noon?",
        "filename=\"plan.txt\"",
        "C: .\n",
        "S: 221",
        "accepted",
    ] {
        assert!(ran.out.contains(shown), "{shown} is not shown: {}", ran.out);
    }
    assert!(ran.out.lines().all(|line| !line.starts_with("s1 ")), "{}", ran.out);
    let ran = run(folder.path(), &["run", "saved.rhai"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = run(folder.path(), &[&args[..], &more].concat());
    assert_eq!((ran.code, ran.err.contains("--force replaces it")), (Some(2), true), "{ran:?}");
}

#[test]
fn a_message_may_be_longer_than_a_script() {
    let server = Embedded::start().unwrap();
    let text = format!("Subject: long\n\n{}", "a line of the message\n".repeat(130_000));
    let folder = folder(&[("text.eml", &text)]);
    let binary: Vec<u8> = (0..2_000_000_u32).map(|at| (at % 251) as u8).collect();
    std::fs::write(folder.path().join("binary.bin"), &binary).unwrap();
    let args = ["send", "--server", &server.smtp(), "--to", USER];
    for message in [["--data", "text.eml"], ["--attach", "binary.bin"]] {
        let ran = run(folder.path(), &[&args[..], &message].concat());
        assert_eq!(ran.code, Some(0), "{message:?} {}", ran.err);
        let saved = run(folder.path(), &[&args[..], &message, &["--save", "saved.rhai"]].concat());
        let refused = "the message is too long to be saved: a script has at most 2 MiB";
        assert!(saved.code == Some(2) && saved.err.contains(refused), "{saved:?}");
        assert!(!folder.path().join("saved.rhai").exists());
    }
}

#[test]
fn a_message_without_a_text_says_who_sent_it_and_why() {
    let server = Embedded::start().unwrap();
    let ran = program()
        .args(["send", "--server", &server.smtp(), "--to", USER])
        .env("USER", "alice")
        .output()
        .unwrap();
    let out = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(ran.status.code(), Some(0), "{out}");
    assert!(out.contains("C: This is a test message. alice on "), "{out}");
    assert!(out.contains("Questions go to alice@"), "{out}");
}

#[test]
fn it_stops_after_a_stage_and_delivers_nothing() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    for (stage, last) in [
        ("greeting", "S: 220"),
        ("ehlo", "S: 250 ENHANCEDSTATUSCODES"),
        ("mail", "S: 250 2.1.0"),
        ("rcpt", "S: 250 2.1.5"),
    ] {
        let args = ["send", "--server", &server.smtp(), "--to", USER, "--quit-after", stage];
        let ran = run(folder.path(), &args);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let before = ran.out.split("C: QUIT").next().unwrap();
        assert!(before.lines().last().unwrap().starts_with(last), "{stage}: {}", ran.out);
        assert!(ran.out.contains("nothing was delivered"), "{}", ran.out);
    }
}

#[test]
fn a_refusal_and_a_dead_server_have_their_exit_codes() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    let to = |url: &str, to: &str| run(folder.path(), &["send", "--server", url, "--to", to]);
    let ran = to(&server.smtp(), "a@b.example");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("got: 550 5.7.1") && ran.out.contains("after: RCPT TO:<a@b.example>"));
    let ran = to("smtp://127.0.0.1:1", USER);
    assert_eq!((ran.code, ran.out.contains("127.0.0.1:1 refused")), (Some(3), true), "{ran:?}");
    let ran = to("imap://127.0.0.1:1", USER);
    assert_eq!(
        (ran.code, ran.err.contains("not where SMTP is spoken")),
        (Some(2), true),
        "{ran:?}"
    );
    let ran = run(folder.path(), &["send"]);
    assert_eq!((ran.code, ran.err.contains("--to <ADDRESS>")), (Some(2), true), "{ran:?}");
}

#[test]
fn a_stage_that_is_not_reached_is_no_success() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    let peer = Peer::parse("S: 220 hi\nC\nS: 250 h\nstall");
    for (url, options, code, said) in [
        (&*server.smtp(), &["--quit-after", "tls"][..], 2, "add --tls"),
        (&server.smtp(), &["--quit-after", "auth"], 2, "add --user"),
        (&peer.url("smtp"), &["--quit-after", "tls", "--tls", "offered"], 1, "is not offered"),
    ] {
        let args = ["send", "--server", url, "--to", USER, "--timeout", "300ms"];
        let ran = run(folder.path(), &[&args[..], options].concat());
        let is_said = ran.out.contains(said) || ran.err.contains(said);
        assert_eq!((ran.code, is_said), (Some(code), true), "{ran:?}");
    }
}

#[test]
fn the_next_step_is_one_for_the_command_line() {
    let folder = folder(&[]);
    for (dialogue, step) in [
        ("S: 220 hi\nC\nclose", ""),
        ("S: 220 hi\nC\nstall", "hint: --timeout gives the server longer"),
    ] {
        let peer = Peer::parse(dialogue);
        let args = ["send", "--server", &peer.url("smtp"), "--to", USER, "--timeout", "200ms"];
        let ran = run(folder.path(), &args);
        assert!(!ran.out.contains("(...)") && !ran.out.contains("()"), "{ran:?}");
        assert!(ran.code == Some(1) && ran.out.contains(step), "{ran:?}");
    }
}

#[test]
fn a_line_end_in_an_address_is_no_command() {
    let folder = folder(&[]);
    let url = "smtp://127.0.0.1:1";
    for args in [
        &["send", "--server", url, "--to", "a@b\r\nVRFY"][..],
        &["send", "--server", url, "--to", ""],
        &["send", "--server", url, "--to", USER, "--from", "a\nb"],
        &["send", "--server", url, "--to", USER, "--ehlo", "a\nb"],
        &["probe", url, "--helo", "a\r\nNOOP"],
        &["probe", url, "--to", "rcpt", "--rcpt", ""],
        &["doctor", "example.com", "--rcpt", "a\rb"],
    ] {
        let ran = run(folder.path(), args);
        let said = ["another command", "may be empty"].iter().any(|said| ran.err.contains(said));
        assert_eq!((ran.code, said), (Some(2), true), "{args:?} {ran:?}");
    }
}

#[test]
fn a_server_without_ehlo_gets_helo() {
    let dialogue =
        "S: 220 hi\nC: EHLO me\nS: 502 what?\nC: HELO me\nS: 250 hello\nC: QUIT\nS: 221 bye";
    let peer = Peer::parse(dialogue);
    let args = ["send", "--server", &peer.url("smtp"), "--to", USER, "--ehlo", "me"];
    let ran = run(folder(&[]).path(), &[&args[..], &["--quit-after", "ehlo"]].concat());
    assert_eq!((ran.code, ran.out.contains("S: 250 hello")), (Some(0), true), "{ran:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_a_mistake_of_the_command_line() {
    let folder = folder(&[]);
    for option in ["--data", "--attach"] {
        let ran =
            run(folder.path(), &["send", "--server", "127.0.0.1:1", "--to", USER, option, "."]);
        assert_eq!((ran.code, ran.err.contains("cannot read .")), (Some(2), true), "{ran:?}");
    }
}

#[test]
fn refused_recipients_are_named_and_the_others_get_the_message() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    let send = |to: &[&str], more: &[&str]| {
        let to: Vec<_> = to.iter().flat_map(|to| ["--to", to]).collect();
        let server = server.smtp();
        run(folder.path(), &[&["send", "--server", &server], &to[..], more].concat())
    };
    for more in [&[][..], &["--pipeline"]] {
        let before = server.mails().len();
        let ran = send(&["a@b.example", USER, "c@d.example"], more);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        for said in [
            "2 of 3 recipients were refused, the others have the message",
            "a@b.example: 550 5.7.1",
            "c@d.example: 550 5.7.1",
            "S: 250 2.0.0",
            "S: 221",
        ] {
            assert!(ran.out.contains(said), "{said}: {}", ran.out);
        }
        assert_eq!(server.mails().len(), before + 1);
        let ran = send(&["a@b.example", "c@d.example"], more);
        let none = "2 of 2 recipients were refused, nothing was delivered";
        assert!(ran.code == Some(1) && ran.out.contains(none), "{ran:?}");
        assert!(ran.out.contains("S: 221"), "{ran:?}");
    }
    let ran = send(&["a@b.example", USER], &["--quit-after", "rcpt"]);
    assert!(ran.code == Some(1) && ran.out.contains("1 of 2 recipients"), "{ran:?}");
    assert_eq!(send(&[USER, OTHER_USER], &["--quit-after", "mail"]).code, Some(0));
}

#[test]
fn a_certificate_that_is_not_trusted_comes_with_the_flags_that_trust_it() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    let url = server.url("submissions").unwrap();
    let ran = run(folder.path(), &["send", "--server", &url, "--to", USER]);
    let hint = ran.out.lines().find(|line| line.starts_with("  hint: ")).unwrap_or_default();
    let has = |flag: &str| hint.contains(flag);
    let is_told = has("--cacert FILE") && has("--insecure") && !has("#{");
    assert!(ran.code == Some(3) && is_told, "{ran:?}");
}

#[test]
fn what_ends_the_dialogue_does_not_hide_who_was_refused() {
    let folder = folder(&[]);
    let begin = "S: 220 hi\nC: EHLO me\nS: 250 me\nC: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<a>\nS: 450 4.2.1 busy\n";
    for (rest, wanted) in [
        (
            "C: RCPT TO:<b>\nS: 250 ok\nC: DATA\nS: 554 5.5.1 no\n",
            "  expected: 354\n  got: 554 5.5.1 no\n",
        ),
        (
            "C: RCPT TO:<b>\nS: 421 4.7.0 enough\nclose\n",
            "the server ended the session at b: 421 4.7.0 enough\n",
        ),
    ] {
        let peer = Peer::parse(&format!("{begin}{rest}"));
        let url = peer.url("smtp");
        let to = ["--to", "a", "--to", "b", "--body", "x", "--from", "", "--ehlo", "me"];
        let ran = run(folder.path(), &[&["send", "--server", &url][..], &to].concat());
        assert!(ran.code == Some(1) && ran.out.contains(wanted), "{ran:?}");
        let refused =
            "error: 1 of 2 recipients were refused, nothing was delivered; a: 450 4.2.1 busy\n";
        assert!(ran.out.ends_with(refused) && !ran.out.contains("deferred"), "{ran:?}");
    }
}

#[test]
fn a_server_that_fails_after_the_message_may_have_delivered_it() {
    let folder = folder(&[]);
    std::fs::write(folder.path().join("mail.eml"), "Subject: x\r\n\r\nx\r\n").unwrap();
    let sent = "C: DATA\nS: 354 go\nC: Subject: x\nC:\nC: x\nC: .\n";
    let unknown =
        "1 of 3 recipients were refused, it is not known whether the others have the message";
    for (scheme, hello, end, wanted) in [
        ("smtp", "EHLO", "close", format!("{unknown}; a: ")),
        ("smtp", "EHLO", "S: 554 5.7.1 spam\n", "were refused, nothing was delivered; a: ".into()),
        ("smtp", "EHLO", "S: 250 ok\nclose", "the others have the message; a: ".into()),
        ("lmtp", "LHLO", "S: 250 ok\nclose", format!("{unknown}, but b has it; a: ")),
    ] {
        let begin = format!(
            "S: 220 hi\nC: {hello} me\nS: 250-me\nS: 250 PIPELINING\nC: MAIL FROM:<>\nS: 250 ok\n\
             C: RCPT TO:<a>\nS: 550 5.1.1 no\nC: RCPT TO:<b>\nS: 250 ok\nC: RCPT TO:<c>\nS: 250 ok\n"
        );
        for more in [&[][..], &["--pipeline"]] {
            let peer = Peer::parse(&format!("{begin}{sent}{end}"));
            let to = ["--to", "a", "--to", "b", "--to", "c", "--data", "mail.eml"];
            let args = ["send", "--server", &peer.url(scheme), "--from", "", "--ehlo", "me"];
            let ran = run(folder.path(), &[&args[..], &to, more].concat());
            assert_eq!(ran.code, Some(1), "{ran:?}");
            assert!(ran.out.contains(&wanted), "{wanted}: {}", ran.out);
        }
    }
}

#[test]
fn a_message_that_was_accepted_is_not_to_be_sent_again() {
    let folder = folder(&[]);
    std::fs::write(folder.path().join("mail.eml"), "Subject: x\r\n\r\nx\r\n").unwrap();
    let begin = "S: 220 hi\nC: EHLO me\nS: 250 me\nC: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<a>\n\
                 S: 250 ok\nC: DATA\nS: 354 go\nC: Subject: x\nC:\nC: x\nC: .\n";
    let hint =
        "  hint: the server has accepted the message; only QUIT failed, so do not send it again\n";
    for (end, is_sent) in [
        ("S: 250 ok\nC: QUIT\nS: 500 what\n", true),
        ("S: 250 ok\nC: QUIT\nclose\n", true),
        ("S: 450 4.3.0 later\n", false),
    ] {
        let peer = Peer::parse(&format!("{begin}{end}"));
        let args = ["send", "--server", &peer.url("smtp"), "--from", "", "--ehlo", "me"];
        let ran = run(folder.path(), &[&args[..], &["--to", "a", "--data", "mail.eml"]].concat());
        assert!(ran.code == Some(1) && ran.out.contains(hint) == is_sent, "{ran:?}");
    }
}

/// In LMTP, each recipient gets two replies: to RCPT and to the message.
#[test]
fn a_recipient_whose_mailbox_is_full_is_named() {
    let folder = folder(&[]);
    let dialogue = "S: 220 hi\nC: LHLO me\nS: 250-me\nS: 250 PIPELINING\nC: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<a>\nS: 250 ok\n\
                    C: RCPT TO:<b>\nS: 550 5.1.1 nobody\nC: RCPT TO:<c>\nS: 250 ok\nC: DATA\nS: 354 go\n\
                    C: Subject: x\nC:\nC: x\nC: .\nS: 250 ok\nS: 452 4.2.2 full\nC: QUIT\nS: 221 bye\nclose";
    std::fs::write(folder.path().join("mail.eml"), "Subject: x\r\n\r\nx\r\n").unwrap();
    for more in [&[][..], &["--pipeline"]] {
        let peer = Peer::parse(dialogue);
        let to = ["--to", "a", "--to", "b", "--to", "c", "--data", "mail.eml"];
        let args = ["send", "--server", &peer.url("lmtp"), "--from", "", "--ehlo", "me"];
        let ran = run(folder.path(), &[&args[..], &to, more].concat());
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.out.contains("2 of 3 recipients were refused, the others have"), "{ran:?}");
        for refusal in ["b: 550 5.1.1 nobody", "c: 452 4.2.2 full"] {
            assert!(ran.out.contains(refusal), "{ran:?}");
        }
    }
}

#[test]
fn a_missing_password_leaves_no_script() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    let args = ["send", "--server", &server.smtp(), "--to", USER, "--save", "saved.rhai"];
    let auth = ["--user", "x", "--password", "env:NO_SUCH_VARIABLE"];
    let ran = run(folder.path(), &[&args[..], &auth].concat());
    assert!(ran.code == Some(2) && ran.err.contains("has no value"), "{ran:?}");
    assert!(!folder.path().join("saved.rhai").exists());
    let anonymous = ["--user", "hoge", "--auth", "ANONYMOUS"];
    let ran = run(folder.path(), &[&args[..], &anonymous].concat());
    assert!(ran.out.contains("C: AUTH ANONYMOUS [SECRET] \u{2192} hoge\n"), "{ran:?}");
}

#[test]
fn a_file_is_sent_as_it_is_with_its_dots_doubled() {
    let folder = folder(&[("mail.eml", "Subject: x\r\n\r\n.dot\r\n")]);
    let dialogue = "S: 220 hi\nC: EHLO me\nS: 250 me\nC: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<b>\nS: 250 ok\nC: DATA\nS: 354 go\n\
                    C: Subject: x\nC:\nC: ..dot\nC: .\nS: 250 ok\nC: QUIT\nS: 221 bye\nclose";
    let peer = Peer::parse(dialogue);
    let args = ["send", "--server", &peer.url("smtp"), "--from", "", "--to", "b"];
    let ran = run(folder.path(), &[&args[..], &["--ehlo", "me", "--data", "mail.eml"]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let heard = String::from_utf8(peer.heard()).unwrap();
    assert!(heard.contains("DATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nQUIT"), "{heard}");
}

#[test]
fn every_real_server_takes_a_message_after_starttls_and_auth() {
    for server in [mailserver::start(), exim::start(), sendmail::start()] {
        let Some(server) = available(server) else { continue };
        let folder = folder(&[]);
        for (url, more) in [
            (server.parameter("submission"), &["--tls"][..]),
            (server.parameter("submission"), &["--tls", "offered", "--pipeline"]),
            (server.parameter("submissions"), &["--auth", "PLAIN"]),
        ] {
            let ca = server.parameter("ca");
            let args = ["send", "--server", &url, "--from", USER, "--to", USER, "--user", USER];
            let secured =
                ["--password", "env:SECRET", "--cacert", &ca, "--save", "saved.rhai", "--force"];
            let output = program()
                .current_dir(folder.path())
                .args([&args[..], &secured, more].concat())
                .env("SECRET", PASSWORD)
                .output()
                .unwrap();
            let out = String::from_utf8(output.stdout).unwrap();
            assert_eq!(output.status.code(), Some(0), "{url} {more:?}\n{out}\n{}", server.log());
            assert!(out.contains("accepted") && !out.contains(PASSWORD), "{out}");
            let script = std::fs::read_to_string(folder.path().join("saved.rhai")).unwrap();
            assert!(!script.contains(PASSWORD), "{script}");
        }
    }
}

#[test]
fn lmtp_answers_for_each_recipient() {
    let Some(server) = available(mailserver::start()) else { return };
    let folder = folder(&[]);
    for more in [&[][..], &["--pipeline"]] {
        let url = server.parameter("lmtp");
        let args = ["send", "--lmtp", "--server", &url, "--to", USER, "--to", OTHER_USER];
        let ran = run(folder.path(), &[&args[..], more].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}\n{}", server.log());
        assert!(ran.out.contains("C: LHLO"), "{}", ran.out);
        assert_eq!(ran.out.matches("Saved").count(), 2, "{}", ran.out);
    }
}

#[test]
fn a_saved_script_does_not_contain_the_password() {
    let folder = folder(&[("mail.eml", "Subject: hunter2secret\r\n\r\nhunter2secret\r\n")]);
    let send = |more: &[&str]| {
        let args = ["send", "--server", "smtp://127.0.0.1:1", "--to", "b@y.example", "--user", "u"];
        let saved = ["--password", "env:PW", "--save", "saved.rhai", "--force"];
        let mut command = program();
        command.current_dir(folder.path()).env("PW", "hunter2secret");
        let ran = command.args([&args[..], &saved, more].concat()).output().unwrap();
        assert_eq!(ran.status.code(), Some(3), "{ran:?}");
        std::fs::read_to_string(folder.path().join("saved.rhai")).unwrap()
    };
    for more in [
        &["--body", "my hunter2secret"][..],
        &["--header", "X-P: hunter2secret"],
        &["--header", "Subject: is hunter2secret?"],
        &["--ehlo", "hunter2secret"],
        &["--from", "hunter2secret@x.example"],
        &["--data", "mail.eml"],
    ] {
        let script = send(more);
        assert!(!script.contains("hunter2secret"), "{script}");
        assert!(script.matches("param(\"password\")").count() > 1, "{script}");
        assert_eq!(run(folder.path(), &["check", "saved.rhai"]).code, Some(0), "{script}");
    }
}
