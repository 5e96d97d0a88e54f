//! TLS handshakes that fail, and what the errors say about the certificate.

use std::time::Duration;

use mailexpect::tls::{Options, Version};
use mailexpect::{Session, Transcript, block_on};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use rustls::{SupportedProtocolVersion, version};

use crate::peer::Peer;
use crate::tls::golden;
use crate::tls_server::{Ca, Leaf, connect, failure, implicit, params};

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
            session.finish().await.unwrap();
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
        assert!(session.tls().unwrap().certificate.as_ref().unwrap().days_left() < -365);
        session.finish().await.unwrap();
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
        session.finish().await.unwrap();
    });
    server.end();
    let server = implicit(own.config());
    let error = failure(&server.url("smtps"), trusted.sni("mail.example"));
    assert!(error.message().contains("not for mail.example, but for localhost"), "{error}");
    server.end();
}
