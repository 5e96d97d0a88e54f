//! `mailexpect serve` for clients in any language: a script or an address chooses what goes wrong.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use mailexpect::server::Embedded;

use crate::program::{folder, program, run};
use crate::started::{Serving, port};

fn start(folder: &Path, args: &[&str]) -> Serving {
    let mut command = program();
    Serving::of(command.current_dir(folder).arg("serve").args(args))
}

/// A client that sends each line after the reply to the one before, and reads to the end.
fn client(port: u16, lines: &[&str]) -> String {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut replies = BufReader::new(stream.try_clone().unwrap());
    let mut all = String::new();
    let mut reply = || {
        let mut whole = String::new();
        loop {
            let mut line = String::new();
            // A reset counts as an end, too.
            let read = replies.read_line(&mut line).unwrap_or_default();
            whole += &line;
            if read == 0 || line.as_bytes().get(3) != Some(&b'-') {
                return whole;
            }
        }
    };
    all += &reply();
    for line in lines {
        // The server may have closed the connection.
        if write!(&stream, "{line}\r\n").is_err() {
            break;
        }
        all += &reply();
    }
    all
}

const FAKE: &str = r#"// Busy at first.
let l = listen("smtp");
let s = l.accept();
s.greet(220, "fake");
s.serve("EHLO", 250, ["fake", "PIPELINING"]);
s.serve("MAIL", 451, param("text", "4.3.0 later"));
s.expect_quit();
"#;

#[test]
fn a_script_serves_a_client_in_any_language_and_its_exit_code_is_the_verdict() {
    let folder = folder(&[("fake.rhai", FAKE)]);
    let args = ["--script", "fake.rhai", "--port", "0", "--set", "text=4.3.2 not yet"];
    let mut serving = start(folder.path(), &args);
    let listening = serving.next().unwrap();
    let url = listening["url"].as_str().unwrap();
    assert_eq!(url, format!("smtp://127.0.0.1:{}", port(&listening)));
    assert!(listening["ca"].as_str().unwrap().contains("BEGIN CERTIFICATE"));
    let said = client(port(&listening), &["EHLO x", "MAIL FROM:<a@b>", "QUIT"]);
    assert!(
        said.starts_with("220 fake\r\n250-fake\r\n250 PIPELINING\r\n451 4.3.2 not yet\r\n221 ")
    );
    let (events, code, _) = serving.end();
    let named = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!(
        (code, named("accepted"), named("client"), named("script-ended")),
        (Some(0), 1, 3, 1)
    );
    let first = events.iter().find(|event| event["event"] == "client").unwrap();
    assert_eq!((&first["lines"][0], &first["session"]), (&"EHLO x".into(), &"s1".into()));
    assert_eq!(events.last().unwrap()["verdict"], "passed");
}

#[test]
fn a_client_that_does_otherwise_fails_the_script_that_serves_it() {
    let folder = folder(&[("fake.rhai", FAKE)]);
    let mut serving = start(folder.path(), &["--script", "fake.rhai"]);
    let listening = serving.next().unwrap();
    client(port(&listening), &["EHLO x", "VRFY x"]);
    let (events, code, said) = serving.end();
    let ended = events.last().unwrap();
    assert_eq!((code, &ended["verdict"]), (Some(1), &"failed".into()), "{said}");
    assert_eq!(ended["failure"]["got"], "VRFY x");
    assert!(said.contains("FAIL") && said.contains("fake.rhai:6"), "{said}");
}

/// A client that sends one line after the other to a server of a test.
struct Late {
    stream: TcpStream,
    replies: BufReader<TcpStream>,
}

