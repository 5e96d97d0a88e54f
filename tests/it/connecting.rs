//! Where connections go, and what they begin with: mail exchangers, pinned hosts, PROXY headers.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{CNAME, MX};
use hickory_proto::rr::{Name, RData, Record};
use mailexpect::server::{Embedded, Replay};
use mailexpect::{Error, Options, Proxy, Session, Transcript, block_on, tls};

use crate::peer::Peer;

/// A name server that knows the exchangers of some domains. It lives until the test ends.
fn nameserver(zone: &'static [(&'static str, &'static [(u16, &'static str)])]) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut packet = [0; 1500];
        while let Ok((length, client)) = socket.recv_from(&mut packet) {
            let question = Message::from_vec(&packet[..length]).unwrap();
            let query = question.queries[0].clone();
            let mut answer = Message::response(question.metadata.id, OpCode::Query);
            let known =
                zone.iter().find(|(domain, _)| query.name() == &Name::from_ascii(domain).unwrap());
            if known.is_none() {
                answer.metadata.response_code = ResponseCode::NXDomain;
            }
            for (preference, host) in known.iter().flat_map(|(_, exchangers)| exchangers.iter()) {
                let mx = MX::new(*preference, Name::from_ascii(host).unwrap());
                answer.add_answer(Record::from_rdata(query.name().clone(), 60, RData::MX(mx)));
            }
            answer.add_query(query);
            socket.send_to(&answer.to_vec().unwrap(), client).unwrap();
        }
    });
    address
}

fn connect(options: Options, url: &str) -> Result<(), Error> {
    block_on(async {
        let mut session = options.timeout(Duration::from_secs(5)).connect(url).await?;
        session.expect(220).await?;
        session.quit().await?;
        session.finish().await
    })
}

fn port(url: &str) -> String {
    url.rsplit_once(':').unwrap().1.to_owned()
}

const ZONE: &[(&str, &[(u16, &str)])] = &[
    ("two.example.", &[(20, "backup.example."), (10, "first.example.")]),
    ("null.example.", &[(0, ".")]),
    ("plain.example.", &[]),
    ("local.example.", &[(10, "localhost.")]),
    ("elsewhere.example.", &[(10, "mail.elsewhere.example.")]),
];

#[test]
fn the_preferred_exchanger_is_tried_first_and_the_next_one_where_it_refuses() {
    let server = Embedded::start().unwrap();
    let transcript = Transcript::new();
    let options = Session::options()
        .nameserver(nameserver(ZONE))
        .resolve("first.example", "127.0.0.3".parse().unwrap())
        .resolve("backup.example.", "127.0.0.1".parse().unwrap())
        .transcript(transcript.clone());
    let port = port(&server.smtp());
    connect(options, &format!("mx://two.example:{port}")).unwrap();
    let shown = transcript.to_string().replace(&port, "PORT");
    let start: Vec<_> = shown.lines().take(4).collect();
    insta::assert_snapshot!(start.join("\n"), @r"
    *** connecting to mx://two.example:PORT
    *** MX of two.example: 10 first.example, 20 backup.example
    *** 127.0.0.3:PORT refused
    *** 127.0.0.1:PORT connected
    ");
}

#[test]
fn a_domain_without_exchangers_is_its_own() {
    let server = Embedded::start().unwrap();
    let options = Session::options()
        .nameserver(nameserver(ZONE))
        .resolve("plain.example", "127.0.0.1".parse().unwrap());
    connect(options, &format!("mx://plain.example:{}", port(&server.smtp()))).unwrap();
}

#[test]
fn the_certificate_has_to_be_that_of_the_exchanger() {
    let server = Embedded::start().unwrap();
    let starttls = |domain: &str| {
        let options = Session::options()
            .nameserver(nameserver(ZONE))
            .resolve("localhost", "127.0.0.1".parse().unwrap())
            .resolve("mail.elsewhere.example", "127.0.0.1".parse().unwrap());
        let url = format!("mx://{domain}:{}", port(&server.smtp()));
        block_on(async {
            let mut session =
                options.tls(tls::Options::new().ca(server.ca().unwrap())).connect(&url).await?;
            session.expect(220).await?;
            session.starttls().await?;
            session.quit().await?;
            session.finish().await
        })
    };
    starttls("local.example").unwrap();
    let error = starttls("elsewhere.example").unwrap_err();
    assert!(error.is_tls() && error.to_string().contains("mail.elsewhere.example"), "{error}");
}

#[test]
fn a_domain_without_an_exchanger_says_why() {
    let nameserver = nameserver(ZONE);
    let null = connect(Session::options().nameserver(nameserver), "mx://null.example").unwrap_err();
    assert!(
        null.is_unreachable() && null.got().unwrap().contains("accepts no mail (RFC 7505)"),
        "{null}"
    );
    let nobody =
        connect(Session::options().nameserver(nameserver), "mx://nobody.example").unwrap_err();
    assert!(
        nobody.is_unreachable() && nobody.got().unwrap().contains("no such domain"),
        "{nobody}"
    );
}

#[test]
fn a_pinned_host_is_not_looked_up() {
    let server = Embedded::start().unwrap();
    let url = format!("smtp://mail.invalid:{}", port(&server.smtp()));
    connect(Session::options().resolve("MAIL.invalid", "127.0.0.1".parse().unwrap()), &url)
        .unwrap();
}

#[test]
fn a_connection_can_begin_with_whom_it_is_made_for() {
    let server =
        Replay::start("C: PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\nS: 220 hi\nC: QUIT\nS: 221 bye")
            .unwrap();
    let proxy =
        Proxy::V1.from("192.0.2.7:4711".parse().unwrap()).to("192.0.2.1:25".parse().unwrap());
    let transcript = Transcript::new();
    connect(Session::options().proxy(proxy).transcript(transcript.clone()), &server.url("smtp"))
        .unwrap();
    server.finish().unwrap();
    assert!(
        transcript.to_string().contains("*** PROXY v1 from 192.0.2.7:4711 to 192.0.2.1:25 sent\n"),
        "{transcript}"
    );
}

#[test]
fn a_proxy_header_that_was_refused_is_named() {
    let taken_for_a_command = "S: 220 hi\n\
         C: PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\n\
         S: 502 5.5.2 Error: command not recognized\n\
         C: QUIT";
    let proxy =
        Proxy::V1.from("192.0.2.7:4711".parse().unwrap()).to("192.0.2.1:25".parse().unwrap());
    for dialogue in [
        taken_for_a_command,
        "C: PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\nclose",
        "C: PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\nS: 554 no proxies here",
    ] {
        let server = Peer::parse(dialogue);
        let error = connect(Session::options().proxy(proxy), &server.url("smtp")).unwrap_err();
        let hint = error.next_step().unwrap_or_default();
        assert!(hint.contains("PROXY v1 from 192.0.2.7:4711"), "{error}");
    }
}

/// A name server that answers every question with this code, and with an alias of the requested
/// name if one is given.
fn failing_nameserver(code: ResponseCode, alias: Option<&'static str>) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut packet = [0; 1500];
        while let Ok((length, client)) = socket.recv_from(&mut packet) {
            let question = Message::from_vec(&packet[..length]).unwrap();
            let query = question.queries[0].clone();
            let mut answer = Message::response(question.metadata.id, OpCode::Query);
            answer.metadata.response_code = code;
            if let Some(alias) = alias {
                let alias = CNAME(Name::from_ascii(alias).unwrap());
                answer.add_answer(Record::from_rdata(
                    query.name().clone(),
                    60,
                    RData::CNAME(alias),
                ));
            }
            answer.add_query(query);
            socket.send_to(&answer.to_vec().unwrap(), client).unwrap();
        }
    });
    address
}

