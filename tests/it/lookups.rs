//! Look-ups that fail are told from names without records, wherever names are looked up.

use std::time::Duration;

use hickory_proto::rr::RecordType;
use mailexpect::server::Embedded;
use mailexpect::transcript::Transcript;
use mailexpect::{Error, ErrorKind, Options, Session, block_on};

use crate::nameserver::{NameServer, Says, a, bytes, cname, mx};
use crate::program::{Ran, folder, run};

const LOCAL: [u8; 4] = [127, 0, 0, 1];

fn connect(nameserver: &NameServer, options: Options, url: &str) -> (Result<(), Error>, String) {
    let transcript = Transcript::new();
    let options = options.nameserver(nameserver.address).timeout(Duration::from_secs(5));
    let connected = block_on(async {
        let mut session = options.transcript(transcript.clone()).connect(url).await?;
        session.expect(220).await?;
        session.quit().await?;
        session.finish().await
    });
    (connected, transcript.to_string())
}

/// The answer to a question for a type and a name.
type Answer = fn(RecordType, &str) -> Says;

/// The ways in which the look-up of records of one type fails, each with its reason.
fn failures() -> [(Answer, &'static str); 16] {
    [
        (|_, _| Says::Code(1), "error 1 "),
        (|_, _| Says::Code(2), "error 2 "),
        (|_, _| Says::Code(4), "error 4 "),
        (|_, _| Says::Code(5), "error 5 "),
        (|_, _| Says::Code(11), "error 11 "),
        (|_, _| Says::Header(1), "error 1 "),
        (|_, _| Says::Header(5), "error 5 "),
        (|_, _| Says::Edns(Box::new((Says::Header(4), Says::Code(2)))), "error 2 "),
        (|_, _| Says::Both(12, vec![mx(10, "mx.example.com"), a(LOCAL)]), "error 12 "),
        (|_, name| Says::Records(vec![cname(name)]), "lead in a circle: "),
        (
            |_, name| {
                let other = if name == "b.example" { "c.example" } else { "b.example" };
                Says::Records(vec![cname(other)])
            },
            "lead in a circle: ",
        ),
        (|_, name| Says::Records(vec![cname(&format!("x{}", name.len()))]), "lead "),
        (|_, name| Says::Records(vec![cname(&format!("x.{name}"))]), "lead too far: "),
        (|_, _| Says::OfAnother(vec![mx(10, "mx.example.com"), a(LOCAL)]), "has no record of "),
        (|_, _| Says::Referral, "refers to other name servers"),
        (|kind, _| Says::Records(vec![bytes(kind, b"\x01")]), "cannot be read: "),
    ]
}

#[test]
fn a_look_up_of_exchangers_that_fails_is_none_without_exchangers() {
    for (n, (says, why)) in failures().into_iter().enumerate() {
        let nameserver = NameServer::start(move |name, kind| match kind {
            RecordType::MX => says(kind, name),
            RecordType::A => Says::Records(vec![a(LOCAL)]),
            _ => Says::Records(Vec::new()),
        });
        let (connected, shown) = connect(&nameserver, Session::options(), "mx://example.com:1");
        let error = connected.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Lookup, "{n}: {error}");
        assert!(error.is_unreachable() && error.got().unwrap().contains(why), "{n}: {error}");
        assert!(!nameserver.was_asked(RecordType::A) && !shown.contains("MX of"), "{n}: {shown}");
    }
}

