//! SASL exchanges with a server that verifies them. No output shows a secret.

use std::fmt::Write as _;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use mailexpect::{Credentials, Session, block_on, server::Replay};

use crate::filters::filtered;
use crate::peer::Peer;
use crate::program::{folder, run};
use crate::sasl_server::{SaslServer, USER};

pub(crate) const PASSWORD: &str = "w\"nder-land1";

pub(crate) const MECHANISMS: [&str; 10] = [
    "PLAIN",
    "LOGIN",
    "CRAM-MD5",
    "DIGEST-MD5",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "XOAUTH2",
    "OAUTHBEARER",
    "EXTERNAL",
    "ANONYMOUS",
];

pub(crate) async fn greeted(url: &str) -> Session {
    let mut session = Session::connect(url).await.unwrap();
    session.expect(220).await.unwrap();
    session
}

pub(crate) fn credentials(mechanism: &str) -> Credentials {
    Credentials::new(USER, PASSWORD).mechanism(mechanism).nonce("C")
}

#[test]
fn every_mechanism_succeeds_and_fails_with_and_without_an_initial_response() {
    let (right, wrong) = (SaslServer::start(PASSWORD), SaslServer::start("another"));
    block_on(async {
        for mechanism in MECHANISMS {
            for initial in [true, false] {
                let mut session = greeted(&right.url).await;
                session.auth(credentials(mechanism).initial(initial)).await.unwrap();
                session.quit().await.unwrap();
                session.finish().await.unwrap();
                let mut session = greeted(&wrong.url).await;
                session.auth(credentials(mechanism).initial(initial)).expect(535).await.unwrap();
                session.quit().await.unwrap();
                session.finish().await.unwrap();
            }
        }
    });
}

#[test]
fn challenges_and_responses_are_shown_decoded_and_secrets_are_not() {
    let server = SaslServer::start(PASSWORD);
    let mut shown = String::new();
    block_on(async {
        for mechanism in MECHANISMS {
            let mut session = greeted(&server.url).await;
            session.auth(credentials(mechanism)).await.unwrap();
            let transcript = session.transcript().to_string();
            let _ =
                writeln!(shown, "{}\n", transcript.lines().skip(3).collect::<Vec<_>>().join("\n"));
            session.reset().unwrap();
        }
    });
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!(filtered(&shown, &[(r"port=\d+", "port=PORT")]));
    });
}

#[test]
fn the_strongest_mechanism_that_the_server_advertises_is_used() {
    let server = SaslServer::start(PASSWORD);
    block_on(async {
        let mut session = greeted(&server.url).await;
        let error = session.auth((USER, PASSWORD)).await.unwrap_err();
        assert_eq!(error.message(), "it is not known which mechanisms the server offers");
        session.send("EHLO client.example").await.unwrap();
        session.expect(250).await.unwrap();
        session.auth((USER, PASSWORD)).await.unwrap();
        session.auth(Credentials::token(USER, PASSWORD)).await.unwrap();
        let shown = session.transcript().to_string();
        assert!(
            shown.contains("C: AUTH CRAM-MD5\n") && shown.contains("C: AUTH XOAUTH2 [SECRET]"),
            "{shown}"
        );
        session.reset().unwrap();
    });
}

