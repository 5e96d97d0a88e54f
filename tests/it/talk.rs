//! `mailexpect talk`: at a real terminal, and with a pipe.

use std::io::Write as _;
use std::process::Stdio;

use mailexpect::server::Embedded;
use rexpect::process::WaitStatus;
use rexpect::session::{PtySession, spawn_command};

use crate::peer::{Peer, serving};
use crate::program::{folder, program, run};

/// How long a test waits for the screen, in milliseconds. A busy machine is slow.
const PATIENCE: u64 = 60_000;

/// A terminal at which this command was typed.
fn typing(folder: &tempfile::TempDir, args: &[&str]) -> PtySession {
    let mut command = program();
    command.current_dir(folder.path()).arg("talk").args(args).env("TERM", "xterm");
    command.stdin(Stdio::inherit());
    spawn_command(command, Some(PATIENCE)).unwrap()
}

/// The result of a conversation whose lines come from a pipe: the exit code, stdout and stderr.
fn piped(
    folder: &tempfile::TempDir,
    args: &[&str],
    lines: impl AsRef<[u8]>,
) -> (Option<i32>, String, String) {
    let mut child = program()
        .current_dir(folder.path())
        .arg("talk")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(lines.as_ref()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn exit_code(terminal: &PtySession) -> i32 {
    match terminal.process().wait().unwrap() {
        WaitStatus::Exited(_, code) => code,
        other => panic!("it ended with {other:?}"),
    }
}

fn shows(terminal: &mut PtySession, text: &str) -> String {
    terminal.exp_string(text).unwrap_or_else(|error| panic!("{text} is not shown: {error}"))
}

fn saved(folder: &tempfile::TempDir) -> String {
    std::fs::read_to_string(folder.path().join("saved.rhai")).unwrap()
}

#[test]
fn a_dialogue_that_is_typed_is_shown_and_its_script_passes() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[("mail.eml", "Subject: lunch\n\nAt noon?\n.\n")]);
    std::fs::write(folder.path().join("ca.pem"), server.ca().unwrap()).unwrap();
    let url = server.submission();
    let mut terminal = typing(&folder, &[&url, "--cacert", "ca.pem"]);
    shows(&mut terminal, "connected");
    shows(&mut terminal, "S: 220 localhost");
    terminal.send_line(":save saved.rhai").unwrap();
    shows(&mut terminal, "is written there when it ends");
    terminal.send_line("EHLO x").unwrap();
    shows(&mut terminal, "S: 250 ENHANCEDSTATUSCODES");
    // Tab completes the server's capabilities, and STARTTLS begins TLS.
    terminal.send("startt\t\n").unwrap();
    shows(&mut terminal, "certificate verified");
    terminal.send_line("EHLO x").unwrap();
    shows(&mut terminal, "S: 250 ENHANCEDSTATUSCODES");
    terminal.send_line(":auth hoge@example.com").unwrap();
    shows(&mut terminal, "password for hoge@example.com: ");
    terminal.send_line("pppwww").unwrap();
    let shown = shows(&mut terminal, "S: 235");
    assert!(!shown.contains("pppwww"), "{shown}");
    terminal.send_line("MAIL FROM:<hoge@example.com>").unwrap();
    shows(&mut terminal, "S: 250 2.1.0");
    terminal.send_line("RCPT TO:<test-user@yahoo.co.jp>").unwrap();
    shows(&mut terminal, "S: 250 2.1.5");
    terminal.send_line(":data mail.eml").unwrap();
    shows(&mut terminal, "S: 250 2.0.0");
    terminal.send_line("QUIT").unwrap();
    shows(&mut terminal, "wrote saved.rhai");
    assert_eq!(exit_code(&terminal), 0);
    assert!(!saved(&folder).contains("pppwww"), "{}", saved(&folder));
    let file = folder.path().join("password");
    std::fs::write(&file, "pppwww\n").unwrap();
    let args = ["run", "saved.rhai", "--cacert", "ca.pem", "--set", "password=cmd:cat password"];
    let ran = run(folder.path(), &args);
    assert_eq!(ran.code, Some(0), "{ran:?}\n{}", saved(&folder));
}

