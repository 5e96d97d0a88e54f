//! Recording, rendering and escaping of transcripts.

use bytes::Bytes;
use divan::{Bencher, black_box};
use mailexpect::Transcript;
use mailexpect::bench::escape;
use mailexpect::transcript::{Event, Excerpt, What, lines};

use crate::recording::{self, Side, Turn};

fn excerpts(turns: &[Turn]) -> Vec<(Side, Bytes)> {
    turns.iter().map(|turn| (turn.side, Bytes::from(turn.bytes.clone()))).collect()
}

fn record(turns: &[(Side, Bytes)]) -> Transcript {
    let transcript = Transcript::new();
    for (side, bytes) in turns {
        let bytes = Excerpt::from(bytes.clone());
        transcript.note(match side {
            Side::Client => What::Client(bytes),
            Side::Server => What::Server(bytes),
        });
    }
    transcript
}

fn events() -> Vec<Event> {
    record(&excerpts(&recording::postfix())).take()
}

#[divan::bench]
fn record_a_session(bencher: Bencher<'_, '_>) {
    let turns = excerpts(&recording::postfix());
    bencher.bench(|| record(black_box(&turns)));
}

#[divan::bench]
fn record_a_long_reply(bencher: Bencher<'_, '_>) {
    let turns = [(Side::Server, Bytes::from(recording::stream()))];
    bencher.bench(|| record(black_box(&turns)));
}

#[divan::bench]
fn lines_of_a_session(bencher: Bencher<'_, '_>) {
    let events = events();
    bencher.bench(|| lines(black_box(&events)));
}

#[divan::bench]
fn text_of_a_session(bencher: Bencher<'_, '_>) {
    let transcript = record(&excerpts(&recording::postfix()));
    bencher.bench(|| black_box(&transcript).to_string());
}

#[divan::bench]
fn text_of_a_long_reply(bencher: Bencher<'_, '_>) {
    let stream = recording::stream();
    let transcript = record(&[(Side::Server, Bytes::from(stream[..16 << 10].to_vec()))]);
    bencher
        .counter(divan::counter::BytesCount::new(16usize << 10))
        .bench(|| black_box(&transcript).to_string());
}

mod visible {
    use super::{Bencher, black_box, escape, recording};

    fn bench(bencher: Bencher<'_, '_>, bytes: &[u8]) {
        bencher
            .counter(divan::counter::BytesCount::new(bytes.len()))
            .bench(|| escape(black_box(bytes)));
    }

    #[divan::bench]
    fn a_reply(bencher: Bencher<'_, '_>) {
        bench(
            bencher,
            b"550 5.1.1 <nobody-here@example.com>: Recipient address rejected: User unknown in virtual mailbox table",
        );
    }

    #[divan::bench]
    fn plain_lines(bencher: Bencher<'_, '_>) {
        bench(bencher, &recording::stream());
    }

    #[divan::bench]
    fn letters_of_any_script(bencher: Bencher<'_, '_>) {
        bench(bencher, "zażółć gęślą jaźń, 日本語、Grüße".repeat(256).as_bytes());
    }

    #[divan::bench]
    fn hostile(bencher: Bencher<'_, '_>) {
        let all: Vec<u8> = (0..=255).collect();
        bench(
            bencher,
            &[&all[..], b"\x1b[2J\x1b]0;title\x07\\n\xe2\x80\xae\r\n"].concat().repeat(32),
        );
    }
}
