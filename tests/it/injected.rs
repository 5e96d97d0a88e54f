//! Bytes that come in clear after the go-ahead for TLS.

use mailexpect::block_on;
use std::io::{BufRead as _, BufReader, Write as _};
use std::sync::Arc;

use mailexpect::tls::Options;

use crate::peer::Peer;
use crate::tls::golden;
use crate::tls_server::{Ca, Server, answer, connect, params, tls, upgraded};

#[test]
fn bytes_in_clear_after_the_go_ahead_are_an_error_that_shows_them() {
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
        session.finish().await.unwrap();
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