#[test]
fn prompts_in_base64_are_decoded_beside_them() {
    let folder = folder(&[]);
    let peer = Peer::parse("S: 220 hi\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nstall");
    let mut terminal = typing(&folder, &[&peer.url("smtp")]);
    shows(&mut terminal, "S: 220 hi");
    terminal.send_line("AUTH LOGIN").unwrap();
    shows(&mut terminal, "S: 334 VXNlcm5hbWU6 ");
    shows(&mut terminal, "Username:");
    terminal.send_control('d').unwrap();
    assert_eq!(exit_code(&terminal), 0);
}

/// A server that answers all lines so far when a line that ends with GO has arrived.
fn waiting() -> String {
    let address = serving(|mut client, _| {
        client.say("220 localhost ESMTP\r\n")?;
        let mut replies = String::new();
        loop {
            let line = client.line()?;
            replies = format!("{replies}250 {line}\r\n");
            if line.ends_with("GO") {
                client.say(&std::mem::take(&mut replies))?;
            }
        }
    });
    format!("smtp://{address}")
}

#[test]
fn a_line_before_its_turn_waits_with_a_warning_and_enter_sends_it() {
    let folder = folder(&[]);
    let url = waiting();
    let mut terminal = typing(&folder, &[&url, "--save", "saved.rhai"]);
    shows(&mut terminal, "S: 220");
    terminal.send_line("NOOP").unwrap();
    terminal.send_line("GO").unwrap();
    shows(&mut terminal, "not sent yet");
    terminal.send_line("").unwrap();
    shows(&mut terminal, "S: 250 NOOP");
    shows(&mut terminal, "S: 250 GO");
    terminal.send_control('d').unwrap();
    assert_eq!(exit_code(&terminal), 0);
    assert!(saved(&folder).contains(
        "s.send(\"NOOP\");\ns.send_raw(\"GO\\r\\n\");\ns.expect(250);\ns.expect(250);\n"
    ));
    let ran = run(folder.path(), &["run", "saved.rhai"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn lines_that_are_pasted_at_once_are_sent_each_in_its_turn() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    let mut terminal = typing(&folder, &[&server.smtp(), "--save", "saved.rhai"]);
    shows(&mut terminal, "S: 220");
    terminal.send("EHLO x\nMAIL FROM:<a@example.com>\nRCPT TO:<hoge@example.com>\nQUIT\n").unwrap();
    shows(&mut terminal, "S: 221");
    assert_eq!(exit_code(&terminal), 0);
    assert!(!saved(&folder).contains("send_raw"), "{}", saved(&folder));
    assert_eq!(run(folder.path(), &["run", "saved.rhai"]).code, Some(0));
}

#[test]
fn a_message_with_the_password_in_it_is_saved_without_it() {
    let server = Embedded::start().unwrap();
    let mail = "Subject: x\r\n\r\nYour password is pppwww, hoge.\r\n";
    let folder = folder(&[("mail.eml", mail)]);
    let lines = "EHLO x\nAUTH PLAIN AGhvZ2VAZXhhbXBsZS5jb20AcHBwd3d3\nMAIL FROM:<hoge@example.com>\nRCPT TO:<hoge@example.com>\n:data mail.eml\nQUIT\n";
    let (code, out, err) = piped(&folder, &[&server.submission(), "--save", "saved.rhai"], lines);
    assert_eq!(code, Some(0), "{out}{err}");
    let saved = saved(&folder);
    assert!(!saved.contains("pppwww"), "{saved}");
    let data =
        "s.data(\"Subject: x\\n\\nYour password is \" + param(\"secret2\") + \", hoge.\\n\");\n";
    assert!(saved.contains(data), "{saved}");
}

#[test]
fn a_message_that_is_pasted_is_sent_whole_with_its_empty_lines() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    let mut terminal = typing(&folder, &[&server.smtp(), "--save", "saved.rhai"]);
    shows(&mut terminal, "S: 220");
    let envelope = "EHLO x\nMAIL FROM:<a@example.com>\nRCPT TO:<hoge@example.com>\nDATA\n";
    terminal.send(&format!("{envelope}Subject: hi\n\nHi.\n\nBye.\n.\nQUIT\n")).unwrap();
    shows(&mut terminal, "S: 221");
    assert_eq!(exit_code(&terminal), 0);
    let mails = server.mails();
    assert!(mails[0].data.ends_with(b"Subject: hi\r\n\r\nHi.\r\n\r\nBye.\r\n"), "{mails:?}");
    assert!(!saved(&folder).contains("send_raw"), "{}", saved(&folder));
    assert_eq!(run(folder.path(), &["run", "saved.rhai"]).code, Some(0));
}

#[test]
fn a_literal_that_is_pasted_is_sent_whole_with_its_empty_lines() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    let mut terminal = typing(&folder, &[&server.imap(), "--save", "saved.rhai"]);
    shows(&mut terminal, "S: * OK");
    terminal.send_line("a0 LOGIN hoge@example.com pppwww").unwrap();
    shows(&mut terminal, "S: a0 OK");
    let message = "Subject: pasted\n\n\nempty lines above\n\n";
    let octets = message.replace('\n', "\r\n").len();
    let pasted = format!(
        "a1 SELECT INBOX\na2 APPEND INBOX {{{octets}}}\n{message}\na3 FETCH * BODY[]\na4 LOGOUT\n"
    );
    terminal.send(&pasted).unwrap();
    terminal.flush().unwrap();
    shows(&mut terminal, "S: a2 OK");
    let fetched = shows(&mut terminal, "S: a3 OK");
    assert!(fetched.contains(&format!("BODY[] {{{octets}}}")), "{fetched}");
    shows(&mut terminal, "wrote saved.rhai");
    assert_eq!(exit_code(&terminal), 0);
    let imap = format!("imap={}", server.imap());
    let ran = run(folder.path(), &["run", "saved.rhai", "--set", &imap, "--set", "secret=pppwww"]);
    assert_eq!(ran.code, Some(0), "{ran:?}\n{}", saved(&folder));
}

