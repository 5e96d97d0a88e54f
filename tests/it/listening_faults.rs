//! TLS and faults on the server's side, as clients see them.

use std::time::Duration;

use crate::listening::{pair, short};
use mailexpect::server::Listener;
use mailexpect::tls::{Flaw, ServerOptions, Version};
use mailexpect::{Fault, Result, Session, Then, tls};

/// A client that begins TLS, and the server's side of it.
async fn starttls(scheme: &str, tls: ServerOptions, trust: bool) -> (Result<()>, Result<Session>) {
    let (listener, mut client, mut server) = pair(scheme).await.unwrap();
    let ca = listener.ca().unwrap();
    let options = tls::Options::new().sni("localhost");
    let options = if trust { options.ca(ca) } else { options.verify(false) };
    let asking = async {
        client.starttls().tls(options).await?;
        client.noop().await.map(drop)
    };
    let serving = async {
        server.expect_starttls(tls).await?;
        server.expect_command("NOOP").await?;
        let answer = match scheme {
            "smtp" => "250 ok",
            "pop3" => "+OK",
            _ => "OK",
        };
        server.reply(answer).await?;
        Ok(server)
    };
    tokio::join!(asking, serving)
}

#[tokio::test]
async fn tls_is_put_on_at_the_clients_command_in_every_protocol() {
    for scheme in ["smtp", "pop3", "imap", "sieve"] {
        let (asked, served) = starttls(scheme, ServerOptions::new(), true).await;
        asked.unwrap_or_else(|error| panic!("{scheme}: {error}"));
        let served = served.unwrap_or_else(|error| panic!("{scheme}: {error}"));
        assert_eq!(served.tls().unwrap().name, "localhost", "the name that was asked for");
    }
}

#[tokio::test]
async fn a_certificate_with_a_flaw_is_refused_and_both_sides_say_so() {
    for (flaw, alert) in [
        (Flaw::Expired, "certificate_expired"),
        (Flaw::NotYetValid, "certificate"),
        (Flaw::AnotherName, "certificate"),
        (Flaw::SelfSigned, "unknown_ca"),
        (Flaw::WeakKey, "alert"),
        (Flaw::Sha1, "alert"),
    ] {
        let (asked, served) = starttls("smtp", ServerOptions::new().flaw(flaw), true).await;
        let (refused, told) = (asked.unwrap_err(), served.err().unwrap());
        assert!(refused.is_tls() && told.is_tls(), "{flaw:?}: {refused} {told}");
        assert!(told.message().contains(alert), "{flaw:?}: {told}");
    }
    let old = ServerOptions::new().max(Version::V1_2);
    let (asked, served) = starttls("smtp", old, true).await;
    asked.unwrap();
    assert_eq!(served.unwrap().tls().unwrap().version, "1.2");
}

/// The result of the client's expectation if the greeting has this fault.
async fn greeted(scheme: &str, fault: Fault) -> (Result<mailexpect::Reply>, Session) {
    let listener = Listener::bind(scheme).await.unwrap();
    let tls = tls::Options::new().ca(listener.ca().unwrap());
    let options = Session::options().tls(tls).timeout(Duration::from_secs(2));
    let mut client = options.connect(&listener.url()).await.unwrap();
    let mut server = listener.accept().await.unwrap();
    let greeting = (220, ["a", "b"]);
    let (said, heard) = tokio::join!(
        server.greet(greeting).fault(fault).into_future(),
        client.expect(220).into_future()
    );
    said.unwrap();
    assert!(server.finish().await.is_ok(), "a fault on purpose leaves nothing owed");
    (heard, client)
}

#[tokio::test]
async fn faults_reach_the_client_in_clear_and_inside_of_tls() {
    for scheme in ["smtp", "smtps"] {
        let kind =
            async |fault| greeted(scheme, fault).await.0.err().map(|error| error.kind().name());
        assert_eq!(kind(Fault::new().cut(3)).await, Some("malformed"));
        assert_eq!(kind(Fault::new().cut(0).then(Then::Reset)).await, Some("unreachable"));
        assert_eq!(kind(Fault::new().missing(true).then(Then::Close)).await, Some("malformed"));
        // A bare LF counts as a line end, and the transcript shows it.
        let (reply, client) = greeted(scheme, Fault::new().bare_lf(true)).await;
        reply.unwrap();
        assert!(client.transcript().to_string().contains("220-a\\n"), "{}", client.transcript());
        assert_eq!(kind(Fault::new().cut(9).then(Then::HalfClose)).await, Some("malformed"));
    }
    let (_, mut client) = greeted("smtps", Fault::new().then(Then::CutTls)).await;
    client.expect_close().await.unwrap();
    assert!(client.transcript().to_string().contains("without a close_notify"));
}

#[tokio::test]
async fn a_line_without_an_end_stops_at_the_clients_limit() {
    let listener = Listener::bind("smtp").await.unwrap();
    let mut client = Session::options().limit(10_000).connect(&listener.url()).await.unwrap();
    let mut server = listener.accept().await.unwrap();
    let endless = Fault::new().endless(8 << 20);
    let reading = async {
        let error = client.expect(220).await.unwrap_err();
        client.reset().unwrap();
        error
    };
    let (said, error) = tokio::join!(server.greet("220 hi").fault(endless).into_future(), reading);
    said.unwrap();
    assert!(error.is_too_long(), "{error}");
}

