//! Masking secrets before they are stored, in what is sent and in what is received.

use divan::{Bencher, black_box};
use mailexpect::bench::Dialogue;

use crate::recording::{self, Side, Turn};

/// A dialogue before its first command.
fn greeted() -> Dialogue {
    let mut dialogue = Dialogue::submission();
    dialogue.received(b"220 mail.example.com ESMTP Postfix\r\n");
    dialogue
}

/// A dialogue that has learned the password of Postfix's recording.
fn authenticated() -> Dialogue {
    let mut dialogue = greeted();
    dialogue.sent(b"AUTH PLAIN AHNhbXBsZQBwYXNzd29yZA==\r\n");
    dialogue.received(b"235 2.7.0 Authentication successful\r\n");
    dialogue
}

fn send(dialogue: &mut Dialogue, line: &[u8]) -> usize {
    let spans = dialogue.sent(line);
    dialogue.mask(line, &spans).len()
}

#[divan::bench]
fn sent_auth_plain(bencher: Bencher<'_, '_>) {
    let line = b"AUTH PLAIN AHNhbXBsZQBwYXNzd29yZA==\r\n";
    bencher.with_inputs(greeted).bench_local_refs(|dialogue| send(dialogue, black_box(line)));
}

#[divan::bench]
fn sent_command(bencher: Bencher<'_, '_>) {
    bencher
        .with_inputs(greeted)
        .bench_local_refs(|dialogue| send(dialogue, black_box(b"RCPT TO:<bob@example.com>\r\n")));
}

#[divan::bench]
fn sent_command_with_a_secret_known(bencher: Bencher<'_, '_>) {
    bencher
        .with_inputs(authenticated)
        .bench_local_refs(|dialogue| send(dialogue, black_box(b"RCPT TO:<bob@example.com>\r\n")));
}

/// A piece of a message, in a session without a protocol.
#[divan::bench]
fn sent_where_nothing_is_known(bencher: Bencher<'_, '_>) {
    let text = b"Subject: a line of a message that is neither long nor short\r\n".repeat(64);
    let bencher = bencher.counter(divan::counter::BytesCount::new(text.len()));
    bencher
        .with_inputs(Dialogue::plain)
        .bench_local_refs(|dialogue| send(dialogue, black_box(&text)));
}

fn mask_all(dialogue: &Dialogue, turns: &[Turn]) -> usize {
    recording::said(turns, Side::Server)
        .map(|reply| dialogue.mask(black_box(reply), &[]).len())
        .sum()
}

#[divan::bench]
fn received_without_secrets(bencher: Bencher<'_, '_>) {
    let (dialogue, turns) = (greeted(), recording::postfix());
    bencher.bench_local(|| mask_all(&dialogue, &turns));
}

#[divan::bench]
fn received_with_a_secret_known(bencher: Bencher<'_, '_>) {
    let (dialogue, turns) = (authenticated(), recording::postfix());
    bencher.bench_local(|| mask_all(&dialogue, &turns));
}

#[divan::bench]
fn received_with_a_secret_in_it(bencher: Bencher<'_, '_>) {
    let dialogue = authenticated();
    bencher.bench_local(|| {
        dialogue
            .mask(black_box(b"500 what is AHNhbXBsZQBwYXNzd29yZA== to me, password?\r\n"), &[])
            .len()
    });
}

/// A stream in which a server repeats the secret many times.
#[divan::bench(args = [16, 256, 4096])]
fn received_with_many_secrets_in_it(bencher: Bencher<'_, '_>, count: usize) {
    let dialogue = authenticated();
    let stream = b"334 AHNhbXBsZQBwYXNzd29yZA==\r\n".repeat(count);
    let bencher = bencher.counter(divan::counter::BytesCount::new(stream.len()));
    bencher.bench_local(|| dialogue.mask(black_box(&stream), &[]).len());
}