#[test]
fn starttls_that_is_pasted_begins_tls() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    std::fs::write(folder.path().join("ca.pem"), server.ca().unwrap()).unwrap();
    let mut terminal = typing(&folder, &[&server.submission(), "--cacert", "ca.pem"]);
    shows(&mut terminal, "S: 220");
    terminal.send("EHLO x\nSTARTTLS\nEHLO y\nQUIT\n").unwrap();
    shows(&mut terminal, "certificate verified");
    // A line that was typed while no reply was owed is not shown a second time.
    shows(&mut terminal, "S: 250-localhost");
    shows(&mut terminal, "S: 221");
    assert_eq!(exit_code(&terminal), 0);
}

#[test]
fn ctrl_c_leaves_in_the_middle_of_a_line_and_of_a_flood() {
    let folder = folder(&[]);
    let mut flood = String::from("S: 220 hi\n");
    flood.push_str(&"S: 250-flood \\x1b[2J\n".repeat(20_000));
    let peer = Peer::parse(&format!("{flood}stall"));
    let mut terminal = typing(&folder, &[&peer.url("smtp")]);
    let shown = shows(&mut terminal, "250-flood \\e[2J");
    assert!(!shown.contains("\u{1b}[2J"), "the server drives the terminal: {shown:?}");
    terminal.send("half a li").unwrap();
    terminal.send_control('c').unwrap();
    terminal.exp_eof().unwrap();
    assert_eq!(exit_code(&terminal), 130);
}

#[test]
fn a_server_that_closes_ends_the_conversation() {
    let folder = folder(&[]);
    let peer = Peer::parse("S: 421 too busy\nclose");
    let mut terminal = typing(&folder, &[&peer.url("smtp")]);
    shows(&mut terminal, "S: 421 too busy");
    shows(&mut terminal, "closed by the server");
    terminal.exp_eof().unwrap();
    assert_eq!(exit_code(&terminal), 0);
}

#[test]
fn a_slip_in_a_command_is_said_and_ends_nothing() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    let mut terminal = typing(&folder, &[&server.smtp()]);
    shows(&mut terminal, "S: 220");
    terminal.send_line(":strattls").unwrap();
    shows(&mut terminal, "did you mean :starttls?");
    terminal.send_line(":help").unwrap();
    shows(&mut terminal, ":data FILE");
    terminal.send_line(":raw NOOP\\r\\n").unwrap();
    shows(&mut terminal, "S: 250");
    terminal.send_line(":quit").unwrap();
    assert_eq!(exit_code(&terminal), 0);
}

