//! Servers to talk to: small built-in servers, which need no installation, and real mail servers
//! that a test starts and stops.
//!
//! [`Embedded`] is a server that behaves well: SMTP, submission, LMTP, IMAP, POP3 and
//! `ManageSieve`. Each has a port of its own, plain or with TLS from the start. Mail is kept in
//! memory.
//!
//! # Layout
//!
//! ```text
//! embedded      the embedded server, its options, and the mail that it accepted
//! host          listens and serves on a thread of its own
//! listener/     accepts the sessions in which a script or a test plays the server
//! overridden    a dialogue whose answers rules can replace: rules, conduct, spoil, on_demand,
//!               question
//! playback/     a recorded dialogue as a server
//! service       a row for each port: its scheme, and the dialogue that serves it
//! connection    the bytes of one connection, in and out; async, as is host
//! conversation  bytes in, replies out: combines the parts below
//! input         finds the end of a command line and of a message
//! dialogue      the trait of all protocols: a line in, an answer out; said
//! smtp/         SMTP, submission and LMTP
//! imap/, pop3, sieve
//! auth          PLAIN, LOGIN, CRAM-MD5 and SCRAM-SHA-256
//! site          what all connections share
//! accounts      users and their passwords
//! mail          accepted mail, in memory
//! budget        what the servers of one script hold together
//! store/        mailboxes and Sieve scripts, in memory
//! date          the dates of messages
//! recorder      writes the transcript, with secrets masked
//! fuzzed        feature "fuzz": a conversation without its sockets
//! ```
//!
//! [`Server`] is a real mail server, started as a process for the duration of a test: `spawn/`.
//!
//! [`Replay`] is a server that plays a written dialogue, for examples and tests.

mod accounts;
mod auth;
mod budget;
mod conduct;
mod connection;
mod conversation;
mod date;
mod dialogue;
mod embedded;
#[cfg(feature = "fuzz")]
mod fuzzed;
mod host;
mod imap;
mod input;
mod listener;
mod mail;
mod on_demand;
mod overridden;
mod playback;
mod pop3;
mod question;
mod recorder;
mod replay;
mod rules;
mod said;
mod service;
mod sieve;
mod site;
mod smtp;
mod spawn;
mod spoil;
mod store;
#[cfg(test)]
mod tests;

#[cfg(feature = "script")]
pub(crate) use budget::Budget;
#[cfg(all(test, feature = "script"))]
pub(crate) use conduct::is_fault;
pub use embedded::{Embedded, Options};
#[cfg(feature = "fuzz")]
pub(crate) use fuzzed::answers;
pub use listener::{Listener, ListenerOptions};
pub use mail::Mail;
pub use playback::{Departed, Player};
#[cfg(feature = "script")]
pub(crate) use question::{Asker, Question};
pub use replay::{Departure, Replay};
#[cfg(feature = "script")]
pub(crate) use spawn::Ports;
pub use spawn::{Server, Spawn};