impl Late {
    fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let replies = BufReader::new(stream.try_clone().unwrap());
        let mut late = Self { stream, replies };
        assert!(late.reply().starts_with("220"));
        late
    }

    fn reply(&mut self) -> String {
        let mut line = String::new();
        self.replies.read_line(&mut line).unwrap();
        line
    }

    fn say(&mut self, text: &str) -> String {
        write!(self.stream, "{text}\r\n").unwrap();
        self.reply()
    }

    /// Quits when the server accepts no more connections.
    fn quit_late(mut self, port: u16) {
        while TcpStream::connect(("127.0.0.1", port)).is_ok() {
            std::thread::yield_now();
        }
        assert!(self.say("QUIT").starts_with("221"), "a client that quits late is answered");
    }
}

#[test]
fn a_client_that_quits_after_the_script_has_ended_is_answered() {
    let script = "// Takes a message.\nserve(\"smtp\").expect_message();\n";
    let folder = folder(&[("fake.rhai", script)]);
    let mut serving = start(folder.path(), &["--script", "fake.rhai"]);
    let port = port(&serving.next().unwrap());
    let mut late = Late::connect(port);
    late.say("HELO x");
    late.say("MAIL FROM:<a@b>");
    late.say("RCPT TO:<a@localhost>");
    late.say("DATA");
    late.say("Subject: x\r\n\r\nx\r\n.");
    late.quit_late(port);
    let (events, code, said) = serving.end();
    assert_eq!((code, &events.last().unwrap()["verdict"]), (Some(0), &"passed".into()), "{said}");
}

#[test]
fn a_server_that_is_dropped_answers_a_client_that_quits_late_and_waits_for_nobody_else() {
    let server = Embedded::options().grace(Duration::from_mins(1)).start().unwrap();
    let port = server.addr("smtp").unwrap().port();
    let late = Late::connect(port);
    let dropped = std::thread::spawn(move || drop(server));
    late.quit_late(port);
    dropped.join().unwrap();
    // The only client is one that the server has stopped listening to, so there is no grace.
    let server = Embedded::options().grace(Duration::from_mins(1)).always("NOOP", "250 ok\nstall");
    let server = server.unwrap().start().unwrap();
    let mut stalled = Late::connect(server.addr("smtp").unwrap().port());
    assert!(stalled.say("NOOP").starts_with("250"));
    let began = Instant::now();
    drop(server);
    assert!(began.elapsed() < Duration::from_secs(30));
    // A client that stays gets the grace period, and no more.
    let server = Embedded::options().grace(Duration::from_millis(50)).start().unwrap();
    let mut staying = Late::connect(server.addr("smtp").unwrap().port());
    let began = Instant::now();
    drop(server);
    assert!((Duration::from_millis(50)..Duration::from_secs(30)).contains(&began.elapsed()));
    assert_eq!(staying.reply(), "");
}