#[test]
fn a_line_that_is_not_utf_8_is_sent_as_it_is() {
    let peer = Peer::parse("S: 220 hi\nC\nS: 250 ok\nC\nS: 221 bye");
    let folder = folder(&[]);
    let args = [&peer.url("smtp"), "--save", "saved.rhai"];
    let (code, out, err) = piped(&folder, &args, b"EHLO caf\xe9\nQUIT\n");
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("C: EHLO caf\\xe9"), "{out}");
    assert!(saved(&folder).contains("s.send("), "{}", saved(&folder));
    assert_eq!(peer.heard(), b"EHLO caf\xe9\r\nQUIT\r\n");
}

#[test]
fn a_key_that_is_not_utf_8_ends_no_conversation_at_a_terminal() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    let mut terminal = typing(&folder, &[&server.smtp()]);
    shows(&mut terminal, "S: 220");
    let mut keys = terminal.process().get_file_handle().unwrap();
    keys.write_all(b"EHLO caf\xe9.example\r").unwrap();
    shows(&mut terminal, "the line is not sent");
    terminal.send_line(":raw NOOP\\r\\n").unwrap();
    let between = shows(&mut terminal, "S: 250");
    assert!(!between.contains("C: EHLO") && !between.contains("C: .example"), "{between}");
    terminal.send_line(":quit").unwrap();
    assert_eq!(exit_code(&terminal), 0);
}

