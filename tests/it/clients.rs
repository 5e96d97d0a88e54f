//! Clients against misbehaving servers.

use std::io::Read as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::program::{folder, program, run};

/// A client without faults: this program, with a script.
const SUBMIT: &str = r#"// Submit a message.
let s = connect(param("url"));
s.expect(220);
s.ehlo("client.example");
s.starttls(#{ca: param("ca")});
s.ehlo("client.example");
s.auth(param("user"), param("password"), #{mechanism: "SCRAM-SHA-256"});
s.mail("kim@example.com");
s.rcpt(param("user"));
s.data("Subject: hi\r\n\r\nHi.\r\n");
s.quit();
"#;

fn me() -> &'static str {
    env!("CARGO_BIN_EXE_mailexpect")
}

#[test]
fn a_client_that_does_as_it_should_has_no_fault_in_the_whole_battery() {
    let folder = folder(&[("submit.rhai", SUBMIT)]);
    let client = [
        me(),
        "run",
        "submit.rhai",
        "--timeout",
        "5s",
        "--set",
        "url={url}",
        "--set",
        "ca={ca}",
        "--set",
        "user={user}",
        "--set",
        "password=literal:{password}",
    ];
    let ran = run(
        folder.path(),
        &[&["clients", "--junit", "report.xml", "--timeout", "20s", "--"][..], &client].concat(),
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("ok   smtp/auth-with-a-forged-proof"), "{}", ran.out);
    assert!(ran.out.contains(" 0 not, "), "{}", ran.out);
    let report = std::fs::read_to_string(folder.path().join("report.xml")).unwrap();
    assert!(report.contains("<testcase name=\"smtp/rcpt-550\""), "{report}");
}

#[test]
fn a_selection_of_which_no_server_is_tried_does_not_pass() {
    let folder = folder(&[]);
    for (scheme, only) in [("smtp", "certificate"), ("imap", "literal")] {
        let args = ["clients", "--scheme", scheme, "--only", only, "--", "true"];
        let ran = run(folder.path(), &args);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.out.contains("0 as it should, 0 not, "), "{}", ran.out);
        assert!(ran.err.contains("no server was tried"), "{}", ran.err);
    }
}

