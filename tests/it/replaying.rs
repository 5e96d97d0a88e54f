//! `serve --replay`: goldens and recordings play the server, and clients are compared with them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Stdio};

use crate::program::{folder, program, run};

/// Serves a recording to one client. Returns the URL, the server, and a function that tells how it
/// ended.
fn replay(
    folder: &std::path::Path,
    file: &str,
) -> (String, Child, impl FnOnce(Child) -> (i32, String)) {
    let mut child = program()
        .current_dir(folder)
        .args(["serve", "--replay", file, "--connections", "1"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    let url = first.split_whitespace().find(|word| word.contains("://")).unwrap().to_owned();
    let end = move |mut child: Child| {
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        (child.wait().unwrap().code().unwrap(), rest)
    };
    (url, child, end)
}

#[test]
fn a_golden_plays_the_server_and_says_where_a_client_departs_from_it() {
    let script = r#"// A message.
        let s = connect(param("smtp"));
        s.expect(220);
        s.ehlo(param("client", "client.example"));
        s.mail("kim@example.com");
        s.rcpt(param("rcpt", "hoge@example.com"), #{expect: re(`^[25]`)});
        s.data("Subject: hi\r\n\r\n" + param("body", "Hi.") + "\r\n", #{expect: re(`^[25]`)});
        s.quit();
    "#;
    let folder = folder(&[("m.rhai", script)]);
    let folder = folder.path();
    let ran = run(folder, &["run", "m.rhai", "--record"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");

    let (url, child, end) = replay(folder, "snapshots/m.snap");
    let ran =
        run(folder, &["run", "m.rhai", "--set", &format!("smtp={url}"), "--set", "body=Other."]);
    assert_eq!(ran.code, Some(0), "what the replay makes up is redacted again: {ran:?}");
    let (code, said) = end(child);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("Message accepted for delivery") && !said.contains("[QUEUE_ID"),
        "{said}"
    );

    let (url, child, end) = replay(folder, "snapshots/m.snap");
    let other = script.replace("s.mail(\"kim@", "s.mail(\"lee@");
    std::fs::write(folder.join("other.rhai"), other).unwrap();
    run(folder, &["run", "other.rhai", "--set", &format!("smtp={url}"), "--check"]);
    let (code, said) = end(child);
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("expected `MAIL FROM:<kim@example.com>`, got `MAIL FROM:<lee@example.com>`"),
        "{said}"
    );

    let ran = run(folder, &["serve", "--replay", "m.rhai"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("the recording has no session in it"), "{ran:?}");
}

#[test]
fn a_recording_of_a_compressed_session_is_refused() {
    let recording = "*** connecting to imap://x\nS: * OK hi\nC: a1 COMPRESS DEFLATE\nS: a1 OK\n\
                     *** compression: on\nC: a2 NOOP\nS: a2 OK\n";
    let folder = folder(&[("c.txt", recording)]);
    let ran = run(folder.path(), &["serve", "--replay", "c.txt"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("what is compressed cannot be played"), "{ran:?}");
}

#[test]
fn the_golden_of_an_imap_session_plays_to_a_client_with_other_tags() {
    let script = r#"// Fetch a message.
        let s = connect(param("imap"));
        s.expect("* OK");
        s.login(param("user", "hoge@example.com"), param("password", "pppwww"));
        s.select("INBOX");
        s.append("INBOX", "Subject: x\r\n\r\nHi.\r\n");
        s.fetch("*", "BODY.PEEK[]");
        s.logout();
    "#;
    let folder = folder(&[("i.rhai", script)]);
    let folder = folder.path();
    let ran = run(folder, &["run", "i.rhai", "--record", "--redact", "imap"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let (url, child, end) = replay(folder, "snapshots/i.snap");
    let ran = run(folder, &["run", "i.rhai", "--set", &format!("imap={url}")]);
    let (code, said) = end(child);
    assert_eq!((code, ran.code), (0, Some(0)), "{said}\n{}", ran.out);
}

#[test]
fn a_recording_with_a_malformed_line_plays_to_the_client_that_made_it() {
    let script = r#"// A line without CR.
        let s = connect(param("smtp"));
        s.expect(220);
        s.send_raw("NOOP\n");
        s.expect(500);
        s.quit();
    "#;
    let folder = folder(&[("b.rhai", script)]);
    let folder = folder.path();
    let ran = run(folder, &["run", "b.rhai", "--record"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let (url, child, end) = replay(folder, "snapshots/b.snap");
    let ran = run(folder, &["run", "b.rhai", "--set", &format!("smtp={url}")]);
    let (code, said) = end(child);
    assert_eq!((code, ran.code), (0, Some(0)), "{said}\n{}", ran.out);
}

/// What a replay of this recording says of a client that sends this all at once.
fn said_of(recording: &str, sent: &str) -> (i32, String) {
    let folder = folder(&[("r.txt", recording)]);
    let (url, child, end) = replay(folder.path(), "r.txt");
    let address = url.split_once("://").unwrap().1;
    let mut client = std::net::TcpStream::connect(address).unwrap();
    client.write_all(sent.as_bytes()).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    client.read_to_end(&mut Vec::new()).unwrap();
    let (code, said) = end(child);
    (code, format!("{url}\n{said}"))
}

#[test]
fn a_departure_shows_no_secret_and_a_recording_without_a_url_is_of_the_protocol_of_its_greeting() {
    let pop3 = "S: +OK hi\nC: USER u\nS: +OK\nC: PASS Zq7Xy9Kw2Lm\nS: +OK\n";
    let imap = "S: * OK hi\nC: a LOGIN u [SECRET]\nS: a OK in\n";
    let smtp = "S: 220 hi\nC: EHLO x\nS: 250 hi\nC: QUIT\nS: 221 bye\n";
    for (recording, sent, scheme, got) in [
        (pop3, "USER u\r\nPASS Vf4Tr8Np1Qs\r\n", "pop3", "`PASS [SECRET]`, got `PASS [SECRET]`"),
        (imap, "a LOGIN v \"Zq7Xy9Kw2Lm\"\r\n", "imap", "got `a LOGIN v [SECRET]`"),
        (imap, "a LOGIN v {11+}\r\nZq7Xy9Kw2Lm\r\n", "imap", "got `[SECRET]`"),
        (
            smtp,
            "EHLO x\r\nAUTH PLAIN AHUAWnE3WHk5S3cyTG0=\r\n",
            "smtp",
            "got `AUTH PLAIN [SECRET]`",
        ),
        (smtp, "EHLO x\r\nAUTH PLAIN\r\nQUIT\r\n", "smtp", "got `AUTH PLAIN`"),
    ] {
        let (code, said) = said_of(recording, sent);
        assert!(code == 1 && said.contains(got), "{said}");
        assert!(said.starts_with(&format!("{scheme}://")), "{said}");
        assert!(["Zq7X", "Vf4T", "WnE3"].iter().all(|secret| !said.contains(secret)), "{said}");
    }
}

#[test]
fn a_literal_of_a_recording_that_holds_a_token_has_any_length() {
    let login = "S: * OK hi\nC: a LOGIN {4+}\nC: hoge {6+}\nC: [SECRET]\nS: a OK in\n\
                 C: b LOGOUT\nS: * BYE\nS: b OK bye\n";
    let (code, said) = said_of(login, "a LOGIN {4+}\r\nhoge {6+}\r\npppwww\r\nb LOGOUT\r\n");
    assert_eq!(code, 0, "{said}");
    let append = "S: * OK hi\nC: a APPEND INBOX {39+}\nC: Subject: a\nC:\nC: my id is [QUEUE_ID#1] now\n\
                  C:\nC: b NOOP\nS: a OK\nS: b OK\nC: c LOGOUT\nS: * BYE\nS: c OK bye\n";
    let sent = "a APPEND INBOX {12+}\r\nSubject: b\r\n\r\nb NOOP\r\nc LOGOUT\r\n";
    let (code, said) = said_of(append, sent);
    assert_eq!(code, 0, "{said}");
    // A client that sends another command after its literal has departed.
    let (code, said) = said_of(append, &sent.replace("b NOOP", "b CHECK"));
    assert!(code == 1 && said.contains("expected `b NOOP`, got `b CHECK`"), "{said}");
}

#[test]
fn a_chunk_is_not_compared_and_may_have_another_size() {
    let mail = "S: 220 hi\nC: EHLO x\nS: 250-hi\nS: 250 CHUNKING\nC: MAIL FROM:<a@x>\nS: 250 ok\n\
                C: RCPT TO:<b@x>\nS: 250 ok\n";
    let sent = "EHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n";
    let quit = "C: QUIT\nS: 221 bye\n";
    for (recorded, chunks) in [
        ("C: BDAT 15 LAST\nC: QUIT\nC: hello\nC: \nS: 250 ok\n", "BDAT 7 LAST\r\nhallo\r\n"),
        (
            "C: BDAT 3\nC: hal\\\nS: 250 ok\nC: BDAT 0 LAST\nS: 250 ok\n",
            "BDAT 2\r\nhaBDAT 0 LAST\r\n",
        ),
        (
            "C: BDAT 3\nC: hal\\\nS: 250 1\nC: bdat 4 last\nC: lo\nS: 250 2\n",
            "BDAT 2\r\nhaBDAT 0 LAST\r\n",
        ),
        ("C: BDAT 30 LAST\nC: Date: [DATE]\nC: hello\nS: 250 ok\n", "BDAT 7 LAST\r\nhallo\r\n"),
        ("C: BDAT [SIZE] LAST\nC: hello\nS: 250 ok\n", "BDAT 7 LAST\r\nhallo\r\n"),
    ] {
        let recording = format!("{mail}{recorded}{quit}");
        let (code, said) = said_of(&recording, &format!("{sent}{chunks}QUIT\r\n"));
        assert_eq!(code, 0, "{recorded}: {said}");
    }
    // Two chunks at once, which a client may also send one by one.
    let both = "C: BDAT 2\nC: ha\\\nC: BDAT 4 LAST\nC: lo\nS: 250 1\nS: 250 2\n";
    let (code, said) =
        said_of(&format!("{mail}{both}{quit}"), &format!("{sent}BDAT 1\r\nhBDAT 2\r\nlo"));
    assert!(
        code == 1
            && said.contains("expected `BDAT 4 LAST`, got `BDAT 2`")
            && said.contains("S: 250 1\n"),
        "{said}"
    );
}

#[test]
fn a_recorded_reset_is_a_reset_again() {
    let greeting = "*** connecting to smtp://[SMTP]\nS: 220 hi\n";
    for (end, is_reset) in [("reset by the server", true), ("closed by the server", false)] {
        let recording = format!("{greeting}C: EHLO x\n*** {end}\n");
        let folder = folder(&[("r.txt", &recording)]);
        let (url, child, done) = replay(folder.path(), "r.txt");
        let mut client = std::net::TcpStream::connect(url.split_once("://").unwrap().1).unwrap();
        client.write_all(b"EHLO x\r\n").unwrap();
        let mut said = Vec::new();
        let read = client.read_to_end(&mut said);
        let is_error = read.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset);
        assert_eq!((is_error, &*said), (is_reset, &b"220 hi\r\n"[..]), "{end}");
        assert_eq!(done(child).0, 0, "{end}");
    }
}

#[test]
fn a_line_that_ends_with_a_bare_lf_departs_from_one_that_ends_with_crlf() {
    let smtp = "S: 220 hi\nC: EHLO x\nS: 250 hi\nC: QUIT\nS: 221 bye\n";
    let (code, said) = said_of(smtp, "EHLO x\nQUIT\n");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("line 2 of the recording: expected `EHLO x`, got `EHLO x\\n`"), "{said}");
    assert!(said.contains("S: 250 hi") && said.contains("got `QUIT\\n`"), "{said}");
    let bare = smtp.replace("EHLO x", "EHLO x\\n");
    assert_eq!(said_of(&bare, "EHLO x\nQUIT\r\n").0, 0);
    let (code, said) = said_of(&bare, "EHLO x\r\nQUIT\r\n");
    assert!(code == 1 && said.contains("expected `EHLO x\\n`, got `EHLO x`"), "{said}");
}

#[test]
fn a_client_that_breaks_off_what_is_not_compared_has_departed() {
    let smtp =
        "S: 220 hi\nC: DATA\nS: 354 go\nC: hello\nC: .\nS: 250 ok\n*** closed by the client\n";
    let chunk = "S: 220 hi\nC: BDAT 7 LAST\nC: hello\nS: 250 ok\n";
    let imap = "S: * OK hi\nC: a APPEND x {5+}\nC: hello\nS: a OK\n";
    let tls = "S: 220 hi\nC: STARTTLS\nS: 220 go\n*** TLS 1.3\nS: 220 in\n";
    for (recording, sent, missing) in [
        (smtp, "DATA\r\nhel", "the end of the message"),
        (smtp, "DATA\r\nhello\n.\n", "the end of the message"),
        (chunk, "BDAT 7 LAST\r\nhel", "the end of a chunk"),
        (imap, "a APPEND x {5+}\r\nhel", "the end of a literal"),
        (imap, "a APPEND x {5+}\r\nhello", "the end of a command"),
        (tls, "STARTTLS\r\n", "a TLS handshake"),
    ] {
        let (code, said) = said_of(recording, sent);
        let missing = format!("departed: connection 1: expected {missing}, and the client closed");
        assert!(code == 1 && said.contains(&missing), "{sent}: {said}");
    }
    for (recording, sent) in [
        (smtp, "DATA\r\nhello\r\n.\r\n"),
        (chunk, "BDAT 7 LAST\r\nhallo\r\n"),
        (imap, "a APPEND x {5+}\r\nhallo\r\n"),
    ] {
        let (code, said) = said_of(recording, sent);
        assert_eq!(code, 0, "{sent}: {said}");
    }
}

#[test]
fn a_line_that_departs_is_no_answer_to_a_prompt() {
    let login = "S: 220 hi\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: [SECRET]\nS: 334 UGFzc3dvcmQ6\n\
                 C: [SECRET]\nS: 235 in\nC: QUIT\nS: 221 bye\n";
    let (code, said) = said_of(login, "NOOP\r\nAUTH LOGIN\r\ndQ==\r\ncHBwd3d3\r\nQUIT\r\n");
    assert_eq!(code, 1, "{said}");
    assert_eq!(said.matches("departed").count(), 1, "{said}");
    assert!(said.contains("S: 500 ") && said.contains("S: 235 in"), "{said}");
}

#[test]
fn a_replay_that_is_interrupted_before_its_connections_have_ended_has_not_passed() {
    let smtp = "S: 220 hi\nC: EHLO x\nS: 250 hi\nC: QUIT\nS: 221 bye\n";
    let folder = folder(&[("r.txt", smtp)]);
    for (sent, wanted) in [("", 130), ("EHLO x\r\n", 130), ("NOOP\r\n", 1)] {
        let (url, child, end) = replay(folder.path(), "r.txt");
        let mut client = None;
        if !sent.is_empty() {
            let stream = std::net::TcpStream::connect(url.split_once("://").unwrap().1).unwrap();
            let mut replies = BufReader::new(stream.try_clone().unwrap()).lines();
            replies.next().unwrap().unwrap();
            (&stream).write_all(sent.as_bytes()).unwrap();
            replies.next().unwrap().unwrap();
            client = Some(stream);
        }
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        let (code, said) = end(child);
        assert_eq!(code, wanted, "{sent}: {said}");
        drop(client);
    }
}

#[test]
fn a_replay_ends_after_its_connections_even_if_nobody_reads_its_output() {
    let folder =
        folder(&[("a.txt", "*** connecting to smtp://x\nS: 220 hi\nC: QUIT\nS: 221 bye\n")]);
    let (url, mut child, end) = replay(folder.path(), "a.txt");
    let address = url.strip_prefix("smtp://").unwrap();
    let mut client = std::net::TcpStream::connect(address).unwrap();
    let mut writer = client.try_clone().unwrap();
    let said = std::thread::spawn(move || {
        writer
            .write_all("NOOP with more words than a pipe has room for\r\n".repeat(6000).as_bytes())
            .unwrap();
        writer.shutdown(std::net::Shutdown::Write).unwrap();
    });
    client.read_to_end(&mut Vec::new()).unwrap();
    said.join().unwrap();
    // The output is read only after the server has ended.
    let code = child.wait().unwrap().code();
    assert_eq!(code, Some(1));
    drop(end);
}
