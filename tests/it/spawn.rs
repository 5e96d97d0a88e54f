//! Real servers as fixtures: started for a test, waited for, and ended with it.

use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use mailexpect::script::Case;
use mailexpect::server::Spawn;
use mailexpect::{Error, Server, Session, Transcript};
use rustix::process::{Pid, Signal, kill_process};

use crate::filters::filtered;
use crate::peer::Peer;
use crate::program::project;
use crate::real::available;
use crate::servers::mailserver;

/// Only ports and times may vary.
const FILTERS: [(&str, &str); 2] =
    [(r"\b[1-6]\d{4}\b", "PORT"), (r"\d+(\.\d+)? (ms|s) of ", "TIME of ")];

/// The beginning of all perl servers here. It makes `$listener`.
const LISTEN: &str = r#"$listener = IO::Socket::INET->new(Listen => 5, ReuseAddr => 1, LocalAddr => "127.0.0.1:$ARGV[0]") or die "cannot listen: $!\n"; "#;

/// A server in perl. Its first argument is the port.
fn perl(script: &str) -> Command {
    let mut command = Command::new("perl");
    command.args(["-MIO::Socket", "-e", &format!("$| = 1; {script}"), "{port}"]);
    command
}

/// A server that accepts each connection and runs this code with `$client`.
fn each(script: &str) -> Command {
    perl(&format!("{LISTEN} while ($client = $listener->accept) {{ {script} }}"))
}

fn embedded() -> Spawn {
    let ports = [
        "--smtp",
        "127.0.0.1:{port}",
        "--submission",
        "127.0.0.1:{port:submission}",
        "--submissions",
        "127.0.0.1:{port:submissions}",
    ];
    Server::spawn(Command::new(env!("CARGO_BIN_EXE_mailexpect")).arg("serve").args(ports))
}

/// Asks repeatedly, because a server does not report that it has printed a line or that its last
/// process has ended. Between two questions, it waits for a message that nobody sends.
fn wait_until(mut done: impl FnMut() -> bool) -> bool {
    let (_sender, pause) = mpsc::channel::<()>();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        if Instant::now() >= deadline {
            return false;
        }
        let _ = pause.recv_timeout(Duration::from_millis(5));
    }
    true
}

fn assert_says(name: &str, error: &Error) {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, filtered(&error, &FILTERS)));
}

fn fails(spawn: Spawn, url: &str) -> Error {
    spawn.timeout(Duration::from_millis(400)).wait_ready(url).unwrap_err()
}

fn runs(pid: &str) -> bool {
    // A zombie does not run: when it disappears depends on the init process of the machine.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|fields| !fields.is_empty() && !fields.starts_with('Z'))
}

#[test]
fn a_server_has_its_ports_and_greets_when_the_wait_is_over() {
    let server = embedded().wait_ready("smtp://127.0.0.1:{port}").unwrap();
    assert_eq!(server.url(), format!("smtp://127.0.0.1:{}", server.port()));
    assert_eq!(
        server.url_of("submission"),
        format!("submission://127.0.0.1:{}", server.port_of("submission"))
    );
    server.wait_ready("submissions://127.0.0.1:{port:submissions}").unwrap();
    mailexpect::assert_script!("scripts/relay.rhai", smtp = server.url());
    assert!(wait_until(|| server.log().contains("RCPT TO:")), "{}", server.log());
}

#[tokio::test]
async fn both_ways_of_waiting_work_in_async_tests() {
    let server = embedded().wait_ready_async("smtp://127.0.0.1:{port}").await.unwrap();
    server.wait_ready_async("submission://127.0.0.1:{port:submission}").await.unwrap();
    let other = embedded().wait_ready("smtp://127.0.0.1:{port}").unwrap();
    for url in [server.url(), other.url()] {
        let mut session = Session::connect(url).await.unwrap();
        session.expect(220).await.unwrap();
        session.quit().await.unwrap();
        session.finish().await.unwrap();
    }
}

#[test]
fn ports_can_be_had_before_for_a_configuration_file_and_come_by_variables() {
    let mut spawn = Server::spawn(Command::new("perl").env("PORT", "{port:smtp}").args([
        "-MIO::Socket",
        "-e",
        &format!("@ARGV = $ENV{{PORT}}; {LISTEN} print {{ $listener->accept }} qq(220 hi\\r\\n); sleep 1 while 1"),
    ]));
    let port = spawn.port_of("smtp").unwrap();
    let server = spawn.wait_ready("smtp://127.0.0.1:{port:smtp}").unwrap();
    assert_eq!(server.port_of("smtp"), port);
}

