//! `mailexpect doctor`: questions about a domain, each answered with the line that proves it.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, MX};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use mailexpect::server::Embedded;
use serde_json::Value;

use crate::filters::filtered;
use crate::peer::{self, closed_port};
use crate::program::{Ran, program, project};

/// Ports, times and the remaining days of a certificate vary.
const FILTERS: [(&str, &str); 4] = [
    (r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:PORT"),
    (r"(?m)^( +)\d{4,5}: ", "${1}PORT: "),
    (r"\b\d+ days", "N days"),
    (r"\b\d+(\.\d+)? (ms|s) of ", "TIME of "),
];

/// A name server for exchangers of domains and addresses of hosts. Questions for a host with the
/// address `None` are never answered.
fn nameserver(
    exchangers: &'static [(&'static str, &'static [(u16, &'static str)])],
    addresses: &'static [(&'static str, Option<[u8; 4]>)],
) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut packet = [0; 1500];
        while let Ok((length, client)) = socket.recv_from(&mut packet) {
            let question = Message::from_vec(&packet[..length]).unwrap();
            let query = question.queries[0].clone();
            let mut answer = Message::response(question.metadata.id, OpCode::Query);
            let is = |name: &str| query.name() == &Name::from_ascii(name).unwrap();
            let domain = exchangers.iter().find(|(domain, _)| is(domain));
            let host = addresses.iter().find(|(host, _)| is(host));
            if host.is_some_and(|(_, address)| address.is_none()) {
                continue;
            }
            if domain.is_none() && host.is_none() {
                answer.metadata.response_code = ResponseCode::NXDomain;
            }
            let mut add = |data| {
                answer.add_answer(Record::from_rdata(query.name().clone(), 60, data));
            };
            match (query.query_type(), domain, host) {
                (RecordType::MX, Some((_, exchangers)), _) => {
                    for (preference, host) in *exchangers {
                        add(RData::MX(MX::new(*preference, Name::from_ascii(host).unwrap())));
                    }
                }
                (RecordType::A, _, Some((_, Some(octets)))) => {
                    add(RData::A(A::from(Ipv4Addr::from(*octets))));
                }
                _ => {}
            }
            answer.add_query(query);
            socket.send_to(&answer.to_vec().unwrap(), client).unwrap();
        }
    });
    address
}

fn port(url: &str) -> String {
    url.rsplit_once(':').unwrap().1.to_owned()
}