#[test]
fn a_look_up_of_an_address_that_fails_is_no_name_without_an_address() {
    let wanted = |says: Answer| {
        NameServer::start(move |name, kind| match kind {
            RecordType::A => says(kind, name),
            RecordType::MX => Says::Records(vec![mx(10, "mx.example.com")]),
            _ => Says::Records(Vec::new()),
        })
    };
    for url in ["smtp://mx.example.com:1", "mx://example.com:1"] {
        for (n, (says, why)) in failures().into_iter().enumerate() {
            let (connected, shown) = connect(&wanted(says), Session::options(), url);
            let error = connected.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Lookup, "{n}: {error}");
            assert!(error.is_unreachable() && error.got().unwrap().contains(why), "{n}: {error}");
            assert!(!error.to_string().contains("slip"), "{n}: {error}");
            assert!(!url.starts_with("mx:") || shown.contains(why), "{n}: {shown}");
        }
        let absent: [(Answer, _); 3] = [
            (|_, _| Says::Code(3), "there is no such name"),
            (|_, _| Says::Records(Vec::new()), "the name has no address"),
            (|_, _| Says::Both(3, vec![cname("gone.example")]), "an alias (CNAME) of gone.example"),
        ];
        for (says, why) in absent {
            let error = connect(&wanted(says), Session::options(), url).0.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unresolved, "{error}");
            assert!(error.got().unwrap().contains(why), "{error}");
        }
    }
}

#[test]
fn an_alias_is_followed_to_its_records() {
    let server = Embedded::start().unwrap();
    let nameserver = NameServer::start(|name, kind| match (name, kind) {
        ("example.com", _) => Says::Records(vec![cname("b.example")]),
        ("b.example", RecordType::MX) => Says::Records(vec![mx(10, "mx.example.com")]),
        ("mx.example.com", RecordType::A) => Says::Records(vec![a(LOCAL)]),
        _ => Says::Records(Vec::new()),
    });
    let url = server.smtp().replace("smtp://127.0.0.1", "mx://EXAMPLE.com");
    let (connected, shown) = connect(&nameserver, Session::options(), &url);
    connected.unwrap();
    assert!(shown.contains("*** MX of EXAMPLE.com: 10 mx.example.com\n"), "{shown}");
}

#[test]
fn a_name_server_that_does_not_know_edns_is_asked_without_it() {
    let server = Embedded::start().unwrap();
    let refusals: [fn() -> Says; 4] =
        [|| Says::Code(1), || Says::Code(4), || Says::Header(1), || Says::Header(4)];
    for refuses in refusals {
        let nameserver = NameServer::start(move |_, kind| {
            let says = match kind {
                RecordType::MX => vec![mx(10, "mx.example.com")],
                RecordType::A => vec![a(LOCAL)],
                _ => Vec::new(),
            };
            Says::Edns(Box::new((refuses(), Says::Records(says))))
        });
        for host in ["smtp://mx.example.com", "mx://example.com"] {
            let url = server.smtp().replace("smtp://127.0.0.1", host);
            connect(&nameserver, Session::options(), &url).0.unwrap();
        }
    }
}

#[test]
fn names_that_no_host_should_have_are_asked_for() {
    let server = Embedded::start().unwrap();
    let nameserver = NameServer::start(|name, kind| match (name, kind) {
        (_, RecordType::MX) => Says::Records(vec![mx(10, "mx_1.example.com")]),
        ("mx_1.example.com", RecordType::A) => Says::Records(vec![a(LOCAL)]),
        _ => Says::Records(Vec::new()),
    });
    for host in ["smtp://mx_1.example.com", "mx://example.com", "mx://_a.example.com"] {
        let url = server.smtp().replace("smtp://127.0.0.1", host);
        connect(&nameserver, Session::options(), &url).0.unwrap();
    }
    let nameserver = NameServer::start(|_, _| Says::Records(vec![a(LOCAL)]));
    for (url, why) in [
        ("smtp://a..b:25", "there is nothing between two of its dots"),
        ("mx://a..b", "there is nothing between two of its dots"),
    ] {
        let error = connect(&nameserver, Session::options(), url).0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unresolved, "{error}");
        assert!(error.got().unwrap().contains(why), "{error}");
    }
    let ran = program(&nameserver, &["doctor", "[127.0.0.1]"]);
    assert!(ran.code == Some(3) && ran.err.contains("leave out the brackets"), "{ran:?}");
    assert!(!nameserver.was_asked(RecordType::A) && !nameserver.was_asked(RecordType::MX));
}

