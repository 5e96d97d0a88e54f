//! The integration tests.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on fails, and one that skips says so")]

mod peer;
mod session;