fn doctor(args: &[&str]) -> Ran {
    let mut program = program();
    for name in ["LC_ALL", "LC_MESSAGES"] {
        program.env_remove(name);
    }
    let program = program.env("LANG", "C.UTF-8").current_dir(project()).arg("doctor").args(args);
    let output = program.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

const EXCHANGERS: &[(&str, &[(u16, &str)])] = &[
    ("example.com.", &[(10, "mx1.example.com."), (20, "silent.example.com.")]),
    ("null.example.", &[(0, ".")]),
    (
        "twice.example.",
        &[
            (10, "host.example."),
            (20, "HOST.example."),
            (20, "gone.example."),
            (30, "host.example."),
        ],
    ),
];
/// A domain with 22 exchangers, none of which exists.
const MANY: &[(&str, &[(u16, &str)])] = &[(
    "many.example.",
    &[
        (0, "a.example."),
        (1, "b.example."),
        (2, "c.example."),
        (3, "d.example."),
        (4, "e.example."),
        (5, "f.example."),
        (6, "g.example."),
        (7, "h.example."),
        (8, "i.example."),
        (9, "j.example."),
        (10, "k.example."),
        (11, "l.example."),
        (12, "m.example."),
        (13, "n.example."),
        (14, "o.example."),
        (15, "p.example."),
        (16, "q.example."),
        (17, "r.example."),
        (18, "s.example."),
        (19, "t.example."),
        (20, "u.example."),
        (21, "v.example."),
    ],
)];
const ADDRESSES: &[(&str, Option<[u8; 4]>)] = &[
    ("mx1.example.com.", Some([127, 0, 0, 1])),
    ("silent.example.com.", None),
    ("host.example.", Some([127, 0, 0, 1])),
];

#[test]
fn a_server_that_is_well_is_found_well_in_two_languages() {
    let server = Embedded::start().unwrap();
    let nameserver = nameserver(&[], ADDRESSES).to_string();
    let (smtp, submission) = (port(&server.smtp()), port(&server.submission()));
    let args = [
        "host.example",
        "--nameserver",
        &nameserver,
        "--smtp-port",
        &smtp,
        "--submission-port",
        &submission,
    ];
    let ran = doctor(&args);
    assert_eq!(ran.code, Some(1), "its certificate is trusted by nobody: {ran:?}");
    insta::assert_snapshot!(filtered(&ran.out, &FILTERS));
    let ran = doctor(&[&args[..], &["--insecure"]].concat());
    assert_eq!(ran.code, Some(0), "any certificate will do: {ran:?}");
    let ran = doctor(&[&args[..], &["--lang", "ja"]].concat());
    insta::assert_snapshot!(filtered(&ran.out, &FILTERS));
    assert!(server.mails().is_empty(), "nothing is delivered unless that is asked for");
    let ran = doctor(&[&args[..], &["--json"]].concat());
    let found: Value = serde_json::from_str(&ran.out).unwrap();
    let relays = found["answers"]
        .as_array()
        .unwrap()
        .iter()
        .find(|answer| answer["question"].as_str().unwrap().contains("relay"));
    assert_eq!(relays.unwrap()["answer"], "no", "{found}");
    let docs = std::fs::read_to_string(project().join("docs/json.md")).unwrap();
    let mut names = Vec::new();
    crate::reports::keys(&found, &mut names);
    for name in names {
        assert!(docs.contains(&format!("`{name}`")), "docs/json.md does not say `{name}`");
    }
}

#[test]
fn an_exchanger_that_cannot_be_looked_up_does_not_delay_the_first() {
    let server = Embedded::start().unwrap();
    let nameserver = nameserver(EXCHANGERS, ADDRESSES).to_string();
    let (smtp, submission) = (port(&server.smtp()), port(&server.submission()));
    let started = Instant::now();
    let args = [
        "example.com",
        "--nameserver",
        &nameserver,
        "--smtp-port",
        &smtp,
        "--submission-port",
        &submission,
    ];
    let ran = doctor(&[&args[..], &["--timeout", "3s"]].concat());
    assert!(started.elapsed() < Duration::from_secs(12), "all hosts are asked at once");
    assert!(ran.out.contains("MX 10 mx1.example.com"), "{}", ran.out);
    assert!(
        ran.out.contains("\nmx1.example.com\n") && ran.out.contains("\nsilent.example.com\n"),
        "{}",
        ran.out
    );
    let words = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("got the look-up timed out"), "{}", ran.out);
}

#[test]
fn an_open_relay_is_told_with_where_it_was_asked_from() {
    let (_held, closed) = closed_port();
    let closed = closed.to_string();
    let port = answering(&[("QUIT", "221 bye")]);
    let ran = doctor(&["localhost", "--smtp-port", &port, "--submission-port", &closed]);
    assert!(ran.out.contains("yes Does it relay mail for strangers?"), "{}", ran.out);
    assert!(ran.out.contains("RCPT TO:<relay-test@example.net> -> 250 ok"), "{}", ran.out);
    assert!(ran.out.contains("asked from 127.0.0.1, which the server may trust"), "{}", ran.out);
    assert!(ran.out.contains("cancelled with RSET: no message was"), "{}", ran.out);
}

/// A server that answers a line with the first of these replies whose beginning fits, or else with
/// 250.
fn answering(answers: &'static [(&'static str, &'static str)]) -> String {
    let server = peer::answering("220 localhost ESMTP\r\n", move |line| {
        let line = line.to_uppercase();
        let answer = answers.iter().find(|(begins, _)| line.starts_with(begins));
        match answer {
            Some((_, "")) => String::new(),
            Some((_, answer)) => format!("{answer}\r\n"),
            None => "250 ok\r\n".into(),
        }
    });
    server.port().to_string()
}