#[test]
fn a_domain_without_exchangers_is_shown_as_one() {
    let server = Embedded::start().unwrap();
    let nameserver = NameServer::start(|_, kind| match kind {
        RecordType::A => Says::Records(vec![a(LOCAL)]),
        _ => Says::Records(Vec::new()),
    });
    let url = server.smtp().replace("smtp://127.0.0.1", "mx://example.com");
    let (connected, shown) = connect(&nameserver, Session::options(), &url);
    connected.unwrap();
    assert!(shown.contains("*** MX of example.com: none, so the domain is its own"), "{shown}");
}

#[test]
fn the_addresses_of_one_family_serve_if_the_look_up_of_the_other_fails() {
    let server = Embedded::start().unwrap();
    let nameserver = NameServer::start(|_, kind| match kind {
        RecordType::A => Says::Records(vec![a(LOCAL)]),
        _ => Says::Code(2),
    });
    let url = server.smtp().replace("127.0.0.1", "mail.example.com");
    let (connected, shown) = connect(&nameserver, Session::options(), &url);
    connected.unwrap();
    let line = "*** AAAA of mail.example.com: the name server answered with error 2";
    assert!(shown.contains(line), "{shown}");
    let six = Session::options().family(mailexpect::Family::V6);
    let error = connect(&nameserver, six, &url).0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Lookup, "{error}");
}

#[test]
fn the_addresses_of_one_family_serve_if_the_other_is_never_answered() {
    let server = Embedded::start().unwrap();
    for silent in [RecordType::AAAA, RecordType::A] {
        let nameserver = NameServer::start(move |_, kind| match kind {
            _ if kind == silent => Says::Nothing,
            RecordType::A => Says::Records(vec![a(LOCAL)]),
            _ => Says::Code(3),
        });
        let url = server.smtp().replace("127.0.0.1", "mail.example.com");
        let (connected, shown) = connect(&nameserver, Session::options(), &url);
        if silent == RecordType::A {
            let error = connected.unwrap_err();
            assert!(error.got().unwrap().contains("there is no such name"), "{error}");
            continue;
        }
        connected.unwrap();
        let line = "*** AAAA of mail.example.com: the look-up timed out: the name server does not";
        assert!(shown.contains(line), "{shown}");
    }
}

#[test]
fn a_null_mx_beside_others_is_named_and_passed_over() {
    let server = Embedded::start().unwrap();
    let nameserver = NameServer::start(|name, kind| match (name, kind) {
        ("null.example", RecordType::MX) => Says::Records(vec![mx(0, ""), mx(10, "")]),
        (_, RecordType::MX) => Says::Records(vec![mx(0, ""), mx(10, "mx.example.com")]),
        (_, RecordType::A) => Says::Records(vec![a(LOCAL)]),
        _ => Says::Records(Vec::new()),
    });
    let url = server.smtp().replace("smtp://127.0.0.1", "mx://example.com");
    let (connected, shown) = connect(&nameserver, Session::options(), &url);
    connected.unwrap();
    let line = "*** MX of example.com: 10 mx.example.com, a null MX, which may not stand beside";
    assert!(shown.contains(line), "{shown}");
    let error = connect(&nameserver, Session::options(), "mx://null.example").0.unwrap_err();
    assert!(error.got().unwrap().contains("accepts no mail (RFC 7505)"), "{error}");
    let port = server.smtp().rsplit_once(':').unwrap().1.to_owned();
    let ports = ["--smtp-port", &port, "--submission-port", &port, "--insecure"];
    let ran = program(&nameserver, &[&["doctor", "example.com"], &ports[..]].concat());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("a null MX stands beside them"), "{ran:?}");
    let ran = program(&nameserver, &["doctor", "null.example"]);
    assert!(ran.code == Some(0) && ran.out.contains("accepts no mail (RFC 7505)"), "{ran:?}");
}

