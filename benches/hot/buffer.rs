//! The buffer for received bytes, which are taken from its front.

use divan::{Bencher, black_box};
use mailexpect::bench::Buffer;

use crate::recording::{self, Side};

/// The replies of a dialogue, each put in and taken out before the next one.
#[divan::bench]
fn reply_by_reply(bencher: Bencher<'_, '_>) {
    let turns = recording::postfix();
    bencher.bench(|| {
        let mut buffer = Buffer::default();
        for reply in recording::said(&turns, Side::Server) {
            buffer.fill(black_box(reply));
            black_box(buffer.take(reply.len()));
        }
    });
}

/// A stream that arrives as a whole and is taken out line by line.
#[divan::bench]
fn line_by_line(bencher: Bencher<'_, '_>) {
    let stream = recording::stream();
    bencher.counter(divan::counter::BytesCount::new(stream.len())).bench(|| {
        let mut buffer = Buffer::default();
        buffer.fill(black_box(&stream));
        for line in stream.split_inclusive(|byte| *byte == b'\n') {
            black_box(buffer.take(line.len()));
        }
    });
}
