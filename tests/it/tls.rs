//! TLS with correct servers, and with servers that are wrong in each way.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use mailexpect::server::Embedded;
use mailexpect::tls::{Options, Version};
use mailexpect::{Segment, Session, Transcript};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use rustls::{ServerConnection, StreamOwned, SupportedProtocolVersion, version};

use crate::filters::filtered;
use crate::peer::Peer;
use crate::program::{folder, run};
use crate::tls_server::{
    Ca, Leaf, Server, answer, block_on, connect, failure, implicit, params, tls, upgraded,
    upgraded_by,
};

/// Only ports and times may vary.
fn golden(name: &str, text: impl std::fmt::Display) {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    let filters = [
        (r"(127\.0\.0\.1|localhost):\d{4,5}", "$1:PORT"),
        (r"\b\d+(\.\d+)? (µs|ms|s|min) of ", "TIME of "),
    ];
    settings.bind(|| insta::assert_snapshot!(name, filtered(&text, &filters)));
}

#[test]
fn tls_is_put_on_before_the_greeting_where_the_scheme_says_so() {
    let ca = Ca::new("test CA");
    let mut leaf = params("localhost");
    leaf.not_before = date_time_ymd(2020, 1, 2);
    leaf.not_after = date_time_ymd(2220, 3, 4);
    let leaf = ca.sign(&leaf);
    let transcript = Transcript::new();
    for scheme in ["smtps", "submissions", "pop3s", "imaps", "tls"] {
        let server = implicit(leaf.config());
        block_on(async {
            let options = Session::options().tls(ca.trusted()).transcript(transcript.clone());
            let mut session = options.connect(&server.url(scheme)).await.unwrap();
            session.expect_bytes("220 hi\r\n").await.unwrap();
            let tls = session.tls().unwrap();
            assert_eq!(
                (tls.version.as_str(), tls.name.as_str(), tls.is_verified()),
                ("1.3", "localhost", true)
            );
            let shown = session.peer_certificate().unwrap();
            assert_eq!(
                (shown.subject.as_str(), shown.issuer.as_str()),
                ("CN=localhost", "CN=test CA")
            );
            assert_eq!(shown.sans, ["localhost"]);
            assert_eq!(shown.fingerprint.len(), 32 * 3 - 1);
            assert!(shown.days_left() > 190 * 365 && !shown.is_self_issued());
            session.reset().unwrap();
        });
        server.end();
    }
    assert!(
        transcript.to_string().contains(
            "*** TLS 1.3 with TLS_AES_256_GCM_SHA384, certificate verified for localhost"
        )
    );
}

#[test]
fn starttls_goes_on_in_place() {
    let ca = Ca::new("test CA");
    let server = upgraded(ca.sign(&params("localhost")).config(), b"220 go\r\n");
    let transcript = Transcript::new();
    block_on(async {
        let options = Session::options().transcript(transcript.clone());
        let mut session = options.connect(&server.url("smtp")).await.unwrap();
        session.expect(220).await.unwrap();
        assert!(session.tls().is_none() && session.peer_certificate().is_none());
        assert_eq!(session.starttls().tls(ca.trusted()).await.unwrap().code(), Some(220));
        session.send("EHLO client.example").await.unwrap();
        session.expect(250).await.unwrap();
        session.close().await.unwrap();
    });
    assert!(server.end(), "the client closed without a close_notify");
    golden("a_transcript_with_starttls", transcript);
}