#[test]
fn an_exchanger_that_is_an_address_is_named_and_passed_over() {
    let server = Embedded::start().unwrap();
    let nameserver = NameServer::start(|name, kind| match (name, kind) {
        ("address.example", RecordType::MX) => Says::Records(vec![mx(10, "127.0.0.1")]),
        (_, RecordType::MX) => Says::Records(vec![mx(10, "127.0.0.1"), mx(20, "mx.example.com")]),
        ("mx.example.com", RecordType::A) => Says::Records(vec![a(LOCAL)]),
        _ => Says::Code(3),
    });
    let url = |domain| server.smtp().replace("smtp://127.0.0.1", &format!("mx://{domain}"));
    let (connected, shown) = connect(&nameserver, Session::options(), &url("example.com"));
    connected.unwrap();
    assert!(shown.contains("*** 127.0.0.1: an address, and an MX record has"), "{shown}");
    let error = connect(&nameserver, Session::options(), &url("address.example")).0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unresolved, "{error}");
    assert!(error.to_string().contains("the mail exchanger `127.0.0.1` is no host"), "{error}");
    let port = server.smtp().rsplit_once(':').unwrap().1.to_owned();
    let ports = ["--smtp-port", &port, "--submission-port", &port, "--insecure"];
    for (domain, said) in
        [("example.com", "yes Does a host"), ("address.example", "no Does a host")]
    {
        let ran = program(&nameserver, &[&["doctor", domain], &ports[..]].concat());
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.out.contains(said) && ran.out.contains("127.0.0.1 is an address"), "{ran:?}");
        assert!(ran.out.contains("\n1 answer is not as it should be"), "{ran:?}");
    }
}

fn program(nameserver: &NameServer, args: &[&str]) -> Ran {
    let address = nameserver.address.to_string();
    let folder = folder(&[(
        "kind.rhai",
        "// The kind.\ntry { connect(param(\"smtp\")); } catch (e) { assert_eq(e.kind, param(\"kind\")); }\n",
    )]);
    run(folder.path(), &[args, &["--nameserver", &address, "--timeout", "3s"]].concat())
}

#[test]
fn every_command_shows_a_failed_look_up_as_what_it_is() {
    let nameserver = NameServer::start(|name, _| match name {
        "refused.example" => Says::Code(5),
        _ => Says::Code(2),
    });
    let code = |name: &str| if name == "refused.example" { "error 5 " } else { "error 2 " };
    for name in ["refused.example", "broken.example"] {
        let (host, domain) = (format!("smtp://{name}"), format!("mx://{name}"));
        let address = format!("b@{name}");
        for args in [
            &["run", "-e", "s.expect(220)", &host][..],
            &["run", "-e", "s.expect(220)", &domain],
            &["probe", name],
            &["probe", name, "--json"],
            &["doctor", name],
            &["send", "-s", &host, "--from", "a@example.com", "--to", "b@example.com"],
            &["send", "--from", "a@example.com", "--to", &address],
            &["send", "-s", &domain, "--from", "a@example.com", "--to", "b@example.com"],
        ] {
            let ran = program(&nameserver, args);
            let said = format!("{}{}", ran.out, ran.err);
            assert_eq!(ran.code, Some(3), "{args:?}: {said}");
            assert!(said.contains(code(name)), "{args:?}: {said}");
            assert!(!said.contains("no address") && !said.contains("no exchangers"), "{said}");
        }
        for (url, kind) in [(&host, "lookup"), (&domain, "lookup")] {
            let (url, kind) = (format!("smtp={url}"), format!("kind={kind}"));
            let ran = program(&nameserver, &["run", "kind.rhai", "--set", &url, "--set", &kind]);
            assert_eq!(ran.code, Some(0), "{ran:?}");
        }
    }
    let quiet = program(&nameserver, &["probe", "broken.example", "-q"]);
    assert!(quiet.code == Some(1) && quiet.out.contains("error 2 "), "{quiet:?}");
}

#[test]
fn doctor_asks_no_host_if_the_look_up_of_the_exchangers_fails() {
    for says in [|| Says::Code(2), || Says::Nothing, || Says::Records(vec![cname("example.com")])] {
        let nameserver = NameServer::start(move |_, kind| match kind {
            RecordType::MX => says(),
            RecordType::A => Says::Records(vec![a(LOCAL)]),
            _ => Says::Records(Vec::new()),
        });
        let ran = program(&nameserver, &["doctor", "example.com"]);
        assert!(ran.code == Some(3) && ran.err.contains("cannot be found"), "{ran:?}");
        assert!(ran.out.is_empty() && !nameserver.was_asked(RecordType::A), "{ran:?}");
    }
}