#[test]
fn a_server_that_nobody_came_to_waits_until_it_is_stopped() {
    // The timeout of operations does not apply to accept().
    let folder = folder(&[("fake.rhai", FAKE)]);
    let args = ["--script", "fake.rhai", "--timeout", "10ms"];
    let mut serving = start(folder.path(), &args);
    port(&serving.next().unwrap());
    let pid = rustix::process::Pid::from_child(&serving.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let (events, code, _) = serving.end();
    assert_eq!((code, &events.last().unwrap()["verdict"]), (Some(130), &"interrupted".into()));
}

#[test]
fn where_it_listens_is_told_by_the_descriptor_that_is_named() {
    let folder = folder(&[("fake.rhai", FAKE)]);
    let mut shell = Command::new("sh");
    shell.current_dir(folder.path()).env("PROGRAM", env!("CARGO_BIN_EXE_mailexpect"));
    // The reader of the pipe plays the client's side: it reads one line and ends.
    shell.args([
        "-c",
        "{ \"$PROGRAM\" serve --script fake.rhai --ready-fd 3 3>&1 >events.json; } | head -n 1",
    ]);
    let mut serving = Serving::of(&mut shell);
    let listening = serving.next().unwrap();
    client(port(&listening), &["EHLO x", "MAIL FROM:<a@b>", "QUIT"]);
    let (rest, code, said) = serving.end();
    assert_eq!((rest.len(), code), (0, Some(0)), "{said}");
    let events = std::fs::read_to_string(folder.path().join("events.json")).unwrap();
    assert!(!events.contains("listening") && events.contains("script-ended"), "{events}");
}

#[test]
fn mistakes_in_the_command_of_a_server_are_reported() {
    let folder = folder(&[("fake.rhai", FAKE), ("none.rhai", "// Nothing.\nlet x = ;\n")]);
    for (args, why) in [
        (&["--script", "fakes.rhai"][..], "there is no script fakes.rhai"),
        (&["--script", "fake.rhai", "--ready-fd", "77"], "the descriptor 77 of --ready-fd"),
        (&["--script", "fake.rhai", "--set", "tex=1"], "did you mean `text`"),
        (&["--script", "none.rhai"], "none.rhai:2"),
        (&["--port", "2525"], "--script"),
    ] {
        let all = [&["serve"], args].concat();
        let ran = run(folder.path(), &all);
        assert!(ran.code == Some(2) && ran.err.contains(why), "{args:?}: {ran:?}");
    }
}

const BACKGROUND: &str = r#"// A relay that runs by itself.
let relay = serve("smtp", #{on_demand: true, RCPT: [451, ()]});
let mail = relay.expect_message(#{to: "hoge@example.com", timeout: "1h"});
assert_eq(mail.message.subject, "hi");
"#;

#[test]
fn a_server_beside_the_script_listens_where_it_is_told_and_its_events_are_told_too() {
    let folder = folder(&[("relay.rhai", BACKGROUND)]);
    let mut serving = start(folder.path(), &["--script", "relay.rhai", "--port", "0"]);
    let listening = serving.next().unwrap();
    let message = [
        "EHLO nosize.example",
        "MAIL FROM:<a@b>",
        "RCPT TO:<hoge@example.com>",
        "RCPT TO:<rcpt452_4.2.2@example.com>",
        "RCPT TO:<hoge@example.com>",
        "DATA",
        "Subject: hi\r\n\r\nHi.\r\n.",
    ];
    let said = client(port(&listening), &message);
    assert!(said.contains("\r\n451 ") && said.contains("\r\n452 4.2.2 as the"), "{said}");
    assert!(!said.contains("SIZE"), "{said}");
    let (events, code, why) = serving.end();
    assert_eq!(code, Some(0), "{why}");
    let accepted = events.iter().find(|event| event["event"] == "accepted").unwrap();
    assert_eq!(accepted["server"], listening["url"]);
}

#[test]
fn addresses_and_names_ask_the_embedded_server_for_faults() {
    let empty = folder(&[]);
    let serving = start(empty.path(), &["--on-demand", "--ready-fd", "1"]);
    let mut serving = serving;
    let (mut smtp, mut seen) = (None, 0);
    while seen < 9 {
        let listening = serving.next().unwrap();
        if listening["scheme"] == "smtp" {
            smtp = Some(port(&listening));
        }
        seen += 1;
    }
    let smtp = smtp.unwrap();
    let said = client(smtp, &["EHLO nostarttls.example", "MAIL FROM:<mail451@x>", "NOOP", "QUIT"]);
    assert!(!said.contains("STARTTLS") && said.contains("\r\n451 as the address"), "{said}");
    let to = ["HELO x", "MAIL FROM:<>", "RCPT TO:<data554_5.7.1@example.com>", "DATA", "QUIT"];
    assert!(client(smtp, &to).contains("\r\n554 5.7.1 as the address"));
    let to = ["HELO x", "MAIL FROM:<>", "RCPT TO:<message452@example.com>", "DATA", ".", "QUIT"];
    assert!(client(smtp, &to).contains("\r\n452 as the address"));
    let to = ["HELO x", "MAIL FROM:<>", "RCPT TO:<rcptclose@example.com>", "QUIT"];
    assert!(client(smtp, &to).ends_with("Sender ok\r\n"), "{}", client(smtp, &to));
    drop(serving.child.kill());
    drop(serving.child.wait());
}