#[test]
fn a_slow_start_an_early_close_and_a_refusal_are_waited_for() {
    let script = format!(
        "select undef, undef, undef, 0.1; {LISTEN} $listener->accept->close; \
         print {{ $listener->accept }} qq(421 not yet\\r\\n); \
         print {{ $listener->accept }} qq(554 starting\\r\\n); print {{ $listener->accept }} qq(22); \
         while ($client = $listener->accept) {{ print $client qq(220-wait\\r\\n220 now\\r\\n); print qq(greeted\\n) }}"
    );
    let server = Server::spawn(perl(&script)).wait_ready("smtp://127.0.0.1:{port}").unwrap();
    assert!(wait_until(|| server.log() == "greeted\n"), "{}", server.log());
}

#[tokio::test]
async fn the_greeting_of_each_protocol_is_known_and_leaves_one_line_in_the_transcript() {
    for (scheme, greeting) in [
        ("lmtp", "220-two\\r\\n220 lines"),
        ("pop3", "+OK <1.2@example.com>"),
        ("imap", "* OK [CAPABILITY IMAP4rev1] hi"),
        ("imap", "* PREAUTH hi"),
        ("sieve", "\"IMPLEMENTATION\" \"x\"\\r\\nOK"),
        ("tcp", ""),
    ] {
        let peer = Peer::parse(&format!("S: {greeting}\nstall"));
        let transcript = Transcript::new();
        let options =
            Session::options().timeout(Duration::from_secs(5)).transcript(transcript.clone());
        options.wait_ready(&peer.url(scheme)).await.unwrap();
        assert_eq!(transcript.to_string(), format!("*** {} ready\n", peer.url(scheme)));
        assert_eq!(peer.heard(), b"");
    }
}

#[tokio::test]
async fn a_connection_that_is_closed_before_or_in_the_handshake_is_tried_again() {
    for scheme in ["smtp", "smtps"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let closing = std::thread::spawn(move || {
            // The first handshake is closed without a word, the second is reset.
            drop(listener.accept().unwrap());
            let (mut client, _) = listener.accept().unwrap();
            let _ = client.read(&mut [0; 1]);
        });
        let options = Session::options().timeout(Duration::from_millis(500));
        let error = options.wait_ready(&url).await.unwrap_err();
        closing.join().unwrap();
        assert!(error.is_unreachable(), "{error}");
        assert_eq!(error.message(), format!("{url} was not ready in time"));
    }
}

#[test]
fn a_drop_ends_what_the_server_started_even_where_it_does_not_want_to() {
    let script = format!(
        "$SIG{{TERM}} = 'IGNORE'; if (!fork) {{ print qq($$ \\n); sleep 1 while 1 }} {LISTEN} 1 while $listener->accept"
    );
    let server = Server::spawn(perl(&script)).wait_ready("tcp://127.0.0.1:{port}").unwrap();
    assert!(wait_until(|| server.log().contains('\n')));
    let pid = server.log().trim().to_owned();
    assert!(runs(&pid));
    let port = server.port();
    drop(server);
    assert!(wait_until(|| !runs(&pid)), "{pid} still runs");
    // Another test may have taken the port in the meantime, and will free it.
    assert!(wait_until(|| TcpListener::bind(("127.0.0.1", port)).is_ok()));
}

/// The names of the processes whose working folder is in this folder.
fn processes(folder: &Path) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let inside = processes.filter(|process| {
        process.path().join("cwd").read_link().is_ok_and(|cwd| cwd.starts_with(folder))
    });
    let name = |process: std::fs::DirEntry| {
        std::fs::read_to_string(process.path().join("comm")).unwrap_or_default()
    };
    inside.map(name).collect()
}

#[test]
fn servers_of_many_processes_go_as_a_whole() {
    let Some(server) = available(mailserver::start()) else { return };
    let outcome =
        Case::new(project().join("scripts/relay.rhai")).set("smtp", server.parameter("smtp")).run();
    assert!(outcome.is_ok(), "{outcome:?}");
    let folder = server.path("");
    let running = processes(&folder);
    assert!(running.len() > 5, "{running:?}");
    drop(server);
    assert!(wait_until(|| processes(&folder).is_empty()), "{:?}", processes(&folder));
}

/// A part of the next test, which runs this test as a separate process: starts a server, and writes
/// its port to a file.
#[test]
#[ignore = "it waits to be killed"]
fn waits_to_be_killed() {
    let server = Server::spawn(each("print $client qq(220 hi\\r\\n)"))
        .wait_ready("smtp://127.0.0.1:{port}")
        .unwrap();
    std::fs::write(std::env::var("MAILEXPECT_TEST_PORT").unwrap(), format!("{} ", server.port()))
        .unwrap();
    wait_until(|| false);
}