#[test]
fn a_mechanism_without_a_secret_is_one_in_lower_case_too() {
    let server = Replay::start(
        "S: 220 hi
         C: AUTH EXTERNAL aG9nZQ==
         S: 235 ok
         C: AUTH ANONYMOUS aG9nZQ==
         S: 235 ok",
    )
    .unwrap();
    let url = server.url("submission");
    let script = format!(
        "let s = connect(\"{url}\");\ns.expect(220);\ns.auth(\"external\", \"hoge\");\ns.auth(\"Anonymous\", \"hoge\");\n"
    );
    let folder = folder(&[("lower.rhai", &script)]);
    let ran = run(folder.path(), &["run", "lower.rhai"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    server.finish().unwrap();
}

#[test]
fn imap_has_exchanges_with_untagged_responses_in_them() {
    let plain = BASE64_STANDARD.encode(format!("\0{USER}\0{PASSWORD}"));
    let server = Replay::start(&format!(
        "S: * OK hi
         C: a1 CAPABILITY
         S: * CAPABILITY IMAP4rev1 AUTH=PLAIN
         S: a1 OK
         C: a2 AUTHENTICATE PLAIN
         S: +
         C: {plain}
         S: * BAD [ALERT] something else
         S: a2 NO [AUTHENTICATIONFAILED] no
         C: a3 AUTHENTICATE PLAIN
         S: +
         C: *
         S: a3 BAD cancelled
         C: a4 AUTHENTICATE PLAIN {plain}
         S: a4 OK [CAPABILITY IMAP4rev1] done {PASSWORD}
         C: a5 AUTHENTICATE CRAM-MD5
         S: + not base64
         C: *
         S: a5 BAD cancelled
         C: a6 AUTHENTICATE LOGIN
         S: + VXNlcm5hbWU6"
    ))
    .unwrap();
    let shown = block_on(async {
        let mut session = Session::connect(&server.url("imap")).await.unwrap();
        session.expect("* OK").await.unwrap();
        session.auth((USER, PASSWORD)).expect("NO").await.unwrap();
        session.auth(credentials("PLAIN").cancel()).await.unwrap();
        session.auth(credentials("PLAIN").initial(true)).await.unwrap();
        let error = session.auth(credentials("CRAM-MD5")).await.unwrap_err();
        assert!(
            error.is_malformed() && error.next_step() == Some("the exchange was cancelled"),
            "{error}"
        );
        session.auth(credentials("LOGIN")).expect("+").await.unwrap();
        let shown = session.transcript().to_string();
        session.reset().unwrap();
        shown
    });
    server.finish().unwrap();
    assert!(
        shown.contains("C: [SECRET] → \\0hoge\\0[SECRET]\n")
            && shown.contains("S: + VXNlcm5hbWU6 → Username:\n"),
        "{shown}"
    );
    assert!(!shown.contains(PASSWORD) && !shown.contains(&plain), "{shown}");
}

#[test]
fn pop3_has_exchanges_and_short_lines() {
    let long = "t".repeat(250);
    let bearer = BASE64_STANDARD.encode(format!("user={USER}\x01auth=Bearer {long}\x01\x01"));
    let plain = BASE64_STANDARD.encode(format!("\0{USER}\0{PASSWORD}"));
    let server = Replay::start(&format!(
        "S: +OK hi
         C: AUTH PLAIN {plain}
         S: -ERR no
         C: AUTH XOAUTH2
         S: + 
         C: {bearer}
         S: +OK"
    ))
    .unwrap();
    block_on(async {
        let mut session = Session::connect(&server.url("pop3")).await.unwrap();
        session.expect("+OK").await.unwrap();
        session.auth(credentials("PLAIN")).expect("-ERR").await.unwrap();
        session.auth(Credentials::token(USER, long).mechanism("XOAUTH2")).await.unwrap();
        session.reset().unwrap();
    });
    server.finish().unwrap();
}

#[test]
fn managesieve_asks_in_strings_and_its_challenges_are_shown_decoded() {
    let answer = BASE64_STANDARD.encode(PASSWORD);
    let server = Replay::start(&format!(
        "S: \"IMPLEMENTATION\" \"x\"
         S: \"SASL\" \"LOGIN\"
         S: OK
         C: AUTHENTICATE \"LOGIN\"
         S: \"VXNlcm5hbWU6\"
         C: \"aG9nZQ==\"
         S: {{12}}
         S: UGFzc3dvcmQ6
         C: \"{answer}\"
         S: OK \"Logged in.\""
    ))
    .unwrap();
    let shown = block_on(async {
        let mut session = Session::connect(&server.url("sieve")).await.unwrap();
        session.expect("OK").await.unwrap();
        session.auth(Credentials::new(USER, PASSWORD)).await.unwrap();
        let shown = session.transcript().to_string();
        session.reset().unwrap();
        shown
    });
    server.finish().unwrap();
    assert!(
        shown.contains("S: \"VXNlcm5hbWU6\" → Username:\n") && shown.contains("→ Password:"),
        "{shown}"
    );
    assert!(!shown.contains(PASSWORD) && !shown.contains(&answer), "{shown}");
}

#[test]
fn pop3_is_asked_for_its_mechanisms_where_none_is_named() {
    let server = Replay::start(
        "S: +OK hi
         C: CAPA
         S: +OK
         S: SASL PLAIN
         S: .
         C: AUTH PLAIN AGhvZ2UAcHc=
         S: +OK",
    )
    .unwrap();
    block_on(async {
        let mut session = Session::connect(&server.url("pop3")).await.unwrap();
        session.expect("+OK").await.unwrap();
        session.auth(Credentials::new("hoge", "pw")).await.unwrap();
        session.reset().unwrap();
    });
    server.finish().unwrap();
}

/// The error of an exchange with a peer that plays this dialogue, and the bytes that the peer has
/// read.
fn exchange_with(peer: &str, credentials: Credentials) -> (mailexpect::Error, String) {
    let peer = Peer::parse(peer);
    let error = block_on(async {
        let mut session = greeted(&peer.url("smtp")).await;
        let error = session.auth(credentials).await.unwrap_err();
        session.reset().unwrap();
        error
    });
    (error, String::from_utf8(peer.heard()).unwrap())
}

#[test]
fn a_challenge_that_cannot_be_read_cancels_the_exchange_and_says_why() {
    let peer = "S: 220 hi\nC\nS: 334 not base64!\nC\nS: 501 cancelled\nstall";
    let (error, heard) = exchange_with(peer, credentials("CRAM-MD5"));
    assert_eq!(heard, "AUTH CRAM-MD5\r\n*\r\n");
    let filters = [(r"127\.0\.0\.1:\d+", "HOST"), (r"\d+(\.\d+)? m?s of", "TIME of")];
    insta::assert_snapshot!(filtered(&error, &filters), @r"
    the server's challenge is not base64, so it cannot be answered
      expected: base64 (RFC 4648, 4), or nothing
      got: not base64!
      after: AUTH CRAM-MD5
      waited: TIME of 10 s
      session: s1, smtp://HOST
      hint: the exchange was cancelled
    ");
}

#[test]
fn a_server_that_cannot_prove_itself_is_not_believed() {
    let first = BASE64_STANDARD.encode("r=CS,s=c2FsdA==,i=1");
    let last = BASE64_STANDARD.encode("v=AAAA");
    let peer =
        format!("S: 220 hi\nC\nS: 334 {first}\nC\nS: 334 {last}\nC\nS: 501 cancelled\nstall");
    let (error, heard) = exchange_with(&peer, credentials("SCRAM-SHA-256"));
    assert!(error.message().contains("the server's own signature is wrong"), "{error}");
    assert!(heard.ends_with("\r\n*\r\n"), "{heard}");
    let peer = format!("S: 220 hi\nC\nS: 334 {first}\nC\nS: 235 welcome\nstall");
    let (error, _) = exchange_with(&peer, credentials("SCRAM-SHA-256"));
    assert!(error.message().contains("success before the end of the exchange"), "{error}");
}

#[test]
fn an_exchange_is_cancelled_or_handed_over_where_that_is_asked_for() {
    let peer = Peer::parse(
        "S: 220 hi\nC\nS: 334 \nC\nS: 501 cancelled\nC\nS: 334 VXNlcm5hbWU6\nC\nS: 535 no\nstall",
    );
    block_on(async {
        let mut session = greeted(&peer.url("smtp")).await;
        session.auth(credentials("PLAIN").cancel()).await.unwrap();
        session.auth(credentials("LOGIN")).expect(334).await.unwrap();
        session.send("aG9nZQ==").await.unwrap();
        session.expect(535).await.unwrap();
        session.reset().unwrap();
    });
    assert_eq!(peer.heard(), b"AUTH PLAIN\r\n*\r\nAUTH LOGIN\r\naG9nZQ==\r\n");
}

#[test]
fn a_server_that_asks_without_end_is_cut_short() {
    let peer = format!("S: 220 hi\n{}stall", "C\nS: 334 bW9yZQ==\n".repeat(8));
    let (error, heard) = exchange_with(&peer, credentials("LOGIN"));
    assert!(error.message().contains("the server continues to ask"), "{error}");
    assert_eq!(heard.lines().count(), 4, "{heard}");
}

#[test]
fn a_first_message_too_long_for_the_command_goes_alone() {
    let peer = Peer::parse("S: 220 hi\nC\nS: 334 \nC\nS: 235 ok\nstall");
    block_on(async {
        let mut session = greeted(&peer.url("smtp")).await;
        session
            .auth(Credentials::token(USER, "t".repeat(12_000)).mechanism("XOAUTH2"))
            .await
            .unwrap();
        session.reset().unwrap();
    });
    assert!(peer.heard().starts_with(b"AUTH XOAUTH2\r\n"));
}
