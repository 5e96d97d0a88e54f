//! How a peer is reached and left: addresses, unix sockets, child processes, closes, and peers that do not read.

use std::time::Duration;

use mailexpect::{Family, Regex, Session, Transcript, block_on, dot_stuff};
use proptest::prelude::*;

use crate::peer::{Peer, closed_port, says, serving};
use crate::session::SHORT;

#[test]
fn a_half_close_still_lets_the_peer_speak() {
    let peer = Peer::parse("S: 220 hi\nC:\neof\nS: 250 late\nclose");
    block_on(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        s.expect(220).await.unwrap();
        s.send("NOOP").await.unwrap();
        s.shutdown().await.unwrap();
        s.expect(250).await.unwrap();
        s.expect_close().await.unwrap();
        s.finish().await.unwrap();
    });
}

#[test]
fn a_reset_leaves_without_asking_and_a_close_asks() {
    for reset in [true, false] {
        let peer = Peer::parse("S: 220 hi\nC\nstall");
        let url = peer.url("smtp");
        let left = block_on(async move {
            let mut s = Session::connect(&url).await.unwrap();
            s.expect(220).await.unwrap();
            s.send("NOOP").await.unwrap();
            if reset { s.reset() } else { s.finish().await }
        });
        assert_eq!(left.is_ok(), reset, "{left:?}");
    }
}

#[test]
fn each_address_that_was_tried_is_told() {
    let (_held, port) = closed_port();
    let transcript = Transcript::new();
    let error = block_on(
        Session::options()
            .transcript(transcript.clone())
            .family(Family::V4)
            .connect(&format!("smtp://localhost:{port}")),
    )
    .unwrap_err();
    assert!(error.is_unreachable());
    assert_eq!(error.got(), Some(format!("127.0.0.1:{port} refused").as_str()));
    assert!(transcript.to_string().contains(&format!("*** 127.0.0.1:{port} refused")));
    // If the name also has an IPv6 address, this address is tried and reported first.
    let peer = Peer::saying(b"220 hi\r\n");
    let url = peer.url("smtp").replace("127.0.0.1", "localhost");
    let transcript = Transcript::new();
    block_on(Session::options().transcript(transcript.clone()).connect(&url)).unwrap().leave();
    let tried: Vec<_> = transcript
        .to_string()
        .lines()
        .filter(|line| line.ends_with(" refused") || line.ends_with(" connected"))
        .map(str::to_owned)
        .collect();
    assert!(
        tried.last().unwrap().starts_with("*** 127.0.0.1:")
            && tried.last().unwrap().ends_with(" connected"),
        "{tried:?}"
    );
    assert!(
        tried[..tried.len() - 1]
            .iter()
            .all(|line| line.contains("::1") && line.ends_with(" refused")),
        "{tried:?}"
    );
    let error = block_on(Session::connect("smtp://no-such-host.invalid")).unwrap_err();
    assert!(error.is_unreachable(), "{error}");
}

#[test]
fn the_source_address_can_be_chosen() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let session =
        block_on(Session::options().source_ip("127.0.0.9".parse().unwrap()).connect(&url)).unwrap();
    assert_eq!(listener.accept().unwrap().1.ip().to_string(), "127.0.0.9");
    session.leave();
}

#[test]
fn ipv6_and_unix_sockets_are_reached() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let unix = std::os::unix::net::UnixListener::bind(&path).unwrap();
    block_on(async {
        let mut s = Session::connect(&format!("smtp+unix://{}", path.display())).await.unwrap();
        std::io::Write::write_all(&mut unix.accept().unwrap().0, b"220 hi\r\n").unwrap();
        s.expect(220).await.unwrap();
    });
    let Ok(v6) = std::net::TcpListener::bind("[::1]:0") else {
        eprintln!("skipped: this machine has no IPv6 loopback");
        return;
    };
    block_on(async {
        let mut s =
            Session::connect(&format!("smtp://{}", v6.local_addr().unwrap())).await.unwrap();
        std::io::Write::write_all(&mut v6.accept().unwrap().0, b"220 hi\r\n").unwrap();
        s.expect(220).await.unwrap();
    });
}

#[test]
fn a_child_process_is_spoken_with_on_its_stdin_and_stdout() {
    block_on(async {
        let command =
            ["sh", "-c", "echo 220 hi; read x; echo \"250 $x\"; cat >/dev/null"].map(str::to_owned);
        let mut s = Session::options().pipe(&command, "smtp").unwrap();
        s.expect(220).await.unwrap();
        s.send("NOOP").await.unwrap();
        s.expect("250 NOOP").await.unwrap();
        s.shutdown().await.unwrap();
        s.expect_close().await.unwrap();
        s.finish().await.unwrap();
        let missing = ["no-such-program-at-all".to_owned()];
        assert!(Session::options().pipe(&missing, "smtp").unwrap_err().is_unreachable());
    });
}

