//! What one dialogue costs, part by part: matching, framing, redaction, buffer and transcript over
//! recorded dialogues, and whole sessions beside plain sockets. The counts of allocations do not
//! depend on how busy the machine is.
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
