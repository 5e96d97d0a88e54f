//! Recording and rendering transcripts.

use bytes::Bytes;
use divan::{Bencher, black_box};
use mailexpect::Transcript;
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
