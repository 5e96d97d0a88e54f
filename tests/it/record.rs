//! `mailexpect record`: sessions that a proxy passes on, and the files that it writes.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use mailexpect::server::{Embedded, Listener, Replay};
use mailexpect::{Users, block_on};

use crate::program::{Ran, folder, program, run};

/// A running proxy.
struct Proxy {
    child: Child,
    out: BufReader<ChildStdout>,
    /// The URL at which the proxy listens.
    url: String,
}

impl Proxy {
    fn start(folder: &Path, args: &[&str]) -> Self {
        let mut child = program()
            .current_dir(folder)
            .arg("record")
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        out.read_line(&mut first).unwrap();
        let url = first.split(' ').next().unwrap_or_default().to_owned();
        assert!(url.contains("://"), "{first}");
        Self { child, out, url }
    }

    /// Waits until the proxy has ended. Returns its exit code and its output.
    fn ended(mut self) -> Ran {
        let (mut out, mut err) = (String::new(), String::new());
        self.out.read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        Ran { code: self.child.wait().unwrap().code(), out, err }
    }
}

/// The text of all files below a folder.
fn all_of(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let texts = entries
        .map(|path| if path.is_dir() { all_of(&path) } else { fs::read_to_string(path).unwrap() });
    texts.collect()
}

/// Passes a client's session on to the server, and runs the recorded script with the server.
pub(crate) fn recorded(server: &Embedded, scheme: &str, client: &str, secrets: &[&str]) -> String {
    let url = server.url(scheme).unwrap();
    recorded_at((&url, server.ca().unwrap()), scheme, client, secrets)
}

fn recorded_at((url, ca): (&str, &str), scheme: &str, client: &str, secrets: &[&str]) -> String {
    let folder = folder(&[("client.rhai", client), ("server.pem", ca)]);
    let path = folder.path();
    let args = ["--listen", scheme, "--to", url, "--connections", "1", "--cacert", "server.pem"];
    let args = [&args[..], &["--redact", "pop3"]].concat();
    let proxy = Proxy::start(path, &args);
    let set = format!("{scheme}={}", proxy.url);
    let password = format!("password=literal:{}", Embedded::PASSWORD);
    let mut args = vec!["run", "client.rhai", "--cacert", "recorded/ca.pem", "--set", &set];
    if client.contains("param(\"password\")") {
        args.extend(["--set", &password]);
    }
    let ran = run(path, &args);
    assert_eq!(ran.code, Some(0), "{scheme}: {ran:?}");
    let ended = proxy.ended();
    let all = all_of(&path.join("recorded"));
    let saved = "saved recorded/session-1.rhai with its trace and its golden";
    assert!(ended.code == Some(0) && ended.out.contains(saved), "{scheme}: {ended:?}\n{all}");
    assert!(ended.out.contains("the CA in recorded/ca.pem"), "{ended:?}");
    let token = format!("\0{}\0{}", Embedded::USER, Embedded::PASSWORD);
    let token = data_encoding_of(&token);
    assert!(!all.contains(Embedded::PASSWORD) && !all.contains(&token), "{scheme}: {all}");
    let mut args = vec!["run", "recorded/session-1.rhai", "--check", "--cacert", "server.pem"];
    let sets: Vec<_> =
        secrets.iter().map(|name| format!("{name}=literal:{}", Embedded::PASSWORD)).collect();
    args.extend(sets.iter().flat_map(|set| ["--set", set]));
    let ran = run(path, &args);
    assert_eq!(ran.code, Some(0), "{scheme}: {ran:?}\n{all}");
    all
}

