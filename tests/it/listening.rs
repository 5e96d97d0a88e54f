//! The server's side: listeners and the sessions that they accept.

use std::time::Duration;

use crate::program::project;
use mailexpect::server::Listener;
use mailexpect::{Credentials, Error, Regex, Result, Session, Transcript, Users, block_on};

/// A listener, a client, and the session that the listener has accepted and greeted.
pub(crate) async fn pair(scheme: &str) -> Result<(Listener, Session, Session)> {
    let listener = Listener::bind(scheme).await?;
    let mut client = Session::connect(&listener.url()).await?;
    let mut server = listener.accept().await?;
    server.greet("").await?;
    match scheme {
        "imap" => client.expect("* OK").await?,
        "pop3" => client.expect("+OK").await?,
        "sieve" => client.expect("OK").await?,
        _ => client.expect(220).await?,
    };
    Ok((listener, client, server))
}

pub(crate) fn short() -> mailexpect::Options {
    Session::options().timeout(Duration::from_millis(100)).grace(Duration::from_millis(50))
}

#[tokio::test]
async fn a_command_of_another_name_fails_at_once_and_is_shown() {
    let (_listener, mut client, mut server) = pair("smtp").await.unwrap();
    client.send("VRFY hoge").await.unwrap();
    let error = server.expect_command("EHLO").await.unwrap_err();
    assert!(error.is_mismatch(), "{error}");
    assert_eq!((error.expected(), error.got()), (Some("\"EHLO\""), Some("VRFY hoge")));
    client.leave();
}

#[tokio::test]
async fn lock_step_holds_for_the_server_too() {
    let (_listener, mut client, mut server) = pair("smtp").await.unwrap();
    let early = server.reply(250).await.unwrap_err();
    assert!(early.is_out_of_step() && early.message().contains("no command is to be"), "{early}");
    client.pipeline(["NOOP", "RSET"]).await.unwrap();
    server.expect_command("NOOP").await.unwrap();
    let twice = server.expect_command("RSET").await.unwrap_err();
    assert!(twice.message().contains("`NOOP` has no answer"), "{twice}");
    let unread = server.reply(250).await.unwrap_err();
    assert_eq!(unread.got(), Some("unread: RSET\\r\\n"), "{unread}");
    server.expect_group(["RSET"]).await.unwrap();
    let many = server.replies([250, 250, 250]).await.unwrap_err();
    assert!(many.message().starts_with("3 replies were about"), "{many}");
    server.replies([250, 250]).await.unwrap();
    client.expect(250).await.unwrap();
    client.expect(250).await.unwrap();
}

#[tokio::test]
async fn a_client_that_speaks_before_the_greeting_is_told_of() {
    let listener = Listener::bind("smtp").await.unwrap();
    let mut client = Session::connect(&listener.url()).await.unwrap();
    client.send_raw("EHLO early\r\n").await.unwrap();
    let mut server = listener.accept().await.unwrap();
    let first = server.expect_command("EHLO").await.unwrap_err();
    assert!(first.message().contains("before the greeting"), "{first}");
    let early = loop {
        // The client's bytes may not have arrived yet.
        match server.expect_silence(Duration::from_millis(20)).await {
            Ok(()) => {}
            Err(_) => break server.greet("220 hi").await.unwrap_err(),
        }
    };
    assert_eq!(early.message(), "the client spoke before the greeting");
    client.leave();
}

#[tokio::test]
async fn a_command_without_an_answer_fails_the_dialogue_at_its_end() {
    let (_listener, mut client, mut server) = pair("smtp").await.unwrap();
    client.send("NOOP").await.unwrap();
    server.expect_command("NOOP").await.unwrap();
    let error = server.finish().await.unwrap_err();
    assert!(error.is_vacuous(), "{error}");
    assert_eq!(error.message(), "the client's last command was never answered");
    client.leave();
    assert_eq!(error.got(), Some("NOOP"));
    let listener = Listener::bind("smtp").await.unwrap();
    let client = Session::connect(&listener.url()).await.unwrap();
    let mut server = listener.accept().await.unwrap();
    assert_eq!(server.finish().await.unwrap_err().message(), "the greeting was never sent");
    client.leave();
}

#[tokio::test]
async fn input_of_a_client_that_nobody_takes_fails_the_dialogue() {
    let (_listener, mut client, mut server) = pair("smtp").await.unwrap();
    client.send("QUIT").await.unwrap();
    let error = server.finish().await.unwrap_err();
    assert_eq!((error.kind().name(), error.got()), ("vacuous", Some("QUIT\\r\\n")), "{error}");
    client.leave();
}

#[tokio::test]
async fn a_close_that_nobody_expected_is_the_clients() {
    let (_listener, mut client, mut server) = pair("smtp").await.unwrap();
    client.finish().await.unwrap();
    let error = server.expect_command("EHLO").await.unwrap_err();
    assert!(error.is_closed(), "{error}");
    assert_eq!(error.message(), "the client closed the connection and never said a word");
}

