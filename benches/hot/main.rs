//! The cost of each part of a dialogue: matching, framing, redaction, buffer and transcript, on
//! recorded dialogues, and whole sessions compared with plain sockets. Unlike times, the counts of
//! allocations do not depend on how busy the machine is.
//!
//! `cargo bench --features bench --bench hot`
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench stops where it cannot go on")]

mod buffer;
mod framing;
mod matching;
mod recording;
mod redaction;
mod session;
mod transcript;

#[global_allocator]
static ALLOCATOR: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}
