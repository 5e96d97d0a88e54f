//! Finding the end of replies, and counting the replies that are owed.

use divan::{Bencher, black_box};
use mailexpect::bench::{Dialogue, Framing};

use crate::recording::{self, Side, Turn};

#[divan::bench]
fn one_line(bencher: Bencher<'_, '_>) {
    let mut framing = Framing::default();
    bencher.bench_local(|| framing.frame(black_box(b"250 2.1.0 Ok\r\n")).unwrap());
}

#[divan::bench]
fn ehlo(bencher: Bencher<'_, '_>) {
    let turns = recording::postfix();
    let reply = recording::said(&turns, Side::Server).nth(1).unwrap();
    let mut framing = Framing::default();
    bencher.bench_local(|| framing.frame(black_box(reply)).unwrap());
}

#[divan::bench]
fn ehlo_byte_by_byte(bencher: Bencher<'_, '_>) {
    let turns = recording::postfix();
    let reply = recording::said(&turns, Side::Server).nth(1).unwrap();
    let mut framing = Framing::default();
    bencher.bench_local(|| {
        (1..=reply.len()).find_map(|end| framing.frame(black_box(&reply[..end]))).unwrap()
    });
}

fn follow(turns: &[Turn]) -> usize {
    let mut dialogue = Dialogue::submission();
    for turn in turns {
        match turn.side {
            Side::Client => drop(dialogue.sent(black_box(&turn.bytes))),
            Side::Server => dialogue.received(black_box(&turn.bytes)),
        }
    }
    dialogue.owed()
}

/// The turns of a whole dialogue with AUTH.
#[divan::bench]
fn turns_of_postfix(bencher: Bencher<'_, '_>) {
    let turns = recording::postfix();
    assert_eq!(follow(&turns), 0);
    bencher.bench(|| follow(&turns));
}

/// The turns of a whole dialogue without AUTH.
#[divan::bench]
fn turns_of_exim(bencher: Bencher<'_, '_>) {
    let turns = recording::exim();
    assert_eq!(follow(&turns), 0);
    bencher.bench(|| follow(&turns));
}

/// A message of 64 KiB after the reply 354.
#[divan::bench]
fn message(bencher: Bencher<'_, '_>) {
    let message = mailexpect::dot_stuff(&[b"x".repeat(76), b"\r\n".to_vec()].concat().repeat(840));
    let ahead = || {
        let mut dialogue = Dialogue::submission();
        dialogue.received(b"220 hi\r\n");
        dialogue.sent(b"DATA\r\n");
        dialogue.received(b"354 go\r\n");
        dialogue
    };
    let bencher = bencher.counter(divan::counter::BytesCount::new(message.len()));
    bencher.with_inputs(ahead).bench_refs(|dialogue| dialogue.sent(black_box(&message)));
}