#[tokio::test]
async fn a_client_that_never_comes_and_one_that_is_never_accepted_are_told_apart() {
    let listener = Listener::options().session(short()).bind("smtp").await.unwrap();
    let error = listener.accept().await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(
        (error.message(), error.got()),
        ("no client connected in time", Some("none at all"))
    );
    let client = Session::connect(&listener.url()).await.unwrap();
    let none = listener.expect_none(Duration::from_millis(50)).await.unwrap_err();
    assert!(none.message().contains("although none was expected"), "{none}");
    let error = listener.finish().await.unwrap_err();
    assert_eq!(
        (error.kind().name(), error.message()),
        ("vacuous", "a connection was never accepted")
    );
    client.leave();
}

#[tokio::test]
async fn a_refused_port_is_kept_and_can_be_opened_again() {
    let listener = Listener::bind("smtp").await.unwrap();
    let url = listener.url();
    for _ in 0..3 {
        listener.refuse().await.unwrap();
        let refused = Session::connect(&url).await.unwrap_err();
        assert!(refused.is_unreachable(), "{refused}");
        listener.resume().unwrap();
        let mut client = Session::connect(&url).await.unwrap();
        listener.accept().await.unwrap().reset().unwrap();
        client.expect_close().await.unwrap();
    }
    assert_eq!((listener.url(), listener.accepted()), (url, 3));
}