#[tokio::test]
async fn bytes_injected_after_the_go_ahead_are_seen_by_the_client() {
    let inject = ServerOptions::new().inject("250 evil\r\n");
    let (asked, _) = starttls("smtp", inject, true).await;
    assert_eq!(asked.unwrap_err().kind().name(), "injected");
    let (asked, _) = starttls("smtp", ServerOptions::new().garbage(true), true).await;
    let error = asked.unwrap_err();
    assert!(error.is_tls() || error.kind().name() == "injected", "{error}");
}

#[tokio::test]
async fn garbage_takes_the_place_of_a_handshake_that_the_client_has_begun() {
    let options = ServerOptions::new().garbage(true);
    let listener = Listener::options().session(short()).bind("smtp").await.unwrap();
    let mut client = Session::connect(&listener.url()).await.unwrap();
    let mut server = listener.accept().await.unwrap();
    server.greet("").await.unwrap();
    client.expect(220).await.unwrap();
    client.send("STARTTLS").await.unwrap();
    // The client never sends its TLS hello.
    let error = server.expect_starttls(options).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    client.expect("220 2.0.0 go ahead").await.unwrap();
    client.expect_silence(Duration::from_millis(1)).await.unwrap();
}

#[tokio::test]
async fn pauses_are_as_long_as_they_are_said_to_be() {
    let long = Duration::from_millis(50);
    // Between 14 octets there are 13 pauses.
    for fault in [Fault::new().after(long), Fault::new().drip(Duration::from_millis(5))] {
        let listener = Listener::bind("smtp").await.unwrap();
        let mut client = Session::connect(&listener.url()).await.unwrap();
        let mut server = listener.accept().await.unwrap();
        let began = std::time::Instant::now();
        let (said, heard) = tokio::join!(
            server.greet((220, ["a", "b"])).fault(fault).into_future(),
            client.expect(220).into_future()
        );
        said.unwrap();
        heard.unwrap();
        assert!(began.elapsed() >= long, "{:?}", began.elapsed());
    }
}

/// The number would overflow if it were added to the length of the line.
#[tokio::test]
async fn a_literal_of_an_impossible_size_ends_in_time() {
    for (scheme, line) in [
        ("imap", "a1 LOGIN {18446744073709551590+}\r\n"),
        ("sieve", "PUTSCRIPT {18446744073709551590+}\r\n"),
    ] {
        let listener = Listener::options().session(short()).bind(scheme).await.unwrap();
        let mut client = Session::connect(&listener.url()).await.unwrap();
        let mut server = listener.accept().await.unwrap();
        server.greet("").await.unwrap();
        client.send_raw(line).await.unwrap();
        let error = server.expect_command("LOGIN").await.unwrap_err();
        assert!(error.is_timeout() || error.is_too_long(), "{scheme}: {error}");
        client.leave();
        server.leave();
    }
}

/// The server ends TLS in the middle of a message, or only does not read it.
#[tokio::test]
async fn a_write_that_nobody_reads_ends_in_time_as_does_a_half_close_after_it() {
    for ends_tls in [true, false] {
        let listener = Listener::bind("smtps").await.unwrap();
        let ca = tls::Options::new().ca(listener.ca().unwrap()).sni("localhost");
        let (options, url) = (short().tls(ca), listener.url());
        let (client, server) = tokio::join!(options.connect(&url), listener.accept().into_future());
        let (mut client, mut server) = (client.unwrap(), server.unwrap());
        server.greet("").await.unwrap();
        client.expect(220).await.unwrap();
        client.send("DATA").await.unwrap();
        server.expect_command("DATA").await.unwrap();
        server.reply(354).await.unwrap();
        client.expect(354).await.unwrap();
        if ends_tls {
            server.shutdown().await.unwrap();
        }
        let message = "x".repeat(16 << 20);
        let error = client.send_message(message.as_str()).await.unwrap_err();
        let is_stuck = error.is_timeout() && error.message().contains(" bytes could not be sent");
        assert!(is_stuck, "{ends_tls}: {error}");
        if !ends_tls {
            let error = client.shutdown().await.unwrap_err();
            let message = "the server does not read: the half-close could not be sent in time";
            assert!(error.is_timeout() && error.message() == message, "{error}");
        }
        client.leave();
        server.leave();
    }
}

/// In one packet with the command, or in the next one.
#[tokio::test]
async fn a_client_that_goes_on_in_clear_after_its_command_for_tls_is_told_of() {
    for is_at_once in [true, false] {
        let (_listener, mut client, mut server) = pair("smtp").await.unwrap();
        client.send_raw("STARTTLS\r\n").await.unwrap();
        if is_at_once {
            client.send_raw("NOOP\r\n").await.unwrap();
        }
        let going_on = async {
            if !is_at_once {
                client.expect(220).await.unwrap();
                client.send_raw("NOOP\r\n").await.unwrap();
            }
        };
        let ((), serving) =
            tokio::join!(going_on, server.expect_starttls(ServerOptions::new()).into_future());
        let error = serving.unwrap_err();
        assert_eq!((error.kind().name(), error.got()), ("injected", Some("NOOP\\r\\n")), "{error}");
        client.leave();
        server.leave();
    }
}