/// Runs the doctor on these ports, and returns its answers without their layout.
fn answers(smtp: &str, submission: &str) -> String {
    let ran = doctor(&["localhost", "--smtp-port", smtp, "--submission-port", submission]);
    ran.out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_deferred_recipient_or_a_refused_sender_answers_no_question() {
    let (_held, closed) = closed_port();
    let closed = closed.to_string();
    let greylists = answering(&[("RCPT", "451 4.7.1 Greylisted"), ("QUIT", "221 bye")]);
    let out = answers(&closed, &greylists);
    assert!(out.contains("unknown Does submission demand AUTH? RCPT"), "{out}");
    assert!(out.contains("it was deferred"), "{out}");

    let takes_no_sender = answering(&[
        ("MAIL FROM:<>", "550 no null sender"),
        ("MAIL", "451 later"),
        ("RCPT", "503 need MAIL"),
        ("QUIT", "221 bye"),
    ]);
    let out = answers(&takes_no_sender, &closed);
    for answer in [
        "unknown Does it relay mail for strangers? note: asked from 127.0.0.1",
        "MAIL FROM:<> -> 550 no null sender the refusal does not say that it is about relaying",
        "unknown Does it accept mail for the domain? MAIL FROM:<> -> 550 no null sender",
    ] {
        assert!(out.contains(answer), "{answer}: {out}");
    }
    assert!(!out.contains("-> 503"), "{out}");

    let demands = answering(&[("MAIL", "530 5.7.0 Authentication required"), ("QUIT", "221 bye")]);
    let out = answers(&demands, &demands);
    assert!(out.contains("no Does it relay mail for strangers? note:"), "{out}");
    assert!(out.contains("yes Does submission demand AUTH?"), "{out}");

    // 503 counts as an answer if the sender was accepted before.
    let orders = answering(&[("RCPT", "503 AUTH first"), ("QUIT", "221 bye")]);
    let out = answers(&orders, &closed);
    assert!(out.contains("no Does it relay mail for strangers? RCPT TO:<relay-test@example.net> -> 503 AUTH first"), "{out}");
}

#[test]
fn only_a_refusal_that_says_so_shows_that_a_server_does_not_relay() {
    let refuses: [&'static [(&str, &str)]; 4] = [
        &[("RCPT", "550 5.7.23 Message rejected due to: SPF fail - not authorized")],
        &[("RCPT", "554 5.7.1 Client host blocked; see https://relay.example/auth")],
        &[("RCPT", "550-5.7.26 blocked: it fails SPF\r\n550 5.7.26 Authentication required")],
        // Only the null sender is told that.
        &[("MAIL FROM:<P", "550 5.7.1 go away"), ("RCPT", "554 Relay access denied")],
    ];
    for rules in refuses {
        let port = answering(rules);
        let out = answers(&port, &port);
        for question in ["Does it relay mail for strangers?", "Does submission demand AUTH?"] {
            assert!(out.contains(&format!("unknown {question}")), "{question}: {out}");
        }
    }
}

#[test]
fn submission_that_denies_access_to_a_client_that_is_welcome_elsewhere_demands_auth() {
    const DENIES: (&str, &str) =
        ("RCPT", "554 5.7.1 <unknown[127.0.0.1]>: Client host rejected: Access denied");
    let welcomes = answering(&[("RCPT TO:<RELAY-TEST", "554 5.7.1 Relay access denied")]);
    let refuses = answering(&[("RCPT", "554 5.7.1 go away")]);
    let open = answering(&[("EHLO", "250-localhost\r\n250 AUTH PLAIN"), DENIES]);
    let silent = answering(&[DENIES]);
    for (smtp, submission, answer) in [
        (&welcomes, &open, "yes"),
        // It blocks the client, or nobody can log in.
        (&refuses, &open, "unknown"),
        (&welcomes, &silent, "unknown"),
    ] {
        let out = answers(smtp, submission);
        assert!(out.contains(&format!("{answer} Does submission demand AUTH?")), "{answer}: {out}");
    }
}

#[test]
fn a_server_that_hangs_or_leaves_at_a_recipient_accepts_no_mail() {
    let (_held, closed) = closed_port();
    let closed = closed.to_string();
    // This server never answers RCPT.
    let hangs = answering(&[("RCPT", ""), ("QUIT", "221 bye")]);
    let ports = ["--smtp-port", &hangs, "--submission-port", &closed];
    let ran = doctor(&[&["localhost", "--timeout", "300ms"], &ports[..]].concat());
    let out = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    let answer = "! no Does it accept mail for the domain? nothing that was expected came in time; after RCPT TO:<postmaster@localhost>";
    assert!(out.contains(answer), "{out}");
    assert_eq!(ran.code, Some(1), "{ran:?}");
}

#[test]
fn the_banner_of_submission_is_looked_at_if_there_is_no_other() {
    let (_held, closed) = closed_port();
    let closed = closed.to_string();
    let url = crate::peer::Peer::parse("S: 220 mx.example ESMTP Postfix (Debian)");
    let out = answers(&closed, &port(&url.url("smtp")));
    assert!(out.contains("yes Does its banner name the software? 220 mx.example"), "{out}");
    // A host's name does not count as the name of software.
    let url = crate::peer::Peer::parse("S: 220 mail-exim.example ESMTP");
    let out = answers(&closed, &port(&url.url("smtp")));
    assert!(out.contains("no Does its banner name the software?"), "{out}");
}

#[test]
fn a_delivery_that_fails_shows_what_the_server_said() {
    let refuses = mailexpect::server::Replay::repeat("S: 554 go away\nclose").unwrap();
    let port = port(&refuses.url("smtp"));
    let args = ["localhost", "--smtp-port", &port, "--submission-port", &port, "--deliver"];
    let output = program()
        .env("PW", "pppwww")
        .env("LANG", "C.UTF-8")
        .env_remove("LC_ALL")
        .arg("doctor")
        .args(args)
        .args(["--user", "me", "--password", "env:PW", "--rcpt", "me@example.com"])
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    let out = out.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, delivery) =
        out.split_once("no Does the mail arrive?").unwrap_or_else(|| panic!("{out}"));
    assert!(delivery.contains("got 554 go away"), "{out}");
    refuses.leave();
}

