//! The cost of the parts of a dialogue that are public, and of whole sessions compared with plain
//! sockets, on recorded dialogues. Unlike times, the counts of allocations do not depend on how
//! busy the machine is.
//!
//! `cargo bench --features bench --bench hot`
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench stops where it cannot go on")]

mod patterns;
mod recording;
mod session;
mod transcript;

#[global_allocator]
static ALLOCATOR: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}