#[test]
fn a_look_up_that_fails_is_not_taken_for_a_domain_without_exchangers() {
    for (code, alias, why) in [
        (ResponseCode::ServFail, None, "error 2"),
        (ResponseCode::Refused, None, "error 5"),
        (ResponseCode::from(0, 12), None, "error 12"),
        (ResponseCode::NoError, Some("loop.example."), "circle"),
    ] {
        let transcript = Transcript::new();
        let options = Session::options()
            .nameserver(failing_nameserver(code, alias))
            .resolve("loop.example", "127.0.0.1".parse().unwrap())
            .transcript(transcript.clone());
        let error = connect(options, "mx://loop.example:1").unwrap_err();
        assert!(error.is_unreachable() && error.got().unwrap().contains(why), "{code}: {error}");
        assert!(!transcript.to_string().contains("MX of"), "{transcript}");
    }
}

#[test]
fn an_exchanger_is_looked_up_when_it_is_tried() {
    const MANY: &[(&str, &[(u16, &str)])] =
        &[("many.example.", &[(10, "here.example."), (20, "never.invalid.")])];
    let server = Embedded::start().unwrap();
    let transcript = Transcript::new();
    let options = Session::options()
        .nameserver(nameserver(MANY))
        .resolve("here.example", "127.0.0.1".parse().unwrap())
        .transcript(transcript.clone());
    connect(options, &format!("mx://many.example:{}", port(&server.smtp()))).unwrap();
    assert!(!transcript.to_string().contains("*** never.invalid"), "{transcript}");
}

#[test]
fn options_of_internet_addresses_are_refused_for_a_unix_socket() {
    let url = "smtp+unix:///run/none.sock";
    for (options, name) in [
        (Options::new().source_ip(Ipv4Addr::LOCALHOST.into()), "source_ip"),
        (Options::new().family(mailexpect::Family::V6), "family"),
    ] {
        let error = connect(options, url).unwrap_err();
        assert_eq!(error.kind().name(), "usage");
        let said = format!("`{name}` is about internet addresses, and {url} has none");
        assert_eq!(error.message(), said);
    }
}

#[test]
fn a_source_address_that_this_machine_does_not_have_is_named() {
    let options = Options::new().source_ip("192.0.2.77".parse().unwrap());
    let error = connect(options, "smtp://127.0.0.1:2525").unwrap_err();
    assert_eq!(error.kind().name(), "usage");
    assert_eq!(error.message(), "this machine has no address 192.0.2.77");
}