#[tokio::test]
async fn responses_of_a_client_in_auth_are_masked_from_the_first_byte() {
    let transcript = Transcript::new();
    let options = Session::options().transcript(transcript.clone());
    let listener = Listener::options().session(options).bind("smtp").await.unwrap();
    let mut client = Session::connect(&listener.url()).await.unwrap();
    let mut server = listener.accept().await.unwrap();
    server.greet("").await.unwrap();
    client.expect(220).await.unwrap();
    client.send("AUTH PLAIN AGhvZ2UAcHBwd3d3").await.unwrap();
    let unread = server.expect_silence(Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(unread.got(), Some("AUTH PLAIN [SECRET]\\r\\n"));
    let wrong = server.expect_command("EHLO").await.unwrap_err();
    assert_eq!(wrong.got(), Some("AUTH PLAIN [SECRET]"));
    server.reply((535, "no pppwww")).await.unwrap();
    client.expect(535).await.unwrap();
    client.send("AUTH LOGIN").await.unwrap();
    server.serve("AUTH LOGIN", (334, "VXNlcm5hbWU6")).await.unwrap();
    client.expect(334).await.unwrap();
    client.send("aG9nZQ==").await.unwrap();
    server.serve(Regex::new("^.").unwrap(), (334, "UGFzc3dvcmQ6")).await.unwrap();
    client.expect(334).await.unwrap();
    client.send("Z2VoZWlt").await.unwrap();
    // The server never reads this line.
    server.finish().await.unwrap_err();
    let text = transcript.to_string();
    for secret in ["AGhvZ2UAcHBwd3d3", "pppwww", "Z2VoZWlt", "geheim"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(text.contains("unread C: [SECRET]"), "{text}");
    client.leave();
}

#[tokio::test]
async fn a_literal_that_waits_is_told_to_go_on() {
    let (_listener, mut client, mut server) = pair("imap").await.unwrap();
    let login = async { client.login("hoge", "pass\"word\u{e9}").await };
    let serve = async {
        let command = server.expect_command("LOGIN").await?;
        server.reply("OK done").await?;
        Ok::<_, Error>(command)
    };
    let (answer, command) = tokio::join!(login, serve);
    answer.unwrap();
    let command = command.unwrap();
    assert_eq!((command.verb().as_str(), command.arguments()[0].as_str()), ("LOGIN", "hoge"));
}

#[test]
fn a_client_and_its_server_need_no_async() {
    let listener = block_on(Listener::bind("submission")).unwrap();
    let url = listener.url();
    let client = std::thread::spawn(move || {
        block_on(async {
            let mut client = Session::connect(&url).await?;
            client.expect(220).await?;
            client.quit().await?;
            client.finish().await
        })
    });
    let mut server = block_on(listener.accept()).unwrap();
    block_on(server.greet("220 hi")).unwrap();
    block_on(server.expect_quit()).unwrap();
    block_on(server.finish()).unwrap();
    client.join().unwrap().unwrap();
    block_on(listener.finish()).unwrap();
}

/// The secret of the user. A token has fewer characters than a password.
fn secret(mechanism: &str) -> &'static str {
    if ["XOAUTH2", "OAUTHBEARER"].contains(&mechanism) { "ppp.www==" } else { "ppp,www=\u{e9}" }
}

/// A client that authenticates by a mechanism, and the server's side of it.
async fn auth(
    scheme: &str,
    mechanism: &str,
    users: Users,
) -> (Result<()>, mailexpect::Authenticated) {
    let (_listener, mut client, mut server) = pair(scheme).await.unwrap();
    let credentials = Credentials::new("hoge", secret(mechanism)).mechanism(mechanism);
    let asking = async { client.auth(credentials).await.map(drop) };
    let (asked, heard) = tokio::join!(asking, server.expect_auth(users).into_future());
    (asked, heard.unwrap_or_else(|error| panic!("{scheme} {mechanism}: {error}")))
}

const MECHANISMS: [&str; 10] = [
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

#[tokio::test]
async fn every_mechanism_is_answered_in_every_protocol() {
    for scheme in ["smtp", "pop3", "imap", "sieve"] {
        for mechanism in MECHANISMS {
            let users = Users::new().user("hoge", secret(mechanism)).mechanism(mechanism);
            let (asked, served) = auth(scheme, mechanism, users).await;
            asked.unwrap_or_else(|error| panic!("{scheme} {mechanism}: {error}"));
            assert!(served.granted, "{scheme} {mechanism}: {served:?}");
            let no = Users::new().user("hoge", "another").verdict(false);
            let (asked, served) = auth(scheme, mechanism, no).await;
            assert!(asked.is_err() && !served.granted, "{scheme} {mechanism}: {served:?}");
        }
    }
}

#[tokio::test]
async fn a_forged_signature_is_refused_by_the_client() {
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256", "DIGEST-MD5"] {
        let users = Users::new().user("hoge", "ppp,www=\u{e9}").forge(true);
        let (asked, _) = auth("smtp", mechanism, users).await;
        let error = asked.unwrap_err();
        assert!(!error.is_timeout() && !error.is_closed(), "{mechanism}: {error}");
    }
}

#[tokio::test]
async fn a_client_in_the_middle_of_its_handshake_is_there() {
    let listener = Listener::options().session(short()).bind("smtps").await.unwrap();
    let place = listener.url().replace("smtps://", "");
    let silent = std::net::TcpStream::connect(place).unwrap();
    let middle = "in the middle of the TLS handshake";
    let none = listener.expect_none(Duration::from_secs(20)).await.unwrap_err();
    assert!(none.got().unwrap().ends_with(middle), "{none}");
    let error = listener.finish().await.unwrap_err();
    assert!(error.is_vacuous() && error.message() == "a connection was never accepted", "{error}");
    drop(silent);
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_no_lack_of_clients() {
    let listener = Listener::bind("smtps").await.unwrap();
    let place = listener.url().replace("smtps://", "");
    let _silent = std::net::TcpStream::connect(place).unwrap();
    listener.expect_none(Duration::from_secs(20)).await.unwrap_err();
    let error = listener.accept_within(Duration::from_millis(10)).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(error.got().unwrap().ends_with("in the middle of the TLS handshake"), "{error}");
}

#[tokio::test]
async fn a_client_that_came_before_the_refusal_is_still_accepted() {
    for scheme in ["smtp", "smtp+unix"] {
        let listener = Listener::bind(scheme).await.unwrap();
        let mut client = Session::connect(&listener.url()).await.unwrap();
        listener.refuse().await.unwrap();
        let mut server = listener.accept().await.unwrap();
        server.greet("").await.unwrap();
        client.expect(220).await.unwrap();
        Session::connect(&listener.url()).await.unwrap_err();
    }
}

#[test]
fn the_guide_to_testing_clients_has_the_code_that_the_downstream_crate_runs() {
    let guide = std::fs::read_to_string(project().join("docs/clients.md")).unwrap();
    let test = project().join("tests/downstream/tests/clients.rs");
    let test = std::fs::read_to_string(test).unwrap();
    let (_, rust) = guide.split_once("```rust\n").unwrap();
    let rust = rust.split_once("```").unwrap().0;
    assert!(test.contains(rust), "tests/downstream/tests/clients.rs has no\n{rust}");
    let (_, script) = guide.split_once("```rhai\n").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("both.rhai");
    std::fs::write(&path, script.split_once("```").unwrap().0).unwrap();
    let outcome = mailexpect::script::Case::new(&path).run();
    assert!(outcome.is_ok(), "{outcome:?}");
}

#[tokio::test]
async fn an_exchange_that_the_client_cancels_gets_the_reply_of_its_protocol() {
    for (scheme, reply) in [
        ("smtp", "S: 501 5.7.0 authentication cancelled\n"),
        ("imap", "S: a1 BAD authentication cancelled\n"),
        ("pop3", "S: -ERR authentication cancelled\n"),
        ("sieve", "S: NO \"authentication cancelled\"\n"),
    ] {
        let (_listener, mut client, mut server) = pair(scheme).await.unwrap();
        let cancelled = Credentials::new("hoge", "pppwww").mechanism("LOGIN").cancel();
        let users = Users::new().verdict(true);
        let (asked, heard) = tokio::join!(
            client.auth(cancelled).into_future(),
            server.expect_auth(users).into_future()
        );
        asked.unwrap();
        let heard = heard.unwrap();
        assert!(heard.cancelled && !heard.granted, "{scheme}: {heard:?}");
        let transcript = client.transcript().to_string();
        assert!(transcript.ends_with(reply), "{scheme}: {transcript}");
        client.leave();
    }
}