#[test]
fn a_client_that_believes_everybody_is_found_out() {
    let script = r#"// Whatever is said, all is well.
        let s = connect(param("url"), #{tls: #{verify: false}});
        s.expect(220);
        s.ehlo("client.example");
        s.starttls(#{verify: false});
        s.ehlo("client.example");
        s.auth(param("user"), param("password"), #{mechanism: "PLAIN"});
        s.mail("kim@example.com");
        s.rcpt(param("user"));
        s.data("Subject: hi\r\n\r\nHi.\r\n");
        s.quit();
    "#;
    let folder = folder(&[("submit.rhai", script)]);
    let client = [
        me(),
        "run",
        "submit.rhai",
        "--set",
        "url={url}",
        "--set",
        "user={user}",
        "--set",
        "password=literal:{password}",
    ];
    let ran = run(
        folder.path(),
        &[&["clients", "--only", "certificate", "--junit", "report.xml", "--"][..], &client]
            .concat(),
    );
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.out.contains("BAD  smtp/certificate-expired")
            && ran.out.contains("it must not send AUTH here"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("pppwww"), "{}", ran.out);
    let report = std::fs::read_to_string(folder.path().join("report.xml")).unwrap();
    assert!(report.contains("<failure message=\"it must not send AUTH here"), "{report}");
}

#[test]
fn a_client_that_tries_another_way_to_log_in_is_not_blamed() {
    let script = r#"// With SASL, or else without.
        let s = connect(param("url"));
        s.expect("* OK");
        try { s.auth(param("user"), param("password"), #{mechanism: "PLAIN"}); }
        catch (e) { s.login(param("user"), param("password")); }
        s.select("INBOX");
        s.logout();
    "#;
    let folder = folder(&[("fetch.rhai", script)]);
    let client = format!(
        "[ -z \"$(ls {{dir}})\" ] && {} run fetch.rhai --set url={{url}} --set user={{user}} \
         --set password=literal:{{password}} | tee {{dir}}/said",
        me()
    );
    let client = ["--scheme", "imap", "--only=e-no", "--", "bash", "-o", "pipefail", "-c", &client];
    let ran = run(folder.path(), &[&["clients"][..], &client].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("ok   imap/authenticate-no "), "{}", ran.out);
}

#[test]
fn a_client_that_shows_what_was_injected_before_tls_is_found_out() {
    let script = r#"// Takes what came in clear for the answer to CAPABILITY.
        let s = connect(param("url"));
        s.expect("* OK");
        s.starttls(#{ca: param("ca"), injected: "keep"});
        print(s.expect_any(["* BYE", eof()], #{timeout: "1s"}).text);
    "#;
    let folder = folder(&[("fetch.rhai", script)]);
    // The words stand in the output, however much comes after them.
    let client = format!(
        "{} run fetch.rhai --set url={{url}} --set ca={{ca}} | tee {{dir}}/said; seq 2000; exit 0",
        me()
    );
    let client = ["--scheme", "imap", "--only", "inject", "--", "sh", "-c", &client];
    let ran = run(folder.path(), &[&["clients"][..], &client].concat());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("it shows a reply from before TLS"), "{}", ran.out);
}

#[test]
fn the_lines_of_a_message_are_no_commands_of_the_client() {
    let script = r#"// Submits in clear.
        let s = connect(param("url"));
        s.expect(220);
        s.helo("client.example");
        s.mail("kim@example.com");
        s.rcpt(param("user"));
        s.data("Subject: hi\r\n\r\nStartTLS is off.\r\nAuth is off.\r\n");
        s.quit();
    "#;
    let folder = folder(&[("submit.rhai", script)]);
    let set = ["--set", "url={url}", "--set", "user={user}"];
    let client = [&[me(), "run", "submit.rhai"], &set[..]].concat();
    let args = ["clients", "--scheme", "smtp", "--only", "starttls", "--"];
    let ran = run(folder.path(), &[&args[..], &client].concat());
    assert!(ran.out.contains("the client does not send STARTTLS"), "{}", ran.out);
    assert!(ran.out.contains("0 as it should, 0 not, "), "{}", ran.out);
}

#[test]
fn a_client_that_fails_with_a_good_server_is_not_judged() {
    let folder = folder(&[]);
    let ran = run(folder.path(), &["clients", "--", "false"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("fails with a server that behaves well: exit code 1"), "{ran:?}");
    let greets = "exec 3<>/dev/tcp/{host}/{port}; head -1 <&3; echo no >&2; exit 4";
    let ran = run(folder.path(), &["clients", "--", "bash", "-c", greets]);
    let lines: Vec<_> = ran.err.lines().map(str::trim).collect();
    assert!(lines.contains(&"no") && lines.contains(&"*** closed by the client"), "{ran:?}");
    let ran = run(folder.path(), &["clients", "--", "/no/such/client"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("cannot run `/no/such/client`"), "{ran:?}");
    let ran = run(folder.path(), &["clients", "--only", "nothing", "--", "true"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
}

#[test]
fn an_interrupt_ends_the_clients_and_what_they_started() {
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let waits = "// Waits.\nconnect(param(\"url\")).expect_bytes(\"never\");\n";
    let folder = folder(&[("waits.rhai", waits)]);
    let script = format!(
        "[ -e first ] || {{ touch first; exit 0; }}
        {} run waits.rhai --timeout 1h --set url=tcp://{} & wait",
        me(),
        peer.local_addr().unwrap()
    );
    let mut child = program()
        .current_dir(folder.path())
        .args(["clients", "--only", "greeting-closed", "--timeout", "10m"])
        .args(["--", "sh", "-c", &script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stream = peer.accept().unwrap().0;
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    // If nobody holds the connection any more, the client's child was killed.
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let read = stream.read(&mut [0]);
    let is_gone = match &read {
        Ok(count) => *count == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    };
    assert!(is_gone, "{read:?}");
}
