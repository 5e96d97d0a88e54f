//! The integration tests: the library with scripted peers, the program as its users run it, and
//! scripts with real servers.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on fails, and one that skips says so"
)]

/// Counts allocations, as in the program.
#[global_allocator]
static ALLOCATOR: mailexpect::script::CountingAllocator = mailexpect::script::CountingAllocator;

mod attempts;
mod browser;
mod certificates;
mod circles;
mod clients;
mod commands;
mod compress;
mod connecting;
mod crowds;
mod deciding;
mod doctor;
mod documented;
mod dropping;
mod edges;
mod embedded;
mod ending;
mod examples;
mod explain;
mod failures;
mod faults;
mod filters;
mod golden;
mod guide;
mod harness;
mod hostile;
mod html;
mod imap;
mod import;
mod imported;
mod isolation;
mod language;
mod large;
mod layers;
mod listening;
mod lmtp;
mod load;
mod logs;
mod manners;
mod message;
mod monitoring;
mod multiline;
mod partitions;
mod pasted;
mod peer;
mod pop3;
mod probe;
mod program;
mod reading;
mod readme;
mod real;
mod record;
mod recorded;
mod redact;
mod reports;
mod sandbox;
mod sasl;
mod sasl_server;
mod segment;
mod selection;
mod send;
#[path = "../servers/mod.rs"]
mod servers;
mod serving;
mod session;
mod shipped;
mod sieve;
mod smtp;
mod spawn;
mod stable;
mod started;
mod tables;
mod taking;
mod talk;
mod targets;
mod tls;
mod tls_server;
mod together;
mod traces;
