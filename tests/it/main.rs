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
mod caught;
mod certificates;
mod chance;
mod checking;
mod circles;
mod clients;
mod commands;
mod compress;
mod connecting;
mod connections;
mod copying;
mod crowds;
mod deciding;
mod descriptors;
mod doctor;
mod documented;
mod dropping;
mod edges;
mod embedded;
mod ending;
mod escaped;
mod examples;
mod expecting;
mod explain;
mod failures;
mod faults;
mod filters;
mod golden;
mod golden_chance;
mod golden_secrets;
mod guide;
mod handshake;
mod harness;
mod hostile;
mod html;
mod imap;
mod imaptest;
mod import;
mod imported;
mod injected;
mod isolation;
mod language;
mod large;
mod layers;
mod listening;
mod listening_faults;
mod lmtp;
mod load;
mod logs;
mod lookups;
mod manners;
mod message;
mod monitoring;
mod multiline;
mod nameserver;
mod other_tools;
mod partitions;
mod pasted;
mod peer;
mod pieces;
mod pop3;
mod printed;
mod probe;
mod program;
mod protocols;
mod quoted;
mod reading;
mod readme;
mod real;
mod record;
mod record_sasl;
mod recorded;
mod redact;
mod repeating;
mod replaying;
mod reports;
mod reviewing;
mod sandbox;
mod sasl;
mod sasl_secrets;
mod sasl_server;
mod segment;
mod selection;
mod send;
#[path = "../servers/mod.rs"]
mod servers;
mod serving;
mod serving_memory;
mod session;
mod shipped;
mod sieve;
mod signals;
mod smtp;
mod spawn;
mod stable;
mod started;
mod tables;
mod taking;
mod talk;
mod targets;
mod terminal;
mod tls;
mod tls_listening;
mod tls_scripts;
mod tls_server;
mod together;
mod traces;
mod unreferenced;
mod written;