#[test]
fn a_stream_stays_cut_behind_starttls_each_piece_in_a_record_of_its_own() {
    let ca = Ca::new("test CA");
    let config = ca.sign(&params("localhost")).config();
    let server = Server::new(move |mut stream| {
        stream.write_all(b"220 hi\r\n").unwrap();
        BufReader::new(&stream).read_line(&mut String::new()).unwrap();
        stream.write_all(b"220 go\r\n").unwrap();
        let mut stream = tls(config, stream);
        let (mut heard, mut reads, mut room) = (Vec::new(), 0, [0; 64]);
        while !heard.ends_with(b"\r\n") {
            let count = stream.read(&mut room).unwrap();
            heard.extend_from_slice(&room[..count]);
            reads += 1;
        }
        stream.write_all(b"250 ok\r\n").unwrap();
        (heard, reads)
    });
    block_on(async {
        let options = Session::options().segment(Segment::Bytes).tls(ca.trusted());
        let mut session = options.connect(&server.url("smtp")).await.unwrap();
        session.expect(220).await.unwrap();
        session.starttls().await.unwrap();
        session.send("NOOP").await.unwrap();
        session.expect(250).await.unwrap();
        session.reset().unwrap();
    });
    let (heard, reads) = server.end();
    // Without cuts, the command would be one record and so one read.
    assert!(heard == b"NOOP\r\n" && reads > 1, "{reads} reads");
}

#[test]
fn pop3_has_a_command_of_its_own_for_it() {
    let ca = Ca::new("test CA");
    let leaf = ca.sign(&params("localhost"));
    let server = upgraded_by(leaf.config(), b"+OK hi\r\n", b"+OK go\r\n");
    block_on(async {
        let mut session = connect(&server.url("pop3"), ca.trusted()).await.unwrap();
        session.expect("+OK").await.unwrap();
        assert_eq!(session.starttls().await.unwrap().text(), "+OK go");
        session.close().await.unwrap();
    });
    assert_eq!(server.end(), "STLS\r\n");
}

#[test]
fn imap_takes_the_go_ahead_by_its_tag() {
    let ca = Ca::new("test CA");
    let leaf = ca.sign(&params("localhost"));
    let server = upgraded_by(leaf.config(), b"* OK hi\r\n", b"* 1 EXISTS\r\na1 OK go\r\n");
    block_on(async {
        let mut session = connect(&server.url("imap"), ca.trusted()).await.unwrap();
        session.expect("* OK").await.unwrap();
        session.starttls().await.unwrap();
        assert!(session.tls().unwrap().is_verified());
        session.close().await.unwrap();
    });
    assert_eq!(server.end(), "a1 STARTTLS\r\n");

    let server = upgraded_by(leaf.config(), b"* OK hi\r\n", b"a1 OK go\r\na2 OK evil\r\n");
    block_on(async {
        let mut session = connect(&server.url("imap"), ca.trusted()).await.unwrap();
        session.expect("* OK").await.unwrap();
        let error = session.starttls().await.unwrap_err();
        assert!(error.is_injected() && error.got() == Some("a2 OK evil\\r\\n"), "{error}");
        session.reset().unwrap();
    });

    let peer = Peer::parse("S: * OK hi\nC\nS: a1 NO not here\nstall");
    block_on(async {
        let mut session = connect(&peer.url("imap"), ca.trusted()).await.unwrap();
        session.expect("* OK").await.unwrap();
        session.starttls().expect("NO").await.unwrap();
        assert!(session.tls().is_none());
        session.reset().unwrap();
    });
}

#[test]
fn managesieve_says_again_what_it_can_do() {
    let ca = Ca::new("test CA");
    let config = ca.sign(&params("localhost")).config();
    let server = Server::new(move |mut stream| {
        stream.write_all(b"\"STARTTLS\"\r\nOK\r\n").unwrap();
        BufReader::new(&stream).read_line(&mut String::new()).unwrap();
        stream.write_all(b"OK \"go\"\r\n").unwrap();
        let mut stream = tls(config, stream);
        stream.write_all(b"\"SASL\" \"PLAIN\"\r\nOK\r\n").unwrap();
        BufReader::new(stream).read_line(&mut String::new()).unwrap()
    });
    block_on(async {
        let mut session = connect(&server.url("sieve"), ca.trusted()).await.unwrap();
        session.expect("OK").await.unwrap();
        assert!(session.capabilities().unwrap().has("STARTTLS"));
        session.starttls().await.unwrap();
        assert_eq!(session.owed(), 0);
        let capabilities = session.capabilities().unwrap();
        assert!(capabilities.has("SASL") && !capabilities.has("STARTTLS"));
        session.close().await.unwrap();
    });
    server.end();
}

