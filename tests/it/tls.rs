//! TLS with correct servers, and with servers that are wrong in each way.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::time::Duration;

use mailexpect::server::Embedded;
use mailexpect::tls::{Options, Version};
use mailexpect::{Segment, Session, Transcript, block_on};
use rcgen::date_time_ymd;
use rustls::{ServerConnection, StreamOwned, version};

use crate::filters::filtered;
use crate::peer::Peer;
use crate::tls_server::{Ca, Server, connect, implicit, params, tls, upgraded, upgraded_by};

/// Only ports and times may vary.
pub(crate) fn golden(name: &str, text: impl std::fmt::Display) {
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
            let shown = session.tls().unwrap().certificate.as_ref().unwrap();
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
        assert!(session.tls().is_none());
        assert_eq!(session.starttls().tls(ca.trusted()).await.unwrap().code(), Some(220));
        session.send("EHLO client.example").await.unwrap();
        session.expect(250).await.unwrap();
        session.finish().await.unwrap();
    });
    assert!(server.end(), "the client closed without a close_notify");
    golden("a_transcript_with_starttls", transcript);
}

#[test]
fn a_stream_stays_cut_after_starttls_each_piece_in_a_record_of_its_own() {
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
        session.finish().await.unwrap();
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
        session.finish().await.unwrap();
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
        session.finish().await.unwrap();
    });
    server.end();
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
        let error = session.expect_line(mailexpect::Regex::new("").unwrap()).await.unwrap_err();
        assert!(
            error.is_tls()
                && error.message() == "TLS failed: the received data violates the TLS protocol",
            "{error}"
        );
        session.reset().unwrap();
    });
    server.end();
}

/// The server reads a part of the message, sends what is no TLS, and reads no more, so the client is
/// in the middle of writing when it comes.
#[test]
fn bytes_that_are_no_tls_break_a_write_as_they_break_a_read() {
    let ca = Ca::new("test CA");
    let config = ca.sign(&params("localhost")).config();
    let (over, is_over) = std::sync::mpsc::channel::<()>();
    let server = Server::new(move |stream| {
        let mut stream = tls(config, stream);
        stream.write_all(b"hi\n").unwrap();
        stream.read_exact(&mut [0; 1000]).unwrap();
        stream.sock.write_all(b"in clear\r\n").unwrap();
        let _ = is_over.recv();
    });
    block_on(async {
        let mut session = connect(&server.url("tls"), ca.trusted()).await.unwrap();
        session.expect("hi\n").await.unwrap();
        let error = session.send_raw(vec![b'y'; 64 << 20]).await.unwrap_err();
        assert!(error.is_tls(), "{error}");
        session.reset().unwrap();
    });
    drop(over);
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
            session.finish().await.unwrap();
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
