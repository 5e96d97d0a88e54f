//! What was received and is taken from the front.

use divan::{Bencher, black_box};
use mailexpect::bench::Buffer;

use crate::recording::{self, Side};

/// The replies of a dialogue, each filled in and taken, as lock-step does.
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

/// A stream that came at once, taken by lines.
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