#[test]
fn lines_from_a_pipe_are_sent_in_lock_step_to_what_the_greeting_speaks() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    let port = server.smtp().rsplit(':').next().unwrap().to_owned();
    let talk = |lines: &str, port: &str, more: &[&str]| {
        piped(&folder, &[&["127.0.0.1", port], more].concat(), lines)
    };
    let (code, out, err) = talk("EHLO x\nNOOP\nQUIT\n", &port, &["--save", "saved.rhai"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let order: Vec<_> = out.lines().filter_map(|line| line.get(9..14)).collect();
    let order = order.join("|");
    assert!(order.contains("S: 25|C: NO|S: 25|C: QU|S: 22|*** c"), "{out}");
    assert!(!out.contains('\u{1b}'), "no colours where nobody looks: {out:?}");
    let ran = run(folder.path(), &["run", "saved.rhai"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    // Whether stdin or the server ends first depends on chance, and the script does not.
    assert!(saved(&folder).ends_with("expect(221);\ns.expect_close();\n"), "{}", saved(&folder));
    let auth = "EHLO x\n:auth hoge@example.com ANONYMOUS\nQUIT\n";
    let (_, out, _) = talk(auth, &port, &[]);
    assert!(out.contains("C: AUTH ANONYMOUS [SECRET] \u{2192} hoge@example.com"), "{out}");
    let (_, _, err) = talk("EHLO x\n:auth hoge@example.com\n", &port, &[]);
    assert!(err.contains("mailexpect sasl"), "{err}");
    let (code, _, err) = talk("", "1", &[]);
    assert_eq!((code, err.contains("refused")), (Some(3), true), "{err}");
}

#[test]
fn a_challenge_of_managesieve_is_in_the_script_that_is_saved() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    let lines = "AUTHENTICATE \"PLAIN\"\n\"AGhvZ2VAZXhhbXBsZS5jb20AcHBwd3d3\"\nLOGOUT\n";
    let (code, out, err) = piped(&folder, &[&server.sieve(), "--save", "saved.rhai"], lines);
    assert_eq!(code, Some(0), "{out}{err}");
    let secret = "secret=literal:AGhvZ2VAZXhhbXBsZS5jb20AcHBwd3d3";
    let ran = run(folder.path(), &["run", "saved.rhai", "--set", secret]);
    assert_eq!(ran.code, Some(0), "{ran:?}\n{}", saved(&folder));
}

#[test]
fn lines_that_a_server_did_not_wait_for_are_no_success() {
    let folder = folder(&[]);
    for (end, lines) in
        [("421 later", "EHLO x\nAUTH PLAIN AGEAaHVudGVyMg==\nQUIT\n"), ("221 bye", "QUIT\n")]
    {
        let peer = Peer::parse(&format!("S: 220 hi\nC\nS: {end}\nclose"));
        let (code, _, err) = piped(&folder, &[&peer.url("smtp")], lines);
        // The next line may be on its way before the close is seen. Then its reply is missing.
        let said =
            ["before all lines of stdin were sent", "closed the connection and owed a reply"];
        let is_unsent = said.iter().any(|said| err.contains(said));
        assert!(!err.contains("AGEA"), "a password is shown: {err}");
        let wanted = if end.starts_with("421") { (Some(1), true) } else { (Some(0), false) };
        assert_eq!((code, is_unsent), wanted, "{err}");
    }
}

#[test]
fn ctrl_d_leaves_a_server_that_says_nothing() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = silent.local_addr().unwrap().to_string();
    let folder = folder(&[]);
    let mut terminal = typing(&folder, &[&place]);
    let (held, _) = silent.accept().unwrap();
    shows(&mut terminal, "> ");
    terminal.send_control('d').unwrap();
    shows(&mut terminal, "closed by the client");
    assert_eq!(exit_code(&terminal), 0);
    drop(held);
}

/// A server that sends this text byte by byte, with pauses that are longer than a part of a reply is
/// waited for.
fn dripping(text: &'static str) -> String {
    let address = serving(move |mut client, _| {
        for character in text.chars().cycle() {
            client.say(&character.to_string())?;
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
        Ok(())
    });
    format!("smtp://{address}")
}

#[test]
fn a_server_that_never_ends_its_reply_is_given_up() {
    let folder = folder(&[]);
    let lines = "EHLO x\nQUIT\n";
    let url = dripping("220-hello ");
    let (code, out, err) = piped(&folder, &[&url, "--timeout", "2s"], lines);
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(err.contains(&format!("no whole reply of {url} came within 2 s")), "{err}");
    let peer = Peer::parse("flood 4000000000 220-hello");
    let (code, _, err) = piped(&folder, &[&peer.url("smtp"), "--timeout", "2s"], lines);
    assert!(code == Some(1) && err.contains(&peer.url("smtp")), "{err}");
}

#[test]
fn a_server_that_floods_whole_replies_is_given_up() {
    let folder = folder(&[]);
    // A debug build is too slow to hear 32 MiB before the deadline.
    let peer = Peer::parse("flood 4000000000 220 a");
    let url = peer.url("smtp");
    let (code, out, err) = piped(&folder, &[&url, "--timeout", "3s"], "EHLO x\nQUIT\n");
    assert_eq!(code, Some(1), "{err}");
    let why = ["sent more than 32 MiB", "came within 3 s"];
    assert!(err.contains(&url) && why.iter().any(|why| err.contains(why)), "{err}");
    assert!(out.len() < 64 << 20, "{}", out.len());
}

#[test]
fn a_line_of_a_message_begins_no_tls() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[]);
    let message = "Subject: x\n\nplease turn on STARTTLS\nSTARTTLS\n.\n";
    let lines = format!(
        "EHLO x\nMAIL FROM:<a@example.com>\nRCPT TO:<hoge@example.com>\nDATA\n{message}HELP STARTTLS\nQUIT\n"
    );
    let (code, out, err) = piped(&folder, &[&server.smtp()], &lines);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("C: please turn on STARTTLS") && !out.contains("TLS 1."), "{out}");
}

#[test]
fn a_stream_that_is_no_mail_protocol_is_saved_as_one() {
    let server = crate::peer::answering("hello\r\n", |_| "221 done\r\n".to_owned());
    let folder = folder(&[]);
    let port = server.port().to_string();
    let (code, out, err) = piped(&folder, &["127.0.0.1", &port, "--save", "saved.rhai"], "PING\n");
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(saved(&folder).contains("\"tcp://127.0.0.1:"), "{}", saved(&folder));
    assert_eq!(run(folder.path(), &["run", "saved.rhai"]).code, Some(0), "{}", saved(&folder));
}