#[test]
fn a_server_ends_where_the_test_that_started_it_is_killed() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", "spawn::waits_to_be_killed", "--ignored"])
        .env("MAILEXPECT_TEST_PORT", file.path());
    let mut test = test.stdout(std::process::Stdio::null()).spawn().unwrap();
    let said = || std::fs::read_to_string(file.path()).unwrap();
    assert!(wait_until(|| said().ends_with(' ')));
    kill_process(Pid::from_child(&test), Signal::KILL).unwrap();
    test.wait().unwrap();
    let port: u16 = said().trim().parse().unwrap();
    assert!(
        wait_until(|| TcpListener::bind(("127.0.0.1", port)).is_ok()),
        "the server still listens"
    );
}

#[test]
fn a_server_that_fails_says_why() {
    let url = "smtp://127.0.0.1:{port}";
    let nothing = |status: u8| {
        perl(&format!(
            "print qq(reading server.conf\\n); warn qq(no such user: \\e[31mmail\\n); exit {status}"
        ))
    };
    assert_says("ended_at_once", &fails(Server::spawn(nothing(78)), url));
    assert_says("went_into_the_background", &fails(Server::spawn(nothing(0)), url));
    assert_says(
        "not_to_be_started",
        &fails(Server::spawn(Command::new("no-such-server").args(["--port", "{port}"])), url),
    );
    assert_says(
        "never_listened",
        &fails(Server::spawn(perl("print qq(starting\\n); sleep 1 while 1")), url),
    );
    assert_says("never_greeted", &fails(Server::spawn(each("push @kept, $client")), url));
    assert_says(
        "never_tls",
        &fails(Server::spawn(each("push @kept, $client")), "submissions://127.0.0.1:{port}"),
    );
    assert_says(
        "another_greeting",
        &fails(Server::spawn(each("print $client qq(* OK IMAP4rev1 ready\\r\\n)")), url),
    );
    assert_says(
        "a_greeting_that_refuses",
        &fails(Server::spawn(each("print $client qq(554 no\\r\\n)")), url),
    );
    assert_says(
        "a_port_that_the_command_has_not",
        &fails(Server::spawn(nothing(0)), "imap://127.0.0.1:{port:imap}"),
    );
    assert_says("no_url", &fails(Server::spawn(nothing(0)), "127.0.0.1:{port}"));
}

#[test]
fn a_port_that_is_taken_is_never_mistaken_for_the_server() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}", taken.local_addr().unwrap());
    assert_says("somebody_listens_already", &fails(Server::spawn(perl("sleep 1 while 1")), &url));

    // The port is taken between its choice and the start. A test cannot cause this from outside, so
    // the command itself takes the port.
    let script = format!("$first = {LISTEN} $second = {LISTEN}");
    assert_says("taken_meanwhile", &fails(Server::spawn(perl(&script)), "smtp://127.0.0.1:{port}"));
}

/// The output of a test that fails.
fn failing_test(name: &str) -> String {
    let test = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored"])
        .output()
        .unwrap();
    assert!(!test.status.success(), "{test:?}");
    String::from_utf8_lossy(&test.stdout).into_owned()
}

#[test]
fn a_test_that_panics_shows_the_log() {
    let said = failing_test("spawn::panics_beside_a_server");
    assert!(said.contains("it has printed:\nlistening now\n"), "{said}");
}

#[test]
fn a_test_that_panics_shows_how_its_server_ended() {
    let said = failing_test("spawn::panics_after_a_server");
    assert!(said.contains("it has ended (exit status: 3); it has printed:\nno disk\n"), "{said}");
}

#[test]
#[ignore = "it is there to fail"]
fn panics_after_a_server() {
    let script =
        format!("{LISTEN} $listener->accept; $listener->accept; print qq(no disk\\n); exit 3");
    let server = Server::spawn(perl(&script)).wait_ready("tcp://127.0.0.1:{port}").unwrap();
    // The first connection was that of `wait_ready`.
    drop(std::net::TcpStream::connect(("127.0.0.1", server.port())));
    wait_until(|| server.status().is_some());
    panic!("on purpose");
}

#[test]
#[ignore = "it is there to fail"]
fn panics_beside_a_server() {
    let script = format!("{LISTEN} print qq(listening now\\n); 1 while $listener->accept");
    let server = Server::spawn(perl(&script)).wait_ready("tcp://127.0.0.1:{port}").unwrap();
    wait_until(|| !server.log().is_empty());
    panic!("on purpose");
}
