//! `mailexpect probe`: open ports, their protocols, and how far a dialogue gets.

use std::process::Command;

use mailexpect::server::{Embedded, Replay};
use serde_json::Value;

use crate::filters::filtered;
use crate::peer::closed_port;
use crate::program::{Ran, program, project, run};
use crate::servers::{PASSWORD, USER, mailserver};

/// Times, ports and the remaining days of a certificate vary.
const FILTERS: [(&str, &str); 5] = [
    (r"\b\d+(\.\d+)? (ms|s)\b", "TIME"),
    (r"(?m)^ *\d{4,5}  ", " PORT  "),
    (r"\b\d{4,5} (open|closed|failed|is)", "PORT $1"),
    (r"(?m) +$", ""),
    (r"\b\d+ days", "N days"),
];

fn port(url: &str) -> String {
    url.rsplit_once(':').unwrap().1.to_owned()
}

fn probe(args: &[&str]) -> Ran {
    run(&project(), &[&["probe"], args].concat())
}

#[test]
fn an_open_port_says_what_it_speaks_and_a_closed_one_that_it_is_closed() {
    let server = Embedded::start().unwrap();
    let (smtp, tls) = (port(&server.smtp()), port(&server.submissions()));
    let (_held, closed) = closed_port();
    let ran = probe(&[&format!("127.0.0.1:{smtp},{tls},{closed}")]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    insta::assert_snapshot!(filtered(&ran.out, &FILTERS));
    assert!(ran.out.lines().all(|line| line.chars().count() <= 80), "{}", ran.out);
    let expected = format!("open={smtp},{tls}");
    let closed = format!("closed={closed}");
    let (_held, other) = closed_port();
    let place = format!("127.0.0.1:{other}");
    let ran = probe(&[&place, "--expect", &expected, &closed, &format!("closed={other}")]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn a_health_check_is_one_line_and_0_or_1() {
    let server = Embedded::start().unwrap();
    let smtp = port(&server.smtp());
    let (_held, closed) = closed_port();
    let ran = probe(&["-q", &format!("localhost:{smtp}")]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), &*format!("OK localhost: {smtp} open\n")));
    let ran = probe(&["-q", &format!("localhost:{closed}")]);
    assert_eq!(ran.code, Some(1));
    assert_eq!(ran.out, format!("FAIL localhost: {closed} is closed, and was to be open\n"));
    let ran = probe(&["-q", "nowhere.invalid:25", "--timeout", "5s"]);
    assert_eq!((ran.code, ran.out.lines().count()), (Some(1), 1), "{ran:?}");
    assert!(ran.out.starts_with("FAIL nowhere.invalid: the host"), "{}", ran.out);
    let ran = probe(&[&format!("localhost:{closed}")]);
    assert_eq!(ran.code, Some(3), "nothing could be reached: {ran:?}");
}

/// A server whose banner is fine but whose reply to RCPT never comes.
const HANGS: &str = "
    S: 220 mail.example ESMTP
    C:
    S: 250 mail.example
    C: MAIL FROM:<>
    S: 250 2.1.0 Ok
    C: RCPT TO:<postmaster@example.com>
    stall";

#[test]
fn a_deeper_look_finds_what_a_banner_hides() {
    let server = Replay::repeat(HANGS).unwrap();
    let url = server.url("smtp");
    let ran = probe(&["-q", &url, "--to", "banner"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let rcpt = ["--rcpt", "postmaster@example.com", "--timeout", "500ms"];
    let ran = probe(&[&["-q", &url, "--to", "rcpt"], &rcpt[..]].concat());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    insta::assert_snapshot!(
        filtered(&ran.out, &FILTERS),
        @"FAIL 127.0.0.1: PORT failed at rcpt: nothing that was expected came in time; after RCPT TO:<postmaster@example.com>; got nothing"
    );
    server.leave();
}

#[test]
fn each_depth_is_reached_by_a_server_that_is_well() {
    let server = Embedded::start().unwrap();
    let url = server.submission();
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), server.ca().unwrap()).unwrap();
    let url = url.replace("127.0.0.1", "localhost");
    let rest = [
        "--cacert",
        ca.path().to_str().unwrap(),
        "--user",
        "hoge@example.com",
        "--password",
        "env:PW",
        "--rcpt",
        "hoge@example.com",
        "--from",
        "hoge@example.com",
        "--json",
    ];
    for depth in ["banner", "ehlo", "tls", "auth", "rcpt", "data"] {
        let args = [&["probe", &url, "--to", depth], &rest[..]].concat();
        let output = program().env("PW", "pppwww").args(&args).output().unwrap();
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{depth}: {found}");
        let at = found["ports"].as_array().unwrap();
        let at = at.iter().find(|port| port["state"] == "open").unwrap();
        assert_eq!(at["reached"], depth, "{found}");
        assert!(!found.to_string().contains("pppwww"));
        let sent = usize::from(depth == "data");
        assert_eq!(server.mails().len(), sent, "only a depth of data sends a message");
    }
}

#[test]
fn a_port_of_which_nothing_is_known_is_recognised_by_what_it_says() {
    let pop3 = Replay::repeat("S: +OK ready\nC: CAPA\nS: +OK\nS: .\nC: QUIT\nS: +OK bye\nclose");
    let pop3 = pop3.unwrap();
    let ran = probe(&[&format!("127.0.0.1:{}", port(&pop3.url("pop3"))), "--json"]);
    let found: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(found["ports"][0]["protocol"], "POP3", "{found}");
    pop3.leave();
    let web = Replay::repeat("S: HTTP/1.1 400 Bad Request\nclose").unwrap();
    let ran = probe(&[&format!("127.0.0.1:{}", port(&web.url("tcp")))]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("no mail protocol"), "{}", ran.out);
    web.leave();
    for (greeting, protocol) in [
        ("* BYE [UNAVAILABLE] too many connections", "IMAP"),
        ("-ERR [SYS/TEMP] busy", "POP3"),
        ("BYE (TRYLATER) \"later\"", "ManageSieve"),
        ("421 4.3.2 mx.example too many connections", "SMTP"),
        ("554 5.7.1 mx.example no service for you", "SMTP"),
    ] {
        let busy = Replay::repeat(&format!("S: {greeting}\nclose")).unwrap();
        let ran = probe(&[&format!("127.0.0.1:{}", port(&busy.url("tcp"))), "--json"]);
        let found: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(found["ports"][0]["protocol"], protocol, "{found}");
        assert!(!ran.out.contains("no mail protocol"), "{found}");
        assert_eq!(ran.code, Some(1));
        busy.leave();
    }
}

#[test]
fn a_host_that_cannot_be_probed_is_refused_with_the_reason() {
    for (args, words) in [
        (&["localhost:25", "--udp"][..], "a UDP \"connection\" proves nothing"),
        (&["udp://localhost:25"], "a UDP \"connection\" proves nothing"),
        (&["localhost:99999"], "`99999` is no port"),
        (&["localhost", "--to", "depth"], "a depth is banner, ehlo"),
        (&["localhost", "--to", "rcpt"], "needs a recipient"),
        (&["localhost", "--to", "auth"], "needs an account"),
        (&["localhost", "--user", "x", "--password", "y"], "is on the command line"),
        (&["--expect", "open=25", "localhost"], "write hosts in front of --expect"),
        (&["localhost", "--expect", "opened=25"], "no state of a port"),
    ] {
        let ran = probe(args);
        assert_eq!(ran.code, Some(2), "{args:?} {ran:?}");
        assert!(ran.err.contains(words), "{args:?}: {}", ran.err);
    }
}

#[test]
fn the_json_is_documented() {
    let server = Embedded::start().unwrap();
    let ran = probe(&[&format!("127.0.0.1:{}", port(&server.submissions())), "--json"]);
    let found: Value = serde_json::from_str(&ran.out).unwrap();
    let docs = std::fs::read_to_string(project().join("docs/json.md")).unwrap();
    let mut names = Vec::new();
    crate::reports::keys(&found, &mut names);
    for name in names {
        assert!(docs.contains(&format!("`{name}`")), "docs/json.md does not say `{name}`");
    }
}

/// A script that makes a network namespace: a server on port 25 of loopback, and nothing on port
/// 110. A policy rule drops replies from port 143, so that the port is filtered as by a firewall. A
/// route makes 198.51.100.0/24 unreachable.
const NAMESPACE: &str = r#"
    set -e
    ip link set lo up
    ip rule add pref 200 lookup local
    ip rule del pref 0
    ip rule add pref 10 ipproto tcp sport 143 blackhole
    ip rule add pref 11 ipproto tcp sport 4190 blackhole
    ip route add unreachable 198.51.100.0/24
    printf '127.0.0.1 localhost\n' > "$1/hosts"
    "$2" serve --smtp 127.0.0.1:25 --submission 127.0.0.1:587 --submissions 127.0.0.1:465 > "$1/serving" &
    server=$!
    trap 'kill $server' EXIT
    "$2" run "$1/ready.rhai" > "$1/ready" || { cat "$1/ready"; exit 99; }
    shift
    set +e
    "$@"
"#;

/// Runs the program in the namespace. If no namespace can be made, says that the test is skipped
/// and returns `None`.
fn in_namespace(args: &[&str]) -> Option<Ran> {
    let folder = crate::program::folder(&[(
        "ready.rhai",
        "// The server is up.\nwait_ready(\"smtp://127.0.0.1:25\");\n",
    )]);
    let makes = |args: &[&str]| {
        let made = Command::new("unshare").args(args).args(["sh", "-c", "ip rule show"]).output();
        made.is_ok_and(|made| made.status.success())
    };
    let flags: &[&str] = if makes(&["-n"]) {
        &["-n"]
    } else if makes(&["-Urn"]) {
        &["-Urn"]
    } else {
        eprintln!("skipped: no network namespace can be made here (unshare -n, ip rule)");
        return None;
    };
    let output = Command::new("unshare")
        .args(flags)
        .args(["sh", "-c", NAMESPACE, "sh"])
        .arg(folder.path())
        .arg(env!("CARGO_BIN_EXE_mailexpect"))
        .args(args)
        .env_remove("CI")
        .env("XDG_STATE_HOME", folder.path())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let ran =
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
    assert_ne!(ran.code, Some(99), "{ran:?}");
    Some(ran)
}

#[test]
fn closed_filtered_and_unreachable_ports_are_told_apart() {
    let ports = "127.0.0.1:25,110,143,587";
    let args = ["probe", ports, "198.51.100.1:25", "--timeout", "1s"];
    let Some(ran) = in_namespace(&args) else { return };
    assert_eq!(ran.code, Some(3), "{ran:?}");
    insta::assert_snapshot!(filtered(&ran.out, &FILTERS));
    let states = ["open=25,465,587", "closed=110", "filtered=143"];
    let args = [&["probe", "127.0.0.1", "--timeout", "1s", "--expect"], &states[..]].concat();
    let ran = in_namespace(&args).unwrap();
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn a_probe_of_a_real_server_goes_from_the_banner_to_the_mailbox() {
    let Some(server) = crate::real::available(mailserver::start()) else { return };
    let (smtp, imap) = (server.parameter("smtp"), server.parameter("imap"));
    let ca = server.parameter("ca");
    for depth in ["banner", "ehlo", "tls", "rcpt", "data", "delivered"] {
        let args =
            ["-q", &smtp, "--to", depth, "--rcpt", USER, "--user", USER, "--password", "env:PW"];
        let rest = ["--imap", &imap, "--cacert", &ca, "--insecure", "--timeout", "60s"];
        let output =
            program().env("PW", PASSWORD).arg("probe").args(args).args(rest).output().unwrap();
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{depth}: {out} {}", server.log());
    }
    let wrong = ["-q", &smtp, "--to", "rcpt", "--rcpt", "test-user@yahoo.co.jp"];
    let ran = probe(&wrong);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("failed at rcpt"), "{}", ran.out);
}

#[test]
fn messages_that_the_owner_has_marked_are_not_removed() {
    let server = Embedded::start().unwrap();
    server.deliver("hoge@example.com", b"Subject: keep\r\n\r\nhi\r\n");
    let script = "// The INBOX.\nlet s = connect(param(\"imap\"), #{tls: #{verify: false}});\n\
        s.expect(\"* OK\");\ns.starttls();\ns.login(\"hoge@example.com\", \"pppwww\");\ns.select(\"INBOX\");\n";
    let mark = format!("{script}s.store(\"1\", \"+FLAGS (\\\\Deleted)\");\ns.logout();\n");
    let look = format!(
        "{script}assert_eq(s.search(\"SUBJECT keep\"), [1]);\nassert_eq(s.search(\"ALL\"), [1]);\ns.logout();\n"
    );
    let folder = crate::program::folder(&[("mark.rhai", &mark), ("look.rhai", &look)]);
    let imap = format!("imap={}", server.imap());
    let ran = run(folder.path(), &["run", "mark.rhai", "--set", &imap]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let args = ["probe", &server.smtp(), "--to", "delivered", "--rcpt", "hoge@example.com"];
    let account = ["--user", "hoge@example.com", "--password", "env:PW", "--insecure"];
    let output = program()
        .env("PW", "pppwww")
        .args(args)
        .args(account)
        .args(["--imap", &server.imap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(server.mails().len(), 1, "the probe has sent a message");
    let ran = run(folder.path(), &["run", "look.rhai", "--set", &imap]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn a_port_that_takes_no_recipients_is_no_proof_of_one() {
    let server = Embedded::start().unwrap();
    let ran = probe(&["-q", &server.imap(), "--to", "rcpt", "--rcpt", "x@example.com"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("no port that is open takes recipients"), "{}", ran.out);
}