/// The base64 of a text, from another implementation: the `base64` command.
fn data_encoding_of(text: &str) -> String {
    let mut child =
        Command::new("base64").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_session_of_mail_leaves_a_script_that_passes_and_whose_golden_holds() {
    let server = Embedded::start().unwrap();
    let user = Embedded::USER;
    let smtp = r#"let s = connect(param("smtp"));
        s.expect(220);
        s.ehlo("client.example");
        s.auth("USER", param("password"), #{mechanism: "PLAIN"});
        s.pipeline(["MAIL FROM:<kim@example.com>", "RCPT TO:<USER>", "DATA"]);
        s.expect(250);
        s.expect(250);
        s.expect(354);
        s.send_raw("Subject: hi\r\n\r\nThe password is " + param("password") + ".\r\n..\r\n.\r\n");
        s.expect(250);
        s.quit();
    "#;
    let all = recorded(
        &server,
        "submission",
        &smtp.replace("USER", user).replace("(\"smtp\"", "(\"submission\""),
        &["secret", "password"],
    );
    assert!(all.contains("s.auth(\"PLAIN\", param(\"user\", "), "{all}");
    assert!(all.contains("The password is \" + param(\"secret\") + \"."), "{all}");
    let mails = server.mails();
    assert!(mails.len() == 2 && mails.iter().all(|mail| mail.data.ends_with(b"pppwww.\r\n.\r\n")));

    let lmtp = r#"let s = connect(param("lmtp"));
        s.expect(220);
        s.lhlo("client.example");
        s.mail("kim@example.com");
        s.rcpt("hoge@example.com");
        s.rcpt("nobody@localhost", #{expect: 550});
        s.data("Subject: hi\r\n\r\nHi.\r\n");
        s.quit();
    "#;
    recorded(&server, "lmtp", lmtp, &[]);
}

#[test]
fn a_session_of_a_mailbox_leaves_a_script_that_passes_and_whose_golden_holds() {
    let server = Embedded::start().unwrap();
    let user = Embedded::USER;
    let imap = r#"let s = connect(param("imap"));
        s.expect("* OK");
        s.send("a1 LOGIN USER {6}");
        s.expect_until("+");
        s.send(param("password"));
        s.expect_until("a1 OK");
        s.send("a2 LIST \"\" *");
        s.expect_until("a2 OK");
        s.send("a3 APPEND nowhere {24}");
        s.expect_until("+");
        s.send("Subject: " + param("password") + "\r\n\r\nHi.\r\n");
        s.expect_until("a3 NO");
        s.send("a4 LOGOUT");
        s.expect_until("a4 OK");
    "#;
    recorded(&server, "imap", &imap.replace("USER", user), &["secret", "secret2"]);

    let pop3 = r#"let s = connect(param("pop3"));
        s.expect("+OK");
        s.apop("USER", param("password"));
        s.send("CAPA");
        s.expect("+OK");
        s.expect_multiline();
        s.quit();
    "#;
    let all = recorded(&server, "pop3", &pop3.replace("USER", user), &["password"]);
    assert!(all.contains("s.apop(param(\"user\", "), "{all}");

    let sieve = r#"let s = connect(param("sieve"));
        s.expect("OK");
        s.auth("USER", param("password"), #{mechanism: "PLAIN"});
        s.send("LISTSCRIPTS");
        s.expect("OK");
        s.send("LOGOUT");
        s.expect("OK");
    "#;
    recorded(&server, "sieve", &sieve.replace("USER", user), &["password"]);
}

#[test]
fn tls_is_put_on_with_both_sides_when_a_client_asks_for_it() {
    let server = Embedded::start().unwrap();
    let client = |scheme: &str, greeting: &str, rest: &str| {
        format!(
            "let s = connect(param(\"{scheme}\"));\ns.expect({greeting});\n{rest}\n\
             assert(s.tls.verified);\ns.auth(\"{}\", param(\"password\"), #{{mechanism: \"PLAIN\"}});\n",
            Embedded::USER
        )
    };
    let smtp = client("submission", "220", "s.ehlo(\"x\");\ns.starttls();\ns.ehlo(\"x\");")
        + "s.quit();\n";
    let all = recorded(&server, "submission", &smtp, &["password"]);
    assert!(all.contains("s.tls_handshake();") && all.contains("*** TLS "), "{all}");
    let imap = client("imap", "\"* OK\"", "s.starttls();\ns.capability();") + "s.logout();\n";
    recorded(&server, "imap", &imap, &["password"]);
    let pop3 = client("pop3", "\"+OK\"", "s.starttls();\ns.capability();") + "s.quit();\n";
    recorded(&server, "pop3", &pop3, &["password"]);
    let sieve = client("sieve", "\"OK\"", "s.starttls();") + "s.logout();\n";
    recorded(&server, "sieve", &sieve, &["password"]);
    // TLS from the start, and a mechanism in which the server proves itself.
    let imaps = client("imaps", "\"* OK\"", "").replace("PLAIN", "SCRAM-SHA-256");
    let all = recorded(&server, "imaps", &imaps, &["password"]);
    // With the server's proof, anyone could try passwords without asking the server.
    assert!(all.contains("→ v=[SECRET]") && !all.contains("v=[SIGNATURE"), "{all}");
    recorded(&server, "submission", &smtp.replace("PLAIN", "SCRAM-SHA-256"), &["password"]);
}

#[test]
fn a_session_with_a_server_that_proves_itself_by_digest_md5_has_a_golden() {
    let (tell, told) = std::sync::mpsc::channel();
    let served = std::thread::spawn(move || {
        block_on(async {
            let listener = Listener::bind("submission").await?;
            tell.send((listener.url(), listener.ca()?)).unwrap();
            for _ in 0..2 {
                let mut server = listener.accept_within(Duration::from_mins(1)).await?;
                server.greet("220 localhost").await?;
                server.serve("EHLO", (250, ["localhost", "AUTH DIGEST-MD5"])).await?;
                let users = Users::new().user(Embedded::USER, Embedded::PASSWORD);
                server.expect_auth(users).await?;
                server.expect_quit().await?;
                server.finish().await?;
            }
            listener.finish().await
        })
    });
    let (url, ca) = told.recv().unwrap();
    let client = format!(
        "let s = connect(param(\"submission\"));\ns.expect(220);\ns.ehlo(\"x\");\n\
         s.auth(\"{}\", param(\"password\"), #{{mechanism: \"DIGEST-MD5\"}});\ns.quit();\n",
        Embedded::USER
    );
    let all = recorded_at((&url, &ca), "submission", &client, &["password"]);
    assert!(all.contains("→ rspauth=[SECRET]"), "{all}");
    served.join().unwrap().unwrap();
}

#[test]
fn large_data_and_data_that_is_no_text_are_sent_as_they_were_and_without_the_password() {
    let server = Embedded::start().unwrap();
    let client = r#"let s = connect(param("submission"));
        s.expect(220);
        s.ehlo("client.example");
        s.auth("USER", param("password"), #{mechanism: "PLAIN"});
        s.mail("kim@example.com");
        s.rcpt("USER");
        s.send("DATA");
        s.expect(354);
        let long = "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\r\n";
        for i in 0..15 { long += long; }
        let text = "Subject: hi\r\n\r\nThe password is " + param("password") + ".\r\n" + long + ".\r\n";
        s.send_raw(base64_bytes("WC1OYW1lOiD/DQo=") + text.to_blob());
        s.expect(250);
        s.quit();
    "#;
    let client = client.replace("USER", Embedded::USER);
    let all = recorded(&server, "submission", &client, &["secret", "password"]);
    assert!(
        all.contains(" + param(\"secret\").to_blob() + read(\"session-1-1.data\"));"),
        "script"
    );
    let begin = b"X-Name: \xff\r\nSubject: hi\r\n\r\nThe password is pppwww.\r\nzzz";
    let mails = server.mails();
    // The server has put a Received field first.
    let contents = mails.iter().map(|mail| {
        let at = mail.data.windows(begin.len()).position(|bytes| bytes == begin).unwrap();
        &mail.data[at..]
    });
    let contents: Vec<_> = contents.collect();
    assert!(contents.len() == 2 && contents[0] == contents[1] && contents[0].len() > 2 << 20);
}

#[test]
fn however_the_server_ends_a_session_the_script_expects_it() {
    for (scheme, dialogue, expected) in [
        (
            "imap",
            "S: * OK hi\nC: a NOOP\nS: * BYE x\nclose",
            "expect_until(\"* BYE\");\ns.expect_close(",
        ),
        ("imap", "S: * OK hi\nC: a NOOP\nS: * 3 EXISTS\nclose", "expect_until(eof()"),
        ("imap", "S: * OK hi\nC: NOOP\nS: NOOP BAD x\nclose", "expect_until(\"NOOP BAD\""),
        ("imap", "S: * OK hi\nC: é\nS: * BAD x\nclose", "expect_until(\"* BAD\""),
        ("smtp", "S: 220 hi\nC: EHLO x\nreset", "send(\"EHLO x\");\ns.expect_close("),
        (
            "smtp",
            "S: 220 hi\nC: EHLO x\nS: 250-a\nS: 25\\\nclose",
            "expect_bytes(\"250-a\\r\\n25\"",
        ),
        ("pop3", "S: +OK hi\nC: LIST\nS: +OK\nS: 1 9\nclose", "expect_bytes(\"1 9\\r\\n\""),
        (
            "sieve",
            "S: OK\nC: NOOP\nS: BYE \"x\"\nclose",
            "expect(re(`(?m)^BYE`));\ns.expect_close(",
        ),
        (
            "pop3",
            "S: +OK hi\nC: LIST\nC: STAT\nC: UIDL\nS: +OK\nS: .\nS: +OK 0 0\nS: +OK\nS: .\nclose",
            "expect(\"+OK\");\ns.expect_multiline();\ns.expect(\"+OK\");\ns.expect(\"+OK\");\ns.expect_multiline(",
        ),
    ] {
        let server = Replay::repeat(dialogue).unwrap();
        let folder = folder(&[]);
        let to = server.url(scheme);
        let proxy =
            Proxy::start(folder.path(), &["--listen", scheme, "--to", &to, "--connections", "1"]);
        let mut stream = TcpStream::connect(proxy.url.split_once("://").unwrap().1).unwrap();
        assert!(stream.read(&mut [0; 100]).unwrap() > 0);
        let lines = dialogue.lines().filter_map(|line| line.strip_prefix("C: "));
        let sent = lines.collect::<Vec<_>>().join("\r\n") + "\r\n";
        stream.write_all(sent.as_bytes()).unwrap();
        drop(stream.read_to_end(&mut Vec::new()));
        let ended = proxy.ended();
        let all = all_of(&folder.path().join("recorded"));
        let saved = "with its trace and its golden";
        assert!(ended.code == Some(0) && ended.out.contains(saved), "{dialogue}: {ended:?}\n{all}");
        assert!(all.contains(expected), "{dialogue}: {all}");
        let ran = run(folder.path(), &["run", "recorded/session-1.rhai", "--check"]);
        assert_eq!(ran.code, Some(0), "{dialogue}: {ran:?}");
        server.finish().unwrap();
    }
}

#[test]
fn a_number_that_is_taken_is_passed_over_also_if_it_was_free_before() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    let recorded = folder.path().join("recorded");
    fs::create_dir(&recorded).unwrap();
    // A dangling link does not exist when it is looked for, and cannot be created.
    std::os::unix::fs::symlink("nowhere", recorded.join("session-1.trace")).unwrap();
    let args = ["--listen", "smtp", "--to", &server.smtp(), "--connections", "1"];
    let proxy = Proxy::start(folder.path(), &args);
    let mut stream = TcpStream::connect(proxy.url.strip_prefix("smtp://").unwrap()).unwrap();
    stream.write_all(b"QUIT\r\n").unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    let ended = proxy.ended();
    assert!(
        ended.code == Some(0) && ended.out.contains("saved recorded/session-2.rhai"),
        "{ended:?}"
    );
}

#[test]
fn an_interrupt_saves_what_was_said_and_a_server_that_is_away_is_named() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    let proxy = Proxy::start(folder.path(), &["--listen", "smtp", "--to", &server.smtp()]);
    let address = proxy.url.strip_prefix("smtp://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(b"NOOP\r\n").unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("220 "));
    assert!(lines.next().unwrap().unwrap().starts_with("250 "));
    let id = proxy.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let ended = proxy.ended();
    assert!(
        ended.code == Some(0) && ended.out.contains("saved recorded/session-1.rhai"),
        "{ended:?}"
    );
    let script = fs::read_to_string(folder.path().join("recorded/session-1.rhai")).unwrap();
    assert!(
        script.contains("\ns.send_raw(\"NOOP\\r\\n\");\n")
            || script.contains("\ns.send(\"NOOP\");\n"),
        "{script}"
    );

    // With --connections, an interrupt comes before the end.
    let args = ["--listen", "smtp", "--to", &server.smtp(), "--connections", "1"];
    let proxy = Proxy::start(folder.path(), &args);
    let id = proxy.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(proxy.ended().code, Some(130));

    // The server is not there. The files in the folder stay.
    let gone = format!("smtp+unix://{}/none", folder.path().display());
    let proxy =
        Proxy::start(folder.path(), &["--listen", "smtp", "--to", &gone, "--connections", "1"]);
    let address = proxy.url.strip_prefix("smtp://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    let ended = proxy.ended();
    assert!(ended.code == Some(3) && ended.err.contains("/none"), "{ended:?}");
    let ran = run(folder.path(), &["record", "--listen", "imap", "--to", "smtp://localhost"]);
    assert!(ran.code == Some(2) && ran.err.contains("clients speak IMAP"), "{ran:?}");
}

#[test]
fn two_that_record_into_one_folder_have_a_certificate_each() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    let ca = |name: &str| fs::read_to_string(folder.path().join("recorded").join(name)).unwrap();
    let start = || Proxy::start(folder.path(), &["--listen", "smtp", "--to", &server.smtp()]);
    let end = |proxy: Proxy| {
        let id = proxy.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        proxy.ended()
    };
    let first = start();
    let of_first = ca("ca.pem");
    let second = end(start());
    assert!(
        second.out.contains("TLS with a certificate of the CA in recorded/ca-2.pem"),
        "{second:?}"
    );
    assert!(ca("ca.pem") == of_first && ca("ca-2.pem") != of_first);
    end(first);
    // A file of an earlier run is replaced.
    let third = end(start());
    assert!(third.out.contains("recorded/ca.pem") && ca("ca.pem") != of_first, "{third:?}");
}

/// It would wait for a reader for ever.
#[test]
fn a_fifo_in_the_place_of_the_certificate_is_refused() {
    let folder = folder(&[("recorded/x", "")]);
    let fifo = folder.path().join("recorded/ca.pem");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let ran = run(folder.path(), &["record", "--listen", "smtp", "--to", "smtp://localhost"]);
    assert!(ran.code == Some(2) && ran.err.contains("cannot write recorded/ca.pem"), "{ran:?}");
}