#[test]
fn not_all_of_excessively_many_exchangers_are_asked() {
    let nameserver = nameserver(MANY, &[]).to_string();
    let ran = doctor(&["many.example", "--nameserver", &nameserver, "--timeout", "3s"]);
    assert!(ran.out.contains("2 more are not asked, because there are so many"), "{ran:?}");
    let is_asked = |host: &str| ran.out.matches(host).count() > 1;
    assert!(is_asked("t.example") && !is_asked("u.example"), "{ran:?}");
}

#[test]
fn an_exchanger_with_several_records_is_asked_once() {
    let server = Embedded::start().unwrap();
    let nameserver = nameserver(EXCHANGERS, ADDRESSES).to_string();
    let (smtp, submission) = (port(&server.smtp()), port(&server.submission()));
    let ports = ["--smtp-port", &smtp, "--submission-port", &submission];
    let ran = doctor(&[&["twice.example", "--nameserver", &nameserver], &ports[..]].concat());
    for record in ["MX 10 host.example", "MX 20 HOST.example", "MX 30 host.example"] {
        assert!(ran.out.contains(record), "{ran:?}");
    }
    assert_eq!(ran.out.matches("Is it encrypted?").count(), 1, "{ran:?}");
    assert!(ran.out.contains("\n3 answers are not as they should be"), "{ran:?}");
}

#[test]
fn a_domain_that_cannot_be_asked_says_why() {
    let nameserver = nameserver(EXCHANGERS, ADDRESSES).to_string();
    let ask = |domain: &str| doctor(&[domain, "--nameserver", &nameserver, "--timeout", "3s"]);
    let null = ask("null.example");
    assert!(null.out.contains("no Does a host take mail for the domain?"), "{null:?}");
    assert!(null.out.contains("RFC 7505"), "{null:?}");
    let nobody = ask("nobody.example");
    assert_eq!(nobody.code, Some(3), "{nobody:?}");
    assert!(nobody.err.contains("there is no such domain"), "{nobody:?}");
    let wrong = ask("me@example.com");
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    let undelivered = doctor(&["example.com", "--deliver"]);
    assert_eq!(undelivered.code, Some(2), "{undelivered:?}");
}
