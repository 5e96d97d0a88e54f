//! Blocks of lines that end with a lone dot, against a scripted peer.

use std::time::Duration;

use mailexpect::{Session, Transcript, block_on};

use crate::peer::Peer;

#[test]
fn a_block_is_taken_up_to_its_lone_dot_however_it_comes() {
    for how in ["S:", "drip:"] {
        let peer = Peer::parse(&format!(
            "{how} +OK\\r\\na\\r\\n..b\\r\\n.\\r\\n.\\r\\n+OK bye\nC\nS: .\nstall"
        ));
        block_on(async {
            let mut s = Session::connect(&peer.url("tcp")).await.unwrap();
            s.expect_line("+OK").await.unwrap();
            let block = s.expect_multiline().await.unwrap();
            assert_eq!(
                (block.bytes(), block.octets(), block.lines().len()),
                (&b"a\r\n.b\r\n"[..], 7, 2)
            );
            let empty = s.expect_multiline().await.unwrap();
            assert_eq!((empty.bytes(), empty.octets(), empty.lines().len()), (&b""[..], 0, 0));
            s.expect_line("+OK bye").await.unwrap();
            s.send("NEXT").await.unwrap();
            assert_eq!(s.expect_multiline().keep(false).await.unwrap().octets(), 0);
            assert_eq!(s.owed(), 0, "the block is the answer");
            s.finish().await.unwrap();
            let text = s.transcript().to_string();
            assert!(
                text.contains("S: ..b\n") && text.contains("S: .\n"),
                "the wire is recorded: {text}"
            );
        });
    }
}

#[test]
fn a_block_that_is_not_kept_has_a_size_and_no_limit() {
    let flood: u64 = (20 << 20) / 78 * 78;
    let peer = Peer::parse(&format!("flood {flood}\nS: ..x\nS: .\nS: after\nstall"));
    let transcript = Transcript::new();
    block_on(async {
        let options = Session::options().limit(1 << 20).transcript(transcript.clone());
        let mut s = options.connect(&peer.url("tcp")).await.unwrap();
        let block = s.expect_multiline().keep(false).await.unwrap();
        assert_eq!((block.octets(), block.bytes()), (flood + 4, &b""[..]));
        s.expect_line("after").await.unwrap();
        s.finish().await.unwrap();
    });
    let text = transcript.to_string();
    assert!(text.len() < 64 << 10, "{} bytes of transcript", text.len());
    assert!(
        text.contains(" bytes left out, SHA-256 ") && text.contains("S: ..x\n"),
        "{}",
        &text[text.len() - 200..]
    );
}

#[test]
fn a_block_without_an_end_fails_and_says_what_was_wanted() {
    let wanted = "a block of lines up to a lone dot";
    let peer = Peer::parse("S: a\\n.\nstall");
    let error = block_on(async {
        let mut s = Session::connect(&peer.url("tcp")).await.unwrap();
        s.expect_multiline().timeout(Duration::from_millis(50)).await.unwrap_err()
    });
    assert!(error.is_timeout() && error.to_string().contains(wanted), "{error}");
    let peer = Peer::parse("S: a\nclose");
    let error = block_on(async {
        Session::connect(&peer.url("tcp"))
            .await
            .unwrap()
            .expect_multiline()
            .keep(false)
            .await
            .unwrap_err()
    });
    assert!(
        error.is_malformed() && error.message().contains("in the middle of a block"),
        "{error}"
    );
    let peer = Peer::parse("close");
    let error = block_on(async {
        Session::connect(&peer.url("tcp")).await.unwrap().expect_multiline().await.unwrap_err()
    });
    assert_eq!(error.expected(), Some(wanted));
    let peer = Peer::parse("flood 4194304\nstall");
    let error = block_on(async {
        let mut s = Session::options().limit(1 << 20).connect(&peer.url("tcp")).await.unwrap();
        s.expect_multiline().await.unwrap_err()
    });
    assert!(error.is_too_long() && error.to_string().contains(wanted), "{error}");
}