#[test]
fn a_handshake_that_fails_says_why_and_what_to_do() {
    let ca = Ca::new("test CA");
    let other = Ca::new("another CA");
    let localhost = params("localhost");
    let mut expired = localhost.clone();
    (expired.not_before, expired.not_after) =
        (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
    let mut future = localhost.clone();
    (future.not_before, future.not_after) = (date_time_ymd(2220, 1, 1), date_time_ymd(2221, 1, 1));
    let mut nameless = localhost.clone();
    nameless.subject_alt_names.clear();
    let several = CertificateParams::new(vec![
        "mail.example".to_owned(),
        "*.example.com".to_owned(),
        "192.0.2.1".to_owned(),
    ]);
    let key = KeyPair::generate().unwrap();
    let self_signed = Leaf { certificate: localhost.self_signed(&key).unwrap(), key };
    let good = ca.sign(&localhost);
    let old = good.config_of(&[&version::TLS12], None);
    let demanding =
        |versions: &[&'static SupportedProtocolVersion]| good.config_of(versions, Some(&other));
    for (name, config, options) in [
        ("expired", ca.sign(&expired).config(), ca.trusted()),
        ("not_yet_valid", ca.sign(&future).config(), ca.trusted()),
        ("wrong_name", ca.sign(&several.unwrap()).config(), ca.trusted()),
        ("no_name", ca.sign(&nameless).config(), ca.trusted()),
        ("wrong_name_by_sni", good.config(), ca.trusted().sni("mail.example.net")),
        ("self_signed", self_signed.config(), ca.trusted()),
        ("unknown_ca", good.config(), other.trusted()),
        ("no_common_version", old, ca.trusted().min(Version::V1_3)),
        ("client_certificate_wanted_1_3", demanding(&[&version::TLS13]), ca.trusted()),
        ("client_certificate_wanted_1_2", demanding(&[&version::TLS12]), ca.trusted()),
        (
            "client_certificate_refused",
            demanding(&[&version::TLS13]),
            ca.trusted().cert(good.certificate.pem()).key(good.key.serialize_pem()),
        ),
    ] {
        let server = implicit(config);
        let error = failure(&server.url("smtps"), options);
        assert!(error.is_tls() && error.exit_code() as u8 == 3, "{name}: {error}");
        golden(&format!("tls_{name}"), error);
        server.end();
    }
}

#[test]
fn a_server_without_tls_is_shown_with_what_it_said() {
    for (name, peer) in [
        ("plain_greeting", Peer::parse("S: 220 mail.example ES\\\nS: MTP\nstall")),
        ("plain_after_hello", Peer::parse("C\nS: 500 what?\nclose")),
        ("closed", Peer::parse("C\nclose")),
        ("half_a_handshake", Peer::parse("C\nS: \\x16\\x03\\x03\\x00\\x7a\\x02\\\nclose")),
        ("alert", Peer::parse("C\nS: \\x15\\x03\\x03\\x00\\x02\\x02\\x28\\\nstall")),
        (
            "garbage",
            Peer::parse("C\nS: \\x16\\x03\\x03\\x00\\x05\\x02\\x00\\x00\\x01\\xff\\\nstall"),
        ),
    ] {
        let error = failure(&peer.url("smtps"), Options::new().verify(false));
        assert!(error.is_tls(), "{name}: {error}");
        golden(&format!("tls_{name}"), error);
    }
}

#[test]
fn a_server_that_does_not_go_through_with_the_handshake_is_not_waited_for() {
    for (scheme, peer) in
        [("smtps", Peer::parse("stall")), ("smtp", Peer::parse("S: 220 hi\nC\nS: 220 go\nstall"))]
    {
        let error = block_on(async {
            let options = Session::options()
                .timeout(Duration::from_millis(100))
                .connect(&peer.url(scheme))
                .await;
            let mut session = match options {
                Ok(session) => session,
                Err(error) => return error,
            };
            session.expect(220).await.unwrap();
            let error = session.starttls().await.unwrap_err();
            assert_eq!(session.send("NOOP").await.unwrap_err().kind().name(), "usage");
            session.finish().await.unwrap();
            error
        });
        assert_eq!(error.kind().name(), if scheme == "smtps" { "unreachable" } else { "timeout" });
        golden(&format!("tls_stalled_{scheme}"), error);
    }
}

#[test]
fn a_client_certificate_is_shown_to_a_server_that_wants_one() {
    let ca = Ca::new("test CA");
    let mut client = params("client.example");
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let client = ca.sign(&client);
    let options = ca.trusted().cert(client.certificate.pem()).key(client.key.serialize_pem());
    for version in [&version::TLS12, &version::TLS13] {
        let server = implicit(ca.sign(&params("localhost")).config_of(&[version], Some(&ca)));
        block_on(async {
            let mut session = connect(&server.url("smtps"), options.clone()).await.unwrap();
            session.expect(220).await.unwrap();
            session.close().await.unwrap();
        });
        assert!(server.end());
    }
}

#[test]
fn without_verification_the_transcript_says_so_and_what_is_wrong() {
    let ca = Ca::new("test CA");
    let mut expired = params("mail.example");
    expired.not_after = date_time_ymd(2020, 1, 1);
    let server = implicit(ca.sign(&expired).config());
    let transcript = Transcript::new();
    block_on(async {
        let options =
            Session::options().tls(ca.trusted().verify(false)).transcript(transcript.clone());
        let mut session = options.connect(&server.url("smtps")).await.unwrap();
        session.expect(220).await.unwrap();
        let fault = session.tls().unwrap().fault.clone();
        assert_eq!(
            fault.as_deref(),
            Some("the server's certificate expired on 2020-01-01T00:00:00Z")
        );
        assert!(!session.tls().unwrap().is_verified());
        assert!(session.peer_certificate().unwrap().days_left() < -365);
        session.close().await.unwrap();
    });
    let line = "*** TLS 1.3 with TLS_AES_256_GCM_SHA384, CERTIFICATE NOT VERIFIED (verify: false): the server's certificate expired";
    assert!(transcript.to_string().contains(line), "{transcript}");
    server.end();
}

#[test]
fn a_certificate_that_is_given_is_trusted_as_it_is() {
    let mut own = params("localhost");
    own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let own = Leaf { certificate: own.self_signed(&key).unwrap(), key };
    let server = implicit(own.config());
    let trusted = Options::new().ca(own.certificate.pem());
    block_on(async {
        let mut session = connect(&server.url("smtps"), trusted.clone()).await.unwrap();
        session.expect(220).await.unwrap();
        assert!(session.tls().unwrap().is_verified());
        session.close().await.unwrap();
    });
    server.end();
    let server = implicit(own.config());
    let error = failure(&server.url("smtps"), trusted.sni("mail.example"));
    assert!(error.message().contains("not for mail.example, but for localhost"), "{error}");
    server.end();
}

#[test]
fn bytes_in_clear_behind_the_go_ahead_are_an_error_that_shows_them() {
    let ca = Ca::new("test CA");
    let server = upgraded(
        ca.sign(&params("localhost")).config(),
        b"220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n",
    );
    // The second server waits for the client's hello, so that the client reads the injected text
    // within the handshake.
    let later = Peer::parse("S: 220 hi\nC\nS: 220 go\nC\nS: 250 evil\nstall");
    for (name, url) in [("at_once", server.url("smtp")), ("later", later.url("smtp"))] {
        let error = block_on(async {
            let mut session = connect(&url, ca.trusted()).await.unwrap();
            session.expect(220).await.unwrap();
            let error = session.starttls().await.unwrap_err();
            assert!(error.is_injected() && error.exit_code() as u8 == 1, "{error}");
            error
        });
        golden(&format!("tls_injected_{name}"), error);
    }
}

#[test]
fn injected_bytes_can_be_kept_or_looked_at_in_two_steps() {
    let ca = Ca::new("test CA");
    let config = ca.sign(&params("localhost")).config();
    block_on(async {
        let server = upgraded(Arc::clone(&config), b"220 go\r\n250 evil\r\n");
        let mut session =
            connect(&server.url("smtp"), ca.trusted().keep_injected(true)).await.unwrap();
        session.expect(220).await.unwrap();
        session.starttls().await.unwrap();
        session.expect("250 evil").await.unwrap();
        session.send("NOOP").await.unwrap();
        session.expect("250 ok").await.unwrap();

        let server = upgraded(config, b"220 go\r\n250 evil\r\n");
        let mut session = connect(&server.url("smtp"), ca.trusted()).await.unwrap();
        session.expect(220).await.unwrap();
        session.send("STARTTLS").await.unwrap();
        session.expect(220).await.unwrap();
        session.expect("250 evil").await.unwrap();
        session.tls_handshake().await.unwrap();
        session.send("NOOP").await.unwrap();
        session.expect("250 ok").await.unwrap();
    });
}

#[test]
fn injected_bytes_are_kept_whenever_they_come() {
    let ca = Ca::new("test CA");
    let config = ca.sign(&params("localhost")).config();
    let server = Server::new(move |mut stream| {
        stream.write_all(b"220 hi\r\n").unwrap();
        BufReader::new(&stream).read_line(&mut String::new()).unwrap();
        stream.write_all(b"220 go\r\n").unwrap();
        // The client's hello has arrived, so the client no longer looks for text in clear.
        stream.peek(&mut [0]).unwrap();
        stream.write_all(b"250 evil\r\n").unwrap();
        answer(&mut tls(config, stream));
    });
    block_on(async {
        let mut session =
            connect(&server.url("smtp"), ca.trusted().keep_injected(true)).await.unwrap();
        session.expect(220).await.unwrap();
        session.starttls().await.unwrap();
        session.expect("250 evil").await.unwrap();
        session.send("NOOP").await.unwrap();
        session.expect("250 ok").await.unwrap();
        session.close().await.unwrap();
    });
    server.end();
}

#[test]
fn a_server_that_does_not_go_ahead_leaves_the_session_in_clear() {
    let peer = Peer::parse(
        "S: 220 hi\nC\nS: 454 4.7.0 TLS not available\nC\nS: 250 ok\nC\nS: 454 4.7.0 TLS not available\nstall",
    );
    block_on(async {
        let mut session = connect(&peer.url("smtp"), Options::new()).await.unwrap();
        session.expect(220).await.unwrap();
        session.starttls().expect(454).await.unwrap();
        session.noop().await.unwrap();
        let error = session.starttls().await.unwrap_err();
        assert!(
            error.is_mismatch() && error.next_step().unwrap().contains("certificate"),
            "{error}"
        );
        assert!(session.tls().is_none());
    });
}

#[test]
fn a_close_without_a_close_notify_is_told() {
    let ca = Ca::new("test CA");
    let leaf = ca.sign(&params("localhost"));
    for says_so in [false, true] {
        let config = leaf.config();
        let server = Server::new(move |stream| {
            let mut stream = tls(config, stream);
            stream.write_all(b"220 hi\r\n").unwrap();
            if says_so {
                stream.conn.send_close_notify();
                stream.flush().unwrap();
            }
        });
        let transcript = Transcript::new();
        block_on(async {
            let options = Session::options().tls(ca.trusted()).transcript(transcript.clone());
            let mut session = options.connect(&server.url("smtps")).await.unwrap();
            session.expect(220).await.unwrap();
            session.expect_close().await.unwrap();
        });
        let told =
            transcript.to_string().contains("*** TLS cut off: closed without a close_notify");
        assert_eq!(told, !says_so, "{transcript}");
        assert!(transcript.to_string().ends_with("*** closed by the server\n"), "{transcript}");
        server.end();
    }
}

#[test]
fn much_goes_both_ways_at_once() {
    const MUCH: usize = 4 << 20;
    let ca = Ca::new("test CA");
    let config = ca.sign(&params("localhost")).config();
    let server = Server::new(move |stream| {
        let mut stream = tls(config, stream);
        // The server reads nothing before it has sent everything.
        stream.write_all(&[&b"x".repeat(MUCH)[..], b"\n"].concat()).unwrap();
        let mut heard = vec![0; MUCH];
        stream.read_exact(&mut heard).unwrap();
        stream.write_all(b"done\n").unwrap();
    });
    block_on(async {
        let mut session = connect(&server.url("tls"), ca.trusted()).await.unwrap();
        session.send_raw(vec![b'y'; MUCH]).await.unwrap();
        assert_eq!(session.expect_line("x").await.unwrap().bytes().len(), MUCH + 1);
        session.expect("done\n").await.unwrap();
    });
    server.end();
}

#[test]
fn bytes_that_are_no_tls_in_the_middle_of_it_are_an_error() {
    let ca = Ca::new("test CA");
    let config = ca.sign(&params("localhost")).config();
    let server = Server::new(move |stream| {
        let mut stream = tls(config, stream);
        stream.write_all(b"220 hi\r\n").unwrap();
        stream.sock.write_all(b"250 in clear\r\n").unwrap();
        // Read until the client has gone.
        let _ = stream.sock.read_to_end(&mut Vec::new());
    });
    block_on(async {
        let mut session = connect(&server.url("smtps"), ca.trusted()).await.unwrap();
        session.expect(220).await.unwrap();
        let error = session.line().await.unwrap_err();
        assert!(
            error.is_tls()
                && error.message() == "TLS failed: the received data violates the TLS protocol",
            "{error}"
        );
        session.reset().unwrap();
    });
    server.end();
}

#[test]
fn a_key_log_has_the_secrets_of_each_session() {
    let ca = Ca::new("test CA");
    let leaf = ca.sign(&params("localhost"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let options = ca.trusted().keylog(&path).unwrap();
    for version in [&version::TLS12, &version::TLS13] {
        let server = implicit(leaf.config_of(&[version], None));
        block_on(async {
            let mut session = connect(&server.url("smtps"), options.clone()).await.unwrap();
            session.expect(220).await.unwrap();
            session.close().await.unwrap();
        });
        server.end();
    }
    let log = std::fs::read_to_string(&path).unwrap();
    for label in ["CLIENT_RANDOM ", "CLIENT_HANDSHAKE_TRAFFIC_SECRET ", "SERVER_TRAFFIC_SECRET_0 "]
    {
        let line = log
            .lines()
            .find(|line| line.starts_with(label))
            .unwrap_or_else(|| panic!("no {label}in {log}"));
        let words: Vec<_> = line.split(' ').collect();
        assert!(words.len() == 3 && words[1].len() == 64 && words[2].len() >= 64, "{line}");
    }
    assert!(Options::new().keylog(folder.path()).unwrap_err().is_usage());
}

#[test]
fn options_that_cannot_be_are_refused_before_anything_is_sent() {
    let ca = Ca::new("test CA");
    let leaf = ca.sign(&params("localhost"));
    let other = ca.sign(&params("localhost"));
    for (options, why) in [
        (Options::new().ca("nothing"), "no certificate in it"),
        (
            Options::new().ca("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "cannot be used",
        ),
        (Options::new().cert(leaf.certificate.pem()), "without its key"),
        (Options::new().key(leaf.key.serialize_pem()), "without its certificate"),
        (Options::new().cert(leaf.certificate.pem()).key("nothing"), "no private key"),
        (
            Options::new().cert(leaf.certificate.pem()).key(other.key.serialize_pem()),
            "cannot be used",
        ),
        (Options::new().min(Version::V1_3).max(Version::V1_2), "no version of TLS is left"),
    ] {
        let error = options.check().unwrap_err();
        assert!(error.is_usage() && error.message().contains(why), "{why}: {error}");
        let secret = leaf.key.serialize_pem();
        assert!(!error.to_string().contains(secret.lines().nth(1).unwrap()), "{error}");
    }
}

#[test]
fn a_unix_socket_needs_a_name_for_the_certificate() {
    let ca = Ca::new("test CA");
    let config = ca.sign(&params("mail.example")).config();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let thread = std::thread::spawn(move || {
        let mut stream =
            StreamOwned::new(ServerConnection::new(config).unwrap(), listener.accept().unwrap().0);
        stream.write_all(b"220 hi\r\n").unwrap();
        let _ = stream.read(&mut [0]);
    });
    let url = format!("smtps+unix://{}", path.display());
    block_on(async {
        let mut session = connect(&url, ca.trusted().sni("mail.example")).await.unwrap();
        session.expect(220).await.unwrap();
        session.reset().unwrap();
    });
    thread.join().unwrap();
    let listener = std::os::unix::net::UnixListener::bind(folder.path().join("other")).unwrap();
    let url = format!("smtps+unix://{}", folder.path().join("other").display());
    let error = block_on(connect(&url, ca.trusted())).unwrap_err();
    assert!(error.is_usage() && error.message().contains("no name"), "{error}");
    drop(listener);
}

#[test]
fn mail_that_came_by_tls_says_so() {
    let server = Embedded::start().unwrap();
    block_on(async {
        let mut session =
            connect(&server.smtp(), Options::new().ca(server.ca().unwrap())).await.unwrap();
        session.expect(220).await.unwrap();
        // The text injected after STARTTLS is not run as a command.
        session.pipeline(["STARTTLS", "VRFY injected"]).await.unwrap();
        session.expect(220).await.unwrap();
        session.tls_handshake().await.unwrap();
        session.expect_silence(Duration::from_millis(1)).await.unwrap();
        for line in ["EHLO client.example", "MAIL FROM:<a@example.com>", "RCPT TO:<b@example.com>"]
        {
            session.send(line).await.unwrap();
            session.expect(250).await.unwrap();
        }
        session.send("DATA").await.unwrap();
        session.expect(354).await.unwrap();
        session.send_message("Subject: hi\n\nhi\n").await.unwrap();
        session.expect(250).await.unwrap();
        session.quit().await.unwrap();
        session.expect_close().await.unwrap();
    });
    let mails = server.mails();
    let received = String::from_utf8_lossy(&mails[0].data).into_owned();
    assert!(received.contains("with ESMTPS id"), "{received}");
}

const STARTTLS: &str =
    "// TLS.\nlet s = connect();\ns.expect(220);\ns.starttls(#{ca: CA});\ns.quit();\n";

#[test]
fn a_script_reads_certificates_from_its_folder_or_where_its_caller_says() {
    let server = Embedded::start().unwrap();
    let ca = server.ca().unwrap().to_owned();
    let elsewhere = folder(&[("ca.pem", &ca)]);
    let outside = elsewhere.path().join("ca.pem").display().to_string();
    let smtp = format!("smtp={}", server.smtp().replace("127.0.0.1", "localhost"));
    let script = |given: &str| STARTTLS.replace("CA", given);
    let scripts = folder(&[
        ("beside.rhai", &script("\"ca/ca.pem\"")),
        ("ca/ca.pem", &ca),
        ("text.rhai", &script(&format!("`{ca}`"))),
        ("given.rhai", &script("param(\"ca\")")),
        ("outside.rhai", &script(&format!("{outside:?}"))),
        ("missing.rhai", &script("\"no.pem\"")),
        ("empty.rhai", &script("\"beside.rhai\"")),
    ]);
    let ran = |script: &str, more: &[&str]| {
        run(scripts.path(), &[&["run", script, "--set", &smtp], more].concat())
    };
    for script in ["beside.rhai", "text.rhai"] {
        assert_eq!(ran(script, &[]).code, Some(0), "{script}: {:?}", ran(script, &[]));
    }
    assert_eq!(ran("given.rhai", &["--set", &format!("ca={outside}")]).code, Some(0));
    // If another server is named, `ca` comes from the command line.
    assert_eq!(ran("given.rhai", &["--cacert", &outside]).code, Some(0));
    assert_eq!(ran("given.rhai", &["--insecure"]).code, Some(0));
    let refused = ran("given.rhai", &[]);
    assert!(
        refused.code == Some(3) && refused.out.contains("a CA that is not trusted"),
        "{refused:?}"
    );
    for (script, why) in [
        ("outside.rhai", "may not read"),
        ("missing.rhai", "cannot read no.pem"),
        ("empty.rhai", "no certificate in it"),
    ] {
        let ran = ran(script, &[]);
        assert!(ran.code == Some(2) && ran.out.contains(why), "{ran:?}");
    }
}

#[test]
fn the_command_line_says_how_tls_is_put_on() {
    let server = Embedded::start().unwrap();
    let folder = folder(&[
        (
            "a.rhai",
            "// TLS.\nlet s = connect(param(\"submissions\"));\ns.expect(220);\ns.quit();\n",
        ),
        ("ca.pem", server.ca().unwrap()),
    ]);
    let set = format!("submissions={}", server.submissions());
    let ran =
        |more: &[&str]| run(folder.path(), &[&["run", "a.rhai", "--set", &set], more].concat());
    assert_eq!(ran(&["--cacert", "ca.pem", "--keylog", "keys"]).code, Some(0));
    assert!(
        std::fs::read_to_string(folder.path().join("keys"))
            .unwrap()
            .contains("CLIENT_HANDSHAKE_TRAFFIC_SECRET ")
    );
    let loud = ran(&["--insecure", "-v"]);
    assert!(
        loud.code == Some(0) && loud.out.contains("CERTIFICATE NOT VERIFIED (verify: false): "),
        "{loud:?}"
    );
    assert_eq!(ran(&[]).code, Some(3));
    for (wrong, why) in [
        (&["--cacert", "none.pem"][..], "cannot read none.pem"),
        (&["--cacert", "a.rhai"], "no certificate in it"),
        (&["--cert", "ca.pem", "--key", "ca.pem"], "no private key"),
        (&["--cert", "ca.pem"], "--key"),
        (&["--keylog", "."], "key log"),
    ] {
        let ran = ran(wrong);
        assert!(ran.code == Some(2) && ran.err.contains(why), "{ran:?}");
    }
}

#[test]
fn a_private_key_in_a_script_is_shown_nowhere() {
    let ca = Ca::new("test CA");
    let client = ca.sign(&params("client.example"));
    let key = client.key.serialize_pem();
    let options = format!("#{{cert: {:?}, key: {key:?}}}", client.certificate.pem());
    let script = format!(
        "// A key.\nlet s = connect();\ns.expect(220);\nprint({key:?}); s.starttls({options});\n"
    );
    let folder = folder(&[("a.rhai", &script)]);
    let ran = run(folder.path(), &["run", "a.rhai", "-v"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    for line in key.lines().filter(|line| !line.starts_with('-')) {
        assert!(!ran.out.contains(line), "{}", ran.out);
    }
}

#[test]
fn a_script_can_catch_a_handshake_that_fails() {
    let script = r#"// Refused.
let s = connect();
s.expect(220);
try { s.starttls(); } catch (e) {
    assert_eq(e.kind, "tls");
    assert(e.message.contains("not trusted"), e.message);
}
for wrong in [#{min: "1.0"}, #{verify: 1}, #{injected: "x"}, #{ca: 1}, #{sin: "x"}] {
    let s = connect();
    s.expect(220);
    try { s.starttls(wrong); assert(false, "it was taken"); } catch (e) { assert_eq(e.kind, "usage"); }
    s.quit();
}
"#;
    let folder = folder(&[("a.rhai", script)]);
    let ran = run(folder.path(), &["run", "a.rhai"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}