#[test]
fn the_stderr_of_a_child_is_in_the_transcript_and_its_group_ends_with_the_session() {
    let transcript = Transcript::new();
    block_on(async {
        let script = "printf '\\033[31mred\\n' >&2; sleep 1000 & echo 220 $!; while read x; do echo 250 ok; done";
        let command = ["sh", "-c", script].map(str::to_owned);
        let mut s =
            Session::options().transcript(transcript.clone()).pipe(&command, "smtp").unwrap();
        let greeting = s.expect(220).await.unwrap().text().into_owned();
        for _ in 0..3 {
            s.send("NOOP").await.unwrap();
            s.expect(250).await.unwrap();
        }
        s.finish().await.unwrap();
        let sleeper = greeting.strip_prefix("220 ").unwrap();
        // The process was killed, but the system may need a moment to report this, and its new
        // parent another moment to reap it.
        let state = || std::fs::read_to_string(format!("/proc/{sleeper}/stat")).unwrap_or_default();
        let started = std::time::Instant::now();
        while !(state().is_empty() || state().contains(") Z ") || state().contains(") X ")) {
            assert!(started.elapsed() < Duration::from_secs(30), "{}", state());
            std::thread::yield_now();
        }
    });
    assert!(transcript.to_string().contains("*** stderr: \\e[31mred\\n"), "{transcript}");
}

#[test]
fn a_peer_that_answers_while_we_write_blocks_nobody() {
    // 4 MiB of commands, each with an answer: more than the socket buffers of either side hold.
    let lines = 100_000;
    let echo = serving(|client, _| {
        let stream = client.into_stream();
        std::io::copy(&mut &stream, &mut &stream).map(drop)
    });
    block_on(async {
        let mut s = Session::connect(&format!("tcp://{echo}")).await.unwrap();
        let line = "NOOP with something to say for itself ..";
        s.pipeline(std::iter::repeat_n(line, lines)).await.unwrap();
        s.send_raw("END").await.unwrap();
        let reply = s.expect_bytes("END").await.unwrap();
        assert_eq!(reply.before().len(), lines * (line.len() + 2));
    });
}

#[test]
fn a_peer_that_does_not_read_runs_into_the_deadline() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let error = block_on(async {
        let mut s = Session::connect(&url).await.unwrap();
        s.send_raw(vec![b'x'; 64 << 20]).timeout(SHORT).await.unwrap_err()
    });
    assert!(error.is_timeout());
    assert!(error.message().starts_with("the server does not read: "), "{error}");
}

#[test]
fn a_session_is_not_tied_to_a_thread() {
    fn sendable<T: Send>(_: &T) {}
    let peer = Peer::saying(b"220 hi\r\n");
    block_on(async {
        let mut s = Session::connect(&peer.url("smtp")).await.unwrap();
        sendable(&s);
        let expecting = s.expect(220);
        sendable(&expecting);
        expecting.await.unwrap();
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_dialogue_is_the_same_however_the_server_cuts_it(cuts in proptest::collection::vec(1usize..40, 0..6)) {
        let stream = b"220-mail\r\n220 hi\r\n250-a\r\n250 b\r\n354 go\r\n250 queued as 1A2B\r\n221 bye\r\n";
        let mut rest = &stream[..];
        let mut dialogue = Vec::new();
        for cut in cuts {
            let (piece, tail) = rest.split_at(cut.min(rest.len()));
            // `flood 0` separates the pieces, so that they are not sent in one write.
            dialogue.extend([says(piece), "flood 0".to_owned()]);
            rest = tail;
        }
        dialogue.extend([says(rest), "stall".to_owned()]);
        let peer = Peer::parse(&dialogue.join("\n"));
        let transcript = Transcript::new();
        block_on(async {
            let mut s = Session::options().transcript(transcript.clone()).connect(&peer.url("smtp")).await.unwrap();
            s.send_raw(b"EHLO x\r\nDATA\r\n").await.unwrap();
            s.expect(220).await.unwrap();
            s.expect(250).await.unwrap();
            s.expect(354).await.unwrap();
            s.send_raw(dot_stuff(b"x")).await.unwrap();
            let id = s.expect(Regex::new("queued as (?P<id>[0-9A-F]+)").unwrap()).await.unwrap();
            assert_eq!(id.name("id"), Some(&b"1A2B"[..]));
            s.send_raw("QUIT\r\n").await.unwrap();
            s.expect(221).await.unwrap();
            s.finish().await.unwrap();
        });
        let said: String = transcript.to_string().lines().filter(|line| line.starts_with("S:")).collect::<Vec<_>>().join("\n");
        prop_assert_eq!(said.lines().count(), 7);
    }
}
